//! What a gateway tells the ledger: usage until the ledger has it, and what dead workers left behind.

use super::*;
use faregate_protocol::exchange::UsageReport;

/// Fifteen minutes: credits held for longer count as spent (ms).
const ABANDONED_AFTER_MS: u64 = 900_000;

#[test]
fn usage_is_resent_until_a_response_acknowledges_its_number() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(100));
    arrive(&mut gate, 0, 0, "/", &key());
    let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
    let Outcome::Pass(Passage::Paid(paid)) = &resolutions[0].outcome else { panic!() };
    gate.finish(paid, &End::answered(200));
    let mut reports = Vec::new();
    for ms in (50..20_000).step_by(50) {
        gate.tick(at(ms));
        while let Some(message) = gate.next_message(at(ms)) {
            let mut answer = ledger.answer(&message.body);
            if let Some(report) = message.body.usage {
                assert_eq!(report.lines.iter().map(|line| line.requests).sum::<u64>(), 1);
                // Lost; without a usage number; with an earlier number; with this one.
                answer.usage_seq = [None, None, Some(report.seq - 1), Some(report.seq)][reports.len()];
                let answer = Some(answer).filter(|_| !reports.is_empty());
                reports.push(report.seq);
                gate.answered(at(ms), message.id, answer);
            } else {
                gate.answered(at(ms), message.id, Some(answer));
            }
        }
    }
    assert_eq!(reports, [1, 1, 1, 1], "said again under its number, and no more once the ledger has it");
}

#[test]
fn a_response_to_another_message_does_not_resend_usage_in_flight() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), FakeLedger::with(100));
    arrive(&mut gate, 0, 0, "/", &key());
    let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
    let Outcome::Pass(Passage::Paid(paid)) = &resolutions[0].outcome else { panic!() };
    gate.finish(paid, &End::answered(200));
    runs(&mut gate, 50, 6_000);
    let report = gate.next_message(at(6_000)).unwrap();
    assert!(report.body.usage.is_some());
    let unknown_caller = api_key::compose(&[8; api_key::SECRET_LEN]).unwrap();
    assert_eq!(arrive(&mut gate, 6_001, 1, "/", &unknown_caller), Arrival::Waits);
    let question = gate.next_message(at(6_001)).unwrap();
    assert!(question.body.usage.is_none());

    let mut answer = ledger.answer(&question.body);
    answer.usage_seq = Some(u64::MAX);
    gate.answered(at(6_002), question.id, Some(answer));

    for ms in (6_050..7_000).step_by(50) {
        gate.tick(at(ms));
        assert_eq!(gate.next_message(at(ms)).and_then(|message| message.body.usage), None);
    }
    gate.answered(at(7_000), report.id, None);
    runs(&mut gate, 7_050, 13_000);
    let again = std::iter::from_fn(|| gate.next_message(at(13_000))).find_map(|message| message.body.usage);
    let ago_ms = report.body.usage.as_ref().unwrap().ago_ms + 7_000;
    let expected = report.body.usage.map(|usage| UsageReport { ago_ms, ..usage });
    assert_eq!(again, expected, "it was not taken for stored");
}

#[test]
fn what_comes_before_a_workers_first_tick_is_reported_as_of_then() {
    let (memory, mut ledger) = (Memory::default(), FakeLedger::with(100));
    let began = 1_300_000;
    let mut gate = gate_since(began, &memory, &json!({}));
    arrive(&mut gate, began + 1, 0, "/", &key());
    let resolutions = exchange_messages(&mut gate, &mut ledger, began + 2);
    let Outcome::Pass(Passage::Paid(paid)) = &resolutions[0].outcome else { panic!() };
    gate.finish(paid, &End::answered(200));
    runs(&mut gate, began + 50, began + 6_000);
    let report = gate.next_message(at(began + 6_000)).and_then(|message| message.body.usage).unwrap();
    assert!((5_900..6_100).contains(&report.ago_ms), "{} ms ago", report.ago_ms);
}

#[test]
fn the_end_of_an_epoch_does_not_delay_reporting_what_a_dead_worker_sold() {
    let memory = Memory::default();
    let rule = json!({"on_ledger_error": {"allow_up_to": "2"}});
    let (mut leader, mut doomed, mut ledger) =
        (gate(&memory, &rule), gate(&memory, &rule), FakeLedger::with(100));
    leader.tick(at(0));
    arrive(&mut doomed, 0, 0, "/", &key());
    let resolutions = exchange_messages(&mut doomed, &mut ledger, 0);
    let Outcome::Pass(Passage::Paid(paid)) = &resolutions[0].outcome else { panic!() };
    doomed.finish(paid, &End::answered(200));
    doomed.tick(at(300));
    // From here on the ledger is unreachable. The reported credit, with the time.
    let mut reported = Vec::new();
    let mut alone = |leader: &mut Gate<Memory>, mut other: Option<&mut Gate<Memory>>, from: u64, to: u64| {
        for ms in (from..to).step_by(500) {
            if let Some(other) = &mut other {
                assert_eq!(other.tick(at(ms)), []);
            }
            leader.tick(at(ms));
            while let Some(message) = leader.next_message(at(ms)) {
                reported.extend(message.body.entries.iter().map(|entry| (ms, entry.on_credit)));
                leader.answered(at(ms), message.id, None);
            }
        }
    };
    alone(&mut leader, Some(&mut doomed), 500, 20_500);
    // The lease has expired. A worker admits one request on credit and dies before it ends.
    assert_eq!(arrive(&mut doomed, 20_500, 1, "/", &key()), Arrival::Waits);
    let message = doomed.next_message(at(20_500)).unwrap();
    let resolutions = doomed.answered(at(20_501), message.id, None);
    assert!(
        matches!(&resolutions[0].outcome, Outcome::Pass(Passage::Paid(paid)) if paid.funding == FundingSource::Credit)
    );
    drop(doomed);

    alone(&mut leader, None, 20_501, ABANDONED_AFTER_MS + 30_000);

    let first = reported.iter().find(|(_, on_credit)| *on_credit == credits(1)).unwrap().0;
    assert!(
        (ABANDONED_AFTER_MS..ABANDONED_AFTER_MS + 5_000).contains(&first),
        "the last sale was before 3 s: {first}"
    );
}
