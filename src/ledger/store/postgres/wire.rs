//! The connections themselves: how one is made, what the server says on it beside its answers, and how what
//! still runs on one is ended.
//!
//! What must hold: a COMMIT counts only if no warning came with it. A server that waits for a synchronous
//! standby answers "COMMIT" when somebody cancels the wait, and warns that a failover may lose it.

use crate::log_limit::LogLimit;
use deadpool_postgres::Connect;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long it is tried to end a statement that is given up.
const CANCEL: Duration = Duration::from_secs(2);
/// How long it may take to find out what a commit waits for.
const LOOK: Duration = Duration::from_millis(400);
/// For which standby a session of this database waits, if one does.
const WAITS: &str = "SELECT current_setting('synchronous_standby_names') FROM pg_stat_activity
    WHERE wait_event = 'SyncRep' AND datname = current_database() LIMIT 1";

/// The way to a server.
#[derive(Clone)]
pub struct Wire {
    server: Arc<Config>,
    tls: MakeRustlsConnect,
    warnings: Arc<AtomicU64>,
    broken: Arc<LogLimit>,
}

impl Wire {
    /// The way to this server.
    pub fn new(server: Config, tls: MakeRustlsConnect) -> Self {
        Self { server: Arc::new(server), tls, warnings: Arc::default(), broken: Arc::default() }
    }

    /// How many warnings came so far, on any connection. Those of a statement are counted before its answer.
    pub fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::SeqCst)
    }

    /// Ends whatever runs on a connection, so that its locks are free, and the connection. A commit that waits
    /// for a standby ends only by this: no timeout of the server's does it, nor a client that is gone.
    pub fn end(&self, conn: &Client) {
        let (token, tls) = (conn.cancel_token(), self.tls.clone());
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            match tokio::time::timeout(CANCEL, token.cancel_query(tls)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a statement that was given up may still run"),
                Err(_) => {
                    tracing::warn!("a statement that was given up may still run: no answer from the server");
                }
            }
        });
    }

    /// What a server that has not answered within this time waits for, as far as another connection can say.
    pub async fn why_late(&self, waited: Duration) -> String {
        match tokio::time::timeout(LOOK, self.standby()).await {
            Ok(Ok(Some(standby))) => format!(
                "a commit waits for a synchronous standby (synchronous_standby_names = '{standby}') for more than {waited:?}; look at pg_stat_replication on the server"
            ),
            Ok(Ok(None)) => format!(
                "a transaction takes more than {waited:?}; look at pg_stat_activity on the server for what it waits for"
            ),
            Ok(Err(_)) | Err(_) => format!("no answer from the server within {waited:?}"),
        }
    }

    async fn standby(&self) -> Result<Option<String>, Error> {
        let (conn, driver) = self.server.connect(self.tls.clone()).await?;
        let look = async { conn.query_opt(WAITS, &[]).await?.map(|row| row.try_get(0)).transpose() };
        // The connection ends with the look, also when the caller drops it.
        tokio::select! { found = look => found, _ = driver => Ok(None) }
    }
}

impl Connect for Wire {
    fn connect(
        &self,
        server: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let server = server.clone();
        Box::pin(async move {
            let (conn, driver) = server.connect(self.tls.clone()).await?;
            Ok((conn, tokio::spawn(drive(driver, Arc::clone(&self.warnings), Arc::clone(&self.broken)))))
        })
    }
}

/// Drives a connection to its end, and counts the warnings on it.
async fn drive<S, T>(mut driver: Connection<S, T>, warnings: Arc<AtomicU64>, broken: Arc<LogLimit>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(said) = poll_fn(|cx| driver.poll_message(cx)).await {
        match said {
            Ok(AsyncMessage::Notice(notice)) if is_warning(&notice) => {
                warnings.fetch_add(1, Ordering::SeqCst);
                tracing::warn!(said = notice.message(), "the database server warns");
            }
            Ok(_) => {}
            Err(error) => {
                if let Some(others) = broken.permits(Instant::now()) {
                    tracing::warn!(%error, others, "a connection to the database broke");
                }
                return;
            }
        }
    }
}

fn is_warning(notice: &DbError) -> bool {
    notice.parsed_severity() == Some(Severity::Warning)
}
