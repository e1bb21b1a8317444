//! What a gateway's beat brings back: the changes since the last one that concern its leases.
//!
//! It is read from one snapshot, after the beat's own message is committed. What must hold: quiet payers
//! cost a beat nothing. It reads the changes since the last beat, not the gateway's leases; only a
//! gateway that comes anew, or was away for long, has its leases read.

use super::load::state_of;
use super::trouble::Trouble;
use super::{at, named};
use crate::domain::key::Owner;
use crate::domain::{Key, KeyId, KeyNo};
use deadpool_postgres::Client;
use faregate_protocol::exchange::Change;
use jiff::Timestamp;

/// A gateway that has missed more changes than this has its leases read instead.
const MAX_BACKLOG: i64 = 10_000;
/// The most changes in one answer, so that it fits into a message. Those that are left over come with
/// the next beat: the leases told of are gone by then.
const MAX_CHANGES: usize = 5_000;

/// News for a gateway.
#[derive(Clone, Debug)]
pub struct News {
    /// The number of the newest change that was taken in.
    pub seen: u64,
    /// What concerns this gateway.
    pub changes: Vec<Change>,
    /// One of its leases shares the last of an account's money with others.
    pub brisk: bool,
}

/// The gateway's leases with money whose gateway should hear something: they are recalled, or the key
/// or the account isn't good any more. Of one that was taken back from it, it may not know yet.
const LEASES: &str = "SELECT l.key, k.id, k.revoked, k.expires_ms, a.state,
      coalesce(a.contract::jsonb ->> 'standing' = 'unpaid', false) FROM leases l
    JOIN keys k ON k.no = l.key JOIN accounts a ON a.no = l.account
    WHERE l.gateway = $1 AND (l.state = 'open' AND l.escrow > 0 OR l.state = 'reclaimed')
      AND (l.recall OR k.revoked OR k.expires_ms <= $2 OR a.state <> 'active'
        OR a.contract::jsonb ->> 'standing' = 'unpaid')";

/// What has changed for a gateway since change number `since`.
pub async fn news(conn: &Client, gateway: &str, since: u64, now: Timestamp) -> Result<News, Trouble> {
    let find = "SELECT n.seq, g.no, EXISTS (SELECT 1 FROM leases WHERE gateway = g.no AND brisk)
        FROM newest_change n LEFT JOIN gateways g ON g.name = $1";
    let row = conn.query_one(&conn.prepare_cached(find).await?, &[&named(gateway)]).await?;
    let (newest, gateway, brisk): (i64, Option<i64>, bool) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let Some(gateway) = gateway.filter(|_| since != newest) else {
        return Ok(News { seen: as_number(newest), changes: Vec::new(), brisk });
    };
    let now_ms = now.as_millisecond();
    let limit = i64::try_from(MAX_CHANGES).unwrap_or(i64::MAX).saturating_add(1);
    // A number from the future means that an older copy of the database was restored.
    let mut rows = if since == 0 || since > newest || newest.saturating_sub(since) > MAX_BACKLOG {
        let all = conn.prepare_cached(&[LEASES, " LIMIT $3"].concat()).await?;
        conn.query(&all, &[&gateway, &now_ms, &limit]).await?
    } else {
        let sql = [
            "WITH news AS (SELECT DISTINCT account, key, gateway FROM changes WHERE seq > $4), named AS (
               SELECT l.key FROM news n JOIN leases l ON l.account = n.account AND l.gateway = $1
                 AND (n.key = 0 OR l.key = n.key) WHERE n.account <> 0
               UNION SELECT l.key FROM leases l WHERE l.gateway = $1 AND l.recall
                 AND EXISTS (SELECT 1 FROM news n WHERE n.account = 0 AND n.gateway IN (0, $1))) ",
            LEASES,
            " AND l.key IN (SELECT key FROM named) LIMIT $3",
        ];
        let changed = conn.prepare_cached(&sql.concat()).await?;
        conn.query(&changed, &[&gateway, &now_ms, &limit, &since]).await?
    };
    let complete = rows.len() <= MAX_CHANGES;
    rows.truncate(MAX_CHANGES);
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        let key = Key {
            no: KeyNo(row.try_get(0)?),
            id: KeyId::stored(row.try_get(1)?),
            revoked: row.try_get(2)?,
            expires_at: row.try_get::<_, Option<i64>>(3)?.map(at),
            team: None,
            products: None,
        };
        let owner = Owner { state: state_of(row.try_get(4)?), unpaid: row.try_get(5)? };
        let refused = key.refusal(owner, now);
        changes.push(Change { payer: key.id.to_string(), refused });
    }
    Ok(News { seen: as_number(if complete { newest } else { since }), changes, brisk })
}

fn as_number(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}
