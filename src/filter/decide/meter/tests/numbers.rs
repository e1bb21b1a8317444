use super::always::{FRAMINGS, pieces};
use super::{events, frames};
use crate::decide::meter::framing::Framing;
use crate::decide::meter::number::NumberReader;
use crate::decide::meter::pointer::Pointer;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

fn in_pieces<'a>(pointer: &str, framing: Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<u64> {
    let mut reader = NumberReader::new(&Pointer::parse(pointer).unwrap(), framing);
    for piece in pieces {
        reader.feed(piece);
    }
    reader.finish()
}

fn read(pointer: &str, framing: Framing, body: &str) -> Option<u64> {
    in_pieces(pointer, framing, [body.as_bytes()])
}

/// The whole number at a place of a document.
fn whole(pointer: &str, body: &str) -> Option<u64> {
    read(pointer, Framing::Json, body).map(|number| {
        assert_eq!(number % 1_000_000, 0, "{body}");
        number / 1_000_000
    })
}

/// Documents, places in them, and the numbers there.
const SAMPLES: &[(&str, &str, Option<u64>)] = &[
    ("/rows", r#"{"rows":5}"#, Some(5)),
    ("/rows", r#"{"a":[{"rows":1},"rows",{"rows":2}],"b":{"rows":3},"rows":5,"c":"\"rows\":6"}"#, Some(5)),
    ("/meta/rows", "{\r\n\t\"meta\" : { \"x\" : [ 1 , 2 ] , \"rows\" : 5 } , \"y\" : 6\n}\n", Some(5)),
    ("/meta/rows", r#"{"meta":{"meta":{"rows":1},"rows":5,"rowss":2,"row":3},"rows":4}"#, Some(5)),
    ("/meta/rows", r#"{"meta":{"rows":{"rows":5}}}"#, None),
    ("/meta/rows", r#"{"meta":[{"rows":5}]}"#, None),
    ("/meta/rows", r#"{"x":{"meta":{"rows":5}}}"#, None),
    ("/meta/rows", r#"{"meta":{"rows":[5]}}"#, None),
    ("/meta/rows", r#"{"meta":"{\"rows\":5}"}"#, None),
    ("/meta/rows", r#"{"meta":7}"#, None),
    ("/items/0/count", r#"{"items":[{"count":5},{"count":6}]}"#, Some(5)),
    ("/items/1/count", r#"{"items":[{"count":5},{"count":6},{"count":7}]}"#, Some(6)),
    ("/items/2/count", r#"{"items":["a,b",[1,{"count":4}],{"count":7},{"count":8}]}"#, Some(7)),
    ("/items/2/count", r#"{"items":[null,-1.5,{"count":7}]}"#, Some(7)),
    ("/items/2/count", r#"{"items":[{"count":5},{"count":6}]}"#, None),
    ("/items/0/count", r#"{"items":[]}"#, None),
    ("/items/0/count", r#"{"items":{"0":{"count":5}}}"#, Some(5)),
    ("/items/00/count", r#"{"items":[{"count":5}]}"#, None),
    ("/items/-/count", r#"{"items":[{"count":5}]}"#, None),
    ("/items/-/count", r#"{"items":{"-":{"count":5}}}"#, Some(5)),
    ("/*/count", r#"{"x":{"count":1},"*":{"count":5},"y":[{"count":2}]}"#, Some(5)),
    ("/0", "[5,6]", Some(5)),
    ("/1", "[5,6]", Some(6)),
    ("/1/0", "[[1,2],[3,4],[5]]", Some(3)),
    ("/0/1", "[[1,2],[3,4],[5]]", Some(2)),
    ("/0/1", "[[1],2,[3,4]]", None),
    ("/0/2", "[[1,2],[3,4,5]]", None),
    ("/0/2", "[[1,2,3,4],[5,6,7]]", Some(3)),
    ("/a~1b/m~0n", r#"{"a/b":{"m~n":5}}"#, Some(5)),
    ("/a~1b/m~0n", r#"{"a\/b":{"m\u007en":5}}"#, Some(5)),
    ("/", r#"{"":5}"#, Some(5)),
    ("//", r#"{"":{"":5}}"#, Some(5)),
    ("/ro w\"s\n", r#"{"ro w\"s\n":5}"#, Some(5)),
    ("/rows", r#"{"ro\u0077s":5}"#, Some(5)),
    ("/rows", r#"{"\u0072\u006F\u0077\u0073":5}"#, Some(5)),
    ("/rows", r#"{"ro\u0077\u0073x":5}"#, None),
    ("/rows", r#"{"rows\u0000":5,"\u0000rows":6,"ro\u00wws":7}"#, None),
    ("/größe/😀", r#"{"größe":{"😀":5}}"#, Some(5)),
    ("/größe/😀", r#"{"gr\u00f6\u00dfe":{"😀":5}}"#, Some(5)),
    ("/rows", r#"{"ro\u00":1,"ro\u0":2,"rows":5}"#, Some(5)),
    // Deliberately: half of a pair isn't decoded.
    ("/😀", r#"{"\ud83d\ude00":5}"#, None),
    ("/a/b/c/d/e/f/g/h", r#"{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":5}}}}}}}}"#, Some(5)),
    ("/0/0/0/0/0/0/0/0", "[[[[[[[[5]]]]]]]]", Some(5)),
    ("/0/0/0/0/0/0/0/0", "[[[[[[[[[5]]]]]]]]]", None),
    // The last of two counts.
    ("/rows", r#"{"rows":5,"rows":6}"#, Some(6)),
    ("/rows", r#"{"rows":5,"r\u006fws":6}"#, Some(6)),
    ("/rows", r#"{"rows":5,"rows":null}"#, None),
    ("/rows", r#"{"rows":5,"rows":{}}"#, None),
    ("/meta/rows", r#"{"meta":{"rows":5},"meta":{"rows":6}}"#, Some(6)),
    ("/meta/rows", r#"{"meta":{"rows":5},"meta":{}}"#, None),
    ("/meta/rows", r#"{"meta":{"rows":5},"meta":7}"#, None),
    ("/meta/rows", r#"{"meta":{"rows":5},"metas":{"rows":6}}"#, Some(5)),
    ("/items/0/count", r#"{"items":[{"count":5}],"items":[]}"#, None),
    // A document that is cut, or isn't one.
    ("/rows", r#"{"rows":5"#, None),
    ("/rows", r#"{"rows":5,"x":[1,2"#, None),
    ("/rows", "", None),
    ("/rows", "null", None),
    ("/rows", "5", None),
    ("/rows", r#""rows":5"#, None),
    ("/rows", "]}5,\"rows\":5", None),
    // Several.
    ("/rows", r#"{"rows":5}{"rows":6}{"x":7}"#, Some(6)),
    ("/rows", r#"{"rows":5} {"rows":6"#, Some(5)),
    ("/rows", r#"{"rows":5}{"rows":null}"#, Some(5)),
];

#[test]
fn the_number_at_a_place_is_found() {
    for (pointer, body, expected) in SAMPLES {
        assert_eq!(whole(pointer, body), *expected, "{pointer} {body}");
    }
}

#[test]
fn a_number_is_decimal_and_may_be_in_a_string() {
    for (value, expected) in [
        ("0", Some(0)),
        ("12.5", Some(12_500_000)),
        ("0.30000000000000004", Some(300_000)),
        ("1.2345678E7", Some(12_345_678_000_000)),
        ("1e3", Some(1_000_000_000)),
        ("1000000000000", Some(1_000_000_000_000_000_000)),
        ("\"12.5\"", Some(12_500_000)),
        ("\" 12.5 \"", Some(12_500_000)),
        ("\"1\\u0032\\u002e5\"", Some(12_500_000)),
        ("\"12.5\\n\"", Some(12_500_000)),
        ("\"0\"", Some(0)),
        ("-1", None),
        ("-0.5", None),
        ("\"-1\"", None),
        ("1000000000001", None),
        ("1e99", None),
        ("null", None),
        ("true", None),
        ("false", None),
        ("\"\"", None),
        ("\"12.5 rows\"", None),
        ("\"1,5\"", None),
        ("\"null\"", None),
        ("\"\\ud83d\"", None),
        ("\"5\\u00g\"", None),
        ("[12.5]", None),
        ("{\"rows\":12.5}", None),
        ("12.5x", None),
        ("NaN", None),
    ] {
        for body in [
            format!("{{\"rows\":{value}}}"),
            format!("{{\"rows\": {value} ,\"x\":1}}"),
            format!("{{\"rows\":7,\"rows\":{value}}}"),
        ] {
            assert_eq!(read("/rows", Framing::Json, &body), expected, "{body}");
        }
        assert_eq!(read("/1", Framing::Json, &format!("[3,{value},4]")), expected, "{value}");
    }
    let long = |bytes: usize| format!("{{\"rows\":1.{}}}", "0".repeat(bytes - 2));
    assert_eq!(read("/rows", Framing::Json, &long(63)), Some(1_000_000));
    assert_eq!(read("/rows", Framing::Json, &long(64)), None);
    assert_eq!(read("/rows", Framing::Json, &long(100_000)), None);
}

#[test]
fn the_newest_document_that_has_it_counts() {
    let documents =
        [r#"{"rows":1}"#, r#"{"rows":5}"#, r#"{"rows":"?"}"#, r#"{"x":{"rows":9}}"#, r#"{"rows":7"#];
    let five = Some(5_000_000);
    assert_eq!(read("/rows", Framing::Sse, &events(documents)), five);
    assert_eq!(read("/rows", Framing::Sse, &format!("{}data: [DONE]", events(documents))), five);
    assert_eq!(
        read("/rows", Framing::Sse, "data: {\"ro\ndata: ws\":5}\n\n"),
        None,
        "a line feed in a string"
    );
    assert_eq!(read("/rows", Framing::Sse, "data: {\"rows\":\ndata: 5\ndata: }\n\n"), five);
    assert_eq!(read("/rows", Framing::Lines, &documents.join("\n")), five);
    assert_eq!(read("/rows", Framing::Lines, &documents.join("\r\n")), five);
    let socket: Vec<u8> =
        documents.iter().flat_map(|document| frames::frame(0x81, document.as_bytes())).collect();
    assert_eq!(in_pieces("/rows", Framing::WebSocket, [&socket[..]]), five);
    let frames = documents.map(|document| frames::bedrock("x", document)).concat();
    assert_eq!(in_pieces("/rows", Framing::EventStream, [&frames[..]]), five);
    for framing in [Framing::Text, Framing::Opaque] {
        assert_eq!(read("/rows", framing, r#"{"rows":5}"#), None, "{framing:?}");
    }
}

#[test]
fn depth_and_length_cost_nothing() {
    for deep in ["[", "{\"rows\":", "[{\"rows\":"] {
        let body = format!("{{\"x\":{}", deep.repeat(100_000));
        assert_eq!(read("/rows", Framing::Json, &body), None);
        assert_eq!(read("/rows", Framing::Json, &deep.repeat(100_000)), None);
    }
    let (open, close) = ("[{\"rows\":".repeat(9_000), "}]".repeat(9_000));
    let body = format!(
        "{{\"x\":{open}1{close},\"{}\":\"{}\",\"rows\":5}}",
        "k".repeat(9_000),
        "\\\"}".repeat(9_000)
    );
    assert_eq!(whole("/rows", &body), Some(5));
    let items = vec!["[1]"; 70_000].join(",");
    assert_eq!(whole("/items/70000", &format!("{{\"items\":[{items},5]}}")), Some(5));
}

#[test]
fn every_cut_gives_the_same_number() {
    for (pointer, body, _) in SAMPLES {
        let event = format!("event: x\r\ndata: {}\r\n\r\n", body.replace(['\r', '\n'], ""));
        for (framing, body) in [(Framing::Json, body.as_bytes()), (Framing::Sse, event.as_bytes())] {
            let whole = in_pieces(pointer, framing, [body]);
            assert_eq!(in_pieces(pointer, framing, body.chunks(1)), whole, "{pointer}");
            for at in 0..=body.len() {
                let (one, two) = body.split_at(at);
                assert_eq!(in_pieces(pointer, framing, [one, two]), whole, "{pointer} {framing:?} at {at}");
            }
        }
    }
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Json::from),
        any::<u32>().prop_map(Json::from),
        (-9_i64..9).prop_map(Json::from),
        (0_u64..99).prop_map(|number| json!(number.to_string())),
        "[a-z\"\\\\{}\\[\\]:,é😀]{0,6}".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let member = (key(), inner.clone());
        prop_oneof![
            2 => prop::collection::vec(member, 0..5).prop_map(|members| Json::from(Map::from_iter(members))),
            1 => prop::collection::vec(inner, 0..4).prop_map(Json::from),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "ab", "0", "1", "2", "", "~/", "é\"\n", "-"]).prop_map(str::to_owned)
}

/// As in RFC 6901, 3 and 5.
fn pointer() -> impl Strategy<Value = String> {
    prop::collection::vec(key(), 1..5).prop_map(|keys| {
        keys.iter().flat_map(|key| ["/".to_owned(), key.replace('~', "~0").replace('/', "~1")]).collect()
    })
}

/// Each character of the keys as an escape.
fn escaped(json: &Json, out: &mut String) {
    match json {
        Json::Object(members) => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                out.push_str(if index > 0 { ",\"" } else { "\"" });
                out.extend(key.encode_utf16().map(|unit| format!("\\u{unit:04X}")));
                out.push_str("\":");
                escaped(member, out);
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                escaped(item, out);
            }
            out.push(']');
        }
        leaf => out.push_str(&leaf.to_string()),
    }
}

/// Bytes that look like something.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let tokens = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u00", "\\u0061", "\n", "\r\n", "\n\n", "data: ",
        "\"a\":", "\"a\":{", "\"b\":[", "\"b\"", "12", "-1", "1.5", "null", "\u{FEFF}", "é",
    ];
    let token = prop_oneof![
        4 => prop::sample::select(tokens.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn it_finds_what_a_parser_finds(
        json in value().prop_filter("a document", |json| json.is_object() || json.is_array()),
        pointer in pointer(),
        form in 0..3,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut text = String::new();
        match form {
            0 => text = json.to_string(),
            1 => text = serde_json::to_string_pretty(&json).unwrap(),
            _ => escaped(&json, &mut text),
        }
        let expected = match json.pointer(&pointer) {
            Some(Json::Number(number)) => number.as_u64(),
            Some(Json::String(text)) => text.parse().ok(),
            _ => None,
        };
        let (one, two) = text.as_bytes().split_at(cut.index(text.len()));
        let found = in_pieces(&pointer, Framing::Json, [one, two]);
        prop_assert_eq!(found, expected.map(|number| number * 1_000_000), "{} {}", pointer, text);
    }

    #[test]
    fn no_bytes_make_it_panic_and_any_chunking_of_them_is_the_same(
        body in any_body(),
        pointer in prop::sample::select(vec!["/a", "/a/b", "/a/b/1", "/0", "/1/a", "/b/0/a"]),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        for framing in FRAMINGS {
            let whole = in_pieces(pointer, framing, [&body[..]]);
            prop_assert_eq!(in_pieces(pointer, framing, pieces(&body, &cuts)), whole, "{:?}", framing);
            prop_assert_eq!(in_pieces(pointer, framing, body.chunks(1)), whole, "{:?}", framing);
        }
    }
}
