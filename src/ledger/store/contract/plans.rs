//! What every store must do about plans and subscriptions.

use super::{World, asking, credits, fresh, memo, report};
use crate::api::{self, SubscriptionState};
use crate::domain::AccountId;
use crate::domain::account::Turn as AccountTurn;
use crate::domain::plan::Changes;
use crate::domain::subscription::Turn;
use crate::store::{Command, Done, Page, Refusal, StoreError};
use jiff::Timestamp;

const DAY: i64 = 86_400;

impl World {
    async fn turn(&self, account: &str, turn: Turn) -> Result<Done, StoreError> {
        self.run(Command::TurnSubscription { account: account.into(), turn }).await
    }

    async fn subscription(&self, account: &str) -> api::Subscription {
        self.store.subscription(account.into()).await.unwrap()
    }

    /// So many days later the ledger has renewed what was due.
    async fn later(&self, days: i64) -> Self {
        let later = Self { second: self.second + days * DAY, store: self.store.clone() };
        later.store.renew(later.now()).await.unwrap();
        assert_eq!(later.store.renew(later.now()).await.unwrap(), 0, "once is enough");
        later.is_clean().await;
        later
    }
}

pub async fn a_plan_gives_its_quota_once_per_period(world: World) {
    let key = world.customer("acme").await;
    world.plan("pro", 30, 0).await;
    world.give("acme", 5, None).await.unwrap();
    world.subscribe("acme", "pro", 0).await.unwrap();
    assert_eq!(world.balance("acme").await, [35, 0, 0, 0, 0]);
    let answer = world.tell("gw", asking(report(&key, 1, 0, 0), 10, 10)).await;
    assert_eq!(answer.facts.unwrap().plan.as_deref(), Some("pro"));
    world.tell("gw", report(&key, 1, 8, 2)).await;
    let grants = world.store.grants("acme".into(), Page { limit: 9, after: None }, world.now()).await;
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
    let page = after.store.plans(Page { limit: 1, after: None }).await.unwrap();
    assert_eq!((page.plans[0].name.as_str(), page.next), ("pro", None));
}

pub async fn what_is_left_is_taken_over_up_to_a_limit(world: World) {
    world.customer("acme").await;
    world.plan("pro", 30, 40).await;
    world.subscribe("acme", "pro", 0).await.unwrap();
    let world = world.later(32).await;
    assert_eq!(world.balance("acme").await, [60, 0, 0, 30, 0]);
    // The grants run out before anybody renews: what has lapsed counts all the same.
    let late = World { second: world.second + 32 * DAY, store: world.store.clone() };
    late.store.expire(late.now()).await.unwrap();
    assert_eq!(late.balance("acme").await, [0, 0, 0, 90, 0]);
    let world = world.later(32).await;
    assert_eq!(world.balance("acme").await, [70, 0, 0, 90, 0], "60 had lapsed, and 40 are taken over");
}

pub async fn after_three_missed_periods_the_present_one_is_given_once(world: World) {
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

pub async fn a_plan_that_changes_counts_from_the_next_period_or_at_once(world: World) {
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

pub async fn a_subscription_that_ends_takes_its_quota_back(world: World) {
    world.plan("pro", 30, 0).await;
    for account in ["now", "later", "unpaid", "paused", "shut"] {
        world.customer(account).await;
        world.give(account, 5, None).await.unwrap();
        world.subscribe(account, "pro", 0).await.unwrap();
    }
    let account = AccountId::parse("trial").unwrap();
    world.run(Command::CreateAccount { id: account, name: None }).await.unwrap();
    let ends = |days: i64| Timestamp::from_second(world.second + days * DAY).unwrap();
    let asked = api::NewSubscription { plan: "pro".into(), starts_at: None, trial_ends_at: Some(ends(14)) };
    world.run(Command::Subscribe { account: "trial".into(), id: fresh("sub"), asked }).await.unwrap();
    world.turn("now", Turn::Cancel { at_once: true }).await.unwrap();
    world.turn("later", Turn::Cancel { at_once: false }).await.unwrap();
    world.turn("unpaid", Turn::PastDue(ends(7))).await.unwrap();
    world.turn("paused", Turn::Pause).await.unwrap();
    let past = world.turn("unpaid", Turn::PastDue(ends(-1))).await;
    assert!(
        matches!(past, Err(StoreError::Refused(Refusal::Field { field: "grace_until", .. }))),
        "{past:?}"
    );
    let over = world.turn("now", Turn::Activate).await;
    assert!(matches!(over, Err(StoreError::Refused(Refusal::Subscription(_)))), "{over:?}");
    let turn = AccountTurn::Close;
    world.run(Command::TurnAccount { account: "shut".into(), turn }).await.unwrap();
    assert_eq!(world.balance("now").await, [5, 0, 0, 30, 0]);
    assert_eq!(world.balance("unpaid").await, [35, 0, 0, 0, 0]);

    let world = world.later(8).await;
    assert_eq!(world.balance("unpaid").await, [5, 0, 0, 30, 0]);
    world.subscribe("unpaid", "pro", 0).await.unwrap();
    assert_eq!(world.balance("trial").await, [30, 0, 0, 0, 0]);
    let world = world.later(8).await;
    assert_eq!(world.balance("trial").await, [0, 0, 0, 30, 0]);
    let world = world.later(18).await;
    let state = async |account: &str| world.subscription(account).await.state;
    assert_eq!(state("later").await, SubscriptionState::Cancelled);
    assert_eq!(state("trial").await, SubscriptionState::Expired);
    assert_eq!(state("shut").await, SubscriptionState::Cancelled);
    assert_eq!(state("unpaid").await, SubscriptionState::Active);
    assert_eq!(world.balance("later").await, [5, 0, 0, 30, 0]);
    assert_eq!(world.balance("paused").await, [5, 0, 0, 30, 0], "it lapses, and nothing is given");
    world.turn("paused", Turn::Resume).await.unwrap();
    assert_eq!(world.balance("paused").await, [35, 0, 0, 30, 0]);
    let again = Command::TurnSubscription { account: "paused".into(), turn: Turn::Resume };
    assert!(world.store.execute(again, memo(), world.now()).await.is_err());
    world.is_clean().await;
}
