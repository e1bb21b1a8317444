//! The ways of charging, one beside the other.

use crate::envoy::{Backends, Envoy, Plan};
use crate::figures::Run;
use crate::load::Wrk;
use crate::processors::Processors;
use crate::variant::{Variant, key, nothing};
use crate::{limitador, nginx, report, upstream};
use harness::LedgerProcess;
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
struct Fixture {
    dir: TempDir,
    wrk: Wrk,
    processors: Processors,
    services: Runtime,
    behind: Backends,
    seconds: u32,
}

/// Compares them, in so many rounds, one after the other: nobody has to share the machine with the others' processes. Each turn has
/// a process of its own: where a program's pages come to lie makes it faster or slower by a fifth, for as long as it
/// runs. Each round begins with another one, so that none is always measured when the machine is fast or slow.
pub fn run(rounds: u32, seconds: u32, only: &[&str]) {
    let processors = Processors::share();
    let services = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let services = services.expect("a runtime");
    let dir = TempDir::with_prefix("faregate-bench-").expect("a temporary folder");
    let wrk = Wrk::new(dir.path());
    // Compared where it is installed, and absent where not.
    let limitador = services.block_on(limitador::Limitador::start(dir.path()));
    if limitador.is_none() {
        println!(
            "{} is not compared: there is no limitador-server, and no RATELIMIT_PORT",
            Variant::RateLimit.name()
        );
    }
    let nginx = services.block_on(nginx::Nginx::start(dir.path()));
    println!(
        "the API is {}",
        if nginx.is_some() { "nginx" } else { "the bench's own, since NGINX names none" }
    );
    let (ledger, behind, mut contenders) = services.block_on(async {
        let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
        let upstream = match &nginx {
            Some(nginx) => nginx.port,
            None => upstream::start().await,
        };
        let (authz, grpc_authz) = (upstream::start_authz().await, upstream::start_grpc_authz().await);
        let limits = limitador.as_ref().map_or(0, |limitador| limitador.port);
        let behind = Backends { upstream, ledger: ledger.gateway_port, authz, grpc_authz, limits };
        let mut contenders = Vec::new();
        for variant in Variant::ALL {
            let is_there = variant != Variant::RateLimit || limitador.is_some();
            if is_there && (only.is_empty() || only.contains(&variant.name())) {
                let key = key(&ledger, variant).await;
                contenders.push(Contender { variant, key, runs: Vec::new(), memory: Memory::default() });
            }
        }
        (ledger, behind, contenders)
    });
    let ground = Fixture { dir, wrk, processors, services, behind, seconds };
    for number in 1..=rounds {
        eprintln!("round {number} of {rounds}");
        for contender in &mut contenders {
            contender.take_turn(&ground);
        }
        contenders.rotate_left(1);
    }
    let memory = contenders.iter().map(|c| (c.variant, c.memory)).collect();
    let runs: BTreeMap<Variant, Vec<Run>> = contenders.into_iter().map(|c| (c.variant, c.runs)).collect();
    ground.services.block_on(async { ledger.audit().await });
    report::paths(&runs, &memory);
}

impl Contender {
    /// A fresh Envoy that warms up for a second, serves many connections for so many, and a single one for another.
    #[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
    fn take_turn(&mut self, ground: &Fixture) {
        let envoy = self.start(ground);
        let exchanges = || ground.services.block_on(envoy.stat("wasmcustom.faregate.exchanges_total"));
        let (cpu, asked) = (envoy.process.cpu_nanos(), exchanges());
        let many = ground.wrk.run(envoy.port, &self.key, CONNECTIONS, ground.seconds);
        let (cpu, asked) = (envoy.process.cpu_nanos() - cpu, exchanges() - asked);
        let wrong = if self.variant.status() == 200 { many.refused } else { many.requests - many.refused };
        assert_eq!(wrong, 0, "{:?}: answers that are not {}", self.variant, self.variant.status());
        let alone = ground.wrk.run(envoy.port, &self.key, 1, 1);
        self.memory.resident = envoy.process.memory_kb().max(self.memory.resident);
        self.memory.private = envoy.process.private_kb().max(self.memory.private);
        let requests = many.requests as f64;
        self.runs.push(Run {
            per_second: requests / (many.duration as f64 / 1e6),
            cpu_micros: cpu as f64 / 1e3 / requests,
            p50: many.p50 as f64,
            p99: many.p99 as f64,
            p999: many.p999 as f64,
            alone_p50: alone.p50 as f64,
            exchanges: asked as f64,
            requests,
        });
    }

    fn start(&self, ground: &Fixture) -> Envoy {
        let (filter, under) = (self.variant.filter(&nothing()), ground.processors.of_envoy());
        let plan = Plan { name: self.variant.name().to_owned(), filter, workers: 1, under };
        let envoy = ground.services.block_on(Envoy::start(ground.dir.path(), &plan, ground.behind));
        ground.wrk.run(envoy.port, &self.key, CONNECTIONS, 1);
        envoy
    }
}
