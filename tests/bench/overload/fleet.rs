//! A ledger and the gateways before it, and what is measured of both.

use super::asker::{self, Asker};
use super::gateway::{Gateway, PAYERS, Pace};
use super::tally::Tally;
use super::visitors::{self, Visitors, Visits};
use crate::populated_ledger::PopulatedLedger;
use crate::table::Figures;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub const GATEWAYS: u32 = 200;
/// Accounts that all of it takes.
pub const ACCOUNTS: u32 = GATEWAYS * PAYERS + asker::PAYERS + visitors::CALLERS;
/// Messages under way at once, and the entries in each, among which the peak is looked for.
pub const CLOSED: [(usize, usize); 4] = [(8, 100), (8, 500), (32, 100), (32, 500)];
/// The warm-up before measuring, and the longer one for gateways that obey the heartbeat interval.
const WARM_UP: Duration = Duration::from_secs(2);
const HEEDING: Duration = Duration::from_secs(12);

/// A ledger and its gateways.
pub struct Fleet {
    ledger: PopulatedLedger,
    gateways: Vec<Gateway>,
    asker: Asker,
    visitors: Visitors,
    /// Entries per second.
    peak: f64,
    /// With how many messages at once and entries in each the peak was reached, and what was measured then.
    best: Option<((usize, usize), Measured)>,
}

/// What a gateway is to do; at the end it comes back with what it has measured.
enum Task {
    Closed { entries: usize, measure: Instant, end: Instant },
    Open { pace: Pace, place: u32 },
}

/// What all have measured together.
#[derive(Clone)]
struct Measured {
    reports: Tally,
    asks: Tally,
    visits: Visits,
    /// Messages that the ledger itself has counted as turned away, from the beginning to the end.
    overloads: f64,
}

impl Fleet {
    /// Opens the leases of all payers, and a gate for a ledger of this name.
    pub async fn new(dir: &Path, name: &str, ledger: PopulatedLedger) -> Self {
        let port = ledger.ledger.gateway_port;
        let new = |number: u32| {
            let first = number * PAYERS;
            Gateway::new(port, format!("bench-{number}"), first..first + PAYERS)
        };
        let mut gateways: Vec<Gateway> = (0..GATEWAYS).map(new).collect();
        for gateway in &mut gateways {
            gateway.open().await;
        }
        let asker = Asker::new(port, GATEWAYS * PAYERS);
        let visitors = Visitors::new(dir, name, port).await;
        Self { ledger, gateways, asker, visitors, peak: 0.0, best: None }
    }

    /// Has `faregate audit` agree.
    pub fn audit(&self) {
        self.ledger.audit();
    }

    /// Has so many messages under way, one after the other, with so many entries in each: the best way of all that
    /// are tried is the peak.
    pub async fn try_for_peak(&mut self, shape: (usize, usize), length: Duration) {
        let measured = self.closed(shape, length).await;
        let committed = measured.reports.committed_entries;
        eprintln!("{} at once, {} entries: {:.0}/s", shape.0, shape.1, per_s(committed, length));
        if self.best.as_ref().is_none_or(|(_, best)| best.reports.committed_entries < committed) {
            self.best = Some((shape, measured));
            self.peak = per_s(committed, length);
        }
    }

    /// What was measured at the peak.
    pub fn at_peak(&self, length: Duration) -> Figures {
        let (_, best) = self.best.as_ref().expect("a peak that was looked for");
        self.figures(best.clone(), length)
    }

    /// The same load that reached the peak: whether the machine is still as fast as it was then.
    pub async fn peak_again(&mut self, length: Duration) -> Figures {
        let (shape, _) = self.best.as_ref().expect("a peak that was looked for");
        let measured = self.closed(*shape, length).await;
        self.figures(measured, length)
    }

    async fn closed(&mut self, (messages, entries): (usize, usize), length: Duration) -> Measured {
        let measure = Instant::now() + WARM_UP / 2;
        let end = measure + length;
        self.measure(messages, (measure, end), |_| Task::Closed { entries, measure, end }).await
    }

    /// Offers so many times the peak.
    pub async fn offer(&mut self, load: f64, heeds: bool, length: Duration) -> Figures {
        let begin = Instant::now();
        let measure = begin + if heeds { HEEDING } else { WARM_UP };
        let end = measure + length;
        let pace = Pace { per_s: self.peak * load / f64::from(GATEWAYS), heeds, begin, measure, end };
        let all = self.gateways.len();
        let measured = self.measure(all, (measure, end), |place| Task::Open { pace, place }).await;
        self.figures(measured, length)
    }

    /// Sends the gateways off in so many groups, and the one that asks; waits until the ledger is idle again.
    async fn measure(
        &mut self,
        groups: usize,
        (measure, end): (Instant, Instant),
        task: impl Fn(u32) -> Task,
    ) -> Measured {
        let before = self.overloads().await;
        let size = self.gateways.len().div_ceil(groups);
        let mut under_way = JoinSet::new();
        for place in 0.. {
            let mut group: Vec<Gateway> = self.gateways.drain(..size.min(self.gateways.len())).collect();
            if group.is_empty() {
                break;
            }
            let task = task(place);
            under_way.spawn(async move {
                let tally = match task {
                    Task::Closed { entries, measure, end } => {
                        Gateway::run_closed(&mut group, entries, measure, end).await
                    }
                    Task::Open { pace, place } => group[0].run(pace, place, GATEWAYS).await,
                };
                (group, tally)
            });
        }
        let (asks, visits) = tokio::join!(self.asker.run(measure, end), self.visitors.run(measure, end));
        let mut reports = Tally::default();
        for (group, tally) in under_way.join_all().await {
            self.gateways.extend(group);
            reports.add(tally);
        }
        self.asker.wait_for_idle().await;
        Measured { reports, asks, visits, overloads: self.overloads().await - before }
    }

    async fn overloads(&self) -> f64 {
        self.ledger.ledger.metric("faregate_overloads_total").await
    }

    #[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
    fn figures(&self, measured: Measured, length: Duration) -> Figures {
        let Measured { mut reports, mut asks, visits, overloads } = measured;
        let percent = |some: u64, all: u64| 100.0 * some as f64 / all.max(1) as f64;
        let committed = per_s(reports.committed_entries, length);
        let mut figures = vec![
            ("offered", per_s(reports.offered_entries, length)),
            ("committed", committed),
            ("÷ peak", committed / self.peak),
            ("503 %", percent(reports.overloaded, reports.messages)),
            ("no answer %", percent(reports.silent, reports.messages)),
            ("p50 ms", reports.answer_ms(50)),
            ("p99 ms", reports.answer_ms(99)),
            ("overloads", overloads),
            ("heartbeat_ms", reports.heartbeat_ms as f64),
            ("ask p50 ms", asks.answer_ms(50)),
            ("ask p99 ms", asks.answer_ms(99)),
            ("asks lost %", percent(asks.overloaded + asks.silent, asks.messages)),
        ];
        figures.extend(visits.figures());
        figures
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
fn per_s(entries: u64, length: Duration) -> f64 {
    entries as f64 / length.as_secs_f64()
}
