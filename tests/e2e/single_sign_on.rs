//! Operators sign in to the console by OpenID Connect: at a real provider in a real browser, and at one that does everything wrong.

mod attacks;
mod operators;
mod portal;
mod providers;

use crate::console::browser::{Browser, Page};
use harness::{Clients, LedgerProcess};
use providers::{CLIENT, ODD_SUBJECT, Odd, Provider, SECRET};
use reqwest::StatusCode;
use reqwest::header::{LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use std::time::Duration;

/// Far more than what is waited for takes.
const SOON: Duration = Duration::from_secs(30);

/// A ledger that sends browsers back to itself.
struct Console {
    ledger: LedgerProcess,
    /// Where browsers find it.
    url: String,
    _dir: tempfile::TempDir,
}

impl Console {
    /// One with this provider, and further arguments.
    async fn start(issuer: &str, more: &[&str]) -> Self {
        Self::start_on(issuer, more, &[]).await
    }

    async fn start_on(issuer: &str, more: &[&str], environment: &[(String, String)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        // It is known before the ledger has a port: what counts is what the provider is asked.
        let url = format!("http://127.0.0.1:{}/console", harness::free_port());
        let secret = ("FAREGATE_OIDC_CLIENT_SECRET".to_owned(), SECRET.to_owned());
        let environment = [environment, &[secret]].concat();
        let arguments = [&arguments(issuer, &url), more].concat();
        let ledger = LedgerProcess::start(dir.path(), &arguments, &environment).await;
        Self { ledger, url, _dir: dir }
    }
}

fn arguments<'a>(issuer: &'a str, url: &'a str) -> [&'a str; 7] {
    ["--oidc-issuer", issuer, "--oidc-client-id", CLIENT, "--console-url", url, "--oidc-allow-private"]
}

/// A sign-in that a browser has begun: what was sent to the provider, and what the browser remembers.
struct Begun {
    browser: Browser,
    asked: Vec<(String, String)>,
}

impl Begun {
    async fn at(ledger: &LedgerProcess) -> Self {
        let mut browser = Browser::new(ledger);
        let sent = browser.get("/console/sign-in/oidc?next=%2Fconsole%2Fplans").await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
        let cookie = sent.header(SET_COOKIE.as_str());
        for flag in ["HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/console"] {
            assert!(cookie.contains(flag), "{cookie}");
        }
        browser.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let address = reqwest::Url::parse(sent.header(LOCATION.as_str())).expect("an address");
        let asked =
            address.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Self { browser, asked }
    }

    fn asked(&self, name: &str) -> &str {
        let mut values = self.asked.iter().filter(|(known, _)| known == name);
        let (_, value) = values.next().unwrap_or_else(|| panic!("no {name}: {:?}", self.asked));
        assert!(values.next().is_none(), "{name} twice");
        value
    }

    /// Brings back an answer of the provider.
    async fn brings(&self, answer: &[(&str, &str)]) -> Page {
        let query = reqwest::Url::parse_with_params("http://x/", answer).expect("a query");
        self.browser.get(&format!("/console/oidc?{}", query.query().unwrap_or_default())).await
    }

    /// Brings back a code.
    async fn returns(&self) -> Page {
        self.brings(&[("state", self.asked("state")), ("code", "a-code")]).await
    }

    /// Takes over the session that an answer begins.
    fn session(&self, ledger: &LedgerProcess, page: &Page) -> Browser {
        let cookies = page.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        let session = cookies
            .filter_map(|cookie| cookie.split(';').next())
            .find(|cookie| cookie.starts_with("faregate_console="));
        let cookie = session.unwrap_or_else(|| panic!("no session: {}", page.body)).to_owned();
        Browser { cookie, ..Browser::new(ledger) }
    }
}

/// What a page says to who reads it.
fn said(page: &impl AsRef<str>) -> String {
    let text = page.as_ref().split_once("<main>").map_or("", |(_, rest)| rest);
    let text: String =
        text.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text).collect();
    text.replace("&#39;", "'").split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn trail(ledger: &LedgerProcess, operator: &str) -> Value {
    ledger.get(&format!("/admin/v1/trail?operator={operator}")).await["entries"].clone()
}

async fn a_day(scripts: &str, algorithm: &str) {
    let Some(clients) = Clients::installed() else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    // The provider must know where the console is before the ledger starts, and the other way round.
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let url = format!("http://127.0.0.1:{}/console", ledger.admin_port);
    let provider = Provider::start(&clients, &url, algorithm).await;
    let more = ["--oidc-scope", "groups", "--oidc-claim", "groups=faregate-admins:admin"];
    let arguments = [&arguments(&provider.issuer, &url), more.as_slice()].concat();
    let secret = ("FAREGATE_OIDC_CLIENT_SECRET".to_owned(), SECRET.to_owned());
    let ledger = ledger.restart_with(&arguments, &[secret]).await;
    ledger.account("acme", "5").await;
    let link = ["operator", "create", "lou", "--scope", "support", "--oidc-subject", "linked-lou"];
    assert!(ledger.run(&link).contains("there is no token"));

    let pictures = std::env::var("FAREGATE_KEEP_PICTURES").unwrap_or_default();
    let pictures = if pictures.is_empty() { pictures } else { format!("{pictures}/sign-on-{scripts}") };
    let base = url.trim_end_matches("/console");
    let more = [("BASE", base), ("SCRIPTS", scripts), ("PICTURES", pictures.as_str())];
    let seen = tokio::task::block_in_place(|| clients.drive("single_sign_on.mjs", &more));
    assert_eq!(seen["troubles"], json!([]), "{:#}", seen["troubles"]);
    assert_eq!((&seen["admin"], &seen["scope"]), (&json!("admin-anna@example.com"), &json!("admin")));
    assert_eq!(seen["state"], "suspended");
    assert_eq!((&seen["linked"], &seen["linked_scope"]), (&json!("lou"), &json!("support")));
    assert_eq!(seen["stranger"], "You have no access yet");
    let command = "faregate operator create NAME --scope read --oidc-subject 'stranger-sam'";
    assert_eq!(seen["command"], command);
    assert_eq!(seen["stranger_path"], "/console/sign-in");
    assert_eq!(seen["after_sign_out"], "/console/sign-in");
    assert_eq!(seen["asks_again"], 1, "the provider has ended its own session, too");

    let entries = trail(&ledger, "admin-anna@example.com").await;
    assert_eq!(entries[0]["command"], "suspend_account", "{entries}");
    let first = entries.as_array().and_then(|all| all.last()).expect("an entry");
    assert_eq!(
        (&first["command"], &first["token"]),
        (&json!("sign_in_to_console"), &json!("oidc:admin-anna"))
    );
    let table = ledger.run(&["trail", "--account", "acme"]);
    assert!(table.contains("admin-anna@example.com oidc:admin-anna"), "{table}");
    assert_eq!((&entries[0]["token"], &entries[0]["account"]), (&json!("oidc:admin-anna"), &json!("acme")));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_sign_in_at_a_real_provider() {
    a_day("on", "RS256").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn single_sign_on_works_without_scripts_and_with_keys_on_curves() {
    a_day("off", "ES256").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_without_a_provider_offers_none() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let browser = Browser::new(&ledger);
    assert!(!browser.get("/console/sign-in").await.body.contains("single sign-on"));
    for path in ["/console/sign-in/oidc", "/console/oidc?code=a&state=b"] {
        assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND);
    }
    let link = ["operator", "create", "lou", "--scope", "read", "--oidc-subject", "sub-1"];
    let (done, why) = ledger.try_run(&link);
    assert!(!done && why.contains("--oidc-issuer"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_would_not_be_safe_are_refused_at_the_start() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let id = ["--oidc-client-id", "faregate"];
    let here = ["--console-url", "https://ledger.test/console"];
    let there = ["--oidc-issuer", "https://login.test"];
    for (arguments, said) in [
        ([there.as_slice(), &id].concat(), "--console-url"),
        ([there.as_slice(), &here].concat(), "--oidc-client-id"),
        ([id.as_slice(), &here].concat(), "--oidc-issuer"),
        ([&["--oidc-issuer", "http://login.test"], id.as_slice(), &here].concat(), "https://"),
        ([&["--oidc-issuer", "https://10.0.0.1"], id.as_slice(), &here].concat(), "--oidc-allow-private"),
        ([there.as_slice(), &id, &["--console-url", "http://ledger.test/console"]].concat(), "https://"),
        ([there.as_slice(), &id, &["--console-url", "https://ledger.test"]].concat(), "/console"),
        (
            [there.as_slice(), &id, &here, &["--oidc-claim", "groups=a:owner"]].concat(),
            "groups=faregate-admins:admin",
        ),
        ([there.as_slice(), &id, &here, &["--oidc-scope", "a b"]].concat(), "--oidc-scope"),
    ] {
        let why = LedgerProcess::try_start(dir.path(), &arguments, &[]).await.err();
        let why = why.unwrap_or_else(|| panic!("{arguments:?} is taken"));
        assert!(why.contains(said), "{arguments:?}: {why}");
    }
}
