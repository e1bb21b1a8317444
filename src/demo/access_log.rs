//! Envoy's access log (one JSON object a line) as a readable line per request. Pure.

use faregate_client::screen::{printable, text};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

/// The line for people; what is no access log line stays as it is.
pub fn readable(line: &str, zone: &TimeZone) -> String {
    let Ok(entry @ Value::Object(_)) = serde_json::from_str::<Value>(line) else {
        return printable(line);
    };
    let time = text(&entry, "time").parse::<Timestamp>().map_or_else(
        |_| "--:--:--".to_owned(),
        |time| time.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
    );
    let request = format!("{} {}", text(&entry, "method"), text(&entry, "path"));
    let verdict = match (entry.get("gate").and_then(Value::as_str), text(&entry, "details")) {
        (Some(note), _) => verdict(note),
        (None, details) => match details.strip_prefix("faregate{").and_then(|own| own.strip_suffix('}')) {
            Some(own) => verdict(own),
            None => details,
        },
    };
    format!(
        "{time}  {}  {request:<28}  {verdict}  ({} ms)",
        text(&entry, "status"),
        text(&entry, "duration_ms")
    )
}

/// The gate's own words (`decision=admitted account=demo charge=1 …`, parted by spaces or commas) in short.
fn verdict(logfmt: &str) -> String {
    let member = |name: &str| {
        let pairs = logfmt.trim_matches('"').split([' ', ',']).filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find(|(key, value)| *key == name && !value.is_empty())
            .map(|(_, value)| printable(value))
    };
    let Some(decision) = member("decision") else {
        return printable(logfmt);
    };
    let mut words = vec![decision];
    words.extend(member("code"));
    words.extend(member("account"));
    words.extend(member("charge").map(|charge| format!("charge {charge}")));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_the_request_and_the_gate_decision() {
        let line = r#"{"time":"2026-11-20T18:22:46.123Z","method":"GET","path":"/hello","status":200,"duration_ms":3,
            "details":"via_upstream","gate":"decision=admitted account=demo key=key_1 charge=0.5 rule=default"}"#;
        assert_eq!(
            readable(line, &TimeZone::UTC),
            "18:22:46  200  GET /hello                    admitted demo charge 0.5  (3 ms)"
        );
    }

    #[test]
    fn a_refusal_line_shows_the_code_and_the_account() {
        let line = r#"{"time":null,"method":"GET","path":"/","status":402,"duration_ms":0,
            "details":"faregate{decision=insufficient_funds,account=demo,key=key_1}","gate":null}"#;
        let shown = readable(line, &TimeZone::UTC);
        assert!(shown.ends_with("  insufficient_funds demo  (0 ms)"), "{shown}");
    }

    #[test]
    fn a_request_rejected_before_the_gate_shows_envoys_reason() {
        let line = r#"{"time":null,"method":null,"path":"/a\u001b[2J","status":400,"duration_ms":0,"details":"codec_error","gate":null}"#;
        let shown = readable(line, &TimeZone::UTC);
        assert!(
            shown.contains("400") && shown.contains("codec_error") && !shown.contains('\u{1b}'),
            "{shown}"
        );
        assert_eq!(readable("not json", &TimeZone::UTC), "not json");
    }
}
