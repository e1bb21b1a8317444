//! The state that the root context and the requests of one worker share.

use super::memory::HostMemory;
use super::{changes, clock, property, reply};
use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::SortedMap;
use crate::decide::gate::Gate;
use crate::decide::gate::recording::{Ended, NotedCall};
use crate::decide::meter::asked::strip::Strip;
use crate::decide::outcome::{Charge, Outcome, Passage};
use crate::decide::refusal::rpc::{self, MAX_BODY};
use crate::decide::refusal::{MAX_REPEATED, Refusal, RequestContext, readable_for};
use crate::decide::request::answer_reader::AnswerReader;
use crate::decide::request::ending::End;
use crate::decide::request::held::Held;
use crate::decide::request::view::View;
use crate::decide::settings::dialect::Dialect;
use faregate_protocol::Credits;
use faregate_protocol::calls::Decision;
use proxy_wasm::hostcalls;
use proxy_wasm::types::MapType;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How much of the bodies of all held requests is kept (bytes). Beyond that, an answer has no JSON-RPC id of its
/// request.
const MOST_BODIES: usize = 8 * 1_024 * 1_024;

/// A worker's gate and its waiting requests.
pub(super) struct Worker {
    pub(super) gate: RefCell<Gate<HostMemory>>,
    /// Waiting requests, by their context's number.
    pub(super) parked: RefCell<SortedMap<Rc<RefCell<Ticket>>>>,
    /// The queue that wakes this worker's root context.
    pub(super) bell: u32,
    pub(super) rung: Cell<bool>,
    /// Whether the access log gets a note on paid and free requests, too.
    pub(super) log_paid: bool,
    /// A request that Envoy is about to start again in another stream.
    pub(super) redirected: Cell<Option<Box<Redirected>>>,
    /// How much of bodies is kept.
    pub(super) bodies: Rc<Cell<usize>>,
}

/// A request between two streams.
pub(super) struct Redirected {
    passage: Passage,
    /// Its client's connection, as Envoy numbers them.
    connection: Option<Vec<u8>>,
}

/// The stage of a request.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// It has not been decided.
    #[default]
    New,
    /// Its body decides its price, and isn't whole yet.
    Reading(Reading),
    /// It waits for the ledger.
    Waits,
    /// It is free of charge, under the rule of this number.
    Free(usize),
    /// It is a browser's preflight, which isn't charged, under the rule of this number.
    Preflight(usize),
    /// It is paid.
    Paid(Charge),
    /// It would have been refused, but its rule is in shadow mode.
    Shadow(Refusal),
    /// Another gate in front of this one has charged it.
    ChargedEarlier,
    /// It is refused; the answer is sent once its body is here.
    Refusing(Refusal),
    /// It has an answer of the gate's own.
    Answered,
}

impl Stage {
    /// Whether the request may go on to the API.
    pub(super) fn passes(&self) -> bool {
        matches!(
            self,
            Self::Free(_) | Self::Preflight(_) | Self::Paid(_) | Self::Shadow(_) | Self::ChargedEarlier
        )
    }
}

/// A request whose body is on its way.
#[derive(Debug)]
pub(super) struct Reading {
    /// The request.
    pub(super) held: Box<Held>,
    /// Since when.
    pub(super) began: Moment,
    /// How many bytes of it are here.
    pub(super) size: usize,
}

/// The part of a request's body that matters to a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Body {
    /// None, or there is no body.
    #[default]
    Ignored,
    /// It is on its way.
    Coming,
    /// It has arrived, or as much of it as is read.
    Here,
}

/// The beginning of a body; all that are kept are counted together.
#[derive(Debug, Default)]
struct Seen {
    bytes: Vec<u8>,
    all: Rc<Cell<usize>>,
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.all.set(self.all.get().saturating_sub(self.bytes.len()));
    }
}

/// One request's stage, and the parts of its head that a later refusal needs.
#[derive(Debug, Default)]
pub(super) struct Ticket {
    pub(super) stage: Stage,
    pub(super) path: Vec<u8>,
    pub(super) request_id: Option<Vec<u8>>,
    pub(super) dialect: Dialect,
    /// Which of the operator's languages, by its number.
    pub(super) language: usize,
    /// What few requests have.
    pub(super) rare: Option<Box<RareFields>>,
    pub(super) body: Body,
}

/// Rarely used fields, which cost the usual request nothing.
#[derive(Debug, Default)]
pub(super) struct RareFields {
    /// The origin of a page that may read the answer.
    pub(super) origin: Option<String>,
    /// For a request for its sender's status: the `if-none-match` it sent.
    pub(super) held: Vec<u8>,
    /// The beginning of its body.
    seen: Option<Seen>,
    /// What is known of a metered request.
    pub(super) metering: Option<Metering>,
    /// What is kept of a request that may be recorded.
    pub(super) noted: Option<NotedCall>,
}

/// What is known of a metered request while it is in flight.
pub(super) struct Metering {
    /// When it was admitted.
    pub(super) began: Moment,
    /// What its answer's headers say.
    pub(super) said: Option<u64>,
    /// What reads its answer, if its rule goes by that.
    pub(super) reader: Option<Box<AnswerReader>>,
    /// What takes usage out of it that only we asked for.
    pub(super) strip: Option<Box<Strip>>,
    /// Whether the answer's end has arrived.
    pub(super) whole: bool,
    /// What becomes of the answer when nothing is left to pay for more of it.
    pub(super) limit: Limit,
}

/// What becomes of an answer when nothing is left to pay for more of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Limit {
    /// It goes on.
    #[default]
    None,
    /// It ends.
    AtZero,
    /// It has ended: the client gets no more of it.
    Reached,
}

impl std::fmt::Debug for Metering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metering").field("whole", &self.whole).finish_non_exhaustive()
    }
}

impl Ticket {
    /// Keeps only what a refusal may repeat, and its format, because thousands of requests may wait.
    pub(super) fn keep(&mut self, around: &RequestContext<'_>) {
        self.path = kept(around.path);
        self.request_id = around.request_id.map(kept);
        self.dialect = around.dialect;
        self.language = around.language;
        if let Some(origin) = around.origin {
            self.rare().origin = Some(origin.to_owned());
        }
    }

    /// Creates the rarely used fields.
    pub(super) fn rare(&mut self) -> &mut RareFields {
        self.rare.get_or_insert_default()
    }

    /// What is known of a metered request.
    pub(super) fn metering(&self) -> Option<&Metering> {
        self.rare.as_ref()?.metering.as_ref()
    }

    /// The same, to change it.
    pub(super) fn metering_mut(&mut self) -> Option<&mut Metering> {
        self.rare.as_mut()?.metering.as_mut()
    }

    /// The same, at the request's end.
    pub(super) fn take_metering(&mut self) -> Option<Metering> {
        self.rare.as_mut()?.metering.take()
    }

    /// The origin of a page that may read the answer.
    pub(super) fn origin(&self) -> Option<&str> {
        self.rare.as_ref()?.origin.as_deref()
    }

    pub(super) fn request_context(&self) -> RequestContext<'_> {
        RequestContext {
            path: &self.path,
            request_id: self.request_id.as_deref(),
            dialect: self.dialect,
            language: self.language,
            origin: self.origin(),
            ..RequestContext::default()
        }
    }
}

/// The part of it that is kept while a request waits.
pub(super) fn kept(bytes: &[u8]) -> Vec<u8> {
    bytes.get(..MAX_REPEATED).unwrap_or(bytes).to_vec()
}

impl Worker {
    /// Makes a request wait, where the root context finds it.
    pub(super) fn park(&self, context: u32, ticket: &Rc<RefCell<Ticket>>) {
        self.parked.borrow_mut().insert(&context.to_string(), Rc::clone(ticket));
    }

    /// Stops a request's wait.
    pub(super) fn leave(&self, context: u32) {
        self.parked.borrow_mut().remove(&context.to_string());
    }

    /// Keeps a piece of a request's body; `read` reads at most this many bytes. The body counts as arrived once there is no
    /// more room for it, or once all of the part that is read is here.
    pub(super) fn read_body(&self, ticket: &mut Ticket, read: impl FnOnce(usize) -> Option<Vec<u8>>) {
        let seen = &mut ticket.rare().seen;
        let seen = seen.get_or_insert_with(|| Seen { bytes: Vec::new(), all: Rc::clone(&self.bodies) });
        let room = MAX_BODY.saturating_sub(seen.bytes.len());
        let free = MOST_BODIES.saturating_sub(self.bodies.get());
        let piece = read(room.min(free)).unwrap_or_default();
        self.bodies.set(self.bodies.get().saturating_add(piece.len()));
        seen.bytes.extend(piece);
        if seen.bytes.len() >= MAX_BODY || self.bodies.get() >= MOST_BODIES {
            ticket.body = Body::Here;
        }
    }

    /// Keeps the beginning of a body that was read, where the answer to a refusal needs it.
    pub(super) fn keep_body(&self, ticket: &mut Ticket, body: &[u8]) {
        if ticket.dialect.wants_body() {
            self.read_body(ticket, |most| body.get(..most.min(body.len())).map(<[u8]>::to_vec));
            ticket.body = Body::Here;
        }
    }

    /// Envoy restarts an admitted request in another stream, at once.
    pub(super) fn redirect(&self, passage: Passage) {
        self.settle_redirected();
        let connection = property(vec!["connection", "id"]);
        self.redirected.set(Some(Box::new(Redirected { passage, connection })));
    }

    /// How the current request was admitted in the stream before, if there was one: it is charged once.
    #[inline(never)]
    pub(super) fn take_redirected(&self) -> Option<Passage> {
        let Redirected { passage, connection } = *self.redirected.take()?;
        if connection == property(vec!["connection", "id"]) {
            return Some(passage);
        }
        self.settle(&passage);
        None
    }

    /// Closes the charge of a request that didn't return: Envoy answered it itself. The API had been asked.
    pub(super) fn settle_redirected(&self) {
        if let Some(redirected) = self.redirected.take() {
            self.settle(&redirected.passage);
        }
    }

    fn settle(&self, passage: &Passage) {
        if let (Passage::Paid(charge), Ok(mut gate)) = (passage, self.gate.try_borrow_mut()) {
            gate.begin(charge);
            gate.finish(charge, &End::Cut);
        }
    }

    /// Whether another worker's gate has the same ledger.
    pub(super) fn has_ledger_of(&self, other: &Self) -> bool {
        let (own, others) = (self.gate.borrow(), other.gate.borrow());
        let [own, others] = [&own, &others].map(|gate| &gate.settings().ledger);
        (&own.cluster, &own.authority) == (&others.cluster, &others.authority)
    }

    /// Wakes the root context, which then talks to the ledger outside of any request.
    pub(super) fn ring(&self) {
        if !self.rung.replace(true) && hostcalls::enqueue_shared_queue(self.bell, Some(b"!")).is_err() {
            self.rung.set(false);
        }
    }

    /// Applies an outcome to Envoy's current request. Returns whether it continues.
    pub(super) fn carry_out(&self, ticket: &mut Ticket, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Pass(passage) => {
                if let Some(rare) = &mut ticket.rare {
                    rare.seen = None;
                }
                ticket.stage = match passage {
                    Passage::Free(rule) => Stage::Free(rule),
                    Passage::Preflight(rule) => Stage::Preflight(rule),
                    Passage::Shadow(refusal) => Stage::Shadow(refusal),
                    Passage::Paid(charge) => {
                        self.forward(&charge);
                        if self.gate.borrow_mut().begin(&charge) {
                            ticket.rare().metering = Some(Metering {
                                began: clock::now(),
                                said: None,
                                reader: None,
                                strip: None,
                                whole: false,
                                limit: Limit::None,
                            });
                            self.read_plainly(&charge);
                        }
                        Stage::Paid(charge)
                    }
                };
                true
            }
            Outcome::Refuse(refused) if ticket.body == Body::Coming => {
                ticket.stage = Stage::Refusing(refused);
                false
            }
            Outcome::Refuse(refused) => {
                self.refuse(ticket, &refused);
                false
            }
            Outcome::Show(mut view) => {
                let is_view = !view.tag.is_empty();
                if is_view {
                    view.or_unchanged(ticket.rare.as_ref().map_or(&[], |rare| &rare.held));
                }
                let View { status, details, mut headers, body, .. } = view;
                if is_view {
                    let by_origin = !self.gate.borrow().settings().cors_origins.is_empty();
                    readable_for(ticket.origin(), by_origin, false, &mut headers);
                }
                reply::send(status, details, &headers.written(), body.as_bytes(), None);
                ticket.stage = Stage::Answered;
                false
            }
        }
    }

    /// Answers Envoy's current request, which has waited, with a refusal.
    pub(super) fn refuse(&self, ticket: &mut Ticket, refused: &Refusal) {
        let seen =
            ticket.rare.as_mut().and_then(|rare| rare.seen.take()).filter(|_| ticket.body == Body::Here);
        let status = self.send_refusal(
            &ticket.request_context(),
            seen.as_ref().map(|seen| seen.bytes.as_slice()),
            refused,
        );
        if self.gate.borrow().records_refusal(refused) {
            let noted = ticket.rare.as_mut().and_then(|rare| rare.noted.take());
            let noted = noted.unwrap_or_else(|| NotedCall::new(clock::now(), ticket.request_id.as_deref()));
            self.record_refusal(refused, &noted, Decision::Refused, Some(status));
        }
        ticket.stage = Stage::Answered;
    }

    /// Records a request that was refused, or would have been.
    #[cold]
    #[inline(never)]
    pub(super) fn record_refusal(
        &self,
        refused: &Refusal,
        noted: &NotedCall,
        decision: Decision,
        status: Option<u16>,
    ) {
        let ended = Ended { at: clock::now(), decision, status, charged: Credits::ZERO };
        self.gate.borrow_mut().record_refusal(refused, noted, &ended);
    }

    /// Answers Envoy's current request with a refusal; `body` is what is known of its body. Returns the answer's status.
    pub(super) fn send_refusal(
        &self,
        around: &RequestContext<'_>,
        body: Option<&[u8]>,
        refused: &Refusal,
    ) -> u16 {
        let (dialect, rpc_id) = match around.dialect {
            dialect if dialect.wants_body() => rpc::reply(dialect, body),
            dialect => (dialect, None),
        };
        let around = RequestContext { dialect, rpc_id: rpc_id.as_deref(), ..*around };
        let form = self.gate.borrow_mut().answer(refused, &around);
        reply::send(form.status, &refused.details(), &form.headers, &form.body(&around), form.grpc);
        form.status
    }

    /// An answer that is read must not be compressed; and a request that costs what its payer can pay must say so.
    fn read_plainly(&self, charge: &Charge) {
        if let Some(quote) = &charge.quote
            && quote.fitted().is_some()
        {
            changes::fit(quote, self.gate.borrow().max_body(charge.rule));
        }
        if self.gate.borrow().reads_answer(charge) {
            let _ = hostcalls::remove_map_value(MapType::HttpRequestHeaders, "accept-encoding");
            if charge.is_session() {
                let _ = hostcalls::remove_map_value(MapType::HttpRequestHeaders, "sec-websocket-extensions");
            }
        }
    }

    /// Adds the headers about the payer for the upstream.
    fn forward(&self, charge: &Charge) {
        let forward = self.gate.borrow().settings().forward;
        let set = |name: &str, value: &str| {
            let _ = hostcalls::add_map_value(MapType::HttpRequestHeaders, name, value);
        };
        if forward.account {
            set("x-faregate-account", charge.holder.account());
        }
        if forward.key {
            set("x-faregate-key", charge.holder.key());
        }
        if let (true, Some(plan)) = (forward.plan, charge.holder.plan()) {
            set("x-faregate-plan", plan);
        }
        if forward.charge {
            set("x-faregate-charge", &charge.price.to_string());
        }
    }
}
