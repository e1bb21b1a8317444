//! An engine in memory, for the simulator and for tests of operations. It forgets everything when it is dropped.
//!
//! What must hold: it finds and keeps what the databases do. Where a lookup's SQL leaves out rows that don't count, this
//! engine may find them as well; drafts sort them out.

use super::StoreError;
use super::directory::Directory;
use super::engine::{
    Busy, Engine, ExpiredAmounts, ExpiryKey, Finder, Lookup, MaintenanceTask, Transaction, TxError,
};
use super::record::{Parts, Record, Role, Table};
use super::rows::{
    AccountRow, AlertDefaultRow, BrokerRow, BudgetRow, ChangeRow, CorrectionRow, DeliveryRow, EntryRow,
    EventRow, FaultsRow, GatewayRow, GrantRow, IdempotencyRow, KeyRow, KeyUseRow, LeaseRow, MailAddressRow,
    PlanRow, PortalLinkRow, PortalSessionRow, PortalSubjectRow, PriceListRow, PriceRow, RefusalRow,
    SessionRow, ShadowRow, SubscriptionRow, TeamRow, TokenRow, TrailRow, UnbookedRow, UsageItemRow,
    UsageQuantityRow, UsageRow, VersionRow, WebhookRow,
};
use crate::domain::{AccountNo, GatewayNo, GrantNo, KeyNo, LeaseState};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

macro_rules! memory {
    ($($table:ident: $row:ident,)+) => {
        /// All tables.
        #[derive(Clone, Debug, Default)]
        pub struct Tables {
            $(
                #[doc = concat!("The table `", stringify!($table), "`.")]
                pub $table: BTreeMap<<$row as Record>::Key, $row>,
            )+
            numbers: BTreeMap<&'static str, i64>,
            stamp: i64,
        }

        impl Tables {
            fn of<R: Record>(&self) -> Option<&BTreeMap<R::Key, R>> {
                let all: [&dyn Any; _] = [$(&self.$table),+];
                all.into_iter().find_map(<dyn Any>::downcast_ref)
            }

            fn of_mut<R: Record>(&mut self) -> Option<&mut BTreeMap<R::Key, R>> {
                let all: [&mut dyn Any; _] = [$(&mut self.$table),+];
                all.into_iter().find_map(<dyn Any>::downcast_mut)
            }
        }
    };
}

memory! {
    accounts: AccountRow,
    teams: TeamRow,
    keys: KeyRow,
    budgets: BudgetRow,
    grants: GrantRow,
    corrections: CorrectionRow,
    gateways: GatewayRow,
    plans: PlanRow,
    plan_versions: VersionRow,
    subscriptions: SubscriptionRow,
    leases: LeaseRow,
    unbooked: UnbookedRow,
    entries: EntryRow,
    changes: ChangeRow,
    usage: UsageRow,
    shadow: ShadowRow,
    refusals: RefusalRow,
    usage_items: UsageItemRow,
    usage_quantities: UsageQuantityRow,
    key_uses: KeyUseRow,
    price_list: PriceListRow,
    prices: PriceRow,
    brokers: BrokerRow,
    idempotency: IdempotencyRow,
    tokens: TokenRow,
    trail: TrailRow,
    alert_defaults: AlertDefaultRow,
    events: EventRow,
    webhooks: WebhookRow,
    deliveries: DeliveryRow,
    mail_addresses: MailAddressRow,
    ledger_faults: FaultsRow,
    sessions: SessionRow,
    portal_sessions: PortalSessionRow,
    portal_links: PortalLinkRow,
    portal_subjects: PortalSubjectRow,
}

impl Tables {
    /// The stamp of the newest transaction.
    pub const fn stamp(&self) -> i64 {
        self.stamp
    }

    fn can_be_recalled(row: &LeaseRow, gateway: GatewayNo) -> bool {
        let of_gateway = gateway.0 == 0 || row.lease.gateway == gateway;
        of_gateway && row.lease.state == LeaseState::Open && row.escrow > row.lease.held
    }
}

/// The engine.
#[derive(Debug, Default)]
pub struct Memory {
    tables: Mutex<Tables>,
    directory: Arc<Directory>,
}

impl Memory {
    /// One with these tables.
    pub fn new(tables: Tables) -> Self {
        Self { tables: Mutex::new(tables), directory: Arc::default() }
    }

    /// Its tables; no transaction goes on before this is dropped.
    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self::new(self.tables().clone())
    }
}

/// A transaction. It writes only at its end, when all is decided, so nothing need be undone.
#[derive(Debug)]
pub struct Access<'a>(&'a Memory);

impl Engine for Memory {
    type Transaction<'a> = Access<'a>;
    const SERIAL: bool = true;

    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory)
    }

    async fn begin(&self, _: Busy) -> Result<Access<'_>, TxError> {
        self.tables().stamp += 1;
        Ok(Access(self))
    }
}

fn unknown(table: &Table) -> TxError {
    TxError::Failed(StoreError::Backend(format!("there is no table {}", table.name)))
}

impl Finder for Access<'_> {
    async fn find<R: Record, K: Parts>(
        &mut self,
        lookup: &'static Lookup,
        key: fn(&R) -> Option<K>,
        keys: &BTreeSet<K>,
    ) -> Result<Vec<R>, TxError> {
        let tables = self.0.tables();
        let table = tables.of::<R>().ok_or_else(|| unknown(R::TABLE))?;
        let own = (keys as &dyn Any).downcast_ref::<BTreeSet<R::Key>>();
        if let Some(keys) = own.filter(|_| lookup.columns == R::TABLE.key) {
            return Ok(keys.iter().filter_map(|key| table.get(key)).cloned().collect());
        }
        let rows = table.values();
        Ok(rows.filter(|row| key(row).is_some_and(|key| keys.contains(&key))).cloned().collect())
    }

    async fn lapsed(
        &mut self,
        grants: &BTreeSet<ExpiryKey>,
    ) -> Result<Vec<(ExpiryKey, ExpiredAmounts)>, TxError> {
        let mut found: BTreeMap<ExpiryKey, ExpiredAmounts> = BTreeMap::new();
        let tables = self.0.tables();
        for lapsing @ (account, grant, from) in grants {
            let from =
                (*account, *from, i64::MIN, KeyNo(i64::MIN), GatewayNo(i64::MIN), 0, GrantNo(i64::MIN));
            let later = tables.entries.range(from..).map(|(_, row)| row);
            for row in later.take_while(|row| row.place.0 == *account).filter(|row| row.place.6 == *grant) {
                let lapsed = found.entry(*lapsing).or_default();
                match row.place.2 {
                    6 => lapsed.breakage = lapsed.breakage.saturating_add(row.amount),
                    7 => lapsed.expired = lapsed.expired.saturating_add(row.amount),
                    _ => {}
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    async fn demand(&mut self, accounts: &BTreeSet<AccountNo>) -> Result<Vec<(AccountNo, u64)>, TxError> {
        let tables = self.0.tables();
        let demand = |account: &AccountNo| {
            let leases = tables.leases.values().map(|row| &row.lease);
            let of_account = leases.filter(|lease| lease.account == *account && lease.has_credits());
            (*account, of_account.map(|lease| u64::from(lease.demand)).sum())
        };
        Ok(accounts.iter().map(demand).collect())
    }

    async fn count(&mut self, table: &'static Table) -> Result<i64, TxError> {
        let tables = self.0.tables();
        let count = match table.name {
            name if name == PlanRow::TABLE.name => tables.plans.len(),
            name if name == PriceRow::TABLE.name => tables.prices.len(),
            name if name == TokenRow::TABLE.name => tables.tokens.len(),
            _ => return Err(unknown(table)),
        };
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl Transaction for Access<'_> {
    async fn stamp(&mut self) -> Result<i64, TxError> {
        Ok(self.0.tables().stamp)
    }

    async fn numbers(&mut self, table: &'static Table, count: usize) -> Result<Vec<i64>, TxError> {
        let mut tables = self.0.tables();
        let last = tables.numbers.entry(table.name).or_default();
        let first = last.saturating_add(1);
        *last = last.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
        Ok((first..=*last).collect())
    }

    async fn recallable(&mut self, gateway: GatewayNo) -> Result<u64, TxError> {
        let tables = self.0.tables();
        let leases = tables.leases.values();
        Ok(leases.filter(|row| Tables::can_be_recalled(row, gateway)).count() as u64)
    }

    async fn recall(&mut self, gateway: GatewayNo) -> Result<(), TxError> {
        for row in self.0.tables().leases.values_mut() {
            row.lease.recall |= Tables::can_be_recalled(row, gateway);
        }
        Ok(())
    }

    async fn insert<R: Record>(&mut self, rows: &[&R]) -> Result<(), TxError> {
        let mut tables = self.0.tables();
        let table = tables.of_mut::<R>().ok_or_else(|| unknown(R::TABLE))?;
        for row in rows {
            if table.insert(row.key(), (*row).clone()).is_some() {
                let key = row.key();
                let why = format!("{} has a row {key:?} already", R::TABLE.name);
                return Err(TxError::Value(StoreError::Backend(why)));
            }
        }
        Ok(())
    }

    async fn update<R: Record>(&mut self, rows: &[&R], _: &'static [Role]) -> Result<(), TxError> {
        let mut tables = self.0.tables();
        let table = tables.of_mut::<R>().ok_or_else(|| unknown(R::TABLE))?;
        table.extend(rows.iter().map(|row| (row.key(), (*row).clone())));
        Ok(())
    }

    async fn add<R: Record>(&mut self, rows: &[&R]) -> Result<(), TxError> {
        let mut tables = self.0.tables();
        let table = tables.of_mut::<R>().ok_or_else(|| unknown(R::TABLE))?;
        for row in rows {
            match table.get_mut(&row.key()) {
                Some(known) => known.add(row),
                None => drop(table.insert(row.key(), (*row).clone())),
            }
        }
        Ok(())
    }

    async fn delete<R: Record>(&mut self, keys: &[&R::Key]) -> Result<(), TxError> {
        let mut tables = self.0.tables();
        let table = tables.of_mut::<R>().ok_or_else(|| unknown(R::TABLE))?;
        table.retain(|key, _| !keys.contains(&key));
        Ok(())
    }

    async fn announce(&mut self, changes: &[ChangeRow]) -> Result<(), TxError> {
        let mut tables = self.0.tables();
        for change in changes {
            let newest = tables.changes.last_key_value().map_or(0, |(key, _)| key.0);
            let seq = newest.saturating_add(1);
            tables.changes.insert((seq,), ChangeRow { seq, ..change.clone() });
        }
        Ok(())
    }

    async fn tend(&mut self, _: MaintenanceTask) -> Result<(), TxError> {
        Ok(())
    }

    async fn commit(self) -> Result<(), TxError> {
        Ok(())
    }
}
