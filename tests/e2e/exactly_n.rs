//! What was loaded is what is sold: not one more, not one less, however many gateways and workers sell it.

use harness::{Setup, World, flood};

#[tokio::test(flavor = "multi_thread")]
async fn through_one_gateway_exactly_the_balance_is_sold() {
    exactly_the_balance_is_sold(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_two_gateways_exactly_the_balance_is_sold() {
    exactly_the_balance_is_sold(2).await;
}

async fn exactly_the_balance_is_sold(gateways: usize) {
    let world = World::start(Setup { gateways, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "1000").await;

    let tally = flood(&world.gateways, &key, 1_500, 24).await;

    assert_eq!(tally.get(&200), Some(&1_000), "{tally:?}");
    assert_eq!(tally.get(&402), Some(&500), "{tally:?}");
    assert_eq!(world.upstream.served(), 1_000);
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("acme", "available").await, "0");
    assert_eq!(world.ledger.balance("acme", "spent").await, "1000");
    world.ledger.audit().await;
}
