//! JSON as a tree in which a number is its text, exactly as the list has it.
//!
//! Each object and list is read one level at a time from its raw text, so no number passes through a float. The text is gone
//! over once per level, and lists of prices have few.

use super::imported::{ImportError, MAX_TEXT_BYTES};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// How deep a list may nest.
const MAX_DEPTH: usize = 16;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// `null`, `true` or `false`.
    Other,
    /// A number's text.
    Number(String),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// An object, in the order of its members.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads a whole text.
    pub fn read(text: &str) -> Result<Self, ImportError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(ImportError::TooLong);
        }
        let wrong = |why: serde_json::Error| ImportError::NotJson(why.to_string());
        let raw: &RawValue = serde_json::from_str(text).map_err(wrong)?;
        Self::of(raw, MAX_DEPTH).map_err(wrong)
    }

    fn of(raw: &RawValue, depth: usize) -> Result<Self, serde_json::Error> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(serde::de::Error::custom("it nests too deep"));
        };
        let text = raw.get();
        Ok(match text.bytes().next() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text)?;
                let read = |(name, raw)| Ok((name, Self::of(raw, depth)?));
                Self::Object(members.into_iter().map(read).collect::<Result<_, serde_json::Error>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                Self::List(items.into_iter().map(|raw| Self::of(raw, depth)).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            Some(b'-' | b'0'..=b'9') => Self::Number(text.to_owned()),
            _ => Self::Other,
        })
    }

    /// The members of an object; none of anything else.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Self)> {
        let members = if let Self::Object(members) = self { members.as_slice() } else { &[] };
        members.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members().find(|(member, _)| *member == name).map(|(_, value)| value)
    }

    /// A string.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A number's text.
    pub fn number(&self) -> Option<&str> {
        if let Self::Number(text) = self { Some(text) } else { None }
    }

    /// A whole number that isn't below zero, such as `200000` or `256000.0`.
    pub fn count(&self) -> Option<u64> {
        let number = self.number()?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.bytes().all(|byte| byte == b'0') { whole.parse().ok() } else { None }
    }
}

/// The members of an object, not yet read.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        from.deserialize_map(Reader).map(Self)
    }
}
