//! What mutants do to a message and to the rows around an operation.

use super::Mutant;
use faregate_ledger::domain::policy::OveragePolicy;
use faregate_ledger::domain::{Draw, Lease, LeaseState, holds};
use faregate_ledger::store::memory::Tables;
use faregate_ledger::store::rows::{LeaseKey, LeaseRow};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Entry, ExchangeRequest, Holds};
use jiff::Timestamp;

impl Mutant {
    /// Bends a message of one entry at most, and the rows that it is about.
    pub fn before_message(self, request: &mut ExchangeRequest, db: &mut Tables, place: LeaseKey) {
        if let Some(entry) = request.entries.first_mut() {
            let never = &mut LeaseRow::default();
            let lease = db.leases.get_mut(&place).unwrap_or(never);
            self.before_entry(entry, &mut lease.lease);
            self.before_holds(entry, &request.gateway, db, place);
        }
        match self {
            Self::RevokedKeyRenewed => db.keys.values_mut().for_each(|row| row.key.revoked = false),
            Self::UsageBookedTwice => {
                let report = request.usage.as_ref();
                let broker = report.map(|report| (report.seq, (place.0, report.broker.clone())));
                if let Some((seq, place)) = broker {
                    db.brokers.entry(place).and_modify(|row| row.seq = row.seq.min(seq - 1));
                }
            }
            Self::BudgetPeriodNotRolled => {
                db.budgets.values_mut().for_each(|row| row.until = Timestamp::MAX);
            }
            Self::BudgetsIgnored => db.budgets.values_mut().for_each(|row| row.credits = Credits::MAX),
            _ => {}
        }
        for row in db.accounts.values_mut() {
            match (self, &mut row.account.entitlement) {
                (Self::EntitlementIgnored, entitlement) => *entitlement = None,
                (Self::OverageIgnored, Some(entitlement)) => entitlement.overage = OveragePolicy::Bought,
                (Self::RenewalOnDemandForgotten, _) => row.account.due = None,
                (Self::VoidedSpendingNotOwed, _) => row.account.voiding = Credits::ZERO,
                _ => {}
            }
        }
    }

    /// Bends what the ledger is about to take in, or what it remembers.
    fn before_entry(self, entry: &mut Entry, lease: &mut Lease) {
        match self {
            Self::SpentMergedByLast => {
                if let Some(report) = entry.lease.filter(|report| report.epoch == lease.epoch) {
                    lease.spent = lease.spent.min(report.spent);
                }
            }
            Self::ReturnedMergedBySum => {
                if let Some(report) = &mut entry.lease
                    && report.epoch == lease.epoch
                {
                    report.returned = report.returned.saturating_add(lease.returned);
                }
            }
            Self::OnCreditBookedTwice => lease.on_credit = Credits::ZERO,
            Self::FinalWordAcknowledgedUnbooked => {
                if let Some(final_report) = &mut entry.ended {
                    final_report.spent = lease.spent;
                }
            }
            Self::ClosedFenceReopened => {
                let names_it = entry.lease.is_some_and(|report| report.epoch == lease.epoch);
                if lease.state != LeaseState::Open && names_it && entry.ask.is_some() {
                    lease.epoch -= 1;
                    lease.state = LeaseState::Ended;
                }
            }
            _ => {}
        }
    }

    /// Bends what the ledger is about to hear of holds, or what it has of them.
    fn before_holds(self, entry: &mut Entry, gateway: &str, db: &mut Tables, (_, key): LeaseKey) {
        let name = holds::gateway(gateway);
        let no = db.gateways.values().find(|row| row.name == name).map(|row| row.no);
        let never = &mut LeaseRow::default();
        let row = no.and_then(|no| db.leases.get_mut(&(no, key))).unwrap_or(never);
        let said = &mut entry.holds;
        let released = said.released.less(row.lease.returned);
        let is_over = row.lease.draws.is_empty() && row.lease.granted >= said.carried;
        match (self, &mut entry.ended) {
            (Self::LateReleaseBookedTwice, _) => said.released = said.released.saturating_add(released),
            (Self::CarriedGivenBack, Some(_)) => *said = Holds::default(),
            (Self::CarriedCountsAsSpent, Some(ended)) => {
                ended.spent = ended.spent.saturating_add(said.carried.less(row.lease.granted));
            }
            (Self::ReleaseAfterReclaimBooked, _) if is_over && released.is_positive() => {
                let grant = db.grants.values().find(|grant| grant.account == row.lease.account);
                row.lease.draws.extend(grant.map(|grant| Draw { grant: grant.grant.no, left: released }));
            }
            _ => {}
        }
    }

    /// Puts back what was bent for an operation, and bends what it has left. `before` is how the rows were at first.
    pub fn after_operation(self, db: &mut Tables, before: &Tables) {
        let renewed = db.subscriptions != before.subscriptions;
        self.restore(db, before, renewed);
        self.bend_leases(db, before, renewed);
        self.bend_changes(db, before, renewed);
        self.bend_corrections(db, before);
        if self == Self::QuotaNeverLapses {
            let newest = before.grants.last_key_value().map(|(no, _)| *no);
            let given =
                db.grants.iter_mut().filter(|(no, row)| Some(**no) > newest && row.subscription.is_some());
            given.for_each(|(_, row)| row.grant.expires_at = None);
        }
        if self == Self::AnnouncedTwice {
            db.accounts.values_mut().for_each(|row| row.alerts.low = false);
        }
        if self == Self::RenewedTwice {
            for (no, row) in &mut db.subscriptions {
                let (Some(old), new) = (before.subscriptions.get(no), &mut row.subscription) else {
                    continue;
                };
                if old.subscription.period_start != new.period_start {
                    new.granted_until = old.subscription.granted_until;
                    row.due = Some(new.granted_until);
                    db.accounts.entry((row.account,)).and_modify(|account| account.account.due = row.due);
                }
            }
        }
    }

    fn restore(self, db: &mut Tables, before: &Tables, renewed: bool) {
        for (no, old) in &before.accounts {
            let Some(row) = db.accounts.get_mut(no) else { continue };
            match self {
                Self::EntitlementIgnored | Self::OverageIgnored if !renewed => {
                    row.account.entitlement.clone_from(&old.account.entitlement);
                }
                Self::RenewalOnDemandForgotten => row.account.due = row.account.due.or(old.account.due),
                Self::DueForgotten => row.account.due = old.account.due,
                _ => {}
            }
        }
        for (no, old) in before.keys.iter().filter(|_| self == Self::RevokedKeyRenewed) {
            db.keys.entry(*no).and_modify(|row| row.key.revoked |= old.key.revoked);
        }
        for (place, old) in &before.budgets {
            let Some(row) = db.budgets.get_mut(place) else { continue };
            match self {
                Self::BudgetsIgnored if row.credits == Credits::MAX => row.credits = old.credits,
                Self::BudgetPeriodNotRolled if row.until == Timestamp::MAX => row.until = old.until,
                Self::BudgetNotGivenBack if row.spent == old.spent => row.held = row.held.max(old.held),
                _ => {}
            }
        }
    }

    fn bend_leases(self, db: &mut Tables, before: &Tables, renewed: bool) {
        let of_exchange = db.budgets.len() == before.budgets.len() && !renewed;
        for (place, old) in &before.leases {
            let Some(row) = db.leases.get_mut(place) else { continue };
            let reclaimed = old.lease.state == LeaseState::Open && row.lease.state == LeaseState::Reclaimed;
            match self {
                Self::RecallForgotten if of_exchange => row.lease.recall &= old.lease.recall,
                Self::PlanChangesUntold if renewed => row.lease.recall &= old.lease.recall,
                Self::ReclaimLeavesFenceOpen if reclaimed => row.lease.state = LeaseState::Open,
                Self::ForfeitedChargedTwice if reclaimed => row.lease.spent = old.lease.spent,
                Self::TouchForgotten => row.touch = old.touch,
                Self::BriskForgotten => row.lease.fast_heartbeat = old.lease.fast_heartbeat,
                _ => {}
            }
        }
    }

    fn bend_changes(self, db: &mut Tables, before: &Tables, renewed: bool) {
        let state = |rows: &Tables| rows.accounts.values().map(|row| row.account.state).collect::<Vec<_>>();
        let revoked = |rows: &Tables| rows.keys.values().map(|row| row.key.revoked).collect::<Vec<_>>();
        let pending = match self {
            Self::PlanChangesUntold => renewed,
            Self::ChangesUntold => state(db) != state(before) || revoked(db) != revoked(before),
            _ => false,
        };
        let newest = before.changes.last_key_value().map(|(seq, _)| *seq);
        if pending {
            db.changes.retain(|seq, _| Some(*seq) <= newest);
        }
    }
}
