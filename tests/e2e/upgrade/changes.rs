//! Sixty changes of the configuration in quick succession, by ECDS: each hands over what it knows at once.

use super::{Fixture, plugin, put};
use harness::{eventually, get};
use serde_json::{Value, json};
use std::time::Duration;

/// How many changes there are.
const CHANGES: u64 = 60;
/// By when after the last change the ledger knows of all sales. A worker reports usage after five seconds, and the
/// gateway what was spent after one.
const REPORTED: Duration = Duration::from_secs(10);
/// How many requests last from before the first change until after the last.
const LONG: u64 = 4;

/// The filter of this change: a rule of its own, at the price of all others.
fn with_rule(typed: &Value, change: u64) -> Value {
    let mut typed = typed.clone();
    let text = typed["config"]["configuration"]["value"].as_str().expect("a configuration");
    let mut filter: Value = serde_json::from_str(text).expect("JSON");
    let rule = json!({"name": format!("change-{change}"), "match": {"path": {"exact": "/"}}, "price": "1"});
    filter["rules"] = json!([rule]);
    typed["config"]["configuration"]["value"] = json!(filter.to_string());
    json!({"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": "faregate", "typed_config": typed})
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sales_are_reported_soon_after_sixty_configuration_changes() {
    let ground = Fixture::new().await;
    let mut config = ground.config();
    let filter = plugin(&mut config);
    let typed = filter["typed_config"].clone();
    put(ground.dir.path(), "filter.json", &with_rule(&typed, 0));
    *filter = json!({"name": "faregate", "config_discovery": {"type_urls": [typed["@type"]], "config_source": {
        "resource_api_version": "V3", "path_config_source": {"path": ground.dir.path().join("filter.json")}
    }}});
    let gate = std::sync::Arc::new(ground.start(&config).await);
    let callers = ground.callers(&gate);
    callers.wait_for_progress(500).await;
    let long: Vec<_> = (0..LONG)
        .map(|_| {
            let (gate, key) = (gate.clone(), ground.keys[0].clone());
            tokio::spawn(async move { get(&gate, "/slow/15000", &[("x-api-key", &key)]).await.status })
        })
        .collect();
    callers.wait_for_progress(100).await;

    for change in 1..=CHANGES {
        put(ground.dir.path(), "filter.json", &with_rule(&typed, change));
        let reloads = "extension_config_discovery.http_filter.faregate.config_reload";
        eventually("Envoy has taken it", Duration::from_secs(20), async || {
            gate.envoy_stat(reloads).await > change
        })
        .await;
        callers.wait_for_progress(20).await;
    }
    let (mut status_counts, others) = callers.stop().await;

    // What the first configuration still serves holds back nothing of the rest.
    let over = ground.upstream.served() - LONG;
    eventually("all is reported", REPORTED, async || {
        ground.spent().await >= over && ground.used().await >= over
    })
    .await;
    for answer in long {
        *status_counts.entry(answer.await.expect("an answer")).or_default() += 1;
    }
    ground.all_agree(&status_counts, &others).await;
}
