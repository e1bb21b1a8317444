//! A PostgreSQL server of a story's own, which it may kill and start again.

mod bouncer;
mod certificate;
mod programs;

use crate::ledger_process::DATABASE_URL;
use crate::ports::free_port;
use crate::process::{Process, out_of};
pub use bouncer::PgBouncer;
pub use certificate::Certificate;
use programs::{Cluster, as_ordinary_user};
use std::process::Command;
use std::time::Duration;

/// A running server; it ends, and its files go, when this is dropped.
pub struct Postgres {
    process: Process,
    cluster: Cluster,
}

impl Postgres {
    /// Starts one; `None` where PostgreSQL is not installed.
    pub async fn start() -> Option<Self> {
        let cluster = Cluster::make(free_port())?;
        let process = launch(&cluster);
        let mut server = Self { process, cluster };
        server.is_ready().await;
        Some(server)
    }

    /// Starts one that accepts encrypted connections only, with this certificate.
    pub async fn start_encrypted(certificate: &Certificate) -> Option<Self> {
        let cluster = Cluster::make(free_port())?;
        certificate.install(&cluster);
        let process = launch(&cluster);
        let mut server = Self { process, cluster };
        server.is_ready().await;
        Some(server)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.cluster.port
    }

    /// What its log says.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// What names its database to a ledger.
    pub fn environment(&self) -> Vec<(String, String)> {
        let url = format!("postgres://faregate@127.0.0.1:{}/postgres?sslmode=disable", self.cluster.port);
        vec![(DATABASE_URL.to_owned(), url)]
    }

    /// Removes all that ledgers have made in it, and closes all connections.
    pub fn empty(&self) {
        self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    }

    /// Runs SQL in it.
    pub fn sql(&self, statements: &str) {
        let mut client = Command::new(self.cluster.programs.join("psql"));
        client.args(["-qX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "faregate", "-d", "postgres"]);
        client.args(["-p", &self.cluster.port.to_string()]);
        let (done, said) = out_of(client.args(["-c", statements]));
        assert!(done, "{said}");
    }

    /// `kill -9` of the server's main process; the others notice and end.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same files and port. It refuses as long as processes of the old one live.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.cluster);
        self.is_ready().await;
    }

    /// Waits until it takes connections; one that ends instead is started again.
    async fn is_ready(&mut self) {
        for _ in 0..1_200 {
            let ended = self.process.has_ended();
            if !ended && self.answers() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            if ended {
                self.process = launch(&self.cluster);
            }
        }
        panic!("PostgreSQL doesn't get ready: {}", self.process.output());
    }

    fn answers(&self) -> bool {
        let mut ask = Command::new(self.cluster.programs.join("pg_isready"));
        ask.args(["-q", "-h", "127.0.0.1", "-p", &self.cluster.port.to_string()]);
        ask.status().is_ok_and(|status| status.success())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.process.kill();
        let _ = std::fs::remove_dir_all(&self.cluster.dir);
    }
}

fn launch(cluster: &Cluster) -> Process {
    let mut command = as_ordinary_user(&cluster.programs.join("postgres"));
    command.arg("-D").arg(cluster.dir.join("data")).arg("-k").arg(&cluster.dir);
    command.args(["-p", &cluster.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
    Process::start("PostgreSQL", &mut command, &cluster.dir.join("log"))
}
