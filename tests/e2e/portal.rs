//! The portal for customers: a customer's day in a real browser, its API, and what keeps others out.

mod api;
pub mod browser;
mod calls;
mod day;
mod settings;
mod sharing;
mod strangers;

use browser::{Browser, SOON};
use harness::{LedgerProcess, free_port};
use reqwest::StatusCode;
use reqwest::header::{LOCATION, SET_COOKIE};
use serde_json::json;
use std::path::Path;

/// What would run in a page that doesn't escape it, and turn what is around it.
const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{202e}evil\u{202c} \u{1f469}\u{200d}\u{1f680} {{7*7}}";

/// A ledger with a portal, and the portal's port.
struct Portal {
    ledger: LedgerProcess,
    port: u16,
    dir: tempfile::TempDir,
}

impl Portal {
    async fn start(more: &[&str]) -> Self {
        Self::with(more, |_| Vec::new()).await
    }

    /// The same, with settings that are written into its folder.
    async fn with(more: &[&str], write: impl Fn(&Path) -> Vec<String>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let own = write(dir.path());
        let own = own.iter().map(String::as_str);
        let arguments: Vec<&str> =
            ["--portal-listen", listen.as_str()].into_iter().chain(more.iter().copied()).chain(own).collect();
        Self { ledger: LedgerProcess::start(dir.path(), &arguments, &[]).await, port, dir }
    }

    fn browser(&self) -> Browser {
        Browser::at(self.port)
    }

    /// A fresh link of an account, as a path.
    async fn link(&self, account: &str) -> String {
        link(&self.ledger, account).await
    }

    /// A browser of this account's customer.
    async fn customer(&self, account: &str) -> Browser {
        let mut browser = self.browser();
        browser.enter(&self.link(account).await).await;
        browser
    }
}

/// A fresh link of an account, as a path.
async fn link(ledger: &LedgerProcess, account: &str) -> String {
    let made = ledger.post(&format!("/admin/v1/accounts/{account}/portal-links"), json!({})).await;
    let url = made["url"].as_str().expect("an address");
    let path = url.find("/portal/enter").and_then(|at| url.get(at..));
    path.expect("the page on which links are used").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_option_there_is_no_portal_and_no_link_to_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "5").await;
    let path = "/admin/v1/accounts/acme/portal-links";
    let (status, answer) = ledger.call(reqwest::Method::POST, path, Some(json!({}))).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::CONFLICT, Some("portal_off")), "{answer}");
    let (done, said) = ledger.try_run(&["portal", "link", "acme"]);
    assert!(!done && said.contains("--portal-listen"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_a_customer_in_once_and_looking_at_it_uses_nothing_up() {
    let portal = Portal::start(&[]).await;
    portal.ledger.account("acme", "5").await;
    portal.ledger.post("/admin/v1/accounts/acme/rename", json!({"name": "Acme Ltd"})).await;
    let link = portal.link("acme").await;
    // What scans mails looks at links, more than once, and sends no form.
    let mut scanner = portal.browser();
    for _ in 0..3 {
        let page = scanner.get(&link).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert!(page.body.contains("acme") && page.body.contains("Acme Ltd"), "{}", page.body);
        assert!(page.headers.get(SET_COOKIE).is_none());
    }
    let mut browser = portal.browser();
    let away = browser.get("/portal/keys?after=x").await;
    assert_eq!(away.header(LOCATION.as_str()), "/portal/sign-in?next=%2Fportal%2Fkeys%3Fafter%3Dx");
    // A value from elsewhere is never taken over.
    let planted = format!("faregate_portal={}", "ab".repeat(32));
    browser.cookie.clone_from(&planted);
    let entered = browser.enter(&link).await;
    assert_eq!((entered.status, entered.header(LOCATION.as_str())), (StatusCode::SEE_OTHER, "/portal"));
    let flags = entered.header(SET_COOKIE.as_str());
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/portal"] {
        assert!(flags.contains(flag), "{flags}");
    }
    assert!(browser.cookie != planted && browser.is_in().await);
    assert!(!portal.browser().with(&planted).is_in().await);

    // Used once is used up.
    let again = scanner.enter_value(&browser::value_of(&link)).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    assert!(again.body.contains("used before") && !scanner.is_in().await, "{}", again.body);
    assert!(scanner.get(&link).await.body.contains("used before"));

    let before = browser.cookie.clone();
    browser.enter(&portal.link("acme").await).await;
    assert_ne!(browser.cookie, before, "each sign-in has a value of its own");
    assert!(!portal.browser().with(&before).is_in().await, "the one before is over");
    let token = browser.get("/portal").await.field("form_token");
    let left = browser.post("/portal/sign-out", &[("form_token", &token)]).await;
    assert!(left.header(SET_COOKIE.as_str()).contains("Max-Age=0"));
    assert!(!browser.is_in().await, "also for who has kept the cookie");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_too_old_or_was_never_made_opens_nothing() {
    let portal = Portal::start(&[]).await;
    portal.ledger.account("acme", "5").await;
    let path = "/admin/v1/accounts/acme/portal-links";
    for (body, field) in [
        (json!({"lifetime_seconds": 29}), "lifetime_seconds"),
        (json!({"lifetime_seconds": 3601}), "lifetime_seconds"),
        (json!({"return_url": "javascript:alert(1)"}), "return_url"),
        (json!({"return_url": format!("https://example.com/{}", "x".repeat(2_000))}), "return_url"),
        (json!({"next": "/"}), "next"),
    ] {
        let (status, answer) = portal.ledger.call(reqwest::Method::POST, path, Some(body.clone())).await;
        assert_eq!((status.as_u16(), answer["field"].as_str()), (400, Some(field)), "{body}: {answer}");
    }
    let mut browser = portal.browser();
    for value in ["", "fg_link_", &format!("fg_link_{}", "0".repeat(64))] {
        let page = browser.get(&format!("/portal/enter?link={value}")).await;
        assert!(page.status == StatusCode::UNAUTHORIZED && page.body.contains("not valid"), "{}", page.body);
        let entered = browser.enter_value(value).await;
        assert_eq!(entered.status, StatusCode::UNAUTHORIZED, "{value}: {}", entered.body);
        assert!(entered.headers.get(SET_COOKIE).is_none());
    }
    portal.ledger.post("/admin/v1/accounts/acme/close", json!({})).await;
    let (status, answer) = portal.ledger.call(reqwest::Method::POST, path, Some(json!({}))).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::CONFLICT, Some("account_closed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_an_account_ends_its_sessions() {
    let portal = Portal::start(&[]).await;
    portal.ledger.account("acme", "5").await;
    let browser = portal.customer("acme").await;
    portal.ledger.post("/admin/v1/accounts/acme/suspend", json!({})).await;
    let home = browser.get("/portal").await;
    assert!(home.status == StatusCode::OK && home.body.contains("suspended"), "{}", home.body);
    portal.ledger.post("/admin/v1/accounts/acme/close", json!({})).await;
    assert!(!browser.is_in().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_makes_links_that_lead_back() {
    let portal = Portal::start(&[]).await;
    portal.ledger.account("acme", "5").await;
    let said =
        portal.ledger.run(&["portal", "link", "acme", "--return-url", "https://example.com/me", "--json"]);
    let link: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let url = link["url"].as_str().expect("an address");
    let base = format!("http://127.0.0.1:{}", portal.port);
    assert!(url.starts_with(&format!("{base}/portal/enter?link=fg_link_")), "{url}");
    let mut browser = portal.browser();
    browser.enter(url.strip_prefix(&base).expect("a path")).await;
    let home = browser.get("/portal").await;
    assert!(home.body.contains("href=\"https://example.com/me\""), "{}", home.body);
    let trail = portal.ledger.get("/admin/v1/trail?account=acme").await;
    assert_eq!(trail["entries"][0]["command"], "make_portal_link");
    assert!(!trail.to_string().contains("fg_link_"), "no secret enters the trail");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lets_in_to_look_for_as_long_as_it_works() {
    let portal = Portal::start(&[]).await;
    let key = portal.ledger.account("acme", "5").await;
    let mut browser = portal.browser();
    let entered = browser.sign_in(&key).await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.body);
    let keys = browser.get("/portal/keys").await;
    assert!(keys.body.contains("only to look") && !keys.body.contains("/revoke\""), "{}", keys.body);
    let id = portal.ledger.get("/admin/v1/accounts/acme/keys").await["keys"][0]["id"].clone();
    let id = id.as_str().expect("an id");
    let token = keys.field("form_token");
    for path in
        ["/portal/keys/new", &format!("/portal/keys/{id}/rotate"), &format!("/portal/keys/{id}/revoke")]
    {
        assert_eq!(browser.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
        let form = [("form_token", token.as_str()), ("overlap_seconds", "0"), ("note", "mine")];
        assert_eq!(browser.post(path, &form).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let form = [("form_token", token.as_str()), ("set", "own"), ("balance_below", "3")];
    assert_eq!(browser.post("/portal/alerts", &form).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        portal.ledger.get("/admin/v1/accounts/acme/keys").await["keys"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(portal.ledger.get("/admin/v1/accounts/acme/alerts").await["is_default"], true);

    portal.ledger.post(&format!("/admin/v1/keys/{id}/revoke"), json!({})).await;
    assert!(!browser.is_in().await, "the session ends with its key");
    let refused = browser.sign_in(&key).await;
    assert!(refused.status == StatusCode::UNAUTHORIZED && !refused.body.contains(&key), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_care_for_their_keys_and_alerts_and_the_trail_says_who() {
    let portal = Portal::start(&[]).await;
    let ledger = &portal.ledger;
    ledger.account("acme", "5").await;
    let browser = portal.customer("acme").await;
    let asked = browser.get("/portal/keys/new").await;
    let (token, once) = (asked.field("form_token"), asked.field("once"));
    let form = [("form_token", token.as_str()), ("once", &once), ("note", "from the portal")];
    let made = browser.post("/portal/keys/new", &form).await;
    assert!(made.status == StatusCode::OK && made.body.contains("value=\"fg_live_"), "{}", made.body);
    let again = browser.post("/portal/keys/new", &form).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "what is sent twice is done once");
    assert!(!again.body.contains("value=\"fg_live_"), "and shown once");

    let keys =
        async || ledger.get("/admin/v1/accounts/acme/keys").await["keys"].as_array().expect("keys").clone();
    assert_eq!(keys().await.len(), 2);
    let id = keys().await[1]["id"].as_str().expect("an id").to_owned();
    let form = [("form_token", token.as_str()), ("overlap_seconds", "3600")];
    let rotated = browser.post(&format!("/portal/keys/{id}/rotate"), &form).await;
    assert!(
        rotated.body.contains("value=\"fg_live_") && rotated.body.contains("works until"),
        "{}",
        rotated.body
    );
    let wrong = browser.post(&format!("/portal/keys/{id}/rotate"), &form).await;
    assert!(wrong.status == StatusCode::BAD_REQUEST && wrong.body.contains("rotated to"), "{}", wrong.body);
    let revoked = browser.post(&format!("/portal/keys/{id}/revoke"), &form).await;
    assert_eq!(revoked.header(LOCATION.as_str()), "/portal/keys?done=revoke");
    assert!(keys().await.iter().any(|key| key["id"] == *id && key["state"] == "revoked"));

    for (set, below, status) in
        [("own", "many", 400), ("own", "", 400), ("own", "2.5", 303), ("never", "", 303)]
    {
        let form = [("form_token", token.as_str()), ("set", set), ("balance_below", below)];
        let answer = browser.post("/portal/alerts", &form).await;
        assert_eq!(answer.status.as_u16(), status, "{set} {below}: {}", answer.body);
    }
    assert_eq!(ledger.get("/admin/v1/accounts/acme/alerts").await["balance_below"], "0");

    let trail = ledger.get("/admin/v1/trail?operator=customer&account=acme").await;
    let entries = trail["entries"].as_array().expect("entries");
    let said: Vec<_> = entries.iter().map(|entry| entry["command"].as_str().expect("a name")).collect();
    let expected = ["set_own_alerts", "set_own_alerts", "revoke_own_key", "rotate_own_key", "make_own_key"];
    assert_eq!(said, expected, "{trail}");
    assert!(entries.iter().all(|entry| entry["from"] == "127.0.0.1"));
    let session = entries[0]["token"].as_str().expect("a session");
    assert!(session.starts_with("session_") && !browser.cookie.contains(session), "{session}");
    assert!(!trail.to_string().contains("fg_live_00") || !trail.to_string().contains("\"key\":\"fg_live_"));
    let (done, said) = ledger.try_run(&["operator", "create", "customer", "--scope", "read"]);
    assert!(!done && said.contains("choose another name"), "{said}");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_may_do_so_much_and_no_more() {
    let settings = |dir: &Path| {
        std::fs::write(dir.join("portal.yaml"), "keys: {rotate: false, most: 3}\nalerts: false\n")
            .expect("a file");
        vec!["--portal-settings".to_owned(), dir.join("portal.yaml").display().to_string()]
    };
    let portal = Portal::with(&[], settings).await;
    portal.ledger.account("acme", "5").await;
    portal.ledger.account("other", "5").await;
    let browser = portal.customer("acme").await;
    let token = browser.get("/portal").await.field("form_token");
    let form = [("form_token", token.as_str()), ("set", "never"), ("overlap_seconds", "0")];
    assert_eq!(browser.post("/portal/alerts", &form).await.status, StatusCode::FORBIDDEN);
    let id = portal.ledger.get("/admin/v1/accounts/acme/keys").await["keys"][0]["id"].clone();
    let rotate = format!("/portal/keys/{}/rotate", id.as_str().expect("an id"));
    assert_eq!(browser.post(&rotate, &form).await.status, StatusCode::FORBIDDEN);
    assert!(!browser.get("/portal/keys").await.body.contains("/rotate\""));

    let make = async |browser: &Browser, token: &str| {
        browser.post("/portal/keys/new", &[("form_token", token)]).await
    };
    for _ in 0..2 {
        assert_eq!(make(&browser, &token).await.status, StatusCode::OK);
    }
    let full = make(&browser, &token).await;
    assert!(
        full.status == StatusCode::BAD_REQUEST && full.body.contains("3 keys work, and 3 may"),
        "{}",
        full.body
    );
    let mut statuses = std::collections::BTreeMap::new();
    for _ in 0..30 {
        *statuses.entry(make(&browser, &token).await.status.as_u16()).or_insert(0) += 1;
    }
    assert!(statuses.get(&429).is_some_and(|waits| *waits >= 1), "{statuses:?}");
    let other = portal.customer("other").await;
    let token = other.get("/portal").await.field("form_token");
    assert_eq!(make(&other, &token).await.status, StatusCode::OK, "others aren't affected");
    assert_eq!(
        portal.ledger.get("/admin/v1/accounts/acme/keys").await["keys"].as_array().map(Vec::len),
        Some(3)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_fails_to_sign_in_too_often_must_wait() {
    let portal = Portal::start(&[]).await;
    let key = portal.ledger.account("acme", "5").await;
    let mut browser = portal.browser();
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(browser.sign_in("fg_live_wrong").await.status.as_u16());
    }
    assert_eq!(statuses, [[401; 10].as_slice(), &[429; 2]].concat());
    let right = browser.sign_in(&key).await;
    assert_eq!((right.status.as_u16(), right.header("retry-after")), (429, "60"));
    let link = portal.link("acme").await;
    assert_eq!(browser.get(&link).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(portal.ledger.metric("faregate_auth_failures_total").await >= 10.0);
    assert!(
        portal.ledger.get("/admin/v1/accounts").await["accounts"].is_array(),
        "operators aren't affected"
    );
}
