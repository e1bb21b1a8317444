//! Accounts, and who pays by which credential.

use super::maybe_time;
use crate::domain::{Account, AccountId, AccountNo, AccountState, Books, Key, KeyId, KeyNo, TeamNo};
use crate::store::plans::{contract, products};
use crate::store::{Refusal, StoreError};
use faregate_protocol::exchange::Payer;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};

/// The columns that [`account`] reads.
const ACCOUNT: &str = "a.no, a.id, a.state, a.available, a.held, a.spent, a.expired, a.owed, a.granted, a.holders, a.tight, a.plan, a.contract, a.budgets";

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let state: String = row.get(2)?;
    let sum = |column| row.get(column).map(faregate_protocol::Credits::from_micros);
    Ok(Account {
        no: AccountNo(row.get(0)?),
        id: AccountId::stored(row.get(1)?),
        state: state_of(&state),
        books: Books {
            available: sum(3)?,
            held: sum(4)?,
            spent: sum(5)?,
            expired: sum(6)?,
            owed: sum(7)?,
            granted: sum(8)?,
        },
        holders: row.get(9)?,
        tight: row.get(10)?,
        plan: row.get(11)?,
        contract: contract(row.get::<_, Option<String>>(12)?),
        budgets: row.get(13)?,
        due: None,
    })
}

/// The state by its name; the column's CHECK allows no other than these.
pub fn state_of(name: &str) -> AccountState {
    match name {
        "active" => AccountState::Active,
        "suspended" => AccountState::Suspended,
        _ => AccountState::Closed,
    }
}

/// An account by its identifier.
pub fn by_id(conn: &Connection, id: &str) -> Result<Account, StoreError> {
    let text = sql(&["SELECT ", ACCOUNT, " FROM accounts a WHERE a.id = ?1"]);
    let found = conn.prepare_cached(&text)?.query_row([id], account).optional()?;
    found.ok_or_else(|| Refusal::NotFound { what: "account", id: id.to_owned() }.into())
}

/// An account by its row.
pub fn by_no(conn: &Connection, no: AccountNo) -> Result<Account, StoreError> {
    let text = sql(&["SELECT ", ACCOUNT, " FROM accounts a WHERE a.no = ?1"]);
    Ok(conn.prepare_cached(&text)?.query_row([no.0], account)?)
}

const BY_ID: &str = "k.id = ?1";
const BY_HASH: &str = "k.hash = ?1";
// Of a subject only the credential that is not revoked counts: it may have been given anew.
const BY_SUBJECT: &str = "k.subject = ?1 AND k.revoked = 0";

fn payer_where(condition: &str) -> String {
    sql(&[
        "SELECT ",
        ACCOUNT,
        ", k.no AS key_no, k.id AS key_id, k.revoked, k.expires_ms, k.team, k.products FROM keys k JOIN accounts a ON a.no = k.account WHERE ",
        condition,
    ])
}

/// The credential that a gateway names, with its account; `None` when there is none such.
pub fn payer(conn: &Connection, payer: &Payer) -> Result<Option<(Key, Account)>, StoreError> {
    let by = |condition: &str, value: &dyn ToSql| -> Result<_, StoreError> {
        let text = payer_where(condition);
        let both = |row: &Row<'_>| {
            let key = Key {
                no: KeyNo(row.get("key_no")?),
                id: KeyId::stored(row.get("key_id")?),
                revoked: row.get("revoked")?,
                expires_at: maybe_time(row, "expires_ms")?,
                team: row.get::<_, Option<i64>>("team")?.map(TeamNo),
                products: products(row.get("products")?),
            };
            Ok((key, account(row)?))
        };
        Ok(conn.prepare_cached(&text)?.query_row([value], both).optional()?)
    };
    match payer {
        Payer::Id(id) => by(BY_ID, id),
        Payer::Key(key) => by(BY_HASH, &crate::domain::key::hash(key).as_slice()),
        Payer::Subject(subject) => by(BY_SUBJECT, subject),
    }
}

/// A credential by its row, with its account.
pub fn key_by_no(conn: &Connection, no: KeyNo) -> Result<(Key, Account), StoreError> {
    let id: String =
        conn.prepare_cached("SELECT id FROM keys WHERE no = ?1")?.query_row([no.0], |r| r.get(0))?;
    let found = payer(conn, &Payer::Id(id.clone()))?;
    found.ok_or_else(|| Refusal::NotFound { what: "key", id }.into())
}

/// Keeps what has changed of an account's sums.
pub fn keep_sums(conn: &Connection, account: &Account) -> Result<(), StoreError> {
    let books = &account.books;
    conn.prepare_cached(
        "UPDATE accounts SET available = ?2, held = ?3, spent = ?4, expired = ?5, owed = ?6, granted = ?7,
         holders = ?8, tight = ?9 WHERE no = ?1",
    )?
    .execute(params![
        account.no.0,
        books.available.micros(),
        books.held.micros(),
        books.spent.micros(),
        books.expired.micros(),
        books.owed.micros(),
        books.granted.micros(),
        account.holders,
        account.tight,
    ])?;
    Ok(())
}

fn sql(parts: &[&str]) -> String {
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::open::Premises;
    use rusqlite::StatementStatus;

    #[test]
    fn a_payer_is_found_by_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let conn = Premises::enter(dir.path()).unwrap().writer().unwrap();
        for condition in [BY_ID, BY_HASH, BY_SUBJECT] {
            let plan = ["EXPLAIN QUERY PLAN ", &payer_where(condition)].concat();
            let step = conn.query_row(&plan, [""], |row| row.get::<_, String>("detail")).unwrap();
            assert!(step.starts_with("SEARCH k USING INDEX"), "{condition}: {step}");
        }
    }

    #[test]
    fn finding_a_payer_is_planned_once_and_not_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let conn = Premises::enter(dir.path()).unwrap().writer().unwrap();
        for number in 0..10 {
            assert!(payer(&conn, &Payer::Id(format!("key_{number}"))).unwrap().is_none());
        }
        let kept = conn.prepare_cached(&payer_where(BY_ID)).unwrap();
        assert_eq!(
            (kept.get_status(StatementStatus::Run), kept.get_status(StatementStatus::RePrepare)),
            (10, 0)
        );
    }
}
