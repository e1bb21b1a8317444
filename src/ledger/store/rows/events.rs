//! Rows of events, of the endpoints to which they are delivered, and of what is announced for all accounts.

use crate::domain::webhook::{DeliveryState, ReplayPlan, WebhookState};
use crate::domain::{AccountNo, EventId, WebhookId};
use crate::record;
use faregate_protocol::Credits;
use jiff::Timestamp;

/// What is announced of accounts that say nothing else. There is one row, once it was set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertDefaultRow {
    /// Always [`AlertDefaultRow::ONE`].
    pub one: i64,
    /// A balance below this is low.
    pub balance_below: Option<Credits>,
    /// When it was set.
    pub changed_at: Timestamp,
}

record! { AlertDefaultRow in "alert_defaults" by "one": (i64,) = |row| (row.one,);
    one: Fixed one,
    balance_below: Cold balance_below,
    changed_ms: Cold changed_at,
}

impl AlertDefaultRow {
    /// The only key.
    pub const ONE: i64 = 1;
}

/// By what an event is found: account, number. The account is zero for what happened to the ledger itself.
pub type EventKey = (AccountNo, i64);

/// Something that happened about an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRow {
    /// By what it is found.
    pub place: EventKey,
    /// Its identifier.
    pub id: EventId,
    /// What happened. A later version may know more kinds than this one.
    pub kind: String,
    /// What there is to know about it (JSON).
    pub data: String,
    /// When it happened.
    pub created_at: Timestamp,
}

record! { EventRow in "events" by "account, seq": EventKey = |row| row.place;
    account: Fixed place.0,
    seq: Fixed place.1,
    id: Fixed id,
    kind: Fixed kind,
    data: Fixed data,
    created_ms: Fixed created_at,
}

/// An endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookRow {
    /// Its number.
    pub no: i64,
    /// Its identifier.
    pub id: WebhookId,
    /// Where events are posted.
    pub url: String,
    /// Only events of these kinds.
    pub kinds: Option<Vec<String>>,
    /// Only events of this account.
    pub account: Option<AccountNo>,
    /// What deliveries are signed with.
    pub secret: Vec<u8>,
    /// The secret before.
    pub old_secret: Option<Vec<u8>>,
    /// Until when that is used, too.
    pub old_until: Option<Timestamp>,
    /// Whether it gets events.
    pub state: WebhookState,
    /// Why it doesn't.
    pub note: Option<String>,
    /// Which events are put in its queue again.
    pub replay: Option<ReplayPlan>,
    /// When its state was last changed.
    pub changed_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

record! { WebhookRow in "webhooks" by "no": (i64,) = |row| (row.no,);
    no: Fixed no,
    id: Fixed id,
    url: Fixed url,
    kinds: Fixed kinds,
    account: Fixed account,
    secret: Cold secret,
    old_secret: Cold old_secret,
    old_until_ms: Cold old_until,
    state: Cold state,
    note: Cold note,
    replay: Cold replay,
    changed_ms: Cold changed_at,
    created_ms: Fixed created_at,
}

/// By what a delivery is found: endpoint, account, the event's number. A mail address is an endpoint with a negative number.
pub type DeliveryKey = (i64, AccountNo, i64);

/// An event on its way to an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryRow {
    /// By what it is found.
    pub place: DeliveryKey,
    /// Whether it was delivered.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first tried, as long as it fails.
    pub first_at: Option<Timestamp>,
    /// When it may be tried next.
    pub next_at: Timestamp,
    /// Until when a ledger is trying it.
    pub claimed_until: Option<Timestamp>,
    /// The status of the last answer.
    pub status: Option<u16>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When it was delivered, or given up.
    pub done_at: Option<Timestamp>,
    /// When the event happened.
    pub created_at: Timestamp,
}

record! { DeliveryRow in "deliveries" by "webhook, account, seq": DeliveryKey = |row| row.place;
    webhook: Fixed place.0,
    account: Fixed place.1,
    seq: Fixed place.2,
    state: Cold state,
    attempts: Hot attempts,
    first_ms: Hot first_at,
    next_ms: Cold next_at,
    claimed_ms: Hot claimed_until,
    status: Cold status,
    error: Cold error,
    done_ms: Cold done_at,
    created_ms: Fixed created_at,
}
