//! What a worker makes of a message that the ledger doesn't take in: another version of the protocol, and too much to do.

use super::super::answer::{self, ResponseHints};
use super::*;
use crate::decide::usage::ChargeOutcome;
use faregate_protocol::exchange::{ExchangeError, OLDEST, UNSUPPORTED, VERSION};

/// As the ledger writes it and the gate reads it.
fn error(code: &str, retry_after_ms: Option<u32>) -> ResponseHints {
    let error = ExchangeError { code: code.into(), detail: "no".into(), retry_after_ms };
    let mut aside = ResponseHints::default();
    answer::read_error(&serde_json::to_vec(&error).unwrap(), &mut aside).unwrap();
    aside
}

/// A ledger of the release before: refuses any version but its own.
fn talk_to_old(gate: &mut Gate<Memory>, ledger: &mut FakeLedger, now: u64) -> (Vec<Resolution>, Vec<u32>) {
    let (mut all, mut versions) = (gate.tick(at(now)), Vec::new());
    while let Some(message) = gate.next_message(at(now)) {
        versions.push(message.body.protocol);
        if message.body.protocol == OLDEST {
            let answer = ledger.answer(&message.body);
            let aside = ResponseHints { newest: OLDEST, ..ResponseHints::default() };
            all.extend(gate.heard(at(now), message.id, Some(answer), aside));
        } else {
            all.extend(gate.heard(at(now), message.id, None, error(UNSUPPORTED, None)));
        }
    }
    (all, versions)
}

/// A gate with a lease that was paid from once, and the time.
fn gate_with_lease(ledger: &mut FakeLedger) -> Gate<Memory> {
    let mut gate = gate(&Memory::default(), &json!({}));
    assert_eq!(arrive(&mut gate, 0, 0, "/", &key()), Arrival::Waits);
    let resolutions = exchange_messages(&mut gate, ledger, 0);
    let Outcome::Pass(Passage::Paid(charge)) = &resolutions[0].outcome else { panic!("{resolutions:?}") };
    gate.finish(charge, &End::answered(200));
    gate
}

/// A caller that the ledger does not know, waiting.
fn unknown_caller(gate: &mut Gate<Memory>, now: u64, byte: u8) {
    let key = api_key::compose(&[byte; api_key::SECRET_LEN]).unwrap();
    assert_eq!(arrive(gate, now, u32::from(byte), "/", &key), Arrival::Waits, "{now}");
}

#[test]
fn a_ledger_of_the_previous_release_is_spoken_to_in_its_version() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(100));
    gate.tick(at(0));
    assert_eq!(arrive(&mut gate, 0, 0, "/", &key()), Arrival::Waits);

    let (resolutions, versions) = talk_to_old(&mut gate, &mut ledger, 0);

    let [Resolution { outcome: Outcome::Pass(Passage::Paid(charge)), .. }] = &resolutions[..] else {
        panic!("{resolutions:?}")
    };
    gate.finish(charge, &End::answered(200));
    assert_eq!(versions, [VERSION, OLDEST], "the same at once in the older version");
    let mut versions = Vec::new();
    for ms in (50..30_000).step_by(50) {
        let (resolutions, spoken) = talk_to_old(&mut gate, &mut ledger, ms);
        assert_eq!(resolutions, []);
        versions.extend(spoken);
    }
    assert!(versions.len() >= 2 && versions.iter().all(|version| *version == OLDEST), "{versions:?}");
    assert_eq!((ledger.available, ledger.spent[&1]), (99_000_000, 1_000_000), "reported and handed back");
    assert_eq!(gate.take_counters().exchange_failures, 0);
}

#[test]
fn a_report_rejected_for_its_version_is_resent_at_once() {
    let mut ledger = FakeLedger::with(100);
    let mut gate = gate_with_lease(&mut ledger);
    runs(&mut gate, 50, 1_500);
    let heartbeat = gate.next_message(at(1_500)).unwrap();
    assert!(heartbeat.body.seen.is_some() && heartbeat.body.usage.is_some(), "{heartbeat:?}");
    assert_eq!(gate.heard(at(1_500), heartbeat.id, None, error(UNSUPPORTED, None)), []);
    let again = gate.next_message(at(1_500)).unwrap().body;
    let mut usage = heartbeat.body.usage.clone();
    usage.as_mut().unwrap().ago_ms = 0;
    assert_eq!(again, ExchangeRequest { protocol: OLDEST, usage, ..heartbeat.body });
}

#[test]
fn only_a_report_in_the_newer_version_says_when_requests_came_what_was_refused_and_of_which_product() {
    let mut ledger = FakeLedger::with(100);
    let mut gate = gate_with_lease(&mut ledger);
    gate.count_outcome("key_1", 1, ChargeOutcome::Refused(RefusalCode::RateLimited));
    runs(&mut gate, 50, 1_500);
    let newer = gate.next_message(at(1_500)).unwrap();
    gate.heard(at(1_500), newer.id, None, error(UNSUPPORTED, None));
    let older = gate.next_message(at(1_500)).unwrap();
    gate.heard(at(1_500), older.id, None, ResponseHints::default());
    runs(&mut gate, 1_550, 12_000);
    gate.heard(at(12_000), 0, None, ResponseHints { newest: VERSION, ..ResponseHints::default() });
    let again = gate.next_message(at(12_000)).unwrap();

    let reports = [newer, older, again].map(|message| (message.body.protocol, message.body.usage.unwrap()));
    let said = reports.map(|(protocol, report)| {
        assert_eq!((report.seq, report.lines.len(), report.lines[0].requests), (1, 1, 1));
        (protocol, report.ago_ms > 0, report.refused.len())
    });
    assert_eq!(said, [(VERSION, true, 1), (OLDEST, false, 0), (VERSION, true, 1)]);
}

#[test]
fn after_a_ledger_upgrade_the_newer_version_is_retried_with_pauses() {
    let mut ledger = FakeLedger::with(100);
    let mut gate = gate_with_lease(&mut ledger);
    let ask = |gate: &mut Gate<Memory>, ms: u64, byte: u8| {
        gate.tick(at(ms));
        unknown_caller(gate, ms, byte);
        gate.next_message(at(ms)).unwrap()
    };
    let first = ask(&mut gate, 100, 1);
    assert_eq!(first.body.protocol, VERSION);
    gate.heard(at(100), first.id, None, error(UNSUPPORTED, None));
    let older = gate.next_message(at(100)).unwrap();
    let answer = ledger.answer(&older.body);
    let refused = gate.answered(at(100), older.id, Some(answer));
    assert_eq!(refused_with(&refused[0].outcome), Some(RefusalCode::InvalidKey), "it is an answer");
    // Behind the same address are ledgers of both releases: what a newer one says is not tried for a while.
    for (ms, version) in [(200, OLDEST), (10_099, OLDEST), (10_100, VERSION)] {
        gate.heard(at(ms), 0, None, ResponseHints { newest: VERSION + 1, ..ResponseHints::default() });
        assert_eq!(gate.protocol(), version, "{ms} ms");
    }
    runs(&mut gate, 150, 10_200);
    assert_eq!(ask(&mut gate, 10_200, 2).body.protocol, VERSION);
}

#[test]
fn a_ledger_that_speaks_neither_version_is_not_retried_for_the_same_callers() {
    let mut gate = gate(&Memory::default(), &json!({}));
    gate.tick(at(0));
    unknown_caller(&mut gate, 0, 1);
    let newer = gate.next_message(at(0)).unwrap();
    assert_eq!(gate.heard(at(0), newer.id, None, error(UNSUPPORTED, None)), []);
    let older = gate.next_message(at(0)).unwrap();
    let resolutions = gate.heard(at(0), older.id, None, error(UNSUPPORTED, None));
    assert_eq!(refused_with(&resolutions[0].outcome), Some(RefusalCode::LedgerUnavailable));
    assert_eq!(gate.next_message(at(0)), None);
}

#[test]
fn a_report_honors_the_requested_delay_up_to_one_minute() {
    for (asked, next) in [(None, 1_000), (Some(0), 1_000), (Some(7_000), 7_000), (Some(u32::MAX), 60_000)] {
        let mut ledger = FakeLedger::with(100);
        let mut gate = gate_with_lease(&mut ledger);
        runs(&mut gate, 50, 2_000);
        let heartbeat = gate.next_message(at(2_000)).unwrap();
        assert!(heartbeat.body.seen.is_some());
        gate.heard(at(2_000), heartbeat.id, None, error("overloaded", asked));
        let mut ms = 2_000;
        let message = loop {
            ms += 50;
            gate.tick(at(ms));
            if let Some(message) = gate.next_message(at(ms)) {
                break message;
            }
        };
        assert_eq!(ms, 2_000 + next, "{asked:?}");
        assert!(message.body.seen.is_some() && message.body.usage.is_some(), "{message:?}");
    }
}

#[test]
fn callers_are_asked_about_once_a_second_while_reports_are_delayed() {
    let mut ledger = FakeLedger::with(100);
    let mut gate = gate_with_lease(&mut ledger);
    runs(&mut gate, 50, 2_000);
    let heartbeat = gate.next_message(at(2_000)).unwrap();
    gate.heard(at(2_000), heartbeat.id, None, error("overloaded", Some(10_000)));

    let (mut sent, mut byte) = (Vec::new(), 20);
    for ms in (2_000..8_000).step_by(50) {
        gate.tick(at(ms));
        if ms % 500 == 0 {
            byte += 1;
            unknown_caller(&mut gate, ms, byte);
        }
        while let Some(message) = gate.next_message(at(ms)) {
            assert_eq!((message.body.seen, &message.body.usage), (None, &None), "it is no report");
            sent.push((ms, message.body.entries.len()));
            let answer = ledger.answer(&message.body);
            gate.answered(at(ms), message.id, Some(answer));
        }
    }
    let first = (2_000, 1);
    assert_eq!(sent, [first, (3_000, 2), (4_000, 2), (5_000, 2), (6_000, 2), (7_000, 2)]);
}

#[test]
fn requests_waiting_on_an_overloaded_ledger_are_refused() {
    let mut gate = gate(&Memory::default(), &json!({}));
    gate.tick(at(0));
    unknown_caller(&mut gate, 0, 1);
    let message = gate.next_message(at(0)).unwrap();
    let resolutions = gate.heard(at(1), message.id, None, error("overloaded", Some(1_000)));
    assert_eq!(refused_with(&resolutions[0].outcome), Some(RefusalCode::LedgerUnavailable));
    let key = api_key::compose(&[2; api_key::SECRET_LEN]).unwrap();
    let Arrival::Decided(outcome) = arrive(&mut gate, 400, 2, "/", &key) else { panic!("it waits") };
    assert_eq!(refused_with(&outcome), Some(RefusalCode::LedgerUnavailable), "nor for half a second");
    unknown_caller(&mut gate, 600, 3);
}

#[test]
fn a_payer_in_another_cell_is_refused_and_counted_as_wrong_cell() {
    let mut ledger = FakeLedger::with(100);
    let mut gate = gate_with_lease(&mut ledger);
    unknown_caller(&mut gate, 100, 1);
    let message = gate.next_message(at(100)).unwrap();
    let body = format!(
        r#"{{"protocol":{VERSION},"heartbeat_ms":1000,"entries":[{{"cell":"7x","refused":{{"code":"wrong_cell"}}}}]}}"#
    );
    let answer = answer::read(body.as_bytes()).unwrap();
    let resolutions = gate.answered(at(100), message.id, Some(answer));
    assert_eq!(refused_with(&resolutions[0].outcome), Some(RefusalCode::WrongCell));
    let at = RefusalCode::ALL.iter().position(|code| *code == RefusalCode::WrongCell).unwrap();
    assert_eq!(gate.take_counters().refused[at], 1);
}
