//! An account: who pays, whether it may, and the sums of its money.

use super::{AccountId, AccountNo, BookError};
pub use crate::api::AccountState;
use faregate_protocol::Credits;
use faregate_protocol::exchange::MAX_AMOUNT;
use jiff::SignedDuration;

/// An account with the sums of its money.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its row.
    pub no: AccountNo,
    /// Its identifier.
    pub id: AccountId,
    /// Whether it may spend.
    pub state: AccountState,
    /// Its money.
    pub books: Books,
    /// How many open leases of it have money in them.
    pub holders: i64,
    /// Several holders share the last of its money, so their gateways heartbeat faster.
    pub tight: bool,
    /// The name of the plan that it has subscribed to.
    pub plan: Option<String>,
    /// What its newest subscription means for exchanges.
    pub entitlement: Option<super::entitlement::Entitlement>,
    /// How many budgets there are of it, its teams and its keys.
    pub budgets: i64,
    /// When something is due about its subscription the next time.
    pub due: Option<jiff::Timestamp>,
    /// What leases have of grants that were voided, and is owed if they spend it: the sum of
    /// [`Grant::voiding_owed`](super::Grant::voiding_owed).
    pub voiding: Credits,
}

/// The sums of an account's money. `granted + owed = available + held + spent + expired + voided`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// In grants, free to be drawn.
    pub available: Credits,
    /// In open leases.
    pub held: Credits,
    /// Revenue.
    pub spent: Credits,
    /// Lost by expiry.
    pub expired: Credits,
    /// Spent without being covered by any grant.
    pub owed: Credits,
    /// Ever given.
    pub granted: Credits,
    /// Taken back by corrections.
    pub voided: Credits,
}

/// How long a closed account can be reopened: 30 days.
pub const REOPENS_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The account is closed. Only [`Transition::Reopen`] helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the account is closed")]
pub struct Closed;

/// What an operator can do with an account's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It may not spend for now.
    Suspend,
    /// It may spend again.
    Resume,
    /// It may not spend, and is gone for good after [`REOPENS_FOR`].
    Close,
    /// It was closed by mistake, and may spend again.
    Reopen,
}

impl Transition {
    /// The resulting state. Repeating a transition changes nothing.
    pub const fn of(self, state: AccountState) -> Result<AccountState, Closed> {
        match (self, state) {
            (Self::Close, _) => Ok(AccountState::Closed),
            (Self::Reopen, AccountState::Closed) => Ok(AccountState::Active),
            (Self::Reopen, open) => Ok(open),
            (_, AccountState::Closed) => Err(Closed),
            (Self::Suspend, _) => Ok(AccountState::Suspended),
            (Self::Resume, _) => Ok(AccountState::Active),
        }
    }
}

/// The most that an account can owe: 10^12 credits. What a gateway says it has sold beyond that is not charged.
pub const MAX_OWED: Credits = MAX_AMOUNT;

impl Books {
    /// How much more the account can owe. All that its books hold together stays in range, so no movement between
    /// them can fail.
    pub fn room_for_debt(&self) -> Credits {
        let room = Credits::MAX.less(self.granted).less(self.owed);
        MAX_OWED.less(self.owed).min(room)
    }

    /// Whether every movement between the books stays in range.
    pub fn are_in_range(&self) -> bool {
        self.granted.checked_add(self.owed).is_some()
    }

    /// Whether the sums agree with each other.
    pub fn agree(&self) -> bool {
        let sum = |parts: &[Credits]| parts.iter().map(|part| i128::from(part.micros())).sum::<i128>();
        sum(&[self.granted, self.owed])
            == sum(&[self.available, self.held, self.spent, self.expired, self.voided])
    }
}

/// Adds to a sum, within its range.
pub(super) fn add(sum: &mut Credits, amount: Credits, book: &'static str) -> Result<(), BookError> {
    *sum = sum.checked_add(amount).ok_or(BookError::OutOfRange { book })?;
    Ok(())
}

/// Takes from a sum, within its range.
pub(super) fn take(sum: &mut Credits, amount: Credits, book: &'static str) -> Result<(), BookError> {
    *sum = sum
        .checked_sub(amount)
        .filter(|rest| *rest >= Credits::ZERO)
        .ok_or(BookError::OutOfRange { book })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_account_can_only_be_reopened() {
        use AccountState::{Active, Closed as Shut, Suspended};
        assert_eq!(Transition::Suspend.of(Active), Ok(Suspended));
        assert_eq!(Transition::Suspend.of(Suspended), Ok(Suspended));
        assert_eq!(Transition::Resume.of(Suspended), Ok(Active));
        assert_eq!(Transition::Close.of(Suspended), Ok(Shut));
        assert_eq!(Transition::Close.of(Shut), Ok(Shut));
        assert_eq!(Transition::Resume.of(Shut), Err(Closed));
        assert_eq!(Transition::Suspend.of(Shut), Err(Closed));
        assert_eq!(Transition::Reopen.of(Shut), Ok(Active));
        assert_eq!(Transition::Reopen.of(Suspended), Ok(Suspended));
    }
}
