//! One per worker and configuration: reads the configuration, ticks, and talks to the ledger.
//!
//! Every call is sent from here, never from a request: Envoy keeps the calls of a root context when a client
//! disconnects, so no answer, and no credit in it, is lost.

use super::memory::HostMemory;
use super::metrics::Metrics;
use super::stream::Stream;
use super::worker::{Stage, Ticket, Worker};
use super::{clock, ledger, log, system};
use crate::decide::base::moment::Moment;
use crate::decide::base::text::visible;
use crate::decide::calls::BatchAnswer;
use crate::decide::gate::Gate;
use crate::decide::gate::answer::ResponseHints;
use crate::decide::lease::shared::Names;
use crate::decide::outcome::{Outcome, Passage, Resolution};
use crate::decide::settings::{Settings, Token};
use faregate_protocol::RefusalCode::WrongCell;
use faregate_protocol::calls;
use faregate_protocol::exchange::{ExchangeResponse, VERSION as PROTOCOL};
use faregate_protocol::token;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// What this filter was built from.
const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("FAREGATE_COMMIT"));

/// The tick's period.
const TICK: Duration = Duration::from_millis(50);

/// How many ticks a refusal waits for the body of its request.
const BODY_TICKS: u32 = 20;
/// How long a request whose body decides its price is held without a byte of it (ms).
const FIRST_BYTE_MS: u64 = 15_000;
/// Why there may be none.
const NO_BODY: &str =
    "a request's body didn't arrive: has Envoy's plugin configuration allow_on_headers_stop_iteration?";

/// How many requests that waited are answered in one callback. Envoy sends each answer when the callback is over,
/// but inside of the one before: thousands at once would overflow the stack.
const AT_ONCE: usize = 16;

/// The root context.
pub(super) struct Root {
    context: u32,
    running: Option<Running>,
}

/// The state once a configuration was accepted.
struct Running {
    root: u32,
    worker: Rc<Worker>,
    token: String,
    metrics: Metrics,
    /// Envoy's token and the message's number of each call in flight.
    calls: Vec<(u32, u64)>,
    /// Envoy's token of the call that carries call records, if one is in flight.
    recording: Option<u32>,
    /// Requests that have waited and are to be answered.
    resolved: VecDeque<Resolution>,
    ledger_answers: bool,
    /// What was noted last.
    noted: &'static str,
    /// Requests that are refused once their body is here, as of a second ago.
    bodiless: Vec<String>,
    ticks: u32,
}

impl Root {
    pub(super) fn new(context: u32) -> Self {
        Self { context, running: None }
    }
}

/// Envoy drops a configuration when a new one replaces it: the next worker must find in shared memory what only this
/// worker knows.
impl Drop for Root {
    fn drop(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        // No request is left by now, but nothing may panic here.
        running.worker.settle_redirected();
        let Ok(mut gate) = running.worker.gate.try_borrow_mut() else {
            return;
        };
        gate.leave();
        running.metrics.add(&gate.take_counters());
    }
}

impl Root {
    /// Takes the configuration, of this many bytes. Returns whether it is valid.
    pub(super) fn on_configure(&mut self, size: usize) -> bool {
        match configure(self.context, size) {
            Ok(running) => {
                self.running = Some(running);
                true
            }
            Err(why) => {
                log(LogLevel::Error, &format!("faregate: the filter's configuration is wrong: {why}"));
                false
            }
        }
    }

    /// Some time has passed.
    pub(super) fn on_tick(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        running.worker.settle_redirected();
        let resolutions = running.worker.gate.borrow_mut().tick(clock::now());
        running.resolve(resolutions);
        running.answer_bodiless();
        running.speak();
        running.send_calls();
        let counters = running.worker.gate.borrow_mut().take_counters();
        running.metrics.add(&counters);
    }

    /// A queue of this worker's was filled.
    pub(super) fn on_queue_ready(&mut self, queue: u32) {
        let Some(running) = self.running.as_mut().filter(|running| running.worker.bell == queue) else {
            return;
        };
        while let Ok(Some(_)) = hostcalls::dequeue_shared_queue(queue) {}
        running.worker.rung.set(false);
        running.resolve(Vec::new());
        running.speak();
    }

    /// A request begins; there is none before there is a configuration.
    pub(super) fn stream(&self, context: u32) -> Option<Stream> {
        Some(Stream::new(context, Rc::clone(&self.running.as_ref()?.worker)))
    }

    /// A call to the ledger has ended, with an answer of this many bytes or without.
    pub(super) fn on_http_call_response(&mut self, call: u32, body_size: usize) {
        let Some(running) = &mut self.running else {
            return;
        };
        if running.recording == Some(call) {
            running.recording = None;
            let answer = ledger::read_batch_answer();
            running.worker.gate.borrow_mut().calls_answered(clock::now(), answer);
            return running.send_calls();
        }
        let Some(at) = running.calls.iter().position(|(other, _)| *other == call) else {
            return;
        };
        let (_, id) = running.calls.swap_remove(at);
        let mut aside = ResponseHints::default();
        let answer = ledger::read_answer(body_size, &mut aside);
        if aside.unsupported && running.worker.gate.borrow().falls_back(id) {
            running.note("the ledger speaks an older protocol");
        } else {
            running.note_health(answer.as_ref().err());
        }
        if answer.as_ref().is_ok_and(names_other_ledger) {
            running.note("wrong_cell: in another ledger");
        }
        let resolutions = running.worker.gate.borrow_mut().heard(clock::now(), id, answer.ok(), aside);
        running.resolve(resolutions);
        running.speak();
    }
}

impl Running {
    /// Sends every message that is due.
    #[inline(never)]
    fn speak(&mut self) {
        loop {
            let now = clock::now();
            let Some(message) = self.worker.gate.borrow_mut().next_message(now) else {
                return;
            };
            let called = {
                let gate = self.worker.gate.borrow();
                ledger::call(&gate.settings().ledger, &self.token, &message.body)
            };
            match called {
                Ok(call) => self.calls.push((call, message.id)),
                Err(why) => {
                    self.note_health(Some(&why));
                    let resolutions = self.worker.gate.borrow_mut().answered(now, message.id, None);
                    self.resolve(resolutions);
                    return;
                }
            }
        }
    }

    /// Sends the next call records, behind everything else.
    fn send_calls(&mut self) {
        if self.recording.is_some() || !self.worker.gate.borrow().has_calls() {
            return;
        }
        let now = clock::now();
        let Some(body) = self.worker.gate.borrow_mut().next_calls(now) else {
            return;
        };
        let called = {
            let gate = self.worker.gate.borrow();
            ledger::post(&gate.settings().ledger, &self.token, calls::PATH, &body)
        };
        self.recording = called.ok();
        if self.recording.is_none() {
            self.worker.gate.borrow_mut().calls_answered(now, BatchAnswer::Again);
        }
    }

    /// Resumes or refuses requests that have waited: a few now, and the others soon. Envoy's current context is the
    /// root's again at the end.
    #[inline(never)]
    fn resolve(&mut self, resolutions: Vec<Resolution>) {
        self.resolved.extend(resolutions);
        if self.resolved.is_empty() {
            return;
        }
        for _ in 0..AT_ONCE {
            let Some(Resolution { context, outcome }) = self.resolved.pop_front() else {
                break;
            };
            let parked = self.worker.parked.borrow_mut().remove(&context.to_string());
            let here = parked.filter(|ticket| matches!(ticket.borrow().stage, Stage::Waits));
            let Some(ticket) = here.filter(|_| hostcalls::set_effective_context(context).is_ok()) else {
                // The client has disconnected in the meantime.
                if let Outcome::Pass(Passage::Paid(charge)) = outcome {
                    self.worker.gate.borrow_mut().cancel(&charge);
                }
                continue;
            };
            if self.worker.carry_out(&mut ticket.borrow_mut(), outcome) {
                let _ = hostcalls::resume_http_request();
            } else if matches!(ticket.borrow().stage, Stage::Refusing(_)) {
                self.worker.park(context, &ticket);
            }
        }
        let _ = hostcalls::set_effective_context(self.root);
        if !self.resolved.is_empty() {
            self.worker.ring();
        }
    }

    /// Refuses requests whose body doesn't arrive, or isn't passed on by this Envoy, after one to two seconds.
    #[inline(never)]
    fn answer_bodiless(&mut self) {
        self.ticks += 1;
        if self.ticks < BODY_TICKS {
            return;
        }
        let mut bodies_missing = false;
        for _ in 0..AT_ONCE {
            let Some(name) = self.bodiless.pop() else {
                self.ticks = 0;
                let parked = self.worker.parked.borrow();
                let now = clock::now();
                let names = parked
                    .iter_from("")
                    .filter(|(_, ticket)| is_refusing(ticket) || is_bodiless(ticket, now));
                self.bodiless = names.map(|(name, _)| name.to_owned()).collect();
                break;
            };
            let stays =
                |ticket: &&Rc<RefCell<Ticket>>| is_refusing(ticket) || is_bodiless(ticket, clock::now());
            let Some(ticket) = self.worker.parked.borrow().get(&name).filter(stays).map(Rc::clone) else {
                continue;
            };
            self.worker.parked.borrow_mut().remove(&name);
            let mut ticket = ticket.borrow_mut();
            let stage = std::mem::take(&mut ticket.stage);
            if !name.parse().is_ok_and(|context| hostcalls::set_effective_context(context).is_ok()) {
                continue;
            }
            match stage {
                Stage::Refusing(refusal) => self.worker.refuse(&mut ticket, &refusal),
                Stage::Reading(reading) => {
                    let outcome = self.worker.gate.borrow_mut().without_body(&reading.held);
                    bodies_missing = true;
                    if self.worker.carry_out(&mut ticket, outcome) {
                        let _ = hostcalls::resume_http_request();
                    }
                }
                _ => {}
            }
        }
        let _ = hostcalls::set_effective_context(self.root);
        if bodies_missing {
            self.note(NO_BODY);
        }
    }

    /// Logs once what an operator should know.
    #[inline(never)]
    fn note(&mut self, what: &'static str) {
        if self.noted != what {
            log(LogLevel::Warn, &format!("faregate: {what}"));
            self.noted = what;
        }
    }

    /// Logs once when the ledger stops answering, and once when it is back.
    fn note_health(&mut self, trouble: Option<&String>) {
        match trouble {
            Some(why) if self.ledger_answers => {
                log(LogLevel::Error, &format!("faregate: the ledger can't be asked: {why}"));
            }
            None if !self.ledger_answers => log(LogLevel::Info, "faregate: the ledger answers again"),
            _ => {}
        }
        self.ledger_answers = trouble.is_none();
    }
}

/// Whether a payer is kept by another ledger.
fn names_other_ledger(answer: &ExchangeResponse) -> bool {
    answer.entries.iter().filter_map(|entry| entry.refused.as_ref()).any(|refused| refused.code == WrongCell)
}

fn is_refusing(ticket: &Rc<RefCell<Ticket>>) -> bool {
    ticket.try_borrow().is_ok_and(|ticket| matches!(ticket.stage, Stage::Refusing(_)))
}

/// Whether it waits for its body for too long.
fn is_bodiless(ticket: &Rc<RefCell<Ticket>>, now: Moment) -> bool {
    ticket.try_borrow().is_ok_and(|ticket| match &ticket.stage {
        Stage::Reading(reading) => reading.size == 0 && now.millis_since(reading.began) >= FIRST_BYTE_MS,
        _ => false,
    })
}

#[inline(never)]
fn configure(root: u32, size: usize) -> Result<Running, String> {
    let json =
        hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size).ok().flatten().unwrap_or_default();
    let settings = Settings::from_slice(&json).map_err(|why| why.to_string())?;
    let token = match &settings.ledger.token {
        Token::Value(token) => token.clone(),
        Token::Env(name) => token_in(name)?,
    };
    let names = Names::new(&settings.ledger.cluster, &settings.ledger.authority);
    let unique = unique_name();
    let bell = hostcalls::register_shared_queue(&format!("faregate/bell/{unique}"))
        .map_err(|why| format!("no queue: {why:?}"))?;
    let _ = hostcalls::set_tick_period(TICK);
    let log_paid = settings.log_paid;
    let gate = Gate::new(settings, HostMemory::open(&names), &unique, clock::now());
    let configured = format!("faregate {BUILD}, protocol {PROTOCOL}) configured: gateway {}", gate.gateway());
    log(LogLevel::Info, &configured);
    let worker = Worker {
        gate: RefCell::new(gate),
        parked: RefCell::default(),
        bell,
        rung: Cell::new(false),
        log_paid,
        redirected: Cell::default(),
        bodies: Rc::default(),
    };
    Ok(Running {
        root,
        worker: Rc::new(worker),
        token,
        metrics: Metrics::define(),
        calls: Vec::new(),
        recording: None,
        resolved: VecDeque::new(),
        ledger_answers: true,
        noted: "",
        bodiless: Vec::new(),
        ticks: 0,
    })
}

/// The token in an environment variable of the VM.
#[inline(never)]
fn token_in(name: &str) -> Result<String, String> {
    let text = system::variable(name).unwrap_or_default();
    let (found, allowed) = match token::read(&text) {
        Some(token) => return Ok(token.to_owned()),
        None if text.is_empty() => ("no", "the name of one that vm_config.environment_variables passes on"),
        None => ("no token in the", token::ALLOWED),
    };
    Err(format!(
        "ledger.token.env: found {found} environment variable {} in the VM; allowed is {allowed}",
        visible(name)
    ))
}

/// A unique name: the Envoy node's, and 128 random bits.
#[inline(never)]
fn unique_name() -> String {
    let node = hostcalls::get_property(vec!["xds", "node", "id"]).ok().flatten().unwrap_or_default();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let node: Vec<u8> = node.into_iter().filter(plain).take(64).collect();
    let node = String::from_utf8(node).unwrap_or_default();
    let [one, other] = system::random();
    format!("{node}:{one:016x}{:016x}", other ^ clock::now().nanos())
}
