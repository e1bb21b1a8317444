//! Every refusal says what is wrong and what cures it, to a person and to a program.

use harness::{Answer, Setup, World, eventually, get};
use serde_json::{Value, json};
use std::time::Duration;

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(String::as_str)
}

/// What all refusals have in common; `rest` are the members that differ.
fn reads(answer: &Answer, status: u16, rest: &Value) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(header(answer, "content-type"), Some("application/problem+json"));
    assert_eq!(header(answer, "cache-control"), Some("no-store"));
    let body = answer.body.as_object().expect("a JSON object");
    assert_eq!(body["status"], status);
    assert_eq!(body["instance"], "/reports");
    assert_eq!(body["type"], format!("urn:faregate:refusal:{}", body["code"].as_str().expect("a code")));
    assert!(body["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{body:?}");
    for text in ["title", "detail"] {
        assert!(body[text].as_str().is_some_and(|text| text.len() > 10), "{body:?}");
    }
    let rest = rest.as_object().expect("an object");
    for (name, value) in rest {
        assert_eq!(&body[name], value, "{name} in {body:?}");
    }
    let fixed = ["type", "title", "status", "detail", "instance", "request_id"];
    let more: Vec<_> =
        body.keys().filter(|name| !fixed.contains(&name.as_str()) && !rest.contains_key(*name)).collect();
    assert!(more.is_empty(), "unexpected members {more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_names_its_remedy() {
    let config = json!({"top_up_url": "https://example.com/topup", "default": {"price": "2.5"}});
    let mut world = World::start(Setup { config, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "4").await;
    world.ledger.account("rich", "1000").await;
    let send_key = json!([{"action": "send_key"}]);

    let answer = get(world.gate(), "/reports?q=1", &[]).await;
    reads(&answer, 401, &json!({"code": "missing_key", "retryable": false, "remedies": send_key}));
    assert_eq!(header(&answer, "www-authenticate"), Some("Bearer realm=\"faregate\""));
    assert_eq!(header(&answer, "x-should-retry"), Some("false"));

    let answer = get(world.gate(), "/reports", &[("x-api-key", "fg_live_typo")]).await;
    reads(&answer, 401, &json!({"code": "invalid_key", "retryable": false, "remedies": send_key}));

    let expiring = world.ledger.run(&["key", "create", "rich", "--expires", "1s", "--json"]);
    let expiring: Value = serde_json::from_str(&expiring).expect("JSON");
    let expiring = expiring["key"].as_str().expect("a key").to_owned();
    eventually("the key expires", Duration::from_secs(30), async || {
        get(world.gate(), "/reports", &[("x-api-key", &expiring)]).await.body["code"] == "key_expired"
    })
    .await;
    let answer = get(world.gate(), "/reports", &[("x-api-key", &expiring)]).await;
    reads(&answer, 401, &json!({"code": "key_expired", "retryable": false, "remedies": send_key}));

    assert_eq!(get(world.gate(), "/reports", &[("x-api-key", &key)]).await.status, 200);
    let answer = get(world.gate(), "/reports", &[("x-api-key", &key)]).await;
    let remedies = json!([{"action": "top_up", "url": "https://example.com/topup"}, {"action": "reduce_cost", "max": "1.5"}]);
    let amounts = json!({"code": "insufficient_funds", "needed": "2.5", "available": "1.5", "unit": "credits",
                         "retryable": false, "remedies": remedies});
    reads(&answer, 402, &amounts);
    assert_eq!(answer.body["detail"], "This request costs 2.5 credits; 1.5 are left.");
    assert_eq!(header(&answer, "link"), Some("<https://example.com/topup>; rel=\"payment\""));
    assert_eq!(header(&answer, "x-should-retry"), Some("false"));
    assert_eq!(header(&answer, "retry-after"), None, "waiting does not cure it");

    let suspended = world.ledger.account("suspended", "4").await;
    world.ledger.post("/admin/v1/accounts/suspended/suspend", json!({})).await;
    let answer = get(world.gate(), "/reports", &[("x-api-key", &suspended)]).await;
    let remedies = json!([{"action": "contact_operator"}]);
    reads(&answer, 403, &json!({"code": "account_suspended", "retryable": false, "remedies": remedies}));

    let new = world.ledger.account("new", "4").await;
    world.ledger.process.kill();
    let answer = get(world.gate(), "/reports", &[("x-api-key", &new)]).await;
    let remedies = json!([{"action": "retry", "after_seconds": 1}]);
    reads(&answer, 503, &json!({"code": "ledger_unavailable", "retryable": true, "remedies": remedies}));
    assert_eq!(header(&answer, "retry-after"), Some("1"));
    assert_eq!(
        (header(&answer, "link"), header(&answer, "x-should-retry")),
        (None, None),
        "no caller is asked to pay"
    );
}
