//! Scenarios about corrections: grants that are voided or changed, adjustments, and what else an operator takes back.

use super::*;
use crate::api::{Edit, GrantChange, NewAdjustment, SpentCredits, VoidGrant};
use crate::command::corrections::{Adjust, Void};
use crate::command::grants::ChangedGrant;
use crate::domain::CorrectionId;
use crate::domain::account::REOPENS_FOR;

const DAY: i64 = 86_400;

impl World {
    /// A grant's identifier.
    async fn grant(&self, account: &str, whole: i64, lasts: Option<i64>) -> String {
        match self.give(account, whole, lasts).await.unwrap() {
            Done::Grant(grant) => grant.id,
            other => panic!("{other:?}"),
        }
    }

    pub async fn void(
        &self,
        grant: &str,
        amount: Option<i64>,
        spent: SpentCredits,
    ) -> Result<[i64; 3], Refusal> {
        let asked = VoidGrant { amount: amount.map(credits), spent, note: Some("by mistake".into()) };
        let id = CorrectionId::stored(fresh("correction"));
        let void = Void { id, grant: grant.to_owned(), asked };
        self.corrected(Command::VoidGrant(void)).await
    }

    pub async fn adjust(
        &self,
        account: &str,
        whole: i64,
        missing: SpentCredits,
    ) -> Result<[i64; 3], Refusal> {
        let asked = NewAdjustment { amount: credits(whole), missing, note: None };
        let (id, grant) = (CorrectionId::stored(fresh("correction")), GrantId::stored(fresh("grant")));
        self.corrected(Command::Adjust(Adjust { id, account: account.to_owned(), grant, asked })).await
    }

    /// What it took: at once, from leases, as a debt.
    async fn corrected(&self, command: Command) -> Result<[i64; 3], Refusal> {
        match self.run(command).await {
            Ok(Done::Correction(done)) => {
                Ok([done.taken, done.pending, done.owed].map(|amount| amount.micros() / 1_000_000))
            }
            Err(StoreError::Refused(refusal)) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    async fn voided(&self, account: &str) -> i64 {
        self.store.balance(account.into(), self.now()).await.unwrap().voided.micros() / 1_000_000
    }

    async fn turn_account(&self, account: &str, turn: Transition) -> Result<Done, StoreError> {
        self.run(Command::TurnAccount { account: account.into(), turn }).await
    }

    async fn archive(&self, plan: &str, archived: bool) -> Result<Done, StoreError> {
        self.run(Command::ArchivePlan { name: plan.into(), archived }).await
    }
}

pub async fn a_voided_grant_is_taken_back_also_from_leases(world: World) {
    let key = world.customer("acme").await;
    let grant = world.grant("acme", 100, None).await;
    world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 20, 20)).await;
    world.exchange_entry("gw", report(&key, 1, 5, 0)).await;

    assert_eq!(world.void(&grant, None, SpentCredits::Keep).await, Ok([80, 15, 0]));
    assert_eq!(world.balance("acme").await, [0, 15, 5, 0, 0], "what a gateway holds may still be spent");
    world.assert_audit_passes().await;
    let recall = world.exchange_entry("gw", report(&key, 1, 8, 0)).await;
    assert!(recall.lease.is_none_or(|lease| lease.recall), "and is recalled");
    world.exchange_entry("gw", ending(&key, 1, 8)).await;
    assert_eq!(world.balance("acme").await, [0, 0, 8, 0, 0]);
    assert_eq!(world.voided("acme").await, 92);
    let again = world.void(&grant, None, SpentCredits::Keep).await;
    assert!(matches!(again, Err(Refusal::NothingToVoid { .. })), "{again:?}");

    assert_eq!(world.void(&grant, None, SpentCredits::Owed).await, Ok([0, 0, 8]));
    assert_eq!(world.balance("acme").await, [0, 0, 8, 0, 8]);
    world.give("acme", 10, None).await.unwrap();
    assert_eq!(world.balance("acme").await, [2, 0, 8, 0, 0], "the next grant pays");
    world.assert_audit_passes().await;
    let page = Page { limit: 1, after: None };
    let first = world.store.corrections("acme".into(), page).await.unwrap();
    assert_eq!(
        (first.corrections[0].amount, first.corrections[0].grant.as_ref()),
        (credits(-95), Some(&grant))
    );
    let page = Page { limit: 1, after: first.next };
    let second = world.store.corrections("acme".into(), page).await.unwrap();
    assert_eq!((second.corrections[0].owed, second.next), (credits(8), None));
    let shown = world.store.grant(grant, world.now()).await.unwrap();
    assert_eq!((shown.remaining, shown.voided), (Credits::ZERO, credits(100)));
}

pub async fn leased_credits_of_a_voided_grant_are_owed_once_spent(world: World) {
    let key = world.customer("acme").await;
    let grant = world.grant("acme", 30, Some(60)).await;
    world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 20, 20)).await;
    world.exchange_entry("gw", report(&key, 1, 4, 0)).await;

    let too_much = world.void(&grant, Some(31), SpentCredits::Owed).await;
    assert!(
        matches!(&too_much, Err(Refusal::Field { field: "amount", why }) if why.contains("is 30,")),
        "{too_much:?}"
    );
    let without = world.void(&grant, Some(27), SpentCredits::Keep).await;
    assert!(matches!(&without, Err(Refusal::Field { why, .. }) if why.contains("is 26,")), "{without:?}");
    assert_eq!(world.void(&grant, Some(28), SpentCredits::Owed).await, Ok([10, 16, 2]));
    assert_eq!(world.balance("acme").await, [0, 16, 4, 0, 2]);
    world.exchange_entry("gw", report(&key, 1, 10, 2)).await;
    assert_eq!(world.balance("acme").await, [0, 8, 10, 0, 8], "6 more were spent, and 2 came back");
    world.assert_audit_passes().await;
    let world = World { second: world.second + 60, ..world };
    world.exchange_entry("gw", ending(&key, 1, 11)).await;
    assert_eq!(world.balance("acme").await, [0, 0, 11, 0, 9], "what expires in a lease is not owed");
    assert_eq!(world.voided("acme").await, 28);
    world.assert_audit_passes().await;
}

pub async fn what_a_silent_gateway_held_of_a_voided_grant_is_taken_back(world: World) {
    let key = world.customer("acme").await;
    let grant = world.grant("acme", 30, None).await;
    world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 20, 20)).await;
    assert_eq!(world.void(&grant, Some(15), SpentCredits::Keep).await, Ok([10, 5, 0]));
    let mark = world.store.touches().await.unwrap();
    world.store.reclaim(mark, world.now()).await.unwrap();
    assert_eq!(world.balance("acme").await, [15, 0, 0, 0, 0], "the other part is the customer's again");
    assert_eq!(world.voided("acme").await, 15);
    world.exchange_entry("gw", ending(&key, 1, 3)).await;
    assert_eq!(world.balance("acme").await, [12, 0, 3, 0, 0], "a late report is charged");
    world.assert_audit_passes().await;
}

pub async fn an_adjustment_takes_what_is_there_or_becomes_owed(world: World) {
    let key = world.customer("acme").await;
    let (first, second) = (world.grant("acme", 3, Some(DAY)).await, world.grant("acme", 10, None).await);
    world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 5, 5)).await;
    let refused = world.adjust("acme", -9, SpentCredits::Keep).await;
    assert!(
        matches!(&refused, Err(Refusal::Field { field: "amount", why }) if why.contains("taken is 8 (5 more are in leases")),
        "{refused:?}"
    );
    assert_eq!(world.adjust("acme", -2, SpentCredits::Keep).await, Ok([2, 0, 0]));
    let voided = async |id: &String| world.store.grant(id.clone(), world.now()).await.unwrap().voided;
    assert_eq!((voided(&first).await, voided(&second).await), (Credits::ZERO, credits(2)));
    assert_eq!(world.adjust("acme", -9, SpentCredits::Owed).await, Ok([6, 0, 3]));
    assert_eq!(world.balance("acme").await, [0, 5, 0, 0, 3]);
    world.assert_audit_passes().await;
    world.exchange_entry("gw", report(&key, 1, 0, 4)).await;
    assert_eq!(world.balance("acme").await, [1, 1, 0, 0, 0], "what comes back pays the debt");
    assert_eq!(world.adjust("acme", 7, SpentCredits::Keep).await, Ok([0, 0, 0]));
    assert_eq!(world.balance("acme").await, [8, 1, 0, 0, 0]);
    let too_much = world.adjust("acme", -1_000_000_000_000, SpentCredits::Owed).await;
    assert!(too_much.is_ok(), "{too_much:?}");
    let too_much = world.adjust("acme", -1_000_000_000_000, SpentCredits::Owed).await;
    assert!(matches!(too_much, Err(Refusal::Field { .. })), "an account can't owe that much");
    world.assert_audit_passes().await;
}

pub async fn the_expiry_priority_and_note_of_a_grant_can_be_changed(world: World) {
    world.customer("acme").await;
    let (first, second) = (world.grant("acme", 3, Some(60)).await, world.grant("acme", 10, Some(120)).await);
    let change = async |world: &World, id: &String, changes| match world
        .run(Command::ChangeGrant(ChangedGrant { id: id.clone(), changes }))
        .await
    {
        Ok(Done::ChangedGrant(grant)) => Ok(grant),
        Err(error) => Err(error.to_string()),
        other => panic!("{other:?}"),
    };
    let note = GrantChange { note: Edit::Set("a note".into()), ..GrantChange::default() };
    assert_eq!(change(&world, &first, note).await.unwrap().note.as_deref(), Some("a note"));
    let forever = GrantChange { expires_at: Edit::Remove, priority: Some(7), note: Edit::Keep };
    let changed = change(&world, &first, forever).await.unwrap();
    let stored = world.store.grant(first, world.now()).await.unwrap();
    assert_eq!((stored.expires_at, stored.priority, stored.note.as_deref()), (None, 7, Some("a note")));
    assert_eq!(changed, stored);
    let past = GrantChange { expires_at: Edit::Set(world.now()), ..GrantChange::default() };
    assert!(change(&world, &second, past.clone()).await.unwrap_err().contains("is past"));
    let world = World { second: world.second + 120, ..world };
    assert_eq!(world.balance("acme").await, [3, 0, 0, 10, 0]);
    let later = GrantChange { expires_at: Edit::Remove, ..past };
    assert!(change(&world, &second, later.clone()).await.unwrap_err().contains("has expired"));
    world.plan("pro", 30, 0).await;
    world.subscribe("acme", "pro", 0).await.unwrap();
    let page = Page { limit: 9, after: None };
    let quota =
        world.store.grants("acme".into(), page, false, world.now()).await.unwrap().grants.pop().unwrap();
    assert!(change(&world, &quota.id, later).await.unwrap_err().contains("came with a plan"));
    assert_eq!(world.void(&quota.id, Some(4), SpentCredits::Keep).await, Ok([4, 0, 0]));
    assert_eq!(world.balance("acme").await, [29, 0, 0, 10, 0]);
    world.assert_audit_passes().await;
}

pub async fn an_account_can_be_renamed_and_reopened_for_thirty_days(world: World) {
    world.customer("acme").await;
    world.give("acme", 10, None).await.unwrap();
    let rename = Command::RenameAccount { account: "acme".into(), name: "Acme GmbH".into() };
    world.run(rename).await.unwrap();
    assert_eq!(world.store.account("acme".into()).await.unwrap().name.as_deref(), Some("Acme GmbH"));
    let state = async |world: &World| world.store.account("acme".into()).await.unwrap();
    world.turn_account("acme", Transition::Suspend).await.unwrap();
    world.turn_account("acme", Transition::Reopen).await.unwrap();
    assert_eq!(state(&world).await.state, AccountState::Suspended, "it wasn't closed");
    world.turn_account("acme", Transition::Close).await.unwrap();
    assert_eq!(state(&world).await.closed_at, Some(world.now()));
    let world = World { second: world.second + REOPENS_FOR.as_secs(), ..world };
    world.turn_account("acme", Transition::Reopen).await.unwrap();
    let reopened = state(&world).await;
    assert_eq!((reopened.state, reopened.closed_at), (AccountState::Active, None));
    assert_eq!(world.balance("acme").await, [10, 0, 0, 0, 0]);
    world.turn_account("acme", Transition::Close).await.unwrap();
    let world = World { second: world.second + REOPENS_FOR.as_secs() + 1, ..world };
    let late = world.turn_account("acme", Transition::Reopen).await;
    assert!(matches!(late, Err(StoreError::Refused(Refusal::ClosedTooLong { .. }))), "{late:?}");
}

pub async fn an_archived_plan_takes_no_subscriptions(world: World) {
    world.plan("old", 30, 0).await;
    world.plan("new", 30, 0).await;
    for account in ["acme", "bolt"] {
        world.customer(account).await;
        world.subscribe(account, "old", 0).await.unwrap();
    }
    let in_use = async |plan| {
        matches!(world.archive(plan, true).await, Err(StoreError::Refused(Refusal::PlanInUse(_))))
    };
    assert!(in_use("old").await);
    let asked = api::SubscriptionChange { plan: "new".into(), at_once: Some(false) };
    world
        .run(Command::ChangeSubscription { account: "acme".into(), id: "a".into(), asked: asked.clone() })
        .await
        .unwrap();
    assert!(in_use("new").await, "a subscription will change to it");
    let cancel = crate::domain::subscription::Transition::Cancel { at_once: true };
    for account in ["acme", "bolt"] {
        let account = account.to_owned();
        world.run(Command::TurnSubscription { account, turn: cancel }).await.unwrap();
    }
    world.archive("old", true).await.unwrap();
    world.archive("old", true).await.unwrap();
    let names = async |archived| {
        let page = Page { limit: 9, after: None };
        let plans = world.store.plans(page, archived).await.unwrap().plans;
        plans.into_iter().map(|plan| plan.name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((names(false).await, names(true).await), ("new".into(), "new old".into()));
    assert_eq!(world.store.plan("old".into()).await.unwrap().archived_at, Some(world.now()));
    let refused = world.subscribe("acme", "old", 0).await.unwrap_err().to_string();
    assert!(refused.starts_with("plan: ") && refused.contains("archived"), "{refused}");
    world.subscribe("acme", "new", 0).await.unwrap();
    let back = api::SubscriptionChange { plan: "old".into(), ..asked };
    let back = Command::ChangeSubscription { account: "acme".into(), id: "b".into(), asked: back };
    assert!(world.run(back).await.unwrap_err().to_string().contains("archived"));
    world.archive("old", false).await.unwrap();
    world.subscribe("bolt", "old", 0).await.unwrap();
}
