//! The operator's console: an operator's day in a real browser, and what keeps others out.

pub mod browser;

use browser::Browser;
use harness::{ADMIN_TOKEN, Clients, LedgerProcess, Setup, World, eventually, get};
use reqwest::header::{LOCATION, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Far more than the two seconds that it may take.
const SOON: Duration = Duration::from_secs(20);
/// What would run in a page that doesn't escape it, and turn what is around it.
const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{202e}evil\u{202c} \u{1f469}\u{200d}\u{1f680} {{7*7}}";

async fn ledger() -> (LedgerProcess, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    (LedgerProcess::start(dir.path(), &[], &[]).await, dir)
}

async fn operator(ledger: &LedgerProcess, name: &str, scope: &str) -> String {
    let made = ledger.post("/admin/v1/operators", json!({"name": name, "scope": scope})).await;
    made["token"].as_str().expect("a token").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_with_a_token_and_a_new_value_and_ends_by_signing_out() {
    let (ledger, _dir) = ledger().await;
    let mut browser = Browser::new(&ledger);
    let away = browser.get("/console/accounts?name=a").await;
    assert_eq!(away.status, StatusCode::SEE_OTHER);
    assert_eq!(away.header(LOCATION.as_str()), "/console/sign-in?next=%2Fconsole%2Faccounts%3Fname%3Da");
    let wrong = browser.sign_in("no-such-token").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(!wrong.body.contains("no-such-token") && wrong.headers.get(SET_COOKIE).is_none());
    assert_eq!(ledger.metric("faregate_auth_failures_total").await, 1.0);

    // A value from elsewhere is never taken over.
    browser.cookie = format!("faregate_console={}", "ab".repeat(32));
    let planted = browser.cookie.clone();
    let entered = browser.sign_in(ADMIN_TOKEN).await;
    assert_eq!((entered.status, entered.header(LOCATION.as_str())), (StatusCode::SEE_OTHER, "/console"));
    let flags = entered.header(SET_COOKIE.as_str());
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/console"] {
        assert!(flags.contains(flag), "{flags}");
    }
    assert!(!flags.contains("Secure"), "there is no TLS: {flags}");
    assert_ne!(browser.cookie, planted);
    assert!(browser.is_in().await);
    assert!(!Browser { cookie: planted, ..Browser::new(&ledger) }.is_in().await);

    let before = browser.cookie.clone();
    browser.sign_in(ADMIN_TOKEN).await;
    assert_ne!(browser.cookie, before, "each sign-in has a value of its own");
    assert!(!Browser { cookie: before, ..Browser::new(&ledger) }.is_in().await, "the one before is over");

    let token = browser.get("/console").await.field("form_token");
    let left = browser.post("/console/sign-out", &[("form_token", &token)]).await;
    assert!(left.header(SET_COOKIE.as_str()).contains("Max-Age=0"));
    assert!(!browser.is_in().await, "also for who has kept the cookie");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_keeps_other_sites_out() {
    let (ledger, _dir) = ledger().await;
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    for path in
        ["/console", "/console/sign-in", "/console/nowhere", "/console/json/accounts", "/console/console.css"]
    {
        let page = browser.get(path).await;
        let policy = page.header("content-security-policy");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        let kept = page.header("cache-control");
        assert!(kept == "no-store" || path.ends_with(".css"), "{path}: {kept}");
        assert!(!page.body.contains("style=\"") && !page.body.contains("<script"), "{path}");
    }
    let api = browser.get("/admin/v1/accounts").await;
    assert_eq!(api.status, StatusCode::UNAUTHORIZED, "the cookie opens the console alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_or_session_changes_nothing() {
    let (ledger, _dir) = ledger().await;
    ledger.account("acme", "5").await;
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    let other = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    let path = "/console/accounts/acme/suspend";
    let page = browser.get(path).await;
    let (token, once) = (page.field("form_token"), page.field("once"));
    let foreign = other.get(path).await.field("form_token");
    let own = [("origin", browser.base.as_str()), ("sec-fetch-site", "same-origin")];
    let form = |token| vec![("form_token", token), ("once", once.as_str()), ("step", "do")];
    for (form, headers) in [
        (vec![("step", "do")], own.to_vec()),
        (form(""), own.to_vec()),
        (form(&foreign), own.to_vec()),
        (form(&token), vec![]),
        (form(&token), vec![("origin", "http://evil.test")]),
        (form(&token), vec![("origin", "null")]),
        (form(&token), vec![("origin", browser.base.as_str()), ("sec-fetch-site", "cross-site")]),
        (form(&token), vec![("sec-fetch-site", "same-site")]),
    ] {
        let refused = browser.ask(Method::POST, path, &form, &headers).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{form:?} {headers:?}");
        assert!(refused.body.contains("Nothing was changed"), "{}", refused.body);
    }
    let foreign_sign_in = [("origin", "http://evil.test"), ("sec-fetch-site", "cross-site")];
    let refused =
        browser.ask(Method::POST, "/console/sign-in", &[("token", ADMIN_TOKEN)], &foreign_sign_in).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(ledger.get("/admin/v1/accounts/acme").await["state"], "active");
    // A browser that says nothing of sites names the origin.
    let done = browser.ask(Method::POST, path, &form(&token), &own[..1]).await;
    assert_eq!(done.header(LOCATION.as_str()), "/console/accounts/acme?done=suspend");
    assert_eq!(ledger.get("/admin/v1/accounts/acme").await["state"], "suspended");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_does_in_the_console_what_the_scope_allows_and_the_trail_says_who() {
    let (ledger, _dir) = ledger().await;
    ledger.account("acme", "5").await;
    let tokens = [
        ("rita", "read", [false, false]),
        ("sue", "support", [true, false]),
        ("bill", "billing", [true, true]),
    ];
    for (name, scope, [suspends, grants]) in tokens {
        let browser = Browser::signed_in(&ledger, &operator(&ledger, name, scope).await).await;
        let page = browser.get("/console/accounts/acme").await;
        let token = page.field("form_token");
        for (action, may) in [("suspend", suspends), ("grant", grants)] {
            let path = format!("/console/accounts/acme/{action}");
            assert_eq!(page.body.contains(&format!("href=\"{path}\"")), may, "{name}: {action}");
            let form = [("form_token", token.as_str()), ("step", "do"), ("amount", "7"), ("once", "")];
            let answer = browser.post(&path, &form).await;
            let expected = if may { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
            assert_eq!(answer.status, expected, "{name}: {action}: {}", answer.body);
            assert_eq!(browser.get(&path).await.status == StatusCode::FORBIDDEN, !may);
        }
        let operators = browser.get("/console/operators").await;
        assert_eq!(operators.status, StatusCode::FORBIDDEN, "{name}");
        if suspends {
            ledger.post("/admin/v1/accounts/acme/resume", json!({})).await;
        }
    }
    assert_eq!(ledger.balance("acme", "available").await, "12");
    let trail = ledger.get("/admin/v1/trail?operator=bill&account=acme").await;
    let said: Vec<_> = trail["entries"].as_array().expect("entries").iter().map(|e| &e["command"]).collect();
    assert_eq!(said, ["give_grant", "suspend_account"], "{trail}");
    assert_eq!(trail["entries"][0]["from"], "127.0.0.1");
    assert!(trail["entries"][0]["token"].is_string());
    assert_eq!(ledger.get("/admin/v1/trail?operator=rita").await["entries"], json!([]));
    assert!(ledger.metric("faregate_auth_failures_total").await >= 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_twice_is_done_once_and_a_key_is_shown_once() {
    let (ledger, _dir) = ledger().await;
    ledger.account("acme", "5").await;
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    let asked = browser.get("/console/accounts/acme/grant").await;
    let (token, once) = (asked.field("form_token"), asked.field("once"));
    let form = [("form_token", token.as_str()), ("once", &once), ("amount", "7")];
    let review = browser.post("/console/accounts/acme/grant", &form).await;
    assert!(review.status == StatusCode::OK && review.body.contains("Check it once more"), "{}", review.body);
    assert_eq!(review.field("once"), once);
    assert_eq!(ledger.balance("acme", "available").await, "5", "nothing is done yet");
    let form = [form.as_slice(), &[("step", "do")]].concat();
    for _ in 0..2 {
        let done = browser.post("/console/accounts/acme/grant", &form).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    }
    assert_eq!(ledger.balance("acme", "available").await, "12");

    let asked = browser.get("/console/accounts/acme/key").await;
    let once = asked.field("once");
    let form = [("form_token", token.as_str()), ("once", &once), ("note", HOSTILE)];
    let made = browser.post("/console/accounts/acme/key", &form).await;
    assert!(made.body.contains("fg_live_"), "{}", made.body);
    let again = browser.post("/console/accounts/acme/key", &form).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(!again.body.contains("value=\"fg_live_") && again.body.contains("only once"), "{}", again.body);
    assert_eq!(ledger.get("/admin/v1/accounts/acme/keys").await["keys"].as_array().map(Vec::len), Some(2));

    let wrong = [("form_token", token.as_str()), ("amount", "-1"), ("step", "do")];
    let wrong = browser.post("/console/accounts/acme/grant", &wrong).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.body.contains("value=\"-1\"") && wrong.body.contains("aria-invalid"), "{}", wrong.body);
    let large = "x".repeat(20_000);
    let large = browser.post("/console/accounts/acme/grant", &[("amount", large.as_str())]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_does_what_its_button_says() {
    let (ledger, _dir) = ledger().await;
    ledger.account("acme", "5").await;
    ledger.post("/admin/v1/plans", json!({"name": "pro", "quota": "100", "period": "month"})).await;
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    let sends = async |path: &str, form: &[(&str, &str)]| {
        let asked = browser.get(path).await;
        let hidden = [("form_token", asked.field("form_token")), ("once", asked.field("once"))];
        let hidden = hidden.iter().map(|(name, value)| (*name, value.as_str()));
        let form: Vec<_> = hidden.chain(form.iter().copied()).chain([("step", "do")]).collect();
        let answer = browser.post(path, &form).await;
        assert!(answer.status.as_u16() < 400, "{path}: {}", answer.body);
        answer
    };
    sends("/console/accounts/acme/subscribe", &[("plan", "pro")]).await;
    assert_eq!(ledger.balance("acme", "available").await, "105");
    sends("/console/accounts/acme/cancel", &[("at_once", "true")]).await;
    assert_eq!(ledger.get("/admin/v1/accounts/acme/subscription").await["state"], "cancelled");
    assert_eq!(ledger.balance("acme", "available").await, "5", "the rest of the quota is lost");

    let grants = ledger.get("/admin/v1/accounts/acme/grants").await;
    let bought =
        grants["grants"].as_array().and_then(|all| all.iter().find(|grant| grant["kind"] == "bought"));
    let grant = bought.and_then(|grant| grant["id"].as_str()).expect("a grant").to_owned();
    sends(&format!("/console/grants/{grant}/void"), &[("amount", "2")]).await;
    assert_eq!(ledger.balance("acme", "available").await, "3");

    let keys =
        async || ledger.get("/admin/v1/accounts/acme/keys").await["keys"].as_array().expect("keys").clone();
    let old = keys().await[0]["id"].as_str().expect("an id").to_owned();
    let shown = sends(&format!("/console/keys/{old}/rotate"), &[("overlap_seconds", "3600")]).await;
    assert!(shown.body.contains("fg_live_"), "{}", shown.body);
    assert!(keys().await.iter().any(|key| key["id"] == *old && key["replaced_by"].is_string()));
    sends(&format!("/console/keys/{old}/revoke"), &[]).await;
    assert!(keys().await.iter().any(|key| key["id"] == *old && key["state"] == "revoked"));
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhooks_page_shows_what_waits_and_why() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &["--webhook-allow-private"], &[]).await;
    let away = format!("http://127.0.0.1:{}/", harness::free_port());
    let made = ledger.post("/admin/v1/webhooks", json!({"url": away, "events": ["grant.given"]})).await;
    let id = made["id"].as_str().expect("an id");
    ledger.account("acme", "5").await;
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    let all = browser.get("/console/webhooks").await;
    assert!(
        all.body.contains(id) && all.body.contains(&away) && all.body.contains("grant.given"),
        "{}",
        all.body
    );
    eventually("a delivery fails", SOON, async || {
        let page = browser.get(&format!("/console/webhooks?webhook={id}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let row = page.body.split_once("id=\"deliveries\"").map_or("", |(_, rest)| rest);
        row.contains("waiting") && row.contains("acme") && row.contains("refused")
    })
    .await;
    let reader = Browser::signed_in(&ledger, &operator(&ledger, "rita", "read").await).await;
    assert_eq!(reader.get("/console/webhooks").await.status, StatusCode::FORBIDDEN);
    assert!(!reader.get("/console").await.body.contains("/console/webhooks"), "no link leads there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_its_sessions_and_so_does_a_changed_root_token() {
    let (mut ledger, _dir) = ledger().await;
    let browser = Browser::signed_in(&ledger, &operator(&ledger, "alice", "admin").await).await;
    let root = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    assert!(browser.is_in().await && root.is_in().await);
    ledger.restart().await;
    assert!(browser.is_in().await && root.is_in().await, "sessions outlive a restart");
    ledger.post("/admin/v1/operators/alice/revoke", json!({})).await;
    assert!(!browser.is_in().await, "at once");
    assert!(root.is_in().await);
    let twelve: Vec<_> =
        futures_util::future::join_all((0..12).map(|_| Browser::signed_in(&ledger, ADMIN_TOKEN))).await;
    let mut left = 0;
    for browser in &twelve {
        left += usize::from(browser.is_in().await);
    }
    assert!(left <= 10, "{left} sessions of one operator");
    assert!(!root.is_in().await, "the oldest went first");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_tls_the_cookie_is_bound_to_the_host() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &["--admin-trusted-proxies", "1"], &[]).await;
    let mut browser = Browser::new(&ledger);
    let proxy =
        [("sec-fetch-site", "same-origin"), ("x-forwarded-proto", "https"), ("x-forwarded-for", "192.0.2.7")];
    let form = [("token", ADMIN_TOKEN)];
    let entered = browser.ask(Method::POST, "/console/sign-in", &form, &proxy).await;
    let cookie = entered.header(SET_COOKIE.as_str());
    assert!(cookie.starts_with("__Host-faregate_console="), "{cookie}");
    assert!(cookie.contains("; Path=/; Secure; HttpOnly; SameSite=Strict"), "{cookie}");
    browser.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    assert!(!browser.is_in().await, "in the clear it opens nothing");
    let page = browser.ask(Method::GET, "/console/accounts", &[], &proxy).await;
    assert_eq!(page.status, StatusCode::OK);
    // Each address behind the proxy has its own attempts.
    for _ in 0..10 {
        browser.ask(Method::POST, "/console/sign-in", &[("token", "wrong")], &proxy).await;
    }
    let waits = browser.ask(Method::POST, "/console/sign-in", &form, &proxy).await;
    assert_eq!(waits.status, StatusCode::TOO_MANY_REQUESTS);
    let elsewhere = [proxy[0], proxy[1], ("x-forwarded-for", "192.0.2.8")];
    let enters = browser.ask(Method::POST, "/console/sign-in", &form, &elsewhere).await;
    assert_eq!(enters.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_fails_to_sign_in_too_often_must_wait() {
    let (ledger, _dir) = ledger().await;
    let mut browser = Browser::new(&ledger);
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(browser.sign_in("fg_operator_wrong").await.status.as_u16());
    }
    assert_eq!(statuses, [[401; 10].as_slice(), &[429; 2]].concat());
    let right = browser.sign_in(ADMIN_TOKEN).await;
    assert_eq!((right.status, right.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "60"));
    assert!(ledger.get("/admin/v1/accounts").await["accounts"].is_array(), "the API isn't affected");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_written_stays_text_on_every_page() {
    let (ledger, _dir) = ledger().await;
    hostile(&ledger).await;
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    for path in [
        "",
        "/accounts",
        "/accounts?name=%3Cscript%3E%22%27",
        "/accounts/hostile",
        "/accounts/hostile/grant",
        "/accounts/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/trail",
        "/trail?account=%22%3E%3Cscript%3E",
        "/gateways?gateway=%3Cscript%3E",
        "/prices",
        "/shadow",
        "/plans/%22%3E%3Cscript%3E",
        "/sign-in?next=%22%3E%3Cscript%3E",
        "/json/%22%3E%3Cscript%3E",
    ] {
        let page = browser.get(&format!("/console{path}")).await;
        assert!(page.status.as_u16() < 500, "{path}: {}", page.body);
        assert!(!page.body.contains("<script") || path.starts_with("/json"), "{path}: {}", page.body);
        assert!(!page.body.contains('\u{202e}'), "{path}");
    }
    let page = browser.get("/console/accounts/hostile").await.body;
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\\u{202e}evil"), "{page}");
    assert!(page.contains(&"ä".repeat(100)), "a long name is there in full");
    let csv = browser.get("/console/csv/accounts/formula/keys").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.body.contains("'=HYPERLINK"), "{}", csv.body);
    let json: Value = serde_json::from_str(&browser.get("/console/json/accounts").await.body).expect("JSON");
    assert_eq!(json, ledger.get("/admin/v1/accounts").await, "what the API answers");
    let open = browser.get("/console/zone?zone=Europe/Berlin&back=//evil.test").await;
    assert_eq!(open.header(LOCATION.as_str()), "/console");
    assert!(open.header(SET_COOKIE.as_str()).starts_with("faregate_zone=Europe/Berlin"));
}

async fn hostile(ledger: &LedgerProcess) {
    ledger.post("/admin/v1/accounts", json!({"id": "hostile", "name": HOSTILE})).await;
    ledger.post("/admin/v1/accounts", json!({"id": "long", "name": "ä".repeat(100)})).await;
    ledger.post("/admin/v1/accounts/hostile/grants", json!({"amount": "0.000001", "note": HOSTILE})).await;
    ledger.post("/admin/v1/accounts/hostile/keys", json!({"note": "ä".repeat(100)})).await;
    ledger.post("/admin/v1/accounts/hostile/keys", json!({"subject": "<script>alert(2)</script>"})).await;
    ledger.post("/admin/v1/accounts/hostile/teams", json!({"id": "t", "name": HOSTILE})).await;
    ledger.post("/admin/v1/accounts", json!({"id": "formula"})).await;
    ledger.post("/admin/v1/accounts/formula/keys", json!({"note": "=HYPERLINK(\"http://evil.test\")"})).await;
    let prices = json!({"prices": {"input": "3", "output": "15"}, "cost": {"input": "2", "output": "16"}});
    ledger.done(Method::PUT, "/admin/v1/prices/%3Cscript%3E", Some(prices)).await;
}

/// Accounts, plans, prices, traffic that is paid and refused: something for every page.
async fn furnished() -> (World, String) {
    let rules = json!([
        {"name": "search", "match": {"path": {"prefix": "/search"}}, "price": "2.5"},
        {"name": "beta", "match": {"path": {"prefix": "/beta"}}, "price": "1000000", "shadow": true}
    ]);
    let world = World::start(Setup { config: json!({"rules": rules}), ..Setup::default() }).await;
    let ledger = &world.ledger;
    let plan = json!({"name": "pro", "quota": "1000", "period": "month", "overage": "overdraft", "overdraft": "200",
        "rate_per_second": "500", "products": [{"name": "chat", "times": "0.5"}, {"name": "images", "price": "4"}]});
    ledger.post("/admin/v1/plans", plan).await;
    let key = ledger.account("acme", "400").await;
    ledger.post("/admin/v1/accounts/acme/rename", json!({"name": "Acme Ltd"})).await;
    ledger.post("/admin/v1/accounts/acme/subscription", json!({"plan": "pro"})).await;
    ledger.post("/admin/v1/accounts/acme/teams", json!({"id": "research", "name": "Research"})).await;
    let budget = |scope: &str, target: Option<&str>, credits: &str| json!({"scope": scope, "target": target, "credits": credits, "period": "month"});
    for budget in [budget("account", None, "5000"), budget("team", Some("research"), "300")] {
        ledger.post("/admin/v1/accounts/acme/budgets", budget).await;
    }
    let poor = ledger.account("nearly-empty", "12").await;
    ledger.post("/admin/v1/accounts/nearly-empty/rename", json!({"name": "Nearly Empty Inc."})).await;
    ledger.post("/admin/v1/accounts", json!({"id": "fresh"})).await;
    hostile(ledger).await;
    for number in 0..8 {
        ledger.account(&format!("customer-{number}"), "50").await;
    }
    ledger.post("/admin/v1/gateway-tokens", json!({"name": "eu-west"})).await;
    // Of a kind that doesn't happen here: nothing is sent anywhere.
    let endpoint = json!({"url": "https://example.com/faregate", "events": ["subscription.unpaid"]});
    ledger.post("/admin/v1/webhooks", endpoint).await;
    for path in ["/search", "/", "/beta/x"] {
        for _ in 0..15 {
            assert_eq!(get(world.gate(), path, &[("x-api-key", &key)]).await.status, 200);
        }
    }
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(get(world.gate(), "/search", &[("x-api-key", &poor)]).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 402, 402]);
    eventually("the usage and the refusals are reported", SOON, async || {
        let usage = ledger.get("/admin/v1/usage/sums").await;
        let why = ledger.get("/admin/v1/accounts/nearly-empty/why").await;
        let shadow = ledger.get("/admin/v1/shadow").await;
        usage["total"]["requests"].as_u64() >= Some(34)
            && why["refusals"] != json!([])
            && shadow["lines"] != json!([])
    })
    .await;
    (world, key)
}

/// Drives the browser through a day, and checks what it saw.
async fn a_day(scripts: &str) {
    let Some(clients) = Clients::installed() else { return };
    let (world, _) = furnished().await;
    let ledger = &world.ledger;
    let (token, reader) = (operator(ledger, "alice", "admin").await, operator(ledger, "rita", "read").await);
    let base = format!("http://127.0.0.1:{}", ledger.admin_port);
    let pictures = std::env::var("FAREGATE_KEEP_PICTURES").unwrap_or_default();
    let pictures = if pictures.is_empty() { pictures } else { format!("{pictures}/{scripts}") };
    let more = [
        ("BASE", base.as_str()),
        ("TOKEN", &token),
        ("READ_TOKEN", &reader),
        ("SCRIPTS", scripts),
        ("PICTURES", &pictures),
    ];
    let seen = tokio::task::block_in_place(|| clients.drive("console.mjs", &more));
    assert_eq!(seen["troubles"], json!([]), "{:#}", seen["troubles"]);
    assert_eq!(seen["after_sign_in"], "/console/accounts", "back to where one wanted to go");
    assert_eq!(seen["found"], 1);
    let amount = |name: &str| -> f64 {
        let text = seen[name].as_str().expect("an amount").replace(',', "");
        text.parse().unwrap_or_else(|why| panic!("{name}: {text}: {why}"))
    };
    assert!((amount("after") - amount("before") - 2_500.0).abs() < 200.0, "leases come and go: {seen:#}");
    assert!(seen["wrong"].as_str().is_some_and(|text| text.starts_with("Credits: ")), "{}", seen["wrong"]);
    let review = seen["review"].as_str().expect("a text");
    assert!(review.contains("2,500") && review.contains("invoice 7"), "{review}");
    assert_eq!(seen["done"], "The credits were given.");
    assert_eq!((&seen["keys"], &seen["key_is_gone"]), (&json!(2), &json!(true)));
    assert_eq!((&seen["suspended"], &seen["resumed"]), (&json!("suspended"), &json!("active")));
    assert_eq!(seen["first_stop"], "Skip to the content");
    assert_eq!(seen["reader_buttons"], 0);
    assert_eq!(seen["after_sign_out"], "/console/sign-in");

    let key = seen["key"].as_str().expect("a key");
    eventually("the key from the console opens the gate", SOON, async || {
        get(world.gate(), "/search", &[("x-api-key", key)]).await.status == 200
    })
    .await;
    let trail = ledger.get("/admin/v1/trail?operator=alice").await;
    let said: Vec<_> = trail["entries"].as_array().expect("entries").iter().map(|e| &e["command"]).collect();
    assert_eq!(said, ["resume_account", "suspend_account", "make_key", "give_grant"], "{trail}");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_works_a_day_in_the_console() {
    a_day("on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_is_whole_without_scripts() {
    a_day("off").await;
}

#[test]
fn every_command_that_a_page_names_is_one() {
    let folder = harness::project().join("src/ledger/http/console/templates");
    let mut named = 0;
    for file in std::fs::read_dir(folder).expect("templates").map(|file| file.expect("a file").path()) {
        let text = std::fs::read_to_string(&file).expect("a text");
        for command in commands(&text) {
            assert_is_command(&command, &file);
            named += 1;
        }
    }
    assert!(named > 15, "{named}");
}

/// The commands in a template's code.
fn commands(template: &str) -> Vec<String> {
    let code = template.split("<code>").skip(1).filter_map(|rest| rest.split("</code>").next());
    let lines =
        code.flat_map(str::lines).map(|line| line.replace("{{ id }}", "acme").replace("{{ name }}", "pro"));
    lines.filter(|line| line.starts_with("faregate ")).collect()
}

/// The command line reads it; what it would do, it doesn't.
fn assert_is_command(command: &str, file: &Path) {
    let words = command.split_whitespace().skip(1).map(|word| word.trim_matches('"')).collect::<Vec<_>>();
    let words = words.join(" ").replace("Acme Ltd", "Acme");
    let mut run = std::process::Command::new(harness::binary());
    run.args(words.split(' '))
        .env_clear()
        .env("FAREGATE_ADMIN_URL", "http://127.0.0.1:1")
        .env("FAREGATE_ADMIN_TOKEN", "x");
    if words.starts_with("up") || words.starts_with("serve") {
        run.arg("--help");
    }
    let (_, said) = harness::out_of(&mut run);
    for wrong in ["unexpected argument", "unrecognized subcommand", "required arguments", "invalid value"] {
        assert!(!said.contains(wrong), "{}: {command}: {said}", file.display());
    }
}
