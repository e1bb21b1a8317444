//! A real ledger with as many accounts as one likes.

use crate::population;
use harness::{Bank, Postgres};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Leases outlast the bench, so that none is taken back in the middle of it.
const SERVE: [&str; 4] = ["--lease-ttl", "1h", "--lease-grace", "10s"];

/// The ledger, and where its tables are.
pub struct Stocked {
    pub bank: Bank,
    server: Option<Postgres>,
    dir: PathBuf,
    accounts: u32,
}

impl Stocked {
    /// On SQLite, without accounts.
    pub async fn sqlite(dir: &Path) -> Self {
        Self::start(dir, None).await
    }

    /// On a PostgreSQL server of its own, with `fsync` on; `None` where PostgreSQL is not installed.
    pub async fn postgres(dir: &Path) -> Option<Self> {
        let server = Postgres::start().await?;
        Some(Self::start(dir, Some(server)).await)
    }

    async fn start(dir: &Path, server: Option<Postgres>) -> Self {
        std::fs::create_dir_all(dir).expect("a folder");
        let environment = server.as_ref().map(Postgres::environment).unwrap_or_default();
        let bank = Bank::start(dir, &SERVE, &environment).await;
        Self { bank, server, dir: dir.to_owned(), accounts: 0 }
    }

    /// Stops the ledger, adds accounts until there are so many, and starts it again; how long the start took
    /// until it could write.
    pub async fn grow(&mut self, accounts: u32) -> Duration {
        self.bank.process.stop();
        let missing: Range<u32> = self.accounts..accounts;
        match self.server.as_ref().map(Postgres::environment) {
            None => population::fill_sqlite(&self.dir.join("ledger/ledger.db"), &missing),
            Some(environment) => population::fill_postgres(&environment[0].1, &missing).await,
        }
        self.accounts = accounts;
        let began = Instant::now();
        self.bank.restart().await;
        began.elapsed()
    }

    /// How many accounts there are.
    pub fn accounts(&self) -> u32 {
        self.accounts
    }

    /// The ledger's memory, MB.
    pub fn memory_mb(&self) -> f64 {
        mb(self.bank.process.memory_kb())
    }

    /// Has every balance recomputed, as `faregate audit` does it; how long that took.
    pub fn audit(&self) -> Duration {
        let began = Instant::now();
        self.bank.run(&["audit"]);
        began.elapsed()
    }
}

/// Kilobytes as megabytes.
#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53")]
pub fn mb(kilobytes: u64) -> f64 {
    kilobytes as f64 / 1024.0
}
