//! How much the ledger does at once when nobody asks, and how long it keeps what has served its time.

/// The most rows that one call deals with.
pub const ROWS: usize = 500;

/// The most subscriptions that are renewed at once: each takes several statements, and all keep their locks.
pub const RENEWALS: usize = 50;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// First answers to the admin API's writes.
pub const KEEP_ANSWERS_MS: i64 = DAY_MS;
/// Changes that gateways must hear; one that was away longer has its leases read instead.
pub const KEEP_CHANGES_MS: i64 = DAY_MS;
/// Leases whose gateway has said its final word, and brokers that fell silent.
pub const KEEP_ENDED_MS: i64 = 7 * DAY_MS;
/// Leases about which something may still be told late.
pub const KEEP_RECLAIMED_MS: i64 = 90 * DAY_MS;
/// What gateways said they had sold and was not charged.
pub const KEEP_UNBOOKED_MS: i64 = 90 * DAY_MS;
/// What rules that only watch would have refused.
pub const KEEP_SHADOW_MS: i64 = 30 * DAY_MS;
