//! Recomputes every balance from the entries and compares it with what is stored, in one snapshot.
//!
//! The server does the sums and sends only what disagrees, so memory doesn't grow with the accounts.

use super::trouble::Trouble;
use super::{at, micros};
use crate::api::{Audit, AuditProblem, MAX_LIMIT, UnbookedReports};
use faregate_protocol::Credits;
use tokio_postgres::{Client, Row};

/// An audit reads every entry that was ever made, so it may take longer than any other statement.
const LIMIT: &str = "SET LOCAL statement_timeout = '1h'";

/// Each of the following gives the account's identifier, what, what the entries say, and what is stored.
const SUMS: &str = "WITH sums AS (
      SELECT account, book, sum(amount) AS total FROM (
        SELECT e.account, k.to_book AS book, e.amount FROM entries e JOIN entry_kinds k USING (kind)
        UNION ALL SELECT e.account, k.from_book, -e.amount FROM entries e JOIN entry_kinds k USING (kind)
      ) moved GROUP BY account, book)
    SELECT a.id, b.book, (coalesce(s.total, 0) * b.sign)::text, b.stored::text FROM accounts a
      CROSS JOIN LATERAL (VALUES ('issued', -1, a.granted), ('available', 1, a.available), ('held', 1, a.held),
        ('revenue', 1, a.spent), ('expired', 1, a.expired), ('owed', -1, a.owed)) AS b (book, sign, stored)
      LEFT JOIN sums s ON s.account = a.no AND s.book = b.book
    WHERE coalesce(s.total, 0) * b.sign <> b.stored";
const AGREE: &str = "SELECT id, 'available + held + spent + expired', (granted::numeric + owed)::text,
      (available::numeric + held + spent + expired)::text FROM accounts
    WHERE granted::numeric + owed <> available::numeric + held + spent + expired";
const RANGE: &str = "SELECT id, 'beyond which nothing can be booked', '9223372036854775807',
      (granted::numeric + owed)::text FROM accounts WHERE granted::numeric + owed > 9223372036854775807";
const STRAY_ENTRIES: &str = "SELECT NULL::text, 'account number ' || e.account, '0', sum(e.amount)::text
    FROM entries e LEFT JOIN accounts a ON a.no = e.account WHERE a.no IS NULL GROUP BY e.account";
const GRANTS: &str = "SELECT a.id, g.id, coalesce(e.rest, 0)::text, g.remaining::text
    FROM grants g JOIN accounts a ON a.no = g.account LEFT JOIN (
      SELECT grant_no, sum(CASE WHEN k.to_book = 'available' THEN amount WHEN k.from_book = 'available' THEN -amount
        ELSE 0 END) AS rest
      FROM entries JOIN entry_kinds k USING (kind) WHERE grant_no > 0 GROUP BY grant_no
    ) e ON e.grant_no = g.no WHERE coalesce(e.rest, 0) <> g.remaining";
const LEASES: &str = "WITH held AS (
      SELECT key, gateway, fence, min(account) AS account,
        sum(CASE WHEN k.to_book = 'held' THEN amount ELSE -amount END) AS rest
      FROM entries JOIN entry_kinds k USING (kind) WHERE k.to_book = 'held' OR k.from_book = 'held'
      GROUP BY key, gateway, fence)
    SELECT a.id, 'key ' || key || ' on gateway ' || gateway || ', fence ' || fence, coalesce(h.rest, 0)::text,
      coalesce(l.escrow, 0)::text
    FROM held h FULL JOIN (SELECT gateway, key, fence, account AS of_account, escrow FROM leases WHERE escrow <> 0) l
        USING (gateway, key, fence)
      LEFT JOIN accounts a ON a.no = coalesce(l.of_account, h.account)
    WHERE coalesce(h.rest, 0) <> coalesce(l.escrow, 0)";
const DRAWS: &str =
    "SELECT a.id, 'key ' || l.key || ' on gateway ' || l.gateway, l.escrow::text, d.total::text
    FROM leases l JOIN accounts a ON a.no = l.account
      CROSS JOIN LATERAL (SELECT coalesce(sum((draw ->> 1)::bigint), 0) AS total
        FROM jsonb_array_elements(l.draws::jsonb) AS draw) d
    WHERE l.escrow <> d.total OR (l.escrow <> 0 AND l.state <> 'open')";
const HOLDERS: &str =
    "SELECT a.id, 'leases', coalesce(l.n, 0)::text, a.holders::text FROM accounts a LEFT JOIN (
      SELECT account, count(*) AS n FROM leases WHERE escrow > 0 AND state = 'open' GROUP BY account
    ) l ON l.account = a.no WHERE a.holders <> coalesce(l.n, 0)";

const BUDGETS: &str = "SELECT a.id, b.scope || ' ' || b.target, held.escrow::text, b.held::text
    FROM budgets b JOIN accounts a ON a.no = b.account CROSS JOIN LATERAL (
      SELECT coalesce(sum(l.escrow), 0) AS escrow FROM leases l JOIN keys k ON k.no = l.key
      WHERE l.account = b.account AND l.escrow > 0 AND (b.scope = 'account' OR b.scope = 'team' AND k.team = b.target
        OR b.scope = 'key' AND k.no = b.target)) held
    WHERE held.escrow <> b.held";
const BUDGET_COUNTS: &str =
    "SELECT a.id, 'budgets', coalesce(b.n, 0)::text, a.budgets::text FROM accounts a LEFT JOIN (
      SELECT account, count(*) AS n FROM budgets GROUP BY account) b ON b.account = a.no
    WHERE a.budgets <> coalesce(b.n, 0)";

/// Compares everything, for somebody who waits.
pub async fn audit(conn: &Client) -> Result<Audit, Trouble> {
    conn.batch_execute(LIMIT).await?;
    compare(conn).await
}

/// Compares everything, however long it takes.
pub async fn compare(conn: &Client) -> Result<Audit, Trouble> {
    let count = "SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM entries)";
    let counts = conn.query_one(count, &[]).await?;
    let number = |column| Ok::<_, Trouble>(u64::try_from(counts.try_get::<_, i64>(column)?).unwrap_or(0));
    let (accounts, entries) = (number(0)?, number(1)?);
    let mut problems = Vec::new();
    for (sql, what) in [
        (SUMS, "the sum of a book"),
        (AGREE, "granted + owed = available + held + spent + expired"),
        (RANGE, "granted + owed"),
        (STRAY_ENTRIES, "entries of an account that doesn't exist"),
        (GRANTS, "what remains of a grant"),
        (LEASES, "what a lease holds"),
        (DRAWS, "what a lease has drawn from grants"),
        (HOLDERS, "the number of leases with money in them"),
        (BUDGETS, "what a budget holds"),
        (BUDGET_COUNTS, "the number of budgets"),
    ] {
        let is_count = sql == HOLDERS || sql == BUDGET_COUNTS;
        let room = i64::try_from(MAX_LIMIT.saturating_sub(problems.len())).unwrap_or(0);
        for row in conn.query(&[sql, " LIMIT $1"].concat(), &[&room]).await? {
            problems.push(AuditProblem {
                what: format!("{what} ({})", row.try_get::<_, &str>(1)?),
                account: row.try_get(0)?,
                expected: said(row.try_get(2)?, is_count),
                found: said(row.try_get(3)?, is_count),
            });
        }
    }
    Ok(Audit::of((accounts, entries), problems, unbooked(conn).await?))
}

/// What was reported and not charged.
async fn unbooked(conn: &Client) -> Result<Vec<UnbookedReports>, Trouble> {
    let sql = "SELECT a.id, k.id, g.name, u.fence, u.reports, u.credits, u.last_ms FROM unbooked u
          JOIN accounts a ON a.no = u.account JOIN keys k ON k.no = u.key JOIN gateways g ON g.no = u.gateway
        ORDER BY u.last_ms DESC LIMIT $1";
    let most = i64::try_from(MAX_LIMIT).unwrap_or(i64::MAX);
    let rows = conn.query(sql, &[&most]).await?;
    let report = |row: &Row| {
        Ok::<_, Trouble>(UnbookedReports {
            account: row.try_get(0)?,
            key: row.try_get(1)?,
            gateway: row.try_get(2)?,
            fence: u32::try_from(row.try_get::<_, i64>(3)?).unwrap_or(u32::MAX),
            reports: u64::try_from(row.try_get::<_, i64>(4)?).unwrap_or(0),
            not_charged: micros(row, 5)?,
            last_at: at(row.try_get(6)?),
        })
    };
    rows.iter().map(report).collect()
}

/// A number for people: a count as it is, an amount in credits where it is in their range.
fn said(number: &str, is_count: bool) -> String {
    match number.parse() {
        Ok(micros) if !is_count => Credits::from_micros(micros).to_string(),
        _ => number.to_owned(),
    }
}
