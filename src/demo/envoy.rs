//! Envoy as a child process: started, waited for, asked to end.
//!
//! What must hold: the child never outlives this value (it is killed on drop), and no wait is unbounded.

use faregate_client::{Failure, terminal::print_to_stderr};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// The longest that Envoy may take until it serves; compiling the filter is most of it.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// The longest that it may take to end before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest to wait for one answer of Envoy's admin interface.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(2);
/// How often to look whether it is ready.
const POLL: Duration = Duration::from_millis(25);
/// How many lines of its log are kept, to be shown when it dies.
const KEPT_LINES: usize = 15;
/// Each worker holds a VM of its own; a gate to try out needs only a few.
const MAX_WORKERS: usize = 4;

/// What to start.
pub struct Launch<'a> {
    pub program: &'a Path,
    pub config: &'a Path,
    /// Where Envoy writes its admin address once it knows it.
    pub admin_address: PathBuf,
    pub gateway_token: &'a str,
}

/// A running Envoy.
pub struct Envoy {
    child: Child,
    admin: String,
    log: Log,
    readers: Vec<JoinHandle<()>>,
}

impl Envoy {
    /// Starts Envoy, waits until it serves, and hands each line of its access log to `on_request`.
    pub async fn start(
        launch: Launch<'_>,
        on_request: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, Failure> {
        // An address from the last run must not be taken for this one's.
        let _ = std::fs::remove_file(&launch.admin_address);
        let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get().min(MAX_WORKERS));
        let mut child = Command::new(launch.program)
            .arg("--config-path")
            .arg(launch.config)
            .arg("--admin-address-path")
            .arg(&launch.admin_address)
            .args(["--disable-hot-restart", "--log-level", "warn", "--component-log-level", "wasm:info"])
            .args(["--file-flush-interval-msec", "50", "--concurrency", &workers.to_string()])
            .env("FAREGATE_GATEWAY_TOKEN", launch.gateway_token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C must reach us alone: Envoy ends only after it has handed its credits back.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                Failure::new("envoy", format!("can't run {}: {error}", launch.program.display()))
                    .cure("name a working Envoy with --envoy or ENVOY, or fetch one with `make setup`")
            })?;
        let log = Log::default();
        let kept = log.clone();
        let readers = vec![
            read_lines(child.stdout.take(), on_request),
            read_lines(child.stderr.take(), move |line| kept.keep(line)),
        ];
        let mut envoy = Self { child, admin: String::new(), log, readers };
        envoy.await_ready(&launch.admin_address).await?;
        Ok(envoy)
    }

    async fn await_ready(&mut self, address_file: &Path) -> Result<(), Failure> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Ok(Some(_)) = self.child.try_wait() {
                return Err(self.died().await);
            }
            if Instant::now() >= deadline {
                return Err(Failure::new(
                    "envoy",
                    format!("Envoy didn't get ready in {START_TIMEOUT:?}{}", self.log.tail()),
                ));
            }
            if let Ok(address) = std::fs::read_to_string(address_file) {
                self.admin = format!("http://{}", address.trim());
                if self.ask("GET", "/ready").await.is_some_and(|(status, _)| status == 200) {
                    return Ok(());
                }
            }
            sleep(POLL).await;
        }
    }

    /// Where the gate really listens (port 0 in the configuration picks a free one).
    pub async fn listening(&self) -> Option<SocketAddr> {
        let (_, text) = self.ask("GET", "/listeners?format=json").await?;
        let listeners: serde_json::Value = serde_json::from_str(&text).ok()?;
        let socket = listeners.pointer("/listener_statuses/0/local_address/socket_address")?;
        let (host, port) = (socket.get("address")?.as_str()?, socket.get("port_value")?.as_u64()?);
        Some(SocketAddr::new(host.parse().ok()?, u16::try_from(port).ok()?))
    }

    /// Ready once the child has ended without having been asked to; says with what words.
    pub async fn died(&mut self) -> Failure {
        let status =
            self.child.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
        // What it said last may still be on its way through the pipe.
        self.read_to_end().await;
        Failure::new("envoy", format!("Envoy ended by itself ({status}){}", self.log.tail()))
    }

    /// Accepts no new connections from now on.
    pub async fn drain(&self) {
        self.ask("POST", "/drain_listeners").await;
    }

    /// Asks it to end, and kills it when it doesn't.
    pub async fn stop(mut self) {
        self.ask("POST", "/quitquitquit").await;
        if timeout(STOP_TIMEOUT, self.child.wait()).await.is_err() {
            // It may have ended at this very moment; both is well.
            let _ = self.child.kill().await;
        }
        self.read_to_end().await;
    }

    /// Lets the readers of its output come to their end, for a moment at most.
    async fn read_to_end(&mut self) {
        for reader in self.readers.drain(..) {
            let _ = timeout(Duration::from_millis(500), reader).await;
        }
    }

    /// One request to Envoy's admin interface; `None` when it doesn't answer.
    async fn ask(&self, method: &'static str, path: &str) -> Option<(u16, String)> {
        let url = format!("{}{path}", self.admin);
        let ask = move || {
            let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
            let agent: ureq::Agent = config.timeout_global(Some(ADMIN_TIMEOUT)).build().into();
            let sent = if method == "POST" { agent.post(&url).send_empty() } else { agent.get(&url).call() };
            let mut response = sent.ok()?;
            let text = response.body_mut().read_to_string().ok()?;
            Some((response.status().as_u16(), text))
        };
        tokio::task::spawn_blocking(ask).await.ok().flatten()
    }
}

/// The last lines of Envoy's log; shared with the task that reads them.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<VecDeque<String>>>);

impl Log {
    fn keep(&self, line: &str) {
        // Warnings about defaults would hide the requests; errors are worth the interruption.
        if ["[error]", "[critical]"].iter().any(|level| line.contains(level)) {
            print_to_stderr(line);
        }
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }

    fn tail(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() {
            return String::new();
        }
        lines.iter().fold("; its last words:".to_owned(), |text, line| text + "\n    " + line)
    }
}

/// Hands on each line until the pipe closes. Envoy bounds the length of what it prints by its own
/// limits on headers.
fn read_lines(
    pipe: Option<impl AsyncRead + Send + Unpin + 'static>,
    on_line: impl Fn(&str) + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some(pipe) = pipe else { return };
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            on_line(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    })
}
