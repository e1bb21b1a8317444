//! Shadow mode: every request passes, and the operator learns which would be refused.

use harness::{Setup, World, eventually, get};
use serde_json::{Value, json};
use std::time::Duration;

/// How many requests each of the callers sends that would be refused.
const WATCHED: u64 = 8;

/// Who would have been refused, as the ledger tells it: account, key, rule, code, requests.
fn lines(report: &str) -> Vec<(Value, Value, Value, Value, Value)> {
    let report: Value = serde_json::from_str(report).expect("JSON");
    let lines = report["lines"].as_array().expect("lines");
    let member = |line: &Value, name: &str| line[name].clone();
    let mut lines: Vec<_> = lines
        .iter()
        .map(|line| {
            let [account, key, rule] = ["account", "key", "rule"].map(|name| member(line, name));
            (account, key, rule, member(line, "code"), member(line, "requests"))
        })
        .collect();
    lines.sort_by_key(|line| format!("{line:?}"));
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_list_can_be_tried_in_shadow_mode() {
    let config = json!({
        "shadow": true,
        "rules": [{"name": "image", "match": {"path": {"prefix": "/image"}}, "price": "8", "product": "image"}],
        "default": {"price": "1"}
    });
    let mut world = World::start(Setup { config, ..Setup::default() }).await;
    let ledger = &world.ledger;
    let rich = ledger.account("rich", "100").await;
    ledger.post("/admin/v1/accounts", json!({"id": "broke"})).await;
    let (broke_id, broke) = ledger.key("broke").await;
    ledger.post("/admin/v1/accounts", json!({"id": "chatty"})).await;
    let (chatty_id, chatty) = ledger.key("chatty").await;
    ledger.run(&["plan", "create", "chat", "--quota", "100", "--period", "month", "--product", "chat"]);
    ledger.run(&["subscribe", "chatty", "chat"]);
    let unknown = faregate_protocol::api_key::compose(&[8; faregate_protocol::api_key::SECRET_LEN]);
    let unknown = unknown.expect("a well-formed key");

    let calls: [(&str, Option<&str>, u16, u64); 6] = [
        ("/", Some(&rich), 200, 2),
        ("/", Some(&broke), 402, 3),
        ("/", None, 401, 2),
        ("/", Some(&unknown), 401, 1),
        ("/", Some("no key at all"), 401, 1),
        ("/image", Some(&chatty), 402, 1),
    ];
    for (path, key, _, times) in calls {
        let headers: Vec<(&str, &str)> = key.map(|key| ("x-api-key", key)).into_iter().collect();
        for _ in 0..times {
            let answer = get(world.gate(), path, &headers).await;
            assert_eq!(answer.status, 200, "{path} with {key:?}: {answer:?}");
        }
    }
    assert_eq!(world.upstream.served(), 10, "all of them reached the API");

    eventually("the ledger knows", Duration::from_secs(20), async || {
        let report = ledger.get("/admin/v1/shadow").await;
        report["total"] == json!({"lines": 4, "requests": WATCHED})
    })
    .await;
    let line = |account: Value, key: Value, rule: &str, code: &str, requests: u64| {
        (account, key, json!(rule), json!(code), json!(requests))
    };
    let mut expected = [
        line(json!("broke"), json!(broke_id), "default", "insufficient_funds", 3),
        line(json!("chatty"), json!(chatty_id), "image", "plan_excludes_route", 1),
        line(Value::Null, Value::Null, "default", "missing_key", 2),
        line(Value::Null, Value::Null, "default", "invalid_key", 2),
    ];
    expected.sort_by_key(|line| format!("{line:?}"));
    assert_eq!(lines(&ledger.run(&["shadow", "--json"])), expected);
    assert_eq!(lines(&ledger.run(&["shadow", "--json", "--since", "1h"])), expected);
    let hers = lines(&ledger.run(&["shadow", "--json", "--account", "broke"]));
    assert_eq!(hers, [line(json!("broke"), json!(broke_id), "default", "insufficient_funds", 3)]);

    let page = ledger.run(&["shadow"]);
    let rows: Vec<&str> = page.lines().collect();
    assert!(rows[0].starts_with("ACCOUNT") && rows[0].ends_with("LAST SEEN"), "{page}");
    let first: Vec<&str> = rows[1].split_whitespace().collect();
    assert_eq!(first[..5], ["broke", broke_id.as_str(), "default", "insufficient_funds", "3"], "{page}");
    assert!(rows.iter().any(|row| row.starts_with('-') && row.contains("missing_key")), "{page}");
    assert_eq!(rows.last(), Some(&"total: 8 requests would have been refused"));
    let none = ledger.run(&["shadow", "--account", "rich"]);
    assert_eq!(none.lines().collect::<Vec<_>>(), ["(none)", "total: 0 requests would have been refused"]);
    assert!((ledger.metric("faregate_shadow_refusals_total").await - 8.0).abs() < 0.5);

    let gate = world.gate();
    eventually("the statistics are flushed", Duration::from_secs(30), async || {
        (gate.stat("shadow_refused_total").await, gate.stat("admitted_total").await) == (WATCHED, 2)
    })
    .await;
    eventually("the access log is written", Duration::from_secs(30), async || gate.access_log().len() >= 10)
        .await;
    let log = gate.access_log();
    let noted = |note: &str| log.iter().filter(|line| line.contains(note)).count();
    assert_eq!(noted(&format!("decision=shadow:insufficient_funds account=broke key={broke_id}")), 3);
    assert_eq!(noted(&format!("decision=shadow:plan_excludes_route account=chatty key={chatty_id}")), 1);
    assert_eq!((noted("decision=shadow:missing_key"), noted("decision=shadow:invalid_key")), (2, 2));

    ledger.nothing_is_held().await;
    for (account, spent) in [("rich", "2"), ("broke", "0"), ("chatty", "0")] {
        assert_eq!(ledger.balance(account, "spent").await, spent, "{account}: who can pay is charged");
    }
    assert_eq!(ledger.balance("broke", "owed").await, "0");

    // Switched on: the same callers, the same rules.
    let file = world.dir().join("gateway-0.json");
    let watching = std::fs::read_to_string(&file).expect("Envoy's configuration");
    let refusing = watching.replace(r#"\"shadow\":true"#, r#"\"shadow\":false"#);
    assert_ne!(refusing, watching);
    std::fs::write(&file, refusing).expect("Envoy's configuration");
    world.gateways[0].restart().await;
    for (path, key, status, _) in calls {
        let headers: Vec<(&str, &str)> = key.map(|key| ("x-api-key", key)).into_iter().collect();
        assert_eq!(get(world.gate(), path, &headers).await.status, status, "{path} with {key:?}");
    }
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.get("/admin/v1/shadow").await["total"]["requests"], WATCHED, "no other");
    assert_eq!(world.upstream.served(), 11, "only the one who pays reached the API");
    world.ledger.audit().await;
}
