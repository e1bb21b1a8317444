//! What gateways say that can't be true, and what can't be booked.

use super::*;
use crate::domain::account::MAX_OWED;
use crate::domain::policy::Remainder;
use faregate_protocol::exchange::{MAX_AMOUNT, MAX_LINE_CREDITS, MAX_UNGRANTED};

const ALL: i64 = MAX_AMOUNT.micros() / 1_000_000;
const CEILING: i64 = MAX_UNGRANTED.micros() / 1_000_000;

fn on_credit(key: &str, amount: i64) -> Entry {
    Entry { lease: None, on_credit: credits(amount), ..report(key, 0, 0, 0) }
}

pub async fn an_entry_that_cannot_be_booked_fails_alone(world: World) {
    let others: Vec<String> = (0..8).map(|n| format!("other{n}")).collect();
    for id in others.iter().map(String::as_str).chain(["victim"]) {
        world.customer(id).await;
        world.give(id, 100, None).await.unwrap();
        world.exchange_entry("gw", asking(report(&format!("key_{id}"), 1, 0, 0), 10, 10)).await;
    }
    // As an earlier version may have left it: there is no room for what the lease has sold.
    world.store.set_spent("victim", Credits::MAX).await;
    let mut entries = vec![asking(report("key_victim", 1, 6, 0), 20, 20)];
    entries.extend(others.iter().map(|id| asking(report(&format!("key_{id}"), 1, 6, 0), 20, 20)));
    entries.push(ending("key_victim", 1, 7));
    let last = entries.len() - 1;
    let answer = world.send("gw", Some(0), entries.clone()).await;
    for at in [0, last] {
        let failed = &answer.entries[at];
        assert_eq!(failed.refused.as_ref().map(|it| it.code), Some(RefusalCode::LedgerUnavailable));
        assert_eq!((failed.lease, failed.ended), (None, None), "it will be said again");
        assert!(failed.facts.is_some(), "its gateway learns who it is about");
    }
    for (id, entry) in others.iter().zip(&answer.entries[1..]) {
        assert_eq!(entry.lease.unwrap().granted, credits(20), "{id}");
        assert_eq!(world.balance(id).await, [80, 14, 6, 0, 0], "{id}");
    }
    assert_eq!(world.store.metrics.unbooked_entries.get(), 2);

    // Nothing of it was kept, so it is booked once there is room.
    world.store.set_spent("victim", Credits::ZERO).await;
    assert_eq!(world.balance("victim").await, [90, 10, 0, 0, 0]);
    world.assert_audit_passes().await;
    let answer = world.send("gw", Some(0), entries).await;
    assert_eq!(answer.entries[last].ended, Some(1));
    assert_eq!(world.balance("victim").await, [93, 0, 7, 0, 0]);
    world.assert_audit_passes().await;
}

pub async fn a_lease_that_cannot_be_reclaimed_does_not_affect_others(world: World) {
    world.plan_of("plan", Terms { remainder: Remainder::Operator, ..World::terms(300) }).await;
    for id in ["victim", "other"] {
        world.customer(id).await;
        world.subscribe(id, "plan", 0).await.unwrap();
        world.exchange_entry("gw", asking(report(&format!("key_{id}"), 1, 0, 0), 10, 10)).await;
    }
    world.store.set_spent("victim", Credits::MAX).await;
    let touch = world.store.touches().await.unwrap();
    assert_eq!(world.store.reclaim(touch, world.now()).await.unwrap(), (1, credits(10)), "the other's");
    assert_eq!((world.balance("victim").await[1], world.balance("other").await[1]), (10, 0));
    world.store.set_spent("victim", Credits::ZERO).await;
    assert_eq!(world.store.reclaim(touch, world.now()).await.unwrap(), (1, credits(10)));
    world.assert_audit_passes().await;
}

pub async fn implausible_amounts_are_not_charged_and_the_audit_lists_them(world: World) {
    let key = world.customer("acme").await;
    world.give("acme", 1_000, None).await.unwrap();
    world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 900, 900)).await;
    let lie = asking(report(&key, 1, ALL, 0), ALL, ALL);
    let answer = world.exchange_entry("gw", lie.clone()).await;
    assert_eq!(answer.refused.unwrap().code, RefusalCode::LedgerUnavailable);
    assert_eq!(answer.lease, None, "nothing more is granted for it");
    let charged = 900 + CEILING;
    assert_eq!(world.balance("acme").await, [0, 0, charged, 0, charged - 1_000]);

    let audit = world.store.audit().await.unwrap();
    assert!(!audit.ok && audit.agrees(), "{audit:#?}");
    let found = &audit.unbooked[0];
    assert_eq!([&found.account, &found.key, &found.gateway], ["acme", &key, "gw"]);
    assert_eq!((found.epoch, found.reports, found.not_charged), (1, 1, credits(ALL - charged)));
    assert_eq!((audit.unbooked.len(), found.last_at), (1, world.now()));

    for _ in 0..3 {
        world.exchange_entry("gw", lie.clone()).await;
    }
    assert_eq!(
        world.exchange_entry("gw", ending(&key, 1, ALL)).await.ended,
        Some(1),
        "or it would be sent for ever"
    );
    assert_eq!(world.store.audit().await.unwrap().unbooked, audit.unbooked, "said again, it is nothing new");
    assert_eq!((world.balance("acme").await[2], world.store.metrics.unbooked_entries.get()), (charged, 1));

    // On credit the same, by what is new.
    let answer = world.exchange_entry("gw", on_credit(&key, CEILING)).await;
    assert_eq!(
        (answer.on_credit, answer.refused),
        (credits(CEILING), None),
        "all that a gate may let through"
    );
    let answer = world.exchange_entry("gw", on_credit(&key, 2 * CEILING + 1)).await;
    assert_eq!(answer.on_credit, credits(2 * CEILING + 1), "it counts as reported");
    assert_eq!(world.balance("acme").await[2], charged + 2 * CEILING);
    let found = world.store.audit().await.unwrap().unbooked.remove(0);
    assert_eq!((found.reports, found.not_charged), (2, credits(ALL - charged + 1)));

    // The next epoch is an honest one.
    world.give("acme", charged + 2 * CEILING, None).await.unwrap();
    let answer = world.exchange_entry("gw", asking(report(&key, 2, 0, 0), 5, 5)).await;
    assert_eq!((answer.lease.unwrap().granted, answer.refused), (credits(5), None));
    let later = World { second: world.second + 91 * 86_400, ..World::new(world.store.clone()) };
    while later.store.prune(later.now()).await.unwrap() > 0 {}
    later.assert_audit_passes().await;
}

pub async fn no_gateway_can_overflow_an_account(world: World) {
    let key = world.customer("acme").await;
    let other = world.customer("other").await;
    world.give("other", 10, None).await.unwrap();
    world.exchange_entry("gw", asking(report(&other, 1, 0, 0), 10, 10)).await;
    for n in 1..=9 {
        world.give("acme", ALL, None).await.unwrap();
        let gateway = format!("gw{n}");
        world.exchange_entry(&gateway, asking(report(&key, 1, 0, 0), ALL, ALL)).await;
        assert_eq!(
            world.exchange_entry(&gateway, report(&key, 1, ALL, 0)).await.refused,
            None,
            "sold as granted"
        );
    }
    // A forger reports as much as is accepted, until the account reaches its limit.
    let mut entries: Vec<Entry> = (1..=300).map(|n| on_credit(&key, n * CEILING)).collect();
    entries.push(report(&other, 1, 4, 0));
    let answer = world.send("gw", None, entries).await;
    assert_eq!(answer.entries[300].lease.unwrap().granted, credits(10));
    assert_eq!(world.balance("other").await, [0, 6, 4, 0, 0]);
    let balance = world.store.balance("acme".into(), world.now()).await.unwrap();
    assert_eq!((balance.spent, balance.owed), (Credits::MAX, Credits::MAX.less(balance.granted)));
    assert!(balance.owed < MAX_OWED);
    let audit = world.store.audit().await.unwrap();
    assert!(audit.agrees(), "{:#?}", audit.problems);
    assert_eq!(audit.unbooked[0].reports, 77, "those that were beyond it");

    // Debts can be paid, and no more than that can be given.
    world.give("acme", 1, None).await.unwrap();
    let beyond = world.give("acme", ALL, None).await;
    assert!(matches!(beyond, Err(StoreError::Refused(Refusal::Book(_)))), "{beyond:?}");
    assert!(world.store.audit().await.unwrap().agrees());
}

pub async fn usage_totals_saturate_at_the_integer_maximum(world: World) {
    let payer = world.customer("acme").await;
    let line = UsageLine {
        payer,
        rule: "a".into(),
        requests: 1,
        credits: MAX_LINE_CREDITS,
        refunds: 1,
        item: None,
        basis: None,
        used: Quantities::default(),
        product: None,
    };
    for seq in 1..=11 {
        let lines = vec![line.clone(); 1_000];
        let usage = Some(UsageReport { broker: "worker".into(), seq, lines, ..UsageReport::default() });
        let (gateway, entries) = ("gw".to_owned(), Vec::new());
        let request =
            ExchangeRequest { protocol: VERSION, gateway, seen: None, entries, usage, models: vec![] };
        let answer = world.store.exchange(request, world.now(), TTL_MS).await.unwrap();
        assert_eq!(answer.usage_seq, Some(seq), "or the gateway would say it for ever");
    }
    let query = UsageQuery { limit: 10, ..UsageQuery::default() };
    let usage = world.store.usage("acme".into(), query).await.unwrap();
    assert_eq!((usage.total.requests, usage.total.credits), (11_000, Credits::MAX));
}
