//! The rules of the money: accounts, keys, grants, plans, leases, and the exchange about them.
//!
//! Plain, synchronous functions over plain data. No clock (`now` is always an argument), no randomness
//! (random bytes are arguments), no I/O, no SQL. What the store loads, these functions change; what
//! they changed, the store writes, together with the [`entry::Posting`]s that say why.
//!
//! What must hold: every movement of money is a posting from one book to another, so the books always
//! add up to nothing; and an account's `granted + owed = available + held + spent + expired`.

pub mod access;
pub mod account;
#[cfg(test)]
mod after_restore;
pub mod alert;
pub mod answer;
pub mod budget;
pub mod budget_level;
pub mod call_log;
pub mod claim_rule;
pub mod cost;
pub mod entitlement;
pub mod entry;
pub mod event;
pub mod exchange;
pub mod fault;
pub mod findings;
pub mod forecast;
pub mod funds;
pub mod grant;
pub mod grant_kind;
#[cfg(test)]
mod history;
pub mod holds;
pub mod ids;
pub mod key;
pub mod lease;
pub mod limits;
pub mod mail;
pub mod otlp;
pub mod outgoing;
mod payer_status;
pub mod period;
pub mod plan;
mod plan_change;
pub mod plan_words;
pub mod policy;
pub mod portal;
pub mod price_import;
pub mod price_list;
pub mod price_news;
pub mod proration;
pub mod reclaim;
pub mod shortage;
pub mod sizing;
pub mod subscribed;
pub mod subscription;
#[cfg(test)]
mod subscription_history;
pub mod terms;
pub mod time;
pub mod unbooked;
pub mod usage_periods;
pub mod webhook;

pub use account::{Account, AccountState, Books};
pub use budget::{Budget, Scope};
pub use entry::{Kind, Place, Posting};
pub use exchange::{Payer, Verdict};
pub use funds::AccountFunds;
pub use grant::Grant;
pub use ids::{
    AccountId, AccountNo, CorrectionId, EventId, GatewayNo, GrantId, GrantNo, KeyId, KeyNo, MailId, PlanNo,
    PortalLinkId, PortalSessionId, TeamId, TeamNo, TokenId, WebhookId,
};
pub use key::Key;
pub use lease::{Draw, Lease, LeaseState};

/// Why money can't be moved as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// A sum would leave the range of what can be counted (about 9.2 × 10^12 credits).
    #[error("{book} would leave the range of 64-bit micro-credits; use a smaller amount")]
    OutOfRange {
        /// Which sum.
        book: &'static str,
    },
    /// A lease draws on a grant that isn't at hand: the database is damaged.
    #[error("a lease of account {account} draws on a grant that is missing; run `faregate audit`")]
    MissingGrant {
        /// Whose.
        account: String,
    },
}
