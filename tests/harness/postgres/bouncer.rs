//! A PgBouncer before a PostgreSQL server of a story's own.

use super::Postgres;
use super::programs::{as_ordinary_user, give};
use crate::ledger_process::DATABASE_URL;
use crate::ports::free_port;
use crate::process::{Process, project};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// A running PgBouncer; it ends, and its files go, when this is dropped.
pub struct PgBouncer {
    process: Process,
    port: u16,
    _dir: TempDir,
}

impl PgBouncer {
    /// Starts one with this `pool_mode`. `None`, with a word about it, where it is not installed; it is an error there when
    /// FAREGATE_NEED_PGBOUNCER is set.
    pub async fn start(server: &Postgres, mode: &str) -> Option<Self> {
        let program = program()?;
        let (port, dir) = (free_port(), TempDir::with_prefix("faregate-pgbouncer-").expect("a folder"));
        let file = |name: &str, text: &str| {
            let file = dir.path().join(name);
            std::fs::write(&file, text).expect("a file");
            give(&file);
            file
        };
        let users = file("users.txt", "\"faregate\" \"\"\n");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\n",
            server.port(),
            users.display()
        );
        let config = file("pgbouncer.ini", &text);
        give(dir.path());
        let mut command = as_ordinary_user(&program);
        command.env("LD_LIBRARY_PATH", fetched().join("lib/x86_64-linux-gnu"));
        let process = Process::start("PgBouncer", command.arg(config), &dir.path().join("log"));
        let mut bouncer = Self { process, port, _dir: dir };
        for _ in 0..1_500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(bouncer);
            }
            assert!(!bouncer.process.has_ended(), "PgBouncer has ended: {}", bouncer.process.output());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("PgBouncer doesn't get ready: {}", bouncer.process.output());
    }

    /// What names its database to a ledger.
    pub fn environment(&self) -> Vec<(String, String)> {
        let url = format!("postgres://faregate@127.0.0.1:{}/postgres?sslmode=disable", self.port);
        vec![(DATABASE_URL.to_owned(), url)]
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), fetched().join("sbin")]);
    let found = folders.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("FAREGATE_NEED_PGBOUNCER").is_none(),
            "pgbouncer is neither installed nor in .tools/pgbouncer: `make setup` fetches it on Debian"
        );
        eprintln!("SKIPPED: pgbouncer is not installed (Debian: `make setup` fetches it)");
    }
    found
}

fn fetched() -> PathBuf {
    project().join(".tools/pgbouncer/usr")
}
