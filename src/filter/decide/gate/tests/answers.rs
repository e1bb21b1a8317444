//! What a worker makes of the ledger's answers, and of none; and what it counts.

use super::*;
use faregate_protocol::exchange::{Rate, Reset};

fn waits(gate: &mut Gate<Memory>, now: u64, contexts: std::ops::Range<u32>) {
    for context in contexts {
        assert_eq!(arrive(gate, now, context, "/", &key()), Arrival::Waits);
    }
}

fn codes(resolutions: &[Resolution]) -> Vec<Option<RefusalCode>> {
    resolutions.iter().map(|resolution| refused_with(&resolution.outcome)).collect()
}

#[test]
fn a_response_of_another_version_or_with_missing_entries_is_a_failure() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(100));
    let spoil: [fn(&mut ExchangeResponse); 2] =
        [|answer| answer.protocol += 1, |answer| _ = answer.entries.pop()];
    for (number, spoil) in (0..).zip(spoil) {
        let now = u64::from(number) * 1_000;
        runs(&mut gate, now, now + 1);
        waits(&mut gate, now, number..number + 1);
        let message = gate.next_message(at(now)).unwrap();
        let mut answer = ledger.answer(&message.body);
        spoil(&mut answer);
        let resolutions = gate.answered(at(now), message.id, Some(answer));
        assert_eq!(codes(&resolutions), [Some(RefusalCode::LedgerUnavailable)]);
    }
    assert_eq!(gate.take_counters().exchange_failures, 2);
}

#[test]
fn an_unanswered_message_times_out() {
    let mut gate = gate(
        &Memory::default(),
        &json!({"ledger": {"cluster": "ledger", "token": {"env": "T"}, "timeout_ms": 200}, "max_wait_ms": 9_000}),
    );
    gate.tick(at(0));
    waits(&mut gate, 0, 0..1);
    gate.next_message(at(0)).unwrap();
    runs(&mut gate, 50, 1_201);
    assert_eq!(gate.tick(at(1_200)), [], "its time, and a second on top");
    assert_eq!(codes(&gate.tick(at(1_201))), [Some(RefusalCode::LedgerUnavailable)]);
}

#[test]
fn waiting_requests_obey_the_rate_limit_in_the_response() {
    let mut gate = gate(&Memory::default(), &json!({}));
    let rate = Some(Rate { milli_per_s: 1_000, burst: 1 });
    let mut ledger = FakeLedger { limits: Limits { rate, concurrent: None }, ..FakeLedger::with(100) };
    gate.tick(at(0));
    waits(&mut gate, 0, 0..3);
    let limited = Some(RefusalCode::RateLimited);
    let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
    assert_eq!(codes(&resolutions), [None, limited, limited]);
    let Outcome::Refuse(refusal) = &resolutions[1].outcome else { panic!() };
    assert_eq!(refusal.payer.as_ref().map(|payer| payer.account.as_str()), Some("acme"));
}

#[test]
fn a_refusal_carries_the_reset_time_and_whether_a_top_up_helps() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(0));
    gate.tick(at(0));
    waits(&mut gate, 0, 0..1);
    let message = gate.next_message(at(0)).unwrap();
    let mut answer = ledger.answer(&message.body);
    let reset =
        Some(Reset { at: "x".into(), in_s: 5, brings: credits(9), size: Credits::ZERO, window_s: 60 });
    let refused = answer.entries[0].refused.as_mut().unwrap();
    (refused.reset, refused.top_up) = (reset.clone(), true);
    let resolutions = gate.answered(at(1), message.id, Some(answer));
    let Outcome::Refuse(refusal) = &resolutions[0].outcome else { panic!("{resolutions:?}") };
    assert_eq!((&refusal.reset, refusal.top_up, refusal.trusted_identity), (&reset, true, false));
}

#[test]
fn waiting_requests_wake_the_host_once() {
    let mut gate = gate(&Memory::default(), &json!({}));
    assert!(!gate.take_wake());
    waits(&mut gate, 0, 0..2);
    assert_eq!([gate.take_wake(), gate.take_wake()], [true, false]);
}

#[test]
fn the_rule_decides_which_responses_are_refunded() {
    for (refund_on, matters) in [(json!([503]), true), (json!([]), false)] {
        let rule = json!({"default": {"price": "1", "refund_on": refund_on}});
        let (mut gate, mut ledger) = (gate(&Memory::default(), &rule), FakeLedger::with(100));
        gate.tick(at(0));
        waits(&mut gate, 0, 0..1);
        let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
        let Outcome::Pass(Passage::Paid(charge)) = &resolutions[0].outcome else { panic!() };
        assert_eq!(gate.refunds(charge).is_empty(), !matters);
    }
}

#[test]
fn each_counter_counts_what_its_name_says() {
    let rule = json!({"on_ledger_error": {"allow_up_to": "2"}});
    let (mut gate, mut ledger) = (gate(&Memory::default(), &rule), FakeLedger::with(2));
    gate.tick(at(0));
    waits(&mut gate, 0, 0..2);
    exchange_messages(&mut gate, &mut ledger, 0);
    runs(&mut gate, 50, 20_050);
    waits(&mut gate, 20_050, 2..4);
    let message = gate.next_message(at(20_050)).unwrap();
    let on_credit = gate.answered(at(20_051), message.id, None);
    assert_eq!(codes(&on_credit), [None, None]);
    let Arrival::Decided(refused) = arrive(&mut gate, 20_052, 5, "/", &key()) else { panic!() };
    assert_eq!(refused_with(&refused), Some(RefusalCode::LedgerUnavailable));
    let mut refusals = [0; RefusalCode::ALL.len()];
    refusals[RefusalCode::LedgerUnavailable as usize] = 1;
    let counted = Counters {
        admitted: 4,
        refused: refusals,
        waited: 4,
        on_credit: 2,
        exchanges: 2,
        exchange_failures: 1,
        ..Counters::default()
    };
    assert_eq!(gate.take_counters(), counted);
    assert_eq!(gate.take_counters(), Counters::default());
}

#[test]
fn lease_and_sublease_sales_are_counted_and_oversized_usage_is_dropped() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(1_000));
    gate.tick(at(0));
    waits(&mut gate, 0, 0..1);
    exchange_messages(&mut gate, &mut ledger, 0);
    let paid: Vec<_> =
        (1..5).map(|context| charge(arrive(&mut gate, 10, context, "/cheap", &key()))).collect();
    assert!(paid.last().unwrap().left.is_positive(), "from a sublease");
    for charge in &paid {
        gate.finish(charge, &End::answered(200));
    }
    let counted = gate.take_counters();
    assert_eq!((counted.admitted, counted.usage_dropped), (5, 0));

    let dear = json!({"default": {"price": "2000000000"}});
    let (mut gate, mut ledger) = (self::gate(&Memory::default(), &dear), FakeLedger::with(3_000_000_000));
    gate.tick(at(0));
    waits(&mut gate, 0, 0..1);
    let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
    let Outcome::Pass(Passage::Paid(charge)) = &resolutions[0].outcome else { panic!("{resolutions:?}") };
    gate.finish(charge, &End::answered(200));
    assert_eq!(gate.take_counters().usage_dropped, 1);
}
