//! The ledger is down, or frozen: no request hangs or gets 402, and everything recovers by itself.

use harness::{Answer, Setup, World, eventually, flood, get};
use serde_json::json;
use std::time::Duration;

/// Ten times the configured timeout: what a busy machine may take on top is little beside a request that hangs, which
/// its client gives up after 20 s.
const AT_ONCE: Duration = Duration::from_secs(5);

fn is_unavailable(answer: &Answer) {
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("ledger_unavailable")), "{answer:?}");
    assert_eq!(answer.headers.get("retry-after").map(String::as_str), Some("1"));
    assert!(answer.took < AT_ONCE, "it took {:?}", answer.took);
}

#[derive(Clone, Copy)]
enum Outage {
    Killed,
    Frozen,
}

async fn away(world: &mut World, trouble: Outage) {
    match trouble {
        Outage::Killed => world.ledger.process.kill(),
        Outage::Frozen => world.ledger.process.signal("STOP"),
    }
}

async fn back(world: &mut World, trouble: Outage) {
    match trouble {
        Outage::Killed => world.ledger.restart().await,
        Outage::Frozen => world.ledger.process.signal("CONT"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_killed_ledger_leases_keep_working_and_then_the_gate_answers_503() {
    leases_go_on_until_they_end(Outage::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_frozen_ledger_leases_keep_working_and_then_the_gate_answers_503() {
    leases_go_on_until_they_end(Outage::Frozen).await;
}

async fn leases_go_on_until_they_end(trouble: Outage) {
    let serve = &["--lease-ttl", "4s", "--lease-grace", "60s"];
    let mut world = World::start(Setup { serve, ..Setup::default() }).await;
    let known = world.ledger.account("acme", "1000").await;
    let unknown = world.ledger.account("other", "1000").await;
    assert_eq!(get(world.gate(), "/", &[("x-api-key", &known)]).await.status, 200);

    away(&mut world, trouble).await;

    assert_eq!(get(world.gate(), "/", &[("x-api-key", &known)]).await.status, 200, "it has a lease");
    for _ in 0..3 {
        is_unavailable(&get(world.gate(), "/", &[("x-api-key", &unknown)]).await);
    }
    eventually("the lease ends", Duration::from_secs(30), async || {
        get(world.gate(), "/", &[("x-api-key", &known)]).await.status == 503
    })
    .await;
    is_unavailable(&get(world.gate(), "/", &[("x-api-key", &known)]).await);
    let served = world.upstream.served();

    back(&mut world, trouble).await;

    eventually("service resumes", Duration::from_secs(30), async || {
        get(world.gate(), "/", &[("x-api-key", &unknown)]).await.status == 200
            && get(world.gate(), "/", &[("x-api-key", &known)]).await.status == 200
    })
    .await;
    world.ledger.nothing_is_held().await;
    let spent: u64 = world.ledger.balance("acme", "spent").await.parse().expect("whole credits");
    let other: u64 = world.ledger.balance("other", "spent").await.parse().expect("whole credits");
    assert_eq!(spent + other, world.upstream.served(), "{served} of them before it came back");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn allow_up_to_serves_a_known_payer_during_an_outage_and_settles_afterwards() {
    for trouble in [Outage::Killed, Outage::Frozen] {
        let config = json!({"on_ledger_error": {"allow_up_to": "7"}});
        let mut world = World::start(Setup { config, ..Setup::default() }).await;
        let key = world.ledger.account("acme", "2").await;
        let stranger = world.ledger.account("stranger", "2").await;
        assert_eq!(flood(&world.gateways, &key, 3, 1).await.get(&200), Some(&2));
        world.ledger.balance_becomes("acme", "spent", "2").await;
        away(&mut world, trouble).await;

        // Each worker remembers for a second that the ledger refused this payer.
        let passed = std::cell::Cell::new(0);
        eventually("nothing more passes", Duration::from_secs(30), async || {
            let status_counts = flood(&world.gateways, &key, 40, 8).await;
            passed.set(passed.get() + status_counts.get(&200).unwrap_or(&0));
            status_counts.get(&503) == Some(&40)
        })
        .await;

        assert_eq!(passed.get(), 7);
        is_unavailable(&get(world.gate(), "/", &[("x-api-key", &stranger)]).await);
        back(&mut world, trouble).await;
        world.ledger.balance_becomes("acme", "owed", "7").await;
        world.ledger.grant("acme", "10").await;
        assert_eq!(world.ledger.balance("acme", "owed").await, "0", "the next grant pays what is owed first");
        world.ledger.balance_becomes("acme", "available", "3").await;
        world.ledger.audit().await;
    }
}
