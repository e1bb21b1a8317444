//! What grows with what: accounts, callers, rules, workers, and the last credits of an account that two gateways
//! sell. Each table says below it what bounds the growth.

mod accounts;
mod callers;
mod last_credits;
mod rules;
mod workers;

use crate::envoy::{Backends, Envoy, Plan};
use crate::load::Wrk;
use crate::populated_ledger::PopulatedLedger;
use crate::report::keep;
use crate::table::{Case, Figures};
use crate::upstream;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Connections at which throughput is measured.
const CONNECTIONS: u32 = 32;

/// What all parts share.
struct Fixture {
    services: Runtime,
    dir: TempDir,
    wrk: Wrk,
    ledger: PopulatedLedger,
    upstream: u16,
    rounds: u32,
    seconds: u32,
}

/// Measures all of it, in so many rounds of so many seconds per case, with at most so many accounts.
pub fn run(rounds: u32, seconds: u32, accounts: u32) {
    let services = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let services = services.expect("a runtime");
    let dir = TempDir::with_prefix("faregate-bench-").expect("a temporary folder");
    let wrk = Wrk::new(dir.path());
    let (ledger, upstream) =
        services.block_on(async { (PopulatedLedger::sqlite(dir.path()).await, upstream::start().await) });
    let mut ground = Fixture { services, dir, wrk, ledger, upstream, rounds, seconds };
    let tables = [
        accounts::measure(&mut ground, accounts),
        callers::measure(&ground),
        rules::measure(&ground),
        workers::measure(&ground),
        last_credits::measure(&ground),
    ];
    ground.ledger.audit();
    keep("growth", &json!(tables));
}

impl Fixture {
    /// Starts an Envoy with the gate in it, which has these members in its configuration.
    fn gate(&self, name: &str, workers: u32, more: &Value) -> Envoy {
        let plan = Plan {
            name: name.to_owned(),
            filter: Some(crate::variant::gate(more)),
            workers,
            under: Vec::new(),
        };
        let behind = Backends {
            upstream: self.upstream,
            ledger: self.ledger.ledger.gateway_port,
            ..Backends::default()
        };
        self.services.block_on(Envoy::start(self.dir.path(), &plan, behind))
    }

    /// Where the parts keep their files.
    fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// One of the ledger's counters.
    fn counted(&self, name: &str) -> f64 {
        self.services.block_on(self.ledger.ledger.metric(name))
    }

    /// Has gates take turns under load, one key each, and fills in their cases.
    fn take_turns(&self, gates: Vec<(Case, Envoy)>) -> Vec<Case> {
        let key = crate::population::key(0).secret;
        let mut gates = gates;
        for (_, envoy) in &gates {
            self.wrk.run(envoy.port, &key, CONNECTIONS, 1);
        }
        for round in 0..self.rounds {
            eprintln!("round {} of {}", round + 1, self.rounds);
            for (case, envoy) in &mut gates {
                case.runs.push(self.load(envoy, &key));
            }
        }
        gates.into_iter().map(|(case, _)| case).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
    fn load(&self, envoy: &Envoy, key: &str) -> Figures {
        let cpu = envoy.process.cpu_nanos();
        let load = self.wrk.run(envoy.port, key, CONNECTIONS, self.seconds);
        let cpu = envoy.process.cpu_nanos() - cpu;
        assert_eq!(load.refused, 0, "answers that are not 200");
        vec![
            ("req/s", load.requests as f64 / (load.duration as f64 / 1e6)),
            ("CPU µs", cpu as f64 / 1e3 / load.requests as f64),
            ("p50 µs", load.p50 as f64),
            ("p99 µs", load.p99 as f64),
        ]
    }
}
