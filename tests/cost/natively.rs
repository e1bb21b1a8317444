//! How often the gate's core asks for memory, counted natively: what a request costs without the SDK, which copies every header.

use crate::ledger::{Ledger, key};
use crate::steps::{FREE, PAID, configuration, head};
use allocation_counter::AllocationInfo;
use faregate::decide::base::head::Head;
use faregate::decide::base::moment::Moment;
use faregate::decide::gate::Gate;
use faregate::decide::lease::shared::SharedMemory;
use faregate::decide::outcome::{Arrival, Charge, Outcome, Passage};
use faregate::decide::request::ending::End;
use faregate::decide::settings::Settings;
use faregate_protocol::Credits;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

const NOW: Moment = Moment::from_nanos(1);

/// Shared memory that asks for no memory of its own: reading an entry allocates once, as it does in Envoy, and changing one
/// never.
#[derive(Default)]
struct Memory {
    entries: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    news: RefCell<VecDeque<String>>,
}

impl SharedMemory for Memory {
    fn get(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.entries.borrow().get(name).cloned()
    }

    fn swap(&self, name: &str, value: &[u8], stamp: Option<u32>) -> bool {
        let mut entries = self.entries.borrow_mut();
        match (entries.get_mut(name), stamp) {
            (Some(entry), Some(stamp)) if entry.1 == stamp => {
                entry.0.clear();
                entry.0.extend_from_slice(value);
                entry.1 += 1;
                true
            }
            (None, None) => entries.insert(name.to_owned(), (value.to_vec(), 1)).is_none(),
            _ => false,
        }
    }

    fn push_dirty(&self, payer: &str) {
        self.news.borrow_mut().push_back(payer.to_owned());
    }

    fn pop_dirty(&self) -> Option<String> {
        self.news.borrow_mut().pop_front()
    }
}

/// What each part of a request's life allocates in a gate that knows the caller.
pub fn allocations() -> Vec<(&'static str, AllocationInfo)> {
    let settings = Settings::from_value(&configuration(0)).expect("a configuration");
    let mut gate = Gate::new(settings, Memory::default(), "a-worker", Moment::ZERO);
    let mut ledger = Ledger::default();
    let (key, broke) = (key(1), key(2));
    ledger.is_out_of_credits(&broke);
    let [paid, free, refused] =
        [(PAID, &key), (FREE, &key), (PAID, &broke)].map(|(path, key)| owned(path, key));
    let [paid, free, refused] = [&paid, &free, &refused].map(|headers| Head::new(headers));
    for stranger in [&paid, &refused] {
        assert_eq!(arrive(&mut gate, stranger), Arrival::Waits);
    }
    ask(&mut gate, &mut ledger);
    let known = charge(arrive(&mut gate, &paid));
    gate.finish(&known, &End::answered(200));

    let (arrives, arrival) = measure(|| arrive(&mut gate, &paid));
    let charge = charge(arrival);
    let (ends, charged) = measure(|| gate.finish(&charge, &End::answered(200)));
    assert_eq!(charged, Credits::from_micros(1_000_000));
    let (passes, arrival) = measure(|| arrive(&mut gate, &free));
    assert!(matches!(arrival, Arrival::Decided(Outcome::Pass(Passage::Free(_)))), "{arrival:?}");
    let (is_refused, arrival) = measure(|| arrive(&mut gate, &refused));
    assert!(matches!(arrival, Arrival::Decided(Outcome::Refuse(_))), "{arrival:?}");
    vec![
        ("a paid request arrives", arrives),
        ("a paid request ends", ends),
        ("a free request arrives", passes),
        ("a caller without credits is refused from memory", is_refused),
    ]
}

fn owned(path: &str, key: &str) -> Vec<(String, Vec<u8>)> {
    head(path, key).into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

fn arrive(gate: &mut Gate<Memory>, head: &Head<'_>) -> Arrival {
    gate.arrive(NOW, 7, head, |_| None)
}

fn ask(gate: &mut Gate<Memory>, ledger: &mut Ledger) {
    while let Some(message) = gate.next_message(NOW) {
        let answer = ledger.answer(&serde_json::to_vec(&message.body).expect("JSON"));
        gate.answered(NOW, message.id, serde_json::from_slice(&answer).ok());
    }
}

fn charge(arrival: Arrival) -> Charge {
    match arrival {
        Arrival::Decided(Outcome::Pass(Passage::Paid(charge))) => charge,
        other => panic!("it wasn't paid: {other:?}"),
    }
}

fn measure<R>(act: impl FnOnce() -> R) -> (AllocationInfo, R) {
    let mut result = None;
    let used = allocation_counter::measure(|| result = Some(act()));
    (used, result.expect("it was done"))
}
