//! Call records: what a gateway says of single requests, `POST /gateway/v1/calls`.
//!
//! They are for people who look into what happened. No money depends on them: leases and usage reports carry that. So a gateway sends
//! them behind everything else, and drops them first.
//!
//! What must hold: nothing of a request is in them but what is listed here; no body, no query, no header and no key. A batch that is
//! sent again under its number is stored once.

use crate::exchange::{Basis, MAX_ITEM_BYTES, MAX_NAME_BYTES};
use crate::metering::Quantities;
use crate::{Credits, RefusalCode};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The version of batches. A ledger ignores fields that it doesn't know.
pub const VERSION: u32 = 1;
/// Where the ledger takes them.
pub const PATH: &str = "/gateway/v1/calls";
/// The largest batch, in bytes.
pub const MAX_BATCH_BYTES: usize = 256 * 1_024;
/// The most records in a batch.
pub const MAX_CALLS: usize = 4_096;
/// The longest request identifier that is recorded, in bytes; a longer one is cut.
pub const MAX_REQUEST_ID_BYTES: usize = 64;
/// The largest "one in so many" of a rule that samples.
pub const MAX_ONE_IN: u32 = 1_000_000;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It was admitted, and charged.
    Admitted,
    /// It was admitted, and its charge was released.
    Released,
    /// It was admitted, and its answer was ended because nothing was left to pay for more of it.
    Stopped,
    /// It was free.
    Free,
    /// It would have been refused, but its rule is in shadow mode.
    Shadow,
    /// It was refused.
    Refused,
}

impl Decision {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Admitted, Self::Released, Self::Stopped, Self::Free, Self::Shadow, Self::Refused];

    /// The name, as on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Released => "released",
            Self::Stopped => "stopped",
            Self::Free => "free",
            Self::Shadow => "shadow",
            Self::Refused => "refused",
        }
    }

    /// The decision of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.as_str() == name)
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call<'a> {
    /// When it arrived, on the gateway's monotonic clock (ms).
    pub at_ms: u64,
    /// How long it took, until its answer was sent (ms).
    pub duration_ms: u64,
    /// The account, where the caller is known. At most [`MAX_NAME_BYTES`], as all names here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Cow<'a, str>>,
    /// The key's identifier, where the caller is known; never the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Cow<'a, str>>,
    /// The rule's name.
    pub rule: Cow<'a, str>,
    /// The model or the tool, of metered rules. At most [`MAX_ITEM_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Cow<'a, str>>,
    /// What became of it.
    pub decision: Decision,
    /// Why it was refused, or would have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<RefusalCode>,
    /// What it was charged in the end.
    #[serde(default, skip_serializing_if = "Credits::is_zero")]
    pub charge: Credits,
    /// What was held for it.
    #[serde(default, skip_serializing_if = "Credits::is_zero")]
    pub hold: Credits,
    /// On what the charge of a metered request is based.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// What a metered request used.
    #[serde(default, skip_serializing_if = "Quantities::is_none")]
    pub used: Quantities,
    /// The status of its answer; none where the client left before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Its `x-request-id`. At most [`MAX_REQUEST_ID_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Cow<'a, str>>,
}

/// What a gateway sends at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallBatch<'a> {
    /// [`VERSION`].
    pub protocol: u32,
    /// The running Envoy process, as in an exchange.
    pub gateway: Cow<'a, str>,
    /// The worker that sends: unique for ever.
    pub sender: Cow<'a, str>,
    /// The batch's number: 1, 2, 3 … of this sender.
    pub number: u64,
    /// The gateway's monotonic clock when this was sent (ms).
    pub now_ms: u64,
    /// How many requests were dropped since the batch before, for lack of room.
    #[serde(default)]
    pub lost: u64,
    /// Requests, oldest end first; at most [`MAX_CALLS`].
    pub calls: Vec<Call<'a>>,
}

impl CallBatch<'_> {
    /// Whether all is within the limits; else the field, and what is wrong with it.
    ///
    /// # Errors
    /// The first field that is out of bounds.
    pub fn check(&self) -> Result<(), (String, String)> {
        let wrong = |field: &str, reason: String| Err((field.to_owned(), reason));
        if self.protocol != VERSION {
            return wrong("protocol", format!("found {}, this ledger speaks {VERSION}", self.protocol));
        }
        for (field, text) in [("gateway", &self.gateway), ("sender", &self.sender)] {
            if text.is_empty() || text.len() > MAX_NAME_BYTES {
                return wrong(field, format!("has {} bytes; it must have 1 to {MAX_NAME_BYTES}", text.len()));
            }
        }
        if self.number == 0 {
            return wrong("number", "is 0; batches are numbered from 1".to_owned());
        }
        if self.calls.len() > MAX_CALLS {
            return wrong("calls", format!("{} are too many; the most is {MAX_CALLS}", self.calls.len()));
        }
        for (n, call) in self.calls.iter().enumerate() {
            if let Err((field, most)) = call.check() {
                return wrong(&format!("calls[{n}].{field}"), format!("is out of range; the most is {most}"));
            }
        }
        Ok(())
    }
}

impl Call<'_> {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let texts = [
            ("account", self.account.as_deref(), MAX_NAME_BYTES),
            ("key", self.key.as_deref(), MAX_NAME_BYTES),
            ("rule", Some(&*self.rule), MAX_NAME_BYTES),
            ("item", self.item.as_deref(), MAX_ITEM_BYTES),
            ("request_id", self.request_id.as_deref(), MAX_REQUEST_ID_BYTES),
        ];
        for (field, text, most) in texts {
            if text.is_some_and(|text| text.len() > most) {
                return Err((field, format!("{most} bytes")));
            }
        }
        let most = crate::credits::MAX_AMOUNT;
        for (field, amount) in [("charge", self.charge), ("hold", self.hold)] {
            if amount < Credits::ZERO || amount > most {
                return Err((field, format!("{} micro-credits", most.micros())));
            }
        }
        Ok(())
    }
}
