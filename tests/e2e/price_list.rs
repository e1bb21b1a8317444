//! The price list is cached, and callers with the current version get 304.

use harness::{Setup, World, eventually};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::time::Duration;

const VIEW: &str = "/.well-known/faregate";

async fn ask(world: &World, method: Method, headers: &[(&str, &str)]) -> Response {
    let mut request = Client::new().request(method, world.gate().url(VIEW));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

fn header(answer: &Response, name: &str) -> Option<String> {
    answer.headers().get(name).map(|value| value.to_str().expect("a text").to_owned())
}

async fn tag(world: &World, headers: &[(&str, &str)]) -> String {
    header(&ask(world, Method::GET, headers).await, "etag").expect("a tag")
}

fn many_rules() -> Value {
    let rule = |number: usize| {
        let path = format!("/v1/a-path-as-it-may-stand-in-a-price-list/of-many-rules/{number}/");
        json!({"name": format!("rule-number-{number}"), "match": {"path": {"prefix": path}, "methods": ["GET", "POST"]}, "price": "1.5"})
    };
    (0..1_000).map(rule).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_with_the_current_price_list_gets_304() {
    let config =
        json!({"publish_prices": true, "rules": many_rules(), "cors_origins": ["https://app.example.com"]});
    let world = World::start(Setup { config, ..Setup::default() }).await;
    let answer = ask(&world, Method::GET, &[]).await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "cache-control").as_deref()),
        (200, Some("no-cache"))
    );
    assert_eq!(header(&answer, "vary").as_deref(), Some("origin"), "a cache may not mix up who may read it");
    let tag = header(&answer, "etag").expect("a tag");
    let list: Value = answer.json().await.expect("JSON");
    assert_eq!(list["prices"].as_array().map(Vec::len), Some(1_001));

    let weak = format!("W/{tag}");
    let list = format!("\"another\", \"with,comma\" ,{weak}");
    for method in [Method::GET, Method::HEAD] {
        for (held, status) in [
            (tag.as_str(), 304),
            (weak.as_str(), 304),
            (list.as_str(), 304),
            ("*", 304),
            ("\"another\"", 200),
            (tag.trim_matches('"'), 200),
        ] {
            let answer = ask(&world, method.clone(), &[("if-none-match", held)]).await;
            assert_eq!(answer.status(), status, "{method} {held}");
            assert_eq!(header(&answer, "etag").as_ref(), Some(&tag));
            assert_eq!(header(&answer, "vary").as_deref(), Some("origin"));
            let is_there = status == 200 && method == Method::GET;
            assert_eq!(answer.text().await.expect("a body").len() > 100_000, is_there, "{method} {held}");
        }
    }
    eventually("views are counted", Duration::from_secs(5), async || {
        world.gate().stat("views_total").await == 13
    })
    .await;
    assert_eq!(world.upstream.served(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditional_requests_send_only_changes_and_never_mix_up_callers() {
    let rules = json!([{"match": {"path": {"prefix": "/chat"}}, "price": "4", "product": "chat"}]);
    let config = json!({"publish_prices": true, "rules": rules});
    let world = World::start(Setup { config, ..Setup::default() }).await;
    let (rich, other) = (world.ledger.account("rich", "10").await, world.ledger.account("other", "10").await);
    let (rich, other) = (("x-api-key", rich.as_str()), ("x-api-key", other.as_str()));
    let mine = tag(&world, &[rich]).await;
    let public = tag(&world, &[]).await;
    for (caller, held, status) in
        [(rich, &mine, 304), (rich, &public, 200), (other, &mine, 200), (other, &public, 200)]
    {
        let answer = ask(&world, Method::GET, &[caller, ("if-none-match", held)]).await;
        assert_eq!(answer.status(), status);
        assert_eq!(header(&answer, "cache-control").as_deref(), Some("private, no-cache"));
    }
    // What the ledger has to be asked for first is compared, too: what it said is shown for a second.
    let waited = world.gate().stat("waited_total").await;
    eventually("it waits for the ledger", Duration::from_secs(10), async || {
        let answer = ask(&world, Method::GET, &[rich, ("if-none-match", &mine)]).await;
        assert_eq!(answer.status(), 304);
        world.gate().stat("waited_total").await > waited
    })
    .await;
    // A refusal is never answered with 304.
    let refused = ask(&world, Method::GET, &[("x-api-key", "fg_live_typo"), ("if-none-match", "*")]).await;
    assert_eq!(refused.status(), 401);

    let plan = ["plan", "create", "pro", "--quota", "10", "--period", "month", "--product", "chat=x0.5"];
    world.ledger.run(&plan);
    world.ledger.run(&["subscribe", "other", "pro"]);
    eventually("its plan has prices of its own", Duration::from_secs(5), async || {
        let view: Value = ask(&world, Method::GET, &[other]).await.json().await.expect("JSON");
        view["prices"][0]["price"] == "2"
    })
    .await;
    let view: Value = ask(&world, Method::GET, &[rich]).await.json().await.expect("JSON");
    assert_eq!(view["prices"][0]["price"], "4");
    assert_eq!(tag(&world, &[]).await, public);
    assert_eq!(world.upstream.served(), 0);
}
