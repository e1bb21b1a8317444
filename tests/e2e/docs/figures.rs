//! What is counted, and what a refusal says.

use super::{blocks, first_cells, page, rows, section};
use faregate_protocol::RefusalCode;
use harness::{Answer, Setup, World, eventually, get};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_document_every_statistic_and_every_refusal() {
    let config = json!({"top_up_url": "https://example.com/topup", "default": {"price": "2.5"}});
    let mut world = World::start(Setup { config, ..Setup::default() }).await;

    let refused = refusals(&mut world).await;
    // The page is written by the program, which knows all causes; those of plans and budgets have stories of their own.
    let refusals = page("docs/refusals.md");
    for (code, answer) in &refused {
        let part = section(&refusals, code);
        assert!(part.contains(&format!("\n- Status: {}\n", answer.status)), "{code}: {part}");
        for remedy in answer.body["remedies"].as_array().expect("a list") {
            let action = remedy["action"].as_str().expect("an action");
            assert!(part.contains(&format!("`{action}`")), "{action} in {part}");
        }
    }

    let example: Value = serde_json::from_str(&blocks(&page("docs/refusals.md"), "json")[0]).expect("JSON");
    let mut body = refused["insufficient_funds"].body.clone();
    body["request_id"] = example["request_id"].clone();
    assert_eq!(body, example);

    let stats = world.gate().admin("/stats?filter=^wasmcustom").await.expect("statistics");
    let counted: BTreeSet<String> =
        stats.lines().filter_map(|line| line.split(": ").next()).map(str::to_owned).collect();
    let documented = first_cells(section(&page("docs/monitoring.md"), "The gate's counters"));
    let named = |name: &String| RefusalCode::ALL.map(|code| name.replace("CODE", code.as_str()));
    assert_eq!(documented.iter().flat_map(named).collect::<BTreeSet<_>>(), counted);
    let scraped = world.gate().admin("/stats/prometheus?filter=^wasmcustom").await.expect("statistics");
    for row in rows(section(&page("docs/monitoring.md"), "The gate's counters")) {
        let name = row[1].trim_matches('`').replace("CODE", "insufficient_funds");
        let is_sample = |line: &str| line.split(['{', ' ']).next() == Some(name.as_str());
        assert!(scraped.lines().any(is_sample), "Prometheus sees no {name}:\n{scraped}");
    }
    assert!(
        world
            .gate()
            .admin("/stats?filter=vm_reload$")
            .await
            .is_some_and(|text| { text.contains("wasm.faregate.vm_reload: 0") })
    );
}

/// Every refusal by its code, provoked one after the other; at the end the ledger is down.
async fn refusals(world: &mut World) -> BTreeMap<String, Answer> {
    let poor = world.ledger.account("acme", "4").await;
    let suspended = world.ledger.account("suspended", "4").await;
    world.ledger.post("/admin/v1/accounts/suspended/suspend", json!({})).await;
    let expiring = world.ledger.run(&["key", "create", "acme", "--expires", "1s", "--json"]);
    let expiring: Value = serde_json::from_str(&expiring).expect("JSON");
    let expiring = expiring["key"].as_str().expect("a key");
    let other = world.ledger.account("other", "4").await;

    let call = async |world: &World, key: &str| get(world.gate(), "/reports", &[("x-api-key", key)]).await;
    let mut refused = vec![get(world.gate(), "/reports", &[]).await, call(world, "no key").await];
    assert_eq!(call(world, &poor).await.status, 200);
    refused.extend([call(world, &poor).await, call(world, &suspended).await]);
    eventually("the key expires", Duration::from_secs(30), async || {
        call(world, expiring).await.body["code"] == "key_expired"
    })
    .await;
    refused.push(call(world, expiring).await);
    metrics_are_named(world).await;
    world.ledger.process.kill();
    refused.push(call(world, &other).await);
    refused
        .into_iter()
        .map(|answer| (answer.body["code"].as_str().expect("a code").to_owned(), answer))
        .collect()
}

async fn metrics_are_named(world: &World) {
    // A figure with labels is there once it has counted something.
    let shadow = json!([{"rule": "beta", "code": "missing_key", "requests": 1}]);
    let usage = json!({"broker": "b", "seq": 1, "lines": [], "shadow": shadow});
    let answered = world.ledger.exchange(&json!({"protocol": 2, "gateway": "another", "usage": usage})).await;
    assert!(answered.is_some_and(|(status, _)| status == 200));
    let text = world.ledger.get("/metrics").await;
    let found = text.as_str().expect("text").lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let found: BTreeMap<String, String> = found
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    let named = rows(section(&page("docs/monitoring.md"), "The ledger's metrics"));
    let kind = |cell: &str| cell.split(',').next().unwrap_or_default().to_owned();
    // This ledger speaks no TLS.
    let named: BTreeMap<String, String> = named
        .iter()
        .filter(|row| !row[2].ends_with("only with TLS"))
        .map(|row| (row[0].trim_matches('`').to_owned(), kind(&row[1])))
        .collect();
    assert_eq!(named, found);
}
