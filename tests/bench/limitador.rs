//! The service behind Envoy's ratelimit filter: one that runs already, which RATELIMIT_PORT names (Envoy's own ratelimit with Redis, say,
//! with a limit per `api_key` in the domain `bench`), or else Limitador, where it is installed.

use harness::{Process, free_port};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What its limit is kept under.
pub const NAMESPACE: &str = "bench";
/// One counter per caller, which never runs out (in the syntax of Limitador 2).
const LIMITS: &str = "- namespace: bench
  max_value: 1000000000
  seconds: 3600
  conditions: []
  variables: ['descriptors[0].api_key']
";

/// A running one. A Limitador of ours has its counters in memory.
pub struct Limitador {
    pub port: u16,
    _process: Option<Process>,
}

impl Limitador {
    /// Starts it and waits until it serves; `None` where none runs and `limitador-server` is not on PATH.
    pub async fn start(dir: &Path) -> Option<Self> {
        let running = std::env::var("RATELIMIT_PORT").ok().and_then(|port| port.parse().ok());
        if let Some(port) = running {
            return Some(Self { port, _process: None });
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path)
            .map(|dir| dir.join("limitador-server"))
            .find(|file| file.is_file())?;
        let limits = dir.join("limits.yaml");
        std::fs::write(&limits, LIMITS).expect("a file");
        let (port, http) = (free_port(), free_port());
        let mut command = Command::new(program);
        command.args(["--rls-ip", "127.0.0.1", "--rls-port", &port.to_string()]);
        command.args(["--http-ip", "127.0.0.1", "--http-port", &http.to_string()]).arg(&limits).arg("memory");
        let mut process = Process::start("Limitador", &mut command, &dir.join("limitador.log"));
        let status = format!("http://127.0.0.1:{http}/status");
        for _ in 0..1_000 {
            assert!(!process.has_ended(), "Limitador has ended: {}", process.output());
            if reqwest::get(&status).await.is_ok_and(|answer| answer.status() == 200) {
                return Some(Self { port, _process: Some(process) });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("Limitador doesn't get ready: {}", process.output());
    }
}
