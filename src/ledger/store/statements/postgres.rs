//! The texts that PostgreSQL takes: a column of all rows as one array.

use super::parts::{Lock, joined, named, updated};
use crate::store::engine::Lookup;
use crate::store::record::{Column, Kind, Role, Table};
use std::fmt::Write as _;

/// Tables whose rows are written only in transactions that have locked the rows' accounts: no other waits for them, in whatever order
/// they are written.
const OF_LOCKED_ACCOUNTS: [&str; 1] = ["entries"];

const fn array(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "bigint[]",
        Kind::Flag => "boolean[]",
        Kind::Text => "text[]",
        Kind::Bytes => "bytea[]",
    }
}

/// `unnest($1::bigint[], $2::text[])`.
fn unnest(columns: &[&Column]) -> String {
    let arrays = joined(columns, ", ", |n, column| format!("${}::{}", n + 1, array(column.kind)));
    format!("unnest({arrays})")
}

/// `t.a = w.a AND t.b = w.b`.
fn equal(table: &str, other: &str, columns: &[&Column]) -> String {
    joined(columns, " AND ", |_, Column { name, .. }| format!("{table}.{name} = {other}.{name}"))
}

fn names(columns: &[&Column]) -> String {
    joined(columns, ", ", |_, column| column.name.to_owned())
}

pub fn find(lookup: &'static Lookup, how: Lock) -> String {
    let Lookup { table, columns, filter, lock } = lookup;
    let by = named(table, columns.split(", "));
    let all = joined(table.columns, ", ", |_, column| format!("{}.{}", table.name, column.name));
    let mut text = match by.as_slice() {
        [one] => format!(
            "SELECT {all} FROM {0} WHERE {0}.{1} = ANY($1::{2})",
            table.name,
            one.name,
            array(one.kind)
        ),
        several => {
            // What is wanted has other names than the table's columns, which the filter names.
            let wanted = joined(several, ", ", |n, _| format!("w{n}"));
            let equal =
                joined(several, " AND ", |n, column| format!("{}.{} = w.w{n}", table.name, column.name));
            let arrays = unnest(several);
            format!("SELECT {all} FROM {arrays} AS w ({wanted}) JOIN {} ON {equal} WHERE true", table.name)
        }
    };
    if !filter.is_empty() {
        let _ = write!(text, " AND ({filter})");
    }
    if *lock && how != Lock::Never {
        let order = joined(&by, ", ", |_, column| {
            let collate = if column.kind == Kind::Text { " COLLATE \"C\"" } else { "" };
            format!("{}.{}{collate}", table.name, column.name)
        });
        let skip = if how == Lock::Skip { " SKIP LOCKED" } else { "" };
        let _ = write!(text, " ORDER BY {order} FOR NO KEY UPDATE OF {}{skip}", table.name);
    }
    text
}

pub fn insert(table: &'static Table) -> String {
    let all: Vec<&Column> = table.columns.iter().collect();
    format!("INSERT INTO {} ({}) SELECT * FROM {}", table.name, table.names(), unnest(&all))
}

/// Adds to the rows that are there, and adds the others; the caller says what becomes of those that another transaction adds
/// in between. An insert that finds its row locks it first, which is logged like a change: for a table that every report
/// changes, the rows are updated instead.
pub fn add(table: &'static Table, changed: &str) -> String {
    if !OF_LOCKED_ACCOUNTS.contains(&table.name) {
        return insert(table);
    }
    let all: Vec<&Column> = table.columns.iter().collect();
    let key = named(table, table.key_names());
    let (name, names, arrays) = (table.name, names(&all), unnest(&all));
    let found = joined(&key, ", ", |_, column| format!("{name}.{}", column.name));
    format!(
        "WITH n ({names}) AS MATERIALIZED (SELECT * FROM {arrays}),
         u AS (UPDATE {name} SET {changed} FROM n WHERE {} RETURNING {found})
         INSERT INTO {name} ({names}) SELECT {names} FROM n WHERE NOT EXISTS (SELECT FROM u WHERE {})",
        equal(name, "n", &key),
        equal("u", "n", &key)
    )
}

pub fn update(table: &'static Table, roles: &'static [Role]) -> String {
    let all = updated(table, roles).unwrap_or_default();
    let key = named(table, table.key_names());
    let set = joined(all.iter().skip(key.len()), ", ", |_, Column { name, .. }| format!("{name} = n.{name}"));
    let (arrays, names, equal) = (unnest(&all), names(&all), equal(table.name, "n", &key));
    format!("UPDATE {} SET {set} FROM {arrays} AS n ({names}) WHERE {equal}", table.name)
}

pub fn delete(table: &'static Table) -> String {
    let key = named(table, table.key_names());
    let (arrays, names, equal) = (unnest(&key), names(&key), equal(table.name, "n", &key));
    format!("DELETE FROM {} USING {arrays} AS n ({names}) WHERE {equal}", table.name)
}
