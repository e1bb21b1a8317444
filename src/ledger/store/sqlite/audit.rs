//! Recomputes every balance from the entries and compares it with what is stored.
//!
//! It reads one snapshot, row by row: memory doesn't grow with the number of accounts.

use super::accounts::by_no;
use super::{at, count};
use crate::api::{Audit, AuditProblem, MAX_LIMIT, UnbookedReports};
use crate::domain::AccountNo;
use crate::domain::entry::Book;
use crate::store::StoreError;
use faregate_protocol::Credits;
use rusqlite::{Connection, Row};

/// Compares everything.
pub fn audit(conn: &Connection) -> Result<Audit, StoreError> {
    let mut found = Findings { conn, problems: Vec::new() };
    let accounts = found.accounts()?;
    found.disagreements(STRAY_ENTRIES, "entries of an account that doesn't exist")?;
    found.disagreements(GRANTS, "what remains of a grant")?;
    found.disagreements(LEASES, "what a lease holds")?;
    found.disagreements(DRAWS, "what a lease has drawn from grants")?;
    found.disagreements(HOLDERS, "the number of leases with money in them")?;
    found.disagreements(BUDGETS, "what a budget holds")?;
    found.disagreements(BUDGET_COUNTS, "the number of budgets")?;
    let entries = conn.query_row("SELECT count(*) AS n FROM entries", [], |row| count(row, "n"))?;
    Ok(Audit::of((accounts, entries), found.problems, unbooked(conn)?))
}

/// What was reported and not charged.
fn unbooked(conn: &Connection) -> Result<Vec<UnbookedReports>, StoreError> {
    let mut find = conn.prepare(
        "SELECT a.id, k.id, g.name, u.fence, u.reports, u.credits, u.last_ms FROM unbooked u JOIN accounts a ON a.no = u.account
           JOIN keys k ON k.no = u.key JOIN gateways g ON g.no = u.gateway ORDER BY u.last_ms DESC LIMIT ?1",
    )?;
    let report = |row: &Row<'_>| {
        Ok(UnbookedReports {
            account: row.get(0)?,
            key: row.get(1)?,
            gateway: row.get(2)?,
            fence: row.get(3)?,
            reports: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
            not_charged: row.get(5).map(Credits::from_micros)?,
            last_at: at(row.get(6)?),
        })
    };
    let most = i64::try_from(MAX_LIMIT).unwrap_or(i64::MAX);
    Ok(find.query_map([most], report)?.collect::<Result<_, _>>()?)
}

/// A sum would leave the range of an integer on its way, where much went to and fro; so it is made of two.
const BILLION: i64 = 1_000_000_000;

const ACCOUNTS: &str = "SELECT a.no, b.book, coalesce(sum(b.amount / 1000000000), 0),
      coalesce(sum(b.amount % 1000000000), 0) FROM accounts a LEFT JOIN (
      SELECT e.account, k.to_book AS book, e.amount FROM entries e JOIN entry_kinds k USING (kind)
      UNION ALL SELECT e.account, k.from_book, -e.amount FROM entries e JOIN entry_kinds k USING (kind)
    ) b ON b.account = a.no GROUP BY a.no, b.book ORDER BY a.no";

/// Each of the following gives the account's number, what, what the entries say, and what is stored.
const STRAY_ENTRIES: &str = "SELECT account, 'sum', 0, sum(amount) FROM entries
    WHERE account NOT IN (SELECT no FROM accounts) GROUP BY account";
const GRANTS: &str = "SELECT g.account, g.id, coalesce(e.rest, 0), g.remaining FROM grants g LEFT JOIN (
      SELECT grant_no, sum(sign * (amount / 1000000000)) * 1000000000 + sum(sign * (amount % 1000000000)) AS rest
      FROM (SELECT grant_no, amount, (k.to_book = 'available') - (k.from_book = 'available') AS sign
        FROM entries JOIN entry_kinds k USING (kind) WHERE grant_no > 0) GROUP BY grant_no
    ) e ON e.grant_no = g.no WHERE coalesce(e.rest, 0) <> g.remaining";
const LEASES: &str = "WITH held AS (
      SELECT account, key, gateway, fence, sum(CASE WHEN k.to_book = 'held' THEN amount ELSE -amount END) AS rest
      FROM entries JOIN entry_kinds k USING (kind) WHERE k.to_book = 'held' OR k.from_book = 'held'
      GROUP BY account, key, gateway, fence)
    SELECT h.account, 'key ' || h.key || ' on gateway ' || h.gateway || ', fence ' || h.fence, h.rest,
      coalesce(l.escrow, 0)
    FROM held h LEFT JOIN leases l ON l.gateway = h.gateway AND l.key = h.key AND l.fence = h.fence
    WHERE h.rest <> coalesce(l.escrow, 0)
    UNION ALL
    SELECT l.account, 'key ' || l.key || ' on gateway ' || l.gateway || ', fence ' || l.fence, 0, l.escrow
    FROM leases l LEFT JOIN held h ON l.gateway = h.gateway AND l.key = h.key AND l.fence = h.fence
    WHERE l.escrow <> 0 AND h.rest IS NULL";
const DRAWS: &str = "SELECT l.account, 'key ' || l.key || ' on gateway ' || l.gateway, l.escrow, d.total FROM leases l
    JOIN (SELECT gateway, key, (SELECT coalesce(sum(value ->> 1), 0) FROM json_each(draws)) AS total FROM leases) d
      USING (gateway, key)
    WHERE l.escrow <> d.total OR (l.escrow <> 0 AND l.state <> 'open')";
const HOLDERS: &str = "SELECT a.no, 'leases', coalesce(l.n, 0), a.holders FROM accounts a LEFT JOIN (
      SELECT account, count(*) AS n FROM leases WHERE escrow > 0 AND state = 'open' GROUP BY account
    ) l ON l.account = a.no WHERE a.holders <> coalesce(l.n, 0)";

const BUDGETS: &str = "WITH held AS (SELECT b.account, b.scope, b.target, b.held, (
      SELECT coalesce(sum(l.escrow), 0) FROM leases l JOIN keys k ON k.no = l.key
      WHERE l.account = b.account AND l.escrow > 0 AND (b.scope = 'account' OR b.scope = 'team' AND k.team = b.target
        OR b.scope = 'key' AND k.no = b.target)) AS escrow FROM budgets b)
    SELECT account, scope || ' ' || target, escrow, held FROM held WHERE held <> escrow";
const BUDGET_COUNTS: &str = "SELECT a.no, 'budgets', coalesce(b.n, 0), a.budgets FROM accounts a LEFT JOIN (
      SELECT account, count(*) AS n FROM budgets GROUP BY account) b ON b.account = a.no
    WHERE a.budgets <> coalesce(b.n, 0)";

struct Findings<'a> {
    conn: &'a Connection,
    problems: Vec<AuditProblem>,
}

impl Findings<'_> {
    /// Compares the sums of every account with its entries, and the books with each other.
    fn accounts(&mut self) -> Result<u64, StoreError> {
        let mut statement = self.conn.prepare(ACCOUNTS)?;
        let mut rows = statement.query([])?;
        let mut accounts = 0;
        let mut now = None;
        let mut sums = Vec::new();
        let mut total = 0_i128;
        while let Some(row) = rows.next()? {
            let no: i64 = row.get(0)?;
            if now.is_some_and(|now| now != no) {
                accounts += 1;
                self.account(now, &sums)?;
                sums.clear();
            }
            now = Some(no);
            let (billions, rest): (i64, i64) = (row.get(2)?, row.get(3)?);
            let amount = i128::from(billions) * i128::from(BILLION) + i128::from(rest);
            total += amount;
            sums.push((row.get::<_, Option<String>>(1)?, amount));
        }
        if now.is_some() {
            accounts += 1;
            self.account(now, &sums)?;
        }
        if total != 0 {
            self.add(None, "the sum over all books".into(), "0", &total.to_string());
        }
        Ok(accounts)
    }

    fn account(&mut self, no: Option<i64>, sums: &[(Option<String>, i128)]) -> Result<(), StoreError> {
        let Some(no) = no else { return Ok(()) };
        let account = by_no(self.conn, AccountNo(no))?;
        let said = |book: Book| {
            let of_book = |(name, _): &&(Option<String>, i128)| name.as_deref() == Some(book.as_str());
            sums.iter().find(of_book).map_or(0, |(_, amount)| *amount)
        };
        let books = account.books;
        for (book, sign, stored) in [
            (Book::Issued, -1, books.granted),
            (Book::Available, 1, books.available),
            (Book::Held, 1, books.held),
            (Book::Revenue, 1, books.spent),
            (Book::Expired, 1, books.expired),
            (Book::Owed, -1, books.owed),
        ] {
            let expected = said(book) * sign;
            if expected != i128::from(stored.micros()) {
                let what = format!("the account's {} credits", book.as_str());
                let expected =
                    i64::try_from(expected).map_or_else(|_| format!("{expected} millionths"), micros);
                self.add(Some(account.id.as_str()), what, &expected, &stored.to_string());
            }
        }
        if !books.agree() {
            let what = "granted + owed = available + held + spent + expired".to_owned();
            self.add(Some(account.id.as_str()), what, "equal", "different");
        }
        if !books.are_in_range() {
            let what = "granted + owed, beyond which nothing can be booked".to_owned();
            self.add(Some(account.id.as_str()), what, "a 64-bit number", "more");
        }
        Ok(())
    }

    fn disagreements(&mut self, sql: &str, what: &str) -> Result<(), StoreError> {
        let mut statement = self.conn.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let what = format!("{what} ({})", row.get::<_, String>(1)?);
            let account: i64 = row.get(0)?;
            let name = |row: &Row<'_>| row.get::<_, String>(0);
            let id = self.conn.query_row("SELECT id FROM accounts WHERE no = ?1", [account], name).ok();
            let (expected, found): (i64, i64) = (row.get(2)?, row.get(3)?);
            self.add(id.as_deref(), what, &micros(expected), &micros(found));
        }
        Ok(())
    }

    fn add(&mut self, account: Option<&str>, what: String, expected: &str, found: &str) {
        if self.problems.len() < MAX_LIMIT {
            let account = account.map(str::to_owned);
            let (expected, found) = (expected.to_owned(), found.to_owned());
            self.problems.push(AuditProblem { what, account, expected, found });
        }
    }
}

fn micros(amount: i64) -> String {
    Credits::from_micros(amount).to_string()
}
