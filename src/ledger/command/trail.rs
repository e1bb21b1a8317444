//! The trail: who has done what, from where, and what was there before. It is written with each write of the admin API, in the same
//! transaction, whatever the write is.
//!
//! What must hold: no secret enters it. What was there before comes from rows, without hashes; what came after is the answer
//! before its secret is added.

use crate::domain::access::ROOT;
use crate::store::json::JsonRow;
use crate::store::rows::TrailRow;
use serde_json::{Map, Value};

/// The most bytes of JSON about what was there before.
const MAX_BEFORE_BYTES: usize = 16 << 10;

/// Where a write comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The operator's name.
    pub operator: String,
    /// The identifier of the token that was shown; none for the token of the environment.
    pub token: Option<String>,
    /// The client's address.
    pub peer: String,
    /// The operation, by its name in the API's description.
    pub command: String,
}

/// A write that didn't come by the admin API.
impl Default for Origin {
    fn default() -> Self {
        Self {
            operator: ROOT.to_owned(),
            token: None,
            peer: "local".to_owned(),
            command: "unknown".to_owned(),
        }
    }
}

impl Origin {
    /// A row that says so much.
    pub fn row(&self) -> TrailRow {
        let Self { operator, token, peer, command } = self.clone();
        TrailRow { operator, token, peer, command, ..TrailRow::default() }
    }
}

/// The account that an answer names, or what is in it does.
pub fn account_of(answer: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let within = || answer.as_object()?.values().find_map(|member| member.get("account"));
    answer.get("account").or_else(within).and_then(Value::as_str).map(str::to_owned)
}

/// What was there before, by table; rows that are too many are counted.
pub fn before(changed: impl Iterator<Item = (&'static str, Vec<JsonRow>)>) -> Option<String> {
    let mut tables = Map::new();
    let (mut bytes, mut omitted) = (0_usize, 0_u64);
    for (table, rows) in changed {
        let mut kept = Vec::new();
        for row in rows {
            let row = Value::from(row);
            bytes = bytes.saturating_add(row.to_string().len());
            if bytes > MAX_BEFORE_BYTES {
                omitted = omitted.saturating_add(1);
            } else {
                kept.push(row);
            }
        }
        if !kept.is_empty() {
            tables.insert(table.to_owned(), kept.into());
        }
    }
    if omitted > 0 {
        tables.insert("omitted_rows".to_owned(), omitted.into());
    }
    (!tables.is_empty()).then(|| Value::from(tables).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answers_account_is_found_in_it_or_in_what_it_shows() {
        assert_eq!(account_of(r#"{"account":"acme","key":"k"}"#).as_deref(), Some("acme"));
        assert_eq!(
            account_of(r#"{"key":{"account":"acme"},"replaced":{"account":"acme"}}"#).as_deref(),
            Some("acme")
        );
        assert_eq!(account_of(r#"{"name":"pro","account":null}"#), None);
    }

    #[test]
    fn what_was_there_before_is_bounded() {
        let row = |n: usize| {
            let mut row = JsonRow::new();
            row.insert("id".into(), format!("grant_{n}").into());
            row
        };
        assert_eq!(before(std::iter::empty()), None);
        let few = before([("grants", vec![row(1)])].into_iter()).unwrap();
        assert_eq!(few, r#"{"grants":[{"id":"grant_1"}]}"#);
        let many = before([("grants", (0..10_000).map(row).collect())].into_iter()).unwrap();
        assert!(many.len() < MAX_BEFORE_BYTES + 2_000, "{}", many.len());
        let many: Value = serde_json::from_str(&many).unwrap();
        let kept = many["grants"].as_array().unwrap().len();
        assert_eq!(many["omitted_rows"], 10_000 - kept);
    }
}
