//! Untyped JSON: configurations, the ledger's answers and JSON-RPC requests are parsed into it.
//!
//! `serde_json` has such a type and a parser, too. This type keeps members in a list, in their original order, which saves the
//! filter another kind of map; and its parser is the [`walk`] that request bodies need anyway, which saves 10 kB. What must
//! hold: what `serde_json` accepts is accepted, and nothing else; of a duplicate member the last one counts, as is usual; the
//! parser bounds the depth.

mod number;
#[cfg(test)]
pub mod samples;
pub mod text;
pub mod walk;

use crate::decide::base::bytes::same;
use number::Number;
use walk::{Event, Malformed, Token, Walker};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Whole(i64),
    /// A whole number above those.
    Large(u64),
    /// Any other number.
    Real(f64),
    /// A string.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// An object's members.
    Object(Vec<(String, Json)>),
}

/// Reads a text.
///
/// # Errors
/// Where it is no JSON.
pub fn parse(text: &[u8]) -> Result<Json, Malformed> {
    let mut walker = Walker::new(text)?;
    let first = walker.step()?.map_or(Token::End, |event| event.token);
    let whole = value(first, &mut walker)?;
    // Behind it there is nothing, or it is no JSON.
    walker.step()?;
    Ok(whole)
}

impl Json {
    /// A member of an object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Self::Object(members) => members
                .iter()
                .rev()
                .find(|(member, _)| same(member.as_bytes(), name.as_bytes()))
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// A string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// A boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(is) => Some(*is),
            _ => None,
        }
    }

    /// A whole number that an `i64` holds.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => Some(*number),
            _ => None,
        }
    }

    /// A whole number that isn't below zero.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Whole(number) => u64::try_from(*number).ok(),
            Self::Large(number) => Some(*number),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }
}

/// The value that begins with this token.
fn value(token: Token<'_>, walker: &mut Walker<'_>) -> Result<Json, Malformed> {
    Ok(match token {
        Token::Object { .. } => {
            let mut members = Vec::new();
            while let Some(Event { key: Some(name), token, .. }) = walker.step()? {
                members.push((name.decoded(usize::MAX).unwrap_or_default(), value(token, walker)?));
            }
            Json::Object(members)
        }
        Token::Array { .. } => {
            let mut items = Vec::new();
            while let Some(Event { token, .. }) = walker.step()?
                && token != Token::End
            {
                items.push(value(token, walker)?);
            }
            Json::Array(items)
        }
        Token::Text(text) => Json::String(text.decoded(usize::MAX).unwrap_or_default()),
        Token::Number(text) => match number::read(text) {
            Some(Number::Whole(whole)) => Json::Whole(whole),
            Some(Number::Large(large)) => Json::Large(large),
            Some(Number::Real(real)) => Json::Real(real),
            None => Json::Null,
        },
        Token::Bool(is) => Json::Bool(is),
        Token::Null | Token::End => Json::Null,
    })
}

/// For programs that have their configuration from elsewhere.
#[cfg(not(target_arch = "wasm32"))]
impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(is) => Self::Bool(*is),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => Self::Whole(whole),
                (None, Some(large)) => Self::Large(large),
                (None, None) => Self::Real(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::String(text.clone()),
            Value::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Object(members.iter().map(|(name, value)| (name.clone(), value.into())).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::any_json;
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    proptest! {
        #[test]
        fn parsing_matches_serde_json(value in any_json()) {
            prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), Json::from(&value));
        }

        #[test]
        fn the_parser_accepts_exactly_what_serde_json_accepts(text in "[\\[\\]{}\",:0-9eE.+\\\\untrfalse -]{0,40}") {
            prop_assert_eq!(parse(text.as_bytes()).is_ok(), serde_json::from_str::<Value>(&text).is_ok());
        }
    }

    #[test]
    fn the_last_of_duplicate_members_wins() {
        let twice = parse(br#"{"a": 1, "b": [true, null], "a": -2}"#).unwrap();
        assert_eq!(twice.get("a").and_then(Json::as_i64), Some(-2));
        assert_eq!(twice.get("a").and_then(Json::as_u64), None);
        assert_eq!(twice.get("b").and_then(Json::as_array).map(<[Json]>::len), Some(2));
        assert_eq!(Json::from(&json!(u64::MAX)).as_u64(), Some(u64::MAX));
        assert_eq!(twice.as_str(), None);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }
}
