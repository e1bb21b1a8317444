//! Clients: one request, many requests, and waiting for a condition.

use crate::gateway::Gateway;
use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a client got.
#[derive(Debug)]
pub struct Answer {
    /// The status; 0 when there was no answer.
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body, or null when it is no JSON.
    pub body: Value,
    /// How long it took.
    pub took: Duration,
}

/// One GET with these headers, on a connection of its own. Redirects aren't followed.
pub async fn get(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> Answer {
    let client = Client::builder()
        .timeout(Duration::from_secs(20))
        .redirect(Policy::none())
        .build()
        .expect("a client");
    let mut request = client.get(gateway.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let start = Instant::now();
    match request.send().await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let text =
                |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers =
                answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            let body = answer.bytes().await.unwrap_or_default();
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            Answer { status, headers, body, took: start.elapsed() }
        }
        Err(_) => Answer { status: 0, headers: BTreeMap::new(), body: Value::Null, took: start.elapsed() },
    }
}

/// How often each status came; 0 means no answer.
pub type Tally = BTreeMap<u16, u64>;

/// Sends `total` GETs of `/` with this key, spread over the gateways, over so many kept-alive connections.
pub async fn flood(gateways: &[Gateway], key: &str, total: u64, connections: usize) -> Tally {
    let left = Arc::new(AtomicU64::new(total));
    let tasks: Vec<_> = (0..connections)
        .map(|number| {
            let url = gateways[number % gateways.len()].url("/");
            let (key, left) = (key.to_owned(), Arc::clone(&left));
            tokio::spawn(async move {
                let client = Client::builder()
                    .pool_max_idle_per_host(1)
                    .timeout(Duration::from_secs(20))
                    .build()
                    .expect("a client");
                let mut status_counts = Tally::new();
                while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
                    let status = match client.get(&url).header("x-api-key", &key).send().await {
                        Ok(answer) => {
                            let status = answer.status().as_u16();
                            let _ = answer.bytes().await;
                            status
                        }
                        Err(_) => 0,
                    };
                    *status_counts.entry(status).or_default() += 1;
                }
                status_counts
            })
        })
        .collect();
    let mut all = Tally::new();
    for task in tasks {
        for (status, count) in task.await.expect("a client that doesn't panic") {
            *all.entry(status).or_default() += count;
        }
    }
    all
}

/// Waits until the condition holds.
pub async fn eventually(what: &str, most: Duration, condition: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < most, "not within {most:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Calls one address over eight connections, again and again, until each gets something else than 200.
pub async fn until_refused(url: String, key: String) {
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (url, key) = (url.clone(), key.clone());
            tokio::spawn(async move {
                let client = Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");
                while client.get(&url).header("x-api-key", &key).send().await.is_ok_and(|a| a.status() == 200)
                {
                }
            })
        })
        .collect();
    for call in calls {
        call.await.expect("a client that doesn't panic");
    }
}
