//! Metered requests: what is held, what they cost in the end, and what becomes of holds that outlive their epoch.

use super::*;
use crate::decide::lease::Lease;

fn metered() -> Value {
    json!({"rules": [
        {"name": "render", "match": {"path": {"exact": "/render"}}, "refund_on": ["5xx"],
         "meter": {"header": "x-cost", "unit": "0.01", "hold": "2"}},
        {"name": "free", "match": {"path": {"exact": "/files"}},
         "meter": {"header": "x-cost", "unit": "1", "hold": "2", "missing": "free"}, "price": "0.5"},
        {"name": "gpu", "match": {"path": {"exact": "/gpu"}}, "meter": {"seconds": "0.5", "hold": {"seconds": 60}}},
    ]})
}

/// A gate and a caller whose lease is open.
fn started(memory: &Memory, available: i64) -> (Gate<Memory>, FakeLedger) {
    let (mut gate, mut ledger) = (gate(memory, &metered()), FakeLedger::with(available));
    // One waits for what all need.
    for context in 0..available.min(40) {
        arrive(&mut gate, 0, u32::try_from(context).unwrap(), "/", &key());
    }
    for Resolution { outcome, .. } in exchange_messages(&mut gate, &mut ledger, 0) {
        gate.cancel(&charge(Arrival::Decided(outcome)));
    }
    (gate, ledger)
}

fn begun(gate: &mut Gate<Memory>, now: u64, path: &str) -> Charge {
    let charge = charge(arrive(gate, now, 9, path, &key()));
    assert!(gate.begin(&charge));
    charge
}

fn lease(gate: &Gate<Memory>, memory: &Memory) -> Lease {
    shared::read(memory, &gate.names.lease(&Credential::Key(key()))).unwrap()
}

/// Time passes, and messages are exchanged.
fn live(gate: &mut Gate<Memory>, ledger: &mut FakeLedger, from: u64, to: u64) {
    for ms in (from..to).step_by(200) {
        exchange_messages(gate, ledger, ms);
    }
}

fn millis(whole: i64) -> Credits {
    Credits::from_micros(whole * 1_000)
}

#[test]
fn a_metered_request_costs_what_its_answer_says() {
    let memory = Memory::default();
    let (mut gate, _ledger) = started(&memory, 100);
    let ok = End::answered(200);
    let mut spent = Credits::ZERO;
    for (now, (path, end, said, cost)) in (1_u64..).map(|n| n * 300).zip([
        ("/render", ok, Some(50_000_000), 500),
        ("/render", ok, Some(0), 0),
        ("/render", ok, None, 2_000),
        ("/render", ok, Some(350_000_000), 3_500),
        ("/render", End::answered(503), Some(50_000_000), 0),
        ("/render", End::NeverAsked, None, 0),
        ("/render", End::Cut, None, 2_000),
        ("/files", ok, Some(250_000), 750),
        ("/files", ok, None, 500),
        ("/gpu", ok, Some(3_000_000_000), 1_500),
    ]) {
        let charge = begun(&mut gate, now, path);
        assert_eq!(
            gate.finish_metered(at(now), &charge, &end, said),
            millis(cost),
            "{path} {end:?} {said:?}"
        );
        spent = spent.saturating_add(millis(cost));
        gate.tick(at(now + 299));
        let lease = lease(&gate, &memory);
        assert_eq!((lease.spent, lease.held), (spent, Credits::ZERO), "{path} {end:?} {said:?}");
    }
    let counters = gate.take_counters();
    assert_eq!((counters.above_hold, counters.refunds), (1, 2));
    assert!(gate.metered.is_empty());
}

#[test]
fn a_cost_that_nothing_here_covers_is_owed() {
    let memory = Memory::default();
    let (mut gate, mut ledger) = started(&memory, 3);
    let charge = begun(&mut gate, 1, "/render");
    gate.finish_metered(at(2), &charge, &End::answered(200), Some(500_000_000));
    let lease = lease(&gate, &memory);
    assert_eq!((lease.spent, lease.on_credit.spent), (millis(3_000), millis(2_000)));
    live(&mut gate, &mut ledger, 2, 3_000);
    assert!(
        ledger
            .messages
            .iter()
            .flat_map(|message| &message.entries)
            .any(|entry| entry.on_credit == millis(2_000))
    );
}

#[test]
fn a_plan_prices_what_a_request_cost_and_not_what_was_held() {
    let memory = Memory::default();
    let mut config = metered();
    config["rules"][0]["product"] = json!("render");
    let (mut gate, mut ledger) = (gate(&memory, &config), FakeLedger::with(100));
    let pricing = exchange::Pricing::Times(millis(500));
    ledger.facts.products = Some(vec![exchange::Product { name: "render".into(), pricing }]);
    arrive(&mut gate, 0, 0, "/render", &key());
    let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
    let charge = charge(Arrival::Decided(resolutions.into_iter().next().unwrap().outcome));
    gate.begin(&charge);
    assert_eq!(charge.price, millis(1_000), "half of what the rule holds");
    assert_eq!(gate.finish_metered(at(1), &charge, &End::answered(200), Some(50_000_000)), millis(250));
}

#[test]
fn a_long_request_settles_exactly_although_its_lease_has_ended() {
    let memory = Memory::default();
    let (mut gate, mut ledger) = started(&memory, 100);
    let charge = begun(&mut gate, 1, "/gpu");
    // The ledger is unreachable until long after the lease's deadline.
    runs(&mut gate, 50, 60_000);
    live(&mut gate, &mut ledger, 60_000, 62_000);
    let carried = lease(&gate, &memory).holds();
    assert_eq!((carried.carried, carried.open()), (millis(30_000), millis(30_000)));
    // The request goes on for half an hour, and its worker vouches for it.
    live(&mut gate, &mut ledger, 62_000, 1_800_000);
    assert_eq!(lease(&gate, &memory).holds().open(), millis(30_000), "it isn't given up");
    gate.finish_metered(at(1_800_000), &charge, &End::answered(200), Some(20_000_000_000));
    live(&mut gate, &mut ledger, 1_800_000, 1_803_000);
    assert_eq!((ledger.holds.kept, ledger.holds.released), (millis(10_000), millis(20_000)));
    live(&mut gate, &mut ledger, 1_803_000, 1_830_000);
    assert!(lease(&gate, &memory).is_at_rest());
}
