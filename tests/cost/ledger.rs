//! Answers as a ledger would write them, by hand: the money isn't what is looked at here.

use faregate_protocol::exchange::{
    Entry, EntryAnswer, ExchangeRequest, ExchangeResponse, Facts, Granted, Limits, Payer, Refused,
};
use faregate_protocol::{Credits, RefusalCode, api_key};
use std::collections::BTreeMap;

/// So much that no lease runs low.
const PLENTY: Credits = Credits::from_micros(1_000_000_000_000);
/// How long a lease may be spent from (ms).
const TTL_MS: u64 = 60_000;

/// The API key of a caller.
pub fn key(number: u16) -> String {
    let [high, low] = number.to_be_bytes();
    let mut random = [7; api_key::SECRET_LEN];
    random[..4].copy_from_slice(&[high >> 4, high & 15, low >> 4, low & 15]);
    api_key::compose(&random).expect("no byte is too large")
}

/// Grants plenty to everybody but to those without credits.
#[derive(Default)]
pub struct Ledger {
    broke: Vec<String>,
    names: BTreeMap<String, String>,
    /// How much was ever spent from the lease that was reported last.
    pub spent: Credits,
}

impl Ledger {
    /// The caller with this key has no credits.
    pub fn is_out_of_credits(&mut self, key: &str) {
        self.broke.push(key.to_owned());
    }

    /// The body of the answer to a message.
    pub fn answer(&mut self, message: &[u8]) -> Vec<u8> {
        let request: ExchangeRequest = serde_json::from_slice(message).expect("a message");
        let answer = ExchangeResponse {
            protocol: request.protocol,
            seen: request.seen,
            heartbeat_ms: 1_000,
            entries: request.entries.iter().map(|entry| self.entry(entry)).collect(),
            changes: Vec::new(),
            usage_seq: request.usage.map(|usage| usage.seq),
            models: Vec::new(),
            prices: None,
        };
        serde_json::to_vec(&answer).expect("JSON")
    }

    fn entry(&mut self, entry: &Entry) -> EntryAnswer {
        let credential = match &entry.payer {
            Payer::Key(key) | Payer::Subject(key) => key,
            Payer::Id(id) => id,
        };
        let next = format!("key_{:06}", self.names.len());
        let name = match &entry.payer {
            Payer::Id(id) => id.clone(),
            _ => self.names.entry(credential.clone()).or_insert(next).clone(),
        };
        let facts = Facts { key: name, account: "acme".to_owned(), ..Facts::default() };
        let mut answer = EntryAnswer { facts: Some(facts), ..EntryAnswer::default() };
        if self.broke.contains(credential) {
            let code = RefusalCode::InsufficientFunds;
            answer.refused =
                Some(Refused { code, available: Credits::ZERO, reset: None, top_up: false, retry_ms: None });
        } else if let Some(lease) = entry.lease {
            let recall = false;
            self.spent = lease.spent;
            answer.lease = Some(Granted {
                epoch: lease.epoch,
                granted: PLENTY,
                ttl_ms: TTL_MS,
                recall,
                limits: Limits::default(),
            });
        }
        answer.ended = entry.ended.map(|ended| ended.epoch);
        answer
    }
}
