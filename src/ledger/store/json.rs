//! Rows as JSON, for people who ask what something was before it was changed.
//!
//! What must hold: no hash leaves the ledger, nor the number of a row; amounts and times are written as the admin API writes
//! them. A table that is added needs nothing here.

use super::record::{ColumnWriter, Record, Role};
use faregate_protocol::Credits;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Some columns of a row.
pub type JsonRow = Map<String, Value>;

/// Tables about what gateways do, and the ledger's own.
const HIDDEN_TABLES: [&str; 17] = [
    "brokers",
    "changes",
    "deliveries",
    "entries",
    "events",
    "gateways",
    "idempotency",
    "leases",
    "ledger_faults",
    "portal_sessions",
    "price_list",
    "sessions",
    "shadow",
    "trail",
    "usage",
    "usage_items",
    "usage_quantities",
];
/// Columns that follow from others, or number rows.
const HIDDEN_COLUMNS: [&str; 15] = [
    "no",
    "target",
    "subscription",
    "holders",
    "tight",
    "entitlement",
    "budgets",
    "due_ms",
    "quota_watch",
    "refusing",
    "refusing_ms",
    "events",
    "announced",
    "soon_ms",
    "replay",
];
/// Columns that say which row it is.
const NAMES: [&str; 4] = ["id", "name", "model", "scope"];
const ALL: [Role; 4] = [Role::Fixed, Role::Cold, Role::Hot, Role::Sum];

/// One value per column; none for those that are hidden.
#[derive(Default)]
struct Values(Vec<Option<Value>>);

impl ColumnWriter for Values {
    fn number(&mut self, value: Option<i64>) {
        self.0.push(Some(value.into()));
    }

    fn flag(&mut self, value: Option<bool>) {
        self.0.push(Some(value.into()));
    }

    fn text(&mut self, value: Option<&str>) {
        // Some columns hold JSON.
        let json = value.filter(|text| text.starts_with(['{', '[']));
        let json = json.and_then(|text| serde_json::from_str(text).ok());
        self.0.push(Some(json.unwrap_or_else(|| value.into())));
    }

    fn bytes(&mut self, _: Option<&[u8]>) {
        self.0.push(None);
    }

    fn credits(&mut self, value: Credits) {
        self.0.push(Some(value.to_string().into()));
    }

    fn time(&mut self, value: Timestamp) {
        self.0.push(Some(value.to_string().into()));
    }

    fn row_number(&mut self, _: i64) {
        self.0.push(None);
    }
}

fn values<R: Record>(row: &R) -> Vec<Option<Value>> {
    let mut values = Values::default();
    row.write(&ALL, &mut values);
    values.0
}

/// What a row was: its name, and the columns in which it is different now; all of it when it is gone.
pub fn before<R: Record>(row: &R, now: Option<&R>) -> Option<JsonRow> {
    if HIDDEN_TABLES.contains(&R::TABLE.name) {
        return None;
    }
    let now = now.map(values);
    let mut shown = JsonRow::new();
    let mut differs = false;
    for (n, (column, value)) in R::TABLE.columns.iter().zip(values(row)).enumerate() {
        let Some(value) = value.filter(|_| !HIDDEN_COLUMNS.contains(&column.name)) else { continue };
        let is_name = NAMES.contains(&column.name);
        let is_new = now.as_ref().is_none_or(|now| now.get(n) != Some(&Some(value.clone())));
        differs |= is_new;
        if (is_new || is_name) && !(value.is_null() && now.is_none()) {
            shown.insert(api_name(column.name), value);
        }
    }
    differs.then_some(shown)
}

/// As the admin API calls it.
fn api_name(column: &str) -> String {
    match column.strip_suffix("_ms") {
        Some(name) => [name, "_at"].concat(),
        None => column.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::AccessScope;
    use crate::store::rows::{GrantRow, IdempotencyRow, TokenRow};
    use serde_json::json;

    #[test]
    fn only_what_differs_is_shown_and_never_a_hash() {
        let row = TokenRow {
            no: 7,
            id: crate::domain::TokenId::stored("token_1".into()),
            name: "alice".into(),
            scope: Some(AccessScope::Read),
            hash: vec![1, 2, 3],
            ..TokenRow::default()
        };
        let revoked = TokenRow { revoked_at: Some(Timestamp::UNIX_EPOCH), ..row.clone() };
        let shown = json!({"id": "token_1", "name": "alice", "scope": "read", "revoked_at": null});
        assert_eq!(before(&row, Some(&revoked)).map(Value::from), Some(shown));
        assert_eq!(before(&row, Some(&row)), None);
        let gone = Value::from(before(&row, None).unwrap());
        assert_eq!(gone.get("hash").or(gone.get("no")), None);
        assert_eq!(before(&IdempotencyRow::default(), None), None);
    }

    #[test]
    fn amounts_and_times_are_written_as_the_api_writes_them() {
        let mut row =
            GrantRow { id: crate::domain::GrantId::stored("grant_1".into()), ..GrantRow::default() };
        row.grant.remaining = Credits::from_micros(1_500_000);
        row.grant.expires_at = Some(Timestamp::UNIX_EPOCH);
        let mut now = row.clone();
        now.grant.remaining = Credits::ZERO;
        now.grant.expires_at = None;
        let shown = json!({"id": "grant_1", "remaining": "1.5", "expires_at": "1970-01-01T00:00:00Z"});
        assert_eq!(before(&row, Some(&now)).map(Value::from), Some(shown));
    }
}
