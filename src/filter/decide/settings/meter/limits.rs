//! Limits of metered rules: how large a body is read, and how long a name is that usage can carry.

use crate::decide::settings::reader::{Field, Object};
use faregate_protocol::exchange::MAX_ITEM_BYTES;

/// The largest body of a request that is read, unless the rule says otherwise (bytes): as much as Envoy holds back.
const DEFAULT_BODY_BYTES: u32 = 1 << 20;
/// The most that a rule may say (bytes).
const MAX_BODY_BYTES: u32 = 64 << 20;

/// The largest body that a rule reads (bytes).
pub(super) fn read_max_body(object: &Object<'_>) -> u32 {
    object.optional("max_body_bytes").map_or(DEFAULT_BODY_BYTES, |field| field.integer(1, MAX_BODY_BYTES))
}

/// The name of a model or of a tool.
pub(super) fn check_item(field: &Field<'_>) {
    if !(1..=MAX_ITEM_BYTES).contains(&field.name().len()) {
        field.wrong("this name", "a name of 1 to 128 bytes");
    }
}
