//! An Envoy with the filter in it.

use crate::ledger_process::GATEWAY_TOKEN;
use crate::ports::free_port;
use crate::process::{Process, envoy, filter};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A running Envoy.
pub struct Gateway {
    /// The program; a story may kill it.
    pub process: Process,
    /// Where clients call.
    pub port: u16,
    admin_port: u16,
    access_log: PathBuf,
    run: Run,
}

/// How an Envoy is started.
#[derive(Clone)]
pub struct Run {
    /// The folder in which it runs, and writes its log.
    pub dir: PathBuf,
    /// What its log is called.
    pub name: String,
    /// Its configuration, as a path from that folder.
    pub config: PathBuf,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
}

impl Gateway {
    /// Starts Envoy with two workers on a configuration file whose listener and admin ports these are.
    pub async fn start(
        dir: &Path,
        name: &str,
        config: &Value,
        ports: (u16, u16),
        environment: &[(String, String)],
    ) -> Self {
        let file = dir.join(format!("{name}.json"));
        std::fs::write(&file, config.to_string()).expect("a configuration file");
        let run = Run {
            dir: dir.to_owned(),
            name: name.to_owned(),
            config: file,
            arguments: ["--disable-hot-restart", "--component-log-level", "wasm:info"]
                .map(str::to_owned)
                .to_vec(),
            environment: environment.to_vec(),
        };
        let mut gateway = Self::launch(run, ports);
        gateway.is_ready().await;
        gateway
    }

    /// Starts Envoy on a file as it lies there, and waits for nothing.
    pub fn launch(run: Run, ports: (u16, u16)) -> Self {
        let access_log = run.dir.join(format!("{}.access.log", run.name));
        Self { process: launch(&run), port: ports.0, admin_port: ports.1, access_log, run }
    }

    /// Starts it again with the same configuration and ports. It is a new gateway to the ledger.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.run);
        self.is_ready().await;
    }

    /// Waits until it takes requests.
    pub async fn is_ready(&mut self) {
        for _ in 0..1_500 {
            assert!(!self.process.has_ended(), "Envoy has ended: {}", self.process.output());
            if self.admin("/ready").await.is_some_and(|text| text.contains("LIVE")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("Envoy doesn't get ready");
    }

    /// What Envoy's admin interface says.
    pub async fn admin(&self, path: &str) -> Option<String> {
        let url = format!("http://127.0.0.1:{}{path}", self.admin_port);
        reqwest::get(url).await.ok()?.text().await.ok()
    }

    /// POSTs to Envoy's admin interface; whether it agreed.
    pub async fn post(&self, path: &str) -> bool {
        let url = format!("http://127.0.0.1:{}{path}", self.admin_port);
        reqwest::Client::new().post(url).send().await.is_ok_and(|answer| answer.status().is_success())
    }

    /// One of the filter's statistics, such as `admitted`; 0 before it was first counted.
    pub async fn stat(&self, name: &str) -> u64 {
        self.envoy_stat(&format!("wasmcustom.faregate.{name}")).await
    }

    /// One of Envoy's own statistics.
    pub async fn envoy_stat(&self, name: &str) -> u64 {
        let text = self.admin(&format!("/stats?filter=^{name}$")).await.expect("the admin interface answers");
        text.trim().rsplit_once(": ").and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
    }

    /// The lines of the access log.
    pub fn access_log(&self) -> Vec<String> {
        std::fs::read_to_string(&self.access_log).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The address of a path at this gateway.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

fn launch(run: &Run) -> Process {
    let mut command = Command::new(envoy());
    command.current_dir(&run.dir).arg("-c").arg(&run.config);
    command.args(["--concurrency", "2", "--log-level", "warning"]).args(&run.arguments);
    if run.arguments.iter().all(|argument| argument != "--drain-time-s") {
        command.args(["--drain-time-s", "1"]);
    }
    command.env("FAREGATE_GATEWAY_TOKEN", GATEWAY_TOKEN).envs(run.environment.iter().cloned());
    Process::start(&run.name, &mut command, &run.dir.join(format!("{}.log", run.name)))
}

/// The ports that a gateway takes.
pub(crate) fn ports() -> (u16, u16) {
    (free_port(), free_port())
}

/// Has a gate wait for the ledger for as long as a busy machine may take; who waits for longer gets a 503.
pub fn patient() -> Value {
    let token = json!({"env": "FAREGATE_GATEWAY_TOKEN"});
    json!({"ledger": {"cluster": "ledger", "authority": "ledger.test", "token": token, "timeout_ms": 5_000}})
}

/// An Envoy configuration with the filter, as an operator would write it.
pub fn envoy_config(
    dir: &Path,
    name: &str,
    ports: (u16, u16),
    (ledgers, upstream): (&[u16], u16),
    filter_config: &Value,
) -> Value {
    let at = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let cluster = |name: &str, ports: &[u16]| {
        let endpoints: Vec<Value> =
            ports.iter().map(|port| json!({"endpoint": {"address": at(*port)}})).collect();
        json!({
            "name": name, "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
        })
    };
    let mut ledger = cluster("ledger", ledgers);
    if ledgers.len() > 1 {
        // Interchangeable ledgers: one that doesn't answer is left out.
        ledger["health_checks"] = json!([{
            "timeout": "0.5s", "interval": "0.2s", "unhealthy_threshold": 1, "healthy_threshold": 1,
            "no_traffic_interval": "0.2s", "http_health_check": {"path": "/healthz"}
        }]);
    }
    let log_format = "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %FILTER_STATE(wasm.faregate:PLAIN)%\n";
    json!({
        "admin": {"address": at(ports.1)},
        "node": {"id": name, "cluster": "stories"},
        "static_resources": {
            "clusters": [ledger, cluster("upstream", &[upstream])],
            "listeners": [{"name": "gate", "address": at(ports.0), "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": "gate", "codec_type": "AUTO", "normalize_path": true, "merge_slashes": true,
                    "max_request_headers_kb": 96,
                    "access_log": [{"name": "envoy.access_loggers.file", "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                        "path": dir.join(format!("{name}.access.log")),
                        "log_format": {"text_format_source": {"inline_string": log_format}}
                    }}],
                    "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                        {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}}
                    ]}]},
                    "http_filters": [
                        {"name": "faregate", "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                            "config": {
                                "name": "faregate", "root_id": "faregate", "failure_policy": "FAIL_RELOAD",
                                "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue",
                                                  "value": filter_config.to_string()},
                                "vm_config": {
                                    "vm_id": "faregate", "runtime": "envoy.wasm.runtime.v8",
                                    "code": {"local": {"filename": filter()}},
                                    "environment_variables": {"key_values": {"FAREGATE_GATEWAY_TOKEN": GATEWAY_TOKEN}}
                                }
                            }
                        }},
                        {"name": "envoy.filters.http.router", "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                        }}
                    ]
                }
            }]}]}]
        }
    })
}
