//! The rows of all tables, each described once. Money and rules are in `domain`; this says where they are kept.
//!
//! A table that is added here must be added to [`TABLES`] as well, and to the migrations of both databases.

mod access;
mod events;
mod mail;
mod portal;
mod sessions;

pub use access::{TokenRow, TrailRow};
pub use events::{AlertDefaultRow, DeliveryKey, DeliveryRow, EventKey, EventRow, WebhookRow};
pub use mail::{FaultsRow, MailAddressRow};
pub use portal::{PortalLinkRow, PortalSessionRow, PortalSubjectRow};
pub use sessions::SessionRow;

use super::record::{Record, Table};
use crate::api::CorrectionKind;
use crate::domain::alert::Alerts;
use crate::domain::budget::ScopeName;
use crate::domain::funds::Taken;
use crate::domain::grant_kind::GrantKind;
use crate::domain::period::{Anchor, Rhythm, Unit};
use crate::domain::plan::{Terms, Version, usual_burst};
use crate::domain::subscription::Subscription;
use crate::domain::{
    Account, AccountNo, Budget, GatewayNo, Grant, GrantId, GrantNo, Key, KeyNo, Lease, PlanNo, Scope, TeamNo,
};
use crate::record;
use faregate_protocol::Credits;
use faregate_protocol::exchange::Rate;
use faregate_protocol::prices::ModelPrices;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// An account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountRow {
    /// Its money, and what an exchange must know of it.
    pub account: Account,
    /// What people call it.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was closed, as long as it is.
    pub closed_at: Option<Timestamp>,
    /// What was announced about it, and is to be.
    pub alerts: Alerts,
}

record! { AccountRow in "accounts" by "no": (AccountNo,) = |row| (row.account.no,);
    no: Fixed account.no,
    id: Fixed account.id,
    name: Cold name,
    state: Cold account.state,
    available: Hot account.books.available,
    held: Hot account.books.held,
    spent: Hot account.books.spent,
    expired: Hot account.books.expired,
    owed: Hot account.books.owed,
    granted: Hot account.books.granted,
    holders: Hot account.holders,
    tight: Hot account.tight,
    created_ms: Fixed created_at,
    plan: Cold account.plan,
    entitlement: Cold account.entitlement,
    budgets: Cold account.budgets,
    due_ms: Cold account.due,
    voided: Cold account.books.voided,
    voiding: Cold account.voiding,
    closed_ms: Cold closed_at,
    alert_below: Cold alerts.below,
    low: Cold alerts.low,
    quota_watch: Cold alerts.quota,
    events: Cold alerts.events,
    refusing: Cold alerts.refusing,
    refusing_ms: Cold alerts.refusing_due,
}

/// A team.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TeamRow {
    /// Its number.
    pub no: TeamNo,
    /// In which account.
    pub account: AccountNo,
    /// Its identifier.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

record! { TeamRow in "teams" by "no": (TeamNo,) = |row| (row.no,);
    no: Fixed no,
    account: Fixed account,
    id: Fixed id,
    name: Fixed name,
    created_ms: Fixed created_at,
}

/// A credential: a key, of which only the hash is kept, or a subject that gateways vouch for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyRow {
    /// What an exchange must know of it.
    pub key: Key,
    /// Whose.
    pub account: AccountNo,
    /// The key's SHA-256.
    pub hash: Option<Vec<u8>>,
    /// How the key begins.
    pub prefix: Option<String>,
    /// The subject.
    pub subject: Option<String>,
    /// Gateways have heard that its time is over.
    pub expiry_announced: bool,
    /// What it is for.
    pub note: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The key that it was rotated to.
    pub replaced_by: Option<KeyNo>,
    /// The end that was announced to come soon.
    pub soon: Option<Timestamp>,
}

record! { KeyRow in "keys" by "no": (KeyNo,) = |row| (row.key.no,);
    no: Fixed key.no,
    id: Fixed key.id,
    account: Fixed account,
    hash: Fixed hash,
    prefix: Fixed prefix,
    subject: Fixed subject,
    revoked: Cold key.revoked,
    expires_ms: Cold key.expires_at,
    expiry_announced: Cold expiry_announced,
    note: Fixed note,
    created_ms: Fixed created_at,
    team: Fixed key.team,
    products: Fixed key.products,
    replaced_by: Cold replaced_by,
    soon_ms: Cold soon,
}

/// When a key was last used. It is no column of the key's own row, because a usage report comes without the lock that
/// guards that.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyUseRow {
    /// Which.
    pub key: KeyNo,
    /// The last minute for which usage was reported.
    pub minute: i64,
}

record! { KeyUseRow in "key_uses" by "key": (KeyNo,) = |row| (row.key,);
    key: Fixed key,
    minute: Max minute,
}

/// A budget of an account, a team or a key.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetRow {
    /// In which account.
    pub account: AccountNo,
    /// Of which kind of thing.
    pub scope: ScopeName,
    /// The number of that team or key; zero for the account.
    pub target: i64,
    /// Credits per period.
    pub credits: Credits,
    /// What periods are counted in.
    pub unit: Unit,
    /// So many of these.
    pub every: u16,
    /// In which time zone.
    pub zone: TimeZone,
    /// When the period that is counted began.
    pub start: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// Spent in it.
    pub spent: Credits,
    /// In leases.
    pub held: Credits,
    /// When it was first set.
    pub created_at: Timestamp,
    /// The percentage of it that was last announced as spent in the period.
    pub announced: u8,
}

impl Default for BudgetRow {
    fn default() -> Self {
        Self {
            account: AccountNo::default(),
            scope: ScopeName::default(),
            target: 0,
            credits: Credits::ZERO,
            unit: Unit::default(),
            every: 1,
            zone: TimeZone::UTC,
            start: Timestamp::default(),
            until: Timestamp::default(),
            spent: Credits::ZERO,
            held: Credits::ZERO,
            created_at: Timestamp::default(),
            announced: 0,
        }
    }
}

/// By what a budget is found.
pub type BudgetKey = (AccountNo, ScopeName, i64);

record! { BudgetRow in "budgets" by "account, scope, target": BudgetKey =
    |row| (row.account, row.scope, row.target);
    account: Fixed account,
    scope: Fixed scope,
    target: Fixed target,
    credits: Cold credits,
    unit: Cold unit,
    every: Cold every,
    zone: Cold zone,
    period_ms: Hot start,
    until_ms: Hot until,
    spent: Hot spent,
    held: Hot held,
    created_ms: Fixed created_at,
    announced: Cold announced,
}

impl BudgetRow {
    /// By what a scope's budget is found.
    pub const fn place(account: AccountNo, scope: Scope) -> BudgetKey {
        (account, ScopeName::of(scope), scope.target())
    }

    /// Of what it is.
    pub fn whose(&self) -> Scope {
        Scope::stored(self.scope.as_str(), self.target)
    }

    /// The budget.
    pub fn budget(&self) -> Budget {
        Budget {
            scope: self.whose(),
            credits: self.credits,
            rhythm: Rhythm {
                unit: self.unit,
                every: self.every,
                anchor: Anchor::Calendar,
                zone: self.zone.clone(),
            },
            start: self.start,
            until: self.until,
            spent: self.spent,
            held: self.held,
            announced: self.announced,
        }
    }

    /// The row of a budget.
    pub fn of(account: AccountNo, budget: &Budget, created_at: Timestamp) -> Self {
        let (account, scope, target) = Self::place(account, budget.scope);
        let Rhythm { unit, every, zone, .. } = budget.rhythm.clone();
        let Budget { credits, start, until, spent, held, announced, .. } = *budget;
        let rhythm = Self { account, scope, target, unit, every, zone, ..Self::default() };
        Self { credits, start, until, spent, held, created_at, announced, ..rhythm }
    }
}

/// A grant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GrantRow {
    /// Its money. Whether it came with a plan is known by `subscription`; see [`GrantRow::grant`].
    pub grant: Grant,
    /// Its identifier.
    pub id: GrantId,
    /// Whose.
    pub account: AccountNo,
    /// How much was given.
    pub amount: Credits,
    /// What it is for.
    pub note: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
    /// When it was given.
    pub created_at: Timestamp,
    /// Which subscription gave it.
    pub subscription: Option<i64>,
    /// The end that was announced to come soon.
    pub soon: Option<Timestamp>,
}

record! { GrantRow in "grants" by "no": (GrantNo,) = |row| (row.grant.no,);
    no: Fixed grant.no,
    id: Fixed id,
    account: Fixed account,
    amount: Fixed amount,
    remaining: Hot grant.remaining,
    priority: Cold grant.priority,
    expires_ms: Cold grant.expires_at,
    note: Cold note,
    source: Fixed source,
    created_ms: Fixed created_at,
    subscription: Fixed subscription,
    voided: Cold grant.voided,
    voiding: Cold grant.voiding,
    voiding_owed: Cold grant.voiding_owed,
    soon_ms: Cold soon,
}

impl GrantRow {
    /// Its money.
    pub fn grant(&self) -> Grant {
        Grant { of_plan: self.subscription.is_some(), ..self.grant.clone() }
    }

    /// Where it comes from.
    pub fn kind(&self) -> GrantKind {
        GrantKind::of(self.subscription.is_some(), self.grant.priority)
    }
}

/// A correction: credits that were taken back, or given to put a balance right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CorrectionRow {
    /// Its number.
    pub no: i64,
    /// Its identifier.
    pub id: String,
    /// Whose.
    pub account: AccountNo,
    /// The grant that was voided, or given.
    pub grant: Option<GrantNo>,
    /// What was done.
    pub kind: CorrectionKind,
    /// How much; below zero where credits were taken.
    pub amount: Credits,
    /// What of it was taken, by where it was taken from.
    pub taken: Taken,
    /// What it is for.
    pub note: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

record! { CorrectionRow in "corrections" by "no": (i64,) = |row| (row.no,);
    no: Fixed no,
    id: Fixed id,
    account: Fixed account,
    grant_no: Fixed grant,
    kind: Fixed kind,
    amount: Fixed amount,
    taken: Fixed taken.available,
    pending: Fixed taken.leased,
    owed: Fixed taken.owed,
    note: Fixed note,
    created_ms: Fixed created_at,
}

/// A gateway, by the name that it gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GatewayRow {
    /// Its number.
    pub no: GatewayNo,
    /// Its name.
    pub name: String,
    /// The name of the gateway token that it is tied to; none for the token of the environment.
    pub token: Option<String>,
    /// Which version of the filter it last said that it has.
    pub version: Option<String>,
}

record! { GatewayRow in "gateways" by "no": (GatewayNo,) = |row| (row.no,);
    no: Fixed no,
    name: Fixed name,
    token: Cold token,
    version: Cold version,
}

/// A plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanRow {
    /// Its number.
    pub no: PlanNo,
    /// Its name.
    pub name: String,
    /// Its newest version.
    pub version: u32,
    /// The newest version that counts for running periods as well; zero when none does.
    pub at_once: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it takes no subscriptions.
    pub archived_at: Option<Timestamp>,
}

record! { PlanRow in "plans" by "no": (PlanNo,) = |row| (row.no,);
    no: Fixed no,
    name: Fixed name,
    version: Cold version,
    at_once: Cold at_once,
    created_ms: Fixed created_at,
    archived_ms: Cold archived_at,
}

/// A version of a plan, which never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionRow {
    /// Of which plan.
    pub plan: PlanNo,
    /// Its number; the first is 1.
    pub version: u32,
    /// What it says, but for the rate; see [`VersionRow::read_as`].
    pub terms: Terms,
    /// Thousandths of a request per second.
    pub rate_milli: Option<u32>,
    /// How many requests at once after a pause.
    pub burst: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Default for VersionRow {
    fn default() -> Self {
        let terms = Terms::plain(Credits::ZERO, Rhythm::default());
        let (plan, created_at) = (PlanNo::default(), Timestamp::default());
        Self { plan, version: 0, terms, rate_milli: None, burst: None, created_at }
    }
}

record! { VersionRow in "plan_versions" by "plan, version": (PlanNo, u32) = |row| (row.plan, row.version);
    plan: Fixed plan,
    version: Fixed version,
    quota: Fixed terms.quota,
    unit: Fixed terms.rhythm.unit,
    every: Fixed terms.rhythm.every,
    anchor: Fixed terms.rhythm.anchor,
    zone: Fixed terms.rhythm.zone,
    rollover: Fixed terms.rollover,
    created_ms: Fixed created_at,
    overage: Fixed terms.overage,
    overdraft: Fixed terms.overdraft,
    rate_milli: Fixed rate_milli,
    burst: Fixed burst,
    concurrent: Fixed terms.limits.concurrent,
    products: Fixed terms.products,
    remainder: Fixed terms.remainder,
    warn_below: Fixed terms.warn_below,
    alert_below: Fixed terms.alert_below,
}

impl VersionRow {
    /// The row of a version.
    pub fn of(plan: PlanNo, version: u32, terms: Terms, created_at: Timestamp) -> Self {
        let rate = terms.limits.rate;
        let (rate_milli, burst) = (rate.map(|rate| rate.milli_per_s), rate.map(|rate| rate.burst));
        Self { plan, version, terms, rate_milli, burst, created_at }
    }

    /// The version.
    pub fn read_as(&self) -> Version {
        let mut terms = self.terms.clone();
        terms.limits.rate = self.rate_milli.map(|milli_per_s| {
            let burst = self.burst.unwrap_or_else(|| usual_burst(milli_per_s));
            Rate { milli_per_s, burst }
        });
        Version { number: self.version, terms }
    }
}

/// A subscription.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubscriptionRow {
    /// Its number.
    pub no: i64,
    /// Its identifier.
    pub id: String,
    /// Whose.
    pub account: AccountNo,
    /// Its subscription to a plan.
    pub subscription: Subscription,
    /// When something is due the next time.
    pub due: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The end, or the renewal, that was announced to come soon.
    pub soon: Option<Timestamp>,
}

record! { SubscriptionRow in "subscriptions" by "no": (i64,) = |row| (row.no,);
    no: Fixed no,
    id: Fixed id,
    account: Fixed account,
    plan: Cold subscription.plan,
    version: Cold subscription.version,
    state: Cold subscription.state,
    starts_ms: Fixed subscription.starts_at,
    anchor_ms: Cold subscription.anchor,
    until_ms: Cold subscription.until,
    cancels_ms: Cold subscription.cancels_at,
    period_ms: Cold subscription.period_start,
    granted_ms: Cold subscription.granted_until,
    given: Cold subscription.given,
    due_ms: Cold due,
    created_ms: Fixed created_at,
    next_plan: Cold subscription.next_plan,
    excess: Cold subscription.excess,
    soon_ms: Cold soon,
}

/// By what a lease is found.
pub type LeaseKey = (GatewayNo, KeyNo);

/// A lease.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeaseRow {
    /// The lease.
    pub lease: Lease,
    /// The sum of its draws.
    pub escrow: Credits,
    /// The stamp of the transaction that last named it while it was open.
    pub touch: i64,
    /// When it was last changed; of one that is open, when it was opened.
    pub changed_at: Timestamp,
}

record! { LeaseRow in "leases" by "gateway, key": LeaseKey = |row| (row.lease.gateway, row.lease.key);
    gateway: Fixed lease.gateway,
    key: Fixed lease.key,
    account: Fixed lease.account,
    epoch: Cold lease.epoch,
    state: Cold lease.state,
    granted: Hot lease.granted,
    spent: Hot lease.spent,
    returned: Hot lease.returned,
    held: Hot lease.held,
    draws: Hot lease.draws,
    escrow: Hot escrow,
    on_credit: Hot lease.on_credit,
    recall: Cold lease.recall,
    fast_heartbeat: Cold lease.fast_heartbeat,
    touch: Hot touch,
    changed_ms: Cold changed_at,
    demand: Hot lease.demand,
}

/// What a lease's gateway reported and will never be charged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnbookedRow {
    /// Which gateway.
    pub gateway: GatewayNo,
    /// By which key.
    pub key: KeyNo,
    /// Whose.
    pub account: AccountNo,
    /// The last epoch that it was about.
    pub epoch: u32,
    /// How often.
    pub reports: i64,
    /// How much.
    pub credits: Credits,
    /// When it last did.
    pub last_at: Timestamp,
}

record! { UnbookedRow in "unbooked" by "gateway, key": LeaseKey = |row| (row.gateway, row.key);
    gateway: Fixed gateway,
    key: Fixed key,
    account: Fixed account,
    epoch: Hot epoch,
    reports: Sum reports,
    credits: Sum credits,
    last_ms: Hot last_at,
}

/// By what an entry is found: account, minute, kind, key, gateway, epoch, grant.
pub type EntryKey = (AccountNo, i64, i64, KeyNo, GatewayNo, u32, GrantNo);

/// What moved for the same reason within a minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntryRow {
    /// By what it is found.
    pub place: EntryKey,
    /// How much.
    pub amount: Credits,
}

record! { EntryRow in "entries" by "account, minute, kind, key, gateway, epoch, grant_no": EntryKey =
    |row| row.place;
    account: Fixed place.0,
    minute: Fixed place.1,
    kind: Fixed place.2,
    key: Fixed place.3,
    gateway: Fixed place.4,
    epoch: Fixed place.5,
    grant_no: Fixed place.6,
    amount: Sum amount,
}

/// What gateways must hear: about an account (key 0), about one key of it, or, with account 0, that a gateway (or all,
/// when that is 0 too) should hand back what is unused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its number.
    pub seq: i64,
    /// About which account.
    pub account: AccountNo,
    /// About which key.
    pub key: KeyNo,
    /// For which gateway.
    pub gateway: GatewayNo,
    /// When it was made.
    pub created_at: Timestamp,
}

record! { ChangeRow in "changes" by "seq": (i64,) = |row| (row.seq,);
    seq: Fixed seq,
    account: Fixed account,
    key: Fixed key,
    gateway: Fixed gateway,
    created_ms: Fixed created_at,
}

/// By what usage is found: account, minute, key, rule.
pub type UsageKey = (AccountNo, i64, KeyNo, String);

/// What was sold within a minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsageRow {
    /// By what it is found.
    pub place: UsageKey,
    /// How many requests.
    pub requests: i64,
    /// What they cost.
    pub credits: Credits,
    /// How many charges were released.
    pub refunds: i64,
    /// The rule's product.
    pub product: Option<String>,
}

record! { UsageRow in "usage" by "account, minute, key, rule": UsageKey = |row| row.place.clone();
    account: Fixed place.0,
    minute: Fixed place.1,
    key: Fixed place.2,
    rule: Fixed place.3,
    requests: Sum requests,
    credits: Sum credits,
    refunds: Sum refunds,
    product: Fixed product,
}

/// By what shadow refusals are found: account, minute, key, rule, code. Account and key are zero for callers without a
/// known key.
pub type ShadowKey = (AccountNo, i64, KeyNo, String, String);

/// What rules in shadow mode would have refused within a minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShadowRow {
    /// By what it is found.
    pub place: ShadowKey,
    /// How many requests.
    pub requests: i64,
}

record! { ShadowRow in "shadow" by "account, minute, key, rule, code": ShadowKey = |row| row.place.clone();
    account: Fixed place.0,
    minute: Fixed place.1,
    key: Fixed place.2,
    rule: Fixed place.3,
    code: Fixed place.4,
    requests: Sum requests,
}

/// By what refusals are found: account, hour, key, rule, code. Account and key are zero for callers without a known key.
pub type RefusalKey = (AccountNo, i64, KeyNo, String, String);

/// What was refused within an hour.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RefusalRow {
    /// By what it is found.
    pub place: RefusalKey,
    /// How many requests.
    pub requests: i64,
}

record! { RefusalRow in "refusals" by "account, hour, key, rule, code": RefusalKey = |row| row.place.clone();
    account: Fixed place.0,
    hour: Fixed place.1,
    key: Fixed place.2,
    rule: Fixed place.3,
    code: Fixed place.4,
    requests: Sum requests,
}

/// By what usage of an item is found: account, minute, key, rule, item, basis. The item is empty where none was named.
pub type UsageItemKey = (AccountNo, i64, KeyNo, String, String, String);

/// What was sold under a metered rule within a minute, by model or tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsageItemRow {
    /// By what it is found.
    pub place: UsageItemKey,
    /// How many requests.
    pub requests: i64,
    /// What they were charged.
    pub credits: Credits,
    /// Of how many the seller's cost is known.
    pub costed_requests: i64,
    /// What those were charged.
    pub costed_credits: Credits,
    /// What those cost the seller.
    pub cost: Credits,
}

record! { UsageItemRow in "usage_items" by "account, minute, key, rule, item, basis": UsageItemKey =
    |row| row.place.clone();
    account: Fixed place.0,
    minute: Fixed place.1,
    key: Fixed place.2,
    rule: Fixed place.3,
    item: Fixed place.4,
    basis: Fixed place.5,
    requests: Sum requests,
    credits: Sum credits,
    costed_requests: Sum costed_requests,
    costed_credits: Sum costed_credits,
    cost: Sum cost,
}

/// By what a quantity is found: account, minute, key, rule, item, class.
pub type UsageQuantityKey = (AccountNo, i64, KeyNo, String, String, String);

/// How much of a class of usage was sold under a metered rule within a minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsageQuantityRow {
    /// By what it is found.
    pub place: UsageQuantityKey,
    /// How much.
    pub quantity: i64,
}

record! { UsageQuantityRow in "usage_quantities" by "account, minute, key, rule, item, class": UsageQuantityKey =
    |row| row.place.clone();
    account: Fixed place.0,
    minute: Fixed place.1,
    key: Fixed place.2,
    rule: Fixed place.3,
    item: Fixed place.4,
    class: Fixed place.5,
    quantity: Sum quantity,
}

/// The price list as a whole. There is one row, once the list has changed; changes lock it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceListRow {
    /// Always [`PriceListRow::ONE`].
    pub one: i64,
    /// How often the list was changed; it only grows.
    pub change: u64,
    /// When it last was.
    pub changed_at: Timestamp,
}

record! { PriceListRow in "price_list" by "one": (i64,) = |row| (row.one,);
    one: Fixed one,
    change: Hot change,
    changed_ms: Hot changed_at,
}

impl PriceListRow {
    /// The only key.
    pub const ONE: i64 = 1;
}

/// By what prices are found: model, valid from.
pub type PriceKey = (String, Timestamp);

/// What a model costs from a moment on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceRow {
    /// The model's name.
    pub model: String,
    /// The first moment.
    pub valid_from: Timestamp,
    /// Its prices.
    pub prices: ModelPrices,
    /// When they were set.
    pub created_at: Timestamp,
    /// What the model costs the seller, if that is known.
    pub cost: Option<ModelPrices>,
}

record! { PriceRow in "model_prices" by "model, valid_from_ms": PriceKey =
    |row| (row.model.clone(), row.valid_from);
    model: Fixed model,
    valid_from_ms: Fixed valid_from,
    prices: Cold prices,
    created_ms: Cold created_at,
    cost: Cold cost,
}

/// The last usage report of a broker of a gateway.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokerRow {
    /// Which gateway.
    pub gateway: GatewayNo,
    /// The broker's name.
    pub broker: String,
    /// The report's number.
    pub seq: u64,
    /// When it came.
    pub heard_at: Timestamp,
}

record! { BrokerRow in "brokers" by "gateway, broker": (GatewayNo, String) =
    |row| (row.gateway, row.broker.clone());
    gateway: Fixed gateway,
    broker: Fixed broker,
    seq: Hot seq,
    heard_ms: Hot heard_at,
}

/// The first answer to a write of the admin API. Where it showed a new key there is no body, only the key's
/// identifier: a key is never stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IdempotencyRow {
    /// The client's idempotency key.
    pub key: String,
    /// A hash over method, path and body.
    pub fingerprint: Vec<u8>,
    /// The answer.
    pub body: Option<String>,
    /// The key that it showed.
    pub shown_key: Option<String>,
    /// When it was given.
    pub created_at: Timestamp,
}

record! { IdempotencyRow in "idempotency" by "key": (String,) = |row| (row.key.clone(),);
    key: Fixed key,
    fingerprint: Fixed fingerprint,
    body: Fixed body,
    shown_key: Fixed shown_key,
    created_ms: Fixed created_at,
}

/// All tables, those that others refer to before these.
pub const TABLES: [&Table; 36] = [
    AccountRow::TABLE,
    TeamRow::TABLE,
    KeyRow::TABLE,
    KeyUseRow::TABLE,
    BudgetRow::TABLE,
    GrantRow::TABLE,
    CorrectionRow::TABLE,
    GatewayRow::TABLE,
    PlanRow::TABLE,
    VersionRow::TABLE,
    SubscriptionRow::TABLE,
    LeaseRow::TABLE,
    UnbookedRow::TABLE,
    EntryRow::TABLE,
    ChangeRow::TABLE,
    UsageRow::TABLE,
    ShadowRow::TABLE,
    RefusalRow::TABLE,
    UsageItemRow::TABLE,
    UsageQuantityRow::TABLE,
    PriceListRow::TABLE,
    PriceRow::TABLE,
    BrokerRow::TABLE,
    IdempotencyRow::TABLE,
    TokenRow::TABLE,
    TrailRow::TABLE,
    AlertDefaultRow::TABLE,
    EventRow::TABLE,
    WebhookRow::TABLE,
    DeliveryRow::TABLE,
    MailAddressRow::TABLE,
    FaultsRow::TABLE,
    SessionRow::TABLE,
    PortalSessionRow::TABLE,
    PortalLinkRow::TABLE,
    PortalSubjectRow::TABLE,
];
