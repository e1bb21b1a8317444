//! Takes back leases that no gateway has named for too long, or that a restored database still has open.

use super::funds;
use crate::domain::{AccountId, AccountNo, BookError, LeaseState, Payer};
use crate::store::draft::{Draft, Stop};
use crate::store::operation::Operation;
use crate::store::rows::{AccountRow, LeaseKey, LeaseRow};
use faregate_protocol::Credits;
use jiff::Timestamp;

/// Takes back a lease that is still open and was not named since its touch. What is left of it is whose the plan says.
#[derive(Clone, Copy, Debug)]
pub struct Reclaim {
    /// Which.
    pub place: LeaseKey,
    /// Whose.
    pub account: AccountNo,
    /// The line: one with a larger touch was named since.
    pub touch: i64,
}

/// Takes back a lease whose gateway may well be there, for instance after a restore. What is left of it is the
/// customer's.
#[derive(Clone, Copy, Debug)]
pub struct TakeBack(pub Reclaim);

/// How much came back; none when there was nothing to take back.
pub type Reclaimed = Result<Option<Credits>, Unreclaimed>;

/// A lease that can't be reclaimed because the books are damaged. It is left unchanged and does not block others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreclaimed {
    /// Whose.
    pub account: AccountId,
    /// Why.
    pub why: BookError,
}

impl Operation for Reclaim {
    type Output = Reclaimed;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<Reclaimed, Stop> {
        self.take(draft, now, Payer::reclaim)
    }
}

impl Operation for TakeBack {
    type Output = Reclaimed;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<Reclaimed, Stop> {
        self.0.take(draft, now, Payer::take_back)
    }
}

impl Reclaim {
    fn take(
        &self,
        draft: &mut Draft,
        now: Timestamp,
        take: fn(&mut Payer, Timestamp) -> Result<Credits, BookError>,
    ) -> Result<Reclaimed, Stop> {
        let Some(account) = draft.account(self.account)? else { return Ok(Ok(None)) };
        let Some((row, mut payer)) = self.payer(draft, &account)? else { return Ok(Ok(None)) };
        let back = match take(&mut payer, now) {
            Ok(back) => back,
            Err(why) => return Ok(Err(Unreclaimed { account: account.account.id, why })),
        };
        funds::keep_lease(draft, Some(&row), &payer.lease, false, now);
        funds::keep(draft, &account, &payer.funds, now)?;
        Ok(Ok(Some(back)))
    }

    /// The lease with its payer; none if it was reported since, or has ended.
    fn payer(&self, draft: &mut Draft, account: &AccountRow) -> Result<Option<(LeaseRow, Payer)>, Stop> {
        let (lease, key) = (draft.lease(self.place), draft.key(self.place.1));
        let (Some(row), Some(key)) = (lease?, key?) else { return Ok(None) };
        if row.lease.state != LeaseState::Open || row.touch > self.touch {
            return Ok(None);
        }
        let money = funds::of(draft, account, &row.lease.draws);
        let budgets = funds::budgets(draft, &account.account, &key.key);
        let money = money?.with_budgets(budgets?);
        let payer = Payer { funds: money, key: key.key, lease: row.lease.clone(), holds: None, demand: 0 };
        Ok(Some((row, payer)))
    }
}
