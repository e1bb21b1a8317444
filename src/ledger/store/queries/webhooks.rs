//! Endpoints, and deliveries.

use super::{Reader, columns, first, get, missing, most};
use crate::api;
use crate::command::webhooks::shown;
use crate::domain::outgoing::Message;
use crate::domain::webhook::DeliveryState;
use crate::store::record::{BadRow, Columns, Record};
use crate::store::rows::{DeliveryKey, WebhookRow};
use crate::store::{Page, StoreError};
use jiff::Timestamp;

/// What the admin API shows of endpoints: behind the row's columns the account's identifier, and how many events wait.
fn select() -> String {
    format!(
        "SELECT {}, a.id, (SELECT count(*) FROM deliveries d WHERE d.webhook = w.no AND d.state = 'waiting')
         FROM webhooks w LEFT JOIN accounts a ON a.no = w.account WHERE w.state <> 'deleted'",
        columns(WebhookRow::TABLE, "w")
    )
}

fn read(row: &dyn Columns, now: Timestamp) -> Result<api::Webhook, BadRow> {
    let behind = WebhookRow::TABLE.columns.len();
    let (account, waiting): (Option<String>, i64) = (get(row, behind)?, get(row, behind.saturating_add(1))?);
    let shown = shown(WebhookRow::read(row)?, account, now);
    Ok(api::Webhook { waiting: Some(u64::try_from(waiting).unwrap_or(0)), ..shown })
}

/// An endpoint.
pub async fn one(reader: &impl Reader, id: &str, now: Timestamp) -> Result<api::Webhook, StoreError> {
    let sql = [select().as_str(), " AND w.id = ?1"].concat();
    first(reader, &sql, &[id.into()], |row| read(row, now)).await?.ok_or_else(|| missing("webhook", id))
}

/// A page of the endpoints, oldest first.
pub async fn page(reader: &impl Reader, page: &Page, now: Timestamp) -> Result<api::Webhooks, StoreError> {
    let sql = [
        select().as_str(),
        " AND w.no > coalesce((SELECT no FROM webhooks WHERE id = ?1), 0) ORDER BY w.no LIMIT ?2",
    ]
    .concat();
    let given = [page.after.as_deref().into(), page.rows().into()];
    let mut webhooks = reader.rows(&sql, &given, |row| read(row, now)).await?;
    let next = page.cut(&mut webhooks).map(|last| last.id.clone());
    Ok(api::Webhooks { webhooks, next })
}

/// An endpoint's row.
pub async fn row(reader: &impl Reader, id: &str) -> Result<WebhookRow, StoreError> {
    let names = columns(WebhookRow::TABLE, "w");
    let sql = format!("SELECT {names} FROM webhooks w WHERE w.id = ?1 AND w.state <> 'deleted'");
    let found = first(reader, &sql, &[id.into()], |row| WebhookRow::read(row)).await?;
    found.ok_or_else(|| missing("webhook", id))
}

/// A page of an endpoint's deliveries, newest first; perhaps only those in a state.
pub async fn deliveries(
    reader: &impl Reader,
    no: i64,
    state: Option<DeliveryState>,
    page: &Page,
) -> Result<api::Deliveries, StoreError> {
    let mut given = vec![no.into(), page.rows().into()];
    let mut conditions = Vec::new();
    if let Some(state) = state {
        given.push(state.as_str().into());
        conditions.push(format!(" AND d.state = ?{}", given.len()));
    }
    if let Some(after) = &page.after {
        given.push(after.as_str().into());
        conditions.push(format!(
            " AND (d.created_ms, d.account, d.seq) < (SELECT l.created_ms, l.account, l.seq FROM events l WHERE l.id = ?{})",
            given.len()
        ));
    }
    let sql = format!(
        "SELECT e.id, e.kind, a.id, d.seq, d.state, d.attempts, d.status, d.error, d.next_ms, d.done_ms, d.created_ms
         FROM deliveries d JOIN events e ON e.account = d.account AND e.seq = d.seq LEFT JOIN accounts a ON a.no = d.account
         WHERE d.webhook = ?1{} ORDER BY d.created_ms DESC, d.account DESC, d.seq DESC LIMIT ?2",
        conditions.concat()
    );
    let read = |row: &dyn Columns| {
        let state: DeliveryState = get(row, 4)?;
        let next: Timestamp = get(row, 8)?;
        Ok(api::Delivery {
            event: get(row, 0)?,
            kind: get(row, 1)?,
            account: get(row, 2)?,
            sequence: get(row, 3)?,
            state,
            attempts: get(row, 5)?,
            status: get(row, 6)?,
            error: get(row, 7)?,
            next_attempt_at: Some(next).filter(|_| state == DeliveryState::Waiting),
            delivered_at: get::<Option<Timestamp>>(row, 9)?.filter(|_| state == DeliveryState::Delivered),
            time: get(row, 10)?,
        })
    };
    let mut deliveries = reader.rows(&sql, &given, read).await?;
    let next = page.cut(&mut deliveries).map(|last| last.event.clone());
    Ok(api::Deliveries { deliveries, next })
}

/// Endpoints for which there is something to do: a delivery whose time has come, or a replay.
pub async fn busy(reader: &impl Reader, now: Timestamp) -> Result<Vec<WebhookRow>, StoreError> {
    let sql = format!(
        "SELECT {} FROM webhooks w WHERE w.state <> 'deleted' AND (w.replay IS NOT NULL OR w.state = 'active' AND EXISTS (
           SELECT 1 FROM deliveries d WHERE d.webhook = w.no AND d.state = 'waiting' AND d.next_ms <= ?1))
         ORDER BY w.no",
        columns(WebhookRow::TABLE, "w")
    );
    reader.rows(&sql, &[now.as_millisecond().into()], |row| WebhookRow::read(row)).await
}

/// Deliveries to an endpoint whose time has come, at most so many: of each account the one that comes first.
pub async fn due(
    reader: &impl Reader,
    webhook: i64,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(DeliveryKey, Message)>, StoreError> {
    let sql = "SELECT d.webhook, d.account, d.seq, e.id, e.kind, a.id, e.created_ms, e.data
        FROM deliveries d JOIN events e ON e.account = d.account AND e.seq = d.seq LEFT JOIN accounts a ON a.no = d.account
        WHERE d.webhook = ?1 AND d.state = 'waiting' AND d.next_ms <= ?2
          AND (d.claimed_ms IS NULL OR d.claimed_ms <= ?2)
          AND NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.webhook = d.webhook AND p.account = d.account
            AND p.state = 'waiting' AND p.seq < d.seq)
        ORDER BY d.next_ms LIMIT ?3";
    let given = [webhook.into(), now.as_millisecond().into(), most(limit)];
    reader.rows(sql, &given, delivery).await
}

/// What is to be delivered where.
pub fn delivery(row: &dyn Columns) -> Result<(DeliveryKey, Message), BadRow> {
    let place: DeliveryKey = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
    let message = Message {
        id: get(row, 3)?,
        kind: get(row, 4)?,
        account: get(row, 5)?,
        sequence: place.2,
        time: get(row, 6)?,
        data: super::events::data(get(row, 7)?),
    };
    Ok((place, message))
}

/// How many events wait to be delivered.
pub async fn waiting(reader: &impl Reader) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM deliveries d JOIN webhooks w ON w.no = d.webhook
        WHERE d.state = 'waiting' AND w.state <> 'deleted'";
    let found = first(reader, sql, &[], |row| get::<i64>(row, 0)).await?;
    Ok(u64::try_from(found.unwrap_or(0)).unwrap_or(0))
}
