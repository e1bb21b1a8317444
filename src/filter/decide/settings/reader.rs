//! Reads JSON field by field, so that an error can name the place, the found value and what is allowed.
//!
//! A reader that finds a fault records it, returns an empty value, and reading goes on. What must hold: once there is a
//! fault, nothing that was read is used. So readers have no early returns that drop what others have read; those were most
//! of the code. The filter keeps the first fault, `faregate check` all of them, but none that may follow from another: see
//! [`Field::wrong`].

use super::template::{IN_ADDRESSES, is_sound};
use crate::decide::base::bytes::is_token_byte;
use crate::decide::base::json::Json;
use crate::decide::base::text::{joined, joined_by, visible};
use faregate_protocol::{Credits, token};
use std::cell::Cell;
use std::fmt;

/// The most rules that a configuration may hold.
pub(super) const MAX_RULES: usize = 1_000;
/// The most places that a credential may be looked for.
pub(super) const MAX_IDENTITIES: usize = 16;
/// How much of a wrong value an error repeats, in characters.
const SHOWN: usize = 60;
/// How much of a path, or of the value found there, an error repeats, in bytes.
const MOST_TOLD: usize = 300;

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(Box<Fault>);

/// A place in the configuration and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, such as `rules[2].price`.
    pub path: String,
    /// The value there.
    pub found: String,
    /// What is allowed there.
    pub allowed: String,
}

impl SettingsError {
    /// `found` is at `path`, where only `allowed` may be.
    pub fn new(path: &str, found: &str, allowed: &str) -> Self {
        Self(Box::new(Fault { path: beginning(path), found: beginning(found), allowed: allowed.to_owned() }))
    }

    /// The place, the found value, and what is allowed.
    pub fn fault(&self) -> &Fault {
        &self.0
    }
}

/// A text, or the beginning of one that is too long for a message.
fn beginning(text: &str) -> String {
    let shown = text.get(..text.floor_char_boundary(MOST_TOLD)).unwrap_or_default();
    if shown.len() == text.len() { text.to_owned() } else { joined(&[shown, "…"]) }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { path, found, allowed } = self.fault();
        write!(f, "{path}: found {found}; allowed is {allowed}")
    }
}

impl std::error::Error for SettingsError {}

/// What is wrong with a configuration: the first so many faults.
pub(super) struct Faults {
    found: Cell<Vec<SettingsError>>,
    most: usize,
}

impl Faults {
    /// None yet; it keeps at most so many.
    pub(super) fn new(most: usize) -> Self {
        Self { found: Cell::default(), most }
    }

    /// The value read, or its faults.
    pub(super) fn or<T>(self, read: T) -> Result<T, Vec<SettingsError>> {
        let found = self.found.into_inner();
        if found.is_empty() { Ok(read) } else { Err(found) }
    }

    /// How many were found.
    fn count(&self) -> usize {
        let found = self.found.take();
        let count = found.len();
        self.found.set(found);
        count
    }
}

/// The path of a whole configuration, as errors name it.
const WHOLE: &str = "(configuration)";

/// Whether one path is the other's, or leads to it.
fn touches(one: &str, other: &str) -> bool {
    let leads = |from: &str, to: &str| {
        to.strip_prefix(from).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    one == WHOLE || other == WHOLE || leads(one, other) || leads(other, one)
}

/// A value and the path to it.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    faults: &'a Faults,
    up: Option<&'a Field<'a>>,
    step: Step<'a>,
    value: &'a Json,
}

/// The last step of the path to a value.
#[derive(Clone, Copy)]
enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

/// An object all of whose members are known by name.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    field: &'a Field<'a>,
    members: &'a [(String, Json)],
}

impl<'a> Field<'a> {
    pub(super) fn root(value: &'a Json, faults: &'a Faults) -> Self {
        Self { faults, up: None, step: Step::Member(""), value }
    }

    /// Its name in its object.
    pub(super) fn name(&self) -> &'a str {
        match self.step {
            Step::Member(name) => name,
            Step::Item(_) => "",
        }
    }

    /// Its path in the configuration.
    pub(super) fn at(&self) -> String {
        let mut path = String::new();
        self.add_to(&mut path);
        if path.is_empty() {
            path.push_str(WHOLE);
        }
        path
    }

    fn add_to(&self, path: &mut String) {
        let Some(up) = self.up else {
            return;
        };
        up.add_to(path);
        let (before, number, after) = match self.step {
            Step::Member(name) => (if path.is_empty() { "" } else { "." }, None, name),
            Step::Item(number) => ("[", Some(number.to_string()), "]"),
        };
        path.push_str(before);
        path.push_str(&number.unwrap_or_default());
        path.push_str(after);
    }

    /// Records that `found` is here, where only `allowed` may be. A fault above or below another one may be its consequence,
    /// and is left out.
    #[inline(never)]
    pub(super) fn wrong(&self, found: &str, allowed: &str) {
        let mut faults = self.faults.found.take();
        if faults.len() < self.faults.most {
            let at = self.at();
            if !faults.iter().any(|fault| touches(&fault.0.path, &at)) {
                faults.push(SettingsError::new(&at, found, allowed));
            }
        }
        self.faults.found.set(faults);
    }

    /// How many faults were found so far, anywhere.
    pub(super) fn faults(&self) -> usize {
        self.faults.count()
    }

    /// Records a text that isn't allowed here.
    pub(super) fn wrong_text(&self, text: &str, allowed: &str) {
        self.wrong(&visible(text), allowed);
    }

    /// Records a value of the wrong kind, shortened.
    #[inline(never)]
    pub(super) fn wrong_value(&self, allowed: &str) {
        let shown = match self.value {
            Json::String(text) => match text.char_indices().nth(SHOWN) {
                Some((end, _)) => format!(" {}…", visible(text.get(..end).unwrap_or_default())),
                None => format!(" {}", visible(text)),
            },
            Json::Whole(whole) => format!(" {whole}"),
            Json::Large(large) => format!(" {large}"),
            // Writing it as an amount keeps the float printer's tables out of the filter.
            #[expect(clippy::cast_possible_truncation, reason = "saturates, and is only shown")]
            Json::Real(real) => format!(" {}", Credits::from_micros((real * 1e6).round() as i64)),
            Json::Bool(is) => format!(" {is}"),
            _ => String::new(),
        };
        self.wrong(&format!("{}{shown}", self.kind()), allowed);
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

    pub(super) fn value(&self) -> &'a Json {
        self.value
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self.value, Json::Object(_))
    }

    pub(super) fn as_str(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// An object with these members; with any, where none are named.
    pub(super) fn object(&self, allowed: &[&str]) -> Object<'_> {
        let nothing = Object { field: self, members: &[] };
        let Json::Object(members) = self.value else {
            self.wrong_value(&format!("an object with {}", joined_by(", ", allowed)));
            return nothing;
        };
        let whole = Object { field: self, members };
        for (number, field) in whole.members().enumerate() {
            let name = field.name();
            if !allowed.is_empty() && !allowed.contains(&name) {
                let names: Vec<_> = allowed.iter().filter(|name| !name.starts_with('$')).copied().collect();
                field.wrong("an unknown field", &format!("one of {}", joined_by(", ", &names)));
            }
            if members.iter().take(number).any(|(other, _)| other == name) {
                field.wrong("this field a second time", "one of each");
            }
        }
        whole
    }

    /// The items of a list.
    #[inline(never)]
    pub(super) fn items(&self, most: usize) -> &'a [Json] {
        match self.value {
            Json::Array(items) if items.len() <= most => return items,
            Json::Array(items) => {
                self.wrong(&format!("{} items", items.len()), &format!("at most {most}"));
            }
            _ => self.wrong_value("a list"),
        }
        &[]
    }

    /// The items of a list, with their places.
    pub(super) fn list(&self, most: usize) -> impl ExactSizeIterator<Item = Field<'_>> {
        let items = self.items(most).iter().enumerate();
        items.map(|(number, value)| Field {
            faults: self.faults,
            up: Some(self),
            step: Step::Item(number),
            value,
        })
    }

    /// The items of a list, each read in the same way.
    #[inline(never)]
    pub(super) fn texts(&self, most: usize, read: fn(Field<'_>) -> String) -> Vec<String> {
        self.list(most).map(read).collect()
    }

    #[inline(never)]
    pub(super) fn text(&self, most: usize) -> String {
        match self.value {
            Json::String(text) if !text.is_empty() && text.len() <= most => text.clone(),
            _ => {
                self.wrong_value(&format!("a string of 1 to {most} bytes"));
                String::new()
            }
        }
    }

    /// A text of these bytes.
    #[inline(never)]
    pub(super) fn text_of(&self, most: usize, plain: fn(u8) -> bool, allowed: &str) -> String {
        let text = self.text(most);
        if !text.bytes().all(plain) {
            self.wrong_value(allowed);
        }
        text
    }

    /// A token, never repeated in an error.
    pub(super) fn secret(&self) -> String {
        let text = self.as_str().filter(|text| text.len() <= 4_096).and_then(token::read);
        if text.is_none() {
            self.wrong(self.kind(), "a string of 1 to 4096 visible ASCII characters (not shown here)");
        }
        text.unwrap_or_default().to_owned()
    }

    pub(super) fn header_name(&self) -> String {
        let mut name = self.text_of(256, is_token_byte, "an HTTP header name such as \"x-api-key\"");
        name.make_ascii_lowercase();
        name
    }

    pub(super) fn token_name(&self) -> String {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        self.text_of(256, plain, "a name of letters, digits, '-', '.', '_' and '~'")
    }

    pub(super) fn rule_name(&self) -> String {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/:".contains(&b);
        self.text_of(64, plain, "a name of letters, digits, '-', '.', '_', '/' and ':'")
    }

    pub(super) fn header_value(&self) -> String {
        self.text_of(2_048, |b| b.is_ascii_graphic(), "visible ASCII characters without blanks")
    }

    /// An address with blanks.
    #[inline(never)]
    pub(super) fn url(&self) -> String {
        let url = self.header_value();
        let plain = is_sound(&url, &IN_ADDRESSES, |b| b.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&b));
        if !plain || !(url.starts_with("https://") || url.starts_with("http://")) {
            self.wrong_text(&url, "an absolute URL such as \"https://example.com/topup\"");
        }
        url
    }

    pub(super) fn boolean(&self) -> bool {
        self.value.as_bool().unwrap_or_else(|| {
            self.wrong_value("true or false");
            false
        })
    }

    /// A whole number. Envoy turns every number of a Struct into a float, so `500.0` is taken as well.
    #[inline(never)]
    pub(super) fn whole(&self) -> Option<u32> {
        match *self.value {
            Json::Whole(number) => u32::try_from(number).ok(),
            Json::Real(number) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "saturates, and is compared"
                )]
                let whole = number as u32;
                (f64::from(whole).total_cmp(&number).is_eq()).then_some(whole)
            }
            _ => None,
        }
    }

    #[inline(never)]
    pub(super) fn integer(&self, least: u32, most: u32) -> u32 {
        self.whole().filter(|number| (least..=most).contains(number)).unwrap_or_else(|| {
            self.wrong_value(&format!("a whole number from {least} to {most}"));
            least
        })
    }
}

impl<'a> Object<'a> {
    fn member(&self, name: &'a str, value: &'a Json) -> Field<'a> {
        Field { faults: self.field.faults, up: Some(self.field), step: Step::Member(name), value }
    }

    #[inline(never)]
    pub(super) fn optional(&self, name: &str) -> Option<Field<'a>> {
        self.members().find(|field| field.name() == name)
    }

    /// The place of a member that isn't there.
    pub(super) fn absent(&self, name: &'a str) -> Field<'a> {
        self.member(name, &Json::Null)
    }

    #[inline(never)]
    pub(super) fn required(&self, name: &'a str) -> Field<'a> {
        self.optional(name).unwrap_or_else(|| {
            let missing = self.absent(name);
            missing.wrong("nothing", "this field; it is required");
            missing
        })
    }

    /// A boolean, or the default if the field is absent.
    #[inline(never)]
    pub(super) fn flag(&self, name: &str, absent: bool) -> bool {
        self.optional(name).map_or(absent, |field| field.boolean())
    }

    /// The only member of an object that must have one.
    #[inline(never)]
    pub(super) fn single(&self, allowed: &str) -> Option<Field<'a>> {
        if let [(name, value)] = self.members {
            return Some(self.member(name, value));
        }
        self.field.wrong(&format!("{} members", self.members.len()), allowed);
        None
    }

    pub(super) fn members(&self) -> impl ExactSizeIterator<Item = Field<'a>> {
        let object = *self;
        self.members.iter().map(move |(name, value)| object.member(name, value))
    }
}
