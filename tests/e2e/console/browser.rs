//! A browser without a script, as far as the console notices.

use super::SOON;
use harness::LedgerProcess;
use reqwest::header::{HeaderMap, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};

/// An answer to a browser.
pub struct Page {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

impl AsRef<str> for Page {
    fn as_ref(&self) -> &str {
        &self.body
    }
}

impl Page {
    /// A header's value.
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

/// A browser without a script, as far as it matters.
pub struct Browser {
    /// What it sends with.
    pub client: Client,
    /// Where the ledger is.
    pub base: String,
    /// What it sends as cookies.
    pub cookie: String,
}

impl Browser {
    /// One that has no cookie.
    pub fn new(ledger: &LedgerProcess) -> Self {
        let client = Client::builder().redirect(Policy::none()).timeout(SOON).build().expect("a client");
        let base = format!("http://127.0.0.1:{}", ledger.admin_port);
        Self { client, base, cookie: String::new() }
    }

    /// One that is signed in with a token.
    pub async fn signed_in(ledger: &LedgerProcess, token: &str) -> Self {
        let mut browser = Self::new(ledger);
        let answer = browser.sign_in(token).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        browser
    }

    /// Signs in with a token.
    pub async fn sign_in(&mut self, token: &str) -> Page {
        let answer = self.post("/console/sign-in", &[("token", token)]).await;
        if let Some(cookie) = answer.headers.get(SET_COOKIE) {
            let cookie = cookie.to_str().expect("a text").split(';').next().unwrap_or_default();
            self.cookie = cookie.to_owned();
        }
        answer
    }

    /// Opens a page.
    pub async fn get(&self, path: &str) -> Page {
        self.ask(Method::GET, path, &[], &[]).await
    }

    /// Sends a form as a page of the console does.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        self.ask(Method::POST, path, form, &[("origin", &self.base), ("sec-fetch-site", "same-origin")]).await
    }

    /// Sends a request.
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
        self.get("/console/accounts").await.status == StatusCode::OK
    }
}
