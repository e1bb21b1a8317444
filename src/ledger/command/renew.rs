//! Stub until the commands branch is merged.
use crate::store::draft::{Draft, Stop};
use crate::store::rows::AccountRow;
use jiff::Timestamp;

/// Stub.
pub fn advance_if_due(_: &mut Draft, _: &AccountRow, _: Timestamp) -> Result<(), Stop> {
    Ok(())
}
