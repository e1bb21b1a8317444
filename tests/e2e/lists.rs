//! Lists by what people look for: accounts, keys as a log shows them, grants; page by page, or all.

use harness::LedgerProcess;
use serde_json::{Value, json};

fn said(ledger: &LedgerProcess, line: &str) -> Value {
    let words: Vec<&str> = line.split(' ').chain(["--json"]).collect();
    serde_json::from_str(&ledger.run(&words)).expect("JSON")
}

/// The identifiers in a list.
fn ids(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|row| row["id"].as_str().expect("an identifier")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_found_by_what_is_known_of_them() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    for (id, name) in [("a1", "Acme Europe"), ("a2", "ACME Asia"), ("b1", "Bolt"), ("c1", "\u{1b}[2JClear")] {
        ledger.post("/admin/v1/accounts", json!({"id": id, "name": name})).await;
    }
    ledger.grant("a1", "100").await;
    ledger
        .post("/admin/v1/accounts/b1/grants", json!({"amount": "50", "expires_at": "2099-01-01T00:00:00Z"}))
        .await;
    ledger.run(&["plan", "create", "pro", "--quota", "10", "--period", "month"]);
    ledger.run(&["subscribe", "a2", "pro"]);
    ledger.run(&["account", "suspend", "c1"]);
    let listed = |line: &str| {
        let page = said(&ledger, &format!("account list {line}"));
        assert!(page["next"].is_null(), "{page}");
        ids(&page["accounts"]).join(" ")
    };
    assert_eq!(listed("--name acme"), "a1 a2");
    assert_eq!(listed("--plan pro"), "a2");
    assert_eq!(listed("--state suspended"), "c1");
    assert_eq!(listed("--below 20"), "a2 c1");
    assert_eq!(listed("--below 20 --state active"), "a2");
    assert_eq!(listed("--expiring-before 2099-01-02T00:00:00Z"), "b1");
    assert_eq!(listed("--expiring-before 30d"), "");
    assert_eq!(listed("--renewing-before 40d"), "a2");
    let table = ledger.run(&["account", "list"]);
    assert!(!table.contains('\u{1b}') && table.contains("\\u{1b}[2JClear"), "{table}");
    for (flag, value) in [("--state", "lost"), ("--below", "-1"), ("--renewing-before", "soon")] {
        let (done, refused) = ledger.try_run(&["account", "list", flag, value]);
        let field = flag.trim_start_matches('-').replace("below", "balance_below");
        assert!(!done && (refused.contains(&field) || refused.contains(flag)), "{flag}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_walked_page_by_page_or_as_a_whole() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let plans = "[[accounts]]\nid = \"ID\"\n";
    let file: String = (0..1_203).map(|n| plans.replace("ID", &format!("acct-{n:04}"))).collect();
    let path = dir.path().join("accounts.toml");
    std::fs::write(&path, file).expect("a file");
    ledger.run(&["apply", path.to_str().expect("text")]);

    let all = said(&ledger, "account list --all");
    assert_eq!((ids(&all["accounts"]).len(), &all["next"]), (1_203, &Value::Null));
    assert!(ids(&all["accounts"]).is_sorted());
    let table = ledger.run(&["account", "list", "--all"]);
    assert_eq!((table.lines().count(), table.matches("ID").count()), (1_204, 1));
    let rest = said(&ledger, "account list --all --after acct-1200");
    assert_eq!(ids(&rest["accounts"]), ["acct-1201", "acct-1202"]);
    let page = ledger.run(&["account", "list", "--limit", "2"]);
    assert!(page.ends_with("(more: --after acct-0001)\n") && page.lines().count() == 4, "{page}");
    assert_eq!(ledger.run(&["account", "list", "--all", "--name", "none"]), "(none)\n");
    assert_eq!(said(&ledger, "account list --all --name none"), json!({"accounts": [], "next": null}));
    let (done, refused) = ledger.try_run(&["account", "list", "--all", "--limit", "5"]);
    assert!(!done && refused.contains("--limit"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_found_by_what_a_log_shows_of_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "0").await;
    ledger.account("bolt", "0").await;
    let (id, key) = ledger.key("bolt").await;
    for given in [&key[..14], &format!("{}…", &key[..14]), &format!("{}...", &key[..13]), &key] {
        let found = said(&ledger, &format!("key list --prefix {given}"));
        assert_eq!(ids(&found["keys"]), [id.as_str()], "{given}: {found}");
        assert_eq!(found["keys"][0]["account"], "bolt");
    }
    let every = said(&ledger, "key list --prefix fg_live_ --all");
    assert_eq!(every["keys"].as_array().map(Vec::len), Some(3));
    let (done, refused) = ledger.try_run(&["key", "list", "--prefix", "sk-123"]);
    assert!(!done && refused.contains("prefix: isn't how keys begin"), "{refused}");
    // A whole key never gets into an address, where logs would keep it.
    let path = format!("/admin/v1/keys?prefix={key}");
    let (status, answer) = ledger.call(reqwest::Method::GET, &path, None).await;
    assert_eq!((status.as_u16(), &answer["field"]), (400, &json!("prefix")), "{answer}");
    assert!(!answer.to_string().contains(&key), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_and_the_balance_say_where_credits_come_from() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "0").await;
    ledger.run(&["grant", "acme", "40", "--source", "invoice-7", "--expires", "90d"]);
    let plain = ledger.run(&["balance", "acme"]);
    assert!(!plain.contains("quota"), "{plain}");
    let overdraft = ["--overage", "overdraft", "--overdraft", "25"];
    ledger.run(
        &[&["plan", "create", "pro", "--quota", "1000", "--period", "month"], overdraft.as_slice()].concat(),
    );
    ledger.run(&["subscribe", "acme", "pro"]);
    let balance = said(&ledger, "balance acme");
    let parts =
        ["available", "quota", "bought", "overdraft", "plan"].map(|name| balance[name].as_str().unwrap());
    assert_eq!(parts, ["1065", "1000", "40", "25", "pro"]);
    let shown = ledger.run(&["balance", "acme"]);
    let line = |name: &str| shown.lines().find(|line| line.trim().starts_with(name)).unwrap_or_default();
    assert!(line("quota").contains("1000") && line("bought").contains("40"), "{shown}");
    assert!(line("overdraft").contains("25") && line("available").contains("1065"), "{shown}");

    let grants = said(&ledger, "grants acme");
    let of =
        |kind: &str| grants["grants"].as_array().unwrap().iter().find(|grant| grant["kind"] == kind).unwrap();
    assert_eq!((&of("bought")["source"], &of("bought")["remaining"]), (&json!("invoice-7"), &json!("40")));
    assert_eq!((&of("quota")["source"], &of("overdraft")["amount"]), (&json!("plan:pro"), &json!("25")));
    assert!(!of("quota")["expires_at"].is_null());
    let first = ledger.run(&["grants", "acme", "--left", "--limit", "1"]);
    assert!(first.contains("invoice-7") && first.contains("(more: --after grant_"), "{first}");
    assert_eq!(ledger.run(&["grants", "acme", "--left", "--all"]).lines().count(), 4);
}
