//! What callers of a real gate see while the ledger has more to do than it can take.
//!
//! What must hold: they come at a fixed rate, whatever is answered, and each waits as long as a caller of an API does.

use super::asker;
use crate::envoy::{Backends, Envoy, Plan};
use crate::figures::percentile_ms;
use crate::population::key;
use crate::table::Figures;
use crate::{upstream, variant};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Callers of the gate, each with an account.
pub const CALLERS: u32 = 500;
/// The accounts before theirs.
const FIRST: u32 = super::fleet::GATEWAYS * super::gateway::PAYERS + asker::PAYERS;
/// A request comes so often.
const EVERY: Duration = Duration::from_millis(5);
/// So long a caller waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// An Envoy with the gate before an API that answers at once.
pub struct Visitors {
    envoy: Envoy,
    client: reqwest::Client,
    keys: Vec<String>,
    came: usize,
}

/// What became of requests.
#[derive(Clone, Debug, Default)]
pub struct Visits {
    served: u32,
    unavailable: u32,
    times: Vec<Duration>,
}

impl Visitors {
    /// Starts the gate.
    pub async fn new(dir: &Path, name: &str, ledger: u16) -> Self {
        let behind = Backends { upstream: upstream::start().await, ledger, ..Backends::default() };
        let filter = Some(variant::gate(&json!({})));
        let plan = Plan { name: format!("gate-{name}"), filter, workers: 1, under: Vec::new() };
        let envoy = Envoy::start(dir, &plan, behind).await;
        let keys = (FIRST..FIRST + CALLERS).map(|number| key(number).secret).collect();
        let client = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client");
        Self { envoy, client, keys, came: 0 }
    }

    /// Requests until then, each with the next key.
    pub async fn run(&mut self, measure: Instant, end: Instant) -> Visits {
        let mut visits = Visits::default();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut under_way = JoinSet::new();
        loop {
            let begun = ticks.tick().await;
            if begun >= end {
                break;
            }
            let key = &self.keys[self.came % self.keys.len()];
            self.came += 1;
            let url = format!("http://127.0.0.1:{}/v1/things", self.envoy.port);
            let request = self.client.get(url).header("x-api-key", key);
            under_way.spawn(async move {
                let status = request.send().await.expect("an answer").status().as_u16();
                (begun, begun.elapsed(), status)
            });
        }
        for (begun, took, status) in under_way.join_all().await {
            if begun < measure {
                continue;
            }
            match status {
                200 => visits.served += 1,
                503 => visits.unavailable += 1,
                other => panic!("a caller of the gate got {other}"),
            }
            visits.times.push(took);
        }
        visits
    }
}

impl Visits {
    /// As columns.
    pub fn figures(mut self) -> Figures {
        let all = f64::from(self.served + self.unavailable).max(1.0);
        vec![
            ("gate 503 %", 100.0 * f64::from(self.unavailable) / all),
            ("gate p50 ms", percentile_ms(&mut self.times, 50)),
            ("gate p99 ms", percentile_ms(&mut self.times, 99)),
        ]
    }
}
