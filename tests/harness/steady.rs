//! Callers that keep calling until they are stopped.

use crate::traffic::Tally;
use reqwest::Client;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long a caller rests between two requests.
const REST: Duration = Duration::from_millis(3);

/// Callers at work. Each has a connection of its own, and several may share a key.
pub struct Steady {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<(Tally, Vec<String>)>>,
}

impl Steady {
    /// Sets one caller per key to work at this address.
    pub fn start(url: &str, keys: &[&str]) -> Self {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let task = |key: &&str| {
            let (url, key) = (url.to_owned(), (*key).to_owned());
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                let client = Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");
                let (mut status_counts, mut others) = (Tally::new(), Vec::new());
                while !stop.load(Ordering::SeqCst) {
                    let (status, said) = match client.get(&url).header("x-api-key", &key).send().await {
                        Ok(answer) => {
                            let status = answer.status().as_u16();
                            (status, answer.text().await.unwrap_or_default())
                        }
                        Err(why) => (0, format!("{why:?}")),
                    };
                    *status_counts.entry(status).or_default() += 1;
                    if status != 200 && others.len() < 10 {
                        others.push(format!("{status} {said}"));
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(REST).await;
                }
                (status_counts, others)
            })
        };
        let tasks = keys.iter().map(task).collect();
        Self { stop, answered, tasks }
    }

    /// Waits until so many more answers have come.
    pub async fn wait_for_progress(&self, answers: u64) {
        let target = self.answered.load(Ordering::SeqCst) + answers;
        for _ in 0..3_000 {
            if self.answered.load(Ordering::SeqCst) >= target {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no {answers} answers within half a minute");
    }

    /// Stops all of them: how often each status came, and the first words that came with others than 200.
    pub async fn stop(self) -> (Tally, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        let (mut all, mut others) = (Tally::new(), Vec::new());
        for task in self.tasks {
            let (status_counts, said) = task.await.expect("a caller that doesn't panic");
            for (status, count) in status_counts {
                *all.entry(status).or_default() += count;
            }
            others.extend(said);
        }
        (all, others)
    }
}
