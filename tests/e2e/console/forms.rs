//! Forms: what they do, for whom, once, and from where.

use super::browser::Browser;
use super::{HOSTILE, ledger, operator};
use harness::ADMIN_TOKEN;
use reqwest::header::LOCATION;
use reqwest::{Method, StatusCode};
use serde_json::json;

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
    let trail = ledger.get("/admin/v1/trail?operator=rita").await;
    let said: Vec<_> = trail["entries"].as_array().expect("entries").iter().map(|e| &e["command"]).collect();
    assert_eq!(said, ["sign_in_to_console"], "{trail}");
    assert_eq!(trail["entries"][0]["from"], "127.0.0.1");
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
    // All of it is news about the account, on its page.
    let page = browser.get("/console/accounts/acme").await;
    for kind in ["subscription.started", "subscription.ended", "grant.voided", "key.rotated", "key.revoked"] {
        assert!(page.body.contains(kind), "{kind}: {}", page.body);
    }
    ledger.audit().await;
}
