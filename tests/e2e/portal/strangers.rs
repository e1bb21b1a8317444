//! Other sites, other customers, and names that others have chosen.

use super::{HOSTILE, Portal};
use reqwest::header::SET_COOKIE;
use reqwest::{Method, StatusCode};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_keeps_other_sites_out() {
    let portal = Portal::start(&[]).await;
    portal.ledger.account("acme", "5").await;
    let browser = portal.customer("acme").await;
    for path in [
        "/portal",
        "/portal/sign-in",
        "/portal/enter",
        "/portal/nowhere",
        "/portal/v1/balance",
        "/portal/style.css",
        "/portal/logo",
        "/nowhere",
    ] {
        let page = browser.get(path).await;
        let policy = page.header("content-security-policy");
        for part in ["default-src 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("script"), "{path}: {policy}");
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert!(page.headers.get("access-control-allow-origin").is_none());
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert!(!page.body.contains("style=\"") && !page.body.contains("<script"), "{path}");
    }
    for path in ["/admin/v1/accounts", "/console", "/metrics", "/readyz", "/gateway/v1/exchange"] {
        assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND, "{path} is on other listeners");
    }
    assert_eq!(browser.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_or_session_changes_nothing() {
    let portal = Portal::start(&[]).await;
    let key = portal.ledger.account("acme", "5").await;
    let (browser, other) = (portal.customer("acme").await, portal.customer("acme").await);
    let token = browser.get("/portal").await.field("form_token");
    let foreign = other.get("/portal").await.field("form_token");
    let own = [("origin", browser.base.as_str()), ("sec-fetch-site", "same-origin")];
    for path in ["/portal/keys/new", "/portal/alerts", "/portal/sign-out"] {
        for (form, headers) in [
            (vec![("set", "never")], own.to_vec()),
            (vec![("form_token", ""), ("set", "never")], own.to_vec()),
            (vec![("form_token", foreign.as_str()), ("set", "never")], own.to_vec()),
            (vec![("form_token", token.as_str()), ("set", "never")], vec![]),
            (vec![("form_token", token.as_str()), ("set", "never")], vec![("origin", "http://evil.test")]),
            (vec![("form_token", token.as_str()), ("set", "never")], vec![("origin", "null")]),
            (
                vec![("form_token", token.as_str()), ("set", "never")],
                vec![own[0], ("sec-fetch-site", "cross-site")],
            ),
            (vec![("form_token", token.as_str()), ("set", "never")], vec![("sec-fetch-site", "same-site")]),
        ] {
            let refused = browser.ask(Method::POST, path, &form, &headers).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path} {form:?} {headers:?}");
            assert!(refused.body.contains("Nothing was changed"), "{}", refused.body);
        }
    }
    // Another site's form signs no customer in: neither with a link nor with a key of the other's.
    let link = super::browser::value_of(&portal.link("acme").await);
    let evil = [("origin", "http://evil.test"), ("sec-fetch-site", "cross-site")];
    for (path, form) in
        [("/portal/enter", ("link", link.as_str())), ("/portal/sign-in", ("key", key.as_str()))]
    {
        let refused = portal.browser().ask(Method::POST, path, &[form], &evil).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert!(refused.headers.get(SET_COOKIE).is_none());
    }
    // With the cookie alone the API changes nothing for other sites either.
    let once = ("idempotency-key", "one");
    for headers in [vec![once], vec![once, evil[0], evil[1]], vec![once, ("sec-fetch-site", "same-site")]] {
        let refused = browser.json("/portal/v1/keys", &json!({}), &headers).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{headers:?}: {}", refused.body);
    }
    assert_eq!(
        portal.ledger.get("/admin/v1/accounts/acme/keys").await["keys"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(portal.ledger.get("/admin/v1/accounts/acme/alerts").await["is_default"], true);
    assert!(browser.is_in().await);
    let made = browser.json("/portal/v1/keys", &json!({}), &[once, own[0], own[1]]).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_customer_reaches_another_account() {
    let portal = Portal::start(&[]).await;
    let ledger = &portal.ledger;
    let key = ledger.account("acme", "5").await;
    ledger.account("victim", "77.123456").await;
    ledger.post("/admin/v1/accounts/victim/teams", json!({"id": "secret-team"})).await;
    let victims = ledger.get("/admin/v1/accounts/victim/keys").await["keys"][0]["id"].clone();
    let victims = victims.as_str().expect("an id");
    let grant = ledger.get("/admin/v1/accounts/victim/grants").await["grants"][0]["id"].clone();
    let grant = grant.as_str().expect("an id");
    let browser = portal.customer("acme").await;
    let token = browser.get("/portal").await.field("form_token");
    let own =
        [("origin", browser.base.as_str()), ("sec-fetch-site", "same-origin"), ("idempotency-key", "one")];
    for path in [
        format!("/portal/keys/{victims}/rotate"),
        format!("/portal/keys/{victims}/revoke"),
        format!("/portal/receipts/{grant}"),
        format!("/portal/v1/receipts/{grant}"),
        "/portal/keys/..%2F..%2Fvictim/revoke".to_owned(),
    ] {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}: {}", page.body);
        assert!(!page.body.contains("77.123456"), "{path}");
    }
    // What is another's looks like what isn't there.
    let absent = browser.get("/portal/v1/receipts/grant_0").await.body.replace("grant_0", grant);
    assert_eq!(browser.get(&format!("/portal/v1/receipts/{grant}")).await.body, absent);
    for action in ["rotate", "revoke"] {
        let form = [("form_token", token.as_str()), ("overlap_seconds", "0")];
        let refused = browser.post(&format!("/portal/keys/{victims}/{action}"), &form).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{action}: {}", refused.body);
        let body = if action == "rotate" { json!({"overlap_seconds": 0}) } else { json!({}) };
        let refused = browser.json(&format!("/portal/v1/keys/{victims}/{action}"), &body, &own).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{action}: {}", refused.body);
    }
    for query in ["account=victim", "group=account", "by=day&account=victim"] {
        let refused = browser.get(&format!("/portal/v1/usage?{query}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}: {}", refused.body);
    }
    for (body, field) in [
        (json!({"account": "victim"}), "account"),
        (json!({"subject": "victim@example.com"}), "subject"),
        (json!({"team": "secret-team"}), "team"),
    ] {
        let refused = browser.json("/portal/v1/keys", &body, &own).await;
        assert!(refused.status.is_client_error(), "{field}: {}", refused.body);
    }
    for page in [
        "/portal",
        "/portal/usage",
        "/portal/keys",
        "/portal/receipts",
        "/portal/refusals",
        "/portal/usage?account=victim",
    ] {
        let page = browser.get(page).await;
        // A page's links repeat its own query.
        let shown = page.body.replace("account=victim", "");
        assert!(page.status == StatusCode::OK && !shown.contains("victim"), "{}", page.body);
        assert!(!shown.contains("77.123456") && !shown.contains("secret-team"), "{}", page.body);
    }
    // An idempotency key means something within the account alone: nothing is answered that was an operator's.
    let alerts = "/admin/v1/accounts/victim/alerts";
    ledger.ask(Method::POST, alerts, Some(json!({"balance_below": "9"})), "shared").await.expect("an answer");
    let shared = [own[0], own[1], ("idempotency-key", "shared")];
    let set = browser.json("/portal/v1/alerts", &json!({"balance_below": "9"}), &shared).await;
    assert!(set.status == StatusCode::OK && set.body.contains("\"acme\""), "{}", set.body);
    assert!(set.headers.get("idempotency-replayed").is_none());

    // A key shows its own account, whatever else is said.
    let bearer = format!("Bearer {key}");
    let shown = portal
        .browser()
        .ask(
            Method::GET,
            "/portal/v1/me",
            &[],
            &[("authorization", &bearer), ("x-faregate-account", "victim")],
        )
        .await;
    assert!(shown.body.contains("\"acme\"") && shown.body.contains("\"read\""), "{}", shown.body);
    let writes = portal
        .browser()
        .json("/portal/v1/keys", &json!({}), &[("authorization", &bearer), ("idempotency-key", "k")])
        .await;
    assert_eq!(writes.status, StatusCode::FORBIDDEN, "{}", writes.body);
    for wrong in [harness::ADMIN_TOKEN, harness::GATEWAY_TOKEN, "fg_portal_00", "fg_live_0", ""] {
        let bearer = format!("Bearer {wrong}");
        let refused =
            portal.browser().ask(Method::GET, "/portal/v1/me", &[], &[("authorization", &bearer)]).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let victims = ledger.get("/admin/v1/accounts/victim/keys").await;
    assert_eq!(
        (victims["keys"].as_array().map(Vec::len), &victims["keys"][0]["state"]),
        (Some(1), &json!("active"))
    );
    // What the cookie of the portal opens is the portal.
    let url = format!("http://127.0.0.1:{}/console", ledger.admin_port);
    let console =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let value = browser.cookie.split_once('=').expect("a cookie").1;
    for cookie in [browser.cookie.clone(), format!("faregate_console={value}")] {
        let answer = console.get(&url).header("cookie", cookie).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "the console asks for a sign-in");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_tls_the_cookie_is_bound_to_the_host() {
    let portal = Portal::start(&["--portal-trusted-proxies", "1"]).await;
    let key = portal.ledger.account("acme", "5").await;
    let mut browser = portal.browser();
    let proxy =
        [("sec-fetch-site", "same-origin"), ("x-forwarded-proto", "https"), ("x-forwarded-for", "192.0.2.7")];
    let entered = browser.ask(Method::POST, "/portal/sign-in", &[("key", &key)], &proxy).await;
    let cookie = entered.header(SET_COOKIE.as_str());
    assert!(cookie.starts_with("__Host-faregate_portal="), "{cookie}");
    assert!(cookie.contains("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
    browser.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    assert!(!browser.is_in().await, "in the clear it opens nothing");
    assert_eq!(browser.ask(Method::GET, "/portal", &[], &proxy).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_written_stays_text_on_every_page() {
    let portal = Portal::start(&[]).await;
    let ledger = &portal.ledger;
    ledger.post("/admin/v1/accounts", json!({"id": "hostile", "name": HOSTILE})).await;
    let grant = json!({"amount": "7", "note": HOSTILE, "source": "=1+1"});
    ledger.post("/admin/v1/accounts/hostile/grants", grant).await;
    let grant = json!({"amount": "7", "note": "=HYPERLINK(\"http://evil.test\")"});
    ledger.post("/admin/v1/accounts/hostile/grants", grant).await;
    ledger.post("/admin/v1/accounts/hostile/keys", json!({"note": "ä".repeat(100)})).await;
    ledger.post("/admin/v1/accounts/hostile/keys", json!({"subject": "<script>alert(2)</script>"})).await;
    ledger.post("/admin/v1/accounts/hostile/teams", json!({"id": "t", "name": HOSTILE})).await;
    let prices =
        json!({"prices": {"input": "3", "output": "15"}, "cost": {"input": "2", "output": "14.123"}});
    ledger.done(Method::PUT, "/admin/v1/prices/%3Cscript%3E", Some(prices)).await;
    let link = portal.link("hostile").await;
    let asked = portal.browser().get(&link).await;
    assert!(asked.body.contains("&lt;script&gt;") && !asked.body.contains("<script"), "{}", asked.body);
    let browser = portal.customer("hostile").await;
    let receipt = ledger.get("/admin/v1/accounts/hostile/grants").await["grants"][0]["id"].clone();
    let receipt = format!("/receipts/{}", receipt.as_str().expect("an id"));
    for path in [
        "",
        "?split=%3Cscript%3E",
        "/usage",
        "/usage?since=%22%3E%3Cscript%3E",
        "/usage?by=hour&split=key&since=2026-01-01&until=2026-01-02",
        "/calls",
        "/calls?code=%22%3E%3Cscript%3E&key=%22%3E%3Cscript%3E&request_id=%22%3E%3Cscript%3E",
        "/calls?since=%22%3E%3Cscript%3E",
        "/calls?decision=%22%3E%3Cscript%3E",
        "/calls?after=%22%3E%3Cscript%3E",
        "/keys",
        "/keys/new",
        "/keys/%22%3E%3Cscript%3E/revoke",
        "/plan",
        "/plan?after=%22%3E%3Cscript%3E",
        "/alerts",
        "/receipts",
        &receipt,
        "/refusals",
        "/refusals?span=%3Cscript%3E",
        "/sign-in?next=%22%3E%3Cscript%3E",
        "/enter?link=%22%3E%3Cscript%3E",
        "/%22%3E%3Cscript%3E",
    ] {
        let page = browser.get(&format!("/portal{path}")).await;
        assert!(page.status.as_u16() < 500, "{path}: {}", page.body);
        assert!(!page.body.contains("<script") && !page.body.contains('\u{202e}'), "{path}: {}", page.body);
        assert!(!page.body.contains("14.123"), "{path}: what models cost the seller is not for customers");
    }
    assert!(
        browser.get("/portal/keys").await.body.contains(&"ä".repeat(100)),
        "a long note is there in full"
    );
    let csv = browser.get("/portal/receipts.csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.body.contains("'=HYPERLINK") && csv.body.contains("'=1+1"), "{}", csv.body);
    let prices = browser.get("/portal/v1/prices").await;
    assert!(prices.body.contains("\"15\"") && !prices.body.contains("14.123"), "{}", prices.body);
    let open = browser.get("/portal/zone?zone=Europe/Berlin&back=//evil.test").await;
    assert_eq!(open.header("location"), "/portal");
}
