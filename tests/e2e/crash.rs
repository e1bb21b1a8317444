//! Programs are killed under load. What clients were charged is what the upstream served.

use harness::{Setup, World, flood};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn when_envoy_dies_what_it_had_not_spent_comes_back() {
    let serve = &["--lease-ttl", "2s", "--lease-grace", "1s"];
    let mut world = World::start(Setup { gateways: 2, serve, ..Setup::default() }).await;
    let key = world.bank.account("acme", "100000").await;
    let doomed = vec![world.gateways.remove(0)];
    let load = async {
        let tally = flood(&doomed, &key, 3_000, 8).await;
        (doomed, tally)
    };
    let (mut doomed, tally) = load.await;
    assert_eq!(tally.get(&200), Some(&3_000), "{tally:?}");
    assert_ne!(world.bank.balance("acme", "held").await, "0");
    doomed[0].process.kill();

    world.bank.nothing_is_held().await;

    let spent: u64 = world.bank.balance("acme", "spent").await.parse().expect("whole credits");
    let available: u64 = world.bank.balance("acme", "available").await.parse().expect("whole credits");
    assert_eq!(spent + available, 100_000);
    assert!(spent <= 3_000, "what was not reported is the customer's: {spent}");
    assert!(world.bank.metric("faregate_reclaims_total").await >= 1.0);
    assert_eq!(flood(&world.gateways, &key, 10, 2).await.get(&200), Some(&10), "the other gateway goes on");
    world.bank.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_killed_twenty_times_under_load_and_every_charge_is_there() {
    let mut world = World::one().await;
    let key = world.bank.account("acme", "1000000").await;
    let gateways = std::mem::take(&mut world.gateways);
    let load = tokio::spawn(async move {
        let mut all = harness::Tally::new();
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_secs(15) {
            for (status, count) in flood(&gateways, &key, 500, 4).await {
                *all.entry(status).or_default() += count;
            }
        }
        (gateways, all)
    });
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.bank.restart().await;
    }
    let (gateways, tally) = load.await.expect("the load");
    assert_eq!(tally.get(&402), None, "a ledger that is away is no reason to ask for money: {tally:?}");
    assert_eq!(tally.get(&0), None, "nobody hangs: {tally:?}");

    world.bank.nothing_is_held().await;

    let spent: u64 = world.bank.balance("acme", "spent").await.parse().expect("whole credits");
    assert_eq!((Some(&spent), spent), (tally.get(&200), world.upstream.served()), "{tally:?}");
    world.bank.audit().await;
    drop(gateways);
}
