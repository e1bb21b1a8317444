//! One run: the world, the load, the trouble, and what is left at the end.

use crate::load::Load;
use crate::reckoning::{Records, Sums, reckon};
use crate::trouble::{AttemptError, Log};
use harness::storage::{Disk, a_working_day};
use harness::{Postgres, Random, Setup, World};
use serde_json::Value;
use std::time::Duration;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long to make trouble.
    pub seconds: u64,
    /// Which trouble.
    pub seed: u64,
    /// Two ledgers on PostgreSQL, instead of one on SQLite.
    pub postgres: bool,
    /// Whether Envoys are killed, too.
    pub kill_gateways: bool,
    /// How many power failures to replay.
    pub cuts: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// What was done.
    pub log: Log,
    /// What it comes to.
    pub sums: Sums,
    /// Whatever doesn't agree; empty when all is well.
    pub verdict: Vec<String>,
}

/// What accounts have at first, in credits: those with odd numbers run dry.
const ACCOUNTS: [u64; 4] = [10_000_000, 50, 10_000_000, 1_000];

/// Lives through one run.
pub async fn live(plan: &Plan) -> Report {
    let mut random = Random::new(plan.seed);
    let server = if plan.postgres {
        Some(Postgres::start().await.expect("PostgreSQL is not installed (Debian: postgresql)"))
    } else {
        None
    };
    let mut world = World::start(Setup {
        gateways: 3,
        ledgers: if plan.postgres { 2 } else { 1 },
        serve: &["--lease-ttl", "6s", "--lease-grace", "3s"],
        environment: server.as_ref().map(Postgres::environment).unwrap_or_default(),
        ..Setup::default()
    })
    .await;
    let mut log = Log::default();
    let mut keys = Vec::new();
    for (number, credits) in ACCOUNTS.into_iter().enumerate() {
        keys.push(world.ledger.account(&format!("account-{number}"), &credits.to_string()).await);
        log.granted.insert(number, credits);
    }
    let load = Load::start(&world.gateways, &keys, random.any());
    let mut trouble = AttemptError::new(&mut world, server, random, plan.kill_gateways, log);
    trouble.last(Duration::from_secs(plan.seconds)).await;
    let AttemptError { server, mut log, .. } = trouble;
    let seen = load.end().await;

    world.ledger.nothing_is_held().await;
    let audit = world.ledger.get("/admin/v1/audit").await;
    if audit["ok"] != true {
        log.wrong.push(format!("at the end the audit says {audit}"));
    }
    let mut balances: Vec<Value> = Vec::new();
    for number in 0..ACCOUNTS.len() {
        balances.push(world.ledger.get(&format!("/admin/v1/accounts/account-{number}/balance")).await);
    }
    let served = world.upstream.numbers();
    let records = Records { seen: &seen, served: &served, balances: &balances, log: &log };
    let (sums, verdict) = reckon(&records);
    drop((world, server));
    Report { log, sums, verdict }
}

/// Power failures at many points of a longer day; whether all was well.
pub async fn power_failures(plan: &Plan) -> bool {
    let disk = Disk::make();
    let day = a_working_day(&disk, 4, 300).await;
    let wrong = day.after(&disk, plan.cuts, &mut Random::new(plan.seed)).await;
    println!("{:<42} {:>9}", "power failures on SQLite", plan.cuts);
    println!("{:<42} {:>9}", "verdict", if wrong.is_empty() { "good" } else { "BAD" });
    for wrong in &wrong {
        println!("  {wrong}");
    }
    wrong.is_empty()
}
