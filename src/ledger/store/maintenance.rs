//! How much a background job does at once, and how long old rows are kept.

use super::dialect::Dialect;
use super::record::{Record, Table};
use super::rows::{
    BrokerRow, ChangeRow, DeliveryRow, EventRow, IdempotencyRow, LeaseRow, MailAddressRow, PortalLinkRow,
    PortalSessionRow, RefusalRow, SessionRow, ShadowRow, TokenRow, TrailRow, UnbookedRow, WebhookRow,
};

/// The most rows that one call deals with.
pub const ROWS: usize = 500;

/// The most subscriptions that are renewed at once: all keep their locks until all are written.
pub const RENEWALS: usize = 500;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// First answers to the admin API's writes.
const KEEP_ANSWERS_MS: i64 = DAY_MS;
/// Changes to announce to gateways; a gateway that was absent longer gets its leases read instead.
const KEEP_CHANGES_MS: i64 = DAY_MS;
/// Leases whose gateway has sent its final report, and brokers that fell silent.
const KEEP_ENDED_MS: i64 = 7 * DAY_MS;
/// Leases about which a late report may still come.
const KEEP_RECLAIMED_MS: i64 = 90 * DAY_MS;
/// What gateways said they had sold and was not charged.
const KEEP_UNBOOKED_MS: i64 = 90 * DAY_MS;
/// What rules that only watch would have refused.
const KEEP_SHADOW_MS: i64 = 30 * DAY_MS;
/// What was refused.
const KEEP_REFUSALS_MS: i64 = 30 * DAY_MS;
/// Events, whether they were delivered or not, and endpoints that were deleted.
const KEEP_EVENTS_MS: i64 = 30 * DAY_MS;
/// Tokens that are no longer valid.
const KEEP_TOKENS_MS: i64 = 90 * DAY_MS;

/// Rows that are kept for a time.
#[derive(Debug)]
pub struct Kept {
    pub(super) table: &'static Table,
    /// What is true of those that may go; `?1` is the time before which they must have served.
    condition: &'static str,
    /// For how many milliseconds.
    pub keep_ms: i64,
}

/// All that is deleted when it has served its time.
pub static KEPT: [Kept; 16] = [
    Kept { table: IdempotencyRow::TABLE, condition: "created_ms < ?1", keep_ms: KEEP_ANSWERS_MS },
    Kept { table: ChangeRow::TABLE, condition: "created_ms < ?1", keep_ms: KEEP_CHANGES_MS },
    Kept {
        table: ShadowRow::TABLE,
        condition: "minute < CAST(?1 AS bigint) / 60000",
        keep_ms: KEEP_SHADOW_MS,
    },
    Kept {
        table: RefusalRow::TABLE,
        condition: "hour < CAST(?1 AS bigint) / 3600000",
        keep_ms: KEEP_REFUSALS_MS,
    },
    Kept { table: BrokerRow::TABLE, condition: "heard_ms < ?1", keep_ms: KEEP_ENDED_MS },
    Kept {
        table: LeaseRow::TABLE,
        condition: "state <> 'open' AND changed_ms < ?1 AND state = 'ended' AND on_credit = 0",
        keep_ms: KEEP_ENDED_MS,
    },
    Kept {
        table: LeaseRow::TABLE,
        condition: "state <> 'open' AND changed_ms < ?1",
        keep_ms: KEEP_RECLAIMED_MS,
    },
    Kept { table: UnbookedRow::TABLE, condition: "last_ms < ?1", keep_ms: KEEP_UNBOOKED_MS },
    Kept {
        table: TokenRow::TABLE,
        condition: "(revoked_ms < ?1 OR expires_ms < ?1)",
        keep_ms: KEEP_TOKENS_MS,
    },
    Kept { table: DeliveryRow::TABLE, condition: "created_ms < ?1", keep_ms: KEEP_EVENTS_MS },
    Kept { table: EventRow::TABLE, condition: "created_ms < ?1", keep_ms: KEEP_EVENTS_MS },
    Kept {
        table: WebhookRow::TABLE,
        condition: "state = 'deleted' AND changed_ms < ?1",
        keep_ms: KEEP_EVENTS_MS,
    },
    Kept {
        table: MailAddressRow::TABLE,
        condition: "state = 'deleted' AND changed_ms < ?1",
        keep_ms: KEEP_EVENTS_MS,
    },
    Kept { table: SessionRow::TABLE, condition: "expires_ms < ?1", keep_ms: 0 },
    Kept { table: PortalSessionRow::TABLE, condition: "expires_ms < ?1", keep_ms: 0 },
    Kept { table: PortalLinkRow::TABLE, condition: "expires_ms < ?1", keep_ms: 0 },
];

/// What operators did. For how long it is kept, the ledger is asked to say at its start.
pub static TRAIL: Kept = Kept { table: TrailRow::TABLE, condition: "created_ms < ?1", keep_ms: i64::MAX };

impl Kept {
    /// Whether there are such rows: up to `?2` are counted.
    pub fn count(&self) -> String {
        let (name, condition) = (self.table.name, self.condition);
        format!("SELECT count(*) FROM (SELECT 1 FROM {name} WHERE {condition} LIMIT ?2) d")
    }

    /// The statement that deletes up to `?2` of those that have served before the time `?1`, in milliseconds.
    pub fn delete(&self, dialect: Dialect) -> String {
        let (Table { name, key, .. }, condition, skip) = (self.table, self.condition, dialect.skip_locked());
        let rows = format!("SELECT {key} FROM {name} WHERE {condition} LIMIT ?2{skip}");
        dialect.text(&format!("DELETE FROM {name} WHERE ({key}) IN ({rows})"))
    }
}
