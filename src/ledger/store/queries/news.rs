//! What a gateway's heartbeat brings back, read after the heartbeat's own message is committed. What it means is decided
//! in [`crate::command::news`].

use super::{Reader, first, get, most};
use crate::command::news::{self, Candidate, MAX_CHANGES, Scope};
use crate::domain::Key;
use crate::domain::entitlement::Entitlement;
use crate::domain::key::Owner;
use crate::store::StoreError;
use crate::store::dialect::Dialect;
use crate::store::record::{BadRow, Columns};
use crate::store::value::Value;
use jiff::Timestamp;

/// News for a gateway, and whether one of its leases shares the last of an account's money with others.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// What concerns it.
    pub news: news::News,
    /// Whether it should send the next heartbeat soon.
    pub fast_heartbeat: bool,
}

/// The gateway's leases of which it may hear something: they are recalled, or the key or the account isn't good any
/// more. A entitlement's text says only that it may be unpaid.
const LEASES: &str = "SELECT l.key, k.id, k.revoked, k.expires_ms, l.account, a.state, a.entitlement, l.recall FROM leases l
    JOIN keys k ON k.no = l.key JOIN accounts a ON a.no = l.account
    WHERE l.gateway = ?1 AND (l.state = 'open' AND l.escrow > 0 OR l.state = 'reclaimed')
      AND (l.recall OR k.revoked OR k.expires_ms <= ?2 OR a.state <> 'active' OR a.entitlement LIKE '%\"unpaid\"%')";

/// The number of the newest change.
const fn newest_change(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'changes'",
        Dialect::Postgres => "SELECT seq FROM newest_change",
    }
}

fn candidate(row: &dyn Columns) -> Result<Candidate, BadRow> {
    let key = Key {
        no: get(row, 0)?,
        id: get(row, 1)?,
        revoked: get(row, 2)?,
        expires_at: get(row, 3)?,
        ..Key::default()
    };
    let entitlement: Option<Entitlement> = get(row, 6)?;
    let owner = Owner::of(get(row, 5)?, entitlement.as_ref());
    Ok(Candidate { key, account: get(row, 4)?, owner, recall: get(row, 7)? })
}

/// What has changed for a gateway since change number `since`.
pub async fn since<R: Reader>(
    reader: &R,
    gateway: &str,
    since: u64,
    now: Timestamp,
) -> Result<Heard, StoreError> {
    let newest = first(reader, newest_change(R::DIALECT), &[], |row| get(row, 0)).await?.unwrap_or(0);
    let sql = format!(
        "SELECT g.no, EXISTS (SELECT 1 FROM leases WHERE gateway = g.no AND {}) FROM gateways g WHERE g.name = ?1",
        R::DIALECT.is_set("fast_heartbeat")
    );
    let found = first(reader, &sql, &[gateway.into()], |row| Ok((get::<i64>(row, 0)?, get(row, 1)?))).await?;
    let (no, fast_heartbeat) = found.map_or((None, false), |(no, fast_heartbeat)| (Some(no), fast_heartbeat));
    let leases = match (no, news::scope(newest, since)) {
        (None, _) | (_, Scope::Nothing) => Vec::new(),
        (Some(no), scope) => candidates(reader, no, scope, now).await?,
    };
    Ok(Heard { news: news::decide(newest, since, &leases, now), fast_heartbeat })
}

async fn candidates<R: Reader>(
    reader: &R,
    gateway: i64,
    scope: Scope,
    now: Timestamp,
) -> Result<Vec<Candidate>, StoreError> {
    // One row more than fits says that there are more.
    let all: [Value; 3] = [gateway.into(), now.as_millisecond().into(), most(MAX_CHANGES.saturating_add(1))];
    let Scope::Since(since) = scope else {
        return reader.rows(&[LEASES, " LIMIT ?3"].concat(), &all, candidate).await;
    };
    let sql = format!(
        "WITH news AS (SELECT DISTINCT account, key, gateway FROM changes WHERE seq > ?4), named AS (
           SELECT l.key FROM news n JOIN leases l ON l.gateway = ?1 AND l.key = n.key AND l.account = n.account
             WHERE n.key <> 0
           UNION SELECT l.key FROM news n JOIN keys k ON k.account = n.account
               JOIN leases l ON l.gateway = ?1 AND l.key = k.no AND l.account = n.account
             WHERE n.key = 0 AND n.account <> 0
           UNION SELECT l.key FROM leases l WHERE l.gateway = ?1 AND {}
             AND EXISTS (SELECT 1 FROM news n WHERE n.account = 0 AND n.gateway IN (0, ?1)))
         {LEASES} AND l.key IN (SELECT key FROM named) LIMIT ?3",
        R::DIALECT.is_set("l.recall")
    );
    reader.rows(&sql, &[all.as_slice(), &[since.into()]].concat(), candidate).await
}
