//! What a gateway's heartbeat brings back: the changes since the last one that concern its leases.
//!
//! What must hold: quiet payers cost a heartbeat nothing. The changes since the last one are looked at, not the gateway's
//! leases; only a gateway that is new, or has missed many changes, has all its leases looked at.

use crate::domain::key::Owner;
use crate::domain::{AccountNo, GatewayNo, Key, KeyNo, LeaseState};
use faregate_protocol::exchange::Change;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// A gateway that has missed more changes than this has its leases looked at instead.
pub const MAX_BACKLOG: i64 = 10_000;
/// The most changes in one answer, so that it fits into a message. Those that are left over come with the next heartbeat:
/// the gateway has given up the leases of the first ones by then.
pub const MAX_CHANGES: usize = 5_000;

/// Which of a gateway's leases are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// None: it has seen all.
    Nothing,
    /// Those that changes behind this number are about.
    Since(i64),
    /// All.
    Everything,
}

/// What a gateway that has seen changes up to `since` has missed, when the newest has this number.
pub fn scope(newest: i64, since: u64) -> Scope {
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    if since == newest {
        Scope::Nothing
    } else if since == 0 || since > newest || newest.saturating_sub(since) > MAX_BACKLOG {
        // A number from the future means that an older copy of the database was restored.
        Scope::Everything
    } else {
        Scope::Since(since)
    }
}

/// A lease of the gateway, with what decides whether its key still opens the gate.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The key.
    pub key: Key,
    /// Whose.
    pub account: AccountNo,
    /// The state of the account.
    pub owner: Owner,
    /// Whether the gateway should return unused credits.
    pub recall: bool,
}

/// Whether a gateway may hold money by a lease of this state and escrow, as far as it knows. Of one that was taken back
/// from it, it may not know yet.
pub fn is_held(state: LeaseState, has_credits: bool) -> bool {
    state == LeaseState::Open && has_credits || state == LeaseState::Reclaimed
}

/// Whether a change (see the table's comment for what zeros mean) is about a lease of this gateway.
pub fn is_about(change: (AccountNo, KeyNo, GatewayNo), gateway: GatewayNo, lease: &Candidate) -> bool {
    let (account, key, only) = change;
    if account.0 == 0 {
        return lease.recall && (only.0 == 0 || only == gateway);
    }
    account == lease.account && (key.0 == 0 || key == lease.key.no)
}

/// News for a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The number of the newest change that was taken in.
    pub seen: u64,
    /// What concerns this gateway.
    pub changes: Vec<Change>,
}

/// What a gateway hears that has seen changes up to `since`, of the leases that its [`scope`] names. There may be more
/// of these than one answer has.
pub fn decide(newest: i64, since: u64, leases: &[Candidate], now: Timestamp) -> News {
    let mut news = News { seen: u64::try_from(newest).unwrap_or(0), changes: Vec::new() };
    let mut keys = BTreeSet::new();
    for lease in leases {
        let refused = lease.key.refusal(lease.owner, now);
        if (refused.is_none() && !lease.recall) || !keys.insert(lease.key.no) {
            continue;
        }
        if news.changes.len() >= MAX_CHANGES {
            news.seen = since.min(i64::MAX.unsigned_abs());
            break;
        }
        news.changes.push(Change { payer: lease.key.id.to_string(), refused });
    }
    news
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountState, KeyId};
    use faregate_protocol::RefusalCode;

    fn lease(no: i64, recall: bool, revoked: bool) -> Candidate {
        let key = Key { no: KeyNo(no), id: KeyId::stored(format!("key_{no}")), revoked, ..Key::default() };
        let owner = Owner { state: AccountState::Active, unpaid: false };
        Candidate { key, account: AccountNo(7), owner, recall }
    }

    #[test]
    fn a_new_or_long_absent_gateway_has_all_its_leases_checked() {
        assert_eq!(scope(9, 9), Scope::Nothing);
        assert_eq!(scope(0, 0), Scope::Nothing);
        assert_eq!(scope(9, 8), Scope::Since(8));
        assert_eq!(scope(1 + MAX_BACKLOG, 1), Scope::Since(1));
        for (newest, since) in [(2 + MAX_BACKLOG, 1), (9, 0), (9, 10), (9, u64::MAX)] {
            assert_eq!(scope(newest, since), Scope::Everything, "{newest} {since}");
        }
    }

    #[test]
    fn a_valid_lease_that_is_not_recalled_produces_no_change() {
        let leases =
            [lease(1, false, false), lease(2, true, false), lease(3, false, true), lease(2, true, false)];
        let news = decide(9, 8, &leases, Timestamp::UNIX_EPOCH);
        let heard: Vec<_> =
            news.changes.iter().map(|change| (change.payer.as_str(), change.refused)).collect();
        assert_eq!(heard, [("key_2", None), ("key_3", Some(RefusalCode::InvalidKey))]);
        assert_eq!(news.seen, 9);
    }

    #[test]
    fn changes_that_do_not_fit_come_with_the_next_response() {
        let many = i64::try_from(MAX_CHANGES).unwrap();
        let leases: Vec<_> = (1..=many).map(|no| lease(no, false, true)).collect();
        let all = decide(9, 4, &leases, Timestamp::UNIX_EPOCH);
        assert_eq!((all.changes.len(), all.seen), (MAX_CHANGES, 9));
        let more: Vec<_> = (1..=many + 1).map(|no| lease(no, false, true)).collect();
        let part = decide(9, 4, &more, Timestamp::UNIX_EPOCH);
        assert_eq!((part.changes.len(), part.seen), (MAX_CHANGES, 4));
    }

    #[test]
    fn a_change_applies_to_a_key_an_account_or_all_recalled_leases() {
        let change = |account, key, gateway| (AccountNo(account), KeyNo(key), GatewayNo(gateway));
        let (lease, recalled) = (lease(3, false, false), lease(3, true, false));
        let about = |change, lease| is_about(change, GatewayNo(5), lease);
        assert!(about(change(7, 0, 0), &lease) && about(change(7, 3, 0), &lease));
        assert!(!about(change(7, 4, 0), &lease) && !about(change(8, 0, 0), &lease));
        assert!(about(change(0, 0, 5), &recalled) && about(change(0, 0, 0), &recalled));
        assert!(!about(change(0, 0, 6), &recalled) && !about(change(0, 0, 0), &lease));
    }
}
