//! Kills, freezes and top-ups, at random.

use harness::{LedgerProcess, Postgres, Random, World};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The longest that anything is frozen: shorter than a lease lives, or the ledger would rightly
/// take back what a frozen gateway has spent.
const LONGEST_FREEZE_MS: u64 = 1_500;

/// What was done, and what was found during that time.
#[derive(Debug, Default)]
pub struct Log {
    /// How often each kind of trouble was made.
    pub counts: BTreeMap<&'static str, u64>,
    /// How often each gateway was killed.
    pub gateway_kills: BTreeMap<usize, u64>,
    /// What `faregate leases` showed for gateways before they were killed, in micro-credits.
    pub at_risk: i128,
    /// Top-ups that were acknowledged, in whole credits, per account.
    pub granted: BTreeMap<usize, u64>,
    /// What was wrong on the way.
    pub wrong: Vec<String>,
}

/// Makes trouble.
pub struct AttemptError<'a> {
    pub world: &'a mut World,
    pub server: Option<Postgres>,
    pub random: Random,
    pub kill_gateways: bool,
    pub log: Log,
    /// Names of gateways that are dead.
    dead: BTreeSet<String>,
}

#[derive(Clone, Copy)]
enum Kind {
    KillLedger,
    FreezeLedger,
    KillGateway,
    FreezeGateway,
    KillLedgerOfFrozenGateway,
    KillDatabase,
    TopUp,
}

impl<'a> AttemptError<'a> {
    /// AttemptError for a world.
    pub fn new(
        world: &'a mut World,
        server: Option<Postgres>,
        random: Random,
        kill_gateways: bool,
        log: Log,
    ) -> Self {
        Self { world, server, random, kill_gateways, log, dead: BTreeSet::new() }
    }

    /// Makes trouble for so long.
    pub async fn last(&mut self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            self.wait(50, 600).await;
            let mut kinds = vec![
                Kind::KillLedger,
                Kind::KillLedger,
                Kind::FreezeLedger,
                Kind::FreezeGateway,
                Kind::KillLedgerOfFrozenGateway,
                Kind::TopUp,
                Kind::TopUp,
            ];
            if self.kill_gateways {
                kinds.extend([Kind::KillGateway; 2]);
            }
            if self.server.is_some() {
                kinds.push(Kind::KillDatabase);
            }
            match self.random.pick(&kinds) {
                Kind::KillLedger => self.kill_ledger().await,
                Kind::FreezeLedger => self.freeze_ledger().await,
                Kind::KillGateway => self.kill_gateway().await,
                Kind::FreezeGateway => self.freeze_gateway(false).await,
                Kind::KillLedgerOfFrozenGateway => self.freeze_gateway(true).await,
                Kind::KillDatabase => self.kill_database().await,
                Kind::TopUp => self.top_up().await,
            }
        }
    }

    async fn wait(&mut self, least_ms: u64, most_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.random.between(least_ms, most_ms))).await;
    }

    fn count(&mut self, what: &'static str) {
        *self.log.counts.entry(what).or_default() += 1;
    }

    /// One of the ledgers, by number: 0 is the world's ledger.
    fn ledger(&mut self, number: usize) -> &mut LedgerProcess {
        match number.checked_sub(1) {
            None => &mut self.world.ledger,
            Some(replica) => &mut self.world.replicas[replica],
        }
    }

    fn any_ledger(&mut self) -> usize {
        self.random.below(1 + self.world.replicas.len())
    }

    async fn kill_ledger(&mut self) {
        let number = self.any_ledger();
        if number == 0 && self.random.chance(500) {
            // At the very moment at which it acknowledges something.
            self.top_up().await;
        }
        self.ledger(number).process.kill();
        self.wait(0, 700).await;
        self.ledger(number).restart().await;
        self.count("ledger killed");
        self.audit("the restart of a ledger").await;
    }

    async fn freeze_ledger(&mut self) {
        let number = self.any_ledger();
        self.ledger(number).process.signal("STOP");
        self.wait(100, LONGEST_FREEZE_MS).await;
        self.ledger(number).process.signal("CONT");
        self.count("ledger frozen");
    }

    async fn freeze_gateway(&mut self, and_kill_ledger: bool) {
        let number = self.random.below(self.world.gateways.len());
        self.world.gateways[number].process.signal("STOP");
        if and_kill_ledger {
            self.kill_ledger().await;
        } else {
            self.wait(100, LONGEST_FREEZE_MS).await;
        }
        self.world.gateways[number].process.signal("CONT");
        self.count("Envoy frozen");
    }

    /// Kills any gateway but the first, after a look at what the ledger says is at risk. It is frozen
    /// for that look: what it would draw until then would be at risk, too.
    async fn kill_gateway(&mut self) {
        let number = self.random.between(1, self.world.gateways.len() as u64 - 1) as usize;
        self.world.gateways[number].process.signal("STOP");
        let leases = self.ask(Method::GET, "/admin/v1/leases", None).await;
        self.world.gateways[number].process.kill();
        let prefix = format!("gateway-{number}:");
        let mut died = Vec::new();
        for lease in leases["leases"].as_array().into_iter().flatten() {
            let name = lease["gateway"].as_str().unwrap_or_default();
            if name.starts_with(&prefix) && !self.dead.contains(name) {
                self.log.at_risk += crate::reckoning::micros(&lease["at_risk"]).unwrap_or(0);
                died.push(name.to_owned());
            }
        }
        self.dead.extend(died);
        self.wait(0, 400).await;
        self.world.gateways[number].restart().await;
        *self.log.gateway_kills.entry(number).or_default() += 1;
        self.count("Envoy killed");
    }

    async fn kill_database(&mut self) {
        let wait = self.random.between(0, 500);
        let Some(server) = &mut self.server else { return };
        server.kill();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        server.restart().await;
        self.count("PostgreSQL killed");
        self.audit("the restart of PostgreSQL").await;
    }

    /// Gives the poorer accounts, which have odd numbers, something to spend.
    async fn top_up(&mut self) {
        let account = 1 + 2 * self.random.below(2);
        let credits = self.random.between(1, 400);
        let path = format!("/admin/v1/accounts/account-{account}/grants");
        self.ask(Method::POST, &path, Some(json!({"amount": credits.to_string()}))).await;
        *self.log.granted.entry(account).or_default() += credits;
        self.count("top-up");
    }

    async fn audit(&mut self, after: &str) {
        let audit = self.ask(Method::GET, "/admin/v1/audit", None).await;
        if audit["ok"] != true {
            self.log.wrong.push(format!("after {after} the audit says {audit}"));
        }
    }

    /// Asks the ledger, with the same idempotency key until it answers.
    async fn ask(&mut self, method: Method, path: &str, body: Option<Value>) -> Value {
        let key = format!("crash-{}", self.random.any());
        let mut last = None;
        for _ in 0..200 {
            last = self.world.ledger.ask(method.clone(), path, body.clone(), &key).await;
            if let Some((status, answer)) = &last
                && status.is_success()
            {
                return answer.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.log.wrong.push(format!("{path}: the ledger doesn't answer: {last:?}"));
        Value::Null
    }
}
