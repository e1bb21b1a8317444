//! The tables of the call log, and what is written into them.

use crate::domain::call_log::StoredCall;
use crate::store::record::stored_text;
use faregate_protocol::RefusalCode;
use faregate_protocol::exchange::Basis;

/// A day's file. Of a column that few requests have, nothing is stored where it is empty.
pub const SQLITE: &str = "
    CREATE TABLE calls (
      id INTEGER PRIMARY KEY,
      at_ms INTEGER NOT NULL,
      duration_ms INTEGER NOT NULL,
      gateway INTEGER NOT NULL,
      account TEXT,
      key TEXT,
      rule TEXT NOT NULL,
      item TEXT,
      decision TEXT NOT NULL,
      code TEXT,
      charge INTEGER NOT NULL,
      hold INTEGER NOT NULL,
      basis TEXT,
      used TEXT,
      status INTEGER,
      request_id TEXT
    ) STRICT;
    CREATE INDEX calls_account ON calls (account, id) WHERE account IS NOT NULL;
    CREATE INDEX calls_request ON calls (request_id) WHERE request_id IS NOT NULL;
    CREATE TABLE call_gateways (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE call_senders (sender TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE call_days (day INTEGER PRIMARY KEY, records INTEGER NOT NULL) STRICT;";

/// Adds a record to it.
pub const INSERT: &str = "INSERT INTO calls (id, at_ms, duration_ms, gateway, account, key, rule, item, decision, code, charge, hold, \
    basis, used, status, request_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

/// Adds records on PostgreSQL.
pub const INSERT_MANY: &str = "INSERT INTO calls (id, at_ms, duration_ms, gateway, account, key, rule, item, decision, code, charge, \
    hold, basis, used, status, request_id)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
      $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::bigint[], $16::text[])";

/// A record's columns that aren't as they are in the record.
pub struct Written<'a> {
    /// When it arrived.
    pub at_ms: i64,
    /// How long it took.
    pub duration_ms: i64,
    /// Texts without a zero byte.
    pub account: Option<std::borrow::Cow<'a, str>>,
    /// The key.
    pub key: Option<std::borrow::Cow<'a, str>>,
    /// The rule.
    pub rule: std::borrow::Cow<'a, str>,
    /// The model or the tool.
    pub item: Option<std::borrow::Cow<'a, str>>,
    /// What became of it.
    pub decision: &'static str,
    /// Why.
    pub code: Option<&'static str>,
    /// What it was charged (micro-credits).
    pub charge: i64,
    /// What was held for it (micro-credits).
    pub hold: i64,
    /// On what the charge is based.
    pub basis: Option<&'static str>,
    /// What it used, as JSON.
    pub used: Option<String>,
    /// The status.
    pub status: Option<i64>,
    /// Its identifier.
    pub request_id: Option<std::borrow::Cow<'a, str>>,
}

impl<'a> Written<'a> {
    /// Of a record.
    pub fn of(call: &'a StoredCall) -> Self {
        let used = (!call.used.is_none()).then(|| serde_json::to_string(&call.used).ok()).flatten();
        Self {
            at_ms: call.at.as_millisecond(),
            duration_ms: i64::try_from(call.duration.as_millis()).unwrap_or(i64::MAX),
            account: call.account.as_deref().map(stored_text),
            key: call.key.as_deref().map(stored_text),
            rule: stored_text(&call.rule),
            item: call.item.as_deref().map(stored_text),
            decision: call.decision.as_str(),
            code: call.code.map(RefusalCode::as_str),
            charge: call.charge.micros(),
            hold: call.hold.micros(),
            basis: call.basis.map(Basis::as_str),
            used,
            status: call.status.map(i64::from),
            request_id: call.request_id.as_deref().map(stored_text),
        }
    }
}
