//! What is wrong with the ledger itself, which is no account's: announced when it begins, and when it is over.
//!
//! Each ledger says again and again what it sees. One that sees nothing says nothing, because another one on the same database may;
//! so a fault is over when none has said it for [`HOLD_MS`]. What must hold: a fault is announced once until it is over, however many
//! ledgers see it; and there are no more than [`FaultKind::ALL`].

use super::time::at;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A fault that no ledger has seen for so long is over (ms): ten minutes.
pub const HOLD_MS: i64 = 10 * 60 * 1_000;
/// A certificate is announced so long before it expires (ms): 7 days.
pub const EXPIRES_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// So many requests of gateways that showed no valid token, within a minute, are a burst.
pub const BURST: u64 = 100;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Balances disagree with their entries.
    BooksDisagree,
    /// A gateway reports what can't be true, or can't be booked: it was not charged.
    NotCharged,
    /// Many requests to the gateway API show no valid token.
    GatewaysDenied,
    /// The certificate of the gateway listener expires soon.
    GatewayCertificate,
    /// The certificate of the admin listener expires soon.
    AdminCertificate,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::BooksDisagree,
        Self::NotCharged,
        Self::GatewaysDenied,
        Self::GatewayCertificate,
        Self::AdminCertificate,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BooksDisagree => "books_disagree",
            Self::NotCharged => "not_charged",
            Self::GatewaysDenied => "gateways_denied",
            Self::GatewayCertificate => "gateway_certificate",
            Self::AdminCertificate => "admin_certificate",
        }
    }

    /// What it means, in words.
    pub const fn what(self) -> &'static str {
        match self {
            Self::BooksDisagree => "balances disagree with their entries",
            Self::NotCharged => {
                "a gateway reports what can't be true or can't be booked, and that was not charged"
            }
            Self::GatewaysDenied => "many requests to the gateway API show no valid token",
            Self::GatewayCertificate => "the certificate of the gateway listener expires within 7 days",
            Self::AdminCertificate => "the certificate of the admin listener expires within 7 days",
        }
    }

    /// What an operator does, in words.
    pub const fn cure(self) -> &'static str {
        match self {
            Self::BooksDisagree => "see `faregate audit`",
            Self::NotCharged => "see `faregate audit`, and the ledger's log for the gateway",
            Self::GatewaysDenied => "see the ledger's log for the addresses; has a gateway token expired?",
            Self::GatewayCertificate | Self::AdminCertificate => {
                "renew the file; the ledger takes it into use within seconds"
            }
        }
    }
}

/// A fault that goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// When it was first seen.
    pub since: Timestamp,
    /// It is over then, unless it is seen again.
    pub until: Timestamp,
}

/// What is wrong now, by name. A later version may know more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults(BTreeMap<String, Fault>);

/// What has become of the faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// These are new.
    pub begun: Vec<FaultKind>,
    /// These are over, each with the time when it began.
    pub over: Vec<(String, Timestamp)>,
}

impl Faults {
    /// Whether what a ledger sees now changes anything.
    pub fn is_changed_by(&self, seen: &[FaultKind], now: Timestamp) -> bool {
        let ends = self.0.values().any(|fault| fault.until <= now);
        ends || seen.iter().any(|kind| self.0.get(kind.as_str()).is_none_or(|fault| is_stale(fault, now)))
    }

    /// Takes in what a ledger sees now.
    pub fn see(&mut self, seen: &[FaultKind], now: Timestamp) -> Turns {
        let until = at(now.as_millisecond().saturating_add(HOLD_MS));
        let mut turns = Turns::default();
        for kind in seen {
            if let Some(fault) = self.0.get_mut(kind.as_str()) {
                fault.until = fault.until.max(until);
            } else {
                self.0.insert(kind.as_str().to_owned(), Fault { since: now, until });
                turns.begun.push(*kind);
            }
        }
        self.0.retain(|name, fault| {
            let is_over = fault.until <= now;
            if is_over {
                turns.over.push((name.clone(), fault.since));
            }
            !is_over
        });
        turns
    }
}

/// Half of its time is over since it was last said.
fn is_stale(fault: &Fault, now: Timestamp) -> bool {
    fault.until.as_millisecond().saturating_sub(now.as_millisecond()) <= HOLD_MS / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    #[test]
    fn a_fault_begins_once_and_is_over_when_no_ledger_sees_it() {
        let denied = [FaultKind::GatewaysDenied];
        let mut faults = Faults::default();
        assert!(!faults.is_changed_by(&[], minute(0)) && faults.is_changed_by(&denied, minute(0)));
        assert_eq!(faults.see(&denied, minute(0)).begun, denied);
        assert!(!faults.is_changed_by(&denied, minute(1)) && faults.is_changed_by(&denied, minute(5)));
        assert_eq!(faults.see(&denied, minute(5)), Turns::default(), "also of another ledger");
        assert!(!faults.is_changed_by(&[], minute(14)));
        assert!(faults.is_changed_by(&[], minute(15)));
        let over = faults.see(&[], minute(15)).over;
        assert_eq!(over, [("gateways_denied".to_owned(), minute(0))]);
        assert_eq!(faults.see(&denied, minute(16)).begun, denied, "and may begin again");
    }

    #[test]
    fn a_fault_of_a_later_version_ends_too() {
        let mut faults: Faults = serde_json::from_str(
            r#"{"quakes": {"since": "1970-01-01T00:00:00Z", "until": "1970-01-01T00:01:00Z"}}"#,
        )
        .unwrap();
        assert_eq!(faults.see(&[], minute(2)).over, [("quakes".to_owned(), minute(0))]);
        let names: std::collections::BTreeSet<_> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), FaultKind::ALL.len());
    }
}
