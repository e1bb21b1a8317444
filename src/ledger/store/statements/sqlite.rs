//! The texts that SQLite takes: one row at a time.

use super::parts::{columns_of, joined};
use crate::store::engine::Lookup;
use crate::store::record::{Role, Table};
use std::fmt::Write as _;

/// `a = ?1 AND b = ?2`.
fn equal(names: impl Iterator<Item = &'static str>) -> String {
    joined(names, " AND ", |n, name| format!("{name} = ?{}", n + 1))
}

pub fn find(Lookup { table, columns, filter, .. }: &Lookup) -> String {
    let mut text =
        format!("SELECT {} FROM {} WHERE {}", table.names(), table.name, equal(columns.split(", ")));
    if !filter.is_empty() {
        let _ = write!(text, " AND ({filter})");
    }
    text
}

pub fn insert(table: &'static Table) -> String {
    let values = joined(table.columns, ", ", |n, _| format!("?{}", n + 1));
    format!("INSERT INTO {} ({}) VALUES ({values})", table.name, table.names())
}

pub fn update(table: &'static Table, roles: &[Role]) -> String {
    let after = table.key_names().count() + 1;
    let set = joined(columns_of(table, roles), ", ", |n, column| format!("{} = ?{}", column.name, after + n));
    format!("UPDATE {} SET {set} WHERE {}", table.name, equal(table.key_names()))
}

pub fn delete(table: &'static Table) -> String {
    format!("DELETE FROM {} WHERE {}", table.name, equal(table.key_names()))
}
