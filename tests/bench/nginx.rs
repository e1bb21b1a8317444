//! nginx as the API behind Envoy, where it is installed: what a stranger would put there, in one process with one worker.

use harness::{Process, free_port};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A running one.
pub struct Nginx {
    pub port: u16,
    _process: Process,
}

impl Nginx {
    /// Starts the one that NGINX names and waits until it serves; `None` where there is none.
    pub async fn start(dir: &Path) -> Option<Self> {
        let program = std::env::var_os("NGINX").map(PathBuf::from).filter(|program| program.is_file())?;
        let port = free_port();
        let file = dir.join("nginx.conf");
        std::fs::write(&file, config(dir, port)).expect("a file");
        let mut command = Command::new(program);
        command.arg("-p").arg(dir).arg("-c").arg(&file).args(["-e", "stderr"]);
        let mut process = Process::start("nginx", &mut command, &dir.join("nginx.log"));
        for _ in 0..1_000 {
            assert!(!process.has_ended(), "nginx has ended: {}", process.output());
            if reqwest::get(format!("http://127.0.0.1:{port}/"))
                .await
                .is_ok_and(|answer| answer.status() == 200)
            {
                return Some(Self { port, _process: process });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nginx doesn't get ready: {}", process.output());
    }
}

/// It answers at once, writes no log, and keeps its connections.
fn config(dir: &Path, port: u16) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("  {what}_temp_path {};\n", dir.join("nginx-temporary").display()))
        .concat();
    format!(
        "daemon off; master_process off; pid {};
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600; tcp_nodelay on;
{temporary}  server {{
    listen 127.0.0.1:{port};
    default_type application/json;
    location / {{ return 200 '{{\"served\":true}}'; }}
  }}
}}
",
        dir.join("nginx.pid").display()
    )
}
