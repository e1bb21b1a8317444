//! The walker beside `serde_json`.

use super::*;
use crate::decide::base::json::samples::any_json;
use proptest::prelude::*;
use serde_json::Value;

/// Builds the value from what the walker says.
fn walked(body: &[u8]) -> Result<Value, Malformed> {
    let mut walker = Walker::new(body)?;
    let mut open: Vec<(Option<String>, Value)> = Vec::new();
    let mut whole = None;
    while let Some(event) = walker.step()? {
        let key = event.key.map(|key| key.decoded(usize::MAX).unwrap());
        assert_eq!(event.depth, open.len() - usize::from(event.token == Token::End));
        let (key, value) = match event.token {
            Token::Object { .. } => {
                open.push((key, Value::Object(serde_json::Map::new())));
                continue;
            }
            Token::Array { .. } => {
                open.push((key, Value::Array(Vec::new())));
                continue;
            }
            Token::End => open.pop().unwrap(),
            Token::Text(text) => (key, text.decoded(usize::MAX).unwrap().into()),
            Token::Number(number) => (key, serde_json::from_str(number).unwrap()),
            Token::Bool(is) => (key, is.into()),
            Token::Null => (key, Value::Null),
        };
        match open.last_mut() {
            Some((_, Value::Array(items))) => items.push(value),
            Some((_, Value::Object(members))) => drop(members.insert(key.unwrap(), value)),
            _ => whole = Some(value),
        }
    }
    assert!(open.is_empty());
    Ok(whole.unwrap())
}

fn agrees(body: &[u8]) -> Result<(), TestCaseError> {
    match (walked(body), serde_json::from_slice::<Value>(body)) {
        (Ok(walked), Ok(parsed)) => prop_assert_eq!(walked, parsed),
        (Err(_), Err(_)) => {}
        (walked, parsed) => prop_assert!(false, "{walked:?} {parsed:?}"),
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_value_is_read_as_it_is(value in any_json()) {
        agrees(value.to_string().as_bytes())?;
        agrees(serde_json::to_string_pretty(&value).unwrap().as_bytes())?;
    }

    #[test]
    fn it_accepts_what_serde_json_accepts(text in r#"[\[\]{}",:0-9eE.+\\/untrfalsebDdCc 	é-]{0,40}"#) {
        agrees(text.as_bytes())?;
        agrees(format!("[{text}]").as_bytes())?;
        agrees(format!("\"{text}\"").as_bytes())?;
    }

    #[test]
    fn it_refuses_what_serde_json_refuses(value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..3) {
        let mut body = value.to_string().into_bytes();
        let at = at.index(body.len());
        match how {
            0 => body[at] = byte,
            1 => body.insert(at, byte),
            _ => drop(body.remove(at)),
        }
        agrees(&body)?;
    }

    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..60)) {
        agrees(&body)?;
    }
}

#[test]
fn odd_texts_are_judged_as_serde_json_does() {
    for text in [
        "",
        " ",
        "1e999",
        "-1e999",
        "1e-999",
        "0e999",
        "01",
        "-",
        "-0",
        "1.",
        ".5",
        "1.e1",
        "1e",
        "1e+",
        "+1",
        "NaN",
        "Infinity",
        "\u{feff}1",
        r#""\ud83d\ude00""#,
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83d\u0041""#,
        r#""\uD83Dx""#,
        r#""\u12""#,
        r#""\x""#,
        "\"\u{1f}\"",
        "\"\u{7f}\"",
        "{\"a\":1,}",
        "[1,]",
        "[,1]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{1:2}",
        "[1 2]",
        "[1]]",
        "1 1",
        "nul",
        "nulll",
        "truefalse",
        "\"",
        "\"\\",
        "\"\\\"",
        "{\"a\":1 \"b\":2}",
        " [ ] ",
        " { } ",
        "\r\n\t[\r\n\t1\r\n\t]\r\n\t",
    ] {
        agrees(text.as_bytes()).unwrap();
    }
    agrees("1".repeat(400).as_bytes()).unwrap();
    agrees("1".repeat(305).as_bytes()).unwrap();
}

#[test]
fn depth_is_bounded_as_in_serde_json() {
    for depth in 125..131 {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        agrees(text.as_bytes()).unwrap();
        assert_eq!(walked(text.as_bytes()).is_ok(), depth <= MAX_DEPTH);
    }
    let deep = "{\"a\":".repeat(100_000);
    assert!(matches!(walked(deep.as_bytes()), Err(Malformed { is_too_deep: true, .. })));
}
