//! A gateway that does nothing but exchange: it speaks the real gateway API, over HTTP, as fast as the ledger
//! answers. In each message every payer has spent one credit more; who has fewer than ten left asks for more.

use crate::client::Client;
use crate::population::key_id;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{
    Ask, Entry, ExchangeRequest, ExchangeResponse, Holds, LeaseReport, PATH, Payer, VERSION,
};
use harness::GATEWAY_TOKEN;
use std::time::{Duration, Instant};

const ONE: Credits = Credits::from_micros(1_000_000);
/// Who has less than this left asks for more, credits.
const LOW: i64 = 10;
/// How much more, credits.
const REFILL: i64 = 100;

/// How long a message is repeated that the ledger is too busy for, and the rest before each time.
const PATIENCE: Duration = Duration::from_secs(10);
const REST: Duration = Duration::from_millis(20);

/// One gateway, with one connection to the ledger and payers of its own.
pub struct Speaker {
    client: Client,
    gateway: String,
    payers: Vec<Account>,
    batch: usize,
    next: usize,
}

struct Account {
    key: String,
    spent: Credits,
    granted: Credits,
}

impl Speaker {
    /// One that speaks of these payers, `batch` at a time, in turn. The first message about a payer opens its lease.
    pub fn new(port: u16, gateway: String, payers: impl Iterator<Item = u32>, batch: usize) -> Self {
        let account = |number| Account { key: key_id(number), spent: Credits::ZERO, granted: Credits::ZERO };
        Self { client: Client::connect(port), gateway, payers: payers.map(account).collect(), batch, next: 0 }
    }

    /// Speaks of every payer at least once.
    pub fn meet_all(&mut self) {
        for _ in 0..self.payers.len().div_ceil(self.batch) {
            self.exchange();
        }
    }

    /// Sends one message; how long the answer took.
    pub fn exchange(&mut self) -> Duration {
        let chosen: Vec<usize> =
            (0..self.batch).map(|offset| (self.next + offset) % self.payers.len()).collect();
        self.next += self.batch;
        let request = ExchangeRequest {
            protocol: VERSION,
            gateway: self.gateway.clone(),
            seen: None,
            entries: chosen.iter().map(|payer| self.payers[*payer].entry()).collect(),
            usage: None,
            models: Vec::new(),
        };
        let body = serde_json::to_vec(&request).expect("JSON");
        let began = Instant::now();
        let answer = loop {
            let answer = self.client.post(PATH, GATEWAY_TOKEN, &body);
            match answer.status {
                200 => break answer,
                // The ledger has more to do than it can: a gateway says it again.
                503 if began.elapsed() < PATIENCE => std::thread::sleep(REST),
                status => panic!("{status}: {}", String::from_utf8_lossy(answer.body)),
            }
        };
        let took = began.elapsed();
        let response: ExchangeResponse = serde_json::from_slice(answer.body).expect("the ledger's answer");
        for (payer, answer) in chosen.into_iter().zip(response.entries) {
            let lease = answer.lease.unwrap_or_else(|| panic!("a lease in {answer:?}"));
            self.payers[payer].granted = lease.granted;
        }
        took
    }

    /// Speaks at this pace for so long; how long each answer took.
    pub fn speak_every(&mut self, pace: Duration, end: Instant) -> Vec<Duration> {
        let (mut next, mut took) = (Instant::now(), Vec::new());
        while next < end {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            took.push(self.exchange());
            next += pace;
        }
        took
    }

    /// Speaks for so long; how long each answer took.
    pub fn speak_until(&mut self, end: Instant) -> Vec<Duration> {
        let mut took = Vec::new();
        while Instant::now() < end {
            took.push(self.exchange());
        }
        took
    }
}

impl Account {
    fn entry(&mut self) -> Entry {
        if self.granted > self.spent {
            self.spent = self.spent.saturating_add(ONE);
        }
        let need = self.spent.saturating_add(ONE);
        let is_low = self.granted.less(self.spent) < ONE.times(LOW);
        let ask = Ask { least: need, need, want: self.spent.saturating_add(ONE.times(REFILL)) };
        let zero = Credits::ZERO;
        Entry {
            payer: Payer::Id(self.key.clone()),
            ended: None,
            lease: Some(LeaseReport { epoch: 1, spent: self.spent, returned: zero, held: zero, demand: 0 }),
            ask: is_low.then_some(ask),
            on_credit: zero,
            holds: Holds::default(),
        }
    }
}
