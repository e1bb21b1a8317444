//! Programs are killed under load. What clients were charged is what the upstream served.

use harness::{Load, Setup, World, eventually, flood};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn unspent_credits_are_recovered_when_envoy_dies() {
    let serve = &["--lease-ttl", "2s", "--lease-grace", "1s"];
    let mut world = World::start(Setup { gateways: 2, serve, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100000").await;
    let doomed = vec![world.gateways.remove(0)];
    let load = async {
        let status_counts = flood(&doomed, &key, 3_000, 8).await;
        (doomed, status_counts)
    };
    let (mut doomed, status_counts) = load.await;
    assert_eq!(status_counts.get(&200), Some(&3_000), "{status_counts:?}");
    assert_ne!(world.ledger.balance("acme", "held").await, "0");
    doomed[0].process.kill();

    world.ledger.nothing_is_held().await;

    let spent: u64 = world.ledger.balance("acme", "spent").await.parse().expect("whole credits");
    let available: u64 = world.ledger.balance("acme", "available").await.parse().expect("whole credits");
    assert_eq!(spent + available, 100_000);
    assert!(spent <= 3_000, "what was not reported is the customer's: {spent}");
    assert!(world.ledger.metric("faregate_reclaims_total").await >= 1.0);
    assert_eq!(flood(&world.gateways, &key, 10, 2).await.get(&200), Some(&10), "the other gateway goes on");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_charge_survives_twenty_ledger_kills_under_load() {
    let mut world = World::one().await;
    let key = world.ledger.account("acme", "1000000").await;
    let load = Load::start(std::mem::take(&mut world.gateways), &key);
    for _ in 0..20 {
        load.wait_for_progress(&world.upstream, 200).await;
        world.ledger.restart().await;
    }
    load.wait_for_progress(&world.upstream, 200).await;
    let (gateways, status_counts) = load.stop().await;
    assert_eq!(
        status_counts.get(&402),
        None,
        "an unreachable ledger is no reason to ask for money: {status_counts:?}"
    );
    assert_eq!(status_counts.get(&0), None, "no request hangs: {status_counts:?}");

    world.ledger.nothing_is_held().await;

    let spent: u64 = world.ledger.balance("acme", "spent").await.parse().expect("whole credits");
    assert_eq!(
        (Some(&spent), spent),
        (status_counts.get(&200), world.upstream.served()),
        "{status_counts:?}"
    );
    world.ledger.audit().await;
    drop(gateways);
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_stay_within_the_at_risk_amount_when_every_gateway_dies() {
    let serve = &["--lease-ttl", "2s", "--lease-grace", "1s"];
    let mut world = World::start(Setup { gateways: 2, serve, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100000").await;
    let urls: Vec<String> = world.gateways.iter().map(|gate| gate.url("/")).collect();
    let load: Vec<_> =
        urls.iter().map(|url| tokio::spawn(harness::until_refused(url.clone(), key.clone()))).collect();
    eventually("the load is under way", Duration::from_secs(60), async || world.upstream.served() > 3_000)
        .await;
    for gate in &mut world.gateways {
        gate.process.kill();
    }
    let leases = world.ledger.get("/admin/v1/leases").await;
    let metric = world.ledger.metric("faregate_at_risk_credits").await;
    for load in load {
        load.await.expect("a client that doesn't panic");
    }

    world.ledger.nothing_is_held().await;

    let whole = |text: &str| text.parse::<f64>().expect("credits");
    let at_risk = whole(leases["at_risk"].as_str().expect("credits"));
    let spent = whole(&world.ledger.balance("acme", "spent").await);
    let lost = f64::from(u32::try_from(world.upstream.served()).expect("not that many")) - spent;
    assert!(lost >= 0.0, "no charge for what was not served");
    assert!(lost <= at_risk, "{lost} lost, {at_risk} at risk");
    assert!((metric - at_risk).abs() < f64::EPSILON, "/metrics says {metric}, `leases` {at_risk}");
    world.ledger.audit().await;
}
