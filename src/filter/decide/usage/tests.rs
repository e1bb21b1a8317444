//! Usage lines: what a report and a line may hold, and when it is sent.

use super::*;
use serde_json::json;

mod metered;

#[test]
fn large_usage_is_split_into_lines_and_an_oversized_price_is_rejected() {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "default": {"price": "1"}
    });
    let settings = Settings::from_value(&config).unwrap();
    let mut buffer = UsageBuffer::new("b".into());
    let most = MAX_LINE_CREDITS;
    for price in [most, Credits::from_micros(1), most] {
        assert!(buffer.count(Moment::ZERO, "key_1", 0, ChargeOutcome::Kept(price)));
    }
    let more = ChargeOutcome::Kept(most.saturating_add(Credits::from_micros(1)));
    assert!(!buffer.count(Moment::ZERO, "key_1", 0, more));
    let lines = buffer.begin_send(Moment::ZERO, &settings).unwrap().lines;
    assert!(lines.iter().all(|line| line.credits <= most), "{lines:?}");
    let sum = lines.iter().fold(Credits::ZERO, |sum, line| sum.saturating_add(line.credits));
    assert_eq!((lines.len(), sum.micros()), (3, 2 * most.micros() + 1));
}

#[test]
fn handed_over_usage_is_limited_to_the_size_of_one_buffer() {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "default": {"price": "1"}
    });
    let settings = Settings::from_value(&config).unwrap();
    let (mut successor, mut gone) = (UsageBuffer::new("heir".into()), UsageBuffer::new("gone".into()));
    for key in 0..MAX_LINES {
        assert!(gone.count(Moment::ZERO, &format!("key_{key}"), 0, ChargeOutcome::Released));
    }
    let reports = gone.leave(Moment::ZERO, &settings);
    assert!(reports.iter().all(|report| successor.adopt(Moment::ZERO, report.clone())));
    assert!(!successor.adopt(Moment::ZERO, reports[0].clone()), "it is full");
    let sent = successor.begin_send(Moment::ZERO, &settings).unwrap();
    successor.finish_send(Moment::ZERO, Some(sent.seq), false);
    assert!(successor.adopt(Moment::ZERO, reports[0].clone()), "there is room for as much as was sent");
    assert!(!successor.adopt(Moment::ZERO, reports[0].clone()));
}

#[test]
fn sales_and_shadow_refusals_share_the_limits_of_report_and_buffer() {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}],
        "default": {"price": "1"}
    });
    let settings = Settings::from_value(&config).unwrap();
    let mut buffer = UsageBuffer::new("b".into());
    let one = ChargeOutcome::Kept(Credits::from_micros(1));
    let watched = ChargeOutcome::Shadow(RefusalCode::RateLimited);
    for key in 0..MAX_LINES / 2 {
        assert!(buffer.count(Moment::ZERO, &format!("key_{key}"), 0, one));
        assert!(buffer.count(Moment::ZERO, &format!("key_{key}"), 0, watched));
    }
    assert!(
        !buffer.count(Moment::ZERO, UNKNOWN_CALLER, 0, ChargeOutcome::Shadow(RefusalCode::MissingKey)),
        "it is full"
    );
    assert!(buffer.count(Moment::ZERO, "key_7", 0, watched), "what has its line goes on");

    let (mut sold, mut seen) = (0, 0);
    while let Some(report) = buffer.begin_send(Moment::ZERO, &settings) {
        assert!(report.lines.len() + report.shadow.len() <= MAX_USAGE_LINES);
        sold += report.lines.iter().map(|line| line.requests).sum::<u64>();
        seen += report.shadow.iter().map(|line| line.requests).sum::<u64>();
        buffer.finish_send(Moment::ZERO, Some(report.seq), false);
    }
    assert_eq!((sold, seen), (10_000, 10_001));
    assert!(buffer.is_empty());
}

#[test]
fn a_report_is_resent_under_its_number_until_it_is_acknowledged() {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "default": {"price": "1"}
    });
    let settings = Settings::from_value(&config).unwrap();
    let mut buffer = UsageBuffer::new("b".into());
    let one = ChargeOutcome::Kept(Credits::from_micros(1));
    assert!(buffer.count(Moment::ZERO, "key_1", 0, one));
    let first = buffer.begin_send(Moment::ZERO, &settings).unwrap();
    assert_eq!(first.seq, 1);
    assert!(buffer.count(Moment::ZERO, "key_1", 0, one));
    for stored in [None, Some(0)] {
        assert_eq!(buffer.begin_send(Moment::ZERO, &settings), None, "one is under way");
        buffer.finish_send(Moment::ZERO, stored, false);
        assert_eq!(
            buffer.begin_send(Moment::ZERO, &settings).as_ref(),
            Some(&first),
            "the ledger has {stored:?}"
        );
    }

    buffer.finish_send(Moment::ZERO, Some(1), false);

    let second = buffer.begin_send(Moment::ZERO, &settings).unwrap();
    assert_eq!((second.seq, second.lines[0].requests), (2, 1), "what was sold since");
    buffer.finish_send(Moment::ZERO, Some(2), false);
    assert!(buffer.is_empty());
}

#[test]
fn a_report_is_due_when_it_is_old_or_full_and_none_is_in_flight() {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "default": {"price": "1"}
    });
    let settings = Settings::from_value(&config).unwrap();
    let (mut buffer, start) = (UsageBuffer::new("b".into()), Moment::from_nanos(1));
    let [soon, later] = [MAX_REPORT_AGE_MS - 1, MAX_REPORT_AGE_MS].map(|ms| start.plus_millis(ms));
    let sell = |buffer: &mut UsageBuffer, key: usize| {
        assert!(buffer.count(start, &format!("key_{key}"), 0, ChargeOutcome::Kept(Credits::from_micros(1))));
    };
    assert!(!buffer.is_due(later), "there is nothing to say");
    sell(&mut buffer, 0);
    assert_eq!([soon, later].map(|now| buffer.is_due(now)), [false, true]);
    (1..MAX_USAGE_LINES).for_each(|key| sell(&mut buffer, key));
    assert!(buffer.is_due(start), "it is full");

    assert_eq!(buffer.begin_send(Moment::ZERO, &settings).unwrap().lines.len(), MAX_USAGE_LINES);

    sell(&mut buffer, 0);
    assert!(!buffer.is_due(later), "one is under way");
    buffer.finish_send(start, Some(1), false);
    assert_eq!([soon, later].map(|now| buffer.is_due(now)), [false, true], "there is room again");
}

#[test]
fn a_usage_line_stops_counting_at_the_ledgers_limit() {
    let (mut buffer, mut handle) = (UsageBuffer::new("b".into()), Handle::default());
    let one = ChargeOutcome::Kept(Credits::from_micros(1));
    assert!(buffer.count_at(Moment::ZERO, "key_1", &mut handle, 0, one));
    buffer.lines.at_mut(handle).unwrap().sold[0].requests = MAX_LINE_COUNT - 1;
    for _ in 0..2 {
        assert!(buffer.count_at(Moment::ZERO, "key_1", &mut handle, 0, one));
    }
    let requests: Vec<u64> = buffer.lines.at(handle).unwrap().sold.iter().map(|line| line.requests).collect();
    assert_eq!(requests, [MAX_LINE_COUNT, 1]);
}

#[test]
fn while_the_ledger_is_away_each_report_is_about_a_short_time() {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}],
        "default": {"price": "1", "product": "gold"}
    });
    let settings = Settings::from_value(&config).unwrap();
    let (mut buffer, start) = (UsageBuffer::new("b".into()), Moment::from_nanos(1));
    let at = |seconds: u64| start.plus_millis(seconds * 1_000);
    let one = ChargeOutcome::Kept(Credits::from_micros(1));
    for second in 0..70 {
        buffer.close(at(second), &settings);
        assert!(buffer.count(at(second), "key_1", 0, one));
    }
    let mut sent = Vec::new();
    while let Some(report) = buffer.begin_send(at(100), &settings) {
        assert_eq!(report.lines[0].product.as_deref(), Some("gold"));
        sent.push((report.seq, report.ago_ms, report.lines[0].requests));
        buffer.finish_send(at(100), Some(report.seq), false);
    }
    assert_eq!(sent, [(1, 100_000, 30), (2, 70_000, 30), (3, 40_000, 10)]);
}

#[test]
fn a_long_outage_with_many_keys_is_reported_in_longer_spans() {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "default": {"price": "1"}
    });
    let settings = Settings::from_value(&config).unwrap();
    let mut buffer = UsageBuffer::new("b".into());
    let one = ChargeOutcome::Kept(Credits::from_micros(1));
    for half_minute in 0..100 {
        let now = Moment::from_nanos(1).plus_millis(half_minute * SPAN_MS);
        buffer.close(now, &settings);
        for key in 0..1_000 {
            assert!(buffer.count(now, &format!("key_{key}"), 0, one), "nothing is dropped");
        }
    }
    assert!(buffer.closed_lines <= MAX_LINES && buffer.count <= 1_000, "{}", buffer.closed_lines);
}

#[test]
fn refusals_never_take_the_room_of_sales() {
    let mut buffer = UsageBuffer::new("b".into());
    let refused = ChargeOutcome::Refused(RefusalCode::InsufficientFunds);
    let fitting = (0..MAX_LINES).filter(|key| buffer.count(Moment::ZERO, &format!("key_{key}"), 0, refused));
    assert_eq!(fitting.count(), MAX_REFUSAL_LINES);
    let one = ChargeOutcome::Kept(Credits::from_micros(1));
    for key in 0..MAX_REFUSAL_LINES {
        assert!(buffer.count(Moment::ZERO, &format!("payer_{key}"), 0, one));
    }
}
