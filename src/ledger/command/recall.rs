//! Asks gateways to hand back what they don't need.

use crate::api;
use crate::domain::{AccountNo, GatewayNo, KeyNo};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::rows::{ChangeRow, LeaseRow};
use jiff::Timestamp;

/// Asks all gateways, or the one with this name.
pub fn gateways(draft: &mut Draft, gateway: Option<&str>, now: Timestamp) -> Result<api::RecallAnswer, Stop> {
    let only = match gateway {
        None => GatewayNo(0),
        Some(name) => {
            let missing = || Refusal::NotFound { what: "gateway", id: name.to_owned() };
            draft.gateway_named(name)?.ok_or_else(missing)?
        }
    };
    let leases = draft.recall(only)?;
    if leases > 0 {
        draft.announce(ChangeRow {
            seq: 0,
            account: AccountNo(0),
            key: KeyNo(0),
            gateway: only,
            created_at: now,
        });
    }
    Ok(api::RecallAnswer { leases })
}

/// Asks these holders; whether any could hand something back.
pub fn holders(draft: &mut Draft, holders: impl IntoIterator<Item = LeaseRow>) -> bool {
    let mut any = false;
    for mut row in holders.into_iter().filter(|row| row.escrow > row.lease.held) {
        any = true;
        row.lease.recall = true;
        draft.put(row);
    }
    any
}
