//! The ledger's metrics as Prometheus reads them.

use harness::{LedgerProcess, eventually, out_of};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Prometheus' own checker; `None`: it isn't here, and the scenario is skipped.
pub fn promtool() -> Option<PathBuf> {
    let named = std::env::var_os("PROMTOOL").map(PathBuf::from);
    let unpacked = harness::project().join(".tools/prometheus/usr/bin/promtool");
    let found = named.into_iter().chain([unpacked, PathBuf::from("promtool")]);
    let found = found.into_iter().find(|program| out_of_or_nothing(program));
    if found.is_none() {
        println!("skipped: there is no promtool; `make setup` fetches it on Debian");
        assert!(std::env::var_os("FAREGATE_NEED_PROMTOOL").is_none(), "promtool is needed");
    }
    found
}

fn out_of_or_nothing(program: &Path) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

async fn page(ledger: &LedgerProcess, accept: Option<&str>) -> (String, String) {
    let mut request = reqwest::Client::new().get(format!("http://127.0.0.1:{}/metrics", ledger.admin_port));
    if let Some(accept) = accept {
        request = request.header("accept", accept);
    }
    let answer = request.send().await.expect("an answer");
    let kind = answer.headers()["content-type"].to_str().expect("a type").to_owned();
    (kind, answer.text().await.expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_own_checker_finds_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "5").await;
    let (kind, text) = page(&ledger, None).await;
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let Some(promtool) = promtool() else { return };
    let mut command = Command::new(promtool);
    let mut child = command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.trim().is_empty(), "{said}\n{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_say_which_build_runs_and_how_large_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let (_, text) = page(&ledger, Some("text/plain")).await;
    let (_, version) = out_of(Command::new(harness::binary()).args(["version", "--json"]));
    let version: serde_json::Value = serde_json::from_str(&version).expect("JSON");
    let build = format!(
        "faregate_build_info{{version=\"{}\",protocol=\"{}\"}} 1",
        version["version"].as_str().expect("a version"),
        version["protocol"]
    );
    assert!(text.contains(&build), "{build} is not in {text}");
    assert!(ledger.metric("faregate_database_size_bytes").await > 10_000.0, "{text}");
    assert!(text.contains("faregate_queued_operations 0\n") && !text.contains("# EOF"), "{text}");
    let before = ledger.metric("faregate_database_size_bytes").await;
    for n in 0..50 {
        ledger.account(&format!("a{n}"), "5").await;
    }
    eventually("the database grows", Duration::from_secs(30), async || {
        ledger.metric("faregate_database_size_bytes").await > before
    })
    .await;
    let (kind, text) =
        page(&ledger, Some("application/openmetrics-text; version=1.0.0,text/plain;q=0.5")).await;
    assert!(kind.starts_with("application/openmetrics-text") && text.ends_with("# EOF\n"), "{kind}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metric_says_what_readyz_says() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    assert_eq!(ledger.metric("faregate_ready").await, 1.0);

    let other = rusqlite::Connection::open(dir.path().join("ledger/ledger.db")).expect("a database");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let is = async |ready: f64, status: u16| {
        eventually(&format!("/readyz says {status}"), Duration::from_secs(30), async || {
            let readiness = ledger.readiness().await.map(|(status, _)| status.as_u16());
            ledger.metric("faregate_ready").await == ready && readiness == Some(status)
        })
        .await;
    };
    is(0.0, 503).await;
    other.execute_batch("ROLLBACK").expect("no lock");
    is(1.0, 200).await;
}
