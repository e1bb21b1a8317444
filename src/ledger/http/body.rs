//! JSON bodies: read into their type, or refused naming the field that is wrong.

use serde::de::DeserializeOwned;

/// What is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The path of the field; `None` when it is the body as a whole.
    pub field: Option<String>,
    /// What is wrong and what is expected.
    pub reason: String,
}

impl Invalid {
    /// About a field.
    pub fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: Some(field.into()), reason: reason.into() }
    }

    /// About the field at which reading stopped.
    pub fn at(path: &serde_path_to_error::Path, reason: String) -> Self {
        let path = Some(path.to_string()).filter(|path| path != "." && !path.contains('?'));
        let field = whole_path(path, &reason);
        // A body is seldom written by hand: where a field is named, its place in the text says nothing more.
        let reason = if field.is_some() { in_plain_words(&without_place(reason)) } else { reason };
        Self { field, reason }
    }

    /// In one sentence.
    pub fn sentence(&self) -> String {
        match &self.field {
            Some(field) => format!("{field}: {}", self.reason),
            None => self.reason.clone(),
        }
    }
}

/// The beginning of a text of a client's own making, which may be long.
pub fn beginning(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

/// Reads a body. An empty one counts as an empty object.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Invalid> {
    let body = if body.is_empty() { b"{}" } else { body };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Invalid::at(error.path(), error.inner().to_string()))?;
    json.end().map_err(|error| Invalid { field: None, reason: error.to_string() })?;
    Ok(read)
}

/// The reason without serde_json's ` at line 1 column 30`.
fn without_place(mut reason: String) -> String {
    let numbers = |text: &str| {
        let (line, column) = text.split_once(" column ")?;
        [line, column].iter().all(|number| number.bytes().all(|b| b.is_ascii_digit())).then_some(())
    };
    if let Some((rest, place)) = reason.rsplit_once(" at line ")
        && numbers(place).is_some()
    {
        reason.truncate(rest.len());
    }
    reason
}

/// serde's words for one that is none of a few, as people say it: `"monthly"; expected hour, day or month`.
fn in_plain_words(reason: &str) -> String {
    let found = reason.strip_prefix("unknown variant `").and_then(|rest| rest.rsplit_once("`, expected "));
    let Some((found, allowed)) = found else { return reason.to_owned() };
    let mut allowed: Vec<_> = allowed.split('`').skip(1).step_by(2).collect();
    match (allowed.pop(), allowed.join(", ")) {
        (None, _) => reason.to_owned(),
        (Some(last), others) if others.is_empty() => format!("found {found:?}; expected {last}"),
        (Some(last), others) => format!("found {found:?}; expected {others} or {last}"),
    }
}

/// For a field that is unknown, missing or there twice, the path ends at the object around it, and the field's
/// name is in the reason.
fn whole_path(path: Option<String>, reason: &str) -> Option<String> {
    let known = ["unknown field `", "missing field `", "duplicate field `"];
    let named = known.iter().find_map(|start| reason.strip_prefix(start));
    let name = named.and_then(|rest| rest.split('`').next());
    match (path, name) {
        (Some(path), Some(name)) if path != name && !path.ends_with(&format!(".{name}")) => {
            Some(format!("{path}.{name}"))
        }
        (None, Some(name)) => Some(name.to_owned()),
        (path, _) => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{NewAccount, NewGrant};
    use faregate_protocol::exchange::ExchangeRequest;

    fn field<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> String {
        parse::<T>(body.as_bytes()).unwrap_err().field.unwrap_or_default()
    }

    #[test]
    fn errors_name_the_path_of_the_field() {
        assert_eq!(field::<NewAccount>(r#"{"nam": "x"}"#), "nam");
        assert_eq!(field::<NewGrant>("{}"), "amount");
        assert_eq!(field::<NewGrant>(r#"{"amount": 5}"#), "amount");
        assert_eq!(field::<NewGrant>(r#"{"amount": "5", "expires_at": "soon"}"#), "expires_at");
        let inner = r#"{"protocol":2,"gateway":"g","entries":[{"payer":{"id":"x"},"lease":{"epoch":-1}}]}"#;
        assert_eq!(field::<ExchangeRequest>(inner), "entries[0].lease.epoch");
        let unknown = r#"{"protocol":2,"gateway":"g","entries":[{"payer":{"id":"x"},"tip":1}]}"#;
        assert_eq!(field::<ExchangeRequest>(unknown), "entries[0].tip");
    }

    #[test]
    fn reasons_name_what_is_allowed_and_no_place_in_the_text() {
        use crate::api::NewPlan;
        let reason = |body: &str| parse::<NewPlan>(body.as_bytes()).unwrap_err().reason;
        let plan = |period: &str| format!(r#"{{"name":"a","quota":"1","period":{period}}}"#);
        let monthly = reason(&plan(r#""monthly""#));
        assert_eq!(monthly, "found \"monthly\"; expected hour, day, week, month or year");
        assert_eq!(reason(&plan(r#""a`, expected `b""#)).matches("expected").count(), 2);
        let number = reason(&plan("5"));
        assert!(!number.contains(" at line "), "{number}");
        let broken = reason("{");
        assert!(broken.contains(" at line "), "{broken}");
    }

    #[test]
    fn only_a_single_json_value_is_accepted() {
        assert_eq!(parse::<NewAccount>(b""), Ok(NewAccount::default()));
        assert!(parse::<NewAccount>(b"{} {}").is_err());
        assert!(parse::<NewAccount>(b"\xff\xfe").is_err());
        assert!(parse::<NewAccount>(&b"[".repeat(100_000)).is_err());
    }
}
