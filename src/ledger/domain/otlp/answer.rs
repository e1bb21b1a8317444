//! What a collector's answer means, by the OTLP specification: 429, 502, 503 and 504 are to be tried again, and nothing else.
//!
//! What must hold: no answer makes the ledger wait longer than [`MAX_AFTER`], or not at all before it tries again.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message as _;
use std::time::Duration;

/// The wait after the first failure; each time it doubles.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait that the ledger chooses.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest wait that a collector may ask for.
pub const MAX_AFTER: Duration = Duration::from_mins(5);
/// How much of what a collector says is logged, in characters.
const MAX_SAID: usize = 200;

/// What becomes of what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken, but for some records.
    Taken {
        /// How many were rejected.
        rejected: u64,
        /// What the collector says of that.
        said: String,
    },
    /// It is to be sent again, after a while.
    Again {
        /// After how long, if the collector says so.
        after: Option<Duration>,
        /// Why.
        why: String,
    },
    /// It was refused, for good.
    Refused {
        /// Why, and the cure.
        why: String,
    },
}

/// The message of an error, google.rpc.Status.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

/// What an answer means. Of metrics it is the same: the message has the same form.
pub fn verdict(status: u16, retry_after: Option<&str>, body: &[u8], now: Timestamp) -> Verdict {
    let said = || Status::decode(body).map(|status| shown(&status.message)).unwrap_or_default();
    let with = |text: String| match said() {
        said if said.is_empty() => text,
        said => format!("{text}: {said}"),
    };
    let cure = match status {
        200..=299 => {
            // What is no such message says nothing of rejected records.
            let answer = ExportLogsServiceResponse::decode(body).unwrap_or_default();
            let partial = answer.partial_success.unwrap_or_default();
            let rejected = u64::try_from(partial.rejected_log_records).unwrap_or(0);
            return Verdict::Taken { rejected, said: shown(&partial.error_message) };
        }
        429 | 502 | 503 | 504 => {
            let after = retry_after.and_then(|after| seconds(after, now));
            return Verdict::Again {
                after,
                why: with(format!("the collector answered with status {status}")),
            };
        }
        300..=399 => "it redirects; give the URL that it redirects to as --otlp-endpoint",
        401 | 403 => "give the header that it asks for in FAREGATE_OTLP_HEADERS",
        404 | 405 => {
            "see whether it takes OTLP over HTTP at the URL of --otlp-endpoint, to which /v1/logs and /v1/metrics are appended"
        }
        413 => "see whether it takes requests of 4 MiB",
        415 => "see whether it takes protobuf, and gzip; --otlp-compression none leaves gzip out",
        _ => "see its log",
    };
    Verdict::Refused { why: with(format!("the collector answered with status {status} ({cure})")) }
}

/// What `retry-after` asks for: seconds, or a date.
fn seconds(text: &str, now: Timestamp) -> Option<Duration> {
    let after = if let Ok(seconds) = text.trim().parse() {
        Duration::from_secs(seconds)
    } else {
        let date = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text.trim()).ok()?;
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(after.min(MAX_AFTER))
}

/// How long is waited after the `failures`-th failure in a row. A random number keeps ledgers from coming back together.
pub fn wait(failures: u32, after: Option<Duration>, jitter: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    let half = doubled / 2;
    let random = half.as_millis().saturating_mul(jitter.into()) / u128::from(u32::MAX);
    let chosen = half.saturating_add(Duration::from_millis(u64::try_from(random).unwrap_or(0)));
    after.map_or(chosen, |after| after.max(chosen).min(MAX_AFTER))
}

/// What a collector says, fit for a line of a log.
fn shown(text: &str) -> String {
    text.chars().take(MAX_SAID).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsPartialSuccess;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn of(status: u16, retry_after: Option<&str>, body: &[u8]) -> Verdict {
        verdict(status, retry_after, body, at("2026-12-01T10:00:00Z"))
    }

    #[test]
    fn only_four_statuses_are_tried_again() {
        for status in 100..=599 {
            let again = matches!(of(status, None, b""), Verdict::Again { .. });
            assert_eq!(again, [429, 502, 503, 504].contains(&status), "{status}");
        }
        assert_eq!(of(200, None, b""), Verdict::Taken { rejected: 0, said: String::new() });
        assert_eq!(of(202, None, b"{}"), Verdict::Taken { rejected: 0, said: String::new() });
        assert!(
            matches!(of(401, None, b""), Verdict::Refused { why } if why.contains("FAREGATE_OTLP_HEADERS"))
        );
    }

    #[test]
    fn a_collector_says_how_many_it_rejects_and_why_it_refuses() {
        let partial = ExportLogsPartialSuccess { rejected_log_records: 3, error_message: "too\nold".into() };
        let answer = ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        assert_eq!(of(200, None, &answer), Verdict::Taken { rejected: 3, said: "too old".into() });
        let partial = ExportLogsPartialSuccess { rejected_log_records: -3, error_message: String::new() };
        let answer = ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        assert_eq!(of(200, None, &answer), Verdict::Taken { rejected: 0, said: String::new() });
        let status = Status { message: "x".repeat(1_000) }.encode_to_vec();
        let Verdict::Refused { why } = of(400, None, &status) else { panic!("it is refused") };
        assert!(why.ends_with(&"x".repeat(MAX_SAID)) && why.len() < 400, "{why}");
    }

    #[test]
    fn a_collector_says_when_to_come_again_within_bounds() {
        let after = |text| match of(503, Some(text), b"") {
            Verdict::Again { after, .. } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("999999999"), Some(MAX_AFTER));
        assert_eq!(after("Tue, 01 Dec 2026 10:00:09 GMT"), Some(Duration::from_secs(9)));
        assert_eq!(after("Tue, 01 Dec 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!((after("-1"), after("soon")), (None, None));
    }

    #[test]
    fn waits_double_to_half_a_minute_and_are_never_nothing() {
        let most = |failures| wait(failures, None, u32::MAX).as_millis();
        assert_eq!([1, 2, 3, 6, 7, 4_000].map(most), [1_000, 2_000, 4_000, 30_000, 30_000, 30_000]);
        assert_eq!(wait(1, None, 0), Duration::from_millis(500));
        assert_eq!(wait(1, Some(Duration::ZERO), 0), Duration::from_millis(500));
        assert_eq!(wait(1, Some(Duration::from_secs(9)), 0), Duration::from_secs(9));
    }
}
