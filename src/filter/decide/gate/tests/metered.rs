//! Metered requests: what is held, what they cost in the end, and what becomes of holds that outlive their epoch.

use super::*;
use crate::decide::lease::Lease;
use faregate_protocol::metering::{Quantities, UsageClass};

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
            gate.finish_metered(at(now), &charge, &end, said).charged,
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
    assert_eq!(
        gate.finish_metered(at(1), &charge, &End::answered(200), Some(50_000_000)).charged,
        millis(250)
    );
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

#[test]
fn usage_says_on_what_a_charge_is_based_and_how_many_seconds_were_used() {
    use exchange::Basis::{Held, Listed, Reported};
    let ok = End::answered(200);
    for (path, end, amount, basis, seconds) in [
        ("/render", ok, Some(50_000_000), Some(Reported), 0),
        ("/render", ok, Some(0), Some(Reported), 0),
        ("/render", ok, None, Some(Held), 0),
        ("/render", End::Cut, None, Some(Held), 0),
        ("/render", End::answered(503), Some(50_000_000), None, 0),
        ("/files", ok, Some(250_000), Some(Reported), 0),
        ("/files", ok, None, Some(Listed), 0),
        ("/gpu", ok, Some(3_000_000_000), Some(Reported), 3),
        ("/gpu", ok, Some(3_000_000_001), Some(Reported), 4),
        ("/gpu", ok, Some(0), Some(Reported), 0),
        ("/gpu", ok, Some(u64::MAX), Some(Reported), 18_446_744_074),
        ("/gpu", ok, None, Some(Held), 0),
    ] {
        let (mut gate, _ledger) = started(&Memory::default(), 100);
        let charge = begun(&mut gate, 1, path);
        let cost = gate.finish_metered(at(2), &charge, &end, amount).charged;
        let report = gate.usage.leave(Moment::ZERO, &gate.settings).remove(0);
        let [line] = &report.lines[..] else { panic!("{report:?}") };
        let mut used = Quantities::default();
        used.set(UsageClass::Second, seconds);
        assert_eq!((line.basis, line.used, &line.item), (basis, used, &None), "{path} {end:?} {amount:?}");
        let requests = u64::from(basis.is_some());
        assert_eq!((line.requests, line.credits, line.refunds), (requests, cost, 1 - requests), "{path}");
    }
}

#[test]
fn the_charge_for_a_product_with_a_price_of_its_own_is_based_on_that() {
    for (pricing, basis) in [
        (exchange::Pricing::Fixed(millis(250)), exchange::Basis::Listed),
        (exchange::Pricing::Times(millis(500)), exchange::Basis::Reported),
        (exchange::Pricing::List, exchange::Basis::Reported),
    ] {
        let (mut config, memory) = (metered(), Memory::default());
        config["rules"][2]["product"] = json!("gpu");
        let (mut gate, mut ledger) = (gate(&memory, &config), FakeLedger::with(100));
        ledger.facts.products = Some(vec![exchange::Product { name: "gpu".into(), pricing }]);
        arrive(&mut gate, 0, 0, "/gpu", &key());
        let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
        let charge = charge(Arrival::Decided(resolutions.into_iter().next().unwrap().outcome));
        gate.begin(&charge);
        gate.finish_metered(at(1), &charge, &End::answered(200), Some(2_000_000_000));
        let line = gate.usage.leave(Moment::ZERO, &gate.settings).remove(0).lines.remove(0);
        assert_eq!((line.basis, line.used.get(UsageClass::Second)), (Some(basis), 2), "{pricing:?}");
    }
}
