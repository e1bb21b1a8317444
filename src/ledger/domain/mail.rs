//! Mail about events: who gets it, what it says, and how much.
//!
//! What must hold: no text of a stranger's becomes a header or a line of its own ([`template`]); of an event all attempts are the same
//! mail ([`message_id`]); and an address gets at most [`MAX_PER_HOUR`] mails about an account in an hour.

mod address;
mod members;
mod server;
mod template;

pub use crate::api::AddressState;
pub use address::{InvalidAddress, address, domain_of};
pub use server::{Encryption, InvalidUrl, SmtpServer};
pub use template::{InvalidTemplate, Letter, Templates};

/// The most addresses of one account.
pub const MAX_PER_ACCOUNT: usize = 5;
/// The most addresses for all accounts.
pub const MAX_FOR_ALL: usize = 20;
/// How many mails a ledger sends at once.
pub const AT_ONCE: usize = 4;
/// The most mails to one address about one account within [`PER_MS`].
pub const MAX_PER_HOUR: i64 = 20;
/// Over which time they are counted (ms).
pub const PER_MS: i64 = 60 * 60 * 1_000;
/// An event that is older is news no more (ms): 3 days.
pub const STALE_MS: i64 = 3 * 24 * 60 * 60 * 1_000;

/// The number that an address has as an endpoint of deliveries: webhooks have positive ones.
pub const fn endpoint(address: i64) -> i64 {
    address.saturating_neg()
}

/// Whether deliveries to an endpoint are mails.
pub const fn is_mail(endpoint: i64) -> bool {
    endpoint < 0
}

/// The `Message-ID` of the mail about an event to an address. Mail programs and servers may drop a second one.
pub fn message_id(event: &str, address: &str, from: &str) -> String {
    format!("<{event}.{address}@{}>", domain_of(from))
}
