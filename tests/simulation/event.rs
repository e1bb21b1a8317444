//! What is going to happen, in the order of time.

use faregate_protocol::exchange::{ExchangeRequest, ExchangeResponse};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

/// Something that happens at one moment. Gateways and ledgers are named by their number, workers by a serial
/// number that is never used again.
#[derive(Clone, Debug)]
pub enum Event {
    /// A worker's host ticks.
    Tick {
        worker: u64,
    },
    /// A worker's root context is woken to speak with the ledger.
    Bell {
        worker: u64,
    },
    /// A request with this key comes.
    Arrive {
        key: usize,
    },
    /// … at this worker.
    ArriveAt {
        worker: u64,
        key: usize,
        path: &'static str,
    },
    /// An admitted request comes to its end.
    Over {
        worker: u64,
        context: u32,
    },
    /// A worker vouches for a request that takes long.
    Vouch {
        worker: u64,
        context: u32,
    },
    /// A client hangs up, if it still waits.
    HangUp {
        worker: u64,
        context: u32,
    },
    /// A message reaches the ledgers.
    Request {
        worker: u64,
        id: u64,
        message: Rc<ExchangeRequest>,
    },
    /// A worker's host has the answer to a message, or knows that there will be none.
    Answer {
        worker: u64,
        id: u64,
        answer: Option<Rc<ExchangeResponse>>,
    },
    /// A ledger looks after silent leases.
    Watch {
        ledger: usize,
        start: u64,
    },
    /// A ledger looks after what expires.
    Expiry {
        ledger: usize,
        start: u64,
    },
    /// Something goes wrong, or the operator does something.
    AttemptError,
    GatewayStarts,
    GatewayThaws {
        gateway: usize,
    },
    GatewayMended {
        gateway: usize,
    },
    LedgerStarts {
        ledger: usize,
    },
    AccountResumed {
        account: usize,
    },
    /// From here on nothing goes wrong, and no client comes.
    Healed,
    /// The dust has settled.
    End,
}

impl Event {
    /// Whose process has to run for this to happen.
    pub fn worker(&self) -> Option<u64> {
        match self {
            Self::Tick { worker }
            | Self::Bell { worker }
            | Self::ArriveAt { worker, .. }
            | Self::Over { worker, .. }
            | Self::Vouch { worker, .. }
            | Self::HangUp { worker, .. }
            | Self::Answer { worker, .. } => Some(*worker),
            _ => None,
        }
    }
}

/// The future.
#[derive(Debug, Default)]
pub struct EventQueue {
    order: BinaryHeap<Reverse<(u64, usize)>>,
    events: Vec<Option<Event>>,
}

impl EventQueue {
    /// Something will happen at `time`; at the same time the first that was put down comes first.
    pub fn put(&mut self, time: u64, event: Event) {
        self.order.push(Reverse((time, self.events.len())));
        self.events.push(Some(event));
    }

    /// What happens next, and when.
    pub fn next(&mut self) -> Option<(u64, Event)> {
        let Reverse((time, at)) = self.order.pop()?;
        Some((time, self.events[at].take().expect("each happens once")))
    }
}
