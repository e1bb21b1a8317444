//! Sessions: how they begin, whose they are, and how they end.

use super::browser::Browser;
use super::{ledger, operator};
use harness::{ADMIN_TOKEN, LedgerProcess};
use reqwest::header::{LOCATION, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::json;

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
