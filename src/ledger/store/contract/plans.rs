//! What every store must do about plans and subscriptions.

use super::{World, asking, credits, fresh, memo, report};
use crate::api::{self, SubscriptionState};
use crate::command::admin::{Command, Done};
use crate::domain::AccountId;
use crate::domain::account::Transition as AccountTurn;
use crate::domain::entitlement::{Entitlement, Running};
use crate::domain::period::{self, Anchor, Rhythm, Unit};
use crate::domain::plan::{Changes, Edit, Terms};
use crate::domain::policy::{OveragePolicy, Remainder, SubscriptionStatus};
use crate::domain::subscription::{InvalidTransition, Transition};
use crate::store::{Page, Refusal, StoreError};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Limits, Pricing, Product, Rate};
use jiff::Timestamp;

const DAY: i64 = 86_400;

impl World {
    async fn turn(&self, account: &str, turn: Transition) -> Result<Done, StoreError> {
        self.run(Command::TurnSubscription { account: account.into(), turn }).await
    }

    async fn subscription(&self, account: &str) -> api::Subscription {
        self.store.subscription(account.into()).await.unwrap()
    }

    async fn entitlement(&self, account: &str) -> Option<Entitlement> {
        self.store.entitlement_of(account.into()).await.unwrap()
    }

    async fn change(&self, account: &str, plan: &str, at_once: Option<bool>) -> Result<Done, StoreError> {
        let asked = api::SubscriptionChange { plan: plan.into(), at_once };
        self.run(Command::ChangeSubscription { account: account.into(), id: fresh("change"), asked }).await
    }

    /// Micro-credits that are available.
    async fn micros(&self, account: &str) -> i64 {
        self.store.balance(account.into(), self.now()).await.unwrap().available.micros()
    }

    /// So many credits per month from the start, and nothing else.
    pub fn terms(quota: i64) -> Terms {
        let zone = period::zone("UTC").unwrap();
        Terms::plain(credits(quota), Rhythm { unit: Unit::Month, every: 1, anchor: Anchor::Start, zone })
    }

    async fn newest_change(&self) -> u64 {
        self.send("watcher", Some(0), Vec::new()).await.seen.unwrap()
    }

    /// So many days later the ledger has renewed what was due.
    async fn later(&self, days: i64) -> Self {
        let later = Self { second: self.second + days * DAY, store: self.store.clone() };
        later.store.renew(later.now()).await.unwrap();
        assert_eq!(later.store.renew(later.now()).await.unwrap(), 0, "once is enough");
        later.assert_audit_passes().await;
        later
    }
}

pub async fn a_plan_grants_its_quota_once_per_period(world: World) {
    let key = world.customer("acme").await;
    world.plan("pro", 30, 0).await;
    world.give("acme", 5, None).await.unwrap();
    world.subscribe("acme", "pro", 0).await.unwrap();
    assert_eq!(world.balance("acme").await, [35, 0, 0, 0, 0]);
    let answer = world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 10, 10)).await;
    assert_eq!(answer.facts.unwrap().plan.as_deref(), Some("pro"));
    world.exchange_entry("gw", report(&key, 1, 8, 2)).await;
    let grants = world.store.grants("acme".into(), Page { limit: 9, after: None }, false, world.now()).await;
    let grants = grants.unwrap().grants;
    assert_eq!(grants[0].remaining, credits(5), "what was bought is spent last");
    assert_eq!(grants[1].source.as_deref(), Some("plan:pro"));
    assert_eq!(grants[1].expires_at, world.subscription("acme").await.renews_at);

    let twice = world.subscribe("acme", "pro", 0).await;
    assert!(matches!(twice, Err(StoreError::Refused(Refusal::Subscribed { .. }))), "{twice:?}");
    let nowhere = world.subscribe("acme", "nowhere", 0).await;
    assert!(nowhere.is_err(), "{nowhere:?}");
    let before = world.later(25).await;
    assert_eq!(before.balance("acme").await, [27, 0, 8, 0, 0]);
    let after = before.later(7).await;
    assert_eq!(after.balance("acme").await, [35, 0, 8, 22, 0]);
    let page = after.store.plans(Page { limit: 1, after: None }, false).await.unwrap();
    assert_eq!((page.plans[0].name.as_str(), page.next), ("pro", None));
}

pub async fn unused_quota_rolls_over_up_to_a_limit(world: World) {
    world.customer("acme").await;
    world.plan("pro", 30, 40).await;
    world.subscribe("acme", "pro", 0).await.unwrap();
    let world = world.later(32).await;
    assert_eq!(world.balance("acme").await, [60, 0, 0, 30, 0]);
    // The grants expire before the renewal; expired credits still count for the rollover.
    let late = World { second: world.second + 32 * DAY, store: world.store.clone() };
    late.store.expire(late.now()).await.unwrap();
    assert_eq!(late.balance("acme").await, [0, 0, 0, 90, 0]);
    let world = world.later(32).await;
    assert_eq!(world.balance("acme").await, [70, 0, 0, 90, 0], "60 had lapsed, and 40 are taken over");
}

pub async fn after_missed_periods_the_current_quota_is_granted_once(world: World) {
    world.customer("acme").await;
    world.customer("saver").await;
    world.plan("pro", 30, 0).await;
    world.plan("saving", 30, 100).await;
    world.subscribe("acme", "pro", 0).await.unwrap();
    world.subscribe("saver", "saving", -10 * DAY).await.unwrap();
    assert_eq!(world.balance("saver").await[0], 30);
    let world = world.later(4 * 31).await;
    assert_eq!(world.balance("acme").await, [30, 0, 0, 30, 0]);
    assert_eq!(
        world.balance("saver").await,
        [130, 0, 0, 30, 0],
        "30 that lapsed, and 3 × 30 that were missed"
    );
    let back = World { second: world.second - 40 * DAY, store: world.store.clone() };
    assert_eq!(
        back.store.renew(back.now()).await.unwrap(),
        0,
        "the clock goes back, and nothing is given twice"
    );
}

pub async fn a_plan_change_applies_at_the_next_period_or_immediately(world: World) {
    world.customer("acme").await;
    world.plan("pro", 30, 0).await;
    world.subscribe("acme", "pro", 0).await.unwrap();
    let change = async |quota: i64, at_once: bool| {
        let changes = Changes { quota: Some(credits(quota)), ..Changes::default() };
        world.run(Command::ChangePlan { name: "pro".into(), changes, at_once }).await.unwrap();
        world.later(0).await.balance("acme").await[0]
    };
    assert_eq!(change(50, false).await, 30);
    assert_eq!(change(60, true).await, 60);
    assert_eq!(change(20, true).await, 60, "nothing is taken away");
    assert_eq!(change(60, true).await, 60, "and nothing given twice");
    assert_eq!(change(20, false).await, 60);
    assert_eq!(world.later(32).await.balance("acme").await, [20, 0, 0, 60, 0]);
    assert_eq!(world.subscription("acme").await.version, 6);
}

pub async fn the_quota_is_removed_when_its_subscription_ends(world: World) {
    world.plan("pro", 30, 0).await;
    for account in ["now", "later", "paused", "shut"] {
        world.customer(account).await;
        world.give(account, 5, None).await.unwrap();
        world.subscribe(account, "pro", 0).await.unwrap();
    }
    let account = AccountId::parse("trial").unwrap();
    world.run(Command::CreateAccount { id: account, name: None }).await.unwrap();
    let ends = |days: i64| Timestamp::from_second(world.second + days * DAY).unwrap();
    let asked = api::NewSubscription { plan: "pro".into(), starts_at: None, trial_ends_at: Some(ends(14)) };
    world.run(Command::Subscribe { account: "trial".into(), id: fresh("sub"), asked }).await.unwrap();
    world.turn("now", Transition::Cancel { at_once: true }).await.unwrap();
    world.turn("later", Transition::Cancel { at_once: false }).await.unwrap();
    world.turn("paused", Transition::Pause).await.unwrap();
    let over = world.turn("now", Transition::Activate).await;
    assert!(matches!(over, Err(StoreError::Refused(Refusal::Subscription(_)))), "{over:?}");
    let turn = AccountTurn::Close;
    world.run(Command::TurnAccount { account: "shut".into(), turn }).await.unwrap();
    assert_eq!(world.balance("now").await, [5, 0, 0, 30, 0]);
    assert_eq!(world.balance("shut").await, [5, 0, 0, 30, 0]);
    assert_eq!(world.subscription("shut").await.state, SubscriptionState::Cancelled);

    let world = world.later(8).await;
    assert_eq!(world.balance("trial").await, [30, 0, 0, 0, 0]);
    let world = world.later(8).await;
    assert_eq!(world.balance("trial").await, [0, 0, 0, 30, 0]);
    let world = world.later(18).await;
    let state = async |account: &str| world.subscription(account).await.state;
    assert_eq!(state("later").await, SubscriptionState::Cancelled);
    assert_eq!(state("trial").await, SubscriptionState::Expired);
    assert_eq!(world.balance("later").await, [5, 0, 0, 30, 0]);
    assert_eq!(world.balance("paused").await, [5, 0, 0, 30, 0], "it lapses, and nothing is given");
    world.turn("paused", Transition::Resume).await.unwrap();
    assert_eq!(world.balance("paused").await, [35, 0, 0, 30, 0]);
    let again = Command::TurnSubscription { account: "paused".into(), turn: Transition::Resume };
    assert!(world.store.execute(again, memo(), world.now()).await.is_err());
    world.assert_audit_passes().await;
}

pub async fn an_overdue_subscription_is_blocked_until_it_is_paid(world: World) {
    world.plan("pro", 30, 0).await;
    for account in ["cured", "left"] {
        world.customer(account).await;
        world.subscribe(account, "pro", 0).await.unwrap();
    }
    let grace = |world: &World, days: i64| Timestamp::from_second(world.second + days * DAY).unwrap();
    let past = world.turn("cured", Transition::PastDue(grace(&world, -1))).await;
    assert!(
        matches!(past, Err(StoreError::Refused(Refusal::Field { field: "grace_until", .. }))),
        "{past:?}"
    );
    for account in ["cured", "left"] {
        world.turn(account, Transition::PastDue(grace(&world, 7))).await.unwrap();
    }
    let shown = world.subscription("cured").await;
    assert_eq!((shown.status, shown.grace_until), (SubscriptionStatus::Good, Some(grace(&world, 7))));
    assert_eq!((shown.renews_at, shown.ends_at), (None, None), "unless it is paid");

    let world = world.later(8).await;
    let shown = world.subscription("cured").await;
    assert_eq!((shown.state, shown.status), (SubscriptionState::PastDue, SubscriptionStatus::Unpaid));
    assert_eq!(world.balance("cured").await, [30, 0, 0, 0, 0], "the quota stays");
    assert_eq!(world.entitlement("cured").await.unwrap().status, SubscriptionStatus::Unpaid);
    let world = world.later(3 * 31).await;
    assert_eq!(world.balance("cured").await, [0, 0, 0, 30, 0], "nothing renews");
    let back = World { second: world.second - 95 * DAY, store: world.store.clone() };
    back.store.renew(back.now()).await.unwrap();
    assert_eq!(
        back.subscription("cured").await.status,
        SubscriptionStatus::Unpaid,
        "whatever the clock says"
    );

    world.turn("cured", Transition::Activate).await.unwrap();
    assert_eq!(world.balance("cured").await, [30, 0, 0, 30, 0], "as after a pause");
    assert_eq!(world.entitlement("cured").await.unwrap().status, SubscriptionStatus::Good);
    world.turn("left", Transition::Cancel { at_once: true }).await.unwrap();
    let entitlement = world.entitlement("left").await.unwrap();
    assert_eq!((entitlement.status, entitlement.renews_at), (SubscriptionStatus::Over, None));
    world.assert_audit_passes().await;
}

pub async fn the_entitlement_follows_the_newest_subscription(world: World) {
    let limits = Limits { rate: Some(Rate { milli_per_s: 2_500, burst: 3 }), concurrent: Some(7) };
    let product = Product { name: "embed".into(), pricing: Pricing::Times(Credits::from_micros(500_000)) };
    let terms = Terms { limits, products: Some(vec![product]), ..World::terms(30) };
    world.plan_of("pro", Terms { remainder: Remainder::Operator, ..terms.clone() }).await;
    world.customer("acme").await;
    assert_eq!(world.entitlement("acme").await, None);
    world.subscribe("acme", "pro", DAY).await.unwrap();
    assert_eq!(world.entitlement("acme").await, None, "it has not begun");
    let world = world.later(2).await;
    let running = world.subscription("acme").await;
    let good = Entitlement {
        plan: "pro".into(),
        status: SubscriptionStatus::Good,
        overage: OveragePolicy::Bought,
        renews_at: running.renews_at,
        quota: credits(30),
        limits,
        products: terms.products.clone(),
        remainder: Remainder::Operator,
        running: Some(Running {
            quota: credits(30),
            start: running.starts_at,
            end: running.renews_at.unwrap(),
        }),
        warn_below: None,
        alert_below: None,
    };
    assert_eq!(world.entitlement("acme").await, Some(good.clone()));

    let other =
        Changes { concurrent: Edit::Remove, overage: Some(OveragePolicy::Refuse), ..Changes::default() };
    let change = |changes: &Changes, at_once| Command::ChangePlan {
        name: "pro".into(),
        changes: changes.clone(),
        at_once,
    };
    world.run(change(&other, false)).await.unwrap();
    let world = world.later(0).await;
    assert_eq!(world.entitlement("acme").await, Some(good.clone()), "for running periods nothing changes");
    world.run(change(&other, true)).await.unwrap();
    let before = world.newest_change().await;
    let world = world.later(0).await;
    assert!(world.newest_change().await > before, "gateways will hear of it");
    let limits = Limits { concurrent: None, ..limits };
    let good = Entitlement { limits, overage: OveragePolicy::Refuse, ..good };
    assert_eq!(world.entitlement("acme").await, Some(good.clone()));
    let wrong = world.run(change(&Changes { burst: Edit::Set(0), ..Changes::default() }, true)).await;
    assert!(matches!(wrong, Err(StoreError::Refused(Refusal::Field { field: "burst", .. }))), "{wrong:?}");

    world.turn("acme", Transition::Cancel { at_once: false }).await.unwrap();
    let last = Entitlement { renews_at: None, quota: Credits::ZERO, ..good.clone() };
    assert_eq!(world.entitlement("acme").await, Some(last), "no other period is to come");
    world.turn("acme", Transition::Resume).await.unwrap();
    assert_eq!(world.entitlement("acme").await, Some(good));
    world.turn("acme", Transition::Cancel { at_once: true }).await.unwrap();
    let over = world.entitlement("acme").await.unwrap();
    assert_eq!(
        (over.status, over.products, over.overage),
        (SubscriptionStatus::Over, None, OveragePolicy::Bought)
    );
    assert_eq!(over.limits, Limits::default());
}

pub async fn the_overdraft_is_spent_last(world: World) {
    let key = world.customer("acme").await;
    let terms = Terms { overage: OveragePolicy::Overdraft, overdraft: credits(20), ..World::terms(30) };
    world.plan_of("pro", Terms { rollover: credits(100), ..terms }).await;
    world.give("acme", 5, None).await.unwrap();
    world.subscribe("acme", "pro", 0).await.unwrap();
    assert_eq!(world.balance("acme").await, [55, 0, 0, 0, 0]);
    assert_eq!(world.subscription("acme").await.overdraft_used, Some(Credits::ZERO));
    world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 42, 42)).await;
    world.exchange_entry("gw", report(&key, 1, 38, 0)).await;
    let shown = world.subscription("acme").await;
    assert_eq!(shown.overdraft_used, Some(credits(3)), "30 and 5, and what is in leases doesn't count");
    world.exchange_entry("gw", report(&key, 1, 38, 4)).await;
    let grants = world.store.grants("acme".into(), Page { limit: 9, after: None }, false, world.now()).await;
    let overdraft = grants.unwrap().grants.into_iter().find(|grant| grant.priority == u16::MAX).unwrap();
    assert_eq!((overdraft.source.as_deref(), overdraft.remaining), (Some("overdraft:pro"), credits(17)));
    let changes = Changes { overdraft: Some(credits(25)), ..Changes::default() };
    world.run(Command::ChangePlan { name: "pro".into(), changes, at_once: true }).await.unwrap();
    let world = world.later(0).await;
    assert_eq!(world.balance("acme").await[0], 22, "what the cap is more");

    let world = world.later(32).await;
    assert_eq!(world.balance("acme").await, [55, 0, 38, 22, 0], "it isn't taken over");
    let shown = world.subscription("acme").await;
    assert_eq!((shown.overdraft_used, shown.overdraft_used_before), (Some(Credits::ZERO), Some(credits(3))));
    let changes = Changes { overage: Some(OveragePolicy::Bought), ..Changes::default() };
    world.run(Command::ChangePlan { name: "pro".into(), changes, at_once: true }).await.unwrap();
    let world = world.later(0).await;
    assert_eq!(world.balance("acme").await[0], 30);
    world.assert_audit_passes().await;
}

pub async fn upgrades_apply_at_once_and_downgrades_with_the_next_period(world: World) {
    world.plan("small", 31, 0).await;
    world.plan("large", 62, 0).await;
    world.customer("acme").await;
    world.subscribe("acme", "small", 0).await.unwrap();
    let same = world.change("acme", "small", None).await;
    assert!(
        matches!(same, Err(StoreError::Refused(Refusal::Subscription(InvalidTransition::SamePlan)))),
        "{same:?}"
    );
    // Ten of the period's 31 days are left.
    let world = world.later(21).await;
    world.change("acme", "large", None).await.unwrap();
    assert_eq!(world.micros("acme").await, 41_000_000, "31, and ten days of 31 more");
    assert_eq!(world.subscription("acme").await.plan, "large");
    world.change("acme", "small", None).await.unwrap();
    let shown = world.subscription("acme").await;
    assert_eq!((shown.plan.as_str(), shown.next_plan.as_deref()), ("large", Some("small")));
    assert_eq!(world.entitlement("acme").await.unwrap().quota, credits(31));
    world.turn("acme", Transition::Resume).await.unwrap();
    assert_eq!(world.subscription("acme").await.next_plan, None);
    world.change("acme", "small", Some(false)).await.unwrap();
    let world = world.later(12).await;
    assert_eq!(world.micros("acme").await, 31_000_000);
    let shown = world.subscription("acme").await;
    assert_eq!((shown.plan.as_str(), shown.next_plan), ("small", None));

    let grants = world.store.grants("acme".into(), Page { limit: 9, after: None }, false, world.now()).await;
    let sources: Vec<_> = grants.unwrap().grants.into_iter().filter_map(|grant| grant.source).collect();
    assert_eq!(sources, ["plan:small", "plan:large", "plan:small"]);
    world.change("acme", "large", None).await.unwrap();
    world.change("acme", "small", Some(true)).await.unwrap();
    world.change("acme", "large", Some(true)).await.unwrap();
    world.change("acme", "small", Some(true)).await.unwrap();
    assert_eq!(world.micros("acme").await, 31_000_000, "to and fro gives nothing");
    world.change("acme", "large", Some(true)).await.unwrap();
    let all = world.micros("acme").await / 1_000_000;
    world.exchange_entry("gw", asking(report("key_acme", 1, 0, 0), all, all)).await;
    world.exchange_entry("gw", report("key_acme", 1, all, 0)).await;
    world.change("acme", "small", Some(true)).await.unwrap();
    world.change("acme", "large", Some(true)).await.unwrap();
    assert!(world.micros("acme").await < 1_000_000, "nor when all of it is spent");
    world.assert_audit_passes().await;
}

pub async fn an_immediate_downgrade_takes_leased_credits_back_too(world: World) {
    let key = world.customer("acme").await;
    world.plan("large", 62, 0).await;
    world.plan("small", 31, 0).await;
    world.subscribe("acme", "large", 0).await.unwrap();
    let world = world.later(15).await;
    world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 56, 56)).await;
    assert_eq!(world.balance("acme").await, [6, 56, 0, 0, 0]);
    world.change("acme", "small", Some(true)).await.unwrap();
    assert_eq!(world.balance("acme").await, [0, 56, 0, 6, 0], "16 are too much, and 6 are there");
    let answer = world.exchange_entry("gw", report(&key, 1, 10, 0)).await;
    assert!(answer.lease.unwrap().recall, "the rest is called back");
    world.exchange_entry("gw", report(&key, 1, 10, 46)).await;
    let world = World { second: world.second + 1, store: world.store.clone() };
    world.store.renew(world.now()).await.unwrap();
    assert_eq!(world.balance("acme").await, [36, 0, 10, 16, 0]);
    assert_eq!(world.store.renew(world.now()).await.unwrap(), 0, "there is nothing left to wait for");
    world.exchange_entry("gw", asking(report(&key, 1, 10, 46), 82, 82)).await;
    world.assert_audit_passes().await;
}

pub async fn an_immediate_change_of_interval_starts_a_new_first_period(world: World) {
    world.plan("monthly", 30, 20).await;
    let rhythm = Rhythm { unit: Unit::Year, ..World::terms(1).rhythm };
    world.plan_of("yearly", Terms { rhythm, ..World::terms(300) }).await;
    world.customer("acme").await;
    world.subscribe("acme", "monthly", 0).await.unwrap();
    let world = world.later(3).await;
    world.change("acme", "yearly", None).await.unwrap();
    assert_eq!(world.subscription("acme").await.next_plan.as_deref(), Some("yearly"));
    world.change("acme", "yearly", Some(true)).await.unwrap();
    assert_eq!(world.balance("acme").await, [300, 0, 0, 30, 0], "what was left lapses");
    let shown = world.subscription("acme").await;
    assert_eq!((shown.period_started_at, shown.next_plan), (Some(world.now()), None));
    let later = world.later(300).await;
    assert_eq!(later.balance("acme").await, [300, 0, 0, 30, 0]);
    later.change("acme", "monthly", Some(true)).await.unwrap();
    later.turn("acme", Transition::Pause).await.unwrap();
    let paused = later.change("acme", "yearly", Some(true)).await;
    assert!(
        matches!(paused, Err(StoreError::Refused(Refusal::Subscription(InvalidTransition::Paused)))),
        "{paused:?}"
    );
    later.assert_audit_passes().await;
}

pub async fn many_subscriptions_that_begin_at_once_are_all_made(world: World) {
    world.plan("pro", 40, 10).await;
    let names: Vec<String> = (0..60).map(|n| format!("c{n}")).collect();
    for name in &names {
        world.customer(name).await;
    }
    let world = std::sync::Arc::new(world);
    let mut made = tokio::task::JoinSet::new();
    for name in names {
        let world = std::sync::Arc::clone(&world);
        made.spawn(async move { world.subscribe(&name, "pro", 0).await });
    }
    while let Some(subscribed) = made.join_next().await {
        subscribed.unwrap().unwrap();
    }
    world.assert_audit_passes().await;
}
