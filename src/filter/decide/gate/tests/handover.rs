//! Handover: when a configuration is removed, the next gate takes over its state at once.

use super::*;
use faregate_protocol::exchange::UsageReport;

/// A gate that sells one request, asks the ledger only if it must, and is taken down.
fn passes_by(memory: &Memory, ledger: &mut FakeLedger, ms: u64) {
    let mut gate = gate(memory, &json!({}));
    let paid = match arrive(&mut gate, ms, 1, "/", &key()) {
        Arrival::Waits | Arrival::NeedsBody(_) => exchange_messages(&mut gate, ledger, ms).remove(0).outcome,
        Arrival::Decided(outcome) => outcome,
    };
    let Outcome::Pass(Passage::Paid(charge)) = paid else { panic!("{paid:?}") };
    gate.finish(&charge, &End::answered(200));
    gate.leave();
}

fn usage(ledger: &FakeLedger) -> Vec<UsageReport> {
    ledger.messages.iter().filter_map(|message| message.usage.clone()).collect()
}

#[test]
fn the_next_gate_reports_the_sales_of_sixty_departed_ones_within_one_tick() {
    let (memory, mut ledger) = (Memory::default(), FakeLedger::with(1_000));
    for change in 0..60 {
        passes_by(&memory, &mut ledger, change * 40);
    }
    let mut last = gate(&memory, &json!({}));
    exchange_messages(&mut last, &mut ledger, 2_400);

    let reports = usage(&ledger);
    let mut once: Vec<_> = reports.iter().map(|report| (report.broker.clone(), report.seq)).collect();
    once.sort();
    once.dedup();
    assert_eq!((once.len(), reports.len()), (60, 60), "each once, and under its own name");
    let lines = reports.iter().flat_map(|report| &report.lines);
    assert_eq!(lines.map(|line| line.requests).sum::<u64>(), 60);
    assert_eq!(ledger.spent.values().sum::<i64>(), credits(60).micros(), "and what was spent with it");
}

#[test]
fn the_next_leader_reports_handed_over_spending_at_once() {
    let (memory, mut ledger) = (Memory::default(), FakeLedger::with(1_000));
    passes_by(&memory, &mut ledger, 0);
    let mut next = gate(&memory, &json!({}));

    exchange_messages(&mut next, &mut ledger, 50);

    let heartbeat = ledger.messages.last().unwrap();
    assert!(heartbeat.seen.is_some(), "{heartbeat:?}");
    assert_eq!(ledger.spent.values().sum::<i64>(), credits(1).micros());
}

#[test]
fn handed_over_reports_cause_no_extra_retries_to_a_failing_ledger() {
    let (memory, mut ledger) = (Memory::default(), FakeLedger::with(1_000));
    for change in 0..3 {
        passes_by(&memory, &mut ledger, change * 40);
    }
    let (mut next, mut asked) = (gate(&memory, &json!({})), 0);
    for ms in (200..4_200).step_by(50) {
        next.tick(at(ms));
        while let Some(message) = next.next_message(at(ms)) {
            asked += 1;
            assert!(asked <= 8, "{asked} messages until {ms} ms");
            assert_eq!(next.answered(at(ms), message.id, None), []);
        }
    }
    assert!(asked >= 2, "it goes on trying");
    assert_eq!(usage(&ledger).len(), 0);
    for ms in (4_200..9_500).step_by(50) {
        exchange_messages(&mut next, &mut ledger, ms);
        if !usage(&ledger).is_empty() {
            break;
        }
    }
    assert_eq!(usage(&ledger).len(), 3, "and then all goes at once");
}
