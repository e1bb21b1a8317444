//! Gateways that ask for credits for accounts whose subscriptions are due.

use super::population::QUOTA;
use super::since;
use crate::figures::percentile_ms;
use crate::population::key_id;
use crate::wire::{Connection, NoAnswer, post};
use faregate_protocol::exchange::{
    Ask, Entry, ExchangeRequest, ExchangeResponse, Holds, LeaseReport, PATH, Payer, VERSION,
};
use faregate_protocol::{Credits, RefusalCode};
use harness::GATEWAY_TOKEN;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// A gateway asks so often, for so many payers.
const EVERY: Duration = Duration::from_millis(100);
const ENTRIES: usize = 20;
/// It hangs up after so long without an answer.
const PATIENCE: Duration = Duration::from_millis(500);
const ONE: Credits = Credits::from_micros(1_000_000);

/// What became of the asks that were sent after the period had begun.
#[derive(Debug, Default)]
pub struct Asks {
    pub messages: u32,
    /// Messages without an answer that says something about their payers.
    pub silent: u32,
    /// Entries that were answered.
    pub answered: u32,
    /// Of these, those that were refused as if the period hadn't begun.
    pub exhausted: u32,
    /// When the last of them was sent, after the period's begin.
    pub last_exhausted: Duration,
    times: Vec<Duration>,
}

impl Asks {
    /// Adds another one's.
    pub fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.silent += other.silent;
        self.answered += other.answered;
        self.exhausted += other.exhausted;
        self.last_exhausted = self.last_exhausted.max(other.last_exhausted);
        self.times.extend(other.times);
    }

    /// The time below which this share of the answers came, in percent.
    pub fn answer_ms(&mut self, percent: usize) -> f64 {
        percentile_ms(&mut self.times, percent)
    }

    fn answer(&mut self, response: &ExchangeResponse, sent: Duration, took: Duration) {
        self.times.push(took);
        for entry in &response.entries {
            self.answered += 1;
            if entry.refused.as_ref().is_some_and(|refused| refused.code == RefusalCode::QuotaExhausted) {
                self.exhausted += 1;
                self.last_exhausted = self.last_exhausted.max(sent);
            }
        }
    }
}

/// Asks for these payers in turn until it is over.
pub async fn ask_until(
    port: u16,
    gateway: String,
    payers: Vec<u32>,
    due: Timestamp,
    over: Arc<AtomicBool>,
) -> Asks {
    let mut connection = Connection::to(port);
    let mut asks = Asks::default();
    let mut asked = 0;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let entries = (asked..asked + ENTRIES).map(|number| {
            // In each turn a credit more, within the quota.
            let turn = u32::try_from(number / payers.len()).unwrap_or(QUOTA).min(QUOTA - 1);
            entry(payers[number % payers.len()], turn + 1)
        });
        let request = ExchangeRequest {
            protocol: VERSION,
            gateway: gateway.clone(),
            seen: None,
            entries: entries.collect(),
            usage: None,
            models: Vec::new(),
        };
        asked += ENTRIES;
        let body = serde_json::to_string(&request).expect("JSON");
        let message = format!("{}{}\r\n\r\n{body}", post(PATH, GATEWAY_TOKEN, ""), body.len());
        let sent = since(due);
        let reply = connection.send(message.as_bytes(), PATIENCE).await;
        // Only what is sent within the new period counts.
        let Ok(sent) = Duration::try_from(sent) else { continue };
        asks.messages += 1;
        match reply {
            Ok(reply) if reply.status == 200 => {
                let response = serde_json::from_slice(reply.body).expect("the ledger's answer");
                asks.answer(&response, sent, reply.took);
            }
            Ok(_) | Err(NoAnswer) => asks.silent += 1,
        }
    }
    asks
}

fn entry(payer: u32, credits: u32) -> Entry {
    let level = ONE.times(credits.into());
    let zero = Credits::ZERO;
    Entry {
        payer: Payer::Id(key_id(payer)),
        ended: None,
        lease: Some(LeaseReport { epoch: 1, spent: zero, returned: zero, held: zero, demand: 0 }),
        ask: Some(Ask { least: level, need: level, want: level }),
        on_credit: zero,
        holds: Holds::default(),
    }
}
