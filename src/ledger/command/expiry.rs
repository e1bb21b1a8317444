//! Expires grants and keys.

use super::funds;
use crate::domain::{AccountNo, KeyNo};
use crate::store::draft::{Draft, Stop};
use crate::store::operation::Operation;
use jiff::Timestamp;

/// Removes the remainder of an account's expired grants. Returns whether the account exists.
#[derive(Clone, Copy, Debug)]
pub struct ExpireGrants {
    /// Whose.
    pub account: AccountNo,
}

impl Operation for ExpireGrants {
    type Output = bool;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<bool, Stop> {
        let Some((row, mut money)) = funds::load(draft, self.account, &[])? else { return Ok(false) };
        money.expire(now)?;
        funds::keep(draft, &row, &money, now)?;
        Ok(true)
    }
}

/// Announces an expired key to gateways. Returns whether it was not announced before.
#[derive(Clone, Copy, Debug)]
pub struct ExpireKey {
    /// Which.
    pub key: KeyNo,
    /// Whose.
    pub account: AccountNo,
}

impl Operation for ExpireKey {
    type Output = bool;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<bool, Stop> {
        let Some(account) = draft.account(self.account)? else { return Ok(false) };
        let Some(mut row) = draft.key(self.key)? else { return Ok(false) };
        if row.expiry_announced || row.key.expires_at.is_none_or(|at| at > now) {
            return Ok(false);
        }
        row.expiry_announced = true;
        draft.put(row);
        draft.announce_account(account.account.no, self.key, now);
        Ok(true)
    }
}
