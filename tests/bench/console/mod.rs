//! How long the console's pages and the lists of the admin API take on a ledger with a million accounts and ten million rows of usage,
//! and what paying traffic notices of it.

mod filling;
mod visitor;

use crate::figures::percentile_ms;
use crate::populated_ledger::{Database, PopulatedLedger};
use crate::report::keep;
use crate::speaker::Speaker;
use crate::table::{Case, Figures, table};
use crate::versions::versions;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use visitor::Visitor;

/// How often each page is loaded.
const LOADS: u32 = 60;
/// What a page may take, ms, at the 95th percentile.
const GOAL_MS: f64 = 300.0;
/// How much traffic may lose, as a share.
const KEPT: f64 = 0.95;
/// Gateways that exchange at once, payers of each, and entries in a message.
const GATEWAYS: u32 = 8;
const PAYERS: u32 = 100;
/// A page is loaded so often besides: as by fifty operators who look at a page for ten seconds.
const PAGE_EVERY: Duration = Duration::from_millis(200);
/// In how many turns with and without pages, and how long each.
const TURNS: u32 = 5;
const TURN: Duration = Duration::from_secs(4);

const PAGES_NOTE: &str = "each page is loaded in turn, for another account each time. Figures over all accounts are \
counted in the background. The goal is 300 ms at p95.";
const TRAFFIC_NOTE: &str = "as many exchanges as the ledger takes, in turns with and without five pages a second. kept: with \
pages ÷ without, the median of the turns' own ratios. The goal is 0.95.";

/// Measures both databases.
pub fn run(accounts: u32, on: &[Database]) {
    let services = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let services = services.expect("a runtime");
    let dir = TempDir::with_prefix("faregate-bench-").expect("a temporary folder");
    let mut tables = Vec::new();
    for database in on {
        let version = versions().pop().expect("the ledger that was built");
        let ledgers = services.block_on(PopulatedLedger::each(&[version], *database, dir.path(), accounts));
        let Some((mut ledger, _)) = ledgers.and_then(|ledgers| ledgers.into_iter().next()) else { continue };
        let filled = Instant::now();
        services.block_on(filling::fill(&mut ledger));
        eprintln!("filled within {:?}", filled.elapsed());
        let visitor = services.block_on(Visitor::signed_in(&ledger));
        let pages = pages(&services, &ledger, visitor);
        tables.push(table(&format!("The console and the lists on {}", database.name()), PAGES_NOTE, &pages));
        let late: Vec<&str> = pages
            .iter()
            .filter(|case| case.runs.iter().flatten().any(|(name, ms)| *name == "p95 ms" && *ms > GOAL_MS))
            .map(|case| case.name.as_str())
            .collect();
        println!("later than {GOAL_MS} ms: {late:?}");
        let traffic = services.block_on(Visitor::signed_in(&ledger));
        let traffic = traffic_beside(&services, &ledger, traffic);
        tables.push(table(
            &format!("Traffic beside the console on {}", database.name()),
            TRAFFIC_NOTE,
            &traffic,
        ));
    }
    keep("console", &json!(tables));
}

/// Every page and list, one after the other.
fn pages(services: &tokio::runtime::Runtime, ledger: &PopulatedLedger, mut visitor: Visitor) -> Vec<Case> {
    // The first look begins what is counted in the background.
    services.block_on(visitor.warm_up());
    let mut cases = Vec::new();
    for page in visitor::pages() {
        let mut times = services.block_on(async {
            let mut times = Vec::new();
            for number in 0..LOADS {
                times.push(visitor.load(&(page.path)(number, ledger.accounts())).await);
            }
            times
        });
        let figures: Figures = vec![
            ("p50 ms", percentile_ms(&mut times, 50)),
            ("p95 ms", percentile_ms(&mut times, 95)),
            ("most ms", percentile_ms(&mut times, 100)),
            ("ledger MB", ledger.memory_mb()),
        ];
        eprintln!("{}: {:.0} ms at p95", page.name, figures[1].1);
        cases.push(Case::once(page.name.to_owned(), figures));
    }
    cases
}

/// Exchanges with and without somebody who loads pages.
#[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
fn traffic_beside(
    services: &tokio::runtime::Runtime,
    ledger: &PopulatedLedger,
    mut visitor: Visitor,
) -> Vec<Case> {
    let mut speakers: Vec<Speaker> = (0..GATEWAYS)
        .map(|number| {
            let own = number * PAYERS..(number + 1) * PAYERS;
            let name = format!("bench-console-{number}");
            let mut speaker = Speaker::new(ledger.ledger.gateway_port, name, own, PAYERS as usize);
            speaker.meet_all();
            speaker
        })
        .collect();
    let names = ["without pages", "with pages", "  kept"];
    let mut cases = names.map(|name| Case { name: name.to_owned(), runs: Vec::new() });
    for _ in 0..TURNS {
        let mut turn = |with_pages: bool| {
            let (end, is_over) = (Instant::now() + TURN, AtomicBool::new(false));
            let mut loaded = 0;
            let mut times: Vec<Duration> = std::thread::scope(|scope| {
                let speaking: Vec<_> = speakers
                    .iter_mut()
                    .map(|speaker| scope.spawn(move || speaker.speak_until(end)))
                    .collect();
                if with_pages {
                    services.block_on(async {
                        while !is_over.load(Ordering::Relaxed) && Instant::now() < end {
                            let pages = visitor::pages();
                            let page = &pages[loaded as usize % visitor::CONSOLE_PAGES];
                            visitor.load(&(page.path)(loaded, ledger.accounts())).await;
                            loaded += 1;
                            tokio::time::sleep(PAGE_EVERY).await;
                        }
                    });
                }
                speaking.into_iter().flat_map(|thread| thread.join().expect("a gateway")).collect()
            });
            is_over.store(true, Ordering::Relaxed);
            let figures: Figures = vec![
                ("messages/s", times.len() as f64 / TURN.as_secs_f64()),
                ("p50 ms", percentile_ms(&mut times, 50)),
                ("p99 ms", percentile_ms(&mut times, 99)),
                ("pages", f64::from(loaded)),
            ];
            figures
        };
        let (without, with) = (turn(false), turn(true));
        let kept = without.iter().zip(&with).map(|((name, without), (_, with))| (*name, with / without));
        cases[2].runs.push(kept.collect());
        cases[0].runs.push(without);
        cases[1].runs.push(with);
    }
    let kept = crate::figures::median_of(cases[2].runs.iter().map(|run| run[0].1).collect());
    println!("traffic kept: {kept:.3} (goal {KEPT})");
    cases.into()
}
