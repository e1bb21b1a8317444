//! One request: judged when its head arrives, closed when Envoy logs it or forgets it.

use super::reply::note;
use super::worker::{Body, Stage, Ticket, Worker, kept};
use super::{clock, headers};
use crate::decide::conditional;
use crate::decide::gate::{Arrival, Charge, End, Outcome};
use crate::decide::identity;
use crate::decide::refusal::dialect::Dialect;
use crate::decide::refusal::rpc::MOST_BODY;
use crate::decide::refusal::{Refusal, joined};
use crate::decide::request::Head;
use crate::decide::standing::Header;
use crate::decide::waiting::MAX_WAITING;
use faregate_protocol::Credits;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, MapType};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// One request at the gate.
pub(super) struct Stream {
    context: u32,
    worker: Rc<Worker>,
    ticket: Rc<RefCell<Ticket>>,
    /// Whether response headers came by, the upstream's or Envoy's own.
    answered: Cell<bool>,
    /// Their status, where a refund depends on it.
    status: Cell<Option<u16>>,
}

impl Stream {
    /// One that has just begun.
    pub(super) fn new(context: u32, worker: Rc<Worker>) -> Self {
        Self { context, worker, ticket: Rc::default(), answered: Cell::default(), status: Cell::default() }
    }

    /// Its head is here, and it has a body unless it ends.
    pub(super) fn on_request_headers(&mut self, ends: bool) -> Action {
        if !matches!(self.ticket.borrow().stage, Stage::New) {
            return Action::Continue;
        }
        let headers = headers::of_request();
        let mut head = Head::read(&headers);
        head.ends = ends;
        if head.has_ours() {
            for name in head.ours().filter_map(|name| std::str::from_utf8(name).ok()) {
                let _ = hostcalls::remove_map_value(MapType::HttpRequestHeaders, name);
            }
        }
        let mut gate = self.worker.gate.borrow_mut();
        if let Some(path) = identity::without_key(&gate.settings().identities, head.path_and_query()) {
            let _ = hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, ":path", Some(&path));
        }
        let arrival = gate.arrive(clock::now(), self.context, &head, property);
        let wake = gate.take_wake();
        let pages = !gate.settings().cors_origins.is_empty();
        drop(gate);
        let mut ticket = self.ticket.borrow_mut();
        let goes_on = match arrival {
            Arrival::Decided(outcome @ Outcome::Pass(_)) => {
                if pages {
                    self.note_page(&mut ticket, &head);
                }
                self.worker.carry_out(&mut ticket, outcome)
            }
            arrival => {
                self.held_back(&mut ticket, arrival, &head, ends);
                false
            }
        };
        if matches!(ticket.stage, Stage::Refusing(_)) {
            self.worker.parked.borrow_mut().insert(&self.context.to_string(), Rc::clone(&self.ticket));
        }
        if wake {
            self.worker.ring();
        }
        if goes_on { Action::Continue } else { Action::Pause }
    }

    /// Envoy may show bodies of requests that are held back, and takes it for leave to go on when a filter lets one by.
    pub(super) fn on_request_body(&mut self, size: usize, ends: bool) -> Action {
        let mut ticket = self.ticket.borrow_mut();
        if ticket.body != Body::Ignored && (ends || size >= MOST_BODY) {
            ticket.body = Body::Here(size);
        }
        match std::mem::take(&mut ticket.stage) {
            Stage::Refusing(refusal) if ticket.body != Body::Coming => {
                self.worker.parked.borrow_mut().remove(&self.context.to_string());
                self.worker.refuse(&mut ticket, &refusal);
                Action::Pause
            }
            stage => {
                let held = matches!(stage, Stage::Waits | Stage::Refusing(_) | Stage::Answered);
                ticket.stage = stage;
                if held { Action::Pause } else { Action::Continue }
            }
        }
    }

    /// The head of its answer is here, the upstream's or Envoy's own.
    pub(super) fn on_response_headers(&mut self) {
        self.answered.set(true);
        // Envoy calls for our own answers, too, which say it all. Should it ever do so from within one, there is nothing to do.
        let (Ok(ticket), Ok(mut gate)) = (self.ticket.try_borrow(), self.worker.gate.try_borrow_mut()) else {
            return;
        };
        let (charge, rule) = match &ticket.stage {
            Stage::Paid(charge) => (Some(charge), Some(charge.rule)),
            Stage::Free(rule) | Stage::Preflight(rule) => (None, Some(*rule)),
            Stage::Shadow(refusal) => (None, refusal.rule),
            _ => (None, None),
        };
        if let Some(deprecated) = rule.and_then(|rule| gate.settings().rule(rule).deprecated.as_ref()) {
            tell(&deprecated.headers, &ticket);
        }
        let Some(charge) = charge else {
            return;
        };
        let (refunds, shows) = (gate.refunds(charge), gate.shows(charge));
        if refunds {
            let status =
                hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, ":status").ok().flatten();
            self.status.set(status.and_then(|digits| std::str::from_utf8(&digits).ok()?.parse().ok()));
        }
        if shows {
            tell(&gate.show(clock::now(), charge, self.status.get()), &ticket);
        }
    }

    /// It is over: Envoy logs it, and then it is gone. Of a request of HTTP/3 it only says that it is gone; so whichever comes
    /// first ends it, and the other finds nothing left to do.
    pub(super) fn end(&mut self) {
        let stage = std::mem::take(&mut self.ticket.borrow_mut().stage);
        match stage {
            // Whatever the ledger grants for it later goes back; see `Root::resolve`.
            Stage::Waits => {
                self.worker.parked.borrow_mut().remove(&self.context.to_string());
                note("decision=abandoned");
            }
            Stage::Free(_) if self.worker.log_paid => note("decision=free"),
            Stage::Preflight(_) => note("decision=preflight"),
            // What the gate answers says in its details why.
            Stage::New | Stage::Free(_) | Stage::Answered => {}
            Stage::Refusing(refusal) => {
                self.worker.parked.borrow_mut().remove(&self.context.to_string());
                note_refusal("", &refusal);
            }
            Stage::Shadow(refusal) => note_refusal("shadow:", &refusal),
            Stage::Paid(charge) => self.close(&charge),
        }
    }
}

impl Stream {
    fn close(&self, charge: &Charge) {
        let mut gate = self.worker.gate.borrow_mut();
        let charged = gate.finish(charge, |by_status| self.ending(by_status));
        let released = charged == Credits::ZERO;
        if !released && !self.worker.log_paid {
            return;
        }
        let rule = gate.settings().rule(charge.rule).name.clone();
        drop(gate);
        let decision = if released { "released" } else { "admitted" };
        let (account, key) = (charge.holder.account(), charge.holder.key());
        note(&format!("decision={decision} account={account} key={key} charge={charged} rule={rule}"));
    }

    /// Notes whether it comes from a page that may read what is added to its answer.
    #[cold]
    #[inline(never)]
    fn note_page(&self, ticket: &mut Ticket, head: &Head<'_>) {
        if let Some(origin) = self.worker.gate.borrow().page(head) {
            ticket.rare().origin = Some(origin.to_owned());
        }
    }

    /// Answers a request, or keeps what its answer will need.
    fn held_back(&self, ticket: &mut Ticket, arrival: Arrival, head: &Head<'_>, ends: bool) {
        let rule = match &arrival {
            Arrival::Decided(Outcome::Refuse(refusal)) => refusal.rule,
            // It goes by no rule, and to look for one may take long.
            Arrival::Decided(Outcome::Show(_)) => Some(usize::MAX),
            _ => None,
        };
        let around = self.worker.gate.borrow().surroundings(head, rule);
        if self.wants_body(around.dialect, ends) {
            ticket.body = Body::Coming;
        }
        if !matches!(arrival, Arrival::Decided(Outcome::Refuse(_)))
            && self.worker.gate.borrow().is_for_view(head)
        {
            ticket.rare().held = kept(conditional::held(head));
        }
        match arrival {
            // The usual refusal is told at once, and nothing is kept of its request.
            Arrival::Decided(Outcome::Refuse(refusal)) if ticket.body == Body::Ignored => {
                self.worker.send_refusal(&around, None, &refusal);
                ticket.stage = Stage::Answered;
            }
            Arrival::Decided(outcome) => {
                ticket.keep(&around);
                self.worker.carry_out(ticket, outcome);
            }
            Arrival::Waits => {
                ticket.keep(&around);
                ticket.stage = Stage::Waits;
                self.worker.parked.borrow_mut().insert(&self.context.to_string(), Rc::clone(&self.ticket));
            }
        }
    }

    /// Whether the answer to a refused request has to wait for its body.
    fn wants_body(&self, dialect: Dialect, ends: bool) -> bool {
        !ends
            && dialect.wants_body()
            && self.worker.gate.borrow().settings().request_bodies
            && self.worker.parked.borrow().len() < MAX_WAITING
    }

    /// How the request ended. Envoy's attributes are dear, so they are asked only where the response headers
    /// have not told.
    fn ending(&self, by_status: bool) -> End {
        match (self.answered.get(), self.status.get()) {
            (true, None) if !by_status => return End::Answered(200),
            (true, Some(status)) => return End::Answered(status),
            _ => {}
        }
        let number = |path| {
            let bytes: [u8; 8] = hostcalls::get_property(path).ok().flatten()?.try_into().ok()?;
            u16::try_from(i64::from_le_bytes(bytes)).ok()
        };
        match number(vec!["response", "code"]) {
            Some(status) if status > 0 => End::Answered(status),
            _ => match hostcalls::get_property(vec!["upstream", "address"]) {
                Ok(Some(address)) if !address.is_empty() => End::Cut,
                _ => End::NeverAsked,
            },
        }
    }
}

/// An attribute of Envoy's.
fn property(path: &[String]) -> Option<Vec<u8>> {
    hostcalls::get_property(path.iter().map(String::as_str).collect()).ok().flatten()
}

fn note_refusal(watched: &str, refusal: &Refusal) {
    let code = refusal.code.as_str();
    match &refusal.payer {
        Some(payer) => {
            note(&joined(&["decision=", watched, code, " account=", &payer.account, " key=", &payer.key]));
        }
        None => note(&joined(&["decision=", watched, code])),
    }
}

/// Adds headers to the upstream's answer, which a page of `cors_origins` may read. Lists are added to the upstream's own; of
/// the others there is only ours.
fn tell(headers: &[Header], ticket: &Ticket) {
    let mut names = String::new();
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        let list = *name == "link" || name.starts_with("ratelimit");
        let _ = if list {
            hostcalls::add_map_value(MapType::HttpResponseHeaders, name, value)
        } else {
            hostcalls::set_map_value(MapType::HttpResponseHeaders, name, Some(value))
        };
        if ticket.origin().is_some() {
            names.push_str(if names.is_empty() { "" } else { ", " });
            names.push_str(name);
        }
    }
    if !names.is_empty() {
        let _ =
            hostcalls::add_map_value(MapType::HttpResponseHeaders, "access-control-expose-headers", &names);
    }
}
