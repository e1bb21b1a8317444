//! One Envoy with one worker, for one variant.

use crate::variant::{Variant, nothing};
use harness::{Process, envoy, free_port};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A running Envoy.
pub struct Envoy {
    pub process: Process,
    pub port: u16,
    admin: u16,
}

/// What stands behind it.
#[derive(Clone, Copy)]
pub struct Behind {
    pub upstream: u16,
    pub ledger: u16,
    pub authz: u16,
}

impl Envoy {
    /// Starts it and waits until it serves.
    pub async fn start(dir: &Path, variant: Variant, behind: Behind, workers: u32) -> Self {
        let (port, admin) = (free_port(), free_port());
        let file = dir.join(format!("{}.json", variant.name()));
        std::fs::write(&file, config(variant, behind, port, admin).to_string()).expect("a file");
        let mut command = Command::new(envoy());
        command.arg("-c").arg(&file).args(["--concurrency", &workers.to_string()]);
        command.args(["--disable-hot-restart", "--log-level", "error"]);
        let log = dir.join(format!("{}.log", variant.name()));
        let mut started = Self { process: Process::start(variant.name(), &mut command, &log), port, admin };
        for _ in 0..3_000 {
            assert!(!started.process.has_ended(), "Envoy has ended: {}", started.process.output());
            if started.ask("/ready").await.is_some_and(|text| text.contains("LIVE")) {
                return started;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("Envoy doesn't get ready");
    }

    async fn ask(&self, path: &str) -> Option<String> {
        let answer = reqwest::get(format!("http://127.0.0.1:{}{path}", self.admin)).await.ok()?;
        answer.text().await.ok()
    }

    /// One of its statistics; 0 before it was first counted.
    pub async fn stat(&self, name: &str) -> u64 {
        let text = self.ask(&format!("/stats?filter=^{name}$")).await.unwrap_or_default();
        text.trim().rsplit_once(": ").and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
    }

    /// The CPU time that it has used (ns).
    pub fn cpu_nanos(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id()));
        let of = |path: std::path::PathBuf| {
            let text = std::fs::read_to_string(path.join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        tasks.into_iter().flatten().flatten().filter_map(|task| of(task.path())).sum()
    }
}

fn config(variant: Variant, behind: Behind, port: u16, admin: u16) -> Value {
    let at = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let cluster = |name: &str, port: u16| {
        let endpoint = json!({"endpoint": {"address": at(port)}});
        json!({
            "name": name, "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
            "circuit_breakers": {"thresholds": [{"max_connections": 100_000, "max_requests": 100_000, "max_pending_requests": 100_000}]}
        })
    };
    let router = json!({
        "name": "router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    });
    let filters: Vec<Value> = variant.filter(&nothing()).into_iter().chain([router]).collect();
    json!({
        "admin": {"address": at(admin)},
        "node": {"id": variant.name(), "cluster": "bench"},
        "static_resources": {
            "clusters": [
                cluster("upstream", behind.upstream), cluster("ledger", behind.ledger), cluster("authz", behind.authz)
            ],
            "listeners": [{"name": "gate", "address": at(port), "filter_chains": [{"filters": [{
                "name": "hcm",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": "gate", "codec_type": "HTTP1",
                    "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                        {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}
                    ]}]},
                    "http_filters": filters
                }
            }]}]}]
        }
    })
}
