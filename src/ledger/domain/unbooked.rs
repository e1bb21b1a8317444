//! What gateways say they have sold and the ledger doesn't charge.
//!
//! An honest gateway sells what it was granted, and on credit no more than its rules allow between two answers. Only a
//! ledger that goes on from an older copy of its data knows of less. So what is beyond is believed up to
//! [`MAX_UNGRANTED`](faregate_protocol::exchange::MAX_UNGRANTED), and up to [`MAX_OWED`](super::account::MAX_OWED) for
//! the account; the rest is a mistake, or a lie of somebody who has stolen the gateway token. It is noted, so that an
//! audit finds it, and the entry is refused.

use super::{AccountId, AccountNo, BookError, KeyId, Place};
use faregate_protocol::Credits;

/// What of an entry was not charged, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbooked {
    /// Whose.
    pub account: (AccountNo, AccountId),
    /// By which key.
    pub key: KeyId,
    /// Where it is noted.
    pub place: Place,
    /// Granted under that epoch.
    pub granted: Credits,
    /// The largest counter of what was spent in it.
    pub spent: Credits,
    /// The counter of what went through on credit in it.
    pub on_credit: Credits,
    /// Why.
    pub cause: Cause,
}

/// Why something was not charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// This amount was implausible. It counts as reported and is never charged.
    Excess(Credits),
    /// The books would overflow. Nothing of the entry was stored, and its gateway will resend it.
    Failed(BookError),
}

impl Unbooked {
    /// How much will never be charged.
    pub const fn lost(&self) -> Credits {
        match self.cause {
            Cause::Excess(credits) => credits,
            Cause::Failed(_) => Credits::ZERO,
        }
    }
}
