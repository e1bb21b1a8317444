//! What every store must do, whatever its database: each scenario is a function over a
//! freshly made [`Store`], and the macro at the end runs all of them on one kind of store.

use super::*;
use crate::api::{AccountState, KeyState};
use crate::command::admin::IdempotencyRecord;
use crate::command::budgets::Whose;
use crate::command::keys::{Credential, NewKey};
use crate::command::trail::Origin;
use crate::domain::account::Transition;
use crate::domain::period::{self, Anchor, Rhythm, Unit};
use crate::domain::plan::{PlanName, Terms};
use crate::domain::{AccountId, GrantId, KeyId, key};
use faregate_protocol::RefusalCode;
use faregate_protocol::exchange::{
    Ask, Ended, Entry, EntryAnswer, Holds, LeaseReport, Payer, UsageLine, UsageReport, VERSION,
};
use faregate_protocol::metering::Quantities;

pub mod budgets;
mod corrections;
mod events;
mod plans;
mod prices;
mod rotation;
mod sessions;
mod shadow;
mod status;
mod tokens;
mod unbooked;
mod usage;

use budgets::*;
use corrections::*;
use events::*;
use plans::*;
use prices::*;
use rotation::*;
use sessions::*;
use shadow::*;
use status::*;
use tokens::*;
use unbooked::*;
use usage::*;

/// Changes an account's row, as if it had come to that, and lets gateways know.
pub struct SetAccount {
    pub account: String,
    pub set: Box<dyn Fn(&mut crate::domain::Account) + Send + Sync>,
}

impl Operation for SetAccount {
    type Output = ();

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<(), Stop> {
        let mut row = draft.account_named(&self.account)?;
        (self.set)(&mut row.account);
        draft.announce_account(row.account.no, crate::domain::KeyNo(0), now);
        draft.put(row);
        Ok(())
    }
}

const TTL_MS: u64 = 20_000;

/// A store with what a story needs around it.
pub struct World {
    pub store: Store,
    pub second: i64,
}

pub fn credits(whole: i64) -> Credits {
    Credits::from_micros(whole * 1_000_000)
}

/// A name that nothing has yet, not even in a database from long ago.
fn fresh(kind: &str) -> String {
    format!("{kind}_{}", uuid::Uuid::now_v7().simple())
}

pub fn memo() -> IdempotencyRecord {
    IdempotencyRecord { key: fresh("memo"), fingerprint: [0; 32], origin: Origin::default() }
}

impl World {
    pub fn new(store: Store) -> Self {
        Self { store, second: 1_800_000_000 }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.second).unwrap()
    }

    pub async fn run(&self, command: Command) -> Result<Done, StoreError> {
        match self.store.execute(command, memo(), self.now()).await? {
            Answer::First(done) => Ok(done),
            Answer::Replayed(body) => panic!("never asked before: {body}"),
        }
    }

    /// An account with a subject of the same name as its credential; gives the key's identifier.
    pub async fn customer(&self, id: &str) -> String {
        let account = AccountId::parse(id).unwrap();
        self.run(Command::CreateAccount { id: account, name: None }).await.unwrap();
        self.subject(id, id).await
    }

    pub async fn subject(&self, account: &str, subject: &str) -> String {
        let id = KeyId::stored(format!("key_{subject}"));
        let credential = Credential::Subject(subject.into());
        self.run(Command::CreateKey(NewKey::plain(account, id.clone(), credential))).await.unwrap();
        id.to_string()
    }

    pub async fn give(&self, account: &str, whole: i64, lasts: Option<i64>) -> Result<Done, StoreError> {
        let id = GrantId::stored(fresh("grant"));
        let expires_at = lasts.map(|lasts| Timestamp::from_second(self.second + lasts).unwrap());
        let (account, amount) = (account.to_owned(), credits(whole));
        let (note, source) = (None, None);
        self.run(Command::Grant { account, id, amount, priority: 100, expires_at, note, source }).await
    }

    /// A plan with this monthly quota, counted from the subscription's start, and this rollover limit.
    pub async fn plan(&self, name: &str, quota: i64, rollover: i64) {
        let zone = period::zone("Europe/Berlin").unwrap();
        let rhythm = Rhythm { unit: Unit::Month, every: 1, anchor: Anchor::Start, zone };
        let terms = Terms { rollover: credits(rollover), ..Terms::plain(credits(quota), rhythm) };
        self.plan_of(name, terms).await;
    }

    pub async fn plan_of(&self, name: &str, terms: Terms) {
        let name = PlanName::parse(name).unwrap();
        self.run(Command::CreatePlan { name, terms }).await.unwrap();
    }

    /// Subscribes an account to a plan, with a start this many seconds from now (negative: in the past).
    pub async fn subscribe(&self, account: &str, plan: &str, ahead: i64) -> Result<Done, StoreError> {
        let starts_at = Some(Timestamp::from_second(self.second + ahead).unwrap());
        let asked = api::NewSubscription { plan: plan.into(), starts_at, trial_ends_at: None };
        self.run(Command::Subscribe { account: account.into(), id: fresh("sub"), asked }).await
    }

    pub async fn send(&self, gateway: &str, seen: Option<u64>, entries: Vec<Entry>) -> ExchangeResponse {
        let gateway = gateway.to_owned();
        let request =
            ExchangeRequest { protocol: VERSION, gateway, seen, entries, usage: None, models: vec![] };
        self.store.exchange(request, self.now(), TTL_MS).await.unwrap()
    }

    pub async fn exchange_entry(&self, gateway: &str, entry: Entry) -> EntryAnswer {
        self.send(gateway, None, vec![entry]).await.entries.pop().unwrap()
    }

    pub async fn balance(&self, account: &str) -> [i64; 5] {
        let b = self.store.balance(account.into(), self.now()).await.unwrap();
        [b.available, b.held, b.spent, b.expired, b.owed].map(|amount| amount.micros() / 1_000_000)
    }

    /// The audit passes regardless of what gateways have reported.
    pub async fn agrees(&self) {
        let audit = self.store.audit().await.unwrap();
        assert!(audit.agrees(), "{:#?}", audit.problems);
    }

    pub async fn assert_audit_passes(&self) {
        let audit = self.store.audit().await.unwrap();
        assert!(audit.ok, "{:#?}", audit.problems);
    }
}

pub fn report(key: &str, epoch: u32, spent: i64, returned: i64) -> Entry {
    Entry {
        payer: Payer::Id(key.into()),
        ended: None,
        lease: Some(LeaseReport {
            epoch,
            spent: credits(spent),
            returned: credits(returned),
            held: Credits::ZERO,
            demand: 0,
        }),
        ask: None,
        on_credit: Credits::ZERO,
        holds: Holds::default(),
    }
}

pub fn asking(entry: Entry, need: i64, want: i64) -> Entry {
    Entry { ask: Some(Ask { least: credits(need), need: credits(need), want: credits(want) }), ..entry }
}

pub fn ending(key: &str, epoch: u32, spent: i64) -> Entry {
    Entry { lease: None, ended: Some(Ended { epoch, spent: credits(spent) }), ..report(key, 0, 0, 0) }
}

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

pub async fn grants_run_out_of_time(world: World) {
    let key = world.customer("acme").await;
    world.give("acme", 10, Some(60)).await.unwrap();
    world.give("acme", 5, None).await.unwrap();
    world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 4, 4)).await;
    let world = World { second: world.second + 60, ..world };
    assert_eq!(world.balance("acme").await, [5, 4, 0, 6, 0], "before anybody took it out");
    assert_eq!(world.store.expire(world.now()).await.unwrap(), 1);
    assert_eq!(world.store.expire(world.now()).await.unwrap(), 0);
    world.exchange_entry("gw", report(&key, 1, 1, 2)).await;
    assert_eq!(world.balance("acme").await, [5, 1, 1, 8, 0], "what comes back too late is lost as well");
    world.assert_audit_passes().await;
}

pub async fn repeated_admin_commands_are_idempotent(world: World) {
    let id = AccountId::parse("acme").unwrap();
    let command = Command::CreateAccount { id: id.clone(), name: Some("Acme".into()) };
    let (key, origin) = ("once".into(), Origin::default());
    let memo = IdempotencyRecord { key, fingerprint: [1; 32], origin };
    let first = world.store.execute(command.clone(), memo.clone(), world.now()).await.unwrap();
    let Answer::First(done) = first else { panic!("{first:?}") };
    let again = world.store.execute(command.clone(), memo.clone(), world.now()).await.unwrap();
    assert_eq!(again, Answer::Replayed(serde_json::to_string(&done).unwrap()));
    let other = IdempotencyRecord { fingerprint: [2; 32], ..memo };
    let reused = world.store.execute(command.clone(), other, world.now()).await;
    assert!(matches!(reused, Err(StoreError::Refused(Refusal::KeyReused))), "{reused:?}");
    let exists = world.run(command).await;
    assert!(matches!(exists, Err(StoreError::Refused(Refusal::AccountExists(_)))), "{exists:?}");
    let late = World { second: world.second + 2 * 86_400, ..world };
    assert!(late.store.prune(late.now()).await.unwrap() > 0, "answers are kept for a day");
}

pub async fn the_number_of_grants_per_account_is_limited(world: World) {
    world.customer("acme").await;
    for _ in 0..crate::domain::grant::MAX_LIVE_GRANTS {
        world.give("acme", 1, None).await.unwrap();
    }
    let more = world.give("acme", 1, None).await;
    assert!(matches!(more, Err(StoreError::Refused(Refusal::TooManyGrants { .. }))), "{more:?}");
    world.assert_audit_passes().await;
}

pub async fn a_grant_that_would_overflow_the_books_is_refused(world: World) {
    world.customer("acme").await;
    for _ in 0..9 {
        world.give("acme", 1_000_000_000_000, None).await.unwrap();
    }
    let more = world.give("acme", 1_000_000_000_000, None).await;
    assert!(matches!(more, Err(StoreError::Refused(Refusal::Book(_)))), "{more:?}");
    assert_eq!(world.balance("acme").await[0], 9_000_000_000_000);
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

pub async fn lists_come_in_pages(world: World) {
    for id in ["c", "a", "b"] {
        world.customer(id).await;
        world.give(id, 1, None).await.unwrap();
    }
    let first = world
        .store
        .accounts(AccountQuery { page: Page { limit: 2, after: None }, ..AccountQuery::default() })
        .await
        .unwrap();
    assert_eq!(first.next.as_deref(), Some("b"));
    let rest = world
        .store
        .accounts(AccountQuery { page: Page { limit: 2, after: first.next }, ..AccountQuery::default() })
        .await
        .unwrap();
    assert_eq!((rest.accounts[0].id.as_str(), rest.next), ("c", None));
    let page = Page { limit: 2, after: None };
    assert_eq!(world.store.grants("a".into(), page, false, world.now()).await.unwrap().grants.len(), 1);
    let missing = world.store.balance("d".into(), world.now()).await;
    assert!(matches!(missing, Err(StoreError::Refused(Refusal::NotFound { what: "account", .. }))));
    world.store.write_probe(world.now()).await.unwrap();
}

/// Runs all stories on the stores that `$make` makes; it gives a store and what must outlive it.
macro_rules! stories {
    ($make:expr; $($story:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $story() {
                let Some((store, _keep)) = $make().await else { return };
                let handle = store.clone();
                super::$story(super::World::new(store)).await;
                handle.close().await;
            }
        )*
    };
    ($make:expr) => {
        stories! { $make;
            a_lease_is_opened_spent_and_returned,
            an_empty_account_is_refused_until_a_top_up,
            an_unknown_caller_gets_no_lease,
            a_key_is_found_by_its_hash,
            a_key_without_a_cell_is_accepted,
            a_starving_gateway_gets_the_unused_credits_of_another,
            a_reclaimed_leases_late_report_is_still_charged,
            sales_on_credit_are_charged_once,
            a_suspension_is_announced_and_later_reports_still_count,
            grants_run_out_of_time,
            repeated_admin_commands_are_idempotent,
            a_voided_grant_is_taken_back_also_from_leases,
            leased_credits_of_a_voided_grant_are_owed_once_spent,
            what_a_silent_gateway_held_of_a_voided_grant_is_taken_back,
            an_adjustment_takes_what_is_there_or_becomes_owed,
            the_expiry_priority_and_note_of_a_grant_can_be_changed,
            an_account_can_be_renamed_and_reopened_for_thirty_days,
            an_archived_plan_takes_no_subscriptions,
            the_number_of_grants_per_account_is_limited,
            a_grant_that_would_overflow_the_books_is_refused,
            usage_is_booked_once_per_report,
            a_gateway_hears_prices_and_of_every_change,
            future_prices_are_heard_when_their_time_comes,
            usage_by_model_is_booked_once_and_summed,
            usage_shows_what_models_cost_their_seller_and_what_is_left,
            a_models_cost_stays_until_another_is_set,
            shadow_refusals_are_listed_by_caller_and_cause,
            shadow_refusals_are_deleted_after_a_month,
            many_subscriptions_that_begin_at_once_are_all_made,
            usage_is_booked_in_the_minute_in_which_it_happened,
            old_usage_is_summed_up_by_hours_and_later_by_days,
            usage_is_summed_up_by_periods_and_groups_page_by_page,
            refusals_are_kept_by_the_hour_with_what_cures_them,
            a_recall_can_target_one_gateway_or_all,
            a_rotated_key_works_until_the_overlap_ends,
            a_rotation_without_overlap_is_announced_at_once,
            only_a_key_that_works_can_be_rotated,
            a_rotated_key_has_the_budget_with_what_was_used_of_it,
            a_keys_last_use_is_known_to_the_minute,
            lists_come_in_pages,
            a_plan_grants_its_quota_once_per_period,
            unused_quota_rolls_over_up_to_a_limit,
            after_missed_periods_the_current_quota_is_granted_once,
            a_plan_change_applies_at_the_next_period_or_immediately,
            the_quota_is_removed_when_its_subscription_ends,
            an_overdue_subscription_is_blocked_until_it_is_paid,
            the_entitlement_follows_the_newest_subscription,
            the_overdraft_is_spent_last,
            upgrades_apply_at_once_and_downgrades_with_the_next_period,
            an_immediate_downgrade_takes_leased_credits_back_too,
            an_immediate_change_of_interval_starts_a_new_first_period,
            an_exhausted_key_budget_does_not_affect_other_keys,
            a_team_shares_its_budget_and_only_its_leases_are_recalled,
            late_reports_and_sales_on_credit_count_toward_the_budget,
            lowering_a_budget_recalls_unused_credits,
            no_budget_may_exceed_the_one_that_encloses_it,
            a_plan_without_overage_leaves_bought_credits_untouched,
            gateways_stop_serving_an_unpaid_account,
            limits_are_divided_among_the_holders,
            a_reclaimed_remainder_may_go_to_the_operator_without_a_double_charge,
            without_a_plan_the_payer_status_shows_the_balance,
            with_a_plan_the_payer_status_shows_quota_limits_and_warning_threshold,
            credits_that_the_plan_may_not_spend_are_not_shown,
            the_payer_status_shows_no_more_than_the_budgets_leave,
            a_revoked_key_gets_no_payer_status,
            a_trial_quota_resets_when_the_trial_ends,
            an_entry_that_cannot_be_booked_fails_alone,
            a_lease_that_cannot_be_reclaimed_does_not_affect_others,
            implausible_amounts_are_not_charged_and_the_audit_lists_them,
            no_gateway_can_overflow_an_account,
            usage_totals_saturate_at_the_integer_maximum,
            a_subject_stands_for_one_operator_until_it_is_revoked,
            an_operator_has_several_tokens_of_one_scope,
            the_last_use_of_a_token_is_kept_to_the_minute,
            a_gateway_is_tied_to_the_named_token_that_it_came_with,
            the_trail_says_who_did_what_and_what_was_there_before,
            a_low_balance_is_announced_once_per_crossing,
            a_renewal_announces_no_low_balance,
            percentages_of_a_quota_are_announced_once_per_period,
            events_are_delivered_in_order_by_one_ledger_at_a_time,
            an_endpoint_is_given_up_after_three_days_and_keeps_its_events,
            a_replay_delivers_again_what_an_endpoint_wants,
            an_end_that_is_near_is_announced_once,
            events_are_kept_for_a_month,
            a_session_ends_by_age_idleness_signing_out_and_the_eleventh,
        }
    };
}

mod on_sqlite {
    use super::super::{Database, Store};
    use std::sync::Arc;

    async fn make() -> Option<(Store, tempfile::TempDir)> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Database::Directory(dir.path().to_owned()), Arc::default()).await;
        Some((store.unwrap(), dir))
    }

    stories!(make);
}

mod on_postgres {
    use super::super::postgres::testing::Server;
    use super::super::{Database, Store};
    use std::sync::Arc;

    async fn make() -> Option<(Store, ())> {
        let settings = Server::shared()?.database().await;
        let store = Store::open(&Database::Server(Box::new(settings)), Arc::default()).await;
        Some((store.unwrap(), ()))
    }

    stories!(make);
}
