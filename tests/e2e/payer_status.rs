//! Callers see their payer status before they are refused: in response headers and in the account view.

use harness::{Answer, Setup, World, eventually, get};
use serde_json::{Value, json};
use std::time::Duration;

const VIEW: &str = "/.well-known/faregate";

/// The items of a structured field: name, and parameters by name.
fn items(answer: &Answer, name: &str) -> Vec<(String, Value)> {
    let value = answer.headers.get(name).unwrap_or_else(|| panic!("no {name} in {answer:?}"));
    let list: sfv::List = sfv::Parser::new(value).parse().expect("a list of RFC 9651");
    let item = |entry: &sfv::ListEntry| {
        let sfv::ListEntry::Item(item) = entry else { panic!("an inner list in {value}") };
        let parameter = |(name, value): (&sfv::Key, &sfv::BareItem)| {
            let value = match value {
                sfv::BareItem::Integer(number) => json!(i64::from(*number)),
                sfv::BareItem::String(text) => json!(text.as_str()),
                other => panic!("a parameter {other:?}"),
            };
            (name.to_string(), value)
        };
        let name = item.bare_item.as_string().expect("a quoted name").as_str().to_owned();
        (name, Value::Object(item.params.iter().map(parameter).collect()))
    };
    list.iter().map(item).collect()
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(String::as_str)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_quota_is_announced_and_refused_with_the_same_headers() {
    let config = json!({"response_headers": ["charge", "balance", "ratelimit"]});
    let world = World::start(Setup { config, ..Setup::default() }).await;
    let ledger = &world.ledger;
    ledger.run(&[
        "plan",
        "create",
        "pro",
        "--quota",
        "12",
        "--period",
        "month",
        "--overage",
        "refuse",
        "--warn-below",
        "3",
    ]);
    let key = ledger.account("acme", "0").await;
    ledger.run(&["subscribe", "acme", "pro"]);
    let key = [("x-api-key", key.as_str())];
    for left in (0..12).rev() {
        let answer = get(world.gate(), "/", &key).await;
        assert_eq!(answer.status, 200);
        assert_eq!(header(&answer, "x-faregate-charge"), Some("1"));
        assert_eq!(header(&answer, "x-faregate-balance"), Some(left.to_string().as_str()));
        let warning = (left < 3).then(|| left.to_string());
        assert_eq!(header(&answer, "x-faregate-low-balance"), warning.as_deref());
        let [(policy, quota)] = &items(&answer, "ratelimit-policy")[..] else { panic!("{answer:?}") };
        assert_eq!((policy.as_str(), &quota["q"], &quota["qu"]), ("plan", &json!(12), &json!("credits")));
        let days = quota["w"].as_i64().expect("a window") / 86_400;
        assert!((28..=31).contains(&days), "{days} days");
        let [(policy, limit)] = &items(&answer, "ratelimit")[..] else { panic!("{answer:?}") };
        assert_eq!((policy.as_str(), &limit["r"]), ("plan", &json!(left)));
        assert!(limit["t"].as_i64() <= quota["w"].as_i64());
        if left == 6 {
            let answer = get(world.gate(), "/status/503", &key).await;
            assert_eq!(header(&answer, "x-faregate-charge"), Some("0"), "it is refunded");
            assert_eq!(header(&answer, "x-faregate-balance"), Some("6"));
        }
    }
    let refused = get(world.gate(), "/", &key).await;
    assert_eq!((refused.status, &refused.body["code"]), (402, &json!("quota_exhausted")));
    let [(policy, limit)] = &items(&refused, "ratelimit")[..] else { panic!("{refused:?}") };
    assert_eq!((policy.as_str(), &limit["r"]), ("plan", &json!(0)));
    assert_eq!(
        header(&refused, "retry-after"),
        Some(limit["t"].to_string().as_str()),
        "never earlier than t"
    );
    assert_eq!(items(&refused, "ratelimit-policy")[0].1["q"], 12);
    eventually("the warning is counted", Duration::from_secs(30), async || {
        (1..=2).contains(&world.gate().stat("low_balance_total").await)
    })
    .await;
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_name_the_rate_limit_or_budget_that_was_hit() {
    let world = World::one().await;
    let ledger = &world.ledger;
    ledger.run(&[
        "plan", "create", "slow", "--quota", "1000", "--period", "day", "--rate", "0.5", "--burst", "1",
    ]);
    let key = ledger.account("acme", "0").await;
    ledger.run(&["subscribe", "acme", "slow"]);
    let ask = async || get(world.gate(), "/", &[("x-api-key", &key)]).await;
    eventually("it has subscribed", Duration::from_secs(30), async || ask().await.status == 200).await;
    let refused = ask().await;
    assert_eq!(refused.status, 429, "one in two seconds is slower than this");
    assert_eq!(items(&refused, "ratelimit-policy"), [("rate".to_owned(), json!({"q": 1, "w": 2}))]);
    let [(policy, limit)] = &items(&refused, "ratelimit")[..] else { panic!("{refused:?}") };
    assert_eq!((policy.as_str(), &limit["r"]), ("rate", &json!(0)));
    assert_eq!(header(&refused, "retry-after"), Some(limit["t"].to_string().as_str()));

    ledger.account("beta", "100").await;
    let made = ledger.run(&["key", "create", "beta", "--json"]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let (id, key) = (made["id"].as_str().expect("an id"), made["key"].as_str().expect("a key"));
    ledger.run(&["budget", "set", "beta", "--key", id, "--credits", "2", "--per", "day"]);
    for _ in 0..2 {
        assert_eq!(get(world.gate(), "/", &[("x-api-key", key)]).await.status, 200);
    }
    let refused = get(world.gate(), "/", &[("x-api-key", key)]).await;
    assert_eq!(refused.body["code"], "key_budget_exhausted", "{refused:?}");
    let policy = ("key-budget".to_owned(), json!({"q": 2, "w": 86_400, "qu": "credits"}));
    assert_eq!(items(&refused, "ratelimit-policy"), [policy]);
    assert_eq!(items(&refused, "ratelimit")[0].1["r"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_can_read_its_balance_for_free() {
    let config = json!({
        "top_up_url": "https://example.com/topup?account={account}", "cors_origins": ["https://app.example.com"],
        "rules": [{"name": "chat", "match": {"path": {"prefix": "/chat"}}, "price": "4", "product": "chat"}]
    });
    let world = World::start(Setup { config, ..Setup::default() }).await;
    let ledger = &world.ledger;
    ledger.run(&[
        "plan",
        "create",
        "pro",
        "--quota",
        "10",
        "--period",
        "month",
        "--rate",
        "2.5",
        "--burst",
        "9",
        "--product",
        "chat=x0.5",
    ]);
    let key = ledger.account("acme", "5").await;
    ledger.run(&["subscribe", "acme", "pro"]);
    let key = [("x-api-key", key.as_str()), ("origin", "https://app.example.com")];
    let ask = async || get(world.gate(), VIEW, &key).await;
    eventually("it has subscribed", Duration::from_secs(30), async || ask().await.body["plan"] == "pro")
        .await;

    let view = ask().await;
    assert_eq!(view.status, 200);
    let body = &view.body;
    assert_eq!((&body["account"], &body["balance"]), (&json!("acme"), &json!("15")), "{body}");
    assert_eq!((&body["quota"]["size"], &body["unit"]), (&json!("10"), &json!("credits")));
    assert!(body["quota"]["resets_at"].as_str().expect("a time").parse::<jiff::Timestamp>().is_ok());
    assert_eq!(body["limits"], json!({"requests_per_second": "2.5", "burst": 9}));
    let chat = json!({"rule": "chat", "path_prefix": "/chat", "product": "chat", "price": "2"});
    assert_eq!(body["prices"], json!([chat, {"rule": "default", "price": "1"}]), "at its plan's prices");
    assert_eq!(body["links"], json!({"top_up": "https://example.com/topup?account=acme"}));
    assert_eq!(header(&view, "content-type"), Some("application/json"));
    assert_eq!(header(&view, "cache-control"), Some("private, no-cache"));
    assert_eq!(header(&view, "access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(items(&view, "ratelimit")[0].1["r"], 10);
    assert_eq!(world.upstream.served(), 0, "the API has not heard of it");

    assert_eq!(get(world.gate(), "/chat", &key).await.status, 200);
    assert_eq!(ask().await.body["balance"], "13");
    ledger.run(&["grant", "acme", "100"]);
    eventually("the top-up shows", Duration::from_secs(10), async || ask().await.body["balance"] == "113")
        .await;
    for _ in 0..20 {
        ask().await;
    }
    ledger.nothing_is_held().await;
    ledger.balance_becomes("acme", "available", "113").await;
    ledger.audit().await;

    let head = reqwest::Client::new().head(world.gate().url(VIEW)).header("x-api-key", key[0].1).send().await;
    let head = head.expect("an answer");
    assert_eq!(
        (head.status().as_u16(), head.headers()["content-type"].to_str().ok()),
        (200, Some("application/json"))
    );
    assert_eq!(head.bytes().await.expect("the end").len(), 0, "a HEAD has no body");

    let keyless = get(world.gate(), VIEW, &[]).await;
    assert_eq!((keyless.status, &keyless.body["code"]), (401, &json!("missing_key")));
    let unknown = get(world.gate(), VIEW, &[("x-api-key", "fg_live_typo")]).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (401, &json!("invalid_key")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_page_shows_the_actual_account_view() {
    let page = std::fs::read_to_string(harness::project().join("docs/callers.md")).expect("the page");
    let example =
        page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let example: Value = serde_json::from_str(example).expect("JSON");
    let config = json!({
        "top_up_url": "https://example.com/topup?account={account}", "upgrade_url": "https://example.com/plans",
        "rules": [
            {"name": "search", "match": {"path": {"prefix": "/v1/search"}, "methods": ["POST"]}, "price": "2.5", "product": "search"},
            {"name": "video", "match": {"path": {"template": "/video/{}"}}, "price": "9", "product": "video"}
        ],
        "default": "free"
    });
    let world = World::start(Setup { config, ..Setup::default() }).await;
    let ledger = &world.ledger;
    let limits =
        ["--rate", "10", "--burst", "20", "--concurrent", "5", "--warn-below", "50", "--product", "search"];
    ledger.run(&[&["plan", "create", "pro", "--quota", "1000", "--period", "month"], &limits[..]].concat());
    let key = ledger.account("acme", "0").await;
    ledger.run(&["subscribe", "acme", "pro"]);
    let mut view = get(world.gate(), VIEW, &[("x-api-key", &key)]).await.body;
    for varies in ["/key", "/balance", "/quota/window_s", "/quota/resets_at", "/quota/resets_in_s"] {
        let shown = view.pointer_mut(varies).unwrap_or_else(|| panic!("no {varies}"));
        let on_the_page = &example.pointer(varies).expect("on the page, too");
        assert_eq!(shown.is_string(), on_the_page.is_string(), "{varies}");
        *shown = (*on_the_page).clone();
    }
    assert_eq!(view, example);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_price_list_can_be_public() {
    let world = World::start(Setup { config: json!({"publish_prices": true}), ..Setup::default() }).await;
    let list = get(world.gate(), VIEW, &[]).await;
    assert_eq!(list.status, 200);
    assert_eq!(list.body, json!({"unit": "credits", "prices": [{"rule": "default", "price": "1"}]}));
    let broke = world.ledger.account("broke", "0").await;
    let view = get(world.gate(), VIEW, &[("x-api-key", &broke)]).await;
    assert_eq!((view.status, &view.body["balance"]), (200, &json!("0")), "who can't pay may look, too");
    assert_eq!(get(world.gate(), "/", &[("x-api-key", &broke)]).await.status, 402);

    eventually("the access log is written", Duration::from_secs(30), async || {
        world.gate().access_log().len() >= 3
    })
    .await;
    let log = world.gate().access_log();
    let shown = format!("GET {VIEW} 200 faregate{{decision=shown}} -");
    assert_eq!(log.iter().filter(|line| **line == shown).count(), 2, "{log:?}");
    let refused = "GET / 402 faregate{decision=insufficient_funds,account=broke,key=key_";
    assert_eq!(log.iter().filter(|line| line.starts_with(refused)).count(), 1, "{log:?}");
}
