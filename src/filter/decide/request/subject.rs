//! Reads a trusted subject from an Envoy attribute.
//!
//! Envoy passes a filter bytes without the type of the value: a string as it is, a number as the eight bytes of a double,
//! true as one byte, a list with its lengths. A string of eight bytes must not be mistaken for a number, nor
//! a number for a string. So eight bytes out of metadata are looked up once more in the whole of the metadata, which comes
//! with its kinds. What must hold: a subject is a text as an account may have it, or a whole number's digits.

use crate::decide::base::json::Json;
use crate::decide::base::protobuf;
use faregate_protocol::exchange::MAX_CREDENTIAL_BYTES;

/// Behind this in a path is metadata; in front of it is what all of the metadata is called.
const METADATA: &str = "filter_metadata";
/// The first whole number, without its sign, that a double can't tell from all others.
const NOT_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The result of looking for a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Nothing.
    Absent,
    /// Something that is no subject.
    Unfit,
    /// A subject.
    Text(String),
}

/// Reads the attribute of this path.
pub fn read(path: &[String], property: impl Fn(&[String]) -> Option<Vec<u8>>) -> Subject {
    let Some(bytes) = property(path).filter(|bytes| !bytes.is_empty()) else {
        return Subject::Absent;
    };
    let text = match (bytes.len(), path.iter().position(|part| part == METADATA)) {
        (8, Some(at)) => typed(path, at, property),
        _ => String::from_utf8(bytes).ok(),
    };
    // The ledger gives no others to an account.
    let fit = |text: &String| {
        text.len() <= MAX_CREDENTIAL_BYTES
            && text.trim_ascii().len() == text.len()
            && !text.bytes().any(|byte| byte.is_ascii_control())
    };
    text.filter(fit).map_or(Subject::Unfit, Subject::Text)
}

/// The text of a value in metadata, by its kind.
#[inline(never)]
fn typed(path: &[String], at: usize, property: impl Fn(&[String]) -> Option<Vec<u8>>) -> Option<String> {
    let (before, within) = path.split_at_checked(at)?;
    match protobuf::read_metadata(&property(before)?, within.get(1..)?)? {
        Json::String(text) => Some(text),
        Json::Real(number) => digits(number),
        _ => None,
    }
}

/// A whole number in decimal. Of others it can't be said which number was meant, or how it is written.
fn digits(number: f64) -> Option<String> {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and is compared")]
    let whole = number as i64;
    #[expect(clippy::cast_precision_loss, reason = "below what a double can't tell apart")]
    let rest = number - whole as f64;
    (rest.abs() <= 0.0 && number.abs() < NOT_WHOLE).then(|| whole.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_become_subjects() {
        for (number, text) in [
            (42.0, "42"),
            (0.0, "0"),
            (-0.0, "0"),
            (-7.0, "-7"),
            (9_007_199_254_740_991.0, "9007199254740991"),
        ] {
            assert_eq!(digits(number).as_deref(), Some(text));
        }
        for number in [1.5, NOT_WHOLE, -NOT_WHOLE, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5e-324]
        {
            assert_eq!(digits(number), None, "{number}");
        }
    }

    /// As Envoy 1.40 hands over `{"ns": {"num": 42, "str": "abcdefgh", "obj": {"in": 43}, "list": ["a", 2]}}`.
    fn envoy(path: &[String]) -> Option<Vec<u8>> {
        let number = |number: f64| number.to_le_bytes().to_vec();
        let field = |kind: u8, bytes: &[u8]| [&[kind, u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let double = |value: f64| [vec![0x11], number(value)].concat();
        let entry = |name: &str, value: &[u8]| {
            field(0x0a, &[field(0x0a, name.as_bytes()), field(0x12, value)].concat())
        };
        Some(match path.join(".").as_str() {
            // The second is text that a client could choose to pass for 42.
            "metadata.filter_metadata.ns.num"
            | "metadata.filter_metadata.ns.raw"
            | "metadata.filter_metadata.gone.num" => number(42.0),
            "metadata.filter_metadata.ns.obj.in" => number(43.0),
            "metadata.filter_metadata.ns.list.1" => number(2.0),
            // Two items, their sizes and those of what they are paired with.
            "metadata.filter_metadata.ns.list" => {
                b"\x02\0\0\0\x01\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0a\0\0\0\0\0\0\0\0\0@\0\0".to_vec()
            }
            "metadata.filter_metadata.ns.str" => b"abcdefgh".to_vec(),
            "metadata.filter_metadata.ns.yes" => vec![1],
            "connection.id" => 7_u64.to_le_bytes().to_vec(),
            "metadata" => entry(
                "ns",
                &[
                    entry("num", &double(42.0)),
                    entry("str", &field(0x1a, b"abcdefgh")),
                    entry("raw", &field(0x1a, &number(42.0))),
                    entry("obj", &field(0x2a, &entry("in", &double(43.0)))),
                    entry(
                        "list",
                        &field(0x32, &[field(0x0a, &field(0x1a, b"a")), field(0x0a, &double(2.0))].concat()),
                    ),
                ]
                .concat(),
            ),
            _ => return None,
        })
    }

    #[test]
    fn eight_byte_metadata_values_are_decoded_by_their_type() {
        for (path, subject) in [
            ("metadata.filter_metadata.ns.num", Subject::Text("42".into())),
            ("metadata.filter_metadata.ns.obj.in", Subject::Text("43".into())),
            ("metadata.filter_metadata.ns.list.1", Subject::Unfit),
            ("metadata.filter_metadata.ns.list", Subject::Unfit),
            ("metadata.filter_metadata.ns.str", Subject::Text("abcdefgh".into())),
            ("metadata.filter_metadata.ns.raw", Subject::Unfit),
            ("metadata.filter_metadata.ns.yes", Subject::Unfit),
            ("metadata.filter_metadata.gone.num", Subject::Unfit),
            ("metadata.filter_metadata.ns.none", Subject::Absent),
            ("connection.id", Subject::Unfit),
        ] {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            assert_eq!(read(&path, envoy), subject, "{path:?}");
        }
    }
}
