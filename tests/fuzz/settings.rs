//! The filter's configuration. Whatever comes in, the answer is settings, or one short message with a place.

use crate::odd;
use crate::play::{Budget, Report, play};
use faregate::decide::settings::Settings;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The longest message, in bytes: a line of a log.
const MESSAGE: usize = 2_000;
const TOKEN: &str = "t0ps3cret-t0ken";

fn good() -> Value {
    json!({
        "ledger": {"cluster": "ledger", "authority": "ledger.internal", "token": {"value": TOKEN}, "timeout_ms": 500},
        "identities": [{"header": "X-Api-Key"}, {"bearer": true}, {"query": "api_key"}, {"cookie": "fg"},
                       {"property": ["connection", "uri_san_peer_certificate"]}],
        "rules": [
            {"name": "health", "match": {"path": {"exact": "/healthz"}}, "price": "free"},
            {"match": {"host": "API.example.com", "path": {"template": "/v1/items/{}"}, "methods": ["GET"],
                       "headers": [{"name": "x-tier", "exact": "gold"}]},
             "price": "0.5", "refund_on": ["5xx", 404], "max_wait_ms": 50, "shadow": true,
             "on_ledger_error": {"allow_up_to": "10"},
             "deprecated": {"since": "2026-12-01", "sunset": "2027-06-30T12:00:00Z", "link": "https://example.com/"}},
            {"match": {"path": {"prefix": "/v0/"}}, "retired": true}
        ],
        "default": {"price": "1"}, "forward": ["account", "charge"],
        "texts": {"de-AT": {"invalid_key": {"title": "Unbekannt", "detail": "{account} {wait_seconds}"}, "top_up": "{needed}"}, "*": {"retry": "é"}},
        "top_up_url": "https://example.com/topup", "refund_on": [429], "max_wait_ms": 250, "shadow": false
    })
}

/// As JSON.
pub fn json(budget: Budget, seed: u64) -> Report {
    let documents =
        odd::mutated_bytes(odd::mutated_json(good()).prop_map(|document| document.to_string().into_bytes()));
    let inputs = prop_oneof![
        8 => documents,
        1 => odd::bytes(300),
        1 => ("[\\[{\"]", 1_usize..100_000).prop_map(|(open, times)| open.repeat(times).into_bytes()),
    ];
    play(budget, seed, &inputs, |bytes| {
        let read = holds(&bytes)?;
        if let (Some(settings), Ok(document)) = (read, serde_json::from_slice::<Value>(&bytes)) {
            // The same in other words is the same configuration.
            let again = Settings::from_slice(format!("{document:#}").as_bytes()).ok();
            prop_assert_eq!(again.as_ref(), Some(&settings));
            if !document.to_string().contains("$comment") {
                prop_assert_eq!(Settings::from_slice(&as_struct(&document)).ok(), Some(settings));
            }
        }
        Ok(())
    })
}

/// As a Struct in protobuf's wire format.
pub fn structs(budget: Budget, seed: u64) -> Report {
    let documents = odd::mutated_bytes(odd::mutated_json(good()).prop_map(|document| as_struct(&document)));
    // Field numbers and wire types of all kinds, and lengths that lead nowhere.
    let fields =
        proptest::collection::vec((any::<u8>(), any::<u64>(), odd::bytes(12)), 0..20).prop_map(|fields| {
            let mut out = Vec::new();
            for (tag, length, bytes) in fields {
                out.push(tag & 0x3f);
                varint(if length % 3 == 0 { length } else { bytes.len() as u64 }, &mut out);
                out.extend(bytes);
            }
            out
        });
    let deep = (1_usize..5_000).prop_map(|depth| {
        (0..depth).fold(Vec::new(), |inner, level| member(if level % 2 == 0 { 5 } else { 1 }, &inner))
    });
    let inputs = prop_oneof![8 => documents, 1 => odd::bytes(300), 2 => fields, 1 => deep];
    play(budget, seed, &inputs, |bytes| holds(&bytes).map(|_| ()))
}

fn holds(bytes: &[u8]) -> Result<Option<Settings>, TestCaseError> {
    match Settings::from_slice(bytes) {
        Ok(settings) => {
            prop_assert!(!settings.identities.is_empty());
            prop_assert!(!format!("{settings:?}").contains(TOKEN), "the token can be seen");
            Ok(Some(settings))
        }
        Err(why) => {
            prop_assert!(!why.fault().path.is_empty());
            let said = why.to_string();
            prop_assert!(said.len() <= MESSAGE, "a message of {} bytes: {:.200}", said.len(), said);
            Ok(None)
        }
    }
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// A field of this number that holds bytes.
fn member(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    varint(bytes.len() as u64, &mut out);
    out.extend(bytes);
    out
}

/// What Envoy makes of a configuration that is written as a Struct.
fn as_struct(document: &Value) -> Vec<u8> {
    let members = document.as_object().into_iter().flatten();
    let entry = |(name, value): (&String, &Value)| {
        member(1, &[member(1, name.as_bytes()), member(2, &as_value(value))].concat())
    };
    members.flat_map(entry).collect()
}

fn as_value(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => vec![0x08, 0],
        Value::Bool(is) => vec![0x20, u8::from(*is)],
        Value::Number(number) => [&[0x11][..], &number.as_f64().unwrap_or_default().to_le_bytes()].concat(),
        Value::String(text) => member(3, text.as_bytes()),
        Value::Object(_) => member(5, &as_struct(value)),
        Value::Array(items) => {
            member(6, &items.iter().flat_map(|item| member(1, &as_value(item))).collect::<Vec<_>>())
        }
    }
}
