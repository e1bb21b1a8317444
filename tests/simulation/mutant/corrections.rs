//! What mutants do to what was taken back.

use super::Mutant;
use faregate_ledger::domain::time::minute;
use faregate_ledger::domain::{GrantNo, Kind};
use faregate_ledger::store::memory::Tables;
use faregate_ledger::store::rows::{CorrectionRow, EntryRow};
use faregate_protocol::Credits;

impl Mutant {
    /// Bends what an operation has left of grants that are taken back.
    pub(super) fn bend_corrections(self, db: &mut Tables, before: &Tables) {
        let made = db.corrections.last_key_value().filter(|(no, _)| !before.corrections.contains_key(no));
        let made = made.map(|(_, row)| row.clone());
        match (self, made) {
            (Self::VoidIgnoresLeases, Some(correction)) => {
                for row in db.grants.values_mut().filter(|row| Some(row.grant.no) == correction.grant) {
                    (row.grant.voiding, row.grant.voiding_owed) = (Credits::ZERO, Credits::ZERO);
                }
                sum_up(db);
            }
            (Self::VoidedSpendingNotOwed, _) => sum_up(db),
            (Self::VoidTakenFromLeases, Some(correction)) => {
                if let (Some(grant), true) = (correction.grant, correction.taken.leased.is_positive()) {
                    take_from_leases(db, &correction, grant);
                    sum_up(db);
                }
            }
            _ => {}
        }
    }
}

/// Each account's sum of what leases have of voided grants.
fn sum_up(db: &mut Tables) {
    for row in db.accounts.values_mut() {
        let grants = db.grants.values().filter(|grant| grant.account == row.account.no);
        let waiting = grants.map(|grant| grant.grant.voiding_owed.micros()).sum();
        row.account.voiding = Credits::from_micros(waiting);
    }
}

/// Takes what leases have of a grant, with all that must be written down for it.
fn take_from_leases(db: &mut Tables, correction: &CorrectionRow, no: GrantNo) {
    let (Some(account), Some(grant)) =
        (db.accounts.get_mut(&(correction.account,)), db.grants.get_mut(&(no,)))
    else {
        return;
    };
    let account = &mut account.account;
    for row in db.leases.values_mut().filter(|row| row.lease.account == correction.account) {
        let place = row.lease.place();
        for draw in row.lease.draws.iter_mut().filter(|draw| draw.grant == no) {
            let waiting = grant.grant.voiding.saturating_add(grant.grant.voiding_owed);
            let part = draw.left.min(waiting);
            if !part.is_positive() {
                continue;
            }
            draw.left = draw.left.less(part);
            let owed = part.min(grant.grant.voiding_owed);
            grant.grant.voiding_owed = grant.grant.voiding_owed.less(owed);
            grant.grant.voiding = grant.grant.voiding.less(part.less(owed));
            grant.grant.voided = grant.grant.voided.saturating_add(part);
            account.books.held = account.books.held.less(part);
            account.books.voided = account.books.voided.saturating_add(part);
            let kind = Kind::VoidReturned.number();
            let at = minute(correction.created_at);
            let key = (correction.account, at, kind, place.key, place.gateway, place.epoch, no);
            let empty = EntryRow { place: key, amount: Credits::ZERO };
            let entry = db.entries.entry(key).or_insert(empty);
            entry.amount = entry.amount.saturating_add(part);
        }
        let had = row.lease.has_credits();
        row.lease.draws.retain(|draw| draw.left.is_positive());
        row.escrow = row.lease.escrow();
        if had && !row.lease.has_credits() {
            account.holders -= 1;
            row.lease.fast_heartbeat = false;
        }
    }
}
