//! A gate and a ledger that says anything: nothing, nonsense, the absurd, and now and then the truth.
//!
//! What must hold: no more is sold under an epoch than the ledger ever said was granted, every request that waits
//! gets one answer, and whatever was said, the gate's next message is one that a ledger reads.

use crate::memory::Memory;
use crate::odd;
use crate::play::{Budget, Report, play};
use faregate::decide::base::head::Head;
use faregate::decide::base::moment::Moment;
use faregate::decide::gate::{Gate, answer};
use faregate::decide::lease::FundingSource;
use faregate::decide::lease::credential::Credential;
use faregate::decide::lease::shared::{self, Names};
use faregate::decide::outcome::{Arrival, Charge, Outcome, Passage, Resolution};
use faregate::decide::request::ending::End;
use faregate::decide::settings::Settings;
use faregate_protocol::api_key;
use faregate_protocol::exchange::{Entry, ExchangeRequest, MAX_BODY_BYTES, Payer};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const PATHS: [&str; 4] = ["/", "/half", "/most", "/free"];
const FACTS: [&str; 6] = ["key_0", "key_1", "", "a\0b", "key-of-another", "LONG"];

#[derive(Clone, Debug)]
enum Step {
    Arrive { payer: u8, path: usize },
    Wait(u64),
    Answer { flight: usize, said: Said },
    End { charge: usize, status: u16 },
}

#[derive(Clone, Debug)]
enum Said {
    Nothing,
    Bytes(Vec<u8>),
    Entries {
        said: Vec<SaidEntry>,
        heartbeat_ms: u32,
        seen: Option<u64>,
        changes: Vec<usize>,
        missing: bool,
        usage: Option<u64>,
    },
}

/// Offsets and picks; what they mean depends on the entry that is answered.
#[derive(Clone, Debug)]
struct SaidEntry {
    facts: Option<usize>,
    lease: Option<(i64, Option<i64>, u64, bool)>,
    refused: Option<(usize, i64, Option<u32>)>,
    ended: Option<i64>,
    on_credit: i64,
}

fn amount() -> impl Strategy<Value = i64> + Clone {
    let known = &[
        i64::MIN,
        -1,
        0,
        1,
        1_000_000,
        5_000_000,
        1_000_000_000_000_000_000,
        1_000_000_000_000_000_001,
        i64::MAX,
    ];
    prop_oneof![4 => select(known.as_slice()), 1 => any::<i64>()]
}

fn entry() -> impl Strategy<Value = SaidEntry> + Clone {
    let epoch = select(&[0_i64, 0, 0, 0, 1, -1, i64::MIN, i64::MAX][..]);
    let ttl = select(&[20_000_u64, 20_000, 0, 1, u64::MAX][..]);
    let lease = (epoch.clone(), of(amount()), ttl, any::<bool>());
    let retry = select(&[None, Some(0), Some(50), Some(u32::MAX)][..]);
    (of(0..FACTS.len()), of(lease), of((0_usize..9, amount(), retry)), of(epoch), amount()).prop_map(
        |(facts, lease, refused, ended, on_credit)| SaidEntry { facts, lease, refused, ended, on_credit },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let entries = (
        vec(entry(), 1..3),
        select(&[0, 100, 1_000, u32::MAX][..]),
        any::<Option<u64>>(),
        vec(0..FACTS.len(), 0..3),
        any::<u8>(),
        of(0_u64..9),
    )
        .prop_map(|(said, heartbeat_ms, seen, changes, missing, usage)| Said::Entries {
            said,
            heartbeat_ms,
            seen,
            changes,
            missing: missing == 0,
            usage,
        });
    let said =
        prop_oneof![1 => Just(Said::Nothing), 1 => odd::bytes(80).prop_map(Said::Bytes), 12 => entries];
    prop_oneof![
        4 => (0_u8..3, 0..PATHS.len()).prop_map(|(payer, path)| Step::Arrive { payer, path }),
        2 => select(&[0_u64, 10, 50, 600, 6_000, 25_000, 1_000_000][..]).prop_map(Step::Wait),
        5 => (0_usize..4, said).prop_map(|(flight, said)| Step::Answer { flight, said }),
        2 => (0_usize..8, select(&[200_u16, 503, 0, 1][..])).prop_map(|(charge, status)| Step::End { charge, status }),
    ]
}

fn settings() -> Settings {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"header": "x-api-key"}],
        "rules": [
            {"name": "half", "match": {"path": {"exact": "/half"}}, "price": "0.5", "on_ledger_error": {"allow_up_to": "3"}},
            {"name": "most", "match": {"path": {"exact": "/most"}}, "price": "1000000000000"},
            {"name": "free", "match": {"path": {"exact": "/free"}}, "price": "free"}
        ],
        "default": {"price": "1", "on_ledger_error": {"allow_up_to": "3"}}
    });
    Settings::from_value(&config).expect("a good configuration")
}

fn key(payer: u8) -> String {
    api_key::compose(&[payer; api_key::SECRET_LEN]).unwrap_or_default()
}

/// One gate, and everything that was said to it.
struct Conversation {
    gate: Gate<Memory>,
    memory: Memory,
    now: Moment,
    next: u32,
    waiting: BTreeSet<u32>,
    flights: Vec<(u64, ExchangeRequest)>,
    charges: Vec<Charge>,
    /// The most that was ever said to be granted, and what is sold, by lease and epoch.
    granted: BTreeMap<(String, u32), i128>,
    sold: BTreeMap<(String, u32), i128>,
}

/// Plays conversations.
pub fn conversations(budget: Budget, seed: u64) -> Report {
    let settings = settings();
    play(budget, seed, &vec(step(), 1..60), |steps| {
        let memory = Memory::default();
        let gate = Gate::new(settings.clone(), memory.clone(), "fuzzed", Moment::ZERO);
        let mut talk = Conversation {
            gate,
            memory,
            now: Moment::from_nanos(1_000_000_000),
            next: 0,
            waiting: BTreeSet::new(),
            flights: Vec::new(),
            charges: Vec::new(),
            granted: BTreeMap::new(),
            sold: BTreeMap::new(),
        };
        for step in steps {
            talk.step(step)?;
            talk.listen()?;
        }
        // In the end no request waits longer than patience and timeout.
        for _ in 0..4 {
            talk.step(Step::Wait(3_000))?;
        }
        prop_assert!(talk.waiting.is_empty(), "{:?} wait for ever", talk.waiting);
        prop_assert!(talk.memory.len() <= 2 + 3 + 3 + 1, "{} entries", talk.memory.len());
        Ok(())
    })
}

impl Conversation {
    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Arrive { payer, path } => {
                let headers = [
                    (":path".to_owned(), PATHS[path].into()),
                    ("x-api-key".to_owned(), key(payer).into_bytes()),
                ];
                self.next += 1;
                match self.gate.arrive(self.now, self.next, &Head::new(&headers), |_| None) {
                    Arrival::Waits | Arrival::NeedsBody(_) => drop(self.waiting.insert(self.next)),
                    Arrival::Decided(outcome) => self.note(outcome)?,
                }
            }
            Step::Wait(ms) => {
                self.now = self.now.plus_millis(ms);
                let resolutions = self.gate.tick(self.now);
                self.resolve(resolutions)?;
            }
            Step::Answer { flight, said } => {
                if let Some(at) = flight.checked_rem(self.flights.len()) {
                    let (id, request) = self.flights.remove(at);
                    let answer = self.word(&request, said);
                    let resolutions =
                        self.gate.answered(self.now, id, answer.and_then(|bytes| answer::read(&bytes)));
                    self.resolve(resolutions)?;
                }
            }
            Step::End { charge, status } => {
                if let Some(at) = charge.checked_rem(self.charges.len()) {
                    let charge = self.charges.remove(at);
                    let end = match status {
                        0 => End::Cut,
                        1 => End::NeverAsked,
                        status => End::answered(status),
                    };
                    if self.gate.finish(&charge, &end).is_zero()
                        && let FundingSource::Lease(epoch) = charge.funding
                    {
                        *self.sold.entry((charge.holder.lease().to_owned(), epoch)).or_default() -=
                            i128::from(charge.price.micros());
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads what the gate says next.
    fn listen(&mut self) -> Result<(), TestCaseError> {
        while let Some(message) = self.gate.next_message(self.now) {
            let bytes = serde_json::to_vec(&message.body).unwrap_or_default();
            prop_assert!(bytes.len() <= MAX_BODY_BYTES);
            prop_assert_eq!(
                faregate_ledger::http::readable(&bytes),
                Ok(()),
                "{}",
                String::from_utf8_lossy(&bytes)
            );
            self.flights.push((message.id, message.body));
        }
        Ok(())
    }

    fn resolve(&mut self, resolutions: Vec<Resolution>) -> Result<(), TestCaseError> {
        for Resolution { context, outcome } in resolutions {
            prop_assert!(self.waiting.remove(&context), "{context} was answered without waiting");
            self.note(outcome)?;
        }
        Ok(())
    }

    fn note(&mut self, outcome: Outcome) -> Result<(), TestCaseError> {
        if let Outcome::Pass(Passage::Paid(charge)) = outcome {
            if let FundingSource::Lease(epoch) = charge.funding {
                let place = (charge.holder.lease().to_owned(), epoch);
                let sold = self.sold.entry(place.clone()).or_default();
                *sold += i128::from(charge.price.micros());
                let granted = self.granted.get(&place).copied().unwrap_or(0);
                prop_assert!(*sold <= granted, "{sold} sold of {granted} under {place:?}");
            }
            self.charges.push(charge);
        }
        Ok(())
    }

    /// The bytes of an answer. Notes what it says is granted.
    fn word(&mut self, request: &ExchangeRequest, said: Said) -> Option<Vec<u8>> {
        let Said::Entries { said, heartbeat_ms, seen, changes, missing, usage } = said else {
            return if let Said::Bytes(bytes) = said { Some(bytes) } else { None };
        };
        let mut entries = Vec::new();
        for (entry, said) in request.entries.iter().zip(said.iter().cycle()) {
            entries.push(self.entry(entry, said));
        }
        if missing {
            entries.pop();
        }
        let changes: Vec<Value> =
            changes.iter().map(|at| json!({"payer": FACTS[*at], "refused": "invalid_key"})).collect();
        let answer = json!({
            "protocol": 2, "seen": seen, "heartbeat_ms": heartbeat_ms, "entries": entries, "changes": changes, "usage_seq": usage
        });
        Some(answer.to_string().into_bytes())
    }

    fn entry(&mut self, entry: &Entry, said: &SaidEntry) -> Value {
        let current = entry.lease.map_or(1, |lease| lease.epoch);
        let epoch =
            |offset: i64| u32::try_from(i64::from(current).saturating_add(offset).max(0)).unwrap_or(u32::MAX);
        let mut answer = json!({"on_credit": said.on_credit});
        if let Some((offset, granted, ttl, recall)) = said.lease {
            let granted = granted.or(entry.ask.map(|ask| ask.want.micros())).unwrap_or(0);
            answer["lease"] =
                json!({"epoch": epoch(offset), "granted": granted, "ttl_ms": ttl, "recall": recall});
            for lease in self.leases(&entry.payer) {
                let most = self.granted.entry((lease, epoch(offset))).or_default();
                *most = (*most).max(i128::from(granted));
            }
        }
        if let Some(at) = said.facts {
            let name = if FACTS[at] == "LONG" { "x".repeat(70_000) } else { FACTS[at].to_owned() };
            answer["facts"] = json!({"key": name, "account": name});
        }
        if let Some((at, available, retry)) = said.refused {
            let codes = faregate_protocol::RefusalCode::ALL;
            answer["refused"] =
                json!({"code": codes[at % codes.len()].as_str(), "available": available, "retry_ms": retry});
        }
        if let Some(offset) = said.ended {
            answer["ended"] = json!(epoch(offset));
        }
        answer
    }

    /// The leases that an entry may be about: of a key its own, of an identifier all that go by it.
    fn leases(&self, payer: &Payer) -> Vec<String> {
        let names = Names::new("l", "l");
        let name = |payer: u8| names.lease(&Credential::Key(key(payer)));
        let goes_by = |name: &String| shared::read(&self.memory, name).is_some();
        match payer {
            Payer::Key(text) => (0..3).filter(|payer| key(*payer) == *text).map(name).collect(),
            Payer::Subject(_) | Payer::Id(_) => (0..3).map(name).filter(goes_by).collect(),
        }
    }
}
