//! Models' prices: when the ledger is asked for them, how changes are heard, and who waits.

use super::*;
use crate::decide::gate::models::{MAX_KNOWN, ModelLookup};
use crate::decide::gate::waiting::{MAX_WAITING, ModelWaiter};
use crate::decide::request::quote::Unquoted;
use answer::ResponseHints;
use faregate_protocol::exchange::MAX_ITEM_BYTES;

mod always;
mod changes;

/// The price of a model's input in credits; zero if the list has none.
fn look(gate: &mut Gate<Memory>, now: u64, name: &str) -> Option<i64> {
    match gate.model_prices(at(now), name) {
        ModelLookup::Known(prices) => {
            prices.base.get(UsageClass::Input).map(|price| price.micros() / 1_000_000)
        }
        ModelLookup::Unpriced => Some(0),
        ModelLookup::NotYet => None,
    }
}

/// Looks a model up, and waits for it if need be. Whether the request waits.
fn wait(gate: &mut Gate<Memory>, now: u64, context: u32, name: &str) -> bool {
    let unquoted = Box::new(Unquoted::sample(0));
    let waiter = ModelWaiter { context, model: name.into(), deadline: at(now + 700), unquoted };
    look(gate, now, name).is_none() && gate.wait_for_model(at(now), waiter).is_ok()
}

fn ledger(priced: &[(&str, i64)]) -> FakeLedger {
    let priced = priced.iter().map(|(name, input)| ((*name).to_owned(), *input)).collect();
    FakeLedger { priced, change: Some(65_536), ..FakeLedger::with(1_000) }
}

fn contexts(resolutions: &[Resolution]) -> Vec<u32> {
    resolutions.iter().map(|resolution| resolution.context).collect()
}

/// The models of each message.
fn asked(ledger: &FakeLedger) -> Vec<Vec<&str>> {
    ledger.messages.iter().map(|message| message.models.iter().map(String::as_str).collect()).collect()
}

#[test]
fn a_model_is_asked_for_once_and_all_its_requests_go_on_with_the_answer() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(&[("a", 5)]));
    assert!(wait(&mut gate, 0, 1, "a") && gate.take_wake());
    assert!(wait(&mut gate, 0, 2, "b"));
    let message = gate.next_message(at(1)).unwrap();
    assert_eq!((message.body.entries.len(), message.body.models.clone()), (0, vec!["a".into(), "b".into()]));
    gate.take_wake();
    assert!(wait(&mut gate, 2, 3, "a"));
    assert!(!gate.take_wake() && gate.next_message(at(2)).is_none(), "it is asked for already");
    let answer = ledger.answer(&message.body);
    assert_eq!(contexts(&gate.answered(at(3), message.id, Some(answer))), [1, 2, 3]);
    assert_eq!((look(&mut gate, 4, "a"), look(&mut gate, 4, "b")), (Some(5), Some(0)));
    assert!(!gate.take_wake() && gate.next_message(at(4)).is_none());
    assert_eq!(gate.take_counters().waited, 3);
}

#[test]
fn models_are_asked_for_in_a_message_that_is_due_anyway() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(&[("a", 5)]));
    assert_eq!(arrive(&mut gate, 0, 1, "/", &key()), Arrival::Waits);
    assert!(wait(&mut gate, 0, 2, "a"));
    assert_eq!(contexts(&exchange_messages(&mut gate, &mut ledger, 1)), [1, 2]);
    assert_eq!(asked(&ledger), [["a"]]);
}

#[test]
fn a_message_asks_for_no_more_models_than_the_ledger_takes() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(&[]));
    for number in 0..70 {
        assert_eq!(look(&mut gate, 0, &number.to_string()), None);
    }
    exchange_messages(&mut gate, &mut ledger, 1);
    assert_eq!(asked(&ledger).iter().map(Vec::len).collect::<Vec<_>>(), [32, 32, 6]);
}

#[test]
fn a_name_that_no_message_may_have_is_unpriced_at_once() {
    let mut gate = gate(&Memory::default(), &json!({}));
    for name in ["", &"m".repeat(MAX_ITEM_BYTES + 1)] {
        assert_eq!(look(&mut gate, 0, name), Some(0));
    }
    assert!(!gate.take_wake() && gate.next_message(at(0)).is_none());
    assert_eq!(look(&mut gate, 0, &"m".repeat(MAX_ITEM_BYTES)), None);
}

#[test]
fn unpriced_models_are_dropped_first_and_then_the_least_recently_used() {
    let names: Vec<String> = (0..MAX_KNOWN).map(|number| number.to_string()).collect();
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(&[]));
    ledger.priced = names.iter().skip(1).map(|name| (name.clone(), 1)).collect();
    for (ms, name) in (0..).zip(&names) {
        look(&mut gate, ms, name);
    }
    exchange_messages(&mut gate, &mut ledger, 300);
    // The first has no price, and goes although it was not used less recently than the others.
    look(&mut gate, 301, &names[0]);
    look(&mut gate, 302, "w");
    exchange_messages(&mut gate, &mut ledger, 303);
    assert_eq!(gate.models.len(), MAX_KNOWN);
    for (ms, name) in (400..).zip(&names[1..]) {
        assert_eq!(look(&mut gate, ms, name), Some(1));
    }
    // Once all have prices, the least recently used goes.
    ledger.priced.extend([("x".to_owned(), 2), ("y".to_owned(), 2)]);
    look(&mut gate, 700, &names[1]);
    for (ms, name) in [(701, "x"), (702, "y")] {
        look(&mut gate, ms, name);
        exchange_messages(&mut gate, &mut ledger, ms);
        assert_eq!(look(&mut gate, ms, name), Some(2));
    }
    assert_eq!(gate.models.len(), MAX_KNOWN);
    assert_eq!(look(&mut gate, 703, &names[1]), Some(1));
    assert_eq!(look(&mut gate, 703, &names[2]), None);
}

#[test]
fn a_model_that_requests_wait_for_is_not_dropped() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(&[]));
    for number in 0..u32::try_from(MAX_KNOWN).unwrap() {
        assert!(wait(&mut gate, 0, number, &number.to_string()));
    }
    assert!(!wait(&mut gate, 1, 999, "one more"), "there is no room to wait");
    assert_eq!(exchange_messages(&mut gate, &mut ledger, 2).len(), MAX_KNOWN);
    assert!(wait(&mut gate, 3, 999, "one more"));
}

#[test]
fn what_a_short_answer_left_out_is_asked_for_again_after_a_pause() {
    let (mut gate, mut ledger) =
        (gate(&Memory::default(), &json!({})), ledger(&[("a", 1), ("b", 2), ("c", 3)]));
    ledger.room = Some(1);
    for (context, name) in (1..).zip(["a", "b", "c"]) {
        assert!(wait(&mut gate, 0, context, name));
    }
    let mut over = Vec::new();
    for ms in (0..250).step_by(10) {
        over.extend(exchange_messages(&mut gate, &mut ledger, ms).iter().map(|one| (ms, one.context)));
    }
    assert_eq!(over, [(0, 1), (50, 2), (100, 3)]);
    // A ledger that can't read its list answers none.
    ledger.room = Some(0);
    let before = ledger.messages.len();
    assert!(wait(&mut gate, 300, 4, "d"));
    for ms in (300..10_300).step_by(10) {
        exchange_messages(&mut gate, &mut ledger, ms);
    }
    let count = ledger.messages.len() - before;
    // One of them reports that the request was refused.
    assert!((6..=17).contains(&count), "{count} messages");
}

#[test]
fn a_request_gives_up_at_its_deadline_and_the_answer_is_kept_for_the_next() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(&[("a", 5)]));
    assert!(wait(&mut gate, 0, 1, "a"));
    let message = gate.next_message(at(1)).unwrap();
    assert!(wait(&mut gate, 100, 2, "a"));
    assert_eq!(gate.tick(at(699)), []);
    assert_eq!(contexts(&gate.tick(at(700))), [1]);
    let answer = ledger.answer(&message.body);
    assert_eq!(contexts(&gate.answered(at(799), message.id, Some(answer))), [2]);
    assert_eq!(look(&mut gate, 801, "a"), Some(5));
}

#[test]
fn a_failed_message_ends_the_wait_and_nothing_is_asked_for_while_the_ledger_is_down() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(&[("a", 5)]));
    assert!(wait(&mut gate, 0, 1, "a"));
    let message = gate.next_message(at(1)).unwrap();
    assert!(wait(&mut gate, 1, 9, "z"));
    let other = gate.next_message(at(1)).unwrap();
    assert_eq!(contexts(&gate.answered(at(2), message.id, None)), [1], "the other one still waits");
    assert!(!wait(&mut gate, 3, 2, "a") && gate.next_message(at(3)).is_none());
    assert_eq!(contexts(&gate.answered(at(4), other.id, None)), [9]);
    assert!(wait(&mut gate, 504, 3, "a"));
    assert_eq!(contexts(&exchange_messages(&mut gate, &mut ledger, 505)), [3]);
    // What nobody waits for is forgotten.
    assert_eq!(look(&mut gate, 600, "b"), None);
    let message = gate.next_message(at(601)).unwrap();
    gate.answered(at(602), message.id, None);
    runs(&mut gate, 650, 2_150);
    assert_eq!(
        gate.next_message(at(2_150)).map(|message| message.body.models),
        Some(vec!["a".into()]),
        "a poll"
    );
}

#[test]
fn a_ledger_that_wants_a_pause_is_asked_once_a_second_for_models_that_requests_wait_for() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(&[("a", 5)]));
    assert!(wait(&mut gate, 1_000, 1, "a"));
    let message = gate.next_message(at(1_000)).unwrap();
    let aside = ResponseHints { retry_after_ms: Some(5_000), ..ResponseHints::default() };
    assert_eq!(contexts(&gate.heard(at(1_001), message.id, None, aside)), [1]);
    assert_eq!(look(&mut gate, 2_000, "b"), None);
    assert!(gate.next_message(at(2_000)).is_none(), "nobody waits for it");
    assert!(wait(&mut gate, 2_001, 2, "b"));
    let message = gate.next_message(at(2_001)).unwrap();
    assert_eq!(message.body.models, ["b"]);
    let answer = ledger.answer(&message.body);
    assert_eq!(contexts(&gate.answered(at(2_002), message.id, Some(answer))), [2]);
    assert!(wait(&mut gate, 2_003, 3, "c"));
    assert!(gate.next_message(at(2_600)).is_none());
    assert!(gate.next_message(at(3_001)).is_some());
}

#[test]
fn a_ledger_of_the_version_before_is_asked_for_the_same_models_at_once() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(&[("a", 5)]));
    assert!(wait(&mut gate, 0, 1, "a"));
    let message = gate.next_message(at(1)).unwrap();
    let aside = ResponseHints { unsupported: true, ..ResponseHints::default() };
    assert_eq!(gate.heard(at(2), message.id, None, aside), [], "nothing was decided");
    let again = gate.next_message(at(2)).unwrap();
    assert_eq!((again.body.protocol, again.body.models.len()), (OLDEST, 1));
    let answer = ledger.answer(&again.body);
    assert_eq!(contexts(&gate.answered(at(3), again.id, Some(answer))), [1]);
}

#[test]
fn requests_that_wait_for_a_model_count_with_those_that_wait_for_a_lease() {
    let mut gate = gate(&Memory::default(), &json!({}));
    assert!(wait(&mut gate, 0, 0, "a"));
    for context in 1..u32::try_from(MAX_WAITING).unwrap() {
        assert_eq!(arrive(&mut gate, 0, context, "/", &key()), Arrival::Waits);
    }
    assert!(!wait(&mut gate, 0, 1, "a"));
    assert_ne!(arrive(&mut gate, 0, 2, "/", &key()), Arrival::Waits);
    assert!(contexts(&gate.tick(at(700))).contains(&0));
    assert!(wait(&mut gate, 701, 3, "a"));
}

#[test]
fn a_worker_without_models_reads_and_writes_nothing_for_them() {
    let memory = Memory::default();
    let (mut gate, mut ledger) = (gate(&memory, &json!({})), ledger(&[]));
    arrive(&mut gate, 0, 0, "/", &key());
    exchange_messages(&mut gate, &mut ledger, 1);
    let before = memory.gets();
    for ms in (1_000..3_000).step_by(50) {
        exchange_messages(&mut gate, &mut ledger, ms);
    }
    let reads = memory.gets() - before;
    assert!(reads <= 6, "{reads} reads for two heartbeats");
    assert!(memory.get(&gate.names.prices()).is_none());
}
