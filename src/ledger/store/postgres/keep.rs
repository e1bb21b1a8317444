//! Writes what has changed on a sheet: one statement per table, however many rows.

use super::sheet::Sheet;
use super::trouble::{Trouble, together};
use crate::domain::{AccountNo, GatewayNo, KeyNo, LeaseState};
use crate::store::draws;
use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;

/// Writes all of it. The statements are sent together, without waiting in between.
pub async fn sheet(conn: &Client, sheet: &Sheet) -> Result<(), Trouble> {
    together!(
        accounts = accounts(conn, sheet),
        grants = grants(conn, sheet),
        leases = leases(conn, sheet),
        budgets = budgets(conn, sheet),
        entries = entries(conn, sheet)
    )?;
    if !sheet.changed.unbooked.is_empty() {
        // Seldom, so the room for it is made only then.
        Box::pin(unbooked(conn, sheet)).await?;
    }
    turned(conn, sheet).await
}

/// Writes one row per element of the columns, which are arrays of one length.
async fn write(conn: &Client, sql: &str, columns: &[&(dyn ToSql + Sync)]) -> Result<(), Trouble> {
    let statement = conn.prepare_cached(sql).await?;
    conn.execute(&statement, columns).await?;
    Ok(())
}

/// A column of an array for each field.
macro_rules! columns {
    ($rows:expr => $row:pat => $($column:ident: $kind:ty = $value:expr),+ $(,)?) => {
        $(let mut $column: Vec<$kind> = Vec::new();)+
        for $row in $rows {
            $($column.push($value);)+
        }
    };
}

async fn accounts(conn: &Client, sheet: &Sheet) -> Result<(), Trouble> {
    let changed = sheet.changed.accounts.iter().filter_map(|no| Some(&sheet.money.get(no)?.account));
    columns! { changed => account =>
        no: i64 = account.no.0,
        available: i64 = account.books.available.micros(),
        held: i64 = account.books.held.micros(),
        spent: i64 = account.books.spent.micros(),
        expired: i64 = account.books.expired.micros(),
        owed: i64 = account.books.owed.micros(),
        granted: i64 = account.books.granted.micros(),
        holders: i64 = account.holders,
        tight: bool = account.tight,
    }
    if no.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE accounts a SET available = n.available, held = n.held, spent = n.spent, expired = n.expired,
          owed = n.owed, granted = n.granted, holders = n.holders, tight = n.tight
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
          $8::bigint[], $9::boolean[]) AS n (no, available, held, spent, expired, owed, granted, holders, tight)
        WHERE a.no = n.no";
    write(conn, sql, &[&no, &available, &held, &spent, &expired, &owed, &granted, &holders, &tight]).await
}

async fn grants(conn: &Client, sheet: &Sheet) -> Result<(), Trouble> {
    columns! { &sheet.changed.grants => (grant, left) => no: i64 = grant.0, remaining: i64 = left.micros() }
    if no.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE grants g SET remaining = n.remaining
        FROM unnest($1::bigint[], $2::bigint[]) AS n (no, remaining) WHERE g.no = n.no";
    write(conn, sql, &[&no, &remaining]).await
}

async fn budgets(conn: &Client, sheet: &Sheet) -> Result<(), Trouble> {
    let changed = sheet.changed.budgets.iter().filter_map(|row| Some((row.0, sheet.budgets.get(row)?)));
    columns! { changed => (no, budget) =>
        account: i64 = no.0,
        scope: &str = budget.scope.as_str(),
        target: i64 = budget.scope.target(),
        period_ms: i64 = budget.start.as_millisecond(),
        until_ms: i64 = budget.until.as_millisecond(),
        spent: i64 = budget.spent.micros(),
        held: i64 = budget.held.micros(),
    }
    if account.is_empty() {
        return Ok(());
    }
    let sql =
        "UPDATE budgets b SET period_ms = n.period_ms, until_ms = n.until_ms, spent = n.spent, held = n.held
        FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
          AS n (account, scope, target, period_ms, until_ms, spent, held)
        WHERE b.account = n.account AND b.scope = n.scope AND b.target = n.target";
    write(conn, sql, &[&account, &scope, &target, &period_ms, &until_ms, &spent, &held]).await
}

async fn leases(conn: &Client, sheet: &Sheet) -> Result<(), Trouble> {
    let changed = sheet.changed.leases.iter().filter_map(|row| sheet.leases.get(row));
    columns! { changed.map(|stamped| (stamped, &stamped.lease)) => (stamped, lease) =>
        gateway: i64 = lease.gateway.0,
        key: i64 = lease.key.0,
        account: i64 = lease.account.0,
        fence: i64 = i64::from(lease.fence),
        state: &str = name(lease.state),
        granted: i64 = lease.granted.micros(),
        spent: i64 = lease.spent.micros(),
        returned: i64 = lease.returned.micros(),
        held: i64 = lease.held.micros(),
        drawn: String = draws::text(&lease.draws),
        escrow: i64 = lease.escrow().micros(),
        on_credit: i64 = lease.on_credit.micros(),
        recall: bool = lease.recall,
        brisk: bool = lease.brisk,
        touch: i64 = stamped.touch,
        changed_ms: i64 = stamped.changed_ms,
        demand: i64 = i64::from(lease.demand),
    }
    if key.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO leases (gateway, key, account, fence, state, granted, spent, returned, held, draws, escrow,
          on_credit, recall, brisk, touch, changed_ms, demand)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[],
          $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::bigint[], $12::bigint[], $13::boolean[],
          $14::boolean[], $15::bigint[], $16::bigint[], $17::bigint[])
        ON CONFLICT (gateway, key) DO UPDATE SET fence = excluded.fence, state = excluded.state,
          granted = excluded.granted, spent = excluded.spent, returned = excluded.returned, held = excluded.held,
          draws = excluded.draws, escrow = excluded.escrow, on_credit = excluded.on_credit,
          recall = excluded.recall, brisk = excluded.brisk, touch = excluded.touch, changed_ms = excluded.changed_ms,
          demand = excluded.demand";
    let columns: [&(dyn ToSql + Sync); 17] = [
        &gateway,
        &key,
        &account,
        &fence,
        &state,
        &granted,
        &spent,
        &returned,
        &held,
        &drawn,
        &escrow,
        &on_credit,
        &recall,
        &brisk,
        &touch,
        &changed_ms,
        &demand,
    ];
    write(conn, sql, &columns).await
}

const fn name(state: LeaseState) -> &'static str {
    match state {
        LeaseState::Open => "open",
        LeaseState::Ended => "ended",
        LeaseState::Reclaimed => "reclaimed",
    }
}

async fn entries(conn: &Client, sheet: &Sheet) -> Result<(), Trouble> {
    columns! { &sheet.changed.entries => ([a, m, k, e, g, f, n], sum) =>
        account: i64 = *a, minute: i64 = *m, kind: i64 = *k, key: i64 = *e, gateway: i64 = *g, fence: i64 = *f,
        grant: i64 = *n, amount: i64 = *sum,
    }
    if account.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO entries (account, minute, kind, key, gateway, fence, grant_no, amount)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
          $7::bigint[], $8::bigint[])
        ON CONFLICT (account, minute, kind, key, gateway, fence, grant_no)
          DO UPDATE SET amount = entries.amount + excluded.amount";
    write(conn, sql, &[&account, &minute, &kind, &key, &gateway, &fence, &grant, &amount]).await
}

async fn unbooked(conn: &Client, sheet: &Sheet) -> Result<(), Trouble> {
    columns! { &sheet.changed.unbooked => ((at, of), row) =>
        gateway: i64 = at.0, key: i64 = of.0, account: i64 = row.account.0, fence: i64 = i64::from(row.fence),
        reports: i64 = row.reports, credits: i64 = row.credits.micros(), last_ms: i64 = row.last_ms,
    }
    let sql = "INSERT INTO unbooked (gateway, key, account, fence, reports, credits, last_ms)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
          $7::bigint[])
        ON CONFLICT (gateway, key) DO UPDATE SET fence = excluded.fence,
          reports = unbooked.reports + excluded.reports, last_ms = excluded.last_ms,
          credits = least(unbooked.credits::numeric + excluded.credits, 9223372036854775807)::bigint";
    write(conn, sql, &[&gateway, &key, &account, &fence, &reports, &credits, &last_ms]).await
}

/// Makes the gateways of an account's holders beat fast, or as usual.
async fn turned(conn: &Client, sheet: &Sheet) -> Result<(), Trouble> {
    let turned = sheet.changed.turned.iter().filter_map(|no| Some(&sheet.money.get(no)?.account));
    columns! { turned => account => no: i64 = account.no.0, tight: bool = account.tight }
    if no.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE leases l SET brisk = n.tight FROM unnest($1::bigint[], $2::boolean[]) AS n (no, tight)
        WHERE l.account = n.no AND l.escrow > 0 AND l.brisk <> n.tight";
    write(conn, sql, &[&no, &tight]).await
}

/// Something that gateways must hear (see the table's comment for what zeros mean).
pub type Change = (AccountNo, KeyNo, GatewayNo);

/// Writes down what gateways must hear. It must be the last that a transaction waits for: from here to
/// the commit nobody else can announce anything, so that changes appear in the order of their numbers.
pub async fn announce(conn: &Client, changes: &[Change], now: Timestamp) -> Result<(), Trouble> {
    if changes.is_empty() {
        return Ok(());
    }
    columns! { changes => (of, about, at) => account: i64 = of.0, key: i64 = about.0, gateway: i64 = at.0 }
    let sql = "WITH n AS (UPDATE newest_change SET seq = seq + cardinality($1::bigint[]) RETURNING seq)
        INSERT INTO changes (seq, account, key, gateway, made_ms)
        SELECT n.seq - cardinality($1) + c.nth, c.account, c.key, c.gateway, $4::bigint
        FROM n, unnest($1, $2::bigint[], $3::bigint[]) WITH ORDINALITY AS c (account, key, gateway, nth)";
    write(conn, sql, &[&account, &key, &gateway, &now.as_millisecond()]).await
}
