use super::*;
use crate::decide::meter::found::{Sink, Value};
use crate::decide::meter::node::Node;
use crate::decide::meter::paths::TREE;
use crate::decide::meter::scan::Scanner;

mod compared;

/// What one number of a usage object is taken for.
fn number(text: &str) -> Option<u64> {
    usage(Dialect::OpenAi, &format!(r#"{{"usage":{{"completion_tokens":1,"prompt_tokens":{text}}}}}"#))
        .map(|used| used.get(UsageClass::Input))
}

#[test]
fn only_whole_numbers_from_zero_on_count() {
    for (text, expected) in [
        ("12", 12),
        (" 12 ", 12),
        ("12\n", 12),
        ("12.0", 12),
        ("12.000", 12),
        ("0", 0),
        ("999999999999", 999_999_999_999),
        ("9999999999999", 1_000_000_000_000),
        ("18446744073709551615", 1_000_000_000_000),
        // Absent.
        ("18446744073709551616", 0),
        ("99999999999999999999999999999999999999", 0),
        ("-12", 0),
        ("-0.5", 0),
        ("12.5", 0),
        ("12.0001", 0),
        ("1e3", 0),
        ("1E-3", 0),
        ("\"12\"", 0),
        ("null", 0),
        ("true", 0),
        ("false", 0),
        ("[12]", 0),
        ("{\"prompt_tokens\":12}", 0),
        ("12x", 0),
    ] {
        assert_eq!(number(text), Some(expected), "{text}");
    }
}

#[test]
fn an_absent_number_leaves_the_one_before() {
    for later in ["-1", "1.5", "null", "\"3\"", "1e9", "[]"] {
        let body = format!(
            "data: {{\"usage\":{{\"prompt_tokens\":5}}}}\n\ndata: {{\"usage\":{{\"prompt_tokens\":{later}}}}}\n\n"
        );
        let report = read(Dialect::OpenAi, Framing::Sse, body.as_bytes());
        assert_eq!(report.quantities, used(&[(UsageClass::Input, 5)]), "{later}");
    }
}

#[test]
fn an_explicit_zero_is_a_zero() {
    let body = "data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7}}\n\n\
                data: {\"usage\":{\"prompt_tokens\":0}}\n\n";
    let report = read(Dialect::OpenAi, Framing::Sse, body.as_bytes());
    assert_eq!(report.quantities, used(&[(UsageClass::Output, 7)]));
    assert_eq!(usage(Dialect::OpenAi, r#"{"usage":{"prompt_tokens":0}}"#), used(&[]));
    assert_eq!(usage(Dialect::OpenAi, r#"{"usage":{"prompt_tokens":null}}"#), None);
    assert_eq!(usage(Dialect::OpenAi, r#"{"usage":{}}"#), None);
    assert_eq!(usage(Dialect::OpenAi, r#"{"usage":null}"#), None);
}

#[test]
fn of_a_member_that_is_there_twice_the_last_counts() {
    let twice =
        r#"{"usage":{"prompt_tokens":5,"prompt_tokens":6,"completion_tokens":7,"completion_tokens":null}}"#;
    assert_eq!(usage(Dialect::OpenAi, twice), used(&[(UsageClass::Input, 6)]));
    let twice = r#"{"usage":{"prompt_tokens":5,"completion_tokens":7},"usage":{"prompt_tokens":6}}"#;
    assert_eq!(usage(Dialect::OpenAi, twice), used(&[(UsageClass::Input, 6)]));
    let twice = r#"{"usage":{"prompt_tokens":5},"usage":null}"#;
    assert_eq!(usage(Dialect::OpenAi, twice), None);
}

#[test]
fn keys_may_have_escapes() {
    let escaped =
        r#"{"\u0075s\u0061ge":{"prompt\u005ftokens":5,"a\"b":{"prompt_tokens":6},"\ud83d\ude00":7}}"#;
    assert_eq!(usage(Dialect::OpenAi, escaped), used(&[(UsageClass::Input, 5)]));
    let others = r#"{"usage\u0000":{"prompt_tokens":5},"usage\\":{"prompt_tokens":5}}"#;
    assert_eq!(usage(Dialect::OpenAi, others), None);
}

#[test]
fn names_of_models_are_decoded_and_bounded() {
    let model =
        |text: &str| read(Dialect::OpenAi, Framing::Json, format!(r#"{{"model":{text}}}"#).as_bytes()).model;
    assert_eq!(model(r#""gpt-5""#).as_deref(), Some("gpt-5"));
    assert_eq!(model(r#""a\/b\u00e9\"\n""#).as_deref(), Some("a/bé\"\n"));
    assert_eq!(model(&format!("\"{}\"", "x".repeat(63))), Some("x".repeat(63)));
    assert_eq!(model(&format!("\"{}\"", "x".repeat(64))), None);
    assert_eq!(model(&format!("\"{}\"", "x".repeat(300))), None);
    assert_eq!(model("null"), None);
    assert_eq!(model("7"), None);
    assert_eq!(model(r#"{"model":"x"}"#), None);
    assert_eq!(model(r#""""#), None);
}

#[test]
fn text_is_counted_as_it_is_without_its_escapes() {
    for (text, bytes) in [
        (r#""four""#, 4),
        (r#""""#, 0),
        (r#""\n\"\\\/""#, 4),
        (r#""é\u00e9""#, 4),
        (r#""€\u20ac""#, 6),
        (r#""😀\ud83d\ude00""#, 8),
        ("null", 0),
    ] {
        let body = format!(r#"{{"choices":[{{"delta":{{"role":"assistant","content":{text}}}}}]}}"#);
        let report = read(Dialect::OpenAi, Framing::Json, body.as_bytes());
        assert_eq!(report.output_bytes, bytes, "{text}");
    }
}

#[test]
fn arguments_count_as_output_also_when_they_are_an_object() {
    let report = |arguments: &str| {
        let body = format!(r#"{{"message":{{"tool_calls":[{{"function":{{"arguments":{arguments}}}}}]}}}}"#);
        read(Dialect::Ollama, Framing::Json, body.as_bytes()).output_bytes
    };
    assert_eq!(report(r#""{\"a\":1}""#), 7);
    for object in [r#"{"a":1}"#, r#"{"a":[{"b":"}\"]"}]}"#, "[]", "[ 1, {} ]"] {
        assert_eq!(report(object), u64::try_from(object.len()).unwrap(), "{object}");
    }
}

#[test]
fn depth_costs_nothing() {
    for deep in ["[".repeat(100_000), "{\"usage\":".repeat(100_000), "[{\"choices\":".repeat(100_000)] {
        assert_eq!(read(Dialect::Auto, Framing::Json, deep.as_bytes()).quantities, None);
    }
    let close = |open: &str, end: &str| format!("{}1{}", open.repeat(5_000), end.repeat(5_000));
    let body = format!(
        r#"{{"x":{},"choices":{},"usage":{{"prompt_tokens":5}}}}"#,
        close("[", "]"),
        close("[{\"delta\":", "}]")
    );
    assert_eq!(usage(Dialect::OpenAi, &body), used(&[(UsageClass::Input, 5)]));
}

/// Writes down what a scanner finds.
#[derive(Default)]
struct Log(Vec<String>);

impl Log {
    /// Bytes of output in one entry where they come in pieces; without how many, if that isn't to be exact.
    fn settled(&self, exact: bool) -> Vec<String> {
        let mut settled: Vec<String> = Vec::new();
        let mut bytes = 0u64;
        for entry in self.0.iter().map(String::as_str).chain([""]) {
            if let Ok(more) = entry.parse::<u64>() {
                bytes += more;
                continue;
            }
            settled.extend((bytes > 0).then(|| if exact { bytes.to_string() } else { "some".to_owned() }));
            settled.push(entry.to_owned());
            bytes = 0;
        }
        settled
    }
}

impl Sink for Log {
    fn value(&mut self, node: &'static Node, value: Value<'_>) {
        let value = match value {
            Value::Text(text) => format!("\"{}\"", str::from_utf8(text).unwrap()),
            other => format!("{other:?}"),
        };
        self.0.push(format!("{}: {value}", node.key));
    }
    fn closed(&mut self, node: &'static Node) {
        self.0.push(format!("{} is over", node.key));
    }
    fn output(&mut self, bytes: usize) {
        self.0.push(format!("{bytes}"));
    }
    fn document(&mut self) {
        self.0.push("document".to_owned());
    }
}

#[test]
fn values_are_reported_in_order() {
    let mut scanner = Scanner::new(&TREE, u8::MAX);
    let mut log = Log::default();
    scanner.feed(br#"[{"type":"x","delta":"yes","done":false},{"usage":{"prompt_tokens":1.5}}] "#, &mut log);
    let expected = [
        "type: \"x\"",
        "3",
        "done: Bool(false)",
        "document",
        "usage: Open",
        "prompt_tokens: Above(1)",
        "usage is over",
        "document",
    ];
    assert_eq!(log.0, expected);
    assert!(scanner.is_outside());
}
