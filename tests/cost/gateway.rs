//! The real filter in an interpreter, driven as Envoy 1.40 drives it: which callbacks, in which order.
//!
//! The interpreter counts instructions, the host counts what the filter asks of it. Nothing here looks at a clock, so
//! the counts are the same in every run and on every machine.

use crate::host::{Host, ROOT, Request};
use crate::ledger::Ledger;
use crate::meter::{ENTRIES, INSTRUCTIONS};
use crate::module::{self, FUEL};
use crate::price::Spent;
use crate::profile;
use serde_json::Value;
use wasmi::{Instance, Store, Val};

/// How often the filter is ticked (ms).
const TICK_MS: u64 = 50;
/// A page of the filter's memory in bytes.
const PAGE: usize = 65_536;

/// The filter, loaded and configured.
pub struct Gateway {
    store: Store<Host>,
    instance: Instance,
    last: u32,
}

impl Gateway {
    /// Loads the filter and configures it.
    pub fn start(configuration: &Value) -> Self {
        let configuration = serde_json::to_vec(configuration).expect("JSON");
        let size = configuration.len();
        let (store, instance) = module::instance(Host { configuration, now_ns: 1, ..Host::default() });
        let mut gateway = Self { store, instance, last: ROOT };
        gateway.enter(ROOT, "_initialize", &[]);
        gateway.enter(ROOT, "proxy_on_context_create", &[ROOT, 0]);
        assert_eq!(gateway.enter(ROOT, "proxy_on_vm_start", &[ROOT, 0]), Some(1));
        let size = u32::try_from(size).expect("a small configuration");
        let accepted = gateway.enter(ROOT, "proxy_on_configure", &[ROOT, size]);
        assert_eq!(accepted, Some(1), "{:?}", gateway.host().log);
        gateway
    }

    /// What the host knows.
    pub fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }

    /// What was used since the last call of this.
    pub fn take_spent(&mut self) -> Spent {
        std::mem::take(&mut self.host().spent)
    }

    /// The size of the filter's memory in pages of 64 KiB.
    pub fn memory_pages(&self) -> usize {
        let memory = self.instance.get_memory(&self.store, "memory").expect("the filter has memory");
        memory.data_size(&self.store) / PAGE
    }

    /// A request arrives. Returns its number, and whether it goes on.
    pub fn arrives(&mut self, head: &[(&str, &str)]) -> (u32, bool) {
        self.last += 1;
        let context = self.last;
        let head: Vec<(String, Vec<u8>)> =
            head.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let size = u32::try_from(head.len()).expect("few headers");
        self.host().requests.insert(context, Request { head, ..Request::default() });
        self.enter(context, "proxy_on_context_create", &[context, ROOT]);
        let action = self.enter(context, "proxy_on_request_headers", &[context, size, 1]);
        (context, action == Some(0))
    }

    /// The request that arrived last.
    pub fn last(&self) -> u32 {
        self.last
    }

    /// A request ends, answered by the upstream with this status, or by the filter itself. Returns what Envoy held.
    pub fn ends(&mut self, context: u32, status: u16) -> Request {
        if let Some(request) = self.host().requests.get_mut(&context) {
            request.status.get_or_insert(status);
        }
        self.enter(context, "proxy_on_response_headers", &[context, 3, 0]);
        self.enter(context, "proxy_on_log", &[context]);
        self.enter(context, "proxy_on_delete", &[context]);
        self.host().requests.remove(&context).expect("a request that is under way")
    }

    /// A request of HTTP/3 ends, answered by the upstream with this status: Envoy forgets it without logging it. Should it ever
    /// log it later, that changes nothing.
    pub fn forgets(&mut self, context: u32, status: u16) {
        if let Some(request) = self.host().requests.get_mut(&context) {
            request.status = Some(status);
        }
        self.enter(context, "proxy_on_response_headers", &[context, 3, 0]);
        self.enter(context, "proxy_on_delete", &[context]);
        self.host().requests.remove(&context);
        self.enter(context, "proxy_on_log", &[context]);
    }

    /// Tells the filter that its queues were filled, once for each item, as Envoy does.
    pub fn deliver_queue_events(&mut self) {
        while let Some(queue) = self.host().rung.pop_front() {
            self.enter(ROOT, "proxy_on_queue_ready", &[ROOT, queue]);
        }
    }

    /// The ledger answers every message that is under way. Returns how many there were.
    pub fn ledger_answers(&mut self, ledger: &mut Ledger) -> usize {
        let mut answered = 0;
        while let Some((token, message)) = self.host().messages.pop_front() {
            let answer = ledger.answer(&message);
            let size = u32::try_from(answer.len()).expect("a small answer");
            self.host().answer = answer;
            self.enter(ROOT, "proxy_on_http_call_response", &[ROOT, token, 2, size, 0]);
            answered += 1;
        }
        answered
    }

    /// The next tick comes when it is due.
    pub fn ticks(&mut self) {
        self.host().now_ns += TICK_MS * 1_000_000;
        self.enter(ROOT, "proxy_on_tick", &[ROOT]);
    }

    /// Time passes, with all that Envoy and the ledger do.
    pub fn lives(&mut self, ms: u64, ledger: &mut Ledger) {
        for _ in 0..ms.div_ceil(TICK_MS) {
            self.ticks();
            self.deliver_queue_events();
            self.ledger_answers(ledger);
        }
    }

    /// Calls the filter. What it doesn't export Envoy doesn't call.
    fn enter(&mut self, context: u32, callback: &str, arguments: &[u32]) -> Option<i32> {
        let function = self.instance.get_func(&self.store, callback)?;
        self.host().context = context;
        self.store.set_fuel(FUEL).expect("fuel is counted");
        let arguments: Vec<Val> = arguments.iter().map(|number| Val::I32(number.cast_signed())).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        if let Err(why) = function.call(&mut self.store, &arguments, &mut results) {
            panic!("{callback}: {why}; {:?}", self.host().log);
        }
        let (instructions, allocations) = (self.take(INSTRUCTIONS), self.take(ENTRIES));
        let spent = &mut self.host().spent;
        spent.entered += 1;
        spent.instructions += instructions;
        spent.allocations += allocations;
        match results.first() {
            Some(Val::I32(number)) => Some(*number),
            _ => None,
        }
    }

    /// How many instructions each function ran since the last call of this, where that is counted.
    pub fn take_profile(&mut self) -> Vec<(u64, u32)> {
        let counts =
            (0..).map_while(|function| Some((self.take_if_there(&profile::counter(function))?, function)));
        counts.filter(|(count, _)| *count > 0).collect()
    }

    /// Reads one of the filter's counters and sets it back.
    fn take(&mut self, counter: &str) -> u64 {
        self.take_if_there(counter).expect("a counter")
    }

    fn take_if_there(&mut self, counter: &str) -> Option<u64> {
        let counter = self.instance.get_global(&self.store, counter)?;
        let count = counter.get(&self.store).i64().expect("a number");
        counter.set(&mut self.store, Val::I64(0)).expect("the counter can be set back");
        Some(count.cast_unsigned())
    }
}
