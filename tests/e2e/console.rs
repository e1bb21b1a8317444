//! The operator's console: an operator's day in a real browser, and what keeps others out.

pub mod browser;
mod day;
mod forms;
mod live;
mod pages;
mod picture;
mod sessions;

use harness::LedgerProcess;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

/// Far more than the two seconds that it may take.
const SOON: Duration = Duration::from_secs(20);
/// What would run in a page that doesn't escape it, and turn what is around it.
const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{202e}evil\u{202c} \u{1f469}\u{200d}\u{1f680} {{7*7}}";

async fn ledger() -> (LedgerProcess, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    (LedgerProcess::start(dir.path(), &[], &[]).await, dir)
}

async fn operator(ledger: &LedgerProcess, name: &str, scope: &str) -> String {
    let made = ledger.post("/admin/v1/operators", json!({"name": name, "scope": scope})).await;
    made["token"].as_str().expect("a token").to_owned()
}

async fn hostile(ledger: &LedgerProcess) {
    ledger.post("/admin/v1/accounts", json!({"id": "hostile", "name": HOSTILE})).await;
    ledger.post("/admin/v1/accounts", json!({"id": "long", "name": "ä".repeat(100)})).await;
    ledger.post("/admin/v1/accounts/hostile/grants", json!({"amount": "0.000001", "note": HOSTILE})).await;
    ledger.post("/admin/v1/accounts/hostile/keys", json!({"note": "ä".repeat(100)})).await;
    ledger.post("/admin/v1/accounts/hostile/keys", json!({"subject": "<script>alert(2)</script>"})).await;
    ledger.post("/admin/v1/accounts/hostile/teams", json!({"id": "t", "name": HOSTILE})).await;
    ledger.post("/admin/v1/accounts", json!({"id": "formula"})).await;
    ledger.post("/admin/v1/accounts/formula/keys", json!({"note": "=HYPERLINK(\"http://evil.test\")"})).await;
    let prices = json!({"prices": {"input": "3", "output": "15"}, "cost": {"input": "2", "output": "16"}});
    ledger.done(Method::PUT, "/admin/v1/prices/%3Cscript%3E", Some(prices)).await;
}
