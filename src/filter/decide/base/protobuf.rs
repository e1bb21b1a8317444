//! A `google.protobuf.Struct` in its wire format, read into JSON.
//!
//! Envoy passes a configuration written as a Struct to a wasm filter in protobuf's encoding, not as JSON. Hand-written
//! YAML usually has that form, so the filter reads it. See
//! <https://protobuf.dev/programming-guides/encoding/> and `google/protobuf/struct.proto`.

use super::json::Json;

/// How deep a Struct may be nested: deeper than any configuration, shallower than the stack.
const MAX_DEPTH: usize = 32;

/// The Struct in these bytes, or `None` when they hold none.
pub(in crate::decide) fn read_struct(bytes: &[u8]) -> Option<Json> {
    structure(bytes, MAX_DEPTH)
}

/// The value at this path in an `envoy.config.core.v3.Metadata`: a namespace, and then names of members. It begins as a Struct
/// does, but that the values of its members are Structs themselves.
pub(in crate::decide) fn read_metadata(bytes: &[u8], path: &[String]) -> Option<Json> {
    let (namespace, path) = path.split_first()?;
    let (last, path) = path.split_last()?;
    let mut members = member(bytes, namespace)?;
    for name in path {
        let (5, Payload::Bytes(within)) = Fields(member(members, name)?).next()? else {
            return None;
        };
        members = within;
    }
    value(member(members, last)?, 1)
}

/// The value of the member of this name.
#[inline(never)]
fn member<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut fields = Fields(bytes);
    loop {
        let (number, Payload::Bytes(entry)) = fields.next()? else {
            return None;
        };
        let mut entry = Fields(entry);
        if let (1, Some((1, Payload::Bytes(found)))) = (number, entry.next())
            && found == name.as_bytes()
            && let Some((2, Payload::Bytes(value))) = entry.next()
        {
            return Some(value);
        }
    }
}

/// One field's payload.
enum Payload<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
}

/// The fields of one message, in order.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next field's number and payload; `None` at the end or where the bytes make no sense, which
    /// [`Fields::is_done`] tells apart.
    fn next(&mut self) -> Option<(u64, Payload<'a>)> {
        let tag = self.varint()?;
        let payload = match tag & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => {
                let (bytes, rest) = self.0.split_first_chunk::<8>()?;
                self.0 = rest;
                Payload::Fixed64(*bytes)
            }
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(len)?;
                self.0 = rest;
                Payload::Bytes(bytes)
            }
            _ => return None,
        };
        Some((tag >> 3, payload))
    }

    fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

fn structure(bytes: &[u8], depth: usize) -> Option<Json> {
    let depth = depth.checked_sub(1)?;
    let mut fields = Fields(bytes);
    let mut members = Vec::new();
    while !fields.is_done() {
        let (1, Payload::Bytes(entry)) = fields.next()? else {
            return None;
        };
        let (mut entry, mut name, mut member) = (Fields(entry), String::new(), Json::Null);
        while !entry.is_done() {
            match entry.next()? {
                (1, Payload::Bytes(text)) => name = text_of(text)?,
                (2, Payload::Bytes(bytes)) => member = value(bytes, depth)?,
                _ => return None,
            }
        }
        members.push((name, member));
    }
    Some(Json::Object(members))
}

fn list(bytes: &[u8], depth: usize) -> Option<Json> {
    let depth = depth.checked_sub(1)?;
    let (mut fields, mut items) = (Fields(bytes), Vec::new());
    while !fields.is_done() {
        let (1, Payload::Bytes(item)) = fields.next()? else {
            return None;
        };
        items.push(value(item, depth)?);
    }
    Some(Json::Array(items))
}

fn value(bytes: &[u8], depth: usize) -> Option<Json> {
    let (mut fields, mut value) = (Fields(bytes), Json::Null);
    while !fields.is_done() {
        value = match fields.next()? {
            (1, Payload::Varint(_)) => Json::Null,
            (2, Payload::Fixed64(bytes)) => {
                Json::Real(Some(f64::from_le_bytes(bytes)).filter(|number| number.is_finite())?)
            }
            (3, Payload::Bytes(text)) => Json::String(text_of(text)?),
            (4, Payload::Varint(is)) => Json::Bool(is != 0),
            (5, Payload::Bytes(bytes)) => structure(bytes, depth)?,
            (6, Payload::Bytes(bytes)) => list(bytes, depth)?,
            _ => return None,
        };
    }
    Some(value)
}

fn text_of(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn varint(mut number: usize, out: &mut Vec<u8>) {
        while number >= 0x80 {
            out.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
            number >>= 7;
        }
        out.push(u8::try_from(number).unwrap());
    }

    fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
        out.push(number << 3 | 2);
        varint(bytes.len(), out);
        out.extend(bytes);
    }

    fn write(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        match value {
            Value::Null => out.extend([0x08, 0]),
            Value::Number(number) => {
                out.push(0x11);
                out.extend(number.as_f64().unwrap().to_le_bytes());
            }
            Value::String(text) => field(3, text.as_bytes(), &mut out),
            Value::Bool(is) => out.extend([0x20, u8::from(*is)]),
            Value::Object(_) => field(5, &write_struct(value), &mut out),
            Value::Array(items) => {
                let mut list = Vec::new();
                for item in items {
                    field(1, &write(item), &mut list);
                }
                field(6, &list, &mut out);
            }
        }
        out
    }

    fn write_struct(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, member) in value.as_object().unwrap() {
            let mut entry = Vec::new();
            field(1, name.as_bytes(), &mut entry);
            field(2, &write(member), &mut entry);
            field(1, &entry, &mut out);
        }
        out
    }

    #[test]
    fn a_struct_decodes_to_the_equivalent_json() {
        let config =
            json!({"a": [1.5, null, {"b": "é".repeat(200)}, [], {}], "c": true, "": {"d": {"e": false}}});
        assert_eq!(read_struct(&write_struct(&config)), Some(Json::from(&config)));
        assert_eq!(read_struct(b""), Some(Json::Object(Vec::new())));
    }

    #[test]
    fn excessive_nesting_is_rejected() {
        let mut config = json!({});
        for _ in 0..MAX_DEPTH {
            config = json!({"a": config});
        }
        assert_eq!(read_struct(&write_struct(&config)), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..100, byte in any::<u8>()) {
            let _ = read_struct(&bytes);
            let mut broken = write_struct(&json!({"a": [1.5, null, {"b": "text"}], "c": true}));
            let at = at % broken.len();
            broken[at] = byte;
            let _ = read_struct(&broken);
            let _ = read_struct(&broken[..at]);
        }
    }
}
