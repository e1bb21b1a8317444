//! A private PostgreSQL server for the tests of this process: started when it is first needed, with a
//! database for each test. It ends with the process, however that ends: a shell keeps it, and waits for
//! the end of a pipe.

#[path = "../../../../tests/harness/ports.rs"]
pub(super) mod ports;
#[path = "../../../../tests/harness/postgres/programs.rs"]
mod programs;

use super::Settings;
pub(super) use programs::{Cluster, as_ordinary_user};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_postgres::NoTls;

static SERVER: OnceLock<Option<Server>> = OnceLock::new();
static COUNT: AtomicU64 = AtomicU64::new(1);

/// Runs the server until the standard input ends; then stops it and removes its files.
const KEEPER: &str = r#""$1/postgres" -D "$2/data" -p "$3" -k "$2" -c listen_addresses=127.0.0.1 \
  -c max_connections=400 >"$2/log" 2>&1 & server=$!; cat >/dev/null; kill -QUIT $server; wait $server; rm -rf "$2""#;

/// A running server.
#[derive(Debug)]
pub struct Server {
    pub(super) port: u16,
    pub(super) programs: PathBuf,
    pub(super) dir: PathBuf,
    _keeper: Child,
}

impl Server {
    /// The server of this process; `None` where PostgreSQL is not installed.
    pub fn shared() -> Option<&'static Self> {
        SERVER.get_or_init(Self::start).as_ref()
    }

    /// One of a test's own, whose settings it may change.
    pub fn start() -> Option<Self> {
        let Cluster { programs, dir, port } = Cluster::make(ports::free_port())?;
        let mut keeper = as_ordinary_user(Path::new("/bin/sh"));
        keeper.args(["-c", KEEPER, "keeper"]).arg(&programs).arg(&dir).arg(port.to_string());
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Some(Self { port, programs, dir, _keeper: keeper.spawn().unwrap() })
    }

    /// The settings for a fresh database.
    pub async fn database(&self) -> Settings {
        let name = format!("story_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let admin = self.settings("postgres");
        for _ in 0..600 {
            if let Ok((conn, driver)) = admin.server.connect(NoTls).await {
                let driver = tokio::spawn(driver);
                conn.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
                driver.abort();
                return self.settings(&name);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server doesn't come up");
    }

    /// A database as SQL that any client can run.
    pub fn dump(&self, settings: &Settings) -> String {
        let mut dump = Command::new(self.programs.join("pg_dump"));
        dump.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "faregate"]);
        dump.args(["--inserts", "--no-owner", "--no-privileges", settings.server.get_dbname().unwrap()]);
        let done = dump.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let meant_for_psql = ["\\", "--", "SET ", "SELECT pg_catalog.set_config"];
        let lines = String::from_utf8(done.stdout).unwrap();
        let lines = lines.lines().filter(|line| !line.is_empty());
        let lines = lines.filter(|line| !meant_for_psql.iter().any(|start| line.starts_with(start)));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    }

    fn settings(&self, database: &str) -> Settings {
        let port = self.port;
        Settings::parse(&format!("postgres://faregate@127.0.0.1:{port}/{database}?sslmode=disable")).unwrap()
    }
}
