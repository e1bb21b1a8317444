//! An operator has made a mistake and takes it back, while gateways hold what was given.

use super::docs::{blocks, page};
use harness::{LedgerProcess, Setup, World, binary, eventually, get, out_of};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// It takes one or two heartbeats, of a second each. Without the recall it would take until the lease is idle, after 5 s,
/// or ends, after 20 s.
const SHORT_TIMEOUT: Duration = Duration::from_secs(10);

/// The newest grant of an account.
async fn newest_grant(ledger: &LedgerProcess, account: &str) -> String {
    let grants = ledger.get(&format!("/admin/v1/accounts/{account}/grants")).await;
    let newest = grants["grants"].as_array().and_then(|grants| grants.last()).expect("a grant");
    newest["id"].as_str().expect("an identifier").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voided_grant_closes_the_gate_and_what_it_held_is_taken_back() {
    let world = World::start(Setup { gateways: 2, ..Setup::default() }).await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "1000").await;
    let headers = [("x-api-key", key.as_str())];
    for gate in &world.gateways {
        for _ in 0..10 {
            assert_eq!(get(gate, "/", &headers).await.status, 200);
        }
    }
    assert_ne!(ledger.balance("acme", "held").await, "0", "the gateways hold some of it");

    let said = ledger.run(&["grant", "void", &newest_grant(ledger, "acme").await, "--yes"]);

    assert!(said.contains("took back") && said.contains("in gateways' leases"), "{said}");
    assert_eq!(ledger.balance("acme", "available").await, "0");
    for gate in &world.gateways {
        eventually("the gate is closed", SHORT_TIMEOUT, async || {
            get(gate, "/", &headers).await.status == 402
        })
        .await;
    }
    ledger.nothing_is_held().await;
    let served = world.upstream.served();
    assert_eq!(ledger.balance("acme", "spent").await, served.to_string(), "what was served is paid");
    assert_eq!(ledger.balance("acme", "voided").await, (1000 - served).to_string(), "and no more is gone");
    assert_eq!(ledger.balance("acme", "owed").await, "0");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_of_a_voided_grant_can_become_owed() {
    let world = World::one().await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "100").await;
    let headers = [("x-api-key", key.as_str())];
    for _ in 0..7 {
        assert_eq!(get(world.gate(), "/", &headers).await.status, 200);
    }

    ledger.run(&["grant", "void", &newest_grant(ledger, "acme").await, "--also-spent", "--yes"]);
    eventually("the gate is closed", SHORT_TIMEOUT, async || {
        get(world.gate(), "/", &headers).await.status == 402
    })
    .await;
    ledger.nothing_is_held().await;

    let spent = world.upstream.served().to_string();
    assert_eq!(ledger.balance("acme", "voided").await, "100");
    assert_eq!(
        (ledger.balance("acme", "spent").await, ledger.balance("acme", "owed").await),
        (spent.clone(), spent)
    );
    ledger.grant("acme", "100").await;
    assert_eq!(ledger.balance("acme", "owed").await, "0", "the next grant pays");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_is_adjusted_only_by_what_is_there_or_with_a_debt() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "12").await;
    let (done, said) = ledger.try_run(&["adjust", "acme", "--yes", "--", "-15"]);
    assert!(!done && said.contains("the most that can be taken is 12") && said.contains("--owed"), "{said}");
    let said = ledger.run(&["adjust", "acme", "-5", "--note", "counted twice", "--yes"]);
    assert!(said.starts_with("adjusted acme by -5 (correction_"), "{said}");
    ledger.run(&["adjust", "acme", "-10", "--owed", "--yes"]);
    assert_eq!(ledger.balance("acme", "owed").await, "3");
    ledger.run(&["adjust", "acme", "4.5"]);
    let balance = ledger.run(&["balance", "acme"]);
    let words = balance.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("available 1.5 ") && words.contains("voided 15 "), "{balance}");
    let list = ledger.run(&["corrections", "acme"]);
    assert!(list.contains("counted twice") && list.lines().count() == 4, "{list}");

    // A negative grant is a mistake of its own, and the error says what to do instead.
    let (done, said) = ledger.try_run(&["grant", "acme", "-5"]);
    assert!(!done && said.contains("faregate adjust") && said.contains("grant void"), "{said}");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_something_away_asks_on_a_terminal_and_needs_yes_in_scripts() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "12").await;
    let (key, _) = ledger.key("acme").await;
    let grant = newest_grant(&ledger, "acme").await;
    let commands: [&[&str]; 6] = [
        &["account", "close", "acme"],
        &["key", "revoke", &key],
        &["grant", "void", &grant],
        &["adjust", "acme", "-1"],
        &["grant", "acme", "1000001"],
        &["grant", "acme", "6", "--confirm-above", "5"],
    ];
    for command in commands {
        let (done, said) = ledger.try_run(command);
        assert!(!done && said.contains("add --yes to confirm it"), "{command:?}: {said}");
    }
    assert_eq!(ledger.balance("acme", "granted").await, "12", "nothing was done");
    ledger.run(&["grant", "acme", "5", "--confirm-above", "5"]);

    // `script` gives a program a terminal.
    let on_a_terminal = |answer: &str, command: &str| {
        let script = format!("echo {answer} | script -qec '{} {command}' /dev/null", binary().display());
        let mut shell = Command::new("bash");
        shell.env("FAREGATE_ADMIN_URL", format!("http://127.0.0.1:{}", ledger.admin_port));
        out_of(shell.env("FAREGATE_ADMIN_TOKEN", harness::ADMIN_TOKEN).args(["-c", &script])).1
    };
    let said = on_a_terminal("n", "account close acme");
    assert!(said.contains("Really close acme? [y/N]") && said.contains("nothing was done"), "{said}");
    assert_eq!(ledger.get("/admin/v1/accounts/acme").await["state"], "active");
    let said = on_a_terminal("y", &format!("grant void {grant}"));
    assert!(said.contains("gave 12 to acme; 12 remain") && said.contains("took back 12"), "{said}");
    let said = on_a_terminal("yes", "account close acme");
    assert!(said.contains("closed at"), "{said}");

    let said = ledger.run(&["account", "reopen", "acme"]);
    assert!(said.contains("active"), "{said}");
    assert_eq!(ledger.balance("acme", "available").await, "5", "with what it had");
    let said = ledger.run(&["account", "rename", "acme", "Acme GmbH"]);
    assert!(said.contains("Acme GmbH"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_plan_is_hidden_and_takes_no_subscriptions() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "0").await;
    ledger.run(&["plan", "create", "old", "--quota", "10", "--period", "month"]);
    ledger.run(&["subscribe", "acme", "old"]);
    let (done, said) = ledger.try_run(&["plan", "archive", "old"]);
    assert!(!done && said.contains("running subscriptions"), "{said}");
    ledger.run(&["subscription", "cancel", "acme", "--now"]);
    ledger.run(&["plan", "archive", "old"]);
    assert!(!ledger.run(&["plan", "list"]).contains("old"));
    assert!(ledger.run(&["plan", "list", "--archived"]).contains("old"));
    let (done, said) = ledger.try_run(&["subscribe", "acme", "old"]);
    assert!(!done && said.contains("archived"), "{said}");
    let file = dir.path().join("plans.toml");
    std::fs::write(&file, "[[plans]]\nname = \"old\"\nquota = \"10\"\nperiod = \"month\"\n").expect("a file");
    let (done, said) = ledger.try_run(&["apply", &file.display().to_string()]);
    assert!(!done && said.contains("faregate plan unarchive old"), "{said}");
    ledger.run(&["plan", "unarchive", "old"]);
    ledger.run(&["subscribe", "acme", "old"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn correction_commands_work_as_documented() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "12").await;
    let examples = blocks(&page("docs/corrections.md"), "bash");
    assert_eq!(examples.len(), 1);
    let script = examples[0].replace("faregate ", &format!("{} ", binary().display()));
    let mut shell = Command::new("bash");
    shell.env("FAREGATE_ADMIN_URL", format!("http://127.0.0.1:{}", ledger.admin_port));
    let (done, said) =
        out_of(shell.env("FAREGATE_ADMIN_TOKEN", harness::ADMIN_TOKEN).args(["-euc", &script]));
    assert!(done && said.contains("they paid for 400") && said.contains("Acme GmbH"), "{said}");
    let account: Value = ledger.get("/admin/v1/accounts/acme").await;
    assert_eq!((&account["state"], &account["closed_at"]), (&json!("active"), &Value::Null));
    assert_eq!(ledger.balance("acme", "available").await, "10.5");
    ledger.audit().await;
}
