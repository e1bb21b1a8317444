//! The heartbeat: what is said for the whole gateway, how often, and by which worker.

use super::*;

/// The first request, which opens a lease, and the name of that lease.
fn first(gate: &mut Gate<Memory>, ledger: &mut FakeLedger, now: u64) -> (Charge, String) {
    gate.tick(at(now));
    assert_eq!(arrive(gate, now, 0, "/", &key()), Arrival::Waits);
    let resolutions = exchange_messages(gate, ledger, now);
    let Outcome::Pass(Passage::Paid(charge)) = &resolutions[0].outcome else { panic!("{resolutions:?}") };
    (charge.clone(), charge.holder.lease().to_owned())
}

fn exchange_messages_until(gate: &mut Gate<Memory>, ledger: &mut FakeLedger, from: u64, to: u64) {
    for ms in (from..to).step_by(50) {
        assert_eq!(exchange_messages(gate, ledger, ms), []);
    }
}

#[test]
fn each_heartbeat_carries_the_seen_number_of_the_last_response() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(100));
    first(&mut gate, &mut ledger, 0);
    exchange_messages_until(&mut gate, &mut ledger, 50, 4_000);
    let seen: Vec<u64> = ledger.messages.iter().filter_map(|message| message.seen).collect();
    assert_eq!(seen, [0, 1, 2]);
}

#[test]
fn only_one_heartbeat_is_in_flight_at_a_time() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(100));
    first(&mut gate, &mut ledger, 0);
    runs(&mut gate, 50, 1_050);
    assert!(gate.next_message(at(1_050)).unwrap().body.seen.is_some());
    assert_eq!(gate.next_message(at(1_050)), None);
}

#[test]
fn a_change_reaches_a_lease_that_has_no_entry_in_the_response() {
    for refused in [None, Some(RefusalCode::AccountSuspended)] {
        let memory = Memory::default();
        let (mut gate, mut ledger) = (gate(&memory, &json!({})), FakeLedger::with(100));
        let (_, name) = first(&mut gate, &mut ledger, 0);
        exchange_messages_until(&mut gate, &mut ledger, 50, 1_500);
        runs(&mut gate, 1_500, 2_500);
        let heartbeat = gate.next_message(at(2_500)).unwrap();
        assert_eq!(heartbeat.body.entries, [], "there is no news of it");
        ledger.changes = vec![Change { payer: "key_1".into(), refused }];
        let answer = ledger.answer(&heartbeat.body);
        gate.answered(at(2_501), heartbeat.id, Some(answer));

        let lease = shared::read(&memory, &name).unwrap();
        assert_eq!((lease.stopped, lease.unspent()), (refused.is_some(), Credits::ZERO), "handed back");
        let next = gate.next_message(at(2_502)).unwrap();
        assert_eq!(next.body.entries[0].lease.unwrap().returned, lease.returned, "at once");
    }
}

#[test]
fn a_gateway_without_leases_sends_no_messages() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(100));
    let (charge, _) = first(&mut gate, &mut ledger, 0);
    gate.finish(&charge, &End::answered(200));
    exchange_messages_until(&mut gate, &mut ledger, 50, 10_000);
    assert_eq!(ledger.available, 99_000_000);
    let said = ledger.messages.len();
    exchange_messages_until(&mut gate, &mut ledger, 10_000, 40_000);
    assert_eq!(ledger.messages.len(), said);
}

#[test]
fn the_report_of_a_lost_heartbeat_is_repeated_in_the_next_one() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(100));
    let (charge, _) = first(&mut gate, &mut ledger, 0);
    gate.finish(&charge, &End::answered(200));
    runs(&mut gate, 50, 1_050);
    let lost = gate.next_message(at(1_050)).unwrap();
    assert_eq!(lost.body.entries[0].lease.unwrap().spent, credits(1));
    gate.answered(at(1_100), lost.id, None);
    runs(&mut gate, 1_150, 2_150);
    let next = gate.next_message(at(2_150)).unwrap();
    assert_eq!(next.body.entries[0].lease.unwrap().spent, credits(1));
}

#[test]
fn a_new_request_is_not_forgotten_after_a_long_uptime() {
    let memory = Memory::default();
    let (mut gate, mut ledger) = (gate(&memory, &json!({})), FakeLedger::with(100));
    let day = 24 * 3_600 * 1_000;
    let (charge, name) = first(&mut gate, &mut ledger, day);
    exchange_messages_until(&mut gate, &mut ledger, day + 50, day + 3_000);
    let lease = shared::read(&memory, &name).unwrap();
    assert_eq!((lease.held, lease.returned), (credits(1), Credits::ZERO), "nor is its lease idle");
    gate.finish(&charge, &End::answered(503));
    assert_eq!(shared::read(&memory, &name).unwrap().sold(), Credits::ZERO);
}

#[test]
fn only_a_departing_leader_gives_up_leadership() {
    let memory = Memory::default();
    let (mut leader, mut other) = (gate(&memory, &json!({})), gate(&memory, &json!({})));
    leader.tick(at(0));
    other.tick(at(10));
    let lead = || memory.get(&leader.names.leader()).unwrap().0;
    let held = lead();
    other.leave();
    assert_eq!(lead(), held);
    let name = leader.names.leader();
    leader.leave();
    let mut next = gate(&memory, &json!({}));
    next.tick(at(20));
    let (bytes, _) = memory.get(&name).unwrap();
    assert!(bytes.len() > 8 && bytes[8..] != held[8..], "another leads at once");
}

#[test]
fn a_new_leader_finds_a_lease_that_was_not_touched_since() {
    let memory = Memory::default();
    let (mut old, mut ledger) = (gate(&memory, &json!({})), FakeLedger::with(100));
    let (charge, name) = first(&mut old, &mut ledger, 0);
    old.finish(&charge, &End::answered(200));
    exchange_messages_until(&mut old, &mut ledger, 50, 3_000);
    assert!(!shared::read(&memory, &name).unwrap().queued, "all of it was reported");
    drop(old);
    let mut new = gate(&memory, &json!({}));
    exchange_messages_until(&mut new, &mut ledger, 3_000, 15_000);
    assert_eq!((ledger.available, ledger.spent.values().sum::<i64>()), (99_000_000, 1_000_000));
}

/// When a heartbeat was sent, in milliseconds, of a gate that sells once in a while over a minute and a half.
fn heartbeats_of(heartbeat_ms: u32) -> Vec<u64> {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(1_000));
    ledger.heartbeat_ms = Some(heartbeat_ms);
    let (charge, _) = first(&mut gate, &mut ledger, 0);
    gate.finish(&charge, &End::answered(200));
    let mut sent = Vec::new();
    for ms in (50..=90_000).step_by(50) {
        let said = ledger.messages.len();
        if ms % 500 == 0 {
            sell(&mut gate, ms);
        }
        exchange_messages(&mut gate, &mut ledger, ms);
        sent.extend(ledger.messages[said..].iter().filter(|message| message.seen.is_some()).map(|_| ms));
    }
    sent
}

/// A request that the lease covers, from its arrival to its end.
fn sell(gate: &mut Gate<Memory>, ms: u64) {
    if let Arrival::Decided(Outcome::Pass(Passage::Paid(charge))) = arrive(gate, ms, 0, "/", &key()) {
        gate.finish(&charge, &End::answered(200));
    }
}

#[test]
fn the_heartbeat_interval_follows_the_ledger_up_to_one_minute() {
    for (asked, heard) in
        [(0, 50), (1_000, 1_000), (5_000, 5_000), (6_600, 6_600), (60_000, 60_000), (u32::MAX, 60_000)]
    {
        let sent = heartbeats_of(asked);
        let pauses: Vec<u64> = sent.windows(2).map(|two| two[1] - two[0]).collect();
        let least = pauses.iter().min().unwrap();
        assert_eq!(*least, heard.max(50), "{asked} ms: {pauses:?}");
    }
}

#[test]
fn slow_heartbeats_delay_no_waiting_caller_and_keep_leases_alive() {
    let memory = Memory::default();
    let (mut gate, mut ledger) = (gate(&memory, &json!({})), FakeLedger::with(3));
    ledger.heartbeat_ms = Some(5_000);
    let (charge, name) = first(&mut gate, &mut ledger, 0);
    exchange_messages_until(&mut gate, &mut ledger, 50, 2_000);
    let first_heartbeat = ledger.messages.len();
    assert!(ledger.messages.last().unwrap().seen.is_some());
    gate.finish(&charge, &End::answered(200));
    exchange_messages_until(&mut gate, &mut ledger, 2_000, 3_000);
    assert_eq!(ledger.messages.len(), first_heartbeat, "what was sold is reported with the next heartbeat");

    let other = api_key::compose(&[8; api_key::SECRET_LEN]).unwrap();
    assert_eq!(arrive(&mut gate, 3_000, 1, "/", &other), Arrival::Waits);
    exchange_messages(&mut gate, &mut ledger, 3_000);
    let asked = &ledger.messages[first_heartbeat..];
    assert!(asked.len() == 1 && asked[0].seen.is_none(), "{asked:?}");

    // Idle or not, a lease is named often enough to live on.
    for ms in (3_050..60_000).step_by(50) {
        if ms % 10_000 == 0 {
            sell(&mut gate, ms);
        }
        exchange_messages(&mut gate, &mut ledger, ms);
        let lease = shared::read(&memory, &name).unwrap();
        assert!(lease.is_at_rest() || at(ms) < lease.deadline, "{ms}");
    }
}
