//! The portal as JSON.

use super::{Portal, SOON};
use harness::{Setup, World, eventually, free_port, get};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

/// Asks the API with a bearer.
async fn ask(
    port: u16,
    method: Method,
    path: &str,
    bearer: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut request = Client::new()
        .request(method, format!("http://127.0.0.1:{port}{path}"))
        .header("idempotency-key", format!("own-{number}"));
    if !bearer.is_empty() {
        request = request.bearer_auth(bearer);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a text");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seller_builds_pages_on_the_api() {
    let portal = Portal::start(&[]).await;
    let ledger = &portal.ledger;
    let plan = json!({"name": "pro", "quota": "1000", "period": "month", "products": [{"name": "chat", "times": "0.5"}]});
    ledger.post("/admin/v1/plans", plan).await;
    let key = ledger.account("acme", "5").await;
    ledger.post("/admin/v1/accounts/acme/subscription", json!({"plan": "pro"})).await;
    let link = super::browser::value_of(&portal.link("acme").await);
    let begin = async |link: &str| {
        ask(portal.port, Method::POST, "/portal/v1/sessions", "", Some(json!({"link": link}))).await
    };
    let (status, session) = begin(&link).await;
    assert_eq!((status, session["account"].as_str()), (StatusCode::CREATED, Some("acme")), "{session}");
    assert_eq!(begin(&link).await.0, StatusCode::UNAUTHORIZED, "once");
    let bearer = session["session"].as_str().expect("a session");
    let reads = async |path: &str| {
        let (status, answer) = ask(portal.port, Method::GET, path, bearer, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    };
    let me = reads("/portal/v1/me").await;
    let may = json!(["make_keys", "rotate_keys", "revoke_keys", "set_alerts"]);
    assert_eq!((&me["access"], &me["may"]), (&json!("full"), &may), "{me}");
    assert_eq!(reads("/portal/v1/balance").await["available"], "1005");
    let plan = reads("/portal/v1/plan").await;
    assert_eq!((&plan["quota"], &plan["products"][0]["times"]), (&json!("1000"), &json!("0.5")), "{plan}");
    let writes =
        async |path: &str, body: Value| ask(portal.port, Method::POST, path, bearer, Some(body)).await;
    let (status, made) = writes("/portal/v1/keys", json!({"note": "theirs"})).await;
    assert!(
        status == StatusCode::CREATED && made["key"].as_str().is_some_and(|key| key.starts_with("fg_live_")),
        "{made}"
    );
    let id = made["id"].as_str().expect("an id");
    let (status, rotated) =
        writes(&format!("/portal/v1/keys/{id}/rotate"), json!({"overlap_seconds": 60})).await;
    assert!(status == StatusCode::CREATED && rotated["new"]["key"].is_string(), "{rotated}");
    let (status, revoked) = writes(&format!("/portal/v1/keys/{id}/revoke"), json!({})).await;
    assert_eq!((status, &revoked["state"]), (StatusCode::OK, &json!("revoked")));
    let (_, alerts) = writes("/portal/v1/alerts", json!({"balance_below": "12.5"})).await;
    assert_eq!(alerts["balance_below"], "12.5", "{alerts}");
    assert_eq!(writes("/portal/v1/keys", json!({"expires": 1})).await.1["field"], "expires");
    assert_eq!(reads("/portal/v1/receipts").await["grants"][0]["amount"], "5");
    assert_eq!(writes("/portal/v1/sessions/end", json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(
        ask(portal.port, Method::GET, "/portal/v1/me", bearer, None).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(ask(portal.port, Method::GET, "/portal/v1/me", &key, None).await.1["may"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_and_refusals_of_real_traffic_are_there_and_margins_are_not() {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let rules = json!([{"name": "search", "match": {"path": {"prefix": "/search"}}, "price": "2.5", "product": "search"}]);
    let serve = ["--portal-listen", listen.as_str()];
    let world =
        World::start(Setup { serve: &serve, config: json!({"rules": rules}), ..Setup::default() }).await;
    let key = world.ledger.account("acme", "6").await;
    world.ledger.account("other", "6").await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(get(world.gate(), "/search", &[("x-api-key", &key)]).await.status);
    }
    assert_eq!(statuses, [200, 200, 402, 402]);
    let reads = async |path: &str| ask(port, Method::GET, path, &key, None).await.1;
    eventually("usage and refusals are reported", SOON, async || {
        reads("/portal/v1/usage").await["requests"] == 2
            && reads("/portal/v1/refusals").await["refusals"][0]["requests"] == 2
    })
    .await;
    let used = reads("/portal/v1/usage?by=hour&group=key,rule,product").await;
    let line = &used["lines"][0];
    assert_eq!(
        (&line["rule"], &line["product"], &line["credits"]),
        (&json!("search"), &json!("search"), &json!("5")),
        "{used}"
    );
    let members: Vec<_> = line.as_object().expect("an object").keys().map(String::as_str).collect();
    let expected = ["credits", "from", "key", "product", "requests", "rule", "until"];
    assert_eq!(
        members.iter().collect::<std::collections::BTreeSet<_>>(),
        expected.iter().collect(),
        "nothing else"
    );
    let refused = reads("/portal/v1/refusals").await;
    assert_eq!(refused["refusals"][0]["code"], "insufficient_funds", "{refused}");
    assert_eq!(refused["refusals"][0]["cures"][0], "Top up.", "{refused}");
    assert!(!refused.to_string().contains("faregate"), "nothing that only operators can do: {refused}");
    let (_, other) =
        ask(port, Method::GET, "/portal/v1/usage", &world.ledger.key("other").await.1, None).await;
    assert_eq!(other["requests"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_every_route() {
    let portal = Portal::start(&[]).await;
    let key = portal.ledger.account("acme", "5").await;
    let (status, described) = ask(portal.port, Method::GET, "/portal/v1/openapi.json", "", None).await;
    assert_eq!((status, &described["openapi"]), (StatusCode::OK, &json!("3.1.0")), "{described}");
    let committed =
        std::fs::read_to_string(harness::project().join("docs/portal-openapi.json")).expect("a text");
    assert_eq!(described, serde_json::from_str::<Value>(&committed).expect("JSON"));
    let paths = described["paths"].as_object().expect("paths");
    let page = std::fs::read_to_string(harness::project().join("docs/portal.md")).expect("a text");
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('`');
        Some((cells.next()?.to_owned(), cells.nth(1)?.to_owned()))
            .filter(|(_, path)| path.starts_with("/portal/v1"))
    });
    let documented: std::collections::BTreeSet<(String, String)> = rows.collect();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("operations").keys();
        methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    });
    assert_eq!(documented, operations.collect());
    assert!(paths.len() > 12, "{}", paths.len());
    for (path, item) in paths {
        for method in item.as_object().expect("operations").keys() {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let path = path.replace("{id}", "missing");
            let (status, answer) = ask(portal.port, method.clone(), &path, &key, None).await;
            let known = ![StatusCode::METHOD_NOT_ALLOWED, StatusCode::UNAUTHORIZED].contains(&status);
            let is_open = path.ends_with("/sessions");
            let there = answer["detail"].as_str() != Some("there is nothing at this path");
            assert!(
                (known || is_open) && there && status.as_u16() < 500,
                "{method} {path}: {status} {answer}"
            );
        }
    }
    let (status, answer) = ask(portal.port, Method::GET, "/portal/v1/nothing", &key, None).await;
    assert_eq!((status, &answer["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    let (status, answer) = ask(portal.port, Method::DELETE, "/portal/v1/keys", &key, None).await;
    assert_eq!((status, &answer["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("method_not_allowed")));
}
