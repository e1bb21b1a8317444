//! Call records as OpenTelemetry's log records.
//!
//! Attributes have the names of the semantic conventions where there are some for what is meant, and else begin with `faregate.`.
//! What must hold: the same record has the same `log.record.uid` whenever it is sent.

use super::attributes::{nanoseconds, number, scope, text, text_value};
use crate::domain::call_log::{ReceivedBatch, StoredCall};
use faregate_protocol::calls::Decision;
use faregate_protocol::metering::{Quantities, UsageClass};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

/// The scope, and the name of each record as an event.
const SCOPE: &str = "faregate.calls";
const EVENT: &str = "faregate.call";

/// The request with which these batches are exported.
pub fn logs(resource: &Resource, batches: &[ReceivedBatch]) -> Vec<u8> {
    let records = batches.iter().flat_map(|batch| {
        (1_usize..).zip(&batch.calls).map(move |(n, call)| {
            let uid = format!("{}-{}-{n}", batch.sender, batch.number);
            record(batch, call, &uid)
        })
    });
    let scope_logs =
        ScopeLogs { scope: Some(scope(SCOPE)), log_records: records.collect(), schema_url: String::new() };
    let resource_logs = ResourceLogs {
        resource: Some(resource.clone()),
        scope_logs: vec![scope_logs],
        schema_url: String::new(),
    };
    ExportLogsServiceRequest { resource_logs: vec![resource_logs] }.encode_to_vec()
}

fn record(batch: &ReceivedBatch, call: &StoredCall, uid: &str) -> LogRecord {
    let (severity, severity_text) = match call.decision {
        Decision::Admitted | Decision::Released | Decision::Free => (SeverityNumber::Info, "INFO"),
        Decision::Stopped | Decision::Shadow | Decision::Refused => (SeverityNumber::Warn, "WARN"),
    };
    LogRecord {
        time_unix_nano: nanoseconds(call.at),
        observed_time_unix_nano: nanoseconds(batch.at),
        severity_number: severity.into(),
        severity_text: severity_text.to_owned(),
        event_name: EVENT.to_owned(),
        body: Some(text_value(&summary(call))),
        attributes: attributes(batch, call, uid),
        ..LogRecord::default()
    }
}

/// A record in a few words.
fn summary(call: &StoredCall) -> String {
    let decision = call.decision.as_str();
    call.code.map_or_else(|| decision.to_owned(), |code| format!("{decision}: {}", code.as_str()))
}

fn attributes(batch: &ReceivedBatch, call: &StoredCall, uid: &str) -> Vec<KeyValue> {
    let duration = i64::try_from(call.duration.as_millis()).unwrap_or(i64::MAX);
    let mut found = vec![
        text("log.record.uid", uid),
        text("faregate.gateway", &batch.gateway),
        text("faregate.rule", &call.rule),
        text("faregate.decision", call.decision.as_str()),
        number("faregate.charge_microcredits", call.charge.micros()),
        number("faregate.hold_microcredits", call.hold.micros()),
        number("faregate.duration_ms", duration),
    ];
    let texts = [
        ("faregate.account", call.account.as_deref()),
        ("faregate.key", call.key.as_deref()),
        ("faregate.item", call.item.as_deref()),
        ("faregate.code", call.code.map(faregate_protocol::RefusalCode::as_str)),
        ("faregate.basis", call.basis.map(faregate_protocol::exchange::Basis::as_str)),
        ("faregate.request_id", call.request_id.as_deref()),
    ];
    found.extend(texts.into_iter().filter_map(|(key, value)| Some(text(key, value?))));
    found.extend(call.status.map(|status| number("http.response.status_code", status.into())));
    for (class, quantity) in call.used.iter() {
        found.push(number(&format!("faregate.used.{}", class.name()), count(quantity)));
    }
    found.extend(of_model(call));
    found
}

/// What the conventions for generative AI name. Only a model uses tokens; their sums there have the cached ones and those of reasoning
/// in them.
fn of_model(call: &StoredCall) -> Vec<KeyValue> {
    let used = &call.used;
    if !used.iter().any(|(class, _)| class.is_tokens()) {
        return Vec::new();
    }
    let sum = |of: &dyn Fn(UsageClass) -> bool| sum(used, of);
    let is_output = |class: UsageClass| class.is_tokens() && !class.is_input();
    let is_read = |class| matches!(class, UsageClass::CacheRead | UsageClass::AudioCacheRead);
    let is_written = |class| {
        matches!(class, UsageClass::CacheWrite | UsageClass::CacheWrite1h | UsageClass::CacheWrite12h)
    };
    let mut found = vec![
        number("gen_ai.usage.input_tokens", count(used.input())),
        number("gen_ai.usage.output_tokens", sum(&is_output)),
    ];
    found.extend(call.item.as_deref().map(|model| text("gen_ai.request.model", model)));
    let cached = [
        ("gen_ai.usage.cache_read.input_tokens", sum(&is_read)),
        ("gen_ai.usage.cache_creation.input_tokens", sum(&is_written)),
    ];
    found.extend(
        cached.into_iter().filter(|(_, tokens)| *tokens > 0).map(|(key, tokens)| number(key, tokens)),
    );
    found
}

fn sum(used: &Quantities, of: &dyn Fn(UsageClass) -> bool) -> i64 {
    count(used.iter().filter(|(class, _)| of(*class)).fold(0, |sum, (_, n)| sum.saturating_add(n)))
}

fn count(quantity: u64) -> i64 {
    i64::try_from(quantity).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::otlp::resource;
    use faregate_protocol::calls::{Call, CallBatch};
    use faregate_protocol::exchange::Basis;
    use faregate_protocol::{Credits, RefusalCode};
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use std::collections::BTreeMap;

    fn call() -> Call<'static> {
        Call {
            at_ms: 1_000,
            duration_ms: 7,
            account: Some("acme".into()),
            key: Some("key_1".into()),
            rule: "chat".into(),
            item: Some("gpt-5".into()),
            decision: Decision::Admitted,
            code: None,
            charge: Credits::from_micros(250_000),
            hold: Credits::from_micros(1_000_000),
            basis: Some(Basis::Reported),
            used: Quantities::default(),
            status: Some(200),
            request_id: Some("r-1".into()),
        }
    }

    fn exported(calls: Vec<Call<'static>>) -> Vec<LogRecord> {
        let (gateway, sender) = ("gw".into(), "w".into());
        let batch = CallBatch { protocol: 1, gateway, sender, number: 3, now_ms: 3_500, lost: 0, calls };
        let batch = ReceivedBatch::new(batch, "2026-12-01T10:00:00Z".parse().unwrap());
        let bytes = logs(&resource("i"), &[batch]);
        let mut request = ExportLogsServiceRequest::decode(bytes.as_slice()).unwrap();
        let mut logs = request.resource_logs.remove(0);
        assert_eq!(logs.resource, Some(resource("i")));
        assert_eq!(logs.scope_logs.len(), 1);
        logs.scope_logs.remove(0).log_records
    }

    fn attributes_of(record: &LogRecord) -> BTreeMap<&str, String> {
        let shown = |value: &Value| match value {
            Value::StringValue(text) => text.clone(),
            Value::IntValue(number) => number.to_string(),
            other => panic!("{other:?}"),
        };
        let pair = |pair: &KeyValue| shown(pair.value.as_ref().unwrap().value.as_ref().unwrap());
        record.attributes.iter().map(|attribute| (attribute.key.as_str(), pair(attribute))).collect()
    }

    #[test]
    fn a_record_leaves_with_what_it_has_and_no_more() {
        let mut used = Quantities::default();
        for (class, quantity) in [
            (UsageClass::Input, 10),
            (UsageClass::CacheRead, 5),
            (UsageClass::CacheWrite1h, 2),
            (UsageClass::Output, 7),
            (UsageClass::Reasoning, 3),
            (UsageClass::Search, 1),
        ] {
            used.set(class, quantity);
        }
        let records = exported(vec![Call { used, ..call() }]);
        let record = &records[0];
        let at = |text: &str| nanoseconds(text.parse().unwrap());
        assert_eq!(record.time_unix_nano, at("2026-12-01T09:59:57.5Z"));
        assert_eq!(record.observed_time_unix_nano, at("2026-12-01T10:00:00Z"));
        assert_eq!((record.severity_number, record.severity_text.as_str()), (9, "INFO"));
        assert_eq!(
            (record.event_name.as_str(), &record.body),
            ("faregate.call", &Some(text_value("admitted")))
        );
        let expected = [
            ("faregate.account", "acme"),
            ("faregate.basis", "reported"),
            ("faregate.charge_microcredits", "250000"),
            ("faregate.decision", "admitted"),
            ("faregate.duration_ms", "7"),
            ("faregate.gateway", "gw"),
            ("faregate.hold_microcredits", "1000000"),
            ("faregate.item", "gpt-5"),
            ("faregate.key", "key_1"),
            ("faregate.request_id", "r-1"),
            ("faregate.rule", "chat"),
            ("faregate.used.cache_read", "5"),
            ("faregate.used.cache_write_1h", "2"),
            ("faregate.used.input", "10"),
            ("faregate.used.output", "7"),
            ("faregate.used.reasoning", "3"),
            ("faregate.used.search", "1"),
            ("gen_ai.request.model", "gpt-5"),
            ("gen_ai.usage.cache_creation.input_tokens", "2"),
            ("gen_ai.usage.cache_read.input_tokens", "5"),
            ("gen_ai.usage.input_tokens", "17"),
            ("gen_ai.usage.output_tokens", "10"),
            ("http.response.status_code", "200"),
            ("log.record.uid", "w-3-1"),
        ];
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
        assert_eq!(attributes_of(record), expected);
    }

    #[test]
    fn a_refusal_is_a_warning_and_what_is_unknown_is_left_out() {
        let refused = Call {
            account: None,
            key: None,
            item: None,
            decision: Decision::Refused,
            code: Some(RefusalCode::MissingKey),
            basis: None,
            status: None,
            request_id: None,
            ..call()
        };
        let records = exported(vec![call(), refused]);
        assert_eq!((records[1].severity_number, records[1].severity_text.as_str()), (13, "WARN"));
        assert_eq!(records[1].body, Some(text_value("refused: missing_key")));
        let attributes = attributes_of(&records[1]);
        assert_eq!(
            (attributes["log.record.uid"].as_str(), attributes["faregate.code"].as_str()),
            ("w-3-2", "missing_key")
        );
        for left_out in [
            "faregate.account",
            "faregate.key",
            "faregate.item",
            "http.response.status_code",
            "gen_ai.request.model",
        ] {
            assert!(!attributes.contains_key(left_out), "{left_out}");
        }
        assert!(!attributes_of(&records[0]).contains_key("gen_ai.request.model"), "a tool is no model");
    }
}
