//! Brings a database to the present version, forward only. Ledgers that start together take turns.

use super::attempt_error::AttemptError;
use super::pool::Task;
use crate::store::OpenError;
use crate::store::migrations::POSTGRES;
use tokio_postgres::Client;

/// What ledgers that migrate lock: a number that no other program is likely to use ("faregate" in ASCII).
const TURN: i64 = 0x6661_7265_6761_7465;

/// Runs the steps that are missing, all of them or none.
#[derive(Debug)]
pub struct Migrate;

impl Task for Migrate {
    /// The version that was found.
    type Done = Result<(), OpenError>;

    async fn attempt(&self, conn: &deadpool_postgres::Client) -> Result<Self::Done, AttemptError> {
        Ok(migrate(conn).await?)
    }
}

/// Does it inside the transaction that is under way.
pub async fn migrate(conn: &Client) -> Result<Result<(), OpenError>, tokio_postgres::Error> {
    conn.execute("SELECT pg_advisory_xact_lock($1)", &[&TURN]).await?;
    conn.batch_execute("CREATE TABLE IF NOT EXISTS schema_version (version bigint NOT NULL)").await?;
    let row = conn.query_one("SELECT coalesce(max(version), 0) FROM schema_version", &[]).await?;
    let found: i64 = row.try_get(0)?;
    let known = i64::try_from(POSTGRES.len()).unwrap_or(i64::MAX);
    if found > known {
        return Ok(Err(OpenError::Newer { found, known }));
    }
    for (version, step) in (1_i64..).zip(POSTGRES) {
        if version > found {
            conn.batch_execute(step).await?;
            conn.execute("INSERT INTO schema_version (version) VALUES ($1)", &[&version]).await?;
        }
    }
    Ok(Ok(()))
}
