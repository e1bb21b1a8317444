//! Rows that belong to neither database, and what tables hold of them.

use crate::store::value::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// How many rows go from one place to the other at once, and about how many bytes.
pub const CHUNK: (usize, usize) = (2_000, 1 << 20);

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

/// What the tables of a ledger hold, to compare it with another one.
pub type Contents = BTreeMap<String, Content>;

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
            fingerprint(value, &mut print);
        }
        let half = print.finalize().iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte));
        self.rows = self.rows.saturating_add(1);
        self.prints = self.prints.wrapping_add(half);
    }
}

fn fingerprint(value: &Value, print: &mut Sha256) {
    let mut tagged = |tag: u8, bytes: &[u8]| {
        print.update([tag]);
        print.update(bytes.len().to_be_bytes());
        print.update(bytes);
    };
    match value {
        Value::Nothing => tagged(0, &[]),
        Value::Number(number) => tagged(1, &number.to_be_bytes()),
        Value::Flag(flag) => tagged(1, &i64::from(*flag).to_be_bytes()),
        Value::Text(text) => tagged(2, text.as_bytes()),
        Value::Bytes(bytes) => tagged(3, bytes),
    }
}
