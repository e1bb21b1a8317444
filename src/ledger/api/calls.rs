//! Records of single requests, as the admin API gives them.

use super::{Amount, decimal};
use faregate_protocol::Credits;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Records of requests: newest first, or, behind `newer_than`, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Calls {
    /// The records. There may be fewer than `limit`, or none, while there is a `next`: then the search took long, and goes on there.
    pub calls: Vec<CallRecord>,
    /// The value of `after` for the next page, or with `newer_than` the one to go on with; null on the last page.
    pub next: Option<String>,
    /// The identifier of the newest record that there is, of any account; with `newer_than` whatever comes later is found.
    pub newest: String,
}

/// A request that a gateway decided about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallRecord {
    /// Its identifier; a later record has a larger one, as a number.
    pub id: String,
    /// When it arrived at the gateway.
    pub time: Timestamp,
    /// How long it took, until its answer was sent, in milliseconds.
    pub duration_ms: u64,
    /// The account's identifier; null where the caller is unknown, or the request was free.
    pub account: Option<String>,
    /// The key's identifier; null where the caller is unknown, or the request was free.
    pub key: Option<String>,
    /// The rule's name.
    pub rule: String,
    /// The model or the tool, of metered rules.
    pub item: Option<String>,
    /// What became of it: `admitted`, `released` (its charge), `stopped` (its answer), `free`, `shadow` or `refused`.
    #[schema(examples("admitted"))]
    pub decision: String,
    /// Why it was refused, or would have been.
    #[schema(examples("insufficient_funds"))]
    pub code: Option<String>,
    /// What it was charged in the end, in credits.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub charge: Credits,
    /// What was held for it, in credits.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub hold: Credits,
    /// On what the charge of a metered request is based: `reported`, `estimated`, `held` or `listed`.
    pub basis: Option<String>,
    /// What a metered request used, by class.
    pub used: BTreeMap<String, u64>,
    /// The status of its answer; null where the client left before there was one.
    pub status: Option<u16>,
    /// Its `x-request-id`.
    pub request_id: Option<String>,
    /// The gateway.
    pub gateway: String,
}
