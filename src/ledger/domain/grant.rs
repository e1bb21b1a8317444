//! A grant: credits given to an account, and the order in which grants are spent.

use super::GrantNo;
use faregate_protocol::Credits;
use jiff::Timestamp;
use std::cmp::Ordering;

/// The most grants of one account that have something left, so that no exchange has to read more.
pub const MAX_LIVE_GRANTS: usize = 1_000;

/// A grant, as far as the money is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Its row.
    pub no: GrantNo,
    /// The smaller is spent first.
    pub priority: u16,
    /// When what remains is lost.
    pub expires_at: Option<Timestamp>,
    /// Neither spent, nor in a lease, nor expired.
    pub remaining: Credits,
    /// It came with a subscription.
    pub of_plan: bool,
    /// Taken back, also what was spent of it and became owed.
    pub voided: Credits,
    /// To be taken back when a lease hands it back. Nothing remains as long as there is some.
    pub voiding: Credits,
    /// The same, of which also what a lease spends is taken back, and becomes owed.
    pub voiding_owed: Credits,
}

impl Grant {
    /// Whether it has expired.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// The order in which grants are spent: priority, then earliest expiry (none comes last), then oldest.
    pub fn burn_order(&self, other: &Self) -> Ordering {
        let rank = |grant: &Self| (grant.priority, grant.expires_at.is_none(), grant.expires_at, grant.no);
        rank(self).cmp(&rank(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_spent_by_priority_and_then_by_expiry() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let grant = |no, priority, expires_at| Grant {
            no: GrantNo(no),
            priority,
            expires_at,
            remaining: Credits::from_micros(1),
            ..Grant::default()
        };
        let mut grants = [
            grant(1, 100, None),
            grant(2, 100, at(20)),
            grant(3, 100, at(10)),
            grant(4, 5, None),
            grant(5, 100, at(10)),
        ];
        grants.sort_by(Grant::burn_order);
        assert_eq!(grants.each_ref().map(|grant| grant.no.0), [4, 3, 5, 2, 1]);
        assert!(grants[1].is_expired(Timestamp::from_second(10).unwrap()));
        assert!(!grants[1].is_expired(Timestamp::from_second(9).unwrap()));
    }
}
