//! What holds for models' prices whatever happens: random messages, answers and times.

use super::*;
use proptest::prelude::*;

/// A step of a worker's life, each with a number to choose by.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait,
    LookMany,
    Send,
    Answer,
    Fail,
    Change,
    Pass,
}

proptest! {
    #[test]
    fn every_request_is_resolved_once_and_no_price_is_replaced_by_an_older_one(
        steps in proptest::collection::vec((prop_oneof![
            4 => Just(Step::Wait), 1 => Just(Step::LookMany), 4 => Just(Step::Send), 4 => Just(Step::Answer), 1 => Just(Step::Fail),
            1 => Just(Step::Change), 2 => Just(Step::Pass),
        ], any::<u32>()), 0..80),
    ) {
        let (mut gate, mut now) = (gate(&Memory::default(), &json!({})), 1_000);
        let (mut flights, mut waiting, mut number) = (Vec::new(), Vec::new(), 1_u64);
        let mut seen: BTreeMap<String, i64> = BTreeMap::new();
        for (at_step, (step, choice)) in (0_u32..).zip(steps) {
            let over = match step {
                Step::Wait => {
                    if wait(&mut gate, now, at_step, &(choice % 12).to_string()) {
                        waiting.push(at_step);
                    }
                    vec![]
                }
                Step::LookMany => {
                    for name in 0..choice % 200 {
                        look(&mut gate, now, &(name + choice % 1_000 + 100).to_string());
                    }
                    vec![]
                }
                Step::Send => {
                    // Each is answered under the number of the time at which the ledger heard it.
                    flights.extend(gate.next_message(at(now)).map(|message| (message, number, now)));
                    vec![]
                }
                Step::Answer | Step::Fail if flights.is_empty() => vec![],
                Step::Answer => {
                    let (message, number, _) = flights.remove(choice as usize % flights.len());
                    let mut ledger = FakeLedger { change: Some(number), ..FakeLedger::default() };
                    let price = i64::try_from(number).unwrap();
                    ledger.priced = message.body.models.iter().filter(|name| *name != "3").map(|name| (name.clone(), price)).collect();
                    ledger.room = Some(choice as usize % 40);
                    gate.answered(at(now), message.id, Some(ledger.answer(&message.body)))
                }
                Step::Fail => {
                    let (message, ..) = flights.remove(choice as usize % flights.len());
                    gate.answered(at(now), message.id, None)
                }
                Step::Change => {
                    number += 1;
                    vec![]
                }
                Step::Pass => {
                    now += u64::from(choice % 400);
                    gate.tick(at(now))
                }
            };
            for Resolution { context, .. } in over {
                let place = waiting.iter().position(|waits| *waits == context);
                prop_assert!(place.is_some(), "{} twice", context);
                waiting.remove(place.unwrap());
            }
            // Those that are older were given up.
            let recent = flights.iter().filter(|(.., sent)| now - sent <= 1_500);
            let mut in_flight: Vec<&String> = recent.flat_map(|(message, ..)| &message.body.models).collect();
            let all = in_flight.len();
            in_flight.sort();
            in_flight.dedup();
            prop_assert_eq!(in_flight.len(), all, "a model in two messages");
            prop_assert!(gate.models.len() <= MAX_KNOWN);
            prop_assert!(flights.iter().all(|(message, ..)| message.body.models.len() <= MAX_MODELS));
            if matches!(step, Step::Answer) {
                for name in (0..12).map(|name: u32| name.to_string()) {
                    match look(&mut gate, now, &name) {
                        Some(price) if name != "3" => {
                            let before = seen.insert(name, price);
                            prop_assert!(before.is_none_or(|before| before <= price));
                        }
                        Some(_) => {}
                        None => { seen.remove(&name); }
                    }
                }
            }
        }
        let rest = gate.tick(at(now + 700));
        let mut rest = contexts(&rest);
        rest.extend(contexts(&gate.tick(at(now + 2_000))));
        rest.sort_unstable();
        prop_assert_eq!(rest, waiting);
    }
}
