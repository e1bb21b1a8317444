//! How a gateway hears that prices have changed, with and without heartbeats.

use super::*;
use crate::decide::lease::shared::SharedMemory;

/// Memory in which another worker is always faster to write what is shared of prices.
struct Beaten(Memory);

impl SharedMemory for Beaten {
    fn get(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.0.get(name)
    }

    fn swap(&self, name: &str, value: &[u8], stamp: Option<u32>) -> bool {
        !name.ends_with("/prices") && self.0.swap(name, value, stamp)
    }

    fn push_dirty(&self, payer: &str) {
        self.0.push_dirty(payer);
    }

    fn pop_dirty(&self) -> Option<String> {
        self.0.pop_dirty()
    }
}

/// Two workers that know the model, at this time.
fn two(memory: &Memory, ledger: &mut FakeLedger) -> [Gate<Memory>; 2] {
    let mut workers = [gate(memory, &json!({})), gate(memory, &json!({}))];
    for worker in &mut workers {
        worker.tick(at(0));
        assert_eq!(look(worker, 0, "a"), None);
        exchange_messages(worker, ledger, 1);
        assert_eq!(look(worker, 2, "a"), Some(5));
    }
    workers
}

/// Runs both until a time, and gives when each has known the new price.
fn heard(
    workers: &mut [Gate<Memory>; 2],
    ledger: &mut FakeLedger,
    from: u64,
    to: u64,
    price: i64,
) -> [Option<u64>; 2] {
    let mut heard = [None; 2];
    for ms in (from..to).step_by(50) {
        for (worker, heard) in workers.iter_mut().zip(&mut heard) {
            exchange_messages(worker, ledger, ms);
            if look(worker, ms, "a") == Some(price) {
                heard.get_or_insert(ms - from);
            }
        }
    }
    heard
}

fn change(ledger: &mut FakeLedger, price: i64) {
    ledger.priced.insert("a".into(), price);
    ledger.change = ledger.change.map(|change| change + 65_536);
}

#[test]
fn all_workers_hear_of_a_change_by_the_heartbeat_of_one() {
    let memory = Memory::default();
    let mut ledger = ledger(&[("a", 5)]);
    let mut workers = two(&memory, &mut ledger);
    arrive(&mut workers[0], 10, 1, "/", &key());
    heard(&mut workers, &mut ledger, 50, 2_000, 0);
    let before = ledger.messages.len();
    change(&mut ledger, 7);
    let found = heard(&mut workers, &mut ledger, 2_000, 4_000, 7);
    assert!(found.iter().all(|ms| ms.is_some_and(|ms| ms <= 1_250)), "{found:?}");
    let models: usize = asked(&ledger)[before..].iter().map(Vec::len).sum();
    assert_eq!(models, 2, "each worker asks once, and none polls");
}

#[test]
fn an_idle_gateway_hears_of_a_change_and_only_one_worker_asks() {
    let memory = Memory::default();
    let mut ledger = ledger(&[("a", 5)]);
    let mut workers = two(&memory, &mut ledger);
    for begin in (10_000..40_000).step_by(3_150) {
        let price = i64::try_from(begin).unwrap();
        change(&mut ledger, price);
        let found = heard(&mut workers, &mut ledger, begin, begin + 3_150, price);
        assert!(found.iter().all(|ms| ms.is_some_and(|ms| ms <= 1_800)), "{found:?}");
    }
    let before = ledger.messages.len();
    heard(&mut workers, &mut ledger, 41_500, 71_500, 0);
    let count = ledger.messages.len() - before;
    assert!((18..=21).contains(&count), "{count} messages in 30 s");
}

#[test]
fn a_poll_asks_for_a_model_that_has_a_price_and_that_no_message_asks_for() {
    let mut ledger = ledger(&[("a", 5), ("b", 5)]);
    let mut worker = gate(&Memory::default(), &json!({}));
    for name in ["b", "a", "unpriced"] {
        look(&mut worker, 0, name);
    }
    exchange_messages(&mut worker, &mut ledger, 0);
    let mut polled = Vec::new();
    for ms in (50..3_050).step_by(50) {
        assert_eq!(worker.tick(at(ms)), []);
        polled.extend(worker.next_message(at(ms)).map(|message| message.body.models));
    }
    assert_eq!(polled, [["a"], ["b"]]);
}

#[test]
fn a_worker_leaves_the_question_to_another_that_was_faster() {
    let (memory, mut ledger) = (Memory::default(), ledger(&[("a", 5)]));
    let settings = gate(&memory, &json!({})).settings().clone();
    let mut worker = Gate::new(settings, Beaten(memory), "beaten", at(0));
    worker.model_prices(at(0), "a");
    let message = worker.next_message(at(0)).unwrap();
    let answer = ledger.answer(&message.body);
    worker.answered(at(1), message.id, Some(answer));
    for ms in (50..5_000).step_by(50) {
        worker.tick(at(ms));
        assert_eq!(worker.next_message(at(ms)), None);
    }
}

#[test]
fn models_that_no_request_uses_are_dropped_and_the_gateway_falls_silent() {
    let memory = Memory::default();
    let mut ledger = ledger(&[("a", 5)]);
    let mut workers = two(&memory, &mut ledger);
    let run = |workers: &mut [Gate<Memory>; 2], ledger: &mut FakeLedger, from: u64, to: u64| {
        let before = ledger.messages.len();
        for ms in (from..to).step_by(50) {
            for worker in workers.iter_mut() {
                exchange_messages(worker, ledger, ms);
            }
        }
        ledger.messages.len() - before
    };
    assert!(run(&mut workers, &mut ledger, 50, 599_900) > 300);
    assert_eq!(run(&mut workers, &mut ledger, 600_200, 700_000), 0);
    let reads = memory.gets();
    for worker in &mut workers {
        assert_eq!(worker.tick(at(700_050)), []);
        assert_eq!(look(worker, 700_060, "a"), None);
    }
    assert!(memory.gets() - reads <= 2, "leadership alone");
}

#[test]
fn an_idle_gateway_leaves_a_ledger_alone_that_is_down_or_wants_a_pause() {
    let memory = Memory::default();
    let mut ledger = ledger(&[("a", 5)]);
    let [mut worker, _] = two(&memory, &mut ledger);
    runs(&mut worker, 50, 2_000);
    let poll = worker.next_message(at(2_000)).unwrap();
    assert_eq!((poll.body.entries.len(), poll.body.models.len(), poll.body.seen), (0, 1, None));
    let aside = ResponseHints { retry_after_ms: Some(20_000), ..ResponseHints::default() };
    assert_eq!(worker.heard(at(2_001), poll.id, None, aside), []);
    for ms in (2_050..22_000).step_by(50) {
        worker.tick(at(ms));
        assert_eq!(worker.next_message(at(ms)), None, "{ms}");
    }
    runs(&mut worker, 22_050, 22_150);
    assert!(worker.next_message(at(22_150)).is_some());
}

#[test]
fn prices_are_used_until_the_new_ones_are_answered_and_late_answers_are_not_taken() {
    let mut ledger = ledger(&[("a", 5), ("b", 1)]);
    let [mut worker, _] = two(&Memory::default(), &mut ledger);
    // The answer to the first message is on its way while prices change.
    assert_eq!(look(&mut worker, 10, "b"), None);
    let first = worker.next_message(at(10)).unwrap();
    let late = ledger.answer(&first.body);
    change(&mut ledger, 6);
    assert_eq!(look(&mut worker, 20, "c"), None);
    let second = worker.next_message(at(20)).unwrap();
    let answer = ledger.answer(&second.body);
    worker.answered(at(30), second.id, Some(answer));
    assert_eq!(look(&mut worker, 31, "a"), Some(5), "used until the answer comes");
    let third = worker.next_message(at(32)).unwrap();
    assert_eq!(third.body.models, ["a"], "at once, and not what is asked for already");
    let answer = ledger.answer(&third.body);
    worker.answered(at(33), third.id, Some(answer));
    assert_eq!(look(&mut worker, 34, "a"), Some(6));
    worker.answered(at(35), first.id, Some(late));
    assert_eq!(look(&mut worker, 36, "b"), Some(1), "better than none");
    assert!(worker.next_message(at(36)).is_none());
    assert_eq!(worker.next_message(at(236)).unwrap().body.models, ["b"], "and it is asked for again");
    assert_eq!(look(&mut worker, 237, "a"), Some(6));
}

#[test]
fn an_answer_of_a_ledger_that_lags_behind_replaces_no_newer_prices() {
    let mut ledger = ledger(&[("a", 5)]);
    let mut behind =
        FakeLedger { priced: ledger.priced.clone(), change: ledger.change, ..FakeLedger::with(1) };
    change(&mut ledger, 6);
    let mut worker = gate(&Memory::default(), &json!({}));
    look(&mut worker, 0, "a");
    exchange_messages(&mut worker, &mut ledger, 1);
    runs(&mut worker, 50, 2_000);
    let poll = worker.next_message(at(2_000)).unwrap();
    let answer = behind.answer(&poll.body);
    worker.answered(at(2_001), poll.id, Some(answer));
    assert_eq!(look(&mut worker, 2_002, "a"), Some(6));
    assert!(worker.next_message(at(2_300)).is_none(), "what it knows is up to date");
}

#[test]
fn a_model_without_a_price_is_asked_for_again_only_after_five_seconds() {
    let mut ledger = ledger(&[]);
    let mut worker = gate(&Memory::default(), &json!({}));
    look(&mut worker, 0, "a");
    exchange_messages(&mut worker, &mut ledger, 0);
    change(&mut ledger, 5);
    // Another model brings the number.
    look(&mut worker, 10, "b");
    exchange_messages(&mut worker, &mut ledger, 10);
    for ms in (50..5_000).step_by(50) {
        worker.tick(at(ms));
        if let Some(message) = worker.next_message(at(ms)) {
            assert_eq!(message.body.models, ["b"], "a poll");
            let answer = ledger.answer(&message.body);
            worker.answered(at(ms), message.id, Some(answer));
        }
        assert_eq!(look(&mut worker, ms, "a"), Some(0), "{ms}");
        look(&mut worker, ms + 1, "b");
    }
    exchange_messages(&mut worker, &mut ledger, 5_050);
    assert_eq!(look(&mut worker, 5_051, "a"), Some(5));
}
