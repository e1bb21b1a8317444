//! The usual path: no call to the ledger, no waiting.

use futures_util::future::join_all;
use harness::{Setup, World, flood, get};

#[tokio::test(flavor = "multi_thread")]
async fn a_steady_caller_costs_at_most_one_exchange_in_a_thousand_requests_and_never_waits() {
    let world = World::one().await;
    let key = world.ledger.account("acme", "1000000").await;
    flood(&world.gateways, &key, 8_000, 16).await;
    let gate = world.gate();
    let (exchanges, waited) =
        (world.ledger.metric("faregate_exchanges_total").await, gate.stat("waited_total").await);

    let start = std::time::Instant::now();
    let status_counts = flood(&world.gateways, &key, 20_000, 16).await;
    let seconds = start.elapsed().as_secs_f64();

    assert_eq!(status_counts.get(&200), Some(&20_000), "{status_counts:?}");
    let exchanges = world.ledger.metric("faregate_exchanges_total").await - exchanges;
    // There is a heartbeat every second, however few requests a busy machine gets through in it.
    assert!(
        exchanges <= f64::max(20.0, 2.0 * seconds),
        "{exchanges} exchanges for 20,000 requests in {seconds} s"
    );
    assert_eq!(gate.stat("waited_total").await, waited, "requests that waited for the ledger");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_requests_of_a_new_caller_share_a_few_exchanges() {
    let world = World::one().await;
    let key = world.ledger.account("acme", "1000").await;
    let gate = world.gate();

    let headers = [("x-api-key", key.as_str())];
    let calls = (0..16).map(|_| get(gate, "/", &headers));
    for answer in join_all(calls).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    let exchanges = world.ledger.metric("faregate_exchanges_total").await;
    // One per worker if they come together; on a busy machine they don't quite, and a refill and a heartbeat may follow.
    assert!((1.0..=6.0).contains(&exchanges), "{exchanges} exchanges for 16 requests at two workers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_traffic_sends_and_holds_nothing() {
    let world = World::start(Setup { gateways: 2, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "1000").await;
    let [busy, silent] = world.gateways.as_slice() else { panic!("two gateways") };
    // Time enough for several heartbeats: the other one gets a lease, and hands it back when it is no longer used.
    assert_eq!(get(busy, "/", &[("x-api-key", &key)]).await.status, 200);
    world.ledger.nothing_is_held().await;

    assert!(busy.stat("exchanges_total").await > 0);
    assert_eq!(silent.stat("exchanges_total").await, 0);
    assert_eq!(world.ledger.get("/admin/v1/leases").await["at_risk"], "0");
}
