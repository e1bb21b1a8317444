//! Scenarios about what callers may see of a payer's balance and limits.

use super::*;
use crate::domain::period::{Anchor, Rhythm, Unit, zone};
use crate::domain::plan::{Changes, Edit};
use crate::domain::policy::OveragePolicy;
use faregate_protocol::exchange::{Limits, PayerStatus, Quota, Rate, Reset};

const DAY: u64 = 86_400;

impl World {
    async fn status_of(&self, entry: Entry) -> PayerStatus {
        self.exchange_entry("gw", entry).await.status.expect("a status")
    }
}

/// Asks for no more than is already used.
fn only_asking(entry: Entry, used: i64) -> Entry {
    asking(entry, used, used)
}

pub async fn without_a_plan_the_payer_status_shows_the_balance(world: World) {
    let key = world.customer("acme").await;
    world.give("acme", 10, None).await.unwrap();
    let plain = |whole| PayerStatus { available: credits(whole), ..PayerStatus::default() };
    assert_eq!(world.status_of(only_asking(report(&key, 1, 0, 0), 0)).await, plain(10));
    assert_eq!(world.balance("acme").await[1], 0, "who only asks is lent nothing");
    assert_eq!(world.status_of(asking(report(&key, 1, 0, 0), 4, 4)).await, plain(6), "without what is lent");
    assert_eq!(world.exchange_entry("gw", report(&key, 1, 2, 0)).await.status, None, "no ask, no answer");
    assert_eq!(world.status_of(only_asking(report(&key, 1, 2, 0), 2)).await, plain(6));
    let short = world.exchange_entry("gw", asking(report(&key, 1, 2, 0), 50, 50)).await;
    assert_eq!(short.refused.unwrap().code, RefusalCode::InsufficientFunds);
    assert_eq!(short.status, Some(plain(6)), "also with a refusal");
    world.assert_audit_passes().await;
}

pub async fn with_a_plan_the_payer_status_shows_quota_limits_and_warning_threshold(world: World) {
    let key = world.customer("acme").await;
    let limits = Limits { rate: Some(Rate { milli_per_s: 2_500, burst: 3 }), concurrent: Some(8) };
    let terms = Terms { limits, warn_below: Some(credits(5)), ..World::terms(30) };
    world.plan_of("pro", terms).await;
    world.subscribe("acme", "pro", 0).await.unwrap();
    world.give("acme", 7, None).await.unwrap();
    world
        .exchange_entry("other", asking(report(&world.subject("acme", "second").await, 1, 0, 0), 1, 1))
        .await;

    // The subscription began on 15 January 2027 at 8:00, so its period has 31 days.
    let later = World { second: world.second + 86_400 + 1, store: world.store.clone() };
    let quota = Quota {
        size: credits(30),
        window_s: 31 * DAY,
        resets_at: "2027-02-15T08:00:00Z".into(),
        resets_in_s: 30 * DAY - 1,
    };
    let answer = later.exchange_entry("gw", asking(report(&key, 1, 0, 0), 4, 4)).await;
    let part = answer.lease.unwrap().limits;
    assert!(part != limits && !part.is_none(), "a lease has a part of the limits: {part:?}");
    let status =
        PayerStatus { available: credits(32), quota: Some(quota), limits, warn_below: Some(credits(5)) };
    assert_eq!(answer.status, Some(status.clone()));

    let changes =
        Changes { warn_below: Edit::Set(credits(9)), quota: Some(credits(40)), ..Changes::default() };
    later.run(Command::ChangePlan { name: "pro".into(), changes, at_once: true }).await.unwrap();
    let seen = later.send("gw", Some(0), vec![]).await.seen;
    later.store.renew(later.now()).await.unwrap();
    let changed = later.status_of(only_asking(report(&key, 1, 0, 0), 4)).await;
    assert_eq!((changed.available, changed.warn_below), (credits(42), Some(credits(9))));
    assert_eq!(changed.quota.map(|quota| quota.size), Some(credits(40)), "the one that is running");
    assert_eq!(later.send("gw", seen, vec![]).await.changes, [], "no lease is recalled for that");

    let over = World { second: world.second + 32 * 86_400, store: world.store.clone() };
    // It isn't renewed yet: the exchange does that, before it serves the payer.
    let renewed = over.status_of(only_asking(report(&key, 1, 0, 0), 4)).await.quota.unwrap();
    assert_eq!((renewed.window_s, renewed.resets_at.as_str()), (28 * DAY, "2027-03-15T08:00:00Z"));
    assert_eq!(over.store.renew(over.now()).await.unwrap(), 0, "nothing is left to do");
    over.assert_audit_passes().await;
}

pub async fn credits_that_the_plan_may_not_spend_are_not_shown(world: World) {
    let key = world.customer("acme").await;
    world.plan_of("small", Terms { overage: OveragePolicy::Refuse, ..World::terms(10) }).await;
    world.subscribe("acme", "small", 0).await.unwrap();
    world.give("acme", 50, None).await.unwrap();
    let first = world.status_of(asking(report(&key, 1, 0, 0), 4, 4)).await;
    assert_eq!(first.available, credits(6), "what was bought must wait");
    let again = world.status_of(only_asking(report(&key, 1, 3, 0), 3)).await;
    assert_eq!(again.available, credits(6), "also where the message moves no money");

    let short = world.exchange_entry("gw", asking(report(&key, 1, 4, 0), 50, 50)).await;
    let reset = short.refused.unwrap().reset.unwrap();
    assert_eq!((reset.size, reset.window_s), (credits(10), 31 * DAY));
    assert_eq!(reset.at, short.status.unwrap().quota.unwrap().resets_at);
    world.assert_audit_passes().await;
}

pub async fn the_payer_status_shows_no_more_than_the_budgets_leave(world: World) {
    let key = world.customer("acme").await;
    let other = world.subject("acme", "other").await;
    world.give("acme", 100, None).await.unwrap();
    world.budget(Whose::Key(key.clone()), 5, Unit::Hour).await.unwrap();
    assert_eq!(world.status_of(only_asking(report(&key, 1, 0, 0), 0)).await.available, credits(5));
    assert_eq!(world.status_of(asking(report(&key, 1, 0, 0), 2, 2)).await.available, credits(3));
    assert_eq!(world.status_of(only_asking(report(&other, 1, 0, 0), 0)).await.available, credits(98));

    let short = world.exchange_entry("gw", asking(report(&key, 1, 2, 0), 50, 50)).await;
    assert_eq!(short.status.unwrap().available, credits(3));
    let Reset { size, window_s, .. } = short.refused.unwrap().reset.unwrap();
    assert_eq!((size, window_s), (credits(5), 3_600), "in full, and not what is left");
    world.assert_audit_passes().await;
}

pub async fn a_revoked_key_gets_no_payer_status(world: World) {
    let key = world.customer("acme").await;
    world.give("acme", 10, None).await.unwrap();
    world.run(Command::TurnAccount { account: "acme".into(), turn: Transition::Suspend }).await.unwrap();
    let suspended = world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 1, 1)).await;
    assert_eq!(suspended.refused.unwrap().code, RefusalCode::AccountSuspended);
    assert_eq!(suspended.status.map(|status| status.available), Some(credits(10)), "it has its money");
    world.run(Command::TurnAccount { account: "acme".into(), turn: Transition::Resume }).await.unwrap();
    world.run(Command::RevokeKey { id: key.clone() }).await.unwrap();
    let revoked = world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 1, 1)).await;
    assert_eq!(revoked.refused.unwrap().code, RefusalCode::InvalidKey);
    assert_eq!(revoked.status, None);
}

pub async fn a_trial_quota_resets_when_the_trial_ends(world: World) {
    let key = world.customer("acme").await;
    let zone = zone("UTC").unwrap();
    let rhythm = Rhythm { unit: Unit::Day, every: 1, anchor: Anchor::Calendar, zone };
    world.plan_of("daily", Terms { rhythm, ..World::terms(10) }).await;
    let trial_ends_at = Some(Timestamp::from_second(world.second + 7_200).unwrap());
    let asked = api::NewSubscription { plan: "daily".into(), starts_at: None, trial_ends_at };
    world.run(Command::Subscribe { account: "acme".into(), id: "trial".into(), asked }).await.unwrap();
    let quota = world.status_of(only_asking(report(&key, 1, 0, 0), 0)).await.quota.unwrap();
    assert_eq!((quota.resets_at.as_str(), quota.resets_in_s), ("2027-01-15T10:00:00Z", 7_200));
    assert_eq!(quota.window_s, 10 * 3_600, "from midnight to the end of the trial");
}
