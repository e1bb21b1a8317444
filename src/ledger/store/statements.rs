//! The SQL of both engines, made from the descriptions of tables. Each text is made once and kept.
//!
//! PostgreSQL takes a column of all rows as one array, so that one statement is enough for any number of rows, and writes
//! them in the order in which they are given. SQLite takes one row at a time.

mod parts;
mod postgres;
mod sqlite;

pub use parts::{Lock, updated};

use super::dialect::Dialect;
use super::engine::Lookup;
use super::record::{Role, Table};
use parts::{columns_of, joined};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// What a statement does.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// Finds all columns of rows.
    Find(&'static Lookup, Lock),
    /// Adds rows that aren't there.
    Insert(&'static Table),
    /// Writes the columns of these roles: first come the key's values, then those.
    Update(&'static Table, &'static [Role]),
    /// Adds to rows, or adds rows.
    Add(&'static Table),
    /// Takes rows away.
    Delete(&'static Table),
    /// How many rows there are.
    Count(&'static Table),
    /// The largest number of a row (SQLite).
    Largest(&'static Table),
    /// Numbers for new rows (PostgreSQL).
    Numbers(&'static Table),
}

/// All columns.
pub const ALL: &[Role] = &[Role::Fixed, Role::Cold, Role::Hot, Role::Sum, Role::Max];

/// By what a text is kept: the verb, the table or the lookup, and roles.
type Key = (Dialect, u8, &'static str, &'static str, &'static str, bool, &'static [Role]);

static TEXTS: LazyLock<RwLock<HashMap<Key, Arc<str>>>> = LazyLock::new(RwLock::default);

/// The text of a statement. There are as many as there are tables, lookups and verbs.
pub fn text(dialect: Dialect, what: What) -> Arc<str> {
    let key = key(dialect, what);
    if let Some(text) = TEXTS.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Arc::clone(text);
    }
    let text: Arc<str> = make(dialect, what).into();
    TEXTS.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&text));
    text
}

fn key(dialect: Dialect, what: What) -> Key {
    let of = |verb, table: &'static Table| (dialect, verb, table.name, "", "", false, &[][..]);
    let by =
        |verb, by: &'static Lookup| (dialect, verb, by.table.name, by.columns, by.filter, by.lock, &[][..]);
    match what {
        What::Find(lookup, Lock::Never) => by(0, lookup),
        What::Find(lookup, Lock::Wait) => by(1, lookup),
        What::Find(lookup, Lock::Skip) => by(9, lookup),
        What::Insert(table) => of(2, table),
        What::Update(table, roles) => (dialect, 3, table.name, "", "", false, roles),
        What::Add(table) => of(4, table),
        What::Delete(table) => of(5, table),
        What::Count(table) => of(6, table),
        What::Largest(table) => of(7, table),
        What::Numbers(table) => of(8, table),
    }
}

fn make(dialect: Dialect, what: What) -> String {
    match (dialect, what) {
        (Dialect::Sqlite, What::Find(lookup, _)) => sqlite::find(lookup),
        (Dialect::Postgres, What::Find(lookup, lock)) => postgres::find(lookup, lock),
        (Dialect::Sqlite, What::Insert(table)) => sqlite::insert(table),
        (Dialect::Postgres, What::Insert(table)) => postgres::insert(table),
        (Dialect::Sqlite, What::Update(table, roles)) => sqlite::update(table, roles),
        (Dialect::Postgres, What::Update(table, roles)) => postgres::update(table, roles),
        (Dialect::Sqlite, What::Add(table)) => sqlite::insert(table) + &on_conflict(dialect, table),
        (Dialect::Postgres, What::Add(table)) => {
            let changed = sums(dialect, table, "n");
            postgres::add(table, &changed) + &on_conflict(dialect, table)
        }
        (Dialect::Sqlite, What::Delete(table)) => sqlite::delete(table),
        (Dialect::Postgres, What::Delete(table)) => postgres::delete(table),
        (_, What::Count(table)) => format!("SELECT count(*) FROM {}", table.name),
        (_, What::Largest(table)) => format!("SELECT coalesce(max(no), 0) FROM {}", table.name),
        // The sequence is looked for once, and not for each number.
        (_, What::Numbers(table)) => format!(
            "SELECT nextval(s.name) FROM (SELECT pg_get_serial_sequence('{}', 'no')::regclass AS name OFFSET 0) AS s,
             generate_series(1, $1::bigint)",
            table.name
        ),
    }
}

/// Adds up to the largest integer, keeps the larger number, and replaces what may change otherwise. A sum beyond that would fail the whole transaction, and
/// every later one that tries the same. `new` is what the new row is called.
fn sums(dialect: Dialect, table: &'static Table, new: &str) -> String {
    joined(columns_of(table, &[Role::Cold, Role::Hot, Role::Sum, Role::Max]), ", ", |_, column| {
        let (table, name) = (table.name, column.name);
        match (column.role, dialect) {
            // A sum that is too large becomes a real number here, which is larger than the integer.
            (Role::Sum, Dialect::Sqlite) => {
                format!("{name} = min({table}.{name} + {new}.{name}, {})", i64::MAX)
            }
            (Role::Sum, Dialect::Postgres) => {
                format!("{name} = least({table}.{name}::numeric + {new}.{name}, {})::bigint", i64::MAX)
            }
            (Role::Max, Dialect::Sqlite) => format!("{name} = max({table}.{name}, {new}.{name})"),
            (Role::Max, Dialect::Postgres) => {
                format!("{name} = greatest({table}.{name}, {new}.{name})")
            }
            _ => format!("{name} = {new}.{name}"),
        }
    })
}

/// What becomes of a row that is there already.
fn on_conflict(dialect: Dialect, table: &'static Table) -> String {
    let changed = sums(dialect, table, "excluded");
    if changed.is_empty() {
        return format!(" ON CONFLICT ({}) DO NOTHING", table.key);
    }
    format!(" ON CONFLICT ({}) DO UPDATE SET {changed}", table.key)
}
