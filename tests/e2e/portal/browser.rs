//! A browser without a script, as far as it matters.

use reqwest::header::{HeaderMap, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use std::time::Duration;

/// Far more than the two seconds that it may take.
pub const SOON: Duration = Duration::from_secs(20);

/// An answer to a browser.
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl AsRef<str> for Page {
    fn as_ref(&self) -> &str {
        &self.body
    }
}

impl Page {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }

    /// The value of a hidden field.
    pub fn field(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let rest = self.body.split_once(&mark).unwrap_or_else(|| panic!("no {name}: {}", self.body)).1;
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

/// What a link shows.
pub fn value_of(link: &str) -> String {
    link.split_once("link=").expect("a link").1.to_owned()
}

pub struct Browser {
    client: Client,
    pub base: String,
    pub cookie: String,
}

impl Browser {
    pub fn at(port: u16) -> Self {
        let client = Client::builder().redirect(Policy::none()).timeout(SOON).build().expect("a client");
        Self { client, base: format!("http://127.0.0.1:{port}"), cookie: String::new() }
    }

    /// The same with this cookie.
    pub fn with(mut self, cookie: &str) -> Self {
        cookie.clone_into(&mut self.cookie);
        self
    }

    /// Opens a link and presses its button.
    pub async fn enter(&mut self, link: &str) -> Page {
        let asked = self.get(link).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        let value = asked.field("link");
        let entered = self.enter_value(&value).await;
        assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.body);
        entered
    }

    /// Presses the button of a link.
    pub async fn enter_value(&mut self, value: &str) -> Page {
        let entered = self.post("/portal/enter", &[("link", value)]).await;
        self.keep(entered)
    }

    /// Signs in with a key.
    pub async fn sign_in(&mut self, key: &str) -> Page {
        let entered = self.post("/portal/sign-in", &[("key", key)]).await;
        self.keep(entered)
    }

    fn keep(&mut self, page: Page) -> Page {
        if let Some(cookie) = page.headers.get(SET_COOKIE) {
            let cookie = cookie.to_str().expect("a text").split(';').next().unwrap_or_default();
            cookie.clone_into(&mut self.cookie);
        }
        page
    }

    pub async fn get(&self, path: &str) -> Page {
        self.ask(Method::GET, path, &[], &[]).await
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        self.ask(Method::POST, path, form, &[("origin", &self.base), ("sec-fetch-site", "same-origin")]).await
    }

    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Page {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        if method == Method::POST {
            request = request.form(form);
        }
        self.sent(request, headers).await
    }

    /// Sends JSON to the API.
    pub async fn json(&self, path: &str, body: &serde_json::Value, headers: &[(&str, &str)]) -> Page {
        self.sent(self.client.post(format!("{}{path}", self.base)).json(body), headers).await
    }

    async fn sent(&self, mut request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> Page {
        if !self.cookie.is_empty() {
            request = request.header("cookie", &self.cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        Page { status, headers, body: answer.text().await.expect("a text") }
    }

    /// Whether it is signed in.
    pub async fn is_in(&self) -> bool {
        self.get("/portal/keys").await.status == StatusCode::OK
    }
}
