//! A draft's tables, and every way in which operations find rows in them.
//!
//! What must hold: a table's rows are loaded after those that guard them. Rows that only say which account something is
//! about come first; then accounts, whose locks guard all that belongs to them; then the rest.

use super::{Index, Rows, Stop};
use crate::domain::access::TokenKind;
use crate::domain::event::Happened;
use crate::domain::mail::AddressState;
use crate::domain::plan::OVERDRAFT_PRIORITY;
use crate::domain::webhook::WebhookState;
use crate::domain::{AccountNo, GatewayNo, GrantNo, KeyNo, PlanNo};
use crate::store::directory::Directory;
use crate::store::engine::{
    ExpiredAmounts, ExpiryKey, Finder, Lookup, MaintenanceTask, Transaction, TxError,
};
use crate::store::json::JsonRow;
use crate::store::lookups;
use crate::store::record::{Record, Table};
use crate::store::rows::{
    AccountRow, AlertDefaultRow, BrokerRow, BudgetRow, ChangeRow, CorrectionRow, DeliveryRow, EntryRow,
    EventRow, FaultsRow, GatewayRow, GrantRow, IdempotencyRow, KeyRow, KeyUseRow, LeaseRow, MailAddressRow,
    PlanRow, PortalLinkRow, PortalSessionRow, PortalSubjectRow, PriceListRow, PriceRow, RefusalRow,
    SessionRow, ShadowRow, SubscriptionRow, TeamRow, TokenRow, TrailRow, UnbookedRow, UsageItemRow,
    UsageQuantityRow, UsageRow, VersionRow, WebhookRow,
};
use foldhash::HashMap;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// A kind of row that a draft keeps.
pub trait Kept: Record {
    /// How one is found by its key.
    const BY_KEY: &'static Lookup;

    /// Where the draft keeps it.
    fn rows(draft: &mut Draft) -> &mut PendingLookups<Self>;

    /// Those that are known already.
    fn known(draft: &Draft) -> &Rows<Self>;

    /// Notes where a row is found.
    fn note(draft: &mut Draft, row: &Self);
}

/// Rows, and the keys under which more are wanted.
#[derive(Debug)]
pub struct PendingLookups<R: Record> {
    pub(super) rows: Rows<R>,
    wanted: BTreeSet<R::Key>,
}

impl<R: Record> Default for PendingLookups<R> {
    fn default() -> Self {
        Self { rows: Rows::default(), wanted: BTreeSet::new() }
    }
}

/// Something that the database reckons, by what it is about.
#[derive(Debug)]
struct Aggregates<K, V> {
    known: HashMap<K, V>,
    wanted: BTreeSet<K>,
}

impl<K, V> Default for Aggregates<K, V> {
    fn default() -> Self {
        Self { known: HashMap::default(), wanted: BTreeSet::new() }
    }
}

impl<K: Copy + Ord + std::hash::Hash, V: Copy + Default> Aggregates<K, V> {
    fn get(&mut self, key: K) -> Result<V, Stop> {
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        self.wanted.insert(key);
        Err(Stop::Missing)
    }

    fn take_in(&mut self, wanted: BTreeSet<K>, found: impl IntoIterator<Item = (K, V)>) {
        self.known.extend(wanted.into_iter().map(|key| (key, V::default())));
        self.known.extend(found);
    }
}

/// Numbers for new rows of a table.
#[derive(Debug, Default)]
struct Numbers {
    free: VecDeque<i64>,
    wanted: usize,
}

/// How far an operation had come.
#[derive(Debug)]
pub struct Savepoint {
    rows: Vec<usize>,
    changes: usize,
    recalls: usize,
    happened: usize,
}

/// How many numbers are asked for at once: a subscription that renews gives up to three grants.
const NUMBERS: usize = 4;

/// The tables in the order in which they are written, each with its other ways to find rows.
macro_rules! tables {
    ($($table:ident: $row:ident by $by:expr, {
        $($index:ident: $key:ty = $lookup:expr, $keyof:expr;)*
    })+) => {
        /// What a transaction has loaded, and what changes.
        #[derive(Debug)]
        pub struct Draft {
            serial: bool,
            pub(super) directory: Arc<Directory>,
            /// The stamp of leases that are named.
            pub stamp: i64,
            $($table: PendingLookups<$row>, $($index: Index<$row, $key>,)*)+
            demand: Aggregates<AccountNo, u64>,
            lapsed: Aggregates<ExpiryKey, ExpiredAmounts>,
            recallable: Aggregates<GatewayNo, u64>,
            counts: Aggregates<&'static str, i64>,
            numbers: HashMap<&'static str, (&'static Table, Numbers)>,
            taken: Vec<(&'static str, i64)>,
            /// Of operations that were undone. They are free again in the next round: operations that run again take the same
            /// numbers, so that what they have asked for by these is there.
            returned: Vec<(&'static str, i64)>,
            changes: Vec<ChangeRow>,
            recalls: Vec<GatewayNo>,
            chores: Vec<MaintenanceTask>,
            /// What has happened in the operation that is decided now.
            pub(super) happened: Vec<Happened>,
            kept: (usize, usize),
        }

        impl Draft {
            /// An empty one. In a `serial` engine nothing changes while a transaction is under way, so that nothing
            /// need be read again once it is locked.
            pub fn new(serial: bool, directory: Arc<Directory>) -> Self {
                Self {
                    serial,
                    directory,
                    stamp: 0,
                    $($table: PendingLookups::default(), $($index: Index::new(
                        const { &$lookup },
                        $keyof,
                    ),)*)+
                    demand: Aggregates::default(),
                    lapsed: Aggregates::default(),
                    recallable: Aggregates::default(),
                    counts: Aggregates::default(),
                    numbers: HashMap::default(),
                    taken: Vec::new(),
                    returned: Vec::new(),
                    changes: Vec::new(),
                    recalls: Vec::new(),
                    chores: Vec::new(),
                    happened: Vec::new(),
                    kept: (0, 0),
                }
            }

            $($(
                /// The rows under a key, in the order of their own keys.
                pub fn $index(
                    &mut self,
                    key: &$key,
                ) -> Result<impl Iterator<Item = &$row>, Stop> {
                    self.$index.find(&self.$table.rows, key)
                }
            )*)+

            /// Keeps what changed since the last time.
            pub fn accept(&mut self) {
                $(self.$table.rows.accept();)+
                self.taken.clear();
                self.happened.clear();
                self.kept = (self.changes.len(), self.recalls.len());
            }

            /// Undoes what changed since the last time.
            pub fn undo(&mut self) {
                $(self.$table.rows.undo_to(0);)+
                self.returned.append(&mut self.taken);
                self.changes.truncate(self.kept.0);
                self.recalls.truncate(self.kept.1);
                self.happened.clear();
            }

            /// What the operation has changed, as it was before: by table, each row as JSON.
            pub fn before(&self) -> impl Iterator<Item = (&'static str, Vec<JsonRow>)> {
                let tables = [$((<$row as Record>::TABLE.name, self.$table.rows.before()),)+];
                tables.into_iter().filter(|(_, rows)| !rows.is_empty())
            }

            /// The state of an operation, so that it can try something and roll back.
            pub fn savepoint(&self) -> Savepoint {
                let rows = vec![$(self.$table.rows.mark()),+];
                let (changes, recalls, happened) =
                    (self.changes.len(), self.recalls.len(), self.happened.len());
                Savepoint { rows, changes, recalls, happened }
            }

            /// Undoes what the operation has changed since then.
            pub fn rollback_to(&mut self, savepoint: &Savepoint) {
                let mut marks = savepoint.rows.iter().copied();
                $(self.$table.rows.undo_to(marks.next().unwrap_or_default());)+
                self.changes.truncate(savepoint.changes);
                self.recalls.truncate(savepoint.recalls);
                self.happened.truncate(savepoint.happened);
            }

            /// Writes what changed.
            pub async fn write(&self, tx: &mut impl Transaction) -> Result<(), TxError> {
                $(self.$table.rows.write(tx).await?;)+
                for chore in &self.chores {
                    tx.tend(*chore).await?;
                }
                for gateway in &self.recalls {
                    tx.recall(*gateway).await?;
                }
                if self.changes.is_empty() { Ok(()) } else { tx.announce(&self.changes).await }
            }
        }

        /// Every way to find rows.
        #[cfg(test)]
        pub const LOOKUPS: &[&Lookup] =
            &[$(<$row as Kept>::BY_KEY, $(const { &$lookup },)*)+];

        $(impl Kept for $row {
            const BY_KEY: &'static Lookup = &$by;

            fn rows(draft: &mut Draft) -> &mut PendingLookups<Self> {
                &mut draft.$table
            }

            fn known(draft: &Draft) -> &Rows<Self> {
                &draft.$table.rows
            }

            fn note(draft: &mut Draft, row: &Self) {
                let _ = (&draft, row);
                $(draft.$index.note(row);)*
            }
        })+
    };
}

tables! {
    accounts: AccountRow by lookups::ACCOUNTS, {
        accounts_by_id: (String,) = lookups::ACCOUNTS_BY_ID,
            |row| Some((row.account.id.as_str().to_owned(),));
    }
    teams: TeamRow by lookups::TEAMS, {
        teams_by_id: (AccountNo, String) = lookups::TEAMS_BY_ID,
            |row| Some((row.account, row.id.clone()));
        teams_of: (AccountNo,) = lookups::TEAMS_OF, |row| Some((row.account,));
    }
    keys: KeyRow by lookups::KEYS, {
        keys_by_id: (String,) = lookups::KEYS_BY_ID, |row| Some((row.key.id.as_str().to_owned(),));
        keys_by_hash: (Vec<u8>,) = lookups::KEYS_BY_HASH, |row| Some((row.hash.clone()?,));
        // Of a subject only the credential that is not revoked counts: it may have been given again.
        keys_by_subject: (String,) = lookups::KEYS_BY_SUBJECT,
            |row| Some((row.subject.clone().filter(|_| !row.key.revoked)?,));
    }
    budgets: BudgetRow by lookups::BUDGETS, {
        budgets_of: (AccountNo,) = lookups::BUDGETS_OF, |row| Some((row.account,));
    }
    grants: GrantRow by lookups::GRANTS, {
        live_grants: (AccountNo,) = lookups::LIVE_GRANTS,
            |row| Some((row.account,)).filter(|_| row.grant.remaining.is_positive());
        // Of the running period and later; before a period ends, that is the one which ends next.
        grants_by_id: (String,) = lookups::GRANTS_BY_ID, |row| Some((row.id.as_str().to_owned(),));
        given: (i64,) = lookups::GIVEN, |row| Some((row.subscription?,));
        overdrafts: (i64,) = lookups::OVERDRAFTS, |row| Some((row.subscription.filter(|_| row.grant.priority == OVERDRAFT_PRIORITY)?,));
    }
    corrections: CorrectionRow by lookups::CORRECTIONS, {}
    gateways: GatewayRow by lookups::GATEWAYS, {
        gateways_by_name: (String,) = lookups::GATEWAYS_BY_NAME, |row| Some((row.name.clone(),));
    }
    plans: PlanRow by lookups::PLANS, {
        plans_by_name: (String,) = lookups::PLANS_BY_NAME, |row| Some((row.name.clone(),));
        plans_locked: (PlanNo,) = lookups::PLANS_LOCKED, |row| Some((row.no,));
    }
    versions: VersionRow by lookups::VERSIONS, {}
    subscriptions: SubscriptionRow by lookups::SUBSCRIPTIONS, {
        subscriptions_of: (AccountNo,) = lookups::SUBSCRIPTIONS_OF, |row| Some((row.account,));
        running: (PlanNo,) = lookups::RUNNING,
            |row| Some((row.subscription.plan,)).filter(|_| !row.subscription.state.is_over());
        coming: (PlanNo,) = lookups::COMING,
            |row| Some((row.subscription.next_plan?,)).filter(|_| !row.subscription.state.is_over());
    }
    leases: LeaseRow by lookups::LEASES, {
        holders: (AccountNo,) = lookups::HOLDERS,
            |row| Some((row.lease.account,)).filter(|_| row.lease.has_credits());
    }
    unbooked: UnbookedRow by lookups::UNBOOKED, {}
    entries: EntryRow by lookups::ENTRIES, {}
    brokers: BrokerRow by lookups::BROKERS, {}
    usage: UsageRow by lookups::USAGE, {}
    shadow: ShadowRow by lookups::SHADOW, {}
    refusals: RefusalRow by lookups::REFUSALS, {}
    usage_items: UsageItemRow by lookups::USAGE_ITEMS, {}
    usage_quantities: UsageQuantityRow by lookups::USAGE_QUANTITIES, {}
    key_uses: KeyUseRow by lookups::KEY_USES, {}
    price_list: PriceListRow by lookups::PRICE_LIST, {}
    prices: PriceRow by lookups::PRICES, {
        prices_of: (String,) = lookups::PRICES_OF, |row| Some((row.model.clone(),));
    }
    idempotency: IdempotencyRow by lookups::IDEMPOTENCY, {}
    tokens: TokenRow by lookups::TOKENS, {
        tokens_of: (TokenKind, String) = lookups::TOKENS_OF, |row| Some((row.kind, row.name.clone()));
        tokens_by_subject: (String, String) = lookups::TOKENS_BY_SUBJECT, |row| {
            Some((row.issuer.clone()?, row.subject.clone()?)).filter(|_| row.revoked_at.is_none())
        };
    }
    trail: TrailRow by lookups::TRAIL, {}
    alert_defaults: AlertDefaultRow by lookups::ALERT_DEFAULTS, {}
    events: EventRow by lookups::EVENTS, {
        events_by_id: (String,) = lookups::EVENTS_BY_ID, |row| Some((row.id.as_str().to_owned(),));
    }
    webhooks: WebhookRow by lookups::WEBHOOKS, {
        webhooks_by_id: (String,) = lookups::WEBHOOKS_BY_ID, |row| Some((row.id.as_str().to_owned(),));
        webhooks_in: (WebhookState,) = lookups::WEBHOOKS_IN, |row| Some((row.state,));
    }
    mail_addresses: MailAddressRow by lookups::MAIL_ADDRESSES, {
        mail_addresses_by_id: (String,) = lookups::MAIL_ADDRESSES_BY_ID,
            |row| Some((row.id.as_str().to_owned(),));
        mail_addresses_of: (AccountNo,) = lookups::MAIL_ADDRESSES_OF,
            |row| Some((row.account,)).filter(|_| row.state == AddressState::Active);
    }
    deliveries: DeliveryRow by lookups::DELIVERIES, {}
    ledger_faults: FaultsRow by lookups::LEDGER_FAULTS, {}
    sessions: SessionRow by lookups::SESSIONS, {
        sessions_of: (String,) = lookups::SESSIONS_OF, |row| Some((row.operator.clone(),));
    }
    portal_sessions: PortalSessionRow by lookups::PORTAL_SESSIONS, {
        portal_sessions_of: (AccountNo,) = lookups::PORTAL_SESSIONS_OF, |row| Some((row.account,));
    }
    portal_links: PortalLinkRow by lookups::PORTAL_LINKS, {
        portal_links_by_hash: (Vec<u8>,) = lookups::PORTAL_LINKS_BY_HASH, |row| Some((row.hash.clone(),));
        portal_links_of: (AccountNo,) = lookups::PORTAL_LINKS_OF, |row| Some((row.account,));
    }
    portal_subjects: PortalSubjectRow by lookups::PORTAL_SUBJECTS, {
        portal_subjects_of: (AccountNo,) = lookups::PORTAL_SUBJECTS_OF, |row| Some((row.account,));
    }
}

impl Draft {
    /// A row by its key, read under its account's lock if it has one; none when there is none such.
    pub fn get<R: Kept>(&mut self, key: &R::Key) -> Result<Option<&R>, Stop> {
        let serial = self.serial;
        let PendingLookups { rows, wanted } = R::rows(self);
        let is_there = serial && rows.known(key).is_some();
        if !is_there && !rows.was_looked_up(key) {
            wanted.insert(key.clone());
            return Err(Stop::Missing);
        }
        Ok(rows.known(key))
    }

    /// A row that is known already.
    pub fn known<R: Kept>(&self, key: &R::Key) -> Option<&R> {
        R::known(self).known(key)
    }

    /// The rows that the operation has changed, as they were before and as they are now. A row that was changed more than once
    /// comes as often.
    pub fn touched<R: Kept>(&self) -> impl Iterator<Item = (Option<&R>, &R)> {
        R::known(self).touched()
    }

    /// Keeps a row.
    pub fn put<R: Kept>(&mut self, row: R) {
        R::note(self, &row);
        R::rows(self).rows.put(row);
    }

    /// Adds to a row, whatever the database has of it.
    pub fn add<R: Kept>(&mut self, more: R) {
        R::rows(self).rows.add(more);
    }

    /// Notes that a key was used in a minute; nothing, where that is known to be written.
    pub fn note_use(&mut self, key: KeyNo, minute: i64) {
        if self.directory.last_use(key).is_none_or(|last| last < minute) {
            self.add(KeyUseRow { key, minute });
        }
    }

    /// All of it is committed.
    pub fn committed(&self) {
        for row in self.key_uses.rows.changed() {
            self.directory.note_use(row.key, row.minute);
        }
        for row in self.alert_defaults.rows.changed() {
            self.directory.note_alert_below(row.balance_below);
        }
    }

    /// Takes a row away.
    pub fn remove<R: Kept>(&mut self, key: &R::Key) {
        R::rows(self).rows.remove(key);
    }

    /// A number for a new row, larger than all before.
    pub fn number(&mut self, table: &'static Table) -> Result<i64, Stop> {
        let (_, numbers) = self.numbers.entry(table.name).or_insert((table, Numbers::default()));
        let Some(number) = numbers.free.pop_front() else {
            numbers.wanted = numbers.wanted.saturating_add(NUMBERS);
            return Err(Stop::Missing);
        };
        self.taken.push((table.name, number));
        Ok(number)
    }

    /// Numbers of undone rows are reused by the next operation.
    fn give_numbers_back(&mut self) {
        while let Some((table, number)) = self.returned.pop() {
            if let Some((_, numbers)) = self.numbers.get_mut(table) {
                numbers.free.push_front(number);
            }
        }
    }

    /// The requests per second that an account's open leases with money reported, in sum, when they were loaded.
    pub fn demand(&mut self, account: AccountNo) -> Result<u64, Stop> {
        self.demand.get(account)
    }

    /// What was taken out of a grant unused, from a minute on.
    pub fn lapsed(
        &mut self,
        account: AccountNo,
        grant: GrantNo,
        minute: i64,
    ) -> Result<ExpiredAmounts, Stop> {
        let mut lapsed = self.lapsed.get((account, grant, minute))?;
        // What moved in this transaction isn't in the database yet.
        for row in self.entries.rows.changed() {
            let (of, at, kind, .., no) = row.place;
            if (of, no) == (account, grant) && at >= minute {
                let sum = match kind {
                    6 => &mut lapsed.breakage,
                    7 => &mut lapsed.expired,
                    _ => continue,
                };
                *sum = sum.saturating_add(row.amount);
            }
        }
        Ok(lapsed)
    }

    /// How many plans there are.
    pub fn count_plans(&mut self) -> Result<i64, Stop> {
        let made = i64::try_from(self.plans.rows.made()).unwrap_or(i64::MAX);
        self.counts.get(PlanRow::TABLE.name).map(|count| count.saturating_add(made))
    }

    /// How many entries the price list has.
    pub fn count_prices(&mut self) -> Result<i64, Stop> {
        let made = i64::try_from(self.prices.rows.made()).unwrap_or(i64::MAX);
        self.counts.get(PriceRow::TABLE.name).map(|count| count.saturating_add(made))
    }

    /// How many tokens there are.
    pub fn count_tokens(&mut self) -> Result<i64, Stop> {
        let made = i64::try_from(self.tokens.rows.made()).unwrap_or(i64::MAX);
        self.counts.get(TokenRow::TABLE.name).map(|count| count.saturating_add(made))
    }

    /// Recalls unused credits from all gateways (zero) or one. Returns the number of leases.
    pub fn recall(&mut self, gateway: GatewayNo) -> Result<u64, Stop> {
        let leases = self.recallable.get(gateway)?;
        if leases > 0 {
            self.recalls.push(gateway);
        }
        Ok(leases)
    }

    /// Has something done that no operation decides on. It can't be undone.
    pub fn tend(&mut self, chore: MaintenanceTask) {
        self.chores.push(chore);
    }

    /// Lets gateways hear of a change (see [`ChangeRow`]).
    pub fn announce(&mut self, change: ChangeRow) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    /// Loads the missing rows. Returns whether there were any.
    pub async fn load(&mut self, from: &mut impl Finder) -> Result<bool, TxError> {
        let mut any = false;
        macro_rules! by {
            ($table:ident: $($index:ident),+) => {
                $(if !self.$index.wanted.is_empty() {
                    let wanted = std::mem::take(&mut self.$index.wanted);
                    let found = from.find(self.$index.lookup, self.$index.key, &wanted).await?;
                    self.$index.take_in(wanted, found, &mut self.$table.rows);
                    any = true;
                })+
            };
        }
        by!(keys: keys_by_id, keys_by_hash, keys_by_subject);
        by!(grants: grants_by_id);
        by!(gateways: gateways_by_name);
        by!(accounts: accounts_by_id);
        by!(plans: plans_by_name, plans_locked);
        by!(portal_links: portal_links_by_hash);
        any |= self.load_by_key::<IdempotencyRow>(from).await?;
        // Prices are read only when the list is locked.
        any |= self.load_by_key::<PriceListRow>(from).await?;
        by!(prices: prices_of);
        any |= self.load_by_key::<AccountRow>(from).await?;
        any |= self.load_by_key::<BrokerRow>(from).await?;
        any |= self.load_by_key::<KeyRow>(from).await?;
        any |= self.load_by_key::<KeyUseRow>(from).await?;
        any |= self.load_by_key::<TeamRow>(from).await?;
        by!(teams: teams_by_id, teams_of);
        any |= self.load_by_key::<LeaseRow>(from).await?;
        by!(leases: holders);
        any |= self.load_by_key::<BudgetRow>(from).await?;
        by!(budgets: budgets_of);
        by!(subscriptions: subscriptions_of, running, coming);
        any |= self.load_by_key::<SubscriptionRow>(from).await?;
        any |= self.load_by_key::<GrantRow>(from).await?;
        by!(grants: live_grants, given, overdrafts);
        any |= self.load_by_key::<PlanRow>(from).await?;
        any |= self.load_by_key::<VersionRow>(from).await?;
        any |= self.load_by_key::<GatewayRow>(from).await?;
        any |= self.load_by_key::<TokenRow>(from).await?;
        by!(tokens: tokens_of, tokens_by_subject);
        any |= self.load_by_key::<SessionRow>(from).await?;
        by!(sessions: sessions_of);
        any |= self.load_by_key::<PortalSessionRow>(from).await?;
        by!(portal_sessions: portal_sessions_of);
        any |= self.load_by_key::<PortalLinkRow>(from).await?;
        by!(portal_links: portal_links_of);
        any |= self.load_by_key::<PortalSubjectRow>(from).await?;
        by!(portal_subjects: portal_subjects_of);
        // Old usage that is summed up.
        any |= self.load_by_key::<UsageRow>(from).await?;
        any |= self.load_by_key::<UsageItemRow>(from).await?;
        any |= self.load_by_key::<UsageQuantityRow>(from).await?;
        any |= self.load_by_key::<AlertDefaultRow>(from).await?;
        by!(webhooks: webhooks_by_id, webhooks_in);
        any |= self.load_by_key::<WebhookRow>(from).await?;
        by!(events: events_by_id);
        by!(mail_addresses: mail_addresses_by_id, mail_addresses_of);
        any |= self.load_by_key::<MailAddressRow>(from).await?;
        any |= self.load_by_key::<FaultsRow>(from).await?;
        any |= self.load_by_key::<EventRow>(from).await?;
        any |= self.load_by_key::<DeliveryRow>(from).await?;
        any |= self.reckon(from).await?;
        Ok(any)
    }

    async fn load_by_key<R: Kept>(&mut self, from: &mut impl Finder) -> Result<bool, TxError> {
        let wanted = std::mem::take(&mut R::rows(self).wanted);
        if wanted.is_empty() {
            return Ok(false);
        }
        for row in from.find::<R, R::Key>(R::BY_KEY, |row| Some(row.key()), &wanted).await? {
            R::note(self, &row);
            R::rows(self).rows.take_in(row);
        }
        for key in wanted {
            R::rows(self).rows.looked_up(key);
        }
        Ok(true)
    }

    async fn reckon(&mut self, from: &mut impl Finder) -> Result<bool, TxError> {
        let mut any = false;
        if !self.demand.wanted.is_empty() {
            let wanted = std::mem::take(&mut self.demand.wanted);
            let found = from.demand(&wanted).await?;
            self.demand.take_in(wanted, found);
            any = true;
        }
        if !self.lapsed.wanted.is_empty() {
            let wanted = std::mem::take(&mut self.lapsed.wanted);
            let found = from.lapsed(&wanted).await?;
            self.lapsed.take_in(wanted, found);
            any = true;
        }
        if !self.counts.wanted.is_empty() {
            let wanted = std::mem::take(&mut self.counts.wanted);
            for table in [PlanRow::TABLE, PriceRow::TABLE, TokenRow::TABLE] {
                if wanted.contains(table.name) {
                    self.counts.known.insert(table.name, from.count(table).await?);
                }
            }
            any = true;
        }
        Ok(any)
    }

    /// Loads what only a transaction can give: numbers for new rows, and leases that are locked to be recalled.
    pub async fn load_to_write(&mut self, from: &mut impl Transaction) -> Result<bool, TxError> {
        self.give_numbers_back();
        let mut any = self.load(from).await?;
        for gateway in std::mem::take(&mut self.recallable.wanted) {
            let leases = from.recallable(gateway).await?;
            self.recallable.known.insert(gateway, leases);
            any = true;
        }
        for (table, numbers) in self.numbers.values_mut() {
            if numbers.wanted > 0 {
                numbers.free.extend(from.numbers(table, std::mem::take(&mut numbers.wanted)).await?);
                any = true;
            }
        }
        Ok(any)
    }
}
