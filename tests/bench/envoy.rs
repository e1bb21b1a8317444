//! One Envoy, with a filter or without.

use harness::{Process, envoy, free_port};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A running Envoy.
pub struct Envoy {
    pub process: Process,
    pub port: u16,
    admin: u16,
}

/// What is behind it: ports; 0 where there is nothing.
#[derive(Clone, Copy, Default)]
pub struct Backends {
    pub upstream: u16,
    pub ledger: u16,
    pub authz: u16,
    pub grpc_authz: u16,
    pub limits: u16,
}

/// What is in it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    pub filter: Option<Value>,
    pub workers: u32,
    /// The program that runs Envoy, with its arguments, if it isn't run by itself.
    pub under: Vec<OsString>,
}

impl Envoy {
    /// Starts it and waits until it serves.
    pub async fn start(dir: &Path, plan: &Plan, behind: Backends) -> Self {
        let (port, admin) = (free_port(), free_port());
        let name = plan.name.as_str();
        let file = dir.join(format!("{name}.json"));
        std::fs::write(&file, config(plan, behind, port, admin).to_string()).expect("a file");
        let program: Vec<OsString> = plan.under.iter().cloned().chain([envoy().into()]).collect();
        let mut command = Command::new(&program[0]);
        command.args(&program[1..]);
        command.arg("-c").arg(&file).args(["--concurrency", &plan.workers.to_string()]);
        command.args(["--disable-hot-restart", "--log-level", "error"]);
        let log = dir.join(format!("{name}.log"));
        let mut started = Self { process: Process::start(name, &mut command, &log), port, admin };
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
}

fn config(plan: &Plan, behind: Backends, port: u16, admin: u16) -> Value {
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
    let filters: Vec<Value> = plan.filter.iter().cloned().chain([router]).collect();
    // Who calls, for a service of limits; otherwise unused.
    let caller = json!({"request_headers": {"header_name": "x-api-key", "descriptor_key": "api_key"}});
    let route = json!({
        "match": {"prefix": "/"}, "route": {"cluster": "upstream", "rate_limits": [{"actions": [caller]}]}
    });
    let http2 = |name: &str, port: u16| {
        let mut cluster = cluster(name, port);
        cluster["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}}
            }
        });
        cluster
    };
    json!({
        "admin": {"address": at(admin)},
        "node": {"id": plan.name, "cluster": "bench"},
        "static_resources": {
            "clusters": [
                cluster("upstream", behind.upstream), cluster("ledger", behind.ledger), cluster("authz", behind.authz),
                http2("grpc_authz", behind.grpc_authz), http2("limits", behind.limits)
            ],
            "listeners": [{"name": "gate", "address": at(port), "filter_chains": [{"filters": [{
                "name": "hcm",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": "gate", "codec_type": "HTTP1",
                    "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
                    "http_filters": filters
                }
            }]}]}]
        }
    })
}
