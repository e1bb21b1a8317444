//! The ledger's pages: flags, routes, curl examples, plans, backup and restore.

use super::openapi::operations;
use super::{blocks, page, quoted, rows, section};
use harness::{LedgerProcess, binary, out_of};
use reqwest::{Method, StatusCode};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

#[test]
fn the_documented_flags_of_serve_match_the_program() {
    let documented: BTreeMap<String, String> = rows(section(&page("docs/production.md"), "Flags"))
        .iter()
        .map(|row| {
            let text = |cell: &str| quoted(cell).next().unwrap_or_default().to_owned();
            let no_default = row[1].contains("this or");
            (text(&row[0]), if no_default { String::new() } else { text(&row[1]) })
        })
        .collect();

    let (_, help) = out_of(Command::new(binary()).args(["serve", "--help"]));
    let flags: BTreeMap<String, String> = help
        .split("\n      --")
        .skip(1)
        .map(|text| {
            let name = text.split_whitespace().next().unwrap_or_default();
            let default = text.split_once("[default: ").and_then(|(_, rest)| rest.split(']').next());
            let default = default.unwrap_or_default();
            (format!("--{name}"), default.to_owned())
        })
        .collect();

    assert_eq!(documented, flags);
}

#[test]
fn the_table_of_routes_is_complete() {
    let documented = routes();
    let listed = documented.len();

    let documented: BTreeSet<_> =
        documented.into_iter().map(|(method, path)| (method.to_string(), path)).collect();
    assert_eq!((documented.len(), documented), (listed, operations()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_and_every_curl_example_works() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    for (method, path) in routes() {
        let (status, answer) = ledger.call(method, &path.replace("{id}", "missing"), None).await;
        let known = status != StatusCode::METHOD_NOT_ALLOWED
            && answer["detail"].as_str() != Some("there is nothing at this path");
        assert!(known && status != StatusCode::UNAUTHORIZED, "{path}: {status} {answer}");
    }

    let examples = blocks(&page("docs/admin-api.md"), "sh");
    assert_eq!(examples.len(), 1);
    let script = format!("set -euo pipefail\n{}", examples[0]);
    let mut command = Command::new("bash");
    command.env("FAREGATE_ADMIN_URL", format!("http://127.0.0.1:{}", ledger.admin_port));
    let (done, said) =
        out_of(command.env("FAREGATE_ADMIN_TOKEN", harness::ADMIN_TOKEN).args(["-c", &script]));
    assert!(done, "{said}");
    assert!(said.contains("fg_live_"), "{said}");
    assert_eq!(ledger.balance("acme", "available").await, "100");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_commands_work_as_documented() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "12").await;
    let examples = blocks(&page("docs/backup.md"), "shell");
    assert_eq!(examples.len(), 3);
    let run = |example: &String| {
        let script = example.replace("faregate ", &format!("{} ", binary().display()));
        let mut shell = Command::new("bash");
        let (done, said) = out_of(shell.args(["-euc", &script]).current_dir(dir.path()));
        assert!(done, "{said}");
    };
    examples.iter().for_each(run);
    ledger.process.stop();
    std::fs::create_dir(dir.path().join("second")).expect("a folder");
    std::fs::rename(dir.path().join("moved"), dir.path().join("second/ledger")).expect("the copy");

    let copy = LedgerProcess::start(&dir.path().join("second"), &[], &[]).await;

    assert_eq!(copy.balance("acme", "available").await, "12");
    copy.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_commands_work_as_documented() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "12").await;
    let examples = blocks(section(&page("docs/plans.md"), "Plans"), "bash");
    assert_eq!(examples.len(), 1);
    let script = examples[0].replace("faregate ", &format!("{} ", binary().display()));
    let mut shell = Command::new("bash");
    shell.env("FAREGATE_ADMIN_URL", format!("http://127.0.0.1:{}", ledger.admin_port));
    let (done, said) =
        out_of(shell.env("FAREGATE_ADMIN_TOKEN", harness::ADMIN_TOKEN).args(["-euc", &script]));

    assert!(done && said.contains("renews at") && said.contains("1500"), "{said}");
    ledger.balance_becomes("acme", "available", "1512").await;
    let subscription = ledger.get("/admin/v1/accounts/acme/subscription").await;
    assert_eq!(subscription["ends_at"], subscription["period_ends_at"], "{subscription}");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shadow_commands_work_as_documented() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "12").await;
    let examples = blocks(section(&page("docs/pricing.md"), "Try prices out"), "bash");
    assert_eq!(examples.len(), 1);
    let script = examples[0].replace("faregate ", &format!("{} ", binary().display()));
    let mut shell = Command::new("bash");
    shell.env("FAREGATE_ADMIN_URL", format!("http://127.0.0.1:{}", ledger.admin_port));
    let (done, said) =
        out_of(shell.env("FAREGATE_ADMIN_TOKEN", harness::ADMIN_TOKEN).args(["-euc", &script]));

    assert!(done && said.contains("total: 0 requests would have been refused"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_about_usage_and_refusals_work_as_documented() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "12").await;
    let usage = blocks(&page("docs/usage.md"), "bash").concat();
    assert_eq!(usage.matches("faregate usage").count(), 6);
    let said = shell(&ledger, &usage);
    assert!(said.contains("total: 0 requests, 0 credits, 0 refunds"), "{said}");
    let refusals = page("docs/refusals.md");
    let why: String = section(&refusals, "Why did a caller get 402?")
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("faregate why "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(why.lines().count(), 2);
    let said = shell(&ledger, &why);
    assert!(said.contains("now: nothing of the account keeps requests from passing"), "{said}");
}

/// What a script says whose `faregate` works on this ledger.
fn shell(ledger: &LedgerProcess, script: &str) -> String {
    let script = script.replace("faregate ", &format!("{} ", binary().display()));
    let mut shell = Command::new("bash");
    shell.env("FAREGATE_ADMIN_URL", format!("http://127.0.0.1:{}", ledger.admin_port));
    let (done, said) =
        out_of(shell.env("FAREGATE_ADMIN_TOKEN", harness::ADMIN_TOKEN).args(["-euc", &script]));
    assert!(done, "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn team_and_budget_commands_work_as_documented() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "12").await;
    let examples = blocks(section(&page("docs/plans.md"), "Teams, budgets, limited keys"), "bash");
    assert_eq!(examples.len(), 1);
    let script = examples[0].replace("faregate ", &format!("{} ", binary().display()));
    let mut shell = Command::new("bash");
    shell.env("FAREGATE_ADMIN_URL", format!("http://127.0.0.1:{}", ledger.admin_port));
    let (done, said) =
        out_of(shell.env("FAREGATE_ADMIN_TOKEN", harness::ADMIN_TOKEN).args(["-euc", &script]));

    assert!(done && said.contains("RESETS AT") && said.contains("fg_live_"), "{said}");
    let budgets = ledger.get("/admin/v1/accounts/acme/budgets").await;
    assert_eq!((&budgets["budgets"][0]["left"], budgets["budgets"][1].is_null()), (&"5000".into(), true));
    let keys = ledger.get("/admin/v1/accounts/acme/keys").await;
    assert_eq!(keys["keys"][1]["products"], serde_json::json!(["chat", "embed"]));
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_commands_work_as_documented() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let examples = blocks(&page("docs/operators.md"), "bash");
    assert_eq!(examples.len(), 1);
    let script = examples[0].replace("faregate ", &format!("{} ", binary().display()));
    let mut shell = Command::new("bash");
    shell.env("FAREGATE_ADMIN_URL", format!("http://127.0.0.1:{}", ledger.admin_port));
    let (done, said) =
        out_of(shell.env("FAREGATE_ADMIN_TOKEN", harness::ADMIN_TOKEN).args(["-euc", &script]));

    assert!(done && said.contains("fg_operator_00") && said.contains("make_gateway_token"), "{said}");
    assert!(said.contains("revoked") && said.contains("idempotency key"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_plan_file_can_be_applied() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let examples = blocks(section(&page("docs/plans.md"), "Configuration as a file"), "toml");
    assert_eq!(examples.len(), 1);
    let file = dir.path().join("file.toml");
    std::fs::write(&file, &examples[0]).expect("a file");
    let file = file.display().to_string();

    let said = ledger.run(&["apply", &file]);
    assert!(said.contains("+ budget of acme, team research: 200 per 1 month (UTC)"), "{said}");
    assert_eq!(ledger.run(&["apply", &file]).trim(), "= 5 unchanged");
}

#[test]
fn every_documented_variable_is_read_by_the_program() {
    let production = page("docs/production.md");
    for name in rows(section(&production, "Environment")).iter().flat_map(|row| quoted(&row[0])) {
        let (plain, _) = name.split_once("_FILE").unwrap_or((name, ""));
        let readers = [
            "client/tokens.rs",
            "client/admin.rs",
            "client/process.rs",
            "cli/place.rs",
            "cli/certificates.rs",
            "cli/confirm.rs",
            "cli/mail_server.rs",
            "cli/oidc.rs",
            "cli/otlp.rs",
        ];
        let read = readers.iter().any(|file| page(&format!("src/{file}")).contains(&format!("\"{plain}\"")));
        assert!(read, "{name}");
    }
}

fn routes() -> Vec<(Method, String)> {
    let page = page("docs/admin-api.md");
    let rows = rows(section(&page, "Routes"));
    let text = |cell: &String| quoted(cell).next().unwrap_or_default().to_owned();
    rows.iter().map(|row| (text(&row[0]).parse().expect("a method"), text(&row[1]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_about_keys_and_accounts_work_as_documented() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "12").await;
    let (key, _) = ledger.key("acme").await;
    let examples =
        [blocks(&page("docs/keys.md"), "bash"), blocks(&page("docs/accounts.md"), "bash")].concat();
    assert_eq!(examples.len(), 4);
    let script = examples.concat().replace("faregate ", &format!("{} ", binary().display()));
    let mut shell = Command::new("bash");
    shell.env("FAREGATE_ADMIN_URL", format!("http://127.0.0.1:{}", ledger.admin_port)).env("KEY_ID", &key);
    let (done, said) =
        out_of(shell.env("FAREGATE_ADMIN_TOKEN", harness::ADMIN_TOKEN).args(["-euc", &script]));

    assert!(done && said.contains("works until") && said.contains("replaced by"), "{said}");
    assert!(said.contains("REMAINING") && said.contains("bought"), "{said}");
}
