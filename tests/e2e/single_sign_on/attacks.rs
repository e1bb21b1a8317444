//! What must not let anybody in: answers that are forged, replayed, mixed up, late, or made for others; and what a provider that is
//! down, slow or hostile does to the ledger.

use super::*;
use std::time::Instant;

/// Tokens that let none in: what the odd provider does, and what the page says of it.
pub fn forged() -> Vec<(Value, &'static str)> {
    vec![
        (json!({"alg": "none"}), "RS256 and ES256"),
        (json!({"alg": "None"}), "RS256 and ES256"),
        (json!({"alg": "HS256"}), "RS256 and ES256"),
        (json!({"alg": "RS384"}), "RS256 and ES256"),
        (json!({"alg": "ES256"}), "key that the provider doesn't publish"),
        (json!({"key": "secret"}), "wrong signature"),
        (json!({"key": "secret", "kid": "stranger"}), "key that the provider doesn't publish"),
        (json!({"key": "secret", "kid": null}), "wrong signature"),
        (json!({"broken": true}), "wrong signature"),
        (json!({"crit": ["exp"]}), "extension"),
        (json!({"claims": {"iss": "https://other.test"}}), "another issuer"),
        (json!({"claims": {"aud": "other"}}), "another client"),
        (json!({"claims": {"aud": [CLIENT, "other"]}}), "several clients"),
        (json!({"claims": {"azp": "other"}}), "another client"),
        (json!({"shifted": {"exp": -61, "iat": -400}}), "expired"),
        (json!({"shifted": {"iat": 120}}), "future"),
        (json!({"claims": {"nonce": "another"}}), "nonce"),
        (json!({"claims": {"nonce": ""}}), "nonce"),
        (json!({"claims": {"sub": ""}}), "subject"),
        (json!({"claims": {"sub": "odd-1\u{202e}"}}), "subject"),
        (json!({"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}), "access token"),
    ]
}

/// A ledger that lets everybody in whom the odd provider names, if only the token is right.
async fn open_house(clients: &Clients) -> (Odd, Console) {
    let odd = Odd::start(clients).await;
    let console = Console::start(&odd.issuer, &[]).await;
    let operator = json!({"name": "odd", "scope": "admin", "oidc_subject": ODD_SUBJECT});
    console.ledger.post("/admin/v1/operators", operator).await;
    (odd, console)
}

/// No session began, and the page says what to do.
fn is_refused(page: &Page, status: u16, words: &str, what: &str) {
    assert_eq!(page.status.as_u16(), status, "{what}: {}", page.body);
    assert!(said(page).contains(words), "{what}: {}", said(page));
    let begins = |cookie: &[u8]| cookie.starts_with(b"faregate_console=");
    assert!(!page.headers.get_all(SET_COOKIE).iter().any(|value| begins(value.as_bytes())), "{what}");
    assert!(
        page.body.contains("/console/sign-in/oidc") && page.body.contains("name=\"token\""),
        "{what}: a way on"
    );
}

/// Attempts that fail are limited; each of these comes from an address of its own, as a proxy says.
async fn brings_from(begun: &Begun, address: usize, answer: &[(&str, &str)]) -> Page {
    let query = reqwest::Url::parse_with_params("http://x/", answer).expect("a query");
    let path = format!("/console/oidc?{}", query.query().unwrap_or_default());
    let from = format!("192.0.2.{address}");
    begun.browser.ask(reqwest::Method::GET, &path, &[], &[("x-forwarded-for", &from)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_only_in_the_browser_that_asked_and_once() {
    let Some(clients) = Clients::installed() else { return };
    let (odd, Console { ledger, _dir, .. }) = open_house(&clients).await;
    let (mine, other) = (Begun::at(&ledger).await, Begun::at(&ledger).await);
    odd.plan_for(mine.asked("nonce"), json!({})).await;
    let begin_again = "Begin again";
    for (what, answer) in [
        ("no state", vec![("code", "c")]),
        ("an empty state", vec![("code", "c"), ("state", "")]),
        ("another browser's state", vec![("code", "c"), ("state", other.asked("state"))]),
        (
            "a state twice",
            vec![("code", "c"), ("state", mine.asked("state")), ("state", mine.asked("state"))],
        ),
    ] {
        is_refused(&mine.brings(&answer).await, 400, begin_again, what);
    }
    let stolen = Begun { browser: Browser::new(&ledger), asked: mine.asked.clone() };
    is_refused(&stolen.returns().await, 400, begin_again, "a browser that didn't begin");
    assert!(odd.calls().await["token"].is_null(), "no code was shown to the provider");
    let forged = Begun {
        browser: Browser { cookie: "faregate_oidc=x.y".into(), ..Browser::new(&ledger) },
        asked: mine.asked.clone(),
    };
    is_refused(&forged.returns().await, 400, begin_again, "a cookie of no form");

    let entered = mine.returns().await;
    assert_eq!(entered.status, StatusCode::OK, "{}", entered.body);
    let cookies: Vec<_> =
        entered.headers.get_all(SET_COOKIE).iter().filter_map(|v| v.to_str().ok()).collect();
    assert!(
        cookies.iter().any(|c| c.starts_with("faregate_oidc=;") && c.contains("Max-Age=0")),
        "{cookies:?}"
    );
    assert!(cookies.iter().any(|c| c.starts_with("faregate_console=") && c.contains("SameSite=Strict")));
    assert!(mine.session(&ledger, &entered).is_in().await);
    // Who has kept the cookie and the code: the provider doesn't take a code twice, and the nonce is of the first sign-in.
    odd.plan(&json!({"token": {"status": 400, "body": {"error": "invalid_grant"}}})).await;
    is_refused(&mine.returns().await, 401, "finished already", "a code that was used");
    odd.plan_for(mine.asked("nonce"), json!({})).await;
    is_refused(&other.returns().await, 401, "nonce", "another sign-in's token");
    assert!(ledger.metric("faregate_auth_failures_total").await >= 7.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_forged_expired_or_made_for_others_lets_nobody_in() {
    let Some(clients) = Clients::installed() else { return };
    let odd = Odd::start(&clients).await;
    let console = Console::start(&odd.issuer, &["--admin-trusted-proxies", "1"]).await;
    let ledger = &console.ledger;
    let operator = json!({"name": "odd", "scope": "admin", "oidc_subject": ODD_SUBJECT});
    ledger.post("/admin/v1/operators", operator).await;
    for (number, (plan, words)) in forged().into_iter().enumerate() {
        let begun = Begun::at(ledger).await;
        odd.plan_for(begun.asked("nonce"), plan.clone()).await;
        let page = brings_from(&begun, number, &[("state", begun.asked("state")), ("code", "c")]).await;
        is_refused(&page, 401, words, &plan.to_string());
    }
    // Within the skew it may be late.
    let begun = Begun::at(ledger).await;
    odd.plan_for(begun.asked("nonce"), json!({"shifted": {"exp": -30, "iat": 30}})).await;
    assert_eq!(begun.returns().await.status, StatusCode::OK);

    // Answers of another provider, of none, and without a code.
    let begun = Begun::at(ledger).await;
    odd.plan_for(begun.asked("nonce"), json!({})).await;
    let calls = odd.calls().await["token"]["count"].clone();
    let state = begun.asked("state");
    let mixed =
        brings_from(&begun, 201, &[("state", state), ("code", "c"), ("iss", "https://other.test")]).await;
    is_refused(&mixed, 401, "another identity provider", "mixed up");
    let denied = [("state", state), ("error", "access_denied"), ("error_description", "<b>not \u{202e}you")];
    let denied = brings_from(&begun, 202, &denied).await;
    is_refused(&denied, 401, "access_denied", "refused");
    assert!(!denied.body.contains("<b>not") && !denied.body.contains('\u{202e}'), "{}", denied.body);
    is_refused(&brings_from(&begun, 203, &[("state", state)]).await, 401, "without a code", "no code");
    let long = "c".repeat(5_000);
    is_refused(
        &brings_from(&begun, 204, &[("state", state), ("code", &long)]).await,
        401,
        "without a code",
        "a long code",
    );
    assert_eq!(odd.calls().await["token"]["count"], calls, "none of these was shown to the provider");
    let named = brings_from(&begun, 205, &[("state", state), ("code", "c"), ("iss", &odd.issuer)]).await;
    assert_eq!(named.status, StatusCode::OK, "{}", named.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_of_the_provider_is_taken_up_and_an_old_one_forgotten() {
    let Some(clients) = Clients::installed() else { return };
    let (odd, Console { ledger, _dir, .. }) = open_house(&clients).await;
    for round in 0..3 {
        let begun = Begun::at(&ledger).await;
        odd.plan_for(begun.asked("nonce"), json!({})).await;
        assert_eq!(begun.returns().await.status, StatusCode::OK, "round {round}");
        odd.rotate().await;
    }
    let calls = odd.calls().await;
    assert_eq!((&calls["keys"]["count"], &calls["discovery"]["count"]), (&json!(3), &json!(2)), "{calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_slow_large_or_elsewhere_takes_little_of_the_ledger() {
    let Some(clients) = Clients::installed() else { return };
    let (odd, Console { ledger, _dir, .. }) = open_house(&clients).await;
    let inside = format!("http://127.0.0.1:{}/admin/v1/openapi.json", ledger.admin_port);
    let again = "Try again in a moment";
    for plan in [
        json!({"token": {"hang": true}}),
        json!({"token": {"large": 1_000_000}}),
        json!({"token": {"to": inside}}),
        json!({"token": {"text": "no JSON"}}),
        json!({"token": {"status": 500, "text": "<h1>oops"}}),
        json!({"token": {"body": {"access_token": "a"}}}),
        json!({"keys": {"large": 1_000_000}}),
        json!({"keys": {"to": inside}}),
        json!({"keys": {"text": "[]"}}),
    ] {
        let begun = Begun::at(&ledger).await;
        odd.plan_for(begun.asked("nonce"), plan.clone()).await;
        let start = Instant::now();
        is_refused(&begun.returns().await, 502, again, &plan.to_string());
        // It gives up after 5 seconds; without that it would wait for ever.
        assert!(start.elapsed() < Duration::from_secs(20), "{plan}: {:?}", start.elapsed());
    }
    let begun = Begun::at(&ledger).await;
    odd.plan(&json!({"token": {"status": 401, "body": {"error": "invalid_client"}}})).await;
    is_refused(&begun.returns().await, 502, "--oidc-client-id", "a client that the provider doesn't know");
    // All the while tokens go on working.
    assert!(Browser::signed_in(&ledger, harness::ADMIN_TOKEN).await.is_in().await);
    let begun = Begun::at(&ledger).await;
    odd.plan_for(begun.asked("nonce"), json!({})).await;
    assert_eq!(begun.returns().await.status, StatusCode::OK, "and then the provider works again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_or_calls_itself_something_else_is_asked_again_later() {
    let Some(clients) = Clients::installed() else { return };
    let odd = Odd::start(&clients).await;
    let again = "Try again in a moment";
    for metadata in [
        json!({"issuer": "https://other.test"}),
        json!({"issuer": format!("{}/", odd.issuer)}),
        json!({"id_token_signing_alg_values_supported": ["HS256", "none"]}),
        json!({"token_endpoint": "file:///etc/passwd"}),
        json!({"jwks_uri": "x"}),
    ] {
        let console = Console::start(&odd.issuer, &[]).await;
        odd.plan(&json!({"metadata": metadata})).await;
        let page = Browser::new(&console.ledger).get("/console/sign-in/oidc").await;
        is_refused(&page, 502, again, &metadata.to_string());
        odd.plan(&json!({})).await;
        // What failed is kept for a second.
        harness::eventually("the provider is asked again", SOON, async || {
            Browser::new(&console.ledger).get("/console/sign-in/oidc").await.status == StatusCode::SEE_OTHER
        })
        .await;
    }
    let Odd { issuer, process, .. } = odd;
    let console = Console::start(&issuer, &[]).await;
    drop(process);
    let page = Browser::new(&console.ledger).get("/console/sign-in/oidc").await;
    is_refused(&page, 502, again, "down");
    let log = console.ledger.process.output();
    assert!(log.contains("the provider can't be used"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_a_provider_in_a_private_network_is_not_called() {
    let Some(clients) = Clients::installed() else { return };
    let odd = Odd::start(&clients).await;
    let dir = tempfile::tempdir().expect("a temporary folder");
    let arguments = arguments(&odd.issuer, "https://ledger.test/console");
    let strict: Vec<_> =
        arguments.into_iter().filter(|argument| *argument != "--oidc-allow-private").collect();
    let why = LedgerProcess::try_start(dir.path(), &strict, &[]).await.err().expect("it is refused");
    assert!(why.contains("--oidc-allow-private"), "{why}");
    // A name that leads inside.
    let port = odd.issuer.rsplit(':').next().expect("a port");
    let named = format!("https://localhost:{port}");
    let strict: Vec<_> = strict
        .iter()
        .map(|argument| if *argument == odd.issuer { named.as_str() } else { argument })
        .collect();
    let ledger = LedgerProcess::start(dir.path(), &strict, &[]).await;
    let before = odd.calls().await;
    let page = Browser::new(&ledger).get("/console/sign-in/oidc").await;
    is_refused(&page, 502, "Try again in a moment", "a name that leads inside");
    assert_eq!(odd.calls().await, before);
    assert!(ledger.process.output().contains("--oidc-allow-private"), "{}", ledger.process.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_brings_back_too_many_wrong_answers_must_wait() {
    let Some(clients) = Clients::installed() else { return };
    let (_odd, Console { ledger, _dir, .. }) = open_house(&clients).await;
    let browser = Browser::new(&ledger);
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(browser.get("/console/oidc?code=a&state=b").await.status.as_u16());
    }
    assert_eq!(statuses, [[400; 10].as_slice(), &[429; 2]].concat());
}
