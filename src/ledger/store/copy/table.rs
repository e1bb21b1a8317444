//! The tables that make up a ledger's content, as both databases have them, and rows that belong to neither.
//!
//! A table that a later version adds must be named here; a test compares this list with the tables there are.

use sha2::{Digest as _, Sha256};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer.
    Number,
    /// Yes or no.
    Flag,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

use Kind::{Bytes, Flag, Number, Text};

/// A table and its columns.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [(&'static str, Kind)],
    /// The columns of its primary key.
    pub key: &'static str,
}

impl Table {
    /// The names of all columns, with commas between.
    pub fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

const fn table(name: &'static str, key: &'static str, columns: &'static [(&'static str, Kind)]) -> Table {
    Table { name, columns, key }
}

/// All tables, those that others refer to before these.
pub const TABLES: [Table; 17] = [
    table(
        "accounts",
        "no",
        &[
            ("no", Number),
            ("id", Text),
            ("name", Text),
            ("state", Text),
            ("available", Number),
            ("held", Number),
            ("spent", Number),
            ("expired", Number),
            ("owed", Number),
            ("granted", Number),
            ("holders", Number),
            ("tight", Flag),
            ("created_ms", Number),
            ("plan", Text),
            ("contract", Text),
            ("budgets", Number),
            ("due_ms", Number),
        ],
    ),
    table(
        "teams",
        "no",
        &[("no", Number), ("account", Number), ("id", Text), ("name", Text), ("created_ms", Number)],
    ),
    table(
        "keys",
        "no",
        &[
            ("no", Number),
            ("id", Text),
            ("account", Number),
            ("hash", Bytes),
            ("prefix", Text),
            ("subject", Text),
            ("revoked", Flag),
            ("expires_ms", Number),
            ("expiry_told", Flag),
            ("note", Text),
            ("created_ms", Number),
            ("team", Number),
            ("products", Text),
        ],
    ),
    table(
        "budgets",
        "account, scope, target",
        &[
            ("account", Number),
            ("scope", Text),
            ("target", Number),
            ("credits", Number),
            ("unit", Text),
            ("every", Number),
            ("zone", Text),
            ("period_ms", Number),
            ("until_ms", Number),
            ("spent", Number),
            ("held", Number),
            ("created_ms", Number),
        ],
    ),
    table(
        "grants",
        "no",
        &[
            ("no", Number),
            ("id", Text),
            ("account", Number),
            ("amount", Number),
            ("remaining", Number),
            ("priority", Number),
            ("expires_ms", Number),
            ("note", Text),
            ("source", Text),
            ("created_ms", Number),
            ("subscription", Number),
        ],
    ),
    table("gateways", "no", &[("no", Number), ("name", Text)]),
    table(
        "plans",
        "no",
        &[("no", Number), ("name", Text), ("version", Number), ("at_once", Number), ("created_ms", Number)],
    ),
    table(
        "plan_versions",
        "plan, version",
        &[
            ("plan", Number),
            ("version", Number),
            ("quota", Number),
            ("unit", Text),
            ("every", Number),
            ("anchor", Text),
            ("zone", Text),
            ("rollover", Number),
            ("made_ms", Number),
            ("beyond", Text),
            ("overdraft", Number),
            ("rate_milli", Number),
            ("burst", Number),
            ("concurrent", Number),
            ("products", Text),
            ("remainder", Text),
            ("warn_below", Number),
        ],
    ),
    table(
        "subscriptions",
        "no",
        &[
            ("no", Number),
            ("id", Text),
            ("account", Number),
            ("plan", Number),
            ("version", Number),
            ("state", Text),
            ("starts_ms", Number),
            ("anchor_ms", Number),
            ("until_ms", Number),
            ("cancels_ms", Number),
            ("period_ms", Number),
            ("granted_ms", Number),
            ("given", Number),
            ("due_ms", Number),
            ("created_ms", Number),
            ("next_plan", Number),
            ("excess", Number),
        ],
    ),
    table(
        "leases",
        "gateway, key",
        &[
            ("gateway", Number),
            ("key", Number),
            ("account", Number),
            ("fence", Number),
            ("state", Text),
            ("granted", Number),
            ("spent", Number),
            ("returned", Number),
            ("held", Number),
            ("draws", Text),
            ("escrow", Number),
            ("on_credit", Number),
            ("recall", Flag),
            ("brisk", Flag),
            ("touch", Number),
            ("changed_ms", Number),
            ("demand", Number),
        ],
    ),
    table(
        "unbooked",
        "gateway, key",
        &[
            ("gateway", Number),
            ("key", Number),
            ("account", Number),
            ("fence", Number),
            ("reports", Number),
            ("credits", Number),
            ("last_ms", Number),
        ],
    ),
    table(
        "entries",
        "account, minute, kind, key, gateway, fence, grant_no",
        &[
            ("account", Number),
            ("minute", Number),
            ("kind", Number),
            ("key", Number),
            ("gateway", Number),
            ("fence", Number),
            ("grant_no", Number),
            ("amount", Number),
        ],
    ),
    table(
        "changes",
        "seq",
        &[("seq", Number), ("account", Number), ("key", Number), ("gateway", Number), ("made_ms", Number)],
    ),
    table(
        "usage",
        "account, minute, key, rule",
        &[
            ("account", Number),
            ("minute", Number),
            ("key", Number),
            ("rule", Text),
            ("requests", Number),
            ("credits", Number),
            ("refunds", Number),
        ],
    ),
    table(
        "shadow",
        "account, minute, key, rule, code",
        &[
            ("account", Number),
            ("minute", Number),
            ("key", Number),
            ("rule", Text),
            ("code", Text),
            ("requests", Number),
        ],
    ),
    table(
        "brokers",
        "gateway, broker",
        &[("gateway", Number), ("broker", Text), ("seq", Number), ("heard_ms", Number)],
    ),
    table(
        "idempotency",
        "key",
        &[("key", Text), ("fingerprint", Bytes), ("body", Text), ("shown_key", Text), ("made_ms", Number)],
    ),
];

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// None.
    Nothing,
    /// An integer.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// Text; PostgreSQL can't hold a zero byte, so both have another character for it.
    pub fn text(text: &str) -> Self {
        Self::Text(text.replace('\0', "\u{fffd}"))
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            _ => 8,
        }
    }

    fn print(&self, print: &mut Sha256) {
        let mut tagged = |tag: u8, bytes: &[u8]| {
            print.update([tag]);
            print.update(bytes.len().to_be_bytes());
            print.update(bytes);
        };
        match self {
            Self::Nothing => tagged(0, &[]),
            Self::Number(number) => tagged(1, &number.to_be_bytes()),
            Self::Flag(flag) => tagged(1, &i64::from(*flag).to_be_bytes()),
            Self::Text(text) => tagged(2, text.as_bytes()),
            Self::Bytes(bytes) => tagged(3, bytes),
        }
    }
}

/// One row, in the order of the table's columns.
pub type Row = Vec<Value>;

/// What a table holds: how many rows, and a sum over their fingerprints, in whatever order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// How many rows.
    pub rows: u64,
    /// The sum.
    prints: u128,
}

impl Content {
    /// Counts rows.
    pub fn add_all(&mut self, rows: &[Row]) {
        for row in rows {
            self.add(row);
        }
    }

    /// Counts a row.
    pub fn add(&mut self, row: &[Value]) {
        let mut print = Sha256::new();
        for value in row {
            value.print(&mut print);
        }
        let half = print.finalize().iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte));
        self.rows = self.rows.saturating_add(1);
        self.prints = self.prints.wrapping_add(half);
    }
}
