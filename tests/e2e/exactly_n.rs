//! Exactly the granted credits are sold, with any number of gateways and workers.

use harness::{Setup, World, flood};

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_sells_exactly_the_balance() {
    exactly_the_balance_is_sold(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_sell_exactly_the_balance() {
    exactly_the_balance_is_sold(2).await;
}

async fn exactly_the_balance_is_sold(gateways: usize) {
    let world = World::start(Setup { gateways, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "1000").await;

    let status_counts = flood(&world.gateways, &key, 1_500, 24).await;

    assert_eq!(status_counts.get(&200), Some(&1_000), "{status_counts:?}");
    assert_eq!(status_counts.get(&402), Some(&500), "{status_counts:?}");
    assert_eq!(world.upstream.served(), 1_000);
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("acme", "available").await, "0");
    assert_eq!(world.ledger.balance("acme", "spent").await, "1000");
    world.ledger.audit().await;
}
