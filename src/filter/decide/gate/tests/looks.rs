//! Repeated refusals are served from the cache, and new credits are noticed within a moment.

use super::*;

/// Two workers, and a caller whose last credit the first one has just sold.
fn workers() -> ([Gate<Memory>; 2], FakeLedger, Charge) {
    let memory = Memory::default();
    let (mut gates, mut ledger) =
        ([gate(&memory, &json!({})), gate(&memory, &json!({}))], FakeLedger::with(1));
    arrive(&mut gates[0], 0, 0, "/", &key());
    let mut resolutions = exchange_messages(&mut gates[0], &mut ledger, 0);
    let Some(Resolution { outcome: Outcome::Pass(Passage::Paid(charge)), .. }) = resolutions.pop() else {
        panic!("not paid");
    };
    for gate in &mut gates {
        assert_eq!(arrive(gate, 10, 1, "/", &key()), Arrival::Waits);
        exchange_messages(gate, &mut ledger, 10);
        // Once out of the memory of the refusal, and with a look at the lease.
        assert!(is_refused(gate, 20));
    }
    (gates, ledger, charge)
}

fn is_refused(gate: &mut Gate<Memory>, now: u64) -> bool {
    match arrive(gate, now, 2, "/", &key()) {
        Arrival::Decided(Outcome::Refuse(refusal)) => {
            assert_eq!((refusal.code, refusal.needed), (RefusalCode::InsufficientFunds, Some(credits(1))));
            true
        }
        Arrival::Decided(Outcome::Pass(Passage::Paid(_))) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refund_is_sellable_at_once_by_its_worker_and_soon_by_others() {
    let ([mut one, mut other], _, charge) = workers();
    one.finish(&charge, &End::answered(503));
    assert!(is_refused(&mut other, 69), "it has looked 49 ms ago");
    assert!(!is_refused(&mut one, 69));
    let ([mut one, mut other], _, charge) = workers();
    one.finish(&charge, &End::answered(503));
    assert!(!is_refused(&mut other, 70));
}

#[test]
fn a_repeated_refusal_reads_no_shared_memory() {
    let ([mut one, _], ledger, _) = workers();
    let asked = ledger.messages.len();
    let gets = one.memory.gets();
    for ms in 21..70 {
        assert!(is_refused(&mut one, ms));
    }
    assert_eq!((one.memory.gets(), ledger.messages.len()), (gets, asked));
    assert!(is_refused(&mut one, 70));
    assert_eq!(one.memory.gets(), gets + 1, "it has looked again");
}
