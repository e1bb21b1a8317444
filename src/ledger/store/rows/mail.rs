//! Rows of mail addresses, and of what is wrong with the ledger itself.

use crate::domain::fault::Faults;
use crate::domain::mail::AddressState;
use crate::domain::{AccountNo, MailId};
use crate::record;
use jiff::Timestamp;

/// An address that gets events by mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailAddressRow {
    /// Its number. In deliveries it is negative: see [`crate::domain::mail::endpoint`].
    pub no: i64,
    /// Its identifier.
    pub id: MailId,
    /// The address.
    pub address: String,
    /// Events of this account; of all, and the ledger's own, where it is 0.
    pub account: AccountNo,
    /// Only events of these kinds.
    pub kinds: Option<Vec<String>>,
    /// Whether it gets mail.
    pub state: AddressState,
    /// When its state was last changed.
    pub changed_at: Timestamp,
    /// When it was added.
    pub created_at: Timestamp,
}

record! { MailAddressRow in "mail_addresses" by "no": (i64,) = |row| (row.no,);
    no: Fixed no,
    id: Fixed id,
    address: Fixed address,
    account: Fixed account,
    kinds: Fixed kinds,
    state: Cold state,
    changed_ms: Cold changed_at,
    created_ms: Fixed created_at,
}

/// What is wrong with the ledger itself. There is one row, once something was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultsRow {
    /// Always [`FaultsRow::ONE`].
    pub one: i64,
    /// What is wrong now.
    pub faults: Faults,
    /// The number of the ledger's last event.
    pub events: i64,
    /// When it was last changed.
    pub changed_at: Timestamp,
}

record! { FaultsRow in "ledger_faults" by "one": (i64,) = |row| (row.one,);
    one: Fixed one,
    faults: Cold faults,
    events: Cold events,
    changed_ms: Cold changed_at,
}

impl FaultsRow {
    /// The only key.
    pub const ONE: i64 = 1;
}
