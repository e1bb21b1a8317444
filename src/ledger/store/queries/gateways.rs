//! The gateways that the ledger has heard of, and what each holds.

use super::{Reader, credits, first, get, sum};
use crate::domain::access::TokenKind;
use crate::store::{Page, StoreError};
use faregate_protocol::Credits;
use jiff::Timestamp;

/// A gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownGateway {
    /// Its name.
    pub name: String,
    /// The name of the gateway token that it is tied to; none for the token of the environment.
    pub token: Option<String>,
    /// Which version of the filter it has; none where it has never said.
    pub version: Option<String>,
    /// How many leases it has open.
    pub leases: i64,
    /// What they hold together.
    pub at_risk: Credits,
    /// When it last reported usage; none, where that is longer ago than such reports are remembered.
    pub reported_at: Option<Timestamp>,
}

/// A page of them, by name. The leases of each are found by the beginning of their primary key.
pub async fn page(
    reader: &impl Reader,
    page: &Page,
) -> Result<(Vec<KnownGateway>, Option<String>), StoreError> {
    let sql = format!(
        "SELECT g.name, g.token, g.version, count(l.key), {},
           (SELECT max(b.heard_ms) FROM brokers b WHERE b.gateway = g.no)
         FROM (SELECT no, name, token, version FROM gateways WHERE name > ?1 ORDER BY name LIMIT ?2) g
           LEFT JOIN leases l ON l.gateway = g.no AND l.state = 'open'
         GROUP BY g.no, g.name, g.token, g.version ORDER BY g.name",
        sum("l.escrow")
    );
    let given = [page.after.as_deref().unwrap_or("").into(), page.rows().into()];
    let found = reader.rows(&sql, &given, |row| {
        Ok(KnownGateway {
            name: get(row, 0)?,
            token: get(row, 1)?,
            version: get(row, 2)?,
            leases: get(row, 3)?,
            at_risk: credits(row, 4)?,
            reported_at: get(row, 6)?,
        })
    });
    let mut gateways = found.await?;
    let next = page.cut(&mut gateways).map(|last| last.name.clone());
    Ok((gateways, next))
}

/// The name of the token with which alone a gateway may come: that it is tied to, as long as one of that name is valid.
pub async fn token(
    reader: &impl Reader,
    gateway: &str,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT g.token FROM gateways g WHERE g.name = ?1 AND EXISTS (
         SELECT 1 FROM tokens t WHERE t.kind = ?2 AND t.name = g.token AND t.revoked_ms IS NULL
           AND (t.expires_ms IS NULL OR t.expires_ms > ?3))";
    let given = [gateway.into(), TokenKind::Gateway.as_str().into(), now.as_millisecond().into()];
    first(reader, sql, &given, |row| get(row, 0)).await
}
