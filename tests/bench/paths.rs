//! The ways of charging, one beside the other.

use crate::envoy::{Behind, Envoy, Plan};
use crate::figures::{Run, median_of};
use crate::load::{Load, Wrk};
use crate::processors::Processors;
use crate::variant::{Variant, key, nothing};
use crate::{limitador, report, upstream};
use harness::Bank;
use std::collections::BTreeMap;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Connections at which throughput is measured.
const CONNECTIONS: u32 = 32;

/// The most that an Envoy had (kB).
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// In all, with the pages of its program that it has touched.
    pub resident: u64,
    /// Of its own.
    pub private: u64,
}

struct Contender {
    variant: Variant,
    key: String,
    runs: Vec<Run>,
    memory: Memory,
}

/// What all of them share.
struct Ground {
    dir: TempDir,
    wrk: Wrk,
    processors: Processors,
    services: Runtime,
    behind: Behind,
    seconds: u32,
}

/// Compares them, in so many rounds. Each round has processes of its own: where a program's pages come to lie makes it faster
/// or slower by a fifth, for as long as it runs. In a round they take turns, a second each, so many times over: a machine
/// that is slow for a while is slow for all.
pub fn run(rounds: u32, seconds: u32, only: &[&str]) {
    let processors = Processors::share();
    let services = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let services = services.expect("a runtime");
    let dir = TempDir::with_prefix("faregate-bench-").expect("a temporary folder");
    let wrk = Wrk::new(dir.path());
    // Compared where it is installed, and absent where not.
    let limitador = services.block_on(limitador::Limitador::start(dir.path()));
    let (bank, behind, mut contenders) = services.block_on(async {
        let bank = Bank::start(dir.path(), &[], &[]).await;
        let (upstream, authz) = (upstream::start().await, upstream::start_authz().await);
        let limits = limitador.as_ref().map_or(0, |limitador| limitador.port);
        let behind = Behind { upstream, ledger: bank.gateway_port, authz, limits };
        let mut contenders = Vec::new();
        for variant in Variant::ALL {
            let is_there = variant != Variant::RateLimit || limitador.is_some();
            if is_there && (only.is_empty() || only.contains(&variant.name())) {
                let key = key(&bank, variant).await;
                contenders.push(Contender { variant, key, runs: Vec::new(), memory: Memory::default() });
            }
        }
        (bank, behind, contenders)
    });
    let ground = Ground { dir, wrk, processors, services, behind, seconds };
    for number in 0..rounds {
        eprintln!("round {} of {rounds}", number + 1);
        round(&mut contenders, &ground);
    }
    let memory = contenders.iter().map(|c| (c.variant, c.memory)).collect();
    let runs: BTreeMap<Variant, Vec<Run>> = contenders.into_iter().map(|c| (c.variant, c.runs)).collect();
    ground.services.block_on(async { bank.audit().await });
    report::paths(&runs, &memory);
}

/// What was measured of one in a round, turn by turn.
#[derive(Default)]
struct Turns {
    many: Vec<Load>,
    alone: Vec<Load>,
    cpu_nanos: u64,
    exchanges: u64,
}

fn round(contenders: &mut [Contender], ground: &Ground) {
    let envoys: Vec<Envoy> = contenders.iter().map(|contender| start(contender, ground)).collect();
    let mut turns: Vec<Turns> = envoys.iter().map(|_| Turns::default()).collect();
    for turn in 0..ground.seconds {
        let mut all: Vec<_> = contenders.iter().zip(&envoys).zip(&mut turns).collect();
        // Every other time the other way, so that none always runs behind the same one.
        if turn % 2 == 1 {
            all.reverse();
        }
        for ((contender, envoy), turns) in all {
            contender.take_turn(envoy, turns, ground);
        }
    }
    for ((contender, envoy), turns) in contenders.iter_mut().zip(&envoys).zip(&turns) {
        contender.memory.resident = envoy.process.memory_kb().max(contender.memory.resident);
        contender.memory.private = envoy.process.private_kb().max(contender.memory.private);
        contender.runs.push(turns.run());
    }
}

/// A fresh Envoy that has served for a second.
fn start(contender: &Contender, ground: &Ground) -> Envoy {
    let Contender { variant, key, .. } = contender;
    let (filter, under) = (variant.filter(&nothing()), ground.processors.of_envoy());
    let plan = Plan { name: variant.name().to_owned(), filter, workers: 1, under };
    let envoy = ground.services.block_on(Envoy::start(ground.dir.path(), &plan, ground.behind));
    ground.wrk.run(envoy.port, key, CONNECTIONS, 1);
    envoy
}

impl Contender {
    /// A second with many connections, and one with a single one.
    fn take_turn(&self, envoy: &Envoy, turns: &mut Turns, ground: &Ground) {
        let exchanges = || ground.services.block_on(envoy.stat("wasmcustom.faregate.exchanges"));
        let (cpu, asked) = (envoy.process.cpu_nanos(), exchanges());
        let many = ground.wrk.run(envoy.port, &self.key, CONNECTIONS, 1);
        turns.cpu_nanos += envoy.process.cpu_nanos() - cpu;
        turns.exchanges += exchanges() - asked;
        let wrong = if self.variant.status() == 200 { many.refused } else { many.requests - many.refused };
        assert_eq!(wrong, 0, "{:?}: answers that are not {}", self.variant, self.variant.status());
        turns.many.push(many);
        turns.alone.push(ground.wrk.run(envoy.port, &self.key, 1, 1));
    }
}

impl Turns {
    #[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
    fn run(&self) -> Run {
        let sum = |of: fn(&Load) -> u64| self.many.iter().map(of).sum::<u64>() as f64;
        let middle = |loads: &[Load], of: fn(&Load) -> u64| {
            median_of(loads.iter().map(|load| of(load) as f64).collect())
        };
        let requests = sum(|load| load.requests);
        Run {
            per_second: requests / (sum(|load| load.duration) / 1e6),
            cpu_micros: self.cpu_nanos as f64 / 1e3 / requests,
            p50: middle(&self.many, |load| load.p50),
            p99: middle(&self.many, |load| load.p99),
            p999: middle(&self.many, |load| load.p999),
            alone_p50: middle(&self.alone, |load| load.p50),
            exchanges: self.exchanges as f64,
            requests,
        }
    }
}
