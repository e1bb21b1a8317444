//! Leases and what is reported of them.

use super::*;

pub async fn a_lease_is_opened_spent_and_returned(world: World) {
    let key = world.customer("acme").await;
    world.give("acme", 100, None).await.unwrap();
    let first = Entry { payer: Payer::Subject("acme".into()), ..asking(report("", 1, 0, 0), 1, 10) };
    let answer = world.exchange_entry("gw", first.clone()).await;
    assert_eq!(answer.facts.unwrap().key, key);
    let lease = answer.lease.unwrap();
    assert_eq!((lease.epoch, lease.granted, lease.ttl_ms), (1, credits(10), TTL_MS));
    assert_eq!(world.balance("acme").await, [90, 10, 0, 0, 0]);

    assert_eq!(
        world.exchange_entry("gw", first).await.lease.unwrap().granted,
        credits(10),
        "asked again, nothing new"
    );
    world.exchange_entry("gw", report(&key, 1, 4, 2)).await;
    world.exchange_entry("gw", report(&key, 1, 3, 1)).await;
    assert_eq!(world.balance("acme").await, [92, 4, 4, 0, 0], "what was overtaken changes nothing");
    let leases = world.store.leases(None).await.unwrap();
    assert_eq!((leases.0.len(), leases.1), (1, credits(4)));

    let final_report =
        Entry { ended: Some(Ended { epoch: 1, spent: credits(5) }), ..asking(report(&key, 2, 0, 0), 1, 1) };
    let answer = world.exchange_entry("gw", final_report.clone()).await;
    assert_eq!((answer.ended, answer.lease.unwrap().epoch), (Some(1), 2));
    world.exchange_entry("gw", final_report).await;
    assert_eq!(world.balance("acme").await, [94, 1, 5, 0, 0]);
    world.exchange_entry("gw", ending(&key, 2, 0)).await;
    assert_eq!(world.balance("acme").await, [95, 0, 5, 0, 0]);
    world.assert_audit_passes().await;
}

pub async fn an_empty_account_is_refused_until_a_top_up(world: World) {
    let key = world.customer("broke").await;
    let answer = world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 1, 10)).await;
    let refused = answer.refused.unwrap();
    assert_eq!((refused.code, refused.retry_ms, answer.lease), (RefusalCode::InsufficientFunds, None, None));
    world.give("broke", 1, None).await.unwrap();
    let answer = world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 1, 10)).await;
    assert_eq!(
        (answer.lease.unwrap().granted, answer.refused),
        (credits(1), None),
        "the last credit is sold"
    );
    world.assert_audit_passes().await;
}

pub async fn an_unknown_caller_gets_no_lease(world: World) {
    for payer in [Payer::Id("key_x".into()), Payer::Key("fg_live_x".into()), Payer::Subject("x".into())] {
        let entry = Entry { payer, ..asking(report("", 1, 0, 0), 1, 1) };
        let answer = world.exchange_entry("gw", entry).await;
        assert_eq!(answer.refused.unwrap().code, RefusalCode::InvalidKey);
        assert_eq!((answer.facts, answer.lease), (None, None));
    }
    assert_eq!(
        world.exchange_entry("gw", ending("key_x", 3, 1)).await.ended,
        Some(3),
        "or it would be repeated forever"
    );
}

pub async fn a_key_is_found_by_its_hash(world: World) {
    world.customer("acme").await;
    world.give("acme", 5, None).await.unwrap();
    let fresh = key::FreshKey::compose(&[11; 32]).unwrap();
    let credential = Credential::Key { hash: fresh.hash, prefix: fresh.prefix.clone() };
    let plain = NewKey::plain("acme", KeyId::stored("key_1".into()), credential);
    let expires_at = Some(Timestamp::from_second(world.second + 60).unwrap());
    world.run(Command::CreateKey(NewKey { expires_at, ..plain })).await.unwrap();
    let entry = Entry { payer: Payer::Key(fresh.secret), ..asking(report("", 1, 0, 0), 1, 1) };
    assert_eq!(world.exchange_entry("gw", entry.clone()).await.facts.unwrap().key, "key_1");
    let later = World { second: world.second + 60, ..world };
    assert_eq!(later.exchange_entry("gw", entry).await.refused.unwrap().code, RefusalCode::KeyExpired);
    let page = Page { limit: 1, after: None };
    let keys = later.store.keys("acme".into(), page, later.now()).await.unwrap();
    let page = Page { limit: 1, after: keys.next };
    let keys = later.store.keys("acme".into(), page, later.now()).await.unwrap();
    assert_eq!((keys.keys[0].state, keys.next), (KeyState::Expired, None));
    later.store.expire(later.now()).await.unwrap();
    let news = later.send("gw", Some(0), vec![]).await;
    assert_eq!(news.changes[0].refused, Some(RefusalCode::KeyExpired));
}

pub async fn a_key_without_a_cell_is_accepted(world: World) {
    world.customer("acme").await;
    world.give("acme", 5, None).await.unwrap();
    let (old, id) = ("fg_live_EFGHIJKLMNOPQRSTUVWXYZabcdefghij1aG4n0", fresh("key"));
    let credential = Credential::Key { hash: key::hash(old), prefix: "fg_live_EFGH".into() };
    world
        .run(Command::CreateKey(NewKey::plain("acme", KeyId::stored(id.clone()), credential)))
        .await
        .unwrap();
    for payer in [Payer::Key(old.into()), Payer::Id(id.clone())] {
        let answer = world.exchange_entry("gw", Entry { payer, ..asking(report("", 1, 0, 0), 1, 1) }).await;
        assert_eq!((answer.facts.unwrap().key, answer.refused), (id.clone(), None));
    }
    world.run(Command::RevokeKey { id }).await.unwrap();
}

pub async fn a_starving_gateway_gets_the_unused_credits_of_another(world: World) {
    let key = world.customer("acme").await;
    world.give("acme", 10, None).await.unwrap();
    world.exchange_entry("a", asking(report(&key, 1, 0, 0), 10, 10)).await;
    let heartbeat = world.send("a", Some(0), vec![]).await;
    assert_eq!((heartbeat.heartbeat_ms, heartbeat.changes.len()), (1_000, 0));

    let starving = world.exchange_entry("b", asking(report(&key, 1, 0, 0), 1, 5)).await;
    assert_eq!(starving.refused.unwrap().retry_ms, Some(100));
    let heartbeat = world.send("a", heartbeat.seen, vec![]).await;
    assert_eq!(heartbeat.heartbeat_ms, 100);
    assert_eq!((heartbeat.changes[0].payer.as_str(), heartbeat.changes[0].refused), (key.as_str(), None));
    assert!(world.exchange_entry("a", report(&key, 1, 3, 0)).await.lease.unwrap().recall);
    let answer = world.exchange_entry("a", report(&key, 1, 3, 6)).await;
    assert!(!answer.lease.unwrap().recall, "handed back");

    let fed = world.exchange_entry("b", asking(report(&key, 1, 0, 0), 1, 5)).await;
    assert!(fed.lease.unwrap().granted >= credits(1) && fed.refused.is_none());
    world.exchange_entry("a", ending(&key, 1, 4)).await;
    world.exchange_entry("b", ending(&key, 1, 1)).await;
    assert_eq!(world.balance("acme").await, [5, 0, 5, 0, 0]);
    world.assert_audit_passes().await;
}

pub async fn a_reclaimed_leases_late_report_is_still_charged(world: World) {
    let key = world.customer("acme").await;
    world.give("acme", 10, None).await.unwrap();
    world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 10, 10)).await;
    let mark = world.store.touches().await.unwrap();
    world.exchange_entry("gw", report(&key, 1, 2, 0)).await;
    assert_eq!(world.store.reclaim(mark, world.now()).await.unwrap().0, 0, "it was named since");
    let mark = world.store.touches().await.unwrap();
    assert_eq!(world.store.reclaim(mark, world.now()).await.unwrap(), (1, credits(8)));
    assert_eq!(world.balance("acme").await, [8, 0, 2, 0, 0]);

    let late = world.exchange_entry("gw", report(&key, 1, 7, 0)).await;
    assert_eq!((late.lease, late.refused, late.ended), (None, None, Some(1)));
    assert_eq!(world.balance("acme").await, [3, 0, 7, 0, 0]);
    world.exchange_entry("gw", ending(&key, 1, 12)).await;
    world.exchange_entry("gw", ending(&key, 1, 12)).await;
    assert_eq!(world.balance("acme").await, [0, 0, 12, 0, 2]);
    world.give("acme", 5, None).await.unwrap();
    assert_eq!(world.balance("acme").await, [3, 0, 12, 0, 0], "a debt is paid first");
    world.assert_audit_passes().await;
}

pub async fn sales_on_credit_are_charged_once(world: World) {
    let key = world.customer("acme").await;
    world.give("acme", 3, None).await.unwrap();
    let entry = Entry { lease: None, on_credit: credits(5), ..report(&key, 0, 0, 0) };
    assert_eq!(world.exchange_entry("gw", entry.clone()).await.on_credit, credits(5));
    assert_eq!(world.exchange_entry("gw", entry.clone()).await.on_credit, credits(5));
    assert_eq!(world.balance("acme").await, [0, 0, 5, 0, 2]);
    world.exchange_entry("other", Entry { on_credit: credits(1), ..entry }).await;
    assert_eq!(world.balance("acme").await, [0, 0, 6, 0, 3]);
    world.assert_audit_passes().await;
}

pub async fn a_suspension_is_announced_and_later_reports_still_count(world: World) {
    let key = world.customer("acme").await;
    let other = world.subject("acme", "second").await;
    world.give("acme", 10, None).await.unwrap();
    world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 2, 2)).await;
    world.exchange_entry("gw", asking(report(&other, 1, 0, 0), 2, 2)).await;
    let seen = world.send("gw", Some(0), vec![]).await.seen;
    let account = "acme".to_owned();
    world.run(Command::RevokeKey { id: other.clone() }).await.unwrap();
    world.run(Command::TurnAccount { account: account.clone(), turn: Transition::Suspend }).await.unwrap();
    let news = world.send("gw", seen, vec![]).await;
    let heard: Vec<_> = news.changes.iter().map(|change| (change.payer.as_str(), change.refused)).collect();
    assert_eq!(heard.len(), 2);
    assert!(heard.contains(&(key.as_str(), Some(RefusalCode::AccountSuspended))), "{heard:?}");
    assert!(heard.contains(&(other.as_str(), Some(RefusalCode::InvalidKey))), "{heard:?}");
    assert!(world.send("gw", news.seen, vec![]).await.changes.is_empty(), "each change once");
    assert!(world.send("elsewhere", Some(0), vec![]).await.changes.is_empty(), "only whom it concerns");

    let answer = world.exchange_entry("gw", asking(ending(&key, 1, 1), 1, 1)).await;
    assert_eq!((answer.refused.unwrap().code, answer.ended), (RefusalCode::AccountSuspended, Some(1)));
    assert_eq!(world.balance("acme").await, [7, 2, 1, 0, 0]);
    world.run(Command::TurnAccount { account: account.clone(), turn: Transition::Resume }).await.unwrap();
    assert!(world.exchange_entry("gw", asking(report(&key, 2, 0, 0), 1, 1)).await.lease.is_some());
    world.run(Command::TurnAccount { account: account.clone(), turn: Transition::Close }).await.unwrap();
    let resumed = world.run(Command::TurnAccount { account, turn: Transition::Resume }).await;
    assert!(matches!(resumed, Err(StoreError::Refused(Refusal::AccountClosed(_)))), "{resumed:?}");
    let account = world.store.account("acme".into()).await.unwrap();
    assert_eq!(account.state, AccountState::Closed);
    world.assert_audit_passes().await;
}

pub async fn usage_is_booked_once_per_report(world: World) {
    let key = world.customer("acme").await;
    let line = |payer: &str, rule: &str| UsageLine {
        payer: payer.into(),
        rule: rule.into(),
        requests: 3,
        credits: credits(6),
        refunds: 1,
        item: None,
        basis: None,
        used: Quantities::default(),
        product: None,
    };
    let lines = vec![line(&key, "a"), line(&key, "b"), line("key_unknown", "a")];
    for (seq, stored) in [(1, 1), (1, 1), (2, 2), (1, 2)] {
        let usage =
            Some(UsageReport { broker: "b1".into(), seq, lines: lines.clone(), ..UsageReport::default() });
        let request = ExchangeRequest {
            protocol: VERSION,
            gateway: "gw".into(),
            seen: None,
            entries: vec![],
            usage,
            models: vec![],
        };
        let answer = world.store.exchange(request, world.now(), TTL_MS).await.unwrap();
        assert_eq!(answer.usage_seq, Some(stored));
    }
    let query = UsageQuery { limit: 1, ..UsageQuery::default() };
    let usage = world.store.usage("acme".into(), query).await.unwrap();
    assert_eq!((usage.total.requests, usage.total.credits, usage.total.refunds), (12, credits(24), 4));
    assert_eq!((usage.lines[0].requests, usage.lines[0].rule.as_str()), (6, "a"));
    assert!(usage.next.unwrap().ends_with(":b") || usage.lines.len() == 1);
    let since = Some(Timestamp::from_second(world.second + 3_600).unwrap());
    let query = UsageQuery { since, limit: 10, ..UsageQuery::default() };
    assert!(world.store.usage("acme".into(), query).await.unwrap().lines.is_empty());
}

pub async fn a_recall_can_target_one_gateway_or_all(world: World) {
    let key = world.customer("acme").await;
    world.give("acme", 10, None).await.unwrap();
    world.exchange_entry("a", asking(report(&key, 1, 0, 0), 2, 2)).await;
    world.exchange_entry("b", asking(report(&key, 1, 0, 0), 2, 2)).await;
    let seen = world.send("a", Some(0), vec![]).await.seen;
    let recalled = world.run(Command::Recall { gateway: Some("a".into()) }).await.unwrap();
    assert_eq!(recalled, Done::Recall(api::RecallAnswer { leases: 1 }));
    assert!(world.send("b", seen, vec![]).await.changes.is_empty());
    assert_eq!(world.send("a", seen, vec![]).await.changes[0].refused, None);
    let recalled = world.run(Command::Recall { gateway: None }).await.unwrap();
    assert_eq!(recalled, Done::Recall(api::RecallAnswer { leases: 2 }));
    assert!(world.run(Command::Recall { gateway: Some("c".into()) }).await.is_err());
}
