//! A real ledger with as many accounts as one likes.

use crate::population;
use crate::versions::Version;
use harness::{LedgerProcess, Postgres, binary};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Leases outlast the bench, so that none is taken back in the middle of it.
const SERVE: [&str; 4] = ["--lease-ttl", "1h", "--lease-grace", "10s"];

/// Where a ledger keeps its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "sqlite" => Some(Self::Sqlite),
            "postgres" => Some(Self::Postgres),
            _ => None,
        }
    }
}

/// The ledger, and where its tables are.
pub struct PopulatedLedger {
    pub ledger: LedgerProcess,
    server: Option<Postgres>,
    dir: PathBuf,
    accounts: u32,
}

impl PopulatedLedger {
    /// The ledger that was built, on SQLite, without accounts.
    pub async fn sqlite(dir: &Path) -> Self {
        Self::start(&binary(), dir, None).await
    }

    /// One for each of these versions, each with a database of its own below `dir` and with so many accounts; a
    /// PostgreSQL server has `fsync` on. `None` where PostgreSQL is not installed. With how long each took to start until it could write.
    pub async fn each(
        versions: &[Version],
        database: Database,
        dir: &Path,
        accounts: u32,
    ) -> Option<Vec<(Self, Duration)>> {
        let mut all = Vec::new();
        for version in versions {
            let place = dir.join(format!("{}-{}", database.name(), version.name));
            let server = match database {
                Database::Sqlite => None,
                Database::Postgres => Some(Postgres::start().await?),
            };
            eprintln!("{}: {accounts} accounts for the ledger {}", database.name(), version.name);
            let mut ledger = Self::start(&version.program, &place, server).await;
            let start = ledger.grow(accounts).await;
            all.push((ledger, start));
        }
        Some(all)
    }

    async fn start(program: &Path, dir: &Path, server: Option<Postgres>) -> Self {
        std::fs::create_dir_all(dir).expect("a folder");
        let environment = server.as_ref().map(Postgres::environment).unwrap_or_default();
        let ledger = LedgerProcess::try_start_program(program, dir, &SERVE, &environment).await;
        let ledger = ledger.unwrap_or_else(|why| panic!("{why}"));
        Self { ledger, server, dir: dir.to_owned(), accounts: 0 }
    }

    /// Stops the ledger, adds accounts until there are so many, and starts it again; how long the start took
    /// until it could write.
    pub async fn grow(&mut self, accounts: u32) -> Duration {
        self.ledger.process.stop();
        let missing: Range<u32> = self.accounts..accounts;
        match self.url() {
            None => population::fill_sqlite(&self.file(), &missing),
            Some(url) => population::fill_postgres(&url, &missing).await,
        }
        self.accounts = accounts;
        self.start_again().await
    }

    /// Starts the stopped ledger; how long that took until it could write.
    pub async fn start_again(&mut self) -> Duration {
        let began = Instant::now();
        self.ledger.restart().await;
        began.elapsed()
    }

    /// Where its PostgreSQL is, if it is on one.
    pub fn url(&self) -> Option<String> {
        let environment = self.server.as_ref().map(Postgres::environment)?;
        environment.into_iter().next().map(|(_, url)| url)
    }

    /// Its SQLite file, if it is on one.
    pub fn file(&self) -> PathBuf {
        self.dir.join("ledger/ledger.db")
    }

    /// How many accounts there are.
    pub fn accounts(&self) -> u32 {
        self.accounts
    }

    /// The ledger's memory, MB.
    pub fn memory_mb(&self) -> f64 {
        mb(self.ledger.process.memory_kb())
    }

    /// Has every balance recomputed, as `faregate audit` does it; how long that took.
    pub fn audit(&self) -> Duration {
        let began = Instant::now();
        self.ledger.run(&["audit"]);
        began.elapsed()
    }
}

/// Kilobytes as megabytes.
#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53")]
pub fn mb(kilobytes: u64) -> f64 {
    kilobytes as f64 / 1024.0
}
