//! Clients that send numbered requests, and write down what they saw.

use harness::{Gateway, NUMBER, Random};
use reqwest::Client;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// How many clients call each gateway.
const CLIENTS: usize = 3;
/// Longer than any freeze, because a client that times out early proves nothing.
const PATIENCE: Duration = Duration::from_secs(20);
/// After an answer that was no success.
const BREATH: Duration = Duration::from_millis(10);

/// What a client saw of one request.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The request's number.
    pub number: u64,
    /// Which gateway was asked.
    pub gateway: usize,
    /// Whose key it carried.
    pub account: usize,
    /// The status; 0 when there was no answer.
    pub status: u16,
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Vec<Seen>>,
}

impl Load {
    /// Sets clients to work on all gateways, with these keys, one per account.
    pub fn start(gateways: &[Gateway], keys: &[String], seed: u64) -> Self {
        let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(1)));
        let mut clients = JoinSet::new();
        for client in 0..gateways.len() * CLIENTS {
            let gateway = client % gateways.len();
            let url = gateways[gateway].url("/");
            let (keys, stop, next) = (keys.to_vec(), Arc::clone(&stop), Arc::clone(&next));
            let mut random = Random::new(seed.wrapping_mul(1_000).wrapping_add(client as u64));
            clients.spawn(async move {
                let client = Client::builder().pool_max_idle_per_host(1).timeout(PATIENCE).build();
                let client = client.expect("a client");
                let mut all = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let account = random.below(keys.len());
                    let request = client.get(&url).header("x-api-key", &keys[account]).header(NUMBER, number);
                    let status = match request.send().await {
                        Ok(answer) => {
                            let status = answer.status().as_u16();
                            // A head without its body is no answer.
                            if answer.bytes().await.is_ok() { status } else { 0 }
                        }
                        Err(_) => 0,
                    };
                    all.push(Seen { number, gateway, account, status });
                    if status != 200 {
                        tokio::time::sleep(BREATH).await;
                    }
                }
                all
            });
        }
        Self { stop, clients }
    }

    /// Lets them finish; returns all that they saw.
    pub async fn end(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.join_all().await.concat()
    }
}
