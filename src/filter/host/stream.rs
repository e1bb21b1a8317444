//! One request: decided when its headers arrive, closed when Envoy logs or deletes it.
//!
//! Envoy resumes a stopped request whenever a callback says Continue, or isn't exported. What must hold: until the gate
//! has admitted a request, every callback for it returns stop.

use super::reply::note;
use super::worker::{Body, Limit, Stage, Ticket, Worker, kept};
use super::{chain, clock, headers, property};
use crate::decide::base::head::{Head, Walk, is_reserved};
use crate::decide::base::text::joined;
use crate::decide::gate::recording::{Ended, NotedCall};
use crate::decide::gate::waiting::MAX_WAITING;
use crate::decide::outcome::{Arrival, Charge, Outcome, Passage};
use crate::decide::refusal::Refusal;
use crate::decide::refusal::rate_limit::Header;
use crate::decide::request::ending::{self, Answer, End, Origin};
use crate::decide::request::{conditional, hiding, identity};
use crate::decide::settings::Settings;
use crate::decide::settings::dialect::Dialect;
use crate::decide::settings::meter::amounts::AmountMeter;
use faregate_protocol::Credits;
use faregate_protocol::calls::Decision;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What Envoy does next, by the numbers of proxy-wasm's ABI 0.2.1; the SDK names only the first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Action {
    /// The request goes on.
    Continue = 0,
    /// At headers and trailers: stop, but pass on what comes next.
    Stop = 1,
    /// At a piece of the body: stop and keep it. Where too much is kept, Envoy reads no more from the client.
    StopAndKeep = 2,
    /// At a piece of the body: stop and drop it.
    StopAndDrop = 3,
    /// At headers: stop, and pass on nothing more. Where too much is kept, Envoy reads no more from the client.
    StopAll = 4,
}

/// One request at the gate.
pub(super) struct Stream {
    context: u32,
    worker: Rc<Worker>,
    ticket: Rc<RefCell<Ticket>>,
    /// The answer, the API's or Envoy's own, once its headers have arrived.
    answer: Cell<Option<Answer>>,
    ended: Cell<bool>,
}

impl Stream {
    /// A request that has just begun.
    pub(super) fn new(context: u32, worker: Rc<Worker>) -> Self {
        Self { context, worker, ticket: Rc::default(), answer: Cell::default(), ended: Cell::default() }
    }

    /// The number by which Envoy knows this request.
    pub(super) fn context(&self) -> u32 {
        self.context
    }

    /// The worker, and the ticket of this request.
    pub(super) fn parts(&self) -> (&Rc<Worker>, &Rc<RefCell<Ticket>>) {
        (&self.worker, &self.ticket)
    }

    /// Its headers have arrived, and a body follows unless it ends. `earlier` finds what another gate knows about a request.
    pub(super) fn on_request_headers(
        &self,
        ends: bool,
        earlier: impl Fn(u32) -> Option<chain::Gate>,
    ) -> Action {
        if !matches!(self.ticket.borrow().stage, Stage::New) {
            return Action::StopAll;
        }
        let headers = headers::of_request();
        let mut head = Head::read(&headers);
        head.ends = ends;
        let charged = head.has_reserved() && chain::is_charged(self.context, &self.worker, earlier);
        if head.has_reserved() && !charged {
            for name in head.ours().filter_map(|name| std::str::from_utf8(name).ok()) {
                let _ = hostcalls::remove_map_value(MapType::HttpRequestHeaders, name);
            }
        }
        let redirected = if charged { None } else { self.worker.take_redirected() };
        let mut gate = self.worker.gate.borrow_mut();
        hide_keys(gate.settings(), &head);
        if charged {
            self.ticket.borrow_mut().stage = Stage::ChargedEarlier;
            return Action::Continue;
        }
        let arrival = match redirected {
            Some(passage) => Arrival::Decided(Outcome::Pass(passage)),
            None => gate.arrive(clock::now(), self.context, &head, |path| {
                property(path.iter().map(String::as_str).collect())
            }),
        };
        let arrival = match arrival {
            Arrival::NeedsBody(held) if ends || held.request.is_upgrade => {
                gate.price_body(clock::now(), self.context, held, &[]).arrival
            }
            arrival => arrival,
        };
        let wake = gate.take_wake();
        let notes = gate.notes(&arrival);
        let pages = !gate.settings().cors_origins.is_empty();
        drop(gate);
        let mut ticket = self.ticket.borrow_mut();
        if notes {
            note_call(&mut ticket, &head);
        }
        let goes_on = match arrival {
            Arrival::Decided(outcome @ Outcome::Pass(_)) => {
                if pages {
                    self.note_page(&mut ticket, &head);
                }
                self.worker.carry_out(&mut ticket, outcome)
            }
            Arrival::NeedsBody(held) => return self.await_body(&mut ticket, held, &head),
            arrival => {
                self.held_back(&mut ticket, arrival, &head, ends);
                false
            }
        };
        if matches!(ticket.stage, Stage::Refusing(_)) {
            self.worker.park(self.context, &self.ticket);
        }
        if wake {
            self.worker.ring();
        }
        match (goes_on, ticket.body) {
            (true, _) => Action::Continue,
            // Only the answer to a refused request needs the body, and only in some formats.
            (false, Body::Coming) => Action::Stop,
            (false, _) => Action::StopAll,
        }
    }

    /// A piece of its body has arrived.
    pub(super) fn on_request_body(&self, size: usize, ends: bool) -> Action {
        let mut ticket = self.ticket.borrow_mut();
        if ticket.stage.passes() {
            return Action::Continue;
        }
        if matches!(ticket.stage, Stage::Reading(_)) {
            return self.on_priced_body(&mut ticket, size, ends);
        }
        if ticket.body == Body::Coming {
            let read = |most: usize| hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size.min(most));
            self.worker.read_body(&mut ticket, |most| read(most).ok().flatten());
            if ends {
                ticket.body = Body::Here;
            }
        }
        if self.refuse_now(&mut ticket) || matches!(ticket.stage, Stage::Refusing(_) | Stage::Answered) {
            return Action::StopAndDrop;
        }
        Action::StopAndKeep
    }

    /// Its trailers have arrived, and with them all of it.
    pub(super) fn on_request_trailers(&self) -> Action {
        let mut ticket = self.ticket.borrow_mut();
        if ticket.stage.passes() {
            without_ours();
            return Action::Continue;
        }
        if matches!(ticket.stage, Stage::Reading(_)) {
            let action = self.on_priced_trailers(&mut ticket);
            if action == Action::Continue {
                without_ours();
            }
            return action;
        }
        if ticket.body == Body::Coming {
            ticket.body = Body::Here;
        }
        self.refuse_now(&mut ticket);
        Action::Stop
    }

    /// Answers a request that is refused and whose body is here. Returns whether it did.
    fn refuse_now(&self, ticket: &mut Ticket) -> bool {
        if ticket.body == Body::Coming || !matches!(ticket.stage, Stage::Refusing(_)) {
            return false;
        }
        let Stage::Refusing(refusal) = std::mem::take(&mut ticket.stage) else {
            return false;
        };
        self.worker.leave(self.context);
        self.worker.refuse(ticket, &refusal);
        true
    }

    /// The headers of its answer have arrived, the upstream's or Envoy's own.
    pub(super) fn on_response_headers(&self) {
        self.answer.set(Some(Answer::default()));
        // Envoy also calls this for our own answers, which are complete. If it does so reentrantly, there is nothing to do.
        if self.is_metered() {
            self.read_cost();
            self.prepare_reading();
        }
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
            add_headers(&deprecated.headers, &ticket);
        }
        let Some(charge) = charge else {
            return;
        };
        let refunds = gate.refunds(charge);
        let mut answer = Answer::default();
        if !refunds.is_empty() || ticket.rare.as_ref().is_some_and(|rare| rare.noted.is_some()) {
            answer = Answer::read(&headers::of_response(), refunds, code_details, has_reached_api);
            self.answer.set(Some(answer));
        }
        if gate.shows(charge) {
            let said = ticket.metering().and_then(|metering| metering.said);
            add_headers(&gate.show(clock::now(), charge, answer, said), &ticket);
        }
    }

    fn is_metered(&self) -> bool {
        self.ticket.try_borrow().is_ok_and(|ticket| ticket.metering().is_some())
    }

    /// Reads what the answer says that a metered request cost, and takes that away if its rule says so.
    fn read_cost(&self) {
        let Ok(mut ticket) = self.ticket.try_borrow_mut() else { return };
        let (Stage::Paid(charge), Some(_)) = (&ticket.stage, ticket.metering()) else { return };
        let Ok(gate) = self.worker.gate.try_borrow() else { return };
        let Some((name, strip)) = gate.cost_header(charge) else { return };
        let values = headers::of_response();
        let mut walk = Walk::over(&values).unwrap_or_default();
        let said = match (walk.find(name.as_bytes()), walk.find(name.as_bytes())) {
            (Some(value), None) => AmountMeter::read(value),
            _ => None,
        };
        if strip {
            let _ = hostcalls::remove_map_value(MapType::HttpResponseHeaders, name);
        }
        drop(gate);
        if let Some(metering) = ticket.metering_mut() {
            metering.said = said;
        }
    }

    /// The trailers of its answer have arrived: gRPC puts a call's status there.
    pub(super) fn on_response_trailers(&self) {
        if let Ok(mut ticket) = self.ticket.try_borrow_mut()
            && let Some(metering) = ticket.metering_mut()
        {
            metering.whole = true;
        }
        let (Ok(ticket), Ok(gate)) = (self.ticket.try_borrow(), self.worker.gate.try_borrow()) else {
            return;
        };
        if let (Stage::Paid(charge), Some(answer)) = (&ticket.stage, self.answer.get())
            && gate.refunds(charge).reads_trailers()
        {
            let status = hostcalls::get_map_value_bytes(MapType::HttpResponseTrailers, "grpc-status");
            let grpc = status.ok().flatten().and_then(|digits| ending::grpc_status(&digits)).or(answer.grpc);
            self.answer.set(Some(Answer { grpc, ..answer }));
        }
    }

    /// It has ended: Envoy logs it, and then deletes it. An HTTP/3 request is only deleted; so whichever comes first ends
    /// it, and the other has nothing left to do.
    pub(super) fn end(&self) {
        if self.ended.replace(true) {
            return;
        }
        let stage = std::mem::take(&mut self.ticket.borrow_mut().stage);
        // Every usual request has had an answer, so Envoy's attributes are asked for only rarely.
        if self.answer.get().is_none() && stage.passes() && is_redirected() {
            note("decision=redirected");
            return self.redirect(stage);
        }
        let noted = self.ticket.borrow_mut().rare.as_mut().and_then(|rare| rare.noted.take());
        if let Some(noted) = &noted {
            self.record(&stage, noted);
        }
        match stage {
            // Credits that the ledger grants for it later are returned; see `Root::resolve`.
            Stage::Waits | Stage::Reading(_) => {
                self.worker.leave(self.context);
                note("decision=abandoned");
            }
            Stage::Free(_) if self.worker.log_paid => note("decision=free"),
            Stage::Preflight(_) => note("decision=preflight"),
            // The gate's own answers have the cause in their details.
            Stage::New | Stage::Free(_) | Stage::ChargedEarlier | Stage::Answered => {}
            Stage::Refusing(refusal) => {
                self.worker.leave(self.context);
                note_refusal("", &refusal);
            }
            Stage::Shadow(refusal) => note_refusal("shadow:", &refusal),
            Stage::Paid(charge) => self.close(&charge, noted.as_ref()),
        }
    }
}

impl Stream {
    /// Envoy continues this request in another stream.
    fn redirect(&self, stage: Stage) {
        match stage {
            Stage::Free(rule) => self.worker.redirect(Passage::Free(rule)),
            Stage::Preflight(rule) => self.worker.redirect(Passage::Preflight(rule)),
            Stage::Paid(charge) => {
                self.worker.gate.borrow_mut().suspend(&charge);
                self.worker.redirect(Passage::Paid(charge));
            }
            Stage::Shadow(refusal) => self.worker.redirect(Passage::Shadow(refusal)),
            _ => {}
        }
    }

    /// Records a request that wasn't charged.
    #[cold]
    #[inline(never)]
    fn record(&self, stage: &Stage, noted: &NotedCall) {
        match stage {
            Stage::Free(rule) => {
                let (at, status) = (clock::now(), response_code());
                let ended = Ended { at, decision: Decision::Free, status, charged: Credits::ZERO };
                self.worker.gate.borrow_mut().record_free(*rule, noted, &ended);
            }
            Stage::Shadow(refusal) => {
                self.worker.record_refusal(refusal, noted, Decision::Shadow, response_code());
            }
            _ => {}
        }
    }

    fn close(&self, charge: &Charge, noted: Option<&NotedCall>) {
        let end = self.ending();
        let metering = self.ticket.borrow_mut().take_metering();
        let is_metered = metering.is_some();
        let is_stopped = metering.as_ref().is_some_and(|metering| metering.limit == Limit::Reached);
        let measured = metering.map(|metering| {
            let (now, whole) = (clock::now(), metering.whole);
            (now, whole, self.said(charge, metering, now))
        });
        let mut gate = self.worker.gate.borrow_mut();
        let (charged, metered) = match &measured {
            None => (gate.finish(charge, &end), None),
            Some((now, whole, said)) => {
                let closed = gate.finish_answered(*now, charge, &end, said, *whole);
                (closed.charged, closed.metered)
            }
        };
        let released = charged == Credits::ZERO;
        if let Some(noted) = noted {
            let decision = match (released, is_stopped) {
                (true, _) => Decision::Released,
                (false, true) => Decision::Stopped,
                (false, false) => Decision::Admitted,
            };
            let status = if let End::Answered(answer) = end { Some(answer.status) } else { None };
            let ended = Ended { at: clock::now(), decision, status, charged };
            gate.record_charge(charge, metered.as_ref(), noted, &ended);
        }
        if !released && !self.worker.log_paid && !is_metered {
            return;
        }
        let rule = gate.settings().rule(charge.rule).name.clone();
        drop(gate);
        let decision = match (released, is_stopped) {
            (true, _) => "released",
            (false, true) => "stopped",
            (false, false) => "admitted",
        };
        let (account, key) = (charge.holder.account(), charge.holder.key());
        note(&format!("decision={decision} account={account} key={key} charge={charged} rule={rule}"));
    }

    /// Records whether it comes from a page that may read the headers added to its answer.
    #[cold]
    #[inline(never)]
    fn note_page(&self, ticket: &mut Ticket, head: &Head<'_>) {
        if let Some(origin) = self.worker.gate.borrow().page(head) {
            ticket.rare().origin = Some(origin.to_owned());
        }
    }

    /// Answers a request, or keeps what its answer will need.
    #[inline(never)]
    fn held_back(&self, ticket: &mut Ticket, arrival: Arrival, head: &Head<'_>, ends: bool) {
        let rule = match &arrival {
            Arrival::Decided(Outcome::Refuse(refusal)) => refusal.rule,
            // No rule applies to it, and searching for one may take long.
            Arrival::Decided(Outcome::Show(_)) => Some(usize::MAX),
            _ => None,
        };
        let around = self.worker.gate.borrow().request_context(head, rule);
        if self.wants_body(around.dialect, ends) {
            ticket.body = Body::Coming;
        }
        if !matches!(arrival, Arrival::Decided(Outcome::Refuse(_)))
            && self.worker.gate.borrow().is_for_view(head)
        {
            ticket.rare().held = kept(conditional::held(head));
        }
        match arrival {
            // The usual refusal is sent at once, and nothing is kept of its request.
            Arrival::Decided(Outcome::Refuse(refusal)) if ticket.body == Body::Ignored => {
                let status = self.worker.send_refusal(&around, None, &refusal);
                if self.worker.gate.borrow().records_refusal(&refusal) {
                    let noted = NotedCall::new(clock::now(), around.request_id);
                    self.worker.record_refusal(&refusal, &noted, Decision::Refused, Some(status));
                }
                ticket.stage = Stage::Answered;
            }
            Arrival::Decided(outcome) => {
                ticket.keep(&around);
                self.worker.carry_out(ticket, outcome);
            }
            Arrival::Waits | Arrival::NeedsBody(_) => {
                ticket.keep(&around);
                ticket.stage = Stage::Waits;
                self.worker.park(self.context, &self.ticket);
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

    /// How the request ended. Envoy's attributes are expensive, so they are read only if no answer was seen.
    fn ending(&self) -> End {
        if let Some(answer) = self.answer.get() {
            return End::Answered(answer);
        }
        match response_code() {
            // Envoy answered itself, bypassing the filters. Statuses below 200 precede an answer.
            Some(status) if status >= 200 => {
                let origin = Origin::of(code_details().as_deref(), has_reached_api);
                End::Answered(Answer { status, grpc: None, origin })
            }
            _ if has_reached_api() => End::Cut,
            _ => End::NeverAsked,
        }
    }
}

/// Keeps what a record of this request will need.
#[cold]
#[inline(never)]
fn note_call(ticket: &mut Ticket, head: &Head<'_>) {
    ticket.rare().noted = Some(NotedCall::new(clock::now(), head.value("x-request-id")));
}

/// Removes the caller's key before the API sees the request.
#[inline(never)]
fn hide_keys(settings: &Settings, head: &Head<'_>) {
    if let Some(path) = identity::without_key(&settings.identities, head.path_and_query()) {
        let _ = hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, ":path", Some(&path));
    }
    if !settings.hide_credentials {
        return;
    }
    for (name, value) in hiding::without_keys(&settings.identities, head) {
        let _ = hostcalls::remove_map_value(MapType::HttpRequestHeaders, name);
        if let Some(value) = value {
            let _ = hostcalls::add_map_value_bytes(MapType::HttpRequestHeaders, name, &value);
        }
    }
}

/// How large the body of the answer was, as it went to the client (bytes).
pub(super) fn response_size() -> Option<u64> {
    let bytes: [u8; 8] = property(vec!["response", "size"])?.try_into().ok()?;
    u64::try_from(i64::from_le_bytes(bytes)).ok()
}

fn response_code() -> Option<u16> {
    let bytes: [u8; 8] = property(vec!["response", "code"])?.try_into().ok()?;
    u16::try_from(i64::from_le_bytes(bytes)).ok()
}

fn code_details() -> Option<Vec<u8>> {
    property(vec!["response", "code_details"])
}

fn is_redirected() -> bool {
    code_details().is_some_and(|details| ending::is_redirected(&details))
}

/// Whether a connection to the API was established. (An address of the API's is there as soon as Envoy has chosen one.)
fn has_reached_api() -> bool {
    property(vec!["upstream", "local_address"]).is_some_and(|address| !address.is_empty())
}

/// Removes our own headers from a request's trailers: an API may treat both alike.
fn without_ours() {
    let map = headers::of_request_trailers();
    let Some(walk) = Walk::over(&map) else {
        return;
    };
    walk.each(
        |_| true,
        |name, _| {
            if let (true, Ok(name)) = (is_reserved(name), std::str::from_utf8(name)) {
                let _ = hostcalls::remove_map_value(MapType::HttpRequestTrailers, name);
            }
        },
    );
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
fn add_headers(headers: &[Header], ticket: &Ticket) {
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
