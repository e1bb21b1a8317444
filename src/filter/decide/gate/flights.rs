//! Messages to the ledger that are under way, and what goes into the next one.

use crate::decide::base::moment::Moment;
use crate::decide::lease::credential::Credential;
use faregate_protocol::Credits;
use faregate_protocol::exchange::ExchangeRequest;

/// A message ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// By which its answer is recognised.
    pub id: u64,
    /// What it says.
    pub body: ExchangeRequest,
}

/// Messages under way.
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
    /// The payers' leases, and of which fence the message carried the final word.
    pub(super) leases: Vec<(String, Option<u32>)>,
    pub(super) beat: bool,
    pub(super) usage: bool,
}

/// Why a payer stands in a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// Who it is, for one whom the ledger has not named yet.
    pub(super) credential: Option<Credential>,
    /// The cheapest price that waits, and the sum.
    pub(super) asking: Option<(Credits, Credits)>,
    /// A lease that ran low, and the price at which it did.
    pub(super) refill: Option<Credits>,
    /// The gateway's report.
    pub(super) report: Option<Report>,
}

/// What the gateway's report does with a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Tells its counters and asks for what will soon be needed.
    Active,
    /// Hands back what is unused, after a while without use.
    Idle,
    /// Also gives up on requests that never came to an end.
    Forgotten,
}
