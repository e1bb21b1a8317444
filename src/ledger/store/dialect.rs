//! Where the SQL of the two databases differs, and no text is valid in both.

/// Whose SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    Postgres,
}

impl Dialect {
    /// That a flag is set, as the partial indexes of leases have it: SQLite uses one of these only for the same words.
    pub fn is_set(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("{column} = 1"),
            Self::Postgres => column.to_owned(),
        }
    }

    /// The elements of a JSON array in a column, as the column `value` of a table.
    pub fn elements(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("json_each({column})"),
            Self::Postgres => format!("jsonb_array_elements(CAST({column} AS jsonb))"),
        }
    }

    /// At the end of a SELECT: rows that another transaction has locked are left out. One writer needs no locks.
    pub const fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// A text in this dialect. Texts name what is given as `?1`, `?2` and so on, and have no other question mark.
    pub fn text(self, sql: &str) -> String {
        match self {
            Self::Sqlite => sql.to_owned(),
            Self::Postgres => sql.replace('?', "$"),
        }
    }
}
