//! What the texts of both databases are made from.

use crate::store::record::{Column, Role, Table};

/// How rows are locked of which a lookup says so. SQLite locks all of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Not at all: the caller only reads.
    Never,
    /// After waiting for another transaction that has locked them.
    Wait,
    /// Unless another transaction has locked them; those are left out.
    Skip,
}

/// The columns of these roles, in their order.
pub fn columns_of(table: &'static Table, roles: &[Role]) -> impl Iterator<Item = &'static Column> {
    table.columns.iter().filter(move |column| roles.contains(&column.role))
}

/// What an update takes: the columns of the key, then those of these roles. None when there is nothing to write.
pub fn updated(table: &'static Table, roles: &'static [Role]) -> Option<Vec<&'static Column>> {
    columns_of(table, roles).next()?;
    let key = named(table, table.key_names());
    Some(key.into_iter().chain(columns_of(table, roles)).collect())
}

/// Columns by their names.
pub fn named(table: &'static Table, names: impl Iterator<Item = &'static str>) -> Vec<&'static Column> {
    names.filter_map(|name| table.columns.iter().find(|column| column.name == name)).collect()
}

/// What each item becomes, with something between.
pub fn joined<T>(
    items: impl IntoIterator<Item = T>,
    between: &str,
    each: impl Fn(usize, T) -> String,
) -> String {
    let each = items.into_iter().enumerate().map(|(n, item)| each(n, item));
    each.collect::<Vec<_>>().join(between)
}
