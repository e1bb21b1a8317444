//! Subscriptions, with what was overdrawn.

use super::{Reader, accounts, columns, first, get, missing};
use crate::api;
use crate::domain::plan::OVERDRAFT_PRIORITY;
use crate::domain::{AccountNo, Draw};
use crate::store::StoreError;
use crate::store::plans::{OVERDRAFTS, Overdraft, Stored, without_leases};
use crate::store::record::Record;
use crate::store::rows::SubscriptionRow;

/// An account's newest subscription.
pub async fn newest(reader: &impl Reader, account: &str) -> Result<api::Subscription, StoreError> {
    let owner = accounts::number(reader, account).await?;
    let sql = format!(
        "SELECT {}, p.name, n.name FROM subscriptions s JOIN plans p ON p.no = s.plan
           LEFT JOIN plans n ON n.no = s.next_plan WHERE s.account = ?1 ORDER BY s.no DESC LIMIT 1",
        columns(SubscriptionRow::TABLE, "s")
    );
    let last = SubscriptionRow::TABLE.columns.len();
    let given = [owner.0.into()];
    let found = first(reader, &sql, &given, |row| {
        let SubscriptionRow { no, id, subscription, created_at, .. } = SubscriptionRow::read(row)?;
        let (plan_name, next_name) = (get(row, last)?, get(row, last.saturating_add(1))?);
        let account_id = account.to_owned();
        Ok(Stored { no, id, account: owner, account_id, plan_name, next_name, subscription, created_at })
    });
    let stored = found.await?.ok_or_else(|| missing("subscription of account", account))?;
    let overdrafts = overdrafts(reader, stored.no).await?;
    let drawn = if overdrafts.is_empty() { Vec::new() } else { drawn(reader, owner).await? };
    Ok(stored.shown(&without_leases(overdrafts, &drawn)))
}

/// What has become of the last grants that may be overdrawn.
async fn overdrafts(reader: &impl Reader, subscription: i64) -> Result<Vec<Overdraft>, StoreError> {
    let sql = "SELECT g.no, g.expires_ms, CAST(g.amount - g.remaining - coalesce((SELECT sum(e.amount) FROM entries e
           WHERE e.account = g.account AND e.minute >= g.expires_ms / 60000 AND e.kind IN (6, 7)
             AND e.grant_no = g.no), 0) AS bigint)
         FROM grants g WHERE g.subscription = ?1 AND g.priority = ?2 ORDER BY g.expires_ms DESC LIMIT ?3";
    let given = [subscription.into(), i64::from(OVERDRAFT_PRIORITY).into(), OVERDRAFTS.into()];
    let read = reader.rows(sql, &given, |row| {
        Ok(Overdraft { grant: get(row, 0)?, ends_at: get(row, 1)?, used: get(row, 2)? })
    });
    read.await
}

/// What an account's leases have drawn, and neither spent nor given back.
async fn drawn(reader: &impl Reader, account: AccountNo) -> Result<Vec<Draw>, StoreError> {
    let sql = "SELECT draws FROM leases WHERE account = ?1 AND escrow > 0";
    let found: Vec<Vec<Draw>> = reader.rows(sql, &[account.0.into()], |row| get(row, 0)).await?;
    Ok(found.concat())
}
