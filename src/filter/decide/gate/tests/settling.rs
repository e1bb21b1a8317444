//! Requests whose cost is known only at their end.

use super::*;

const MINUTE_MS: u64 = 60_000;

/// One request that is served from a first lease.
fn served(gate: &mut Gate<Memory>, ledger: &mut FakeLedger) -> Charge {
    assert_eq!(arrive(gate, 0, 1, "/", &key()), Arrival::Waits);
    match exchange_messages(gate, ledger, 0).pop().map(|resolution| resolution.outcome) {
        Some(Outcome::Pass(Passage::Paid(charge))) => charge,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_charged_exactly_what_it_cost_whatever_was_held_for_it() {
    for (available, cost, from_lease, owed) in [
        (1_000, 0, 0, 0),
        (1_000, 400_000, 400_000, 0),
        (1_000, 1_000_000, 1_000_000, 0),
        (1_000, 2_500_000, 2_500_000, 0),
        (1, 2_500_000, 1_000_000, 1_500_000),
    ] {
        let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(available));
        let charge = served(&mut gate, &mut ledger);
        assert_eq!(gate.settle(at(10), &charge, Credits::from_micros(cost)).micros(), cost);
        for ms in (50..7_000).step_by(50) {
            exchange_messages(&mut gate, &mut ledger, ms);
        }
        let on_credit = ledger.messages.iter().flat_map(|message| &message.entries);
        let on_credit = on_credit.map(|entry| entry.on_credit.micros()).max();
        assert_eq!((ledger.spent[&1], on_credit), (from_lease, Some(owed)), "of {cost}");
        let reports = ledger.messages.iter().filter_map(|message| message.usage.as_ref());
        let lines = reports.flat_map(|report| &report.lines);
        let used: Vec<_> = lines.map(|line| (line.requests, line.credits.micros(), line.refunds)).collect();
        assert_eq!(used, [(1, cost, 0)]);
        assert_eq!(gate.take_counters().above_hold, u64::from(cost > 1_000_000));
    }
}

#[test]
fn a_hold_is_kept_after_a_quarter_of_an_hour_unless_its_worker_vouches_for_the_request() {
    for (vouches, charged) in [(true, 0), (false, 1_000_000)] {
        let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(1_000));
        let charge = served(&mut gate, &mut ledger);
        for ms in (250..20 * MINUTE_MS).step_by(250) {
            if vouches && ms % MINUTE_MS == 0 {
                gate.vouch(at(ms), &charge);
            }
            exchange_messages(&mut gate, &mut ledger, ms);
        }
        gate.settle(at(20 * MINUTE_MS), &charge, Credits::ZERO);
        for ms in (20 * MINUTE_MS..21 * MINUTE_MS).step_by(250) {
            exchange_messages(&mut gate, &mut ledger, ms);
        }
        let spent: i64 = ledger.spent.values().sum();
        assert_eq!(spent + ledger.holds.kept.micros(), charged, "a worker vouches for it: {vouches}");
    }
}
