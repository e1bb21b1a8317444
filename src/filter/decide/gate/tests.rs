//! The gate against a small honest ledger, in one thread and on a clock of our own. The whole ledger, and
//! faults between the two, are the simulator's business.

use super::*;
use crate::decide::base::head::Head;
use crate::decide::lease::credential::Credential;
use crate::decide::lease::shared::tests::Memory;
use crate::decide::lease::{FundingSource, shared};
use crate::decide::outcome::{Arrival, Charge, Outcome, Passage, Resolution};
use crate::decide::refusal::Refusal;
use crate::decide::request::ending::End;
use faregate_protocol::api_key;
use faregate_protocol::exchange::{
    self, Change, EntryAnswer, ExchangeRequest, ExchangeResponse, Facts, Granted, Holds, Limits, MAX_MODELS,
    ModelAnswer, OLDEST, Payer, PayerStatus, Refused,
};
use faregate_protocol::metering::UsageClass;
use faregate_protocol::prices::ModelPrices;
use serde_json::{Value, json};
use std::collections::BTreeMap;

mod answers;
mod growing;
mod handover;
mod heartbeats;
mod known_callers;
mod limits;
mod looks;
mod metered;
mod models;
mod payer_status;
mod preflights;
mod priced;
mod reported;
mod settling;
mod subleases;
mod turned_away;

fn credits(n: i64) -> Credits {
    Credits::from_micros(n * 1_000_000)
}

fn at(ms: u64) -> Moment {
    Moment::from_nanos(1).plus_millis(ms)
}

fn key() -> String {
    api_key::compose(&[9; api_key::SECRET_LEN]).unwrap()
}

/// Grants what is wanted while there is something, in whole demands.
#[derive(Default)]
struct FakeLedger {
    available: i64,
    granted: BTreeMap<u32, i64>,
    spent: BTreeMap<u32, i64>,
    returned: BTreeMap<u32, i64>,
    /// Holds that outlived their epoch.
    holds: Holds,
    refuse: Option<RefusalCode>,
    /// The payer's facts and its rate limits.
    facts: Facts,
    limits: Limits,
    /// The payer's status, without the available credits.
    status: Option<PayerStatus>,
    changes: Vec<Change>,
    /// The pace that it asks for; a second, unless it says otherwise.
    heartbeat_ms: Option<u32>,
    /// Models with the price of their input in credits, the number of the newest change, and how many one answer has room for.
    priced: BTreeMap<String, i64>,
    change: Option<u64>,
    room: Option<usize>,
    messages: Vec<ExchangeRequest>,
}

impl FakeLedger {
    fn with(available: i64) -> Self {
        Self { available: available * 1_000_000, ..Self::default() }
    }

    fn answer(&mut self, request: &ExchangeRequest) -> ExchangeResponse {
        self.messages.push(request.clone());
        ExchangeResponse {
            protocol: request.protocol,
            seen: request.seen.map(|seen| seen + 1),
            heartbeat_ms: self.heartbeat_ms.unwrap_or(1_000),
            entries: request.entries.iter().map(|entry| self.entry(entry)).collect(),
            changes: if request.seen.is_some() { std::mem::take(&mut self.changes) } else { Vec::new() },
            usage_seq: request.usage.as_ref().map(|usage| usage.seq),
            models: request
                .models
                .iter()
                .take(self.room.unwrap_or(MAX_MODELS))
                .map(|name| self.model(name))
                .collect(),
            prices: self.change,
        }
    }

    fn model(&self, name: &str) -> ModelAnswer {
        let prices = self.priced.get(name).map(|input| {
            let mut prices = ModelPrices::default();
            prices.base.set(UsageClass::Input, credits(*input));
            prices
        });
        ModelAnswer { prices }
    }

    fn entry(&mut self, entry: &exchange::Entry) -> EntryAnswer {
        if matches!(&entry.payer, Payer::Key(text) if *text != key()) {
            let refused = Refused {
                code: RefusalCode::InvalidKey,
                available: Credits::ZERO,
                reset: None,
                top_up: false,
                retry_ms: None,
            };
            return EntryAnswer { refused: Some(refused), ..EntryAnswer::default() };
        }
        let facts = Facts {
            key: "key_1".into(),
            account: "acme".into(),
            plan: Some("pro".into()),
            ..self.facts.clone()
        };
        let mut answer =
            EntryAnswer { facts: Some(facts), on_credit: entry.on_credit, ..EntryAnswer::default() };
        if let Some(ended) = entry.ended {
            let granted = self.granted.remove(&ended.epoch).unwrap_or(0);
            let returned = self.returned.remove(&ended.epoch).unwrap_or(0);
            let carried = entry.holds.carried.less(self.holds.carried);
            self.available += granted - returned - ended.spent.micros() - carried.micros();
            self.spent.insert(ended.epoch, ended.spent.micros());
            answer.ended = Some(ended.epoch);
        }
        self.available += entry.holds.released.less(self.holds.released).micros();
        self.holds = self.holds.merged(entry.holds);
        answer.holds = entry.holds;
        if let Some(code) = self.refuse {
            answer.refused =
                Some(Refused { code, available: Credits::ZERO, reset: None, top_up: false, retry_ms: None });
            return answer;
        }
        let Some(lease) = entry.lease else {
            return answer;
        };
        self.spent.insert(lease.epoch, lease.spent.micros());
        let returned = self.returned.insert(lease.epoch, lease.returned.micros()).unwrap_or(0);
        self.available += lease.returned.micros() - returned;
        let granted = self.granted.entry(lease.epoch).or_insert(0);
        if let Some(ask) = entry.ask {
            let more = (ask.want.micros() - *granted).clamp(0, self.available);
            *granted += more;
            self.available -= more;
            if *granted < ask.need.micros() {
                let available = Credits::from_micros(self.available);
                answer.refused = Some(Refused {
                    code: RefusalCode::InsufficientFunds,
                    available,
                    reset: None,
                    top_up: false,
                    retry_ms: None,
                });
            }
        }
        let granted = Credits::from_micros(*granted);
        answer.status = entry.ask.and(self.status.clone());
        if let Some(status) = &mut answer.status {
            status.available = Credits::from_micros(self.available);
        }
        // As the ledger does: a demand of nothing opens no lease.
        let opens = granted.is_positive() || entry.ask.is_none_or(|ask| ask.want.is_positive());
        answer.lease = opens.then_some(Granted {
            epoch: lease.epoch,
            granted,
            ttl_ms: 20_000,
            recall: false,
            limits: self.limits,
        });
        answer
    }
}

static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

fn gate(memory: &Memory, overrides: &Value) -> Gate<Memory> {
    gate_since(0, memory, overrides)
}

/// A gate that begins at this time (ms).
fn gate_since(now: u64, memory: &Memory, overrides: &Value) -> Gate<Memory> {
    let mut config = json!({
        "ledger": {"cluster": "ledger", "token": {"env": "T"}},
        "identities": [{"header": "x-api-key"}],
        "rules": [
            {"name": "free", "match": {"path": {"exact": "/free"}}, "price": "free"},
            {"name": "cheap", "match": {"path": {"exact": "/cheap"}}, "price": "0.01"}
        ],
        "default": {"price": "1"}
    });
    for (name, value) in overrides.as_object().unwrap() {
        config[name] = value.clone();
    }
    let unique = format!("gate-{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    Gate::new(Settings::from_value(&config).unwrap(), memory.clone(), &unique, at(now))
}

fn arrive(gate: &mut Gate<Memory>, now: u64, context: u32, path: &str, key: &str) -> Arrival {
    let headers = [(":path".to_owned(), path.into()), ("x-api-key".to_owned(), key.into())];
    gate.arrive(at(now), context, &Head::new(&headers), |_| None)
}

/// Carries messages to the ledger and back until there are none.
fn exchange_messages(gate: &mut Gate<Memory>, ledger: &mut FakeLedger, now: u64) -> Vec<Resolution> {
    let mut all = gate.tick(at(now));
    while let Some(message) = gate.next_message(at(now)) {
        let answer = ledger.answer(&message.body);
        all.extend(gate.answered(at(now), message.id, Some(answer)));
    }
    all
}

/// Ticks the worker without exchanging messages.
fn runs(gate: &mut Gate<Memory>, from: u64, to: u64) {
    for ms in (from..to).step_by(50) {
        assert_eq!(gate.tick(at(ms)), []);
    }
}

fn charge(arrival: Arrival) -> Charge {
    match arrival {
        Arrival::Decided(Outcome::Pass(Passage::Paid(charge))) => charge,
        other => panic!("not paid: {other:?}"),
    }
}

fn refused_with(outcome: &Outcome) -> Option<RefusalCode> {
    match outcome {
        Outcome::Refuse(refusal) => Some(refusal.code),
        Outcome::Pass(_) | Outcome::Show(_) => None,
    }
}

#[test]
fn sixteen_requests_with_one_new_key_share_one_message() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(1_000));
    for context in 0..16 {
        assert_eq!(arrive(&mut gate, 0, context, "/", &key()), Arrival::Waits);
    }
    let resolutions = exchange_messages(&mut gate, &mut ledger, 1);
    assert_eq!(resolutions.len(), 16);
    assert!(resolutions.iter().all(|resolution| refused_with(&resolution.outcome).is_none()));
    let asking = ledger
        .messages
        .iter()
        .filter(|message| message.entries.iter().any(|entry| matches!(entry.payer, Payer::Key(_))));
    assert_eq!(asking.count(), 1);
    assert_eq!(ledger.messages.len(), 1, "and the heartbeat comes a second later");
    let charge = charge(arrive(&mut gate, 2, 99, "/", &key()));
    assert_eq!((charge.holder.account(), charge.price), ("acme", credits(1)), "the next one doesn't wait");
}

#[test]
fn a_free_route_sends_no_message_to_the_ledger() {
    let mut gate = gate(&Memory::default(), &json!({}));
    assert_eq!(arrive(&mut gate, 0, 1, "/free", ""), Arrival::Decided(Outcome::Pass(Passage::Free(0))));
    assert!(gate.next_message(at(0)).is_none());
}

#[test]
fn a_retired_route_ignores_keys_and_sends_no_message() {
    let deprecated = json!({"since": "2026-12-01"});
    let rules = json!([{"match": {"path": {"exact": "/gone"}}, "retired": true, "deprecated": deprecated}]);
    let mut gate = gate(&Memory::default(), &json!({"rules": rules}));
    for key in ["", "nonsense", &key()] {
        let Arrival::Decided(outcome) = arrive(&mut gate, 0, 1, "/gone", key) else { panic!("it waits") };
        assert_eq!(refused_with(&outcome), Some(RefusalCode::RouteRetired), "{key}");
        let Outcome::Refuse(refusal) = outcome else { panic!() };
        assert_eq!((refusal.rule, refusal.payer), (Some(0), None));
    }
    assert!(gate.next_message(at(0)).is_none());
    let at = RefusalCode::ALL.iter().position(|code| *code == RefusalCode::RouteRetired).unwrap();
    assert_eq!(gate.take_counters().refused[at], 3);
}

#[test]
fn a_steady_caller_never_waits_once_the_lease_has_grown() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(1_000_000));
    arrive(&mut gate, 0, 0, "/", &key());
    exchange_messages(&mut gate, &mut ledger, 0);
    let mut waited = 0;
    for ms in 1..20_000 {
        for context in 0..4 {
            match arrive(&mut gate, ms, context, "/", &key()) {
                Arrival::Waits | Arrival::NeedsBody(_) => waited += 1,
                decided @ Arrival::Decided(_) => {
                    let charge = charge(decided);
                    gate.finish(&charge, &End::answered(200));
                }
            }
        }
        if ms == 2_000 {
            waited = 0;
            ledger.messages.clear();
        }
        // The ledger takes three milliseconds; the tick comes every fifty.
        if ms % 50 == 0 || (gate.wake && ms % 3 == 0) {
            exchange_messages(&mut gate, &mut ledger, ms);
        }
    }
    assert_eq!(waited, 0);
    assert!(ledger.messages.len() <= 72, "{} messages for 72,000 requests", ledger.messages.len());
}

#[test]
fn the_last_credit_is_sold_and_later_refusals_show_the_remaining_balance() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(3));
    for context in 0..5 {
        arrive(&mut gate, 0, context, "/", &key());
    }
    let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
    let refused: Vec<_> = resolutions.iter().map(|resolution| refused_with(&resolution.outcome)).collect();
    assert_eq!(
        refused,
        [None, None, None, Some(RefusalCode::InsufficientFunds), Some(RefusalCode::InsufficientFunds)]
    );
    let asked = ledger.messages.len();
    let Arrival::Decided(Outcome::Refuse(refusal)) = arrive(&mut gate, 500, 9, "/", &key()) else { panic!() };
    assert_eq!((refusal.needed, refusal.available), (Some(credits(1)), Some(credits(0))));
    assert_eq!(ledger.messages.len(), asked, "remembered for a second");
    ledger.available += 7_000_000;
    assert_eq!(arrive(&mut gate, 1_001, 10, "/", &key()), Arrival::Waits);
    assert!(
        exchange_messages(&mut gate, &mut ledger, 1_001)
            .iter()
            .all(|resolution| refused_with(&resolution.outcome).is_none())
    );
}

#[test]
fn an_unknown_key_is_refused_and_leaves_no_trace_in_shared_memory() {
    let memory = Memory::default();
    let (mut gate, mut ledger) = (gate(&memory, &json!({})), FakeLedger::with(3));
    let unknown_caller = api_key::compose(&[1; api_key::SECRET_LEN]).unwrap();
    assert_eq!(arrive(&mut gate, 0, 1, "/", &unknown_caller), Arrival::Waits);
    let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
    assert_eq!(refused_with(&resolutions[0].outcome), Some(RefusalCode::InvalidKey));
    assert_eq!(memory.get(&gate.names.lease(&Credential::Key(unknown_caller))), None);
    assert_eq!(shared::count(&memory, &gate.names).0, 0);
}

#[test]
fn with_an_unreachable_ledger_leases_keep_working_and_others_fail_fast() {
    let memory = Memory::default();
    let (mut gate, mut ledger) = (gate(&memory, &json!({})), FakeLedger::with(100));
    arrive(&mut gate, 0, 0, "/", &key());
    exchange_messages(&mut gate, &mut ledger, 0);
    charge(arrive(&mut gate, 1, 1, "/", &key()));
    let unknown_caller = api_key::compose(&[1; api_key::SECRET_LEN]).unwrap();
    assert_eq!(arrive(&mut gate, 10, 2, "/", &unknown_caller), Arrival::Waits);
    let message = gate.next_message(at(10)).unwrap();
    let resolutions = gate.answered(at(20), message.id, None);
    assert_eq!(refused_with(&resolutions[0].outcome), Some(RefusalCode::LedgerUnavailable));
    let Arrival::Decided(outcome) = arrive(&mut gate, 30, 3, "/", &unknown_caller) else {
        panic!("it must not wait")
    };
    assert_eq!(refused_with(&outcome), Some(RefusalCode::LedgerUnavailable));
    charge(arrive(&mut gate, 40, 4, "/", &key()));
    assert_eq!(
        arrive(&mut gate, 20_001, 5, "/", &key()),
        Arrival::Waits,
        "the lease is over: try the ledger again"
    );
}

#[test]
fn allow_up_to_admits_a_known_payer_up_to_the_amount_and_reports_it() {
    let memory = Memory::default();
    let (mut gate, mut ledger) =
        (gate(&memory, &json!({"on_ledger_error": {"allow_up_to": "2"}})), FakeLedger::with(1));
    arrive(&mut gate, 0, 0, "/", &key());
    exchange_messages(&mut gate, &mut ledger, 0);
    runs(&mut gate, 50, 2_000);
    assert_eq!(arrive(&mut gate, 2_000, 1, "/", &key()), Arrival::Waits);
    let message = gate.next_message(at(2_000)).unwrap();
    let first = gate.answered(at(2_000), message.id, None);
    let Outcome::Pass(Passage::Paid(charge_1)) = &first[0].outcome else { panic!("{first:?}") };
    let charge_2 = charge(arrive(&mut gate, 2_001, 2, "/", &key()));
    assert_eq!(charge_2.funding, FundingSource::Credit);
    let Arrival::Decided(outcome) = arrive(&mut gate, 2_002, 3, "/", &key()) else { panic!() };
    assert_eq!(refused_with(&outcome), Some(RefusalCode::LedgerUnavailable));
    gate.finish(charge_1, &End::answered(200));
    gate.finish(&charge_2, &End::answered(503));
    exchange_messages(&mut gate, &mut ledger, 2_500);
    runs(&mut gate, 2_550, 4_000);
    exchange_messages(&mut gate, &mut ledger, 4_000);
    let reported =
        ledger.messages.iter().flat_map(|message| &message.entries).map(|entry| entry.on_credit).max();
    assert_eq!(reported, Some(credits(1)), "one of the two was released");
}

#[test]
fn unused_credits_are_returned_and_a_lost_message_is_resent() {
    let memory = Memory::default();
    let (mut gate, mut ledger) = (gate(&memory, &json!({})), FakeLedger::with(100));
    arrive(&mut gate, 0, 0, "/", &key());
    let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
    let Outcome::Pass(Passage::Paid(charge)) = &resolutions[0].outcome else { panic!() };
    gate.finish(charge, &End::answered(200));
    for ms in (50..5_000).step_by(50) {
        exchange_messages(&mut gate, &mut ledger, ms);
    }
    assert!(ledger.available < 99_000_000);
    runs(&mut gate, 5_000, 6_550);
    let lost = gate.next_message(at(6_500)).unwrap();
    assert!(lost.body.entries[0].ended.is_some());
    gate.answered(at(7_000), lost.id, None);
    for ms in (7_050..9_000).step_by(50) {
        exchange_messages(&mut gate, &mut ledger, ms);
    }
    assert_eq!(ledger.available, 99_000_000);
    let quiet = ledger.messages.len();
    exchange_messages(&mut gate, &mut ledger, 30_000);
    assert_eq!(ledger.messages.len(), quiet, "a gateway that holds nothing says nothing");
}

#[test]
fn a_suspension_reaches_the_lease_at_the_next_heartbeat() {
    let memory = Memory::default();
    let (mut gate, mut ledger) = (gate(&memory, &json!({})), FakeLedger::with(100));
    arrive(&mut gate, 0, 0, "/", &key());
    exchange_messages(&mut gate, &mut ledger, 0);
    exchange_messages(&mut gate, &mut ledger, 50);
    ledger.changes = vec![Change { payer: "key_1".into(), refused: Some(RefusalCode::AccountSuspended) }];
    ledger.refuse = Some(RefusalCode::AccountSuspended);
    exchange_messages(&mut gate, &mut ledger, 1_050);
    assert_eq!(arrive(&mut gate, 1_051, 1, "/", &key()), Arrival::Waits);
    let resolutions = exchange_messages(&mut gate, &mut ledger, 1_052);
    assert_eq!(refused_with(&resolutions[0].outcome), Some(RefusalCode::AccountSuspended));
}

#[test]
fn another_worker_reports_the_leases_of_a_dead_leader() {
    let memory = Memory::default();
    let (mut first, mut second) = (gate(&memory, &json!({})), gate(&memory, &json!({})));
    assert_eq!(first.gateway(), second.gateway());
    let mut ledger = FakeLedger::with(100);
    arrive(&mut first, 0, 0, "/", &key());
    exchange_messages(&mut first, &mut ledger, 0);
    exchange_messages(&mut second, &mut ledger, 10);
    let charge = charge(arrive(&mut second, 20, 1, "/", &key()));
    second.finish(&charge, &End::answered(200));
    drop(first);
    for ms in (50..12_000).step_by(50) {
        exchange_messages(&mut second, &mut ledger, ms);
    }
    // The first worker died with a request in flight, whose credits stay held.
    assert_eq!((ledger.available, ledger.spent.values().sum::<i64>()), (98_000_000, 1_000_000));
}

#[test]
fn a_charge_is_refunded_once_when_the_upstream_fails_and_kept_otherwise() {
    let memory = Memory::default();
    let (mut gate, mut ledger) = (gate(&memory, &json!({})), FakeLedger::with(5));
    arrive(&mut gate, 0, 0, "/", &key());
    let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
    let Outcome::Pass(Passage::Paid(charge)) = &resolutions[0].outcome else { panic!() };
    let lease = |gate: &Gate<Memory>| shared::read(&gate.memory, charge.holder.lease()).unwrap();
    let before = lease(&gate).spendable(at(1));
    assert_eq!(gate.finish(charge, &End::answered(503)), Credits::ZERO);
    assert_eq!(lease(&gate).spendable(at(1)), before.saturating_add(credits(1)));
    for (end, charged) in
        [(End::answered(200), 1), (End::answered(500), 1), (End::Cut, 1), (End::NeverAsked, 0)]
    {
        let Arrival::Decided(Outcome::Pass(Passage::Paid(charge))) = arrive(&mut gate, 2, 1, "/", &key())
        else {
            panic!()
        };
        assert_eq!(gate.finish(&charge, &end), credits(charged), "{end:?}");
    }
    assert_eq!(gate.take_counters().refunds, 2);
}

#[test]
fn a_shadow_rule_refuses_no_request() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({"shadow": true})), FakeLedger::with(0));
    let passed = |outcome: &Outcome| match outcome {
        Outcome::Pass(Passage::Shadow(refusal)) => Some(refusal.code),
        _ => None,
    };
    let Arrival::Decided(outcome) = arrive(&mut gate, 0, 0, "/", "nonsense") else { panic!() };
    assert_eq!(passed(&outcome), Some(RefusalCode::InvalidKey));
    assert_eq!(arrive(&mut gate, 0, 1, "/", &key()), Arrival::Waits);
    let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
    assert_eq!(passed(&resolutions[0].outcome), Some(RefusalCode::InsufficientFunds));
    assert_eq!(gate.take_counters().shadow, 2);
}

#[test]
fn shadow_refusals_are_reported_with_payer_and_code() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({"shadow": true})), FakeLedger::with(0));
    arrive(&mut gate, 0, 0, "/", "nonsense");
    arrive(&mut gate, 0, 1, "/", &api_key::compose(&[8; api_key::SECRET_LEN]).unwrap());
    arrive(&mut gate, 0, 2, "/", &key());
    exchange_messages(&mut gate, &mut ledger, 0);
    for context in 3..5 {
        arrive(&mut gate, 1, context, "/", &key());
    }
    runs(&mut gate, 50, 6_000);
    exchange_messages(&mut gate, &mut ledger, 6_000);

    let reports: Vec<_> = ledger.messages.iter().filter_map(|message| message.usage.as_ref()).collect();
    assert_eq!((reports.len(), reports[0].lines.len()), (1, 0), "nothing was sold");
    let line =
        |line: &exchange::RefusalLine| (line.payer.clone(), line.rule.clone(), line.code, line.requests);
    let rule = || "default".to_owned();
    let lines: Vec<_> = reports[0].shadow.iter().map(line).collect();
    let expected = [
        (None, rule(), RefusalCode::InvalidKey, 2),
        (Some("key_1".to_owned()), rule(), RefusalCode::InsufficientFunds, 3),
    ];
    assert_eq!(lines, expected);
    assert_eq!(gate.take_counters().shadow, 5);
}

#[test]
fn a_later_cheaper_request_is_not_refused_with_the_expensive_one() {
    let dear = json!({"rules": [{"name": "dear", "match": {"path": {"exact": "/dear"}}, "price": "5"}]});
    let (mut gate, mut ledger) = (gate(&Memory::default(), &dear), FakeLedger::with(0));
    assert_eq!(arrive(&mut gate, 0, 1, "/dear", &key()), Arrival::Waits);
    let message = gate.next_message(at(0)).unwrap();
    assert_eq!(arrive(&mut gate, 1, 2, "/", &key()), Arrival::Waits);
    let mut answer = ledger.answer(&message.body);
    answer.entries[0].refused.as_mut().unwrap().available = credits(2);
    let refused = gate.answered(at(2), message.id, Some(answer));
    assert_eq!(refused.iter().map(|resolution| resolution.context).collect::<Vec<_>>(), [1]);
    ledger.available = 2_000_000;
    let served = exchange_messages(&mut gate, &mut ledger, 3);
    assert_eq!(served.iter().map(|resolution| refused_with(&resolution.outcome)).collect::<Vec<_>>(), [None]);
}

#[test]
fn a_queued_lease_reopened_by_another_worker_is_still_reported() {
    let memory = Memory::default();
    let (mut leader, mut other) = (gate(&memory, &json!({})), gate(&memory, &json!({})));
    let mut ledger = FakeLedger::with(2);
    arrive(&mut leader, 0, 1, "/", &key());
    let resolutions = exchange_messages(&mut leader, &mut ledger, 0);
    let Outcome::Pass(Passage::Paid(paid)) = &resolutions[0].outcome else { panic!() };
    leader.finish(paid, &End::answered(200));
    leader.tick(at(19_500));
    // The lease runs out. The other worker finds that first, and nothing is left to open the next.
    ledger.refuse = Some(RefusalCode::InsufficientFunds);
    arrive(&mut other, 20_100, 2, "/", &key());
    let message = other.next_message(at(20_100)).unwrap();
    let answer = ledger.answer(&message.body);
    other.answered(at(20_101), message.id, Some(answer));
    // The leader reads the dirty queue and is refused too, before its heartbeat is due.
    leader.tick(at(20_110));
    arrive(&mut leader, 20_111, 3, "/", &key());
    let message = leader.next_message(at(20_111)).unwrap();
    assert_eq!(message.body.seen, None, "this is no heartbeat");
    let answer = ledger.answer(&message.body);
    leader.answered(at(20_112), message.id, Some(answer));
    // A top-up; the other worker opens the next epoch, and sells one.
    (ledger.refuse, ledger.available) = (None, 100_000_000);
    arrive(&mut other, 21_105, 4, "/", &key());
    let message = other.next_message(at(21_105)).unwrap();
    let answer = ledger.answer(&message.body);
    let resolutions = other.answered(at(21_106), message.id, Some(answer));
    let Outcome::Pass(Passage::Paid(paid)) = &resolutions[0].outcome else { panic!("{resolutions:?}") };
    other.finish(paid, &End::answered(200));
    other.tick(at(21_400));
    for ms in (21_450..32_000).step_by(50) {
        exchange_messages(&mut leader, &mut ledger, ms);
    }
    assert_eq!(ledger.available, 99_000_000, "reported and handed back");
}

#[test]
fn a_new_caller_whose_first_lease_was_reclaimed_unseen_gets_the_next() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(100));
    assert_eq!(arrive(&mut gate, 0, 1, "/", &key()), Arrival::Waits);
    let message = gate.next_message(at(0)).unwrap();
    let mut answer = ledger.answer(&message.body);
    // An earlier message opened epoch 1; its answer was lost, and the ledger has closed the epoch since.
    (answer.entries[0].lease, answer.entries[0].ended) = (None, Some(1));
    assert_eq!(gate.answered(at(1), message.id, Some(answer)), []);
    let message = gate.next_message(at(2)).unwrap();
    let entry = &message.body.entries[0];
    assert_eq!((entry.ended.unwrap().epoch, entry.lease.unwrap().epoch), (1, 2));
    let answer = ledger.answer(&message.body);
    let served = gate.answered(at(3), message.id, Some(answer));
    assert_eq!(served.iter().map(|resolution| refused_with(&resolution.outcome)).collect::<Vec<_>>(), [None]);
}
