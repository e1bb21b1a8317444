//! What a request costs Envoy in instructions, counted by valgrind's callgrind instead of timed: a figure that hardly
//! depends on how busy the machine is, or whose it is. The kernel's work isn't in it, nor is waiting, nor what happens by time:
//! that is counted by itself, without any request.

use crate::client::Client;
use crate::envoy::{Backends, Envoy, Plan};
use crate::variant::{Variant, key, nothing};
use crate::{limitador, nginx, report, upstream};
use harness::{LedgerProcess, out_of};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Requests before the count begins: callgrind runs Envoy some fifty times slower, and V8 has its first ones behind it.
const WARM: u32 = 300;
/// How long a command to valgrind may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts so many requests of each variant over one connection.
pub fn run(requests: u32, only: &[&str]) {
    let services = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let services = services.expect("a runtime");
    let dir = TempDir::with_prefix("faregate-bench-").expect("a temporary folder");
    let limitador = services.block_on(limitador::Limitador::start(dir.path()));
    let limits = limitador.as_ref().map_or(0, |limitador| limitador.port);
    let nginx = services.block_on(nginx::Nginx::start(dir.path()));
    let (ledger, behind) = services.block_on(async {
        let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
        let upstream = match &nginx {
            Some(nginx) => nginx.port,
            None => upstream::start().await,
        };
        let authz = upstream::start_authz().await;
        let (port, grpc_authz) = (ledger.gateway_port, upstream::start_grpc_authz().await);
        (ledger, Backends { upstream, ledger: port, authz, grpc_authz, limits })
    });
    println!("{:<18}{:>14}{:>8}{:>10}", "variant", "instructions", "÷ bare", "± (3 runs)");
    let (mut bare, mut all) = (f64::NAN, serde_json::Map::new());
    // What is counted needs no second look at bare Envoy.
    let chosen = |variant: &Variant| match variant {
        Variant::BareAgain => false,
        Variant::RateLimit if limitador.is_none() => false,
        _ => only.is_empty() || only.contains(&variant.name()),
    };
    for variant in Variant::ALL.into_iter().filter(chosen) {
        let (envoy, key) = services.block_on(async {
            let plan = Plan {
                name: variant.name().to_owned(),
                filter: variant.filter(&nothing()),
                workers: 1,
                under: callgrind(&dir.path().join(variant.name())),
            };
            (Envoy::start(dir.path(), &plan, behind).await, key(&ledger, variant).await)
        });
        let counted: Vec<f64> = count(&envoy, &key, variant, requests, dir.path());
        let [least, middle, most] = counted[..] else { panic!("three runs") };
        if variant == Variant::Bare {
            bare = middle;
        }
        println!("{:<18}{middle:>14.0}{:>8.2}{:>10.0}", variant.name(), middle / bare, (most - least) / 2.0);
        all.insert(variant.name().to_owned(), json!(counted));
    }
    services.block_on(async { ledger.audit().await });
    report::keep("instructions", &Value::Object(all));
}

/// The command before Envoy's own.
pub fn callgrind(out: &Path) -> Vec<OsString> {
    let mut file = OsString::from("--callgrind-out-file=");
    file.push(out.with_extension("calls"));
    let valgrind = std::env::var_os("VALGRIND").unwrap_or_else(|| "valgrind".into());
    let options = ["--tool=callgrind", "--instr-atstart=no", "--smc-check=all-non-file"].map(OsString::from);
    [valgrind].into_iter().chain(options).chain([file]).collect()
}

/// Instructions per request of three runs, in order of size.
fn count(envoy: &Envoy, key: &str, variant: Variant, requests: u32, dir: &Path) -> Vec<f64> {
    let mut client = Client::connect(envoy.port);
    // What is slow at first may time out.
    warm_up(&mut client, key, variant);
    tell(envoy, &["instrumentation", "on"]);
    warm_up(&mut client, key, variant);
    let mut dumps = 0;
    let mut counted_while = |live: &mut dyn FnMut()| {
        tell(envoy, &["zero"]);
        live();
        tell(envoy, &["dump", "counted"]);
        dumps += 1;
        total(&dir.join(format!("{}.calls.{dumps}", variant.name())))
    };
    let mut counted: Vec<f64> = (0..3)
        .map(|_| {
            let began = Instant::now();
            let busy = counted_while(&mut || {
                for _ in 0..requests {
                    assert_eq!(client.get(key).status, variant.status(), "{variant:?}");
                }
            });
            let so_long = began.elapsed();
            let idle = counted_while(&mut || std::thread::sleep(so_long));
            (busy - idle) / f64::from(requests)
        })
        .collect();
    counted.sort_by(f64::total_cmp);
    counted
}

/// Asks until the right answer has come often enough.
fn warm_up(client: &mut Client, key: &str, variant: Variant) {
    let (mut right, mut asked) = (0, 0);
    while right < WARM {
        right += u32::from(client.get(key).status == variant.status());
        asked += 1;
        assert!(asked < WARM * 10, "{variant:?}: {asked} answers, of which {right} are {}", variant.status());
    }
}

/// Has valgrind do something.
pub fn tell(envoy: &Envoy, words: &[&str]) {
    let vgdb = std::env::var_os("VALGRIND")
        .map_or_else(|| "vgdb".into(), |program| Path::new(&program).with_file_name("vgdb"));
    let pid = format!("--pid={}", envoy.process.id());
    let (done, said) = out_of(Command::new(vgdb).arg(pid).args(words));
    assert!(done, "vgdb {words:?}: {said}");
}

/// What a dump says was counted.
pub fn total(dump: &Path) -> f64 {
    let began = Instant::now();
    loop {
        let text = std::fs::read(dump).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if let Some(total) = text.lines().find_map(|line| line.strip_prefix("totals: ")) {
            return total.trim().parse().expect("a number");
        }
        assert!(began.elapsed() < PATIENCE, "{} isn't written", dump.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}
