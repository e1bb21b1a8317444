//! Something that happened about an account, as programs of operators are to hear of it.
//!
//! What must hold: an event's identifier follows from the event, so that it draws on no randomness, and a ledger that was restored
//! gives another event another one.

pub use crate::api::EventKind;

use super::{AccountNo, EventId};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Something that has happened in an operation. It becomes a row when the operation is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// What.
    pub kind: EventKind,
    /// To whom: zero where it is the ledger itself.
    pub account: AccountNo,
    /// What there is to know about it.
    pub data: Value,
}

/// The identifier of the account's event of this number.
pub fn id(account: &str, seq: i64, kind: EventKind, data: &str, now: Timestamp) -> EventId {
    let what = format!("{account} {seq} {} {} {data}", kind.as_str(), now.as_millisecond());
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(Sha256::digest(what)) {
        *byte = hashed;
    }
    EventId::generated(uuid::Uuid::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_event_of_the_same_number_has_another_identifier() {
        let (now, later) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(1).unwrap());
        let first = id("acme", 1, EventKind::BalanceLow, "{}", now);
        assert!(first.as_str().starts_with("event_"), "{first}");
        assert_eq!(id("acme", 1, EventKind::BalanceLow, "{}", now), first);
        for other in [
            id("bolt", 1, EventKind::BalanceLow, "{}", now),
            id("acme", 2, EventKind::BalanceLow, "{}", now),
            id("acme", 1, EventKind::KeyRevoked, "{}", now),
            id("acme", 1, EventKind::BalanceLow, "{\"left\":\"1\"}", now),
            id("acme", 1, EventKind::BalanceLow, "{}", later),
        ] {
            assert_ne!(other, first);
        }
    }

    #[test]
    fn every_kind_has_a_dotted_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), EventKind::ALL.len());
        for kind in EventKind::ALL {
            assert!(kind.as_str().contains('.'));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
