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
        Self { field: whole_path(path, &reason), reason }
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
    fn only_a_single_json_value_is_accepted() {
        assert_eq!(parse::<NewAccount>(b""), Ok(NewAccount::default()));
        assert!(parse::<NewAccount>(b"{} {}").is_err());
        assert!(parse::<NewAccount>(b"\xff\xfe").is_err());
        assert!(parse::<NewAccount>(&b"[".repeat(100_000)).is_err());
    }
}
