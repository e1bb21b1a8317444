//! Answers that cost more than was held for them at first: more is held as they grow, and they end when nothing is left.

use super::*;
use crate::decide::meter::framing::Framing;
use crate::decide::meter::reader::Report;
use crate::decide::refusal::RequestContext;
use crate::decide::request::answer_reader::Said;
use crate::decide::request::ending::Answer;

/// A credit per output token of two bytes; the input costs nothing, and ten credits are held.
fn chat(more: &Value) -> Value {
    let mut meter = json!({
        "llm": "openai", "prices": {"m": {"output": "1000000"}}, "stop_at_zero": true,
        "hold": {"bytes_per_token": 2, "at_most": "10"}
    });
    meter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"request_bodies": true, "rules": [{"name": "chat", "meter": meter}]})
}

const BODY: &[u8] = br#"{"model":"m","stream":true}"#;

/// A request that is paid with what the ledger has.
fn paid(gate: &mut Gate<Memory>, ledger: &mut FakeLedger) -> Charge {
    paid_at(gate, ledger, 0)
}

fn paid_at(gate: &mut Gate<Memory>, ledger: &mut FakeLedger, now: u64) -> Charge {
    let headers = [
        (":method".to_owned(), b"POST".to_vec()),
        (":path".to_owned(), b"/v1/chat/completions".to_vec()),
        ("x-api-key".to_owned(), key().into()),
    ];
    let mut head = Head::new(&headers);
    head.ends = false;
    let Arrival::NeedsBody(held) = gate.arrive(at(now), 1, &head, |_| None) else { panic!() };
    let charge = match gate.price_body(at(now), 1, held, BODY).arrival {
        Arrival::Waits => {
            match exchange_messages(gate, ledger, now).pop().map(|resolution| resolution.outcome) {
                Some(Outcome::Pass(Passage::Paid(charge))) => charge,
                other => panic!("{other:?}"),
            }
        }
        decided => charge(decided),
    };
    gate.begin(&charge);
    charge
}

/// So many tokens were put out.
fn said(tokens: u64) -> Report {
    Report { output_bytes: 2 * tokens, ..Report::default() }
}

/// The answer ends early, with what it said last.
fn ends(gate: &mut Gate<Memory>, now: u64, charge: &Charge, report: Report) -> i64 {
    let end = End::Answered(Answer::default());
    gate.finish_answered(at(now), charge, &end, &Said::Model(report), false).charged.micros() / 1_000_000
}

/// What the payer has in the end, once everything is reported.
fn left(gate: &mut Gate<Memory>, ledger: &mut FakeLedger, from: u64) -> i64 {
    for ms in (from..from + 60_000).step_by(50) {
        exchange_messages(gate, ledger, ms);
    }
    let granted: i64 = ledger
        .granted
        .iter()
        .map(|(epoch, granted)| granted - ledger.returned[epoch] - ledger.spent[epoch])
        .sum();
    (ledger.available + granted) / 1_000_000
}

#[test]
fn more_is_held_before_an_answer_costs_what_is_held() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &chat(&json!({}))), FakeLedger::with(1_000));
    let mut charge = paid(&mut gate, &mut ledger);
    assert_eq!(charge.price, credits(10));
    assert_eq!((gate.grow(at(1), &mut charge, &said(7)), charge.raised()), (None, &[][..]), "not yet");
    assert_eq!(gate.grow(at(2), &mut charge, &said(8)), None);
    assert_eq!(charge.raised(), [(FundingSource::Lease(1), credits(2))], "half as much again as it costs");
    assert_eq!(gate.grow(at(3), &mut charge, &said(100)), None);
    assert_eq!(charge.raised(), [(FundingSource::Lease(1), credits(140))]);
    assert_eq!(ends(&mut gate, 4, &charge, said(101)), 101);
    assert_eq!(gate.take_counters().above_hold, 0);
    assert_eq!(left(&mut gate, &mut ledger, 5), 1_000 - 101);
}

#[test]
fn an_answer_ends_when_the_ledger_has_had_time_to_grant_more_and_has_not() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &chat(&json!({}))), FakeLedger::with(20));
    let mut charge = paid(&mut gate, &mut ledger);
    for (ms, tokens) in [(10, 10), (20, 15), (30, 20), (40, 21), (300, 22), (539, 23)] {
        assert_eq!(gate.grow(at(ms), &mut charge, &said(tokens)), None, "after {ms} ms");
        exchange_messages(&mut gate, &mut ledger, ms);
    }
    let refusal = gate.grow(at(540), &mut charge, &said(24)).unwrap();
    assert_eq!(
        (refusal.code, refusal.needed, refusal.available),
        (RefusalCode::InsufficientFunds, Some(credits(24)), Some(Credits::ZERO))
    );
    let around = RequestContext::default();
    let event = String::from_utf8(gate.last_event(&charge, Framing::Sse, &refusal, &around)).unwrap();
    assert!(event.starts_with("data: {\"error\":{\"message\":\"This request costs 24 credits; 0 are left for the rest of the answer.\","), "{event}");
    assert!(event.ends_with("}\n\n"), "{event}");
    assert_eq!(ends(&mut gate, 541, &charge, said(24)), 24);
    let counters = gate.take_counters();
    assert_eq!(
        (counters.stopped, counters.above_hold),
        (1, 1),
        "what was delivered while the ledger was asked is owed"
    );
    assert_eq!(left(&mut gate, &mut ledger, 600), 0);
    let owed = ledger.messages.iter().flat_map(|message| &message.entries).map(|entry| entry.on_credit).max();
    assert_eq!(owed, Some(credits(4)));
}

#[test]
fn an_answer_goes_on_once_the_ledger_has_granted_more() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &chat(&json!({}))), FakeLedger::with(12));
    let mut charge = paid(&mut gate, &mut ledger);
    assert_eq!(gate.grow(at(10), &mut charge, &said(14)), None);
    ledger.available += 88_000_000;
    assert!(gate.take_wake(), "more is asked for");
    exchange_messages(&mut gate, &mut ledger, 11);
    for (ms, tokens) in [(20, 15), (700, 16), (1_400, 60)] {
        assert_eq!(gate.grow(at(ms), &mut charge, &said(tokens)), None, "after {ms} ms");
        exchange_messages(&mut gate, &mut ledger, ms);
    }
    assert_eq!(ends(&mut gate, 1_401, &charge, said(60)), 60);
    assert_eq!(gate.take_counters().stopped, 0);
    assert_eq!(left(&mut gate, &mut ledger, 1_402), 40);
}

#[test]
fn a_product_with_a_price_of_its_own_never_ends_an_answer() {
    let mut config = chat(&json!({}));
    config["rules"][0]["product"] = json!("models");
    let pricing = exchange::Pricing::Fixed(credits(10));
    let products = Some(vec![exchange::Product { name: "models".into(), pricing }]);
    let facts = Facts { products, ..Facts::default() };
    let (mut gate, mut ledger) =
        (gate(&Memory::default(), &config), FakeLedger { facts, ..FakeLedger::with(1_000) });
    let mut charge = paid(&mut gate, &mut ledger);
    for ms in [1, 1_000] {
        assert_eq!(gate.grow(at(ms), &mut charge, &said(500)), None);
        assert_eq!(charge.raised(), []);
    }
    assert_eq!(ends(&mut gate, 1_001, &charge, said(500)), 10);
}

#[test]
fn all_that_was_held_comes_back_when_a_request_is_released() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &chat(&json!({}))), FakeLedger::with(1_000));
    let mut charge = paid(&mut gate, &mut ledger);
    assert_eq!(gate.grow(at(1), &mut charge, &said(50)), None);
    assert_eq!(
        gate.finish_answered(at(2), &charge, &End::answered(500), &Said::Nothing, true).charged,
        Credits::ZERO
    );
    assert_eq!(left(&mut gate, &mut ledger, 3), 1_000);
}

#[test]
fn what_is_held_under_two_epochs_is_settled_under_both() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &chat(&json!({}))), FakeLedger::with(1_000));
    let mut charge = paid(&mut gate, &mut ledger);
    assert_eq!(gate.grow(at(1), &mut charge, &said(10)), None);
    // The lease ends for lack of an answer, and another request opens the next one.
    for ms in (50..21_000).step_by(50) {
        gate.tick(at(ms));
    }
    let other = paid_at(&mut gate, &mut ledger, 21_000);
    assert_ne!(other.funding, charge.funding);
    assert_eq!(gate.grow(at(21_001), &mut charge, &said(20)), None);
    assert_eq!(charge.raised().len(), 2, "{charge:?}");
    assert_eq!(ends(&mut gate, 21_002, &charge, said(25)), 25);
    assert_eq!(ends(&mut gate, 21_003, &other, said(1)), 1);
    for ms in (21_050..90_000).step_by(50) {
        exchange_messages(&mut gate, &mut ledger, ms);
    }
    let spent: i64 = ledger.spent.values().sum();
    assert_eq!((spent + ledger.holds.kept.micros()) / 1_000_000, 26);
    assert_eq!(ledger.holds.open(), Credits::ZERO);
}

#[test]
fn while_the_ledger_is_down_an_answer_goes_on_as_far_as_its_rule_allows_credit() {
    for (allowed, code) in
        [(json!("refuse"), Some(RefusalCode::LedgerUnavailable)), (json!({"allow_up_to": "100"}), None)]
    {
        let mut config = chat(&json!({}));
        config["rules"][0]["on_ledger_error"] = allowed;
        let (mut gate, mut ledger) = (gate(&Memory::default(), &config), FakeLedger::with(10));
        let mut charge = paid(&mut gate, &mut ledger);
        assert_eq!(gate.grow(at(1), &mut charge, &said(9)), None);
        let mut now = 50;
        while gate.down_until <= at(now) {
            now += 50;
            gate.tick(at(now));
            while let Some(message) = gate.next_message(at(now)) {
                gate.answered(at(now), message.id, None);
            }
        }
        let refusal = gate.grow(at(now), &mut charge, &said(30));
        assert_eq!(refusal.map(|refusal| refusal.code), code);
        assert_eq!(
            charge.raised().iter().any(|(funding, _)| *funding == FundingSource::Credit),
            code.is_none()
        );
    }
}
