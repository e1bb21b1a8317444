//! The load: `wrk`, one thread, connections kept alive.

use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every request with the same key.
const ONE_KEY: &str = r#"
wrk.headers["x-api-key"] = os.getenv("KEY")
"#;

/// The keys of a file in turn, beginning behind the first `START` of them.
const MANY_KEYS: &str = r#"
local keys, at = {}, tonumber(os.getenv("START"))
init = function()
  for key in io.lines(os.getenv("KEYS")) do keys[#keys + 1] = key end
end
request = function()
  at = at % #keys + 1
  return "GET /v1/things?n=1 HTTP/1.1\r\nHost: bench\r\nx-api-key: " .. keys[at] .. "\r\n\r\n"
end
"#;

/// Prints what wrk has measured as JSON, times in microseconds.
const SUMMARY: &str = r#"
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
    one_key: PathBuf,
    many_keys: PathBuf,
}

impl Wrk {
    /// wrk as `make bench` has found or fetched it.
    pub fn new(dir: &Path) -> Self {
        let keep = |name: &str, script: &str| {
            let file = dir.join(name);
            std::fs::write(&file, [script, SUMMARY].concat()).expect("a script");
            file
        };
        let program = std::env::var_os("WRK").map_or_else(|| PathBuf::from("wrk"), PathBuf::from);
        Self { program, one_key: keep("one_key.lua", ONE_KEY), many_keys: keep("many_keys.lua", MANY_KEYS) }
    }

    /// Loads a port for so many seconds over so many connections.
    pub fn run(&self, port: u16, key: &str, connections: u32, seconds: u32) -> Load {
        self.load(port, (connections, seconds), &self.one_key, &[("KEY", key.into())])
    }

    /// As [`Wrk::run`], with the keys of a file in turn, beginning behind the first `start` of them.
    pub fn run_in_turn(&self, port: u16, keys: &Path, start: u64, connections: u32, seconds: u32) -> Load {
        let environment = [("KEYS", keys.into()), ("START", start.to_string().into())];
        self.load(port, (connections, seconds), &self.many_keys, &environment)
    }

    fn load(
        &self,
        port: u16,
        (connections, seconds): (u32, u32),
        script: &Path,
        environment: &[(&str, OsString)],
    ) -> Load {
        let mut command = Command::new(&self.program);
        command.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "-s"]).arg(script);
        command.arg(format!("http://127.0.0.1:{port}/v1/things?n=1")).envs(environment.iter().cloned());
        let done = command.output();
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
