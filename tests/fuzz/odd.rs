//! What no client should send: odd texts and numbers, documents that are nearly right, and bent bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Number, Value, json};

/// An unexpected text.
pub fn text() -> impl Strategy<Value = String> + Clone {
    let known = &[
        "",
        " ",
        "\0",
        "a\0b",
        "\r\n",
        "\u{feff}",
        "\u{202e}",
        "💥",
        "é",
        "..",
        "../..",
        "%00",
        "%2e%2e%2f",
        "free",
        "0",
        "-0",
        "-1",
        "1e9",
        "1.0000001",
        "NaN",
        "9223372036854775807",
        "9223372036854775808",
        "1000000000000",
        "true",
        "null",
        "{}",
        "fg_live_",
        "' OR 1=1 --",
        "acme",
        "key_0",
        "{",
        "\\",
        "\"",
        ",",
        "a,b",
        "5xx",
        "/",
        "//",
        "/a",
        "x-api-key",
    ];
    prop_oneof![
        4 => select(known.as_slice()).prop_map(str::to_owned),
        4 => ".{0,12}",
        1 => ("[a-zé\"\\\\\u{1}]", 1_usize..70_000).prop_map(|(text, times)| text.repeat(times)),
    ]
}

/// A number at or near a limit of some type.
pub fn number() -> impl Strategy<Value = Number> + Clone {
    let whole = &[i64::MIN, -1, 0, 1, 2, 599, 600, 60_001, 1_000_000, 1_000_000_000_000_000_000, i64::MAX];
    prop_oneof![
        select(whole.as_slice()).prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<i64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("JSON has no such number", Number::from_f64),
        select(&[0.5, 1e300, -1e300, 500.0, 4_294_967_296.0][..]).prop_filter_map("finite", Number::from_f64),
    ]
}

/// A JSON value of any kind.
pub fn value() -> impl Strategy<Value = Value> + Clone {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::Number),
        text().prop_map(Value::from),
        (0_usize..3_000).prop_map(|size| Value::Array(vec![Value::Null; size])),
        (1_usize..300).prop_map(nested),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn nested(depth: usize) -> Value {
    (0..depth)
        .fold(json!({}), |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({"a": inner}) })
}

/// One change of a document at one of its places.
#[derive(Clone, Debug)]
pub enum Edit {
    Replace(Value),
    Remove,
    Repeat(usize),
    Rename(String),
    Add(String, Value),
}

/// A document after some changes.
pub fn mutated_json(document: Value) -> impl Strategy<Value = Value> {
    let edit = prop_oneof![
        4 => value().prop_map(Edit::Replace),
        2 => Just(Edit::Remove),
        1 => (1_usize..1_500).prop_map(Edit::Repeat),
        1 => text().prop_map(Edit::Rename),
        1 => (text(), value()).prop_map(|(name, value)| Edit::Add(name, value)),
    ];
    vec((any::<u16>(), edit), 0..4).prop_map(move |edits| {
        let mut document = document.clone();
        for (at, edit) in edits {
            let places = count(&document);
            change(&mut document, &mut (usize::from(at) % places), &edit);
        }
        document
    })
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum::<usize>(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// Changes the value with this number, counted from the outside in.
fn change(value: &mut Value, at: &mut usize, edit: &Edit) -> bool {
    if *at == 0 {
        match (edit, &mut *value) {
            (Edit::Replace(new), _) => *value = new.clone(),
            (Edit::Remove, Value::Array(items)) => drop(items.pop()),
            (Edit::Remove, Value::Object(members)) => remove_first(members),
            (Edit::Repeat(times), Value::Array(items)) => {
                if let Some(last) = items.last().cloned() {
                    items.extend(std::iter::repeat_n(last, *times));
                }
            }
            (Edit::Rename(name), Value::Object(members)) => {
                if let Some(old) = members.keys().next().cloned() {
                    let member = members.remove(&old).unwrap_or_default();
                    members.insert(name.clone(), member);
                }
            }
            (Edit::Add(name, new), Value::Object(members)) => drop(members.insert(name.clone(), new.clone())),
            _ => *value = Value::Null,
        }
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, at, edit)),
        Value::Object(members) => members.values_mut().any(|member| change(member, at, edit)),
        _ => false,
    }
}

fn remove_first(members: &mut Map<String, Value>) {
    if let Some(name) = members.keys().next().cloned() {
        members.remove(&name);
    }
}

/// Some bytes after some changes: other bytes, bytes that are missing, bytes that come twice, an early end.
pub fn mutated_bytes(good: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let few = prop_oneof![4 => Just(0_usize), 3 => Just(1), 1 => Just(4)];
    let edits = few.prop_flat_map(|most| vec((any::<u16>(), 0_u8..5, any::<u8>()), 0..=most));
    (good, edits).prop_map(|(mut bytes, edits)| {
        for (at, what, byte) in edits {
            let Some(at) = usize::from(at).checked_rem(bytes.len()) else { break };
            match what {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                3 => bytes.truncate(at),
                _ => bytes.extend_from_within(at..(at + usize::from(byte)).min(bytes.len())),
            }
        }
        bytes
    })
}

/// Bytes that were never anything.
pub fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> + Clone {
    vec(any::<u8>(), 0..most)
}
