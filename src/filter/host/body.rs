//! Requests whose body decides their price: Envoy holds them back until the gate has read all of it.
//!
//! What must hold: until all of it has been read and paid for, nothing of the request goes on; but one that is too large to be read
//! goes on when the most is held for it.

use super::changes::replace;
use super::clock;
use super::stream::{Action, Stream};
use super::worker::{Reading, Stage, Ticket};
use crate::decide::base::head::Head;
use crate::decide::gate::waiting::MAX_WAITING;
use crate::decide::outcome::{Arrival, Outcome};
use crate::decide::request::held::Held;
use proxy_wasm::hostcalls;
use proxy_wasm::types::BufferType;

impl Stream {
    /// Holds a request back until its body is here. Returns what takes the place of that where too many are held already.
    #[inline(never)]
    pub(super) fn await_body(&self, ticket: &mut Ticket, held: Box<Held>, head: &Head<'_>) -> Action {
        let (worker, shared) = self.parts();
        let around = worker.gate.borrow().request_context(head, Some(held.rule));
        ticket.keep(&around);
        if worker.parked.borrow().len() >= MAX_WAITING {
            let outcome = worker.gate.borrow_mut().too_many(held.rule);
            return if worker.carry_out(ticket, outcome) { Action::Continue } else { Action::StopAll };
        }
        ticket.stage = Stage::Reading(Reading { held, began: clock::now(), size: 0 });
        worker.park(self.context(), shared);
        Action::Stop
    }

    /// A piece of the body has arrived: with those before, it is `size` bytes.
    #[inline(never)]
    pub(super) fn on_priced_body(&self, ticket: &mut Ticket, size: usize, ends: bool) -> Action {
        let Stage::Reading(reading) = std::mem::take(&mut ticket.stage) else {
            return Action::StopAndDrop;
        };
        let (worker, _) = self.parts();
        let mut gate = worker.gate.borrow_mut();
        if gate.is_larger(&reading.held, size) {
            let arrival = gate.without_reading(clock::now(), self.context(), *reading.held);
            drop(gate);
            worker.leave(self.context());
            // Whatever was kept isn't too much, and while the request waits no more is read than Envoy has room for.
            return self.conclude(ticket, arrival, &[], Action::StopAndKeep);
        }
        drop(gate);
        if !ends {
            ticket.stage = Stage::Reading(Reading { size, ..reading });
            // As a piece of the body: stop, and keep all of it.
            return Action::Stop;
        }
        self.price(ticket, reading.held, size)
    }

    /// The trailers have arrived, and with them all of the body.
    pub(super) fn on_priced_trailers(&self, ticket: &mut Ticket) -> Action {
        let Stage::Reading(reading) = std::mem::take(&mut ticket.stage) else {
            return Action::Stop;
        };
        self.price(ticket, reading.held, reading.size)
    }

    fn price(&self, ticket: &mut Ticket, held: Box<Held>, size: usize) -> Action {
        let (worker, _) = self.parts();
        worker.leave(self.context());
        let body =
            hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size).ok().flatten().unwrap_or_default();
        let priced = worker.gate.borrow_mut().price_body(clock::now(), self.context(), held, &body);
        if let Some(new) = &priced.body {
            replace(size, new);
        }
        self.conclude(ticket, priced.arrival, &body, Action::Stop)
    }

    /// Carries out what was decided, in a callback for the body. `waits` is what Envoy does while the request waits.
    fn conclude(&self, ticket: &mut Ticket, arrival: Arrival, body: &[u8], waits: Action) -> Action {
        let (worker, shared) = self.parts();
        let wake = worker.gate.borrow_mut().take_wake();
        if wake {
            worker.ring();
        }
        match arrival {
            Arrival::Decided(outcome) => {
                if matches!(outcome, Outcome::Refuse(_)) {
                    worker.keep_body(ticket, body);
                }
                if worker.carry_out(ticket, outcome) { Action::Continue } else { Action::StopAndDrop }
            }
            Arrival::Waits | Arrival::NeedsBody(_) => {
                worker.keep_body(ticket, body);
                ticket.stage = Stage::Waits;
                worker.park(self.context(), shared);
                waits
            }
        }
    }
}
