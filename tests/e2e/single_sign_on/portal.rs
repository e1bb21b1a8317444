//! Customers sign in to the portal at the operator's provider: whom it lets in, to which account, and what must let none in.

use super::attacks::forged;
use super::providers::{CLIENT, ODD_SUBJECT, Odd, Provider, SECRET};
use super::{SOON, said};
use crate::portal::browser::{Browser, Page};
use harness::{Clients, LedgerProcess, Postgres, eventually, free_port};
use reqwest::header::{LOCATION, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;

/// A ledger whose portal lets customers sign in at this provider.
async fn portal(
    dir: &Path,
    port: u16,
    issuer: &str,
    more: &[&str],
    environment: &[(String, String)],
) -> LedgerProcess {
    let listen = format!("127.0.0.1:{port}");
    let own = [
        "--portal-listen",
        listen.as_str(),
        "--portal-oidc-issuer",
        issuer,
        "--portal-oidc-client-id",
        CLIENT,
        "--portal-oidc-allow-private",
    ];
    let secret = ("FAREGATE_PORTAL_OIDC_CLIENT_SECRET".to_owned(), SECRET.to_owned());
    LedgerProcess::start(dir, &[own.as_slice(), more].concat(), &[environment, &[secret]].concat()).await
}

/// A sign-in that a browser has begun.
struct Begun {
    browser: Browser,
    asked: Vec<(String, String)>,
}

impl Begun {
    async fn at(port: u16) -> Self {
        let mut browser = Browser::at(port);
        let sent = browser.get("/portal/sign-in/oidc?next=%2Fportal%2Fusage").await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
        let cookie = sent.header(SET_COOKIE.as_str());
        for flag in ["HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/portal"] {
            assert!(cookie.contains(flag), "{cookie}");
        }
        browser.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let address = reqwest::Url::parse(sent.header(LOCATION.as_str())).expect("an address");
        let asked =
            address.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Self { browser, asked }
    }

    fn asked(&self, name: &str) -> &str {
        let found = self.asked.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no {name}: {:?}", self.asked), |(_, value)| value)
    }

    /// Brings back an answer of the provider, from an address of its own, as a proxy says: attempts that fail are limited.
    async fn brings(&self, address: usize, answer: &[(&str, &str)]) -> Page {
        let query = reqwest::Url::parse_with_params("http://x/", answer).expect("a query");
        let path = format!("/portal/oidc?{}", query.query().unwrap_or_default());
        let from = format!("192.0.2.{address}");
        self.browser.ask(Method::GET, &path, &[], &[("x-forwarded-for", &from)]).await
    }

    /// Brings back a code.
    async fn returns(&self) -> Page {
        self.brings(1, &[("state", self.asked("state")), ("code", "a-code")]).await
    }
}

/// Signs in, and gives what the ledger answers.
async fn signs_in(odd: &Odd, port: u16, plan: Value) -> Page {
    let begun = Begun::at(port).await;
    odd.plan_for(begun.asked("nonce"), plan).await;
    begun.returns().await
}

/// The session that an answer begins.
fn session(port: u16, page: &Page) -> Browser {
    let cookies = page.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let values = cookies.filter_map(|cookie| cookie.split(';').next());
    let session = values.into_iter().find(|cookie| cookie.starts_with("faregate_portal="));
    let session = session.unwrap_or_else(|| panic!("no session: {} {}", page.status, page.body));
    Browser::at(port).with(session)
}

fn begins_none(page: &Page, what: &str) {
    let begins = |cookie: &[u8]| cookie.starts_with(b"faregate_portal=");
    assert!(!page.headers.get_all(SET_COOKIE).iter().any(|value| begins(value.as_bytes())), "{what}");
}

/// No session began, and the page says what to do.
fn is_refused(page: &Page, status: u16, words: &str, what: &str) {
    assert_eq!(page.status.as_u16(), status, "{what}: {}", page.body);
    assert!(said(page).contains(words), "{what}: {}", said(page));
    begins_none(page, what);
    assert!(page.body.contains("/portal/sign-in/oidc"), "{what}: a way on");
    for ours in ["--oidc", "--portal", "faregate "] {
        assert!(!said(page).contains(ours), "{what}: nothing that is for operators: {}", said(page));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_opens_its_account_until_it_is_removed_or_the_account_is_closed() {
    let Some(clients) = Clients::installed() else { return };
    let (odd, dir, port) = (Odd::start(&clients).await, tempfile::tempdir().expect("a folder"), free_port());
    let ledger = portal(dir.path(), port, &odd.issuer, &["--portal-trusted-proxies", "1"], &[]).await;
    for account in ["acme", "other"] {
        ledger.account(account, "5").await;
    }
    // The provider is asked with everything that binds its answer.
    let begun = Begun::at(port).await;
    assert_eq!(begun.asked("redirect_uri"), format!("http://127.0.0.1:{port}/portal/oidc"));
    assert_eq!((begun.asked("response_type"), begun.asked("code_challenge_method")), ("code", "S256"));
    for name in ["state", "nonce", "code_challenge"] {
        assert!(!begun.browser.cookie.contains(begun.asked(name)), "{name}");
    }
    // Whose subject belongs to no account gets a page that says what to ask for.
    let mail = json!({"claims": {"email": "ann@example.com", "email_verified": true, "name": "<script>"}});
    let stranger = signs_in(&odd, port, mail).await;
    assert_eq!(stranger.status, StatusCode::FORBIDDEN, "{}", stranger.body);
    begins_none(&stranger, "a stranger");
    for part in ["No account is linked to you yet", ODD_SUBJECT, "ann@example.com", odd.issuer.as_str()] {
        assert!(said(&stranger).contains(part), "{part}: {}", said(&stranger));
    }
    // A subject that is named like an account, an account's key or an operator opens nothing.
    for subject in ["acme", "customer", "root"] {
        let page = signs_in(&odd, port, json!({"claims": {"sub": subject, "account": "acme"}})).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{subject}");
    }

    let linked = ledger.run(&["portal", "link-subject", "acme", ODD_SUBJECT]);
    assert!(linked.contains("full") && linked.contains(&odd.issuer), "{linked}");
    let (done, why) = ledger.try_run(&["portal", "link-subject", "other", ODD_SUBJECT]);
    assert!(!done && why.contains("another account"), "{why}");
    assert!(ledger.run(&["portal", "subjects", "--subject", ODD_SUBJECT]).contains("acme"));
    let entered = signs_in(&odd, port, json!({})).await;
    assert_eq!((entered.status, entered.header(LOCATION.as_str())), (StatusCode::SEE_OTHER, "/portal/usage"));
    let browser = session(port, &entered);
    let home = browser.get("/portal").await;
    assert!(home.body.contains("<bdi>acme</bdi>") && !home.body.contains("only to look"), "{}", home.body);
    let made = browser.post("/portal/keys/new", &[("form_token", &home.field("form_token"))]).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    // What it may do changes at once.
    ledger.run(&["portal", "link-subject", "acme", ODD_SUBJECT, "--read-only"]);
    let home = browser.get("/portal").await;
    assert!(home.body.contains("only to look"), "{}", home.body);
    let made = browser.post("/portal/keys/new", &[("form_token", &home.field("form_token"))]).await;
    assert_eq!(made.status, StatusCode::FORBIDDEN, "{}", made.body);

    // A removed subject is signed out, and doesn't come back with what it has.
    ledger.run(&["portal", "unlink-subject", "acme", ODD_SUBJECT]);
    assert!(!browser.is_in().await);
    let (done, why) = ledger.try_run(&["portal", "unlink-subject", "acme", ODD_SUBJECT]);
    assert!(!done && why.contains("portal subject"), "{why}");
    assert_eq!(signs_in(&odd, port, json!({})).await.status, StatusCode::FORBIDDEN);
    ledger.run(&["portal", "link-subject", "other", ODD_SUBJECT]);
    assert!(!browser.is_in().await, "the session was of the other account");
    let browser = session(port, &signs_in(&odd, port, json!({})).await);
    assert!(browser.get("/portal").await.body.contains("<bdi>other</bdi>"));
    let trail = ledger.get("/admin/v1/trail?account=acme").await;
    let said_there: Vec<_> =
        trail["entries"].as_array().expect("entries").iter().map(|entry| &entry["command"]).collect();
    assert_eq!(
        said_there[..3],
        [&json!("remove_portal_subject"), &json!("link_portal_subject"), &json!("make_own_key")],
        "{trail}"
    );
    assert!(!trail.to_string().contains("eyJ"), "no ID token enters the trail: {trail}");
    ledger.post("/admin/v1/accounts/other/close", json!({})).await;
    assert!(!browser.is_in().await);
    let closed = signs_in(&odd, port, json!({})).await;
    assert!(closed.status == StatusCode::UNAUTHORIZED && said(&closed).contains("closed"), "{}", closed.body);
    begins_none(&closed, "a closed account");
    for body in [json!({"subject": "a b"}), json!({"subject": "x", "issuer": "login.test"})] {
        let path = "/admin/v1/accounts/acme/portal-subjects";
        let (status, answer) = ledger.call(Method::POST, path, Some(body.clone())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {answer}");
    }
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_answer_opens_no_account_either() {
    let Some(clients) = Clients::installed() else { return };
    let (odd, dir, port) = (Odd::start(&clients).await, tempfile::tempdir().expect("a folder"), free_port());
    let ledger = portal(dir.path(), port, &odd.issuer, &["--portal-trusted-proxies", "1"], &[]).await;
    ledger.account("acme", "5").await;
    ledger.run(&["portal", "link-subject", "acme", ODD_SUBJECT]);
    for (number, (plan, words)) in forged().into_iter().enumerate() {
        let begun = Begun::at(port).await;
        odd.plan_for(begun.asked("nonce"), plan.clone()).await;
        let page = begun.brings(number, &[("state", begun.asked("state")), ("code", "c")]).await;
        is_refused(&page, 401, words, &plan.to_string());
    }
    // An answer counts only in the browser that asked, and once.
    let (mine, other) = (Begun::at(port).await, Begun::at(port).await);
    odd.plan_for(mine.asked("nonce"), json!({})).await;
    let calls = odd.calls().await["token"]["count"].clone();
    for (number, answer) in [
        vec![("code", "c")],
        vec![("code", "c"), ("state", "")],
        vec![("code", "c"), ("state", other.asked("state"))],
        vec![("code", "c"), ("state", mine.asked("state")), ("state", mine.asked("state"))],
    ]
    .into_iter()
    .enumerate()
    {
        is_refused(&mine.brings(100 + number, &answer).await, 400, "Begin again", &format!("{answer:?}"));
    }
    let state = mine.asked("state");
    let stolen = Begun { browser: Browser::at(port), asked: mine.asked.clone() };
    is_refused(&stolen.brings(110, &[("state", state), ("code", "c")]).await, 400, "Begin again", "stolen");
    // The console's cookie and answers are for the console.
    let console = mine.browser.cookie.replace("faregate_portal_oidc", "faregate_oidc");
    let mixed = Begun { browser: Browser::at(port).with(&console), asked: mine.asked.clone() };
    is_refused(
        &mixed.brings(111, &[("state", state), ("code", "c")]).await,
        400,
        "Begin again",
        "the console's",
    );
    let named = [("state", state), ("code", "c"), ("iss", "https://other.test")];
    is_refused(&mine.brings(112, &named).await, 401, "another identity provider", "mixed up");
    let denied = [("state", state), ("error", "access_denied"), ("error_description", "<b>not \u{202e}you")];
    let denied = mine.brings(113, &denied).await;
    is_refused(&denied, 401, "access_denied", "refused");
    assert!(!denied.body.contains("<b>not") && !denied.body.contains('\u{202e}'), "{}", denied.body);
    assert_eq!(odd.calls().await["token"]["count"], calls, "none of these was shown to the provider");

    // A value from elsewhere is never taken over.
    let planted = format!("{}; faregate_portal={}", mine.browser.cookie, "ab".repeat(32));
    let mine = Begun { browser: Browser::at(port).with(&planted), asked: mine.asked.clone() };
    let entered = mine.brings(114, &[("state", mine.asked("state")), ("code", "c")]).await;
    let browser = session(port, &entered);
    assert!(!browser.cookie.contains("abab") && browser.is_in().await);
    odd.plan(&json!({"token": {"status": 400, "body": {"error": "invalid_grant"}}})).await;
    is_refused(&mine.returns().await, 401, "finished already", "a code that was used");
    for (plan, status) in [
        (json!({"token": {"hang": true}}), 502),
        (json!({"token": {"status": 401, "body": {"error": "invalid_client"}}}), 502),
    ] {
        let begun = Begun::at(port).await;
        odd.plan_for(begun.asked("nonce"), plan.clone()).await;
        is_refused(&begun.returns().await, status, "Try again in a moment", &plan.to_string());
    }
    assert!(ledger.metric("faregate_auth_failures_total").await >= 20.0);
    // Sign-ins lead to pages of the portal alone.
    let begun = Browser::at(port).get("/portal/sign-in/oidc?next=%2F%2Fevil.test").await;
    assert!(begun.header(SET_COOKIE.as_str()).contains(".%2Fportal;"), "{}", begun.header("set-cookie"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_brings_back_wrong_answers_or_strangers_must_wait() {
    let Some(clients) = Clients::installed() else { return };
    let (odd, dir, port) = (Odd::start(&clients).await, tempfile::tempdir().expect("a folder"), free_port());
    let ledger = portal(dir.path(), port, &odd.issuer, &[], &[]).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(signs_in(&odd, port, json!({})).await.status.as_u16());
    }
    for _ in 0..7 {
        statuses.push(Browser::at(port).get("/portal/oidc?code=a&state=b").await.status.as_u16());
    }
    assert_eq!(statuses, [[403; 5].as_slice(), &[400; 5], &[429; 2]].concat());
    assert!(ledger.metric("faregate_auth_failures_total").await >= 10.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_sign_in_that_one_ledger_begins_the_other_finishes() {
    let Some(clients) = Clients::installed() else { return };
    let Some(server) = Postgres::start().await else { return };
    let (odd, environment) = (Odd::start(&clients).await, server.environment());
    let dirs = [0; 2].map(|_| tempfile::tempdir().expect("a temporary folder"));
    let (mut ledgers, mut ports) = (Vec::new(), Vec::new());
    // Both are one portal to customers and to the provider.
    for dir in &dirs {
        std::fs::write(dir.path().join("portal.yaml"), "url: https://portal.example.com\n").expect("a file");
        let (port, file) = (free_port(), dir.path().join("portal.yaml").display().to_string());
        let more = ["--portal-settings", file.as_str(), "--portal-trusted-proxies", "1"];
        ledgers.push(portal(dir.path(), port, &odd.issuer, &more, &environment).await);
        ports.push(port);
    }
    ledgers[0].account("acme", "5").await;
    ledgers[0].account("other", "5").await;
    ledgers[0].run(&["portal", "link-subject", "acme", ODD_SUBJECT]);
    let (done, why) = ledgers[1].try_run(&["portal", "link-subject", "other", ODD_SUBJECT]);
    assert!(!done && why.contains("another account"), "{why}");
    let begun = Begun::at(ports[0]).await;
    assert_eq!(begun.asked("redirect_uri"), "https://portal.example.com/portal/oidc");
    let begun = Begun { browser: Browser::at(ports[1]).with(&begun.browser.cookie), asked: begun.asked };
    odd.plan_for(begun.asked("nonce"), json!({})).await;
    let there = session(ports[1], &begun.returns().await);
    let here = Browser::at(ports[0]).with(&there.cookie);
    assert!(there.is_in().await && here.is_in().await);
    ledgers[0].run(&["portal", "link-subject", "acme", ODD_SUBJECT, "--read-only"]);
    assert!(there.get("/portal").await.body.contains("only to look"), "at once, at both");
    ledgers[1].run(&["portal", "unlink-subject", "acme", ODD_SUBJECT]);
    assert!(!there.is_in().await && !here.is_in().await, "at once, at both");
    ledgers[0].audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_provider_or_none_ends_the_sessions_of_the_one_before() {
    let Some(clients) = Clients::installed() else { return };
    let (odd, dir, port) = (Odd::start(&clients).await, tempfile::tempdir().expect("a folder"), free_port());
    let ledger = portal(dir.path(), port, &odd.issuer, &[], &[]).await;
    ledger.account("acme", "5").await;
    ledger.run(&["portal", "link-subject", "acme", ODD_SUBJECT]);
    let browser = session(port, &signs_in(&odd, port, json!({})).await);
    assert!(browser.is_in().await);
    let listen = format!("127.0.0.1:{port}");
    let elsewhere = [
        "--portal-listen",
        listen.as_str(),
        "--portal-oidc-issuer",
        "https://login.test",
        "--portal-oidc-client-id",
        CLIENT,
    ];
    let ledger = ledger.restart_with(&elsewhere, &[]).await;
    assert!(!browser.is_in().await);
    let ledger = ledger.restart_with(&["--portal-listen", &listen], &[]).await;
    assert!(!browser.is_in().await);
    for path in ["/portal/sign-in/oidc", "/portal/oidc?code=a&state=b"] {
        assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(!browser.get("/portal/sign-in").await.body.contains("/portal/sign-in/oidc"));
    let (done, why) = ledger.try_run(&["portal", "link-subject", "acme", "sub-2"]);
    assert!(!done && why.contains("--portal-oidc-issuer"), "{why}");
    ledger.run(&["portal", "unlink-subject", "acme", ODD_SUBJECT, "--issuer", &odd.issuer]);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_portals_provider_that_would_not_be_safe_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let listen = ["--portal-listen", "127.0.0.1:0"];
    let open = ["--portal-listen", "0.0.0.0:0"];
    let (id, there) = (["--portal-oidc-client-id", "portal"], ["--portal-oidc-issuer", "https://login.test"]);
    for (arguments, said) in [
        ([there.as_slice(), &id].concat(), "--portal-listen"),
        ([there.as_slice(), &listen].concat(), "--portal-oidc-client-id"),
        ([id.as_slice(), &listen].concat(), "--portal-oidc-issuer"),
        (
            [&["--portal-oidc-issuer", "http://login.test"], id.as_slice(), &listen].concat(),
            "--portal-oidc-allow-private",
        ),
        (
            [&["--portal-oidc-issuer", "https://10.0.0.1"], id.as_slice(), &listen].concat(),
            "--portal-oidc-allow-private",
        ),
        ([there.as_slice(), &id, &listen, &["--portal-oidc-scope", "a b"]].concat(), "--portal-oidc-scope"),
        ([there.as_slice(), &id, &open].concat(), "--portal-settings"),
    ] {
        let why = LedgerProcess::try_start(dir.path(), &arguments, &[]).await.err();
        let why = why.unwrap_or_else(|| panic!("{arguments:?} is taken"));
        assert!(why.contains(said), "{arguments:?}: {why}");
    }
}

async fn a_day(scripts: &str, algorithm: &str) {
    let Some(clients) = Clients::installed() else { return };
    let (dir, port) = (tempfile::tempdir().expect("a temporary folder"), free_port());
    let base = format!("http://127.0.0.1:{port}");
    let provider = Provider::start(&clients, &format!("{base}/portal"), algorithm).await;
    let ledger = portal(dir.path(), port, &provider.issuer, &[], &[]).await;
    ledger.account("acme", "5").await;
    ledger.run(&["portal", "link-subject", "acme", "linked-lou"]);
    ledger.run(&["portal", "link-subject", "acme", "admin-anna", "--read-only"]);
    let pictures = std::env::var("FAREGATE_KEEP_PICTURES").unwrap_or_default();
    let pictures =
        if pictures.is_empty() { pictures } else { format!("{pictures}/portal-sign-on-{scripts}") };
    let more = [("BASE", base.as_str()), ("SCRIPTS", scripts), ("PICTURES", pictures.as_str())];
    let seen = tokio::task::block_in_place(|| clients.drive("portal_sign_on.mjs", &more));
    assert_eq!(seen["troubles"], json!([]), "{:#}", seen["troubles"]);
    assert_eq!((&seen["whose"], &seen["after_sign_in"]), (&json!("acme"), &json!("/portal/keys")));
    assert_eq!(seen["made"], 1, "a key was made");
    assert_eq!((&seen["reader"], &seen["reader_buttons"]), (&json!("acme only to look"), &json!(0)));
    assert_eq!(seen["stranger"], "No account is linked to you yet");
    assert!(seen["facts"].as_str().is_some_and(|text| text.contains("stranger-sam")), "{}", seen["facts"]);
    assert_eq!(seen["stranger_path"], "/portal/sign-in");
    assert_eq!(seen["after_sign_out"], "/portal/sign-in");
    assert_eq!(seen["asks_again"], 1, "the provider has ended its own session, too");
    eventually("the key is there", SOON, async || {
        ledger.get("/admin/v1/accounts/acme/keys").await["keys"].as_array().map(Vec::len) == Some(2)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_sign_in_at_a_real_provider() {
    a_day("on", "RS256").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_sign_in_without_scripts_and_with_keys_on_curves() {
    a_day("off", "ES256").await;
}
