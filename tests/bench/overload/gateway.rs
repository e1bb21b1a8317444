//! A synthetic gateway: it reports about once per heartbeat what its payers have spent, as the filter does, and hangs
//! up when an answer takes too long. Its messages are written beforehand; only the counters in them change.

use super::tally::Tally;
use crate::population::key_id;
use crate::wire::{Connection, NoAnswer, post};
use faregate_protocol::exchange::{ExchangeRequest, ExchangeResponse, PATH};
use harness::GATEWAY_TOKEN;
use std::io::Write as _;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Payers of one gateway.
pub const PAYERS: u32 = 500;
/// Gateways hang up after so long without an answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a lease may take to be opened.
const OPENING: Duration = Duration::from_secs(60);
/// How often a gateway reports at most, unless the ledger says otherwise.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// What is set aside for each payer, micro-credits: more than a bench spends.
const FUNDS: u64 = 100_000_000_000;
/// What a payer spends between two reports, micro-credits.
const PRICE: u64 = 1_000_000;
/// A counter is written at this width, with blanks before it, so that it changes in its place.
const WIDTH: usize = 15;

/// How a gateway behaves.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Payers that spend something, per second.
    pub per_s: f64,
    /// Whether it comes when the answers say: after `heartbeat_ms`, or after a 503's `retry-after`.
    pub heeds: bool,
    /// When to begin, from when on it is measured, and when to end.
    pub begin: Instant,
    pub measure: Instant,
    pub end: Instant,
}

/// One gateway, with a connection and payers of its own.
pub struct Gateway {
    connection: Connection,
    head: String,
    name: String,
    payers: Vec<Payer>,
    next: usize,
    seen: u64,
    message: Vec<u8>,
}

struct Payer {
    entry: Vec<u8>,
    /// Where its counter is.
    at: usize,
    spent: u64,
}

impl Payer {
    fn new(number: u32) -> Self {
        let before = format!(r#"{{"payer":{{"id":"{}"}},"lease":{{"epoch":1,"spent":"#, key_id(number));
        let entry = format!(r#"{before}{:>WIDTH$},"returned":0,"held":0}}}}"#, 0);
        Self { at: before.len(), entry: entry.into_bytes(), spent: 0 }
    }

    fn spend(&mut self) -> &[u8] {
        self.spent += PRICE;
        let number = format!("{:>WIDTH$}", self.spent);
        self.entry[self.at..self.at + WIDTH].copy_from_slice(number.as_bytes());
        &self.entry
    }

    /// The entry with a question for so much.
    fn opening(&self) -> Vec<u8> {
        let ask = format!(r#","ask":{{"least":{FUNDS},"need":{FUNDS},"want":{FUNDS}}}}}"#);
        [self.entry.strip_suffix(b"}").unwrap_or_default(), ask.as_bytes()].concat()
    }
}

impl Gateway {
    /// One that reports about these payers.
    pub fn new(port: u16, name: String, payers: impl Iterator<Item = u32>) -> Self {
        let payers: Vec<Payer> = payers.map(Payer::new).collect();
        let head = post(PATH, GATEWAY_TOKEN, "");
        Self { connection: Connection::to(port), head, name, payers, next: 0, seen: 0, message: Vec::new() }
    }

    /// Opens the leases of all payers, each with all that it will ever spend.
    pub async fn open(&mut self) {
        let entries: Vec<Vec<u8>> = self.payers.iter().map(Payer::opening).collect();
        self.write(entries.iter().map(Vec::as_slice));
        let body = self.message.iter().position(|byte| *byte == b'{').map(|start| &self.message[start..]);
        serde_json::from_slice::<ExchangeRequest>(body.unwrap_or_default()).expect("a message that is one");
        let reply = self.connection.send(&self.message, OPENING).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(reply.body));
        let answer: ExchangeResponse = serde_json::from_slice(reply.body).expect("the ledger's answer");
        for answer in answer.entries {
            let granted = answer.lease.map_or(0, |lease| lease.granted.micros());
            assert!(u64::try_from(granted).is_ok_and(|granted| granted >= FUNDS), "{:?}", answer.refused);
        }
    }

    /// Reports until the end of it, the `place`th of `count` gateways that begin one after the other.
    pub async fn run(&mut self, pace: Pace, place: u32, count: u32) -> Tally {
        let full = f64::from(PAYERS) / pace.per_s;
        let interval = Duration::from_secs_f64(full.min(HEARTBEAT.as_secs_f64()));
        let mut due = pace.begin + interval * place / count;
        let mut last = due.checked_sub(interval).unwrap_or(due);
        let mut tally = Tally::default();
        loop {
            sleep_until(due).await;
            let now = Instant::now();
            if now >= pace.end {
                return tally;
            }
            // Payers that spent since the last message; constant for gateways that ignore the heartbeat interval.
            let passed = if pace.heeds { (now - last).as_secs_f64() } else { interval.as_secs_f64() };
            last = now;
            let mut turn = Tally::default();
            let wait = self.report(to_count(pace.per_s * passed), &mut turn).await;
            if now >= pace.measure {
                tally.add(turn);
            }
            due += if pace.heeds { wait.map_or(interval, |wait| wait.max(interval)) } else { interval };
            // The times that were missed while an answer took too long are gone.
            while due <= Instant::now() {
                due += interval;
            }
        }
    }

    /// Has these gateways report full messages in turn, one as soon as the other is answered, until then.
    pub async fn run_closed(group: &mut [Self], entries: usize, measure: Instant, end: Instant) -> Tally {
        let mut tally = Tally::default();
        let mut turns = 0..;
        loop {
            let now = Instant::now();
            let (Some(place), true) = (turns.next(), now < end) else { return tally };
            let mut turn = Tally::default();
            let next = place % group.len();
            group[next].report(entries, &mut turn).await;
            if now >= measure && Instant::now() < end {
                tally.add(turn);
            }
        }
    }

    /// One report about so many payers; how long the ledger says to wait before the next one.
    async fn report(&mut self, entries: usize, tally: &mut Tally) -> Option<Duration> {
        let count = entries.clamp(1, self.payers.len());
        let mut payers = std::mem::take(&mut self.payers);
        let (end, begin) = payers.split_at_mut(self.next);
        self.write(begin.iter_mut().chain(end).take(count).map(Payer::spend));
        self.payers = payers;
        self.next = (self.next + count) % self.payers.len();
        let reply = match self.connection.send(&self.message, PATIENCE).await {
            Ok(reply) => reply,
            Err(NoAnswer) => {
                tally.silent(count);
                return None;
            }
        };
        match reply.status {
            200 => {
                let number = |name| number(reply.body, name);
                let heartbeat_ms = number("\"heartbeat_ms\":").unwrap_or(0);
                self.seen = number("\"seen\":").unwrap_or(self.seen);
                tally.committed(count, reply.took, heartbeat_ms);
                Some(Duration::from_millis(heartbeat_ms))
            }
            503 => {
                tally.overloaded(count);
                let exact = number(reply.body, "\"retry_after_ms\":").map(Duration::from_millis);
                exact.or(reply.retry_after)
            }
            other => panic!("{other}: {}", String::from_utf8_lossy(reply.body)),
        }
    }

    fn write<'a>(&mut self, entries: impl Iterator<Item = &'a [u8]>) {
        let mut body = Vec::with_capacity(self.message.capacity());
        write!(body, r#"{{"protocol":2,"gateway":"{}","seen":{},"entries":["#, self.name, self.seen)
            .expect("memory");
        for (place, entry) in entries.enumerate() {
            if place > 0 {
                body.push(b',');
            }
            body.extend_from_slice(entry);
        }
        body.extend_from_slice(b"]}");
        self.message.clear();
        write!(self.message, "{}{}\r\n\r\n", self.head, body.len()).expect("memory");
        self.message.extend_from_slice(&body);
    }
}

/// The number behind this name, near the beginning of an answer.
pub fn number(body: &[u8], name: &str) -> Option<u64> {
    let beginning = String::from_utf8_lossy(body.get(..200).unwrap_or(body));
    let (_, rest) = beginning.split_once(name)?;
    let digits = rest.split(|next: char| !next.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most the payers of a gateway"
)]
fn to_count(entries: f64) -> usize {
    entries.round().clamp(1.0, f64::from(PAYERS)) as usize
}
