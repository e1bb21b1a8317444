//! The administrative commands against a real ledger on a free port.

use super::faregate;
use faregate_client::Failure;
use faregate_client::admin::Remote;
use faregate_client::tokens::ADMIN;
use faregate_ledger::{CallLimits, Database, Secret, ServeConfig, WhereNone, serve_and_tell};
use faregate_protocol::exchange::{PATH, VERSION};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};

const TOKEN: &str = "an-admin-token-for-tests";
const GATEWAY_TOKEN: &str = "a-gateway-token-for-tests";

/// A running ledger with its data directory, as `faregate up` leaves it for other commands.
pub struct Ledger {
    pub folder: tempfile::TempDir,
    gateway: std::net::SocketAddr,
    runtime: Runtime,
    task: Option<JoinHandle<anyhow::Result<()>>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Ledger {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let free = "127.0.0.1:0".parse().unwrap();
        let config = ServeConfig {
            database: Database::Directory(folder.path().to_owned()),
            where_none: WhereNone::Begin,
            gateway_listen: free,
            admin_listen: free,
            gateway_tls: None,
            admin_tls: None,
            gateway_tokens: vec![Secret::new(GATEWAY_TOKEN)],
            admin_tokens: vec![Secret::new(TOKEN)],
            portal: None,
            portal_settings: faregate_ledger::PortalSettings::default(),
            trusted_proxies: 0,
            otlp: None,
            webhook_allow_private: false,
            mail: None,
            single_sign_on: None,
            portal_sign_on: None,
            keep_trail: ServeConfig::KEEP_TRAIL,
            call_limits: CallLimits::USUAL,
            lease_ttl: Duration::from_secs(20),
            lease_grace: Duration::from_secs(10),
        };
        let (tell, started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = runtime.spawn(serve_and_tell(config, tell, async move {
            let _ = stopped.await;
        }));
        let bound = runtime.block_on(started).expect("the ledger starts");
        std::fs::write(folder.path().join("admin-url"), format!("http://{}\n", bound.admin)).unwrap();
        std::fs::write(folder.path().join("admin-token"), TOKEN).unwrap();
        Self { folder, gateway: bound.gateway, runtime, task: Some(task), stop: Some(stop) }
    }

    pub fn run(&self, line: &str) -> Result<String, Failure> {
        let data = self.folder.path().to_str().unwrap();
        let words: Vec<&str> = line.split(' ').chain(["--data", data]).collect();
        faregate(&words)
    }

    pub fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.run(&format!("--json {line}")).unwrap()).unwrap()
    }

    pub fn refused(&self, line: &str) -> Failure {
        self.run(line).expect_err(line)
    }

    /// Has a gateway report these usage lines.
    pub fn report(&self, lines: &Value) {
        let server = Some(format!("http://{}", self.gateway));
        let admin = Remote { server, ..Remote::default() };
        let admin = admin.connect_with(&|name| (name == ADMIN).then(|| GATEWAY_TOKEN.into())).unwrap();
        let usage = json!({ "broker": "worker", "seq": 1, "lines": lines });
        let message = json!({ "protocol": VERSION, "gateway": "gw", "usage": usage });
        assert_eq!(admin.post(PATH, &message).unwrap()["usage_seq"], 1);
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            self.runtime.block_on(task).unwrap().unwrap();
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

#[test]
fn an_account_gets_a_key_and_credits() {
    let mut ledger = Ledger::start();
    let account = ledger.run("account create demo --name Demo").unwrap();
    assert!(account.contains("id          demo") && account.contains("state       active"), "{account}");

    let key = ledger.run("key create demo --note laptop --expires 30d").unwrap();
    assert!(key.contains("fg_live_") && key.contains("shown this once"), "{key}");
    let keys = ledger.run("key list demo").unwrap();
    assert!(keys.starts_with("ID ") && keys.contains("laptop") && keys.lines().count() == 2, "{keys}");

    let granted = ledger.run("grant demo 5 --priority 10").unwrap();
    assert!(granted.starts_with("granted 5 to demo ("), "{granted}");
    assert_eq!(ledger.json("balance demo")["available"], "5");
    let balance = ledger.run("balance demo").unwrap();
    assert!(balance.contains("available  5  to spend"), "{balance}");

    assert!(ledger.run("usage demo").unwrap().contains("total: 0 requests"));
    assert!(ledger.run("leases").unwrap().contains("at risk: 0"));
    assert!(ledger.run("recall").unwrap().contains("0 leases"));
    assert!(ledger.run("audit").unwrap().starts_with("ok: "));
    ledger.stop();
}

#[test]
fn an_account_is_suspended_resumed_and_closed() {
    let ledger = Ledger::start();
    ledger.run("account create a").unwrap();
    ledger.run("account create b").unwrap();
    assert_eq!(ledger.json("account suspend a")["state"], "suspended");
    assert_eq!(ledger.json("account resume a")["state"], "active");
    assert_eq!(ledger.json("account close a --yes")["state"], "closed");
    assert_eq!(ledger.refused("account resume a").status, Some(409));
    let page = ledger.run("account list --limit 1").unwrap();
    assert!(page.contains("closed") && page.contains("(more: --after a)"), "{page}");
    assert!(ledger.run("account list --after a").unwrap().contains('b'));
}

#[test]
fn revoking_a_key_prints_a_confirmation() {
    let ledger = Ledger::start();
    ledger.run("account create a").unwrap();
    let key = ledger.json("key create a --subject user-1");
    assert_eq!(key["subject"], "user-1");
    let id = key["id"].as_str().unwrap();
    assert_eq!(ledger.run(&format!("key revoke {id} --yes")).unwrap(), format!("{id} is revoked\n"));
}

#[test]
fn a_write_repeated_with_its_idempotency_key_is_applied_once() {
    let ledger = Ledger::start();
    ledger.run("account create a").unwrap();
    let first = ledger.json("grant a 5 --idempotency-key invoice-7");
    assert_eq!(ledger.json("grant a 5 --idempotency-key invoice-7"), first);
    assert_eq!(ledger.json("balance a")["granted"], "5");
    let reused = ledger.refused("grant a 6 --idempotency-key invoice-7");
    assert_eq!(reused.code, "idempotency_key_reused");
    assert!(reused.cure.is_some());
}

#[test]
fn rejected_requests_name_the_field_and_the_fix() {
    let ledger = Ledger::start();
    ledger.run("account create a").unwrap();
    for amount in ["-1", "1e9", "0.0000001", "9223372036854775807", "0"] {
        let refused = ledger.refused(&format!("grant a {amount}"));
        assert_eq!(
            (refused.status, refused.field.as_deref()),
            (Some(400), Some("amount")),
            "{amount}: {refused}"
        );
    }
    let missing = ledger.refused("balance missing");
    assert_eq!(missing.status, Some(404));
    assert!(missing.cure.unwrap().contains("account list"));
    assert!(ledger.refused("key create a --expires tomorrow").detail.contains("--expires"));

    std::fs::write(ledger.folder.path().join("admin-token"), "another-token-than-that").unwrap();
    let stranger = ledger.refused("account list");
    assert_eq!(stranger.status, Some(401));
    assert!(stranger.cure.unwrap().contains("FAREGATE_ADMIN_TOKEN"));
}

#[test]
fn an_unreachable_ledger_is_reported_with_a_fix() {
    let mut ledger = Ledger::start();
    ledger.stop();
    let refused = ledger.refused("grant a 5");
    assert_eq!(refused.code, "unreachable");
    let cure = refused.cure.unwrap();
    assert!(cure.contains("faregate serve") && cure.contains("--idempotency-key"), "{cure}");
    assert_eq!(ledger.refused("account list --server ftp://x").code, "usage");
}
