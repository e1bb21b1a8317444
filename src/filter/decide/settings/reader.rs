//! Reading JSON field by field, so that an error can say where it is, what was found and what is allowed.

use crate::decide::json::Json;
use faregate_protocol::Credits;
use std::fmt;

/// The most rules that a configuration may hold.
pub(super) const MAX_RULES: usize = 1_000;
/// The most places that a credential may be looked for.
pub(super) const MAX_IDENTITIES: usize = 16;
/// How much of a wrong value an error repeats, in characters.
const SHOWN: usize = 60;
/// How much of a path, or of what was found there, an error repeats, in bytes.
const MOST_TOLD: usize = 300;

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(Box<Fault>);

/// A place in the configuration and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, such as `rules[2].price`.
    pub path: String,
    /// What stands there.
    pub found: String,
    /// What may stand there.
    pub allowed: String,
}

impl SettingsError {
    /// `found` stands at `path`, where only `allowed` may.
    pub fn new(path: &str, found: &str, allowed: &str) -> Self {
        Self(Box::new(Fault { path: beginning(path), found: beginning(found), allowed: allowed.to_owned() }))
    }

    /// Where, what, and what would be right.
    pub fn fault(&self) -> &Fault {
        &self.0
    }
}

/// A text, or the beginning of one that is too long for a message.
fn beginning(text: &str) -> String {
    let shown = text.get(..text.floor_char_boundary(MOST_TOLD)).unwrap_or_default();
    if shown.len() == text.len() { text.to_owned() } else { [shown, "…"].concat() }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { path, found, allowed } = self.fault();
        write!(f, "{path}: found {found}; allowed is {allowed}")
    }
}

impl std::error::Error for SettingsError {}

/// A value and the path that led to it.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    path: String,
    value: &'a Json,
}

/// An object all of whose members are known by name.
pub(super) struct Object<'a> {
    path: String,
    members: Vec<(&'a str, Field<'a>)>,
}

impl<'a> Field<'a> {
    pub(super) fn root(value: &'a Json) -> Self {
        Self { path: String::new(), value }
    }

    /// Where it stands.
    pub(super) fn at(&self) -> &str {
        if self.path.is_empty() { "(configuration)" } else { &self.path }
    }

    pub(super) fn wrong(&self, found: &str, allowed: &str) -> SettingsError {
        SettingsError::new(self.at(), found, allowed)
    }

    /// The error for a value of the wrong kind, shown shortened.
    pub(super) fn wrong_value(&self, allowed: &str) -> SettingsError {
        let shown = match self.value {
            Json::String(text) => match text.char_indices().nth(SHOWN) {
                Some((end, _)) => format!(" {:?}…", text.get(..end).unwrap_or_default()),
                None => format!(" {text:?}"),
            },
            Json::Whole(whole) => format!(" {whole}"),
            Json::Large(large) => format!(" {large}"),
            // Writing it as an amount keeps the float printer's tables out of the filter.
            #[expect(clippy::cast_possible_truncation, reason = "saturates, and is only shown")]
            Json::Real(real) => format!(" {}", Credits::from_micros((real * 1e6).round() as i64)),
            Json::Bool(is) => format!(" {is}"),
            _ => String::new(),
        };
        self.wrong(&format!("{}{shown}", self.kind()), allowed)
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Whole(_) | Json::Large(_) | Json::Real(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "list",
            Json::Object(_) => "object",
        }
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self.value, Json::Object(_))
    }

    pub(super) fn as_str(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// An object with these members; with any, where none are named.
    pub(super) fn object(&self, allowed: &[&str]) -> Result<Object<'a>, SettingsError> {
        let Json::Object(map) = self.value else {
            return Err(self.wrong_value(&format!("an object with {}", allowed.join(", "))));
        };
        let mut members = Vec::new();
        for (name, value) in map {
            let name = name.as_str();
            let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
            let field = Field { path, value };
            if !allowed.is_empty() && !allowed.contains(&name) {
                let names: Vec<_> = allowed.iter().filter(|name| !name.starts_with('$')).copied().collect();
                return Err(field.wrong("an unknown field", &format!("one of {}", names.join(", "))));
            }
            if members.iter().any(|(other, _)| *other == name) {
                return Err(field.wrong("this field a second time", "one of each"));
            }
            members.push((name, field));
        }
        Ok(Object { path: self.path.clone(), members })
    }

    pub(super) fn list(&self, most: usize) -> Result<Vec<Field<'a>>, SettingsError> {
        let Json::Array(items) = self.value else {
            return Err(self.wrong_value("a list"));
        };
        if items.len() > most {
            return Err(self.wrong(&format!("{} items", items.len()), &format!("at most {most}")));
        }
        let field = |(number, value)| Field { path: format!("{}[{number}]", self.path), value };
        Ok(items.iter().enumerate().map(field).collect())
    }

    pub(super) fn text(&self, most: usize) -> Result<String, SettingsError> {
        match self.value {
            Json::String(text) if !text.is_empty() && text.len() <= most => Ok(text.clone()),
            _ => Err(self.wrong_value(&format!("a string of 1 to {most} bytes"))),
        }
    }

    /// A secret: visible ASCII, never repeated in an error.
    pub(super) fn secret(&self) -> Result<String, SettingsError> {
        match self.value {
            Json::String(text)
                if !text.is_empty() && text.len() <= 4_096 && text.bytes().all(|b| b.is_ascii_graphic()) =>
            {
                Ok(text.clone())
            }
            _ => {
                Err(self
                    .wrong(self.kind(), "a string of 1 to 4096 visible ASCII characters (not shown here)"))
            }
        }
    }

    pub(super) fn header_name(&self) -> Result<String, SettingsError> {
        let name = self.text(256)?.to_ascii_lowercase();
        if name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)) {
            return Ok(name);
        }
        Err(self.wrong_value("an HTTP header name such as \"x-api-key\""))
    }

    pub(super) fn token_name(&self) -> Result<String, SettingsError> {
        let name = self.text(256)?;
        if name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)) {
            return Ok(name);
        }
        Err(self.wrong_value("a name of letters, digits, '-', '.', '_' and '~'"))
    }

    pub(super) fn header_value(&self) -> Result<String, SettingsError> {
        let value = self.text(2_048)?;
        if value.bytes().all(|b| b.is_ascii_graphic()) {
            return Ok(value);
        }
        Err(self.wrong_value("visible ASCII characters without blanks"))
    }

    pub(super) fn boolean(&self) -> Result<bool, SettingsError> {
        self.value.as_bool().ok_or_else(|| self.wrong_value("true or false"))
    }

    /// A whole number. Envoy turns every number of a Struct into a float, so `500.0` is taken as well.
    pub(super) fn integer(&self, least: u32, most: u32) -> Result<u32, SettingsError> {
        let whole = self.value.as_u64().and_then(|number| u32::try_from(number).ok()).or_else(|| {
            let Json::Real(number) = *self.value else {
                return None;
            };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates, and is compared"
            )]
            let whole = number as u32;
            (f64::from(whole).total_cmp(&number).is_eq()).then_some(whole)
        });
        whole
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.wrong_value(&format!("a whole number from {least} to {most}")))
    }
}

impl<'a> Object<'a> {
    pub(super) fn optional(&self, name: &str) -> Option<Field<'a>> {
        self.members.iter().find(|(member, _)| *member == name).map(|(_, field)| field.clone())
    }

    pub(super) fn required(&self, name: &str) -> Result<Field<'a>, SettingsError> {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        self.optional(name).ok_or_else(|| SettingsError::new(&path, "nothing", "this field; it is required"))
    }

    /// A boolean, or what holds where the field is absent.
    #[inline(never)]
    pub(super) fn flag(&self, name: &str, absent: bool) -> Result<bool, SettingsError> {
        self.optional(name).map_or(Ok(absent), |field| field.boolean())
    }

    /// The items of a list, none where the field is absent.
    pub(super) fn list(&self, name: &str, most: usize) -> Result<Vec<Field<'a>>, SettingsError> {
        self.optional(name).map_or(Ok(Vec::new()), |field| field.list(most))
    }

    pub(super) fn members(&self) -> &[(&'a str, Field<'a>)] {
        &self.members
    }
}
