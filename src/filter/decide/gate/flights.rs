//! Messages to the ledger that are in flight, and what goes into the next one.

use crate::decide::base::moment::Moment;
use crate::decide::lease::credential::Credential;
use faregate_protocol::Credits;
use faregate_protocol::exchange::ExchangeRequest;

/// A message ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The id that its answer is matched by.
    pub id: u64,
    /// Its content.
    pub body: ExchangeRequest,
}

/// Messages in flight.
#[derive(Debug, Default)]
pub struct Flights {
    pub(super) next: u64,
    pub(super) under_way: Vec<Flight>,
}

#[derive(Debug)]
pub(super) struct Flight {
    pub(super) id: u64,
    pub(super) protocol: u32,
    pub(super) sent: Moment,
    /// The payers' leases, and the epoch whose final report the message carried.
    pub(super) leases: Vec<(String, Option<u32>)>,
    pub(super) heartbeat: bool,
    pub(super) usage: bool,
    /// The models that it asks for.
    pub(super) models: Vec<String>,
}

/// Why a payer is in a message.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingEntry {
    /// The credential of a payer that the ledger has not named yet.
    pub(super) credential: Option<Credential>,
    /// The cheapest price among the waiting requests, and their sum.
    pub(super) asking: Option<(Credits, Credits)>,
    /// A lease that ran low, and the price at which it did.
    pub(super) refill: Option<Credits>,
    /// The gateway's report.
    pub(super) report: Option<Report>,
}

/// How the gateway's report treats a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Reports its counters and asks for credits that will soon be needed.
    Active,
    /// Returns unused credits, after a while without use.
    Idle,
    /// Also gives up on requests that never ended.
    Forgotten,
}
