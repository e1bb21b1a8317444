//! The ways of charging, one beside the other.

use crate::envoy::{Behind, Envoy, Plan};
use crate::figures::Run;
use crate::load::Wrk;
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

/// Compares them, in so many rounds of so many seconds each. Each round has processes of its own: where a program's pages
/// come to lie makes it faster or slower by a fifth, for as long as it runs.
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
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        // Every other round goes the other way, so that nobody always runs behind the same one.
        if round % 2 == 0 {
            contenders.iter_mut().for_each(|contender| measure(contender, &ground));
        } else {
            contenders.iter_mut().rev().for_each(|contender| measure(contender, &ground));
        }
    }
    let memory = contenders.iter().map(|c| (c.variant, c.memory)).collect();
    let runs: BTreeMap<Variant, Vec<Run>> = contenders.into_iter().map(|c| (c.variant, c.runs)).collect();
    ground.services.block_on(async { bank.audit().await });
    report::paths(&runs, &memory);
}

#[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
fn measure(contender: &mut Contender, ground: &Ground) {
    let Contender { variant, key, runs, memory } = contender;
    let Ground { dir, wrk, processors, services, behind, seconds } = ground;
    let filter = variant.filter(&nothing());
    let plan = Plan { name: variant.name().to_owned(), filter, workers: 1, under: processors.of_envoy() };
    let envoy = services.block_on(Envoy::start(dir.path(), &plan, *behind));
    wrk.run(envoy.port, key, CONNECTIONS, 1);
    let exchanges = || services.block_on(envoy.stat("wasmcustom.faregate.exchanges"));
    let (cpu, asked) = (envoy.process.cpu_nanos(), exchanges());
    let many = wrk.run(envoy.port, key, CONNECTIONS, *seconds);
    let (cpu, asked) = (envoy.process.cpu_nanos() - cpu, exchanges() - asked);
    let alone = wrk.run(envoy.port, key, 1, seconds.div_ceil(2));
    let wrong = if variant.status() == 200 { many.refused } else { many.requests - many.refused };
    assert_eq!(wrong, 0, "{variant:?}: answers that are not {}", variant.status());
    memory.resident = envoy.process.memory_kb().max(memory.resident);
    memory.private = envoy.process.private_kb().max(memory.private);
    runs.push(Run {
        per_second: many.requests as f64 / (many.duration as f64 / 1e6),
        cpu_micros: cpu as f64 / 1e3 / many.requests as f64,
        p50: many.p50 as f64,
        p99: many.p99 as f64,
        p999: many.p999 as f64,
        alone_p50: alone.p50 as f64,
        exchanges: asked as f64,
        requests: many.requests as f64,
    });
}
