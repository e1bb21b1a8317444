//! The ledger of a story, and its admin API.

use crate::ports::free_port;
use crate::process::{Process, binary, out_of};
use crate::traffic::eventually;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The token of gateways.
pub const GATEWAY_TOKEN: &str = "a-gateway-token-for-tests";
/// The token of administrators.
pub const ADMIN_TOKEN: &str = "an-admin-token-for-tests";

/// The variable that names a PostgreSQL database; without it a ledger keeps its data in its folder.
pub const DATABASE_URL: &str = "FAREGATE_DATABASE_URL";

/// A running ledger.
pub struct LedgerProcess {
    /// The program; a story may kill, stop and restart it.
    pub process: Process,
    /// The port of the gateway API.
    pub gateway_port: u16,
    /// The port of the admin API.
    pub admin_port: u16,
    program: PathBuf,
    dir: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    client: Client,
}

impl LedgerProcess {
    /// Starts a ledger in a folder, with further arguments to `serve`.
    pub async fn start(dir: &Path, arguments: &[&str], environment: &[(String, String)]) -> Self {
        Self::try_start(dir, arguments, environment).await.unwrap_or_else(|why| panic!("{why}"))
    }

    /// Starts one that may refuse to; the error says why.
    pub async fn try_start(
        dir: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> Result<Self, String> {
        Self::try_start_program(&binary(), dir, arguments, environment).await
    }

    /// As [`LedgerProcess::try_start`], with this program instead of the one that was built.
    pub async fn try_start_program(
        program: &Path,
        dir: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> Result<Self, String> {
        let (gateway_port, admin_port) = (free_port(), free_port());
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        let process = launch(program, dir, (gateway_port, admin_port), &arguments, environment);
        let client = Client::builder().timeout(Duration::from_secs(30)).build().expect("a client");
        let (program, dir, environment) = (program.to_owned(), dir.to_owned(), environment.to_vec());
        let mut ledger =
            Self { process, gateway_port, admin_port, program, dir, arguments, environment, client };
        ledger.is_ready().await?;
        Ok(ledger)
    }

    /// Starts it again on the same files and ports.
    pub async fn restart(&mut self) {
        self.process.kill();
        let ports = (self.gateway_port, self.admin_port);
        self.process = launch(&self.program, &self.dir, ports, &self.arguments, &self.environment);
        self.is_ready().await.unwrap_or_else(|why| panic!("{why}"));
    }

    /// Starts it again on the same files and ports, with other arguments to `serve` and another environment.
    pub async fn restart_with(mut self, arguments: &[&str], environment: &[(String, String)]) -> Self {
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.environment = environment.to_vec();
        self.restart().await;
        self
    }

    async fn is_ready(&mut self) -> Result<(), String> {
        for _ in 0..1_500 {
            if self.process.has_ended() {
                return Err(format!("the ledger has ended: {}", self.process.output()));
            }
            if self.readiness().await.is_some_and(|(status, _)| status == 200) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(format!("the ledger doesn't get ready: {}", self.process.output()))
    }

    /// What `/readyz` says; `None` without an answer.
    pub async fn readiness(&self) -> Option<(StatusCode, String)> {
        let url = format!("http://127.0.0.1:{}/readyz", self.admin_port);
        let answer = self.client.get(&url).send().await.ok()?;
        Some((answer.status(), answer.text().await.ok()?))
    }

    /// A message to the gateway API: the status and the body; `None` without an answer.
    pub async fn exchange(&self, message: &Value) -> Option<(StatusCode, Value)> {
        let url = format!("http://127.0.0.1:{}/gateway/v1/exchange", self.gateway_port);
        let answer = self.client.post(url).bearer_auth(GATEWAY_TOKEN).json(message).send().await.ok()?;
        Some((answer.status(), answer.json().await.ok()?))
    }

    /// A call of the admin API: the status and the body.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let key = format!("story-{}-{number}", std::process::id());
        self.ask(method, path, body, &key).await.expect("an answer of the admin API")
    }

    /// A call of the admin API with this idempotency key; `None` when there is no answer.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        key: &str,
    ) -> Option<(StatusCode, Value)> {
        let mut request = self
            .client
            .request(method, format!("http://127.0.0.1:{}{path}", self.admin_port))
            .bearer_auth(ADMIN_TOKEN)
            .header("idempotency-key", key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status();
        let text = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// A call that must succeed.
    pub async fn done(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// POSTs to the admin API, which must succeed.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.done(Method::POST, path, Some(body)).await
    }

    /// GETs from the admin API, which must succeed.
    pub async fn get(&self, path: &str) -> Value {
        self.done(Method::GET, path, None).await
    }

    /// Makes an account with this balance, and a key; returns the key.
    pub async fn account(&self, id: &str, balance: &str) -> String {
        self.post("/admin/v1/accounts", json!({"id": id})).await;
        if balance != "0" {
            self.grant(id, balance).await;
        }
        self.key(id).await.1
    }

    /// Makes a key; returns its identifier and the key.
    pub async fn key(&self, account: &str) -> (String, String) {
        let key = self.post(&format!("/admin/v1/accounts/{account}/keys"), json!({})).await;
        let text = |name: &str| key[name].as_str().expect("a string").to_owned();
        (text("id"), text("key"))
    }

    /// Tops an account up.
    pub async fn grant(&self, account: &str, amount: &str) {
        self.post(&format!("/admin/v1/accounts/{account}/grants"), json!({"amount": amount})).await;
    }

    /// One member of an account's balance, such as `available`.
    pub async fn balance(&self, account: &str, member: &str) -> String {
        let balance = self.get(&format!("/admin/v1/accounts/{account}/balance")).await;
        balance[member].as_str().unwrap_or_else(|| panic!("no {member} in {balance}")).to_owned()
    }

    /// Waits until a member of an account's balance has this value.
    pub async fn balance_becomes(&self, account: &str, member: &str, value: &str) {
        let mut last = String::new();
        for _ in 0..1_500 {
            last = self.balance(account, member).await;
            if last == value {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{member} of {account} is {last} and doesn't become {value}");
    }

    /// Waits until no gateway holds credits.
    pub async fn nothing_is_held(&self) {
        eventually("no lease holds money", Duration::from_secs(40), async || {
            self.get("/admin/v1/leases").await["at_risk"] == "0"
        })
        .await;
    }

    /// Recomputes everything from the entries.
    pub async fn audit(&self) {
        let audit = self.get("/admin/v1/audit").await;
        assert_eq!(audit["ok"], true, "{audit}");
    }

    /// Runs `faregate` with these arguments against this ledger; it must succeed. Returns what it prints.
    pub fn run(&self, arguments: &[&str]) -> String {
        let (done, said) = self.try_run(arguments);
        assert!(done, "faregate {arguments:?}: {said}");
        said
    }

    /// Runs `faregate` with these arguments against this ledger: whether it succeeded, and what it printed.
    pub fn try_run(&self, arguments: &[&str]) -> (bool, String) {
        let url = format!("http://127.0.0.1:{}", self.admin_port);
        let environment = [("FAREGATE_ADMIN_URL", url.as_str()), ("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN)];
        out_of(Command::new(&self.program).args(arguments).envs(environment))
    }

    /// A figure of `/metrics`, summed over its labels; 0 when there is none.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await;
        let lines = text.as_str().unwrap_or_default().lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .filter(|(key, _)| key.split('{').next() == Some(name))
            .filter_map(|(_, value)| value.parse::<f64>().ok())
            .sum()
    }
}

fn knows_init(program: &Path) -> bool {
    let (_, help) = out_of(Command::new(program).args(["serve", "--help"]));
    help.contains("--init")
}

fn launch(
    program: &Path,
    dir: &Path,
    (gateway_port, admin_port): (u16, u16),
    arguments: &[String],
    environment: &[(String, String)],
) -> Process {
    let mut command = Command::new(program);
    command.arg("serve");
    // An older program, which is measured beside this one, may not know it.
    if program == binary() || knows_init(program) {
        command.arg("--init");
    }
    if environment.iter().all(|(name, _)| name != DATABASE_URL) {
        command.arg("--data").arg(dir.join("ledger"));
    }
    command
        .args(["--gateway-listen", &format!("127.0.0.1:{gateway_port}")])
        .args(["--admin-listen", &format!("127.0.0.1:{admin_port}")])
        .args(arguments)
        .env("FAREGATE_GATEWAY_TOKEN", GATEWAY_TOKEN)
        .env("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN)
        .envs(environment.iter().cloned());
    Process::start("the ledger", &mut command, &dir.join("ledger.log"))
}
