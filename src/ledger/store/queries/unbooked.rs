//! What gateways reported and was not charged.

use super::{Reader, get, most};
use crate::api::{MAX_LIMIT, UnbookedReports};
use crate::store::StoreError;

/// The newest of it.
pub async fn list(reader: &impl Reader) -> Result<Vec<UnbookedReports>, StoreError> {
    let sql = "SELECT a.id, k.id, g.name, u.epoch, u.reports, u.credits, u.last_ms FROM unbooked u
          JOIN accounts a ON a.no = u.account JOIN keys k ON k.no = u.key JOIN gateways g ON g.no = u.gateway
        ORDER BY u.last_ms DESC LIMIT ?1";
    let given = [most(MAX_LIMIT)];
    let read = reader.rows(sql, &given, |row| {
        Ok(UnbookedReports {
            account: get(row, 0)?,
            key: get(row, 1)?,
            gateway: get(row, 2)?,
            epoch: get(row, 3)?,
            reports: get(row, 4)?,
            not_charged: get(row, 5)?,
            last_at: get(row, 6)?,
        })
    });
    read.await
}
