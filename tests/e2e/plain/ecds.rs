//! `envoy/ecds`: the gate in a file of its own.

use super::{World, call, says};
use harness::{Steady, eventually, get};
use std::time::Duration;

const FILE: &str = "envoy/ecds/filter.yaml";

#[tokio::test(flavor = "multi_thread")]
async fn a_price_changed_in_the_file_applies_at_once_without_free_requests() {
    let world = World::of("ecds").await;
    let key = world.ledger.account("acme", "100000").await;
    let mut gate = world.site.envoy("envoy/ecds/envoy.yaml");
    gate.is_ready().await;
    let callers = Steady::start(&gate.url("/"), &[&key, &key, &key]);
    callers.wait_for_progress(200).await;

    world.site.run(&world.site.blocks("ecds")[0]);

    let stat = "extension_config_discovery.http_filter.faregate.config_reload";
    eventually("Envoy has taken it", Duration::from_secs(30), async || gate.envoy_stat(stat).await >= 2)
        .await;
    callers.wait_for_progress(200).await;
    let strangers: Vec<u16> = vec![get(&gate, "/", &[]).await.status, call(&gate, "no key").await.0];
    let (status_counts, others) = callers.stop().await;
    assert_eq!(strangers, [401, 401]);
    assert_eq!(status_counts.keys().copied().collect::<Vec<_>>(), [200], "{others:?}");
    world.ledger.nothing_is_held().await;
    let before = world.ledger.balance("acme", "spent").await.parse::<u64>().expect("whole credits");
    let served = world.upstream.served();
    assert!(before > served + 200 && before < 2 * served, "{before} for {served} requests at 1, then at 2");

    assert_eq!(call(&gate, &key).await.0, 200);
    world.ledger.nothing_is_held().await;
    let after = world.ledger.balance("acme", "spent").await.parse::<u64>().expect("whole credits");
    assert_eq!(after - before, 2, "the new price");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_file_is_reported_and_the_gate_keeps_its_configuration() {
    let world = World::of("ecds").await;
    let key = world.ledger.account("acme", "2").await;
    let mut gate = world.site.envoy("envoy/ecds/envoy.yaml");
    gate.is_ready().await;
    assert_eq!(call(&gate, &key).await.0, 200);

    world.site.replace(FILE, &world.site.text(FILE).replace("{price: \"1\"}", "{price: 1}"));

    says(&gate, "Filesystem config update rejected").await;
    says(&gate, "default.price: found number 1; allowed is a decimal string").await;
    assert_eq!(get(&gate, "/", &[]).await.status, 401);
    assert_eq!([call(&gate, &key).await.0, call(&gate, &key).await.0], [200, 402]);
    assert_eq!(world.upstream.served(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_file_at_startup_no_request_passes() {
    let world = World::of("ecds").await;
    let good = world.site.text(FILE);
    world.site.replace(FILE, &good.replace("{price: \"1\"}", "{price: 1}"));
    let mut gate = world.site.envoy("envoy/ecds/envoy.yaml");
    gate.is_ready().await;

    assert_eq!(get(&gate, "/", &[]).await.status, 500);
    assert_eq!(world.upstream.served(), 0);

    world.site.replace(FILE, &good);
    eventually("the gate is there", Duration::from_secs(30), async || {
        get(&gate, "/", &[]).await.status == 401
    })
    .await;
    assert_eq!(world.upstream.served(), 0);
}
