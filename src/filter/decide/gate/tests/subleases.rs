//! Subleases: what a worker sells without touching the lease, and that no credits get lost.

use super::*;

/// One hundredth of a credit.
const CHEAP: Credits = Credits::from_micros(10_000);

/// A payer's lease, rich in proportion to cheap requests, of which one has just been paid.
fn rich(gate: &mut Gate<Memory>, ledger: &mut FakeLedger) -> (String, Charge) {
    arrive(gate, 0, 0, "/", &key());
    exchange_messages(gate, ledger, 0);
    let charge = charge(arrive(gate, 10, 1, "/cheap", &key()));
    (gate.names.lease(&Credential::Key(key())), charge)
}

#[test]
fn a_rich_payer_is_served_from_a_sublease_whose_rest_is_returned() {
    let memory = Memory::default();
    let (mut gate, mut ledger) = (gate(&memory, &json!({})), FakeLedger::with(1_000));
    let (name, first) = rich(&mut gate, &mut ledger);
    let cut = memory.get(&name).unwrap();
    assert!(shared::read(&memory, &name).unwrap().subleased.is_positive());
    let more: Vec<_> =
        (0..3).map(|context| charge(arrive(&mut gate, 11, context, "/cheap", &key()))).collect();
    for charge in more.iter().chain([&first]) {
        assert_eq!(gate.finish(charge, &End::answered(200)), CHEAP);
    }
    assert_eq!(memory.get(&name).unwrap(), cut, "three requests, and the lease was left alone");
    gate.tick(at(300));
    let lease = shared::read(&memory, &name).unwrap();
    assert_eq!((lease.spent, lease.held, lease.subleased), (CHEAP.times(4), credits(1), Credits::ZERO));
}

#[test]
fn a_request_waits_while_another_worker_holds_a_sublease() {
    let memory = Memory::default();
    let (mut first, mut second) = (gate(&memory, &json!({})), gate(&memory, &json!({})));
    let mut ledger = FakeLedger::with(17);
    rich(&mut first, &mut ledger);
    // The second worker sells all that it can.
    let sold = (0..).take_while(|context| arrive(&mut second, 20, *context, "/", &key()) != Arrival::Waits);
    assert_eq!(sold.count(), 14);
    assert_eq!(
        exchange_messages(&mut second, &mut ledger, 21),
        [],
        "a worker has a sublease: the last one waits"
    );
    runs(&mut first, 50, 300);
    let resolutions = exchange_messages(&mut second, &mut ledger, 300);
    assert!(matches!(resolutions[0].outcome, Outcome::Pass(Passage::Paid(_))), "{resolutions:?}");
}

#[test]
fn after_a_freeze_the_final_report_waits_for_the_subleases_of_every_worker() {
    let memory = Memory::default();
    let (mut first, mut second) = (gate(&memory, &json!({})), gate(&memory, &json!({})));
    let mut ledger = FakeLedger::with(1_000);
    rich(&mut first, &mut ledger);
    second.tick(at(10));
    // The process is frozen for longer than the lease lasts.
    assert_eq!(arrive(&mut second, 25_000, 1, "/", &key()), Arrival::Waits);
    assert_eq!(exchange_messages(&mut second, &mut ledger, 25_000), []);
    runs(&mut first, 25_001, 25_300);
    exchange_messages(&mut second, &mut ledger, 25_300);
    let entry = &ledger.messages.last().unwrap().entries[0];
    assert_eq!(entry.ended.unwrap().spent, Credits::ZERO);
    assert_eq!(
        entry.holds.carried,
        credits(1).saturating_add(CHEAP),
        "and not what was left of the sublease"
    );
}

#[test]
fn a_departing_worker_returns_its_subleases() {
    let memory = Memory::default();
    let (mut gate, mut ledger) = (gate(&memory, &json!({})), FakeLedger::with(1_000));
    let (name, charge) = rich(&mut gate, &mut ledger);
    gate.finish(&charge, &End::answered(200));
    gate.leave();
    let lease = shared::read(&memory, &name).unwrap();
    assert_eq!((lease.spent, lease.held, lease.subleased), (CHEAP, credits(1), Credits::ZERO));
}
