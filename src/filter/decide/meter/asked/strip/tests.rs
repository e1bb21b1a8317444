//! Streams, cut anywhere.

use super::*;
use proptest::prelude::*;

const USAGE: &str = r#"data: {"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":1,"completion_tokens_details":{"a":[{}]}}}"#;

/// The stream in chunks that end at these places.
fn stripped(stream: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut strip = Strip::default();
    let mut out = Vec::new();
    let mut at = 0;
    for cut in cuts.iter().copied().chain([stream.len()]) {
        out.extend(strip.push(&stream[at..cut.max(at)]));
        at = cut.max(at);
    }
    out.extend(strip.finish());
    out
}

#[test]
fn only_usage_without_choices_is_taken_out() {
    for (event, is_out) in [
        (USAGE, true),
        (r#"data:{"usage":{},"choices":[ ]}"#, true),
        (r#"data: {"ch\u006fices":[],"usage":{}}"#, true),
        (r#"data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}"#, false),
        (r#"data: {"choices":[],"usage":null}"#, false),
        (r#"data: {"choices":[],"prompt_filter_results":[]}"#, false),
        (r#"data: {"usage":{}}"#, false),
        (r#"data: {"choices":null,"usage":{}}"#, false),
        (r#"data: {"x":{"choices":[],"usage":{}}}"#, false),
        (r#"data: [{"choices":[],"usage":{}}]"#, false),
        (r#"data: {"choices":[],"choices":[],"usage":{}}"#, false),
        (r#"data: {"choices":[],"usage":{}"#, false),
        (r#"data: {"choices":[],"usage":{}} x"#, false),
        (r#"datas: {"choices":[],"usage":{}}"#, false),
        ("id: 1\ndata: {\"choices\":[],\"usage\":{}}", false),
        ("data: {\"choices\":[],\ndata: \"usage\":{}}", false),
        ("data: [DONE]", false),
        (": ping", false),
        ("data", false),
    ] {
        let stream = format!("data: {{}}\n\n{event}\n\ndata: [DONE]\n\n");
        let expected = if is_out { "data: {}\n\ndata: [DONE]\n\n" } else { &stream };
        assert_eq!(stripped(stream.as_bytes(), &[]), expected.as_bytes(), "{event}");
    }
}

#[test]
fn only_the_incomplete_event_is_held_back() {
    let mut strip = Strip::default();
    assert_eq!(strip.push(b"data: 1\n\ndata: 2"), b"data: 1\n\n");
    assert_eq!(strip.push(b"\n"), b"");
    assert_eq!(strip.push(b"\ndata: 3"), b"data: 2\n\n");
    assert_eq!(strip.finish(), b"data: 3");
    assert_eq!(strip.finish(), b"");
}

#[test]
fn an_event_that_is_too_long_passes_as_it_comes() {
    let long =
        format!("data: {{\"x\":\"{}\",\"choices\":[],\"usage\":{{}}}}\n\n", "a".repeat(MAX_EVENT_BYTES));
    let mut strip = Strip::default();
    let (first, rest) = long.as_bytes().split_at(MAX_EVENT_BYTES);
    assert_eq!(strip.push(first), b"");
    assert_eq!(strip.push(&rest[..1]), [first, &rest[..1]].concat());
    assert_eq!(strip.push(&rest[1..]), rest[1..]);
    assert_eq!(strip.push(format!("{USAGE}\n\n").as_bytes()), b"");
    assert_eq!(stripped(long.as_bytes(), &[]), long.as_bytes());
}

#[test]
fn the_longest_event_that_is_looked_at_is_the_same_however_it_is_cut() {
    for length in [MAX_EVENT_BYTES - 1, MAX_EVENT_BYTES, MAX_EVENT_BYTES + 1] {
        let frame = "data: {\"x\":\"\",\"choices\":[],\"usage\":{}}\r\r".len();
        let stream = format!(
            "data: {{\"x\":\"{}\",\"choices\":[],\"usage\":{{}}}}\r\r\ndata: 1\n\n",
            "a".repeat(length - frame)
        );
        let whole = stripped(stream.as_bytes(), &[]);
        assert_eq!(whole == b"data: 1\n\n", length <= MAX_EVENT_BYTES);
        for cut in [1, length - 2, length - 1, length, length + 1] {
            assert_eq!(stripped(stream.as_bytes(), &[cut]), whole, "{length} {cut}");
        }
    }
}

/// An event without its end.
fn any_event() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(USAGE.to_owned()),
        Just(USAGE.to_owned()),
        Just("data: {\"choices\":[{\"delta\":{\"content\":\"é\"}}],\"usage\":null}".to_owned()),
        Just("data: [DONE]".to_owned()),
        Just(": ping".to_owned()),
        Just("event: x".to_owned()),
        "data: [a-z{}\":]{0,12}".prop_map(|text| text),
    ]
}

proptest! {
    #[test]
    fn cuts_make_no_difference(
        events in prop::collection::vec((any_event(), 0..3_usize, 0..3_usize), 0..6),
        rest in "[a\n\r]{0,3}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let ends = ["\n", "\r", "\r\n"];
        let (mut stream, mut expected) = (String::new(), String::new());
        for (event, first, second) in events {
            // A line feed behind a return belongs to it, so these two would end one line only.
            let second = if first == 1 && second == 0 { 1 } else { second };
            let whole = format!("{event}{}{}", ends[first], ends[second]);
            stream += &whole;
            if event != USAGE {
                expected += &whole;
            }
        }
        // The same goes for one at the beginning of what follows.
        let rest = rest.trim_start_matches(['\n', '\r']);
        stream += rest;
        expected += rest;
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(String::from_utf8(stripped(stream.as_bytes(), &cuts)).unwrap(), expected);
    }

    #[test]
    fn any_bytes_pass_the_same_however_they_are_cut(
        stream in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..60),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(stripped(&stream, &cuts), stream);
    }
}
