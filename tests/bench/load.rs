//! The load: `wrk`, one thread, connections kept alive.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Prints what wrk has measured as JSON, times in microseconds.
const SCRIPT: &str = r#"
wrk.headers["x-api-key"] = os.getenv("KEY")
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\nJSON{"requests":%d,"duration":%d,"p50":%d,"p99":%d,"p999":%d,"failed":%d,"statuses":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    e.connect + e.read + e.write + e.timeout, e.status))
end
"#;

/// What one run has measured; times in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub requests: u64,
    pub duration: u64,
    pub p50: u64,
    pub p99: u64,
    pub p999: u64,
    /// Answers that were neither 2xx nor 3xx.
    pub refused: u64,
}

/// How to load.
#[derive(Clone, Debug)]
pub struct Wrk {
    program: PathBuf,
    script: PathBuf,
}

impl Wrk {
    /// wrk as `make bench` has found or fetched it.
    pub fn new(dir: &Path) -> Self {
        let script = dir.join("wrk.lua");
        std::fs::write(&script, SCRIPT).expect("a script");
        let program = std::env::var_os("WRK").map_or_else(|| PathBuf::from("wrk"), PathBuf::from);
        Self { program, script }
    }

    /// Loads a port for so many seconds over so many connections.
    pub fn run(&self, port: u16, key: &str, connections: u32, seconds: u32) -> Load {
        let mut command = Command::new(&self.program);
        command.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "-s"]).arg(&self.script);
        let done = command.arg(format!("http://127.0.0.1:{port}/v1/things?n=1")).env("KEY", key).output();
        let done = done.unwrap_or_else(|why| panic!("{} can't be run: {why}", self.program.display()));
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let json = text.lines().find_map(|line| line.strip_prefix("JSON")).expect("wrk's summary");
        let summary: Value = serde_json::from_str(json).expect("JSON");
        let number = |name: &str| summary[name].as_u64().expect("a number");
        assert_eq!(number("failed"), 0, "connections failed: {text}");
        Load {
            requests: number("requests"),
            duration: number("duration"),
            p50: number("p50"),
            p99: number("p99"),
            p999: number("p999"),
            refused: number("statuses"),
        }
    }
}
