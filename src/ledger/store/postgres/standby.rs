//! A server that waits for a synchronous standby, which is frozen: what is acknowledged then, what is said, and
//! what stays behind on the server.

use super::Settings;
use super::testing::{Server, as_ordinary_user, ports};
use crate::command::admin::{Answer, Command, IdempotencyRecord};
use crate::command::trail::Origin;
use crate::domain::AccountId;
use crate::store::{Database, Store, StoreError};
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls};

/// Copies the first server, and runs a standby of it until the standard input ends.
const KEEPER: &str = r#""$1/pg_basebackup" -h 127.0.0.1 -p "$3" -U faregate -R -c fast -D "$2/standby" >"$2/copied" 2>&1 || exit 1
  "$1/postgres" -D "$2/standby" -p "$4" -k "$2" -c listen_addresses=127.0.0.1 -c max_connections=400 >"$2/standby.log" 2>&1 & server=$!
  cat >/dev/null; kill -QUIT $server; wait $server"#;

const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

/// A server and its synchronous standby, whose receiver can be stopped.
struct Pair {
    settings: Settings,
    /// A session of an operator on the server.
    operator: Client,
    receiver: Pid,
    // The standby ends before the server, whose folder it shares.
    standby: Child,
    _server: Server,
}

impl Pair {
    async fn start() -> Option<Self> {
        let server = Server::start()?;
        let settings = server.database().await;
        let port = ports::free_port();
        let mut keeper = as_ordinary_user(Path::new("/bin/sh"));
        keeper.args(["-c", KEEPER, "keeper"]).arg(&server.programs).arg(&server.dir);
        keeper.args([server.port.to_string(), port.to_string()]);
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let standby = keeper.spawn().unwrap();
        let operator = session(&settings).await.unwrap();
        operator.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
        operator.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        let url = format!("postgres://faregate@127.0.0.1:{port}/postgres?sslmode=disable");
        let mut of_standby = Settings::parse(&url).unwrap();
        of_standby.server.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::Any);
        let receiver = loop_until(async || {
            let conn = session(&of_standby).await?;
            let row =
                conn.query_opt("SELECT pid FROM pg_stat_wal_receiver WHERE status = 'streaming'", &[]).await;
            row.ok()?.map(|row| row.get::<_, i32>(0))
        })
        .await;
        let pair =
            Self { settings, operator, receiver: Pid::from_raw(receiver).unwrap(), standby, _server: server };
        let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        loop_until(async || (pair.count(synchronous).await == 1).then_some(())).await;
        Some(pair)
    }

    async fn count(&self, sql: &str) -> i64 {
        self.operator.query_one(sql, &[]).await.unwrap().get(0)
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.receiver, signal).unwrap();
    }

    /// Waits until no session waits for the standby.
    async fn nothing_waits(&self) {
        loop_until(async || (self.count(WAITING).await == 0).then_some(())).await;
    }

    async fn open(&self) -> Store {
        Store::open(&Database::Server(Box::new(self.settings.clone())), Arc::default()).await.unwrap()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = kill_process(self.receiver, Signal::CONT);
        // It ends with its standard input.
        drop(self.standby.stdin.take());
        let _ = self.standby.wait();
    }
}

async fn session(settings: &Settings) -> Option<Client> {
    let (conn, driver) = settings.server.connect(NoTls).await.ok()?;
    tokio::spawn(driver);
    Some(conn)
}

async fn loop_until<T>(look: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..1_200 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it doesn't come to that");
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

async fn create(store: &Store, id: &str) -> Result<Answer, StoreError> {
    let command = Command::CreateAccount { id: AccountId::parse(id).unwrap(), name: None };
    let (key, fingerprint, origin) = (id.to_owned(), [0; 32], Origin::default());
    store.execute(command, IdempotencyRecord { key, fingerprint, origin }, now()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_standby_is_reported_and_waiting_commits_are_not_acknowledged() {
    let Some(mut pair) = Pair::start().await else { return };
    let patient = pair.open().await;
    pair.settings.statement_timeout = Duration::from_millis(300);
    let hasty = pair.open().await;
    patient.write_probe(now()).await.unwrap();
    create(&hasty, "before").await.unwrap();
    pair.signal(Signal::STOP);

    let began = Instant::now();
    let why = patient.write_probe(now()).await.unwrap_err().to_string();
    // Far from the 15 s after which a transaction is given up.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(why.contains("waits for a synchronous standby (synchronous_standby_names = '*')"), "{why}");
    pair.nothing_waits().await;

    let given_up = create(&hasty, "during").await;
    assert!(
        matches!(&given_up, Err(StoreError::Away(why)) if why.contains("synchronous standby")),
        "{given_up:?}"
    );
    pair.nothing_waits().await;
    let kept = "SELECT count(*) FROM accounts WHERE id = 'during'";
    assert_eq!(pair.count(kept).await, 1, "to end the wait keeps it on this server");
    // The answer could be read there, but a failover would lose it.
    let replayed = create(&hasty, "during").await;
    assert!(matches!(replayed, Err(StoreError::Away(_))), "{replayed:?}");
    pair.nothing_waits().await;

    // An operator ends the wait: the server says COMMIT, and warns.
    let (cancelled, ()) = tokio::join!(create(&patient, "cancelled"), async {
        loop_until(async || (pair.count(WAITING).await > 0).then_some(())).await;
        let end = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        pair.operator.batch_execute(end).await.unwrap();
    });
    assert!(matches!(&cancelled, Err(StoreError::Away(why)) if why.contains("not certain")), "{cancelled:?}");

    pair.signal(Signal::CONT);
    for id in ["during", "cancelled"] {
        assert!(matches!(create(&patient, id).await.unwrap(), Answer::Replayed(_)), "{id}");
    }
    patient.write_probe(now()).await.unwrap();
}
