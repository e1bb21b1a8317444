//! Recomputes every balance from the entries and compares it with what is stored.
//!
//! The database does the sums and gives only what disagrees, so memory doesn't grow with the accounts. Sums may leave the
//! range of an integer on their way, where much went to and fro, so they are counted in two parts.

use super::{BILLION, Reader, exactly, first, get, most, sum, unbooked};
use crate::api::{Audit, AuditProblem, MAX_LIMIT};
use crate::domain::Kind;
use crate::store::StoreError;
use crate::store::dialect::Dialect;
use crate::store::record::{BadRow, Columns};
use faregate_protocol::Credits;

/// One thing that is compared. Its statement gives the account's identifier, what it is about, what the entries say in
/// two parts, and what is stored.
struct Check {
    what: &'static str,
    sql: String,
    /// How numbers are shown.
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Unit {
    Credits,
    Count,
}

/// Compares everything.
pub async fn audit<R: Reader>(reader: &R) -> Result<Audit, StoreError> {
    let counts = "SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM entries)";
    let counts = first(reader, counts, &[], |row| Ok((get(row, 0)?, get(row, 1)?))).await?;
    let mut problems: Vec<AuditProblem> = Vec::new();
    for check in checks(R::DIALECT) {
        let room = MAX_LIMIT.saturating_sub(problems.len());
        let sql = [&check.sql, " LIMIT ?1"].concat();
        problems.extend(reader.rows(&sql, &[most(room)], |row| check.problem(row)).await?);
    }
    Ok(Audit::of(counts.unwrap_or_default(), problems, unbooked::list(reader).await?))
}

impl Check {
    fn problem(&self, row: &dyn Columns) -> Result<AuditProblem, BadRow> {
        let (expected, found) = (exactly(row, 2)?, i128::from(get::<i64>(row, 4)?));
        let about: String = get(row, 1)?;
        Ok(AuditProblem {
            what: self.what.replace("{}", &about),
            account: get(row, 0)?,
            expected: self.unit.show(expected),
            found: self.unit.show(found),
        })
    }
}

impl Unit {
    /// For people: amounts as credits, where they are in their range.
    fn show(self, number: i128) -> String {
        match (self, i64::try_from(number)) {
            (Self::Count, _) => number.to_string(),
            (Self::Credits, Ok(micros)) => Credits::from_micros(micros).to_string(),
            (Self::Credits, Err(_)) => format!("{number} millionths"),
        }
    }
}

/// That a sum in two parts isn't this number, without leaving the range of an integer.
fn differs(billions: &str, rest: &str, found: &str) -> String {
    format!(
        "(({rest} - {found} % {BILLION}) % {BILLION} <> 0
          OR {billions} + ({rest} - {found} % {BILLION}) / {BILLION} <> {found} / {BILLION})"
    )
}

/// A sum in two parts, under these names.
fn parts(of: &str) -> String {
    let sum = sum(of);
    sum.replacen("AS bigint), ", "AS bigint) AS billions, ", 1) + " AS rest"
}

fn checks(dialect: Dialect) -> Vec<Check> {
    let check = |what, unit, sql| Check { what, sql, unit };
    let credits = |what, sql| check(what, Unit::Credits, sql);
    vec![
        credits("the account's {} credits", books()),
        credits("granted + owed = available + held + spent + expired + voided{}", agreement()),
        credits("granted + owed, beyond which nothing can be booked{}", range()),
        credits("entries of an account that doesn't exist ({})", stray_entries()),
        credits("what remains of a grant ({})", grants()),
        credits("what was taken back of a grant ({})", voided()),
        credits("what is to be taken back of the account's grants{}", voiding()),
        credits("what the account's corrections took{}", corrected()),
        credits("what the account's corrections gave{}", adjusted()),
        credits("what a lease holds ({})", leases()),
        credits("what a lease has drawn from grants ({})", draws(dialect)),
        check(
            "the number of leases with money in them ({})",
            Unit::Count,
            counts("leases", "holders", " WHERE escrow > 0 AND state = 'open'"),
        ),
        credits("what a budget holds ({})", budgets()),
        check("the number of budgets ({})", Unit::Count, counts("budgets", "budgets", "")),
    ]
}

/// The sums of every account, book by book.
fn books() -> String {
    let books = [
        ("issued", "-1", "granted"),
        ("available", "1", "available"),
        ("held", "1", "held"),
        ("revenue", "1", "spent"),
        ("expired", "1", "expired"),
        ("owed", "-1", "owed"),
        ("voided", "1", "voided"),
    ];
    let stored = books.map(|(book, sign, column)| {
        format!("SELECT no, id, '{book}' AS book, {sign} AS sign, {column} AS stored FROM accounts")
    });
    let (billions, rest) = ("coalesce(s.billions, 0) * b.sign", "coalesce(s.rest, 0) * b.sign");
    format!(
        "WITH sums AS (SELECT account, book, {} FROM (
           SELECT e.account, k.to_book AS book, e.amount FROM entries e JOIN entry_kinds k ON k.kind = e.kind
           UNION ALL SELECT e.account, k.from_book, -e.amount FROM entries e JOIN entry_kinds k ON k.kind = e.kind
         ) moved GROUP BY account, book)
         SELECT b.id, b.book, {billions}, {rest}, b.stored FROM ({}) b
           LEFT JOIN sums s ON s.account = b.no AND s.book = b.book WHERE {}",
        parts("amount"),
        stored.join(" UNION ALL "),
        differs(billions, rest, "b.stored")
    )
}

/// The books of an account among each other.
fn agreement() -> String {
    let part = |how: &str| {
        let columns = ["available", "held", "spent", "expired", "voided"];
        let sum = columns.map(|column| format!("{column} {how} {BILLION}")).join(" + ");
        format!("({sum} - owed {how} {BILLION})")
    };
    let (billions, rest) = (part("/"), part("%"));
    format!(
        "SELECT id, '', {billions}, {rest}, granted FROM accounts WHERE {}",
        differs(&billions, &rest, "granted")
    )
}

/// What an account was given and owes together must be a number.
fn range() -> String {
    format!(
        "SELECT id, '', granted / {BILLION} + owed / {BILLION}, granted % {BILLION} + owed % {BILLION}, {max}
         FROM accounts WHERE granted > {max} - owed",
        max = i64::MAX
    )
}

fn stray_entries() -> String {
    format!(
        "SELECT CAST(NULL AS text), 'account number ' || e.account, {}, CAST(0 AS bigint) FROM entries e
           LEFT JOIN accounts a ON a.no = e.account WHERE a.no IS NULL GROUP BY e.account",
        sum("e.amount")
    )
}

fn grants() -> String {
    let amount = "CASE 'available' WHEN k.to_book THEN e.amount WHEN k.from_book THEN -e.amount ELSE 0 END";
    let (billions, rest) = ("coalesce(e.billions, 0)", "coalesce(e.rest, 0)");
    format!(
        "SELECT a.id, g.id, {billions}, {rest}, g.remaining FROM grants g JOIN accounts a ON a.no = g.account
           LEFT JOIN (SELECT e.grant_no, {} FROM entries e JOIN entry_kinds k ON k.kind = e.kind
             WHERE e.grant_no > 0 GROUP BY e.grant_no) e ON e.grant_no = g.no WHERE {}",
        parts(amount),
        differs(billions, rest, "g.remaining")
    )
}

/// What entries say was taken back of each grant.
fn voided() -> String {
    let (billions, rest) = ("coalesce(e.billions, 0)", "coalesce(e.rest, 0)");
    format!(
        "SELECT a.id, g.id, {billions}, {rest}, g.voided FROM grants g JOIN accounts a ON a.no = g.account
           LEFT JOIN (SELECT e.grant_no, {} FROM entries e JOIN entry_kinds k ON k.kind = e.kind
             WHERE k.to_book = 'voided' GROUP BY e.grant_no) e ON e.grant_no = g.no WHERE {}",
        parts("e.amount"),
        differs(billions, rest, "g.voided")
    )
}

/// What leases have of grants, and is owed if they spend it: the account's sum is that of its grants.
fn voiding() -> String {
    sums_of("voiding_owed", "grants", "a.voiding")
}

/// Corrections that took something have taken it, or wait for it.
fn corrected() -> String {
    let waits = "SELECT account, -voiding - voiding_owed FROM grants WHERE voiding > 0 OR voiding_owed > 0";
    let took = "SELECT account, -amount AS amount FROM corrections WHERE amount < 0";
    sums_of("amount", &format!("({took} UNION ALL {waits})"), "a.voided")
}

/// Corrections that gave something are the entries that say so.
fn adjusted() -> String {
    let gave = "SELECT account, amount FROM corrections WHERE amount > 0";
    let up = Kind::AdjustUp.number();
    let entries = format!("SELECT e.account, -e.amount FROM entries e WHERE e.kind = {up}");
    sums_of("amount", &format!("({gave} UNION ALL {entries})"), "0")
}

/// What the entries say that a lease holds, and what is stored. Both sides are put in one pile: a join could be as slow as
/// their product, where the database has a wrong idea of how many there are.
fn leases() -> String {
    let signed = "CASE k.to_book WHEN 'held' THEN e.amount ELSE -e.amount END";
    format!(
        "SELECT a.id, 'key ' || h.key || ' on gateway ' || h.gateway || ', epoch ' || h.epoch,
           h.billions, h.rest, h.escrow
         FROM (SELECT key, gateway, epoch, min(account) AS account, {}, max(escrow) AS escrow FROM (
             SELECT e.key, e.gateway, e.epoch, e.account, {signed} AS amount, CAST(0 AS bigint) AS escrow
             FROM entries e JOIN entry_kinds k ON k.kind = e.kind WHERE k.to_book = 'held' OR k.from_book = 'held'
             UNION ALL SELECT key, gateway, epoch, account, 0, escrow FROM leases WHERE escrow <> 0
           ) sides GROUP BY key, gateway, epoch) h
           LEFT JOIN accounts a ON a.no = h.account WHERE {}",
        parts("amount"),
        differs("h.billions", "h.rest", "h.escrow")
    )
}

/// What a lease's grants have given must be what it holds; one that is over holds nothing.
fn draws(dialect: Dialect) -> String {
    format!(
        "SELECT a.id, 'key ' || b.key || ' on gateway ' || b.gateway, b.billions, b.rest, b.escrow
         FROM (SELECT l.account, l.key, l.gateway, l.state, l.escrow, {} FROM leases l
             LEFT JOIN {} d ON true GROUP BY l.account, l.key, l.gateway, l.state, l.escrow) b
           LEFT JOIN accounts a ON a.no = b.account
         WHERE {} OR b.escrow <> 0 AND b.state <> 'open'",
        parts("CAST(d.value ->> 1 AS bigint)"),
        dialect.elements("l.draws"),
        differs("b.billions", "b.rest", "b.escrow")
    )
}

/// The sum of a column over an account's rows, and what is stored.
fn sums_of(column: &str, from: &str, stored: &str) -> String {
    let (billions, rest) = ("coalesce(s.billions, 0)", "coalesce(s.rest, 0)");
    format!(
        "SELECT a.id, '', {billions}, {rest}, CAST({stored} AS bigint) FROM accounts a LEFT JOIN (
           SELECT r.account, {} FROM {from} r GROUP BY r.account) s ON s.account = a.no WHERE {}",
        parts(&format!("r.{column}")),
        differs(billions, rest, stored)
    )
}

/// How many rows of a table an account has, in a column of the account.
fn counts(table: &str, column: &str, which: &str) -> String {
    format!(
        "SELECT a.id, '{table}', CAST(0 AS bigint), coalesce(n.n, 0), a.{column} FROM accounts a LEFT JOIN (
           SELECT account, count(*) AS n FROM {table}{which} GROUP BY account) n ON n.account = a.no
         WHERE a.{column} <> coalesce(n.n, 0)"
    )
}

fn budgets() -> String {
    let in_scope = "CASE WHEN b.scope = 'account' OR b.scope = 'team' AND k.team = b.target
        OR b.scope = 'key' AND k.no = b.target THEN l.escrow ELSE 0 END";
    format!(
        "SELECT a.id, b.scope || ' ' || b.target, b.billions, b.rest, b.held FROM (
           SELECT b.account, b.scope, b.target, b.held, {} FROM budgets b
             LEFT JOIN leases l ON l.account = b.account AND l.escrow > 0 LEFT JOIN keys k ON k.no = l.key
           GROUP BY b.account, b.scope, b.target, b.held) b JOIN accounts a ON a.no = b.account WHERE {}",
        parts(in_scope),
        differs("b.billions", "b.rest", "b.held")
    )
}
