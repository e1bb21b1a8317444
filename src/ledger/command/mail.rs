//! Addresses that get events by mail: added and deleted.
//!
//! What must hold: the addresses of an account are few, and so are those for all: each event looks at them.

use crate::api;
use crate::domain::mail::{AddressState, MAX_FOR_ALL, MAX_PER_ACCOUNT};
use crate::domain::{AccountNo, MailId};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::record::Record as _;
use crate::store::rows::MailAddressRow;
use jiff::Timestamp;

/// A new address.
#[derive(Clone, Debug)]
pub struct NewAddress {
    /// Its identifier.
    pub id: MailId,
    /// The address.
    pub address: String,
    /// Only events of these kinds.
    pub kinds: Option<Vec<api::EventKind>>,
    /// Events of the account of this identifier; without, of all.
    pub account: Option<String>,
}

/// Adds an address.
pub fn add(draft: &mut Draft, asked: &NewAddress, now: Timestamp) -> Result<api::MailAddress, Stop> {
    let number = draft.number(MailAddressRow::TABLE);
    let owner = asked.account.as_deref().map(|id| draft.account_named(id)).transpose()?;
    let account = owner.as_ref().map_or(AccountNo::default(), |row| row.account.no);
    let others = draft.mail_about(account)?;
    let (most, what) = match owner {
        Some(_) => (MAX_PER_ACCOUNT, "mail addresses of an account"),
        None => (MAX_FOR_ALL, "mail addresses for all accounts"),
    };
    if others.iter().any(|row| row.address.eq_ignore_ascii_case(&asked.address)) {
        let why = format!(
            "is {}, which gets this mail already; delete it first to change its events",
            asked.address
        );
        return Err(Refusal::Field { field: "address", why }.into());
    }
    if others.len() >= most {
        return Err(Refusal::TooMany { what, limit: i64::try_from(most).unwrap_or(i64::MAX) }.into());
    }
    let kinds = asked.kinds.as_ref();
    let row = MailAddressRow {
        no: number?,
        id: asked.id.clone(),
        address: asked.address.clone(),
        account,
        kinds: kinds.map(|kinds| kinds.iter().map(|kind| kind.as_str().to_owned()).collect()),
        state: AddressState::Active,
        changed_at: now,
        created_at: now,
    };
    draft.put(row.clone());
    Ok(shown(row, asked.account.clone()))
}

/// Deletes an address: it gets nothing more, also not what waits.
pub fn delete(draft: &mut Draft, id: &str, now: Timestamp) -> Result<api::MailAddress, Stop> {
    let missing = || Refusal::NotFound { what: "mail address", id: id.to_owned() };
    let no = draft.mail_address_named(id)?.ok_or_else(missing)?;
    let found = draft.get::<MailAddressRow>(&(no,))?.cloned();
    let mut row = found.filter(|row| row.state == AddressState::Active).ok_or_else(missing)?;
    (row.state, row.changed_at) = (AddressState::Deleted, now);
    draft.put(row.clone());
    let is_of_one = row.account != AccountNo::default();
    let owner = if is_of_one { draft.account(row.account)? } else { None };
    Ok(shown(row, owner.map(|owner| owner.account.id.to_string())))
}

/// What the admin API shows.
pub fn shown(row: MailAddressRow, account: Option<String>) -> api::MailAddress {
    api::MailAddress {
        id: row.id.to_string(),
        address: row.address,
        events: row.kinds,
        account,
        state: row.state,
        waiting: None,
        given_up: None,
        created_at: row.created_at,
    }
}
