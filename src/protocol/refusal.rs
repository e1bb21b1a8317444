//! The causes for which a caller is refused, by the names that stand on the wire.

use serde::{Deserialize, Serialize};

/// Why a caller is refused. The name in `snake_case` is the `code` member of the refusal's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The request carries no credential where the gate looks for one.
    MissingKey,
    /// The credential is malformed, unknown or revoked.
    InvalidKey,
    /// The key has passed its expiry.
    KeyExpired,
    /// The account's credits don't cover the price.
    InsufficientFunds,
    /// The account is suspended or closed.
    AccountSuspended,
    /// The ledger can't be reached, or is too busy to answer in time: our own fault.
    LedgerUnavailable,
}

impl RefusalCode {
    /// Every code, in the order in which they are documented.
    pub const ALL: [Self; 6] = [
        Self::MissingKey,
        Self::InvalidKey,
        Self::KeyExpired,
        Self::InsufficientFunds,
        Self::AccountSuspended,
        Self::LedgerUnavailable,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingKey => "missing_key",
            Self::InvalidKey => "invalid_key",
            Self::KeyExpired => "key_expired",
            Self::InsufficientFunds => "insufficient_funds",
            Self::AccountSuspended => "account_suspended",
            Self::LedgerUnavailable => "ledger_unavailable",
        }
    }
}

impl std::fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
