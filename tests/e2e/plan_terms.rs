//! What a plan says beyond its quota, a change to another, and all of it as a file.

use super::wall_clock::build_shim;
use harness::{LedgerProcess, Setup, World, eventually, get};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const DAY: i64 = 86_400;
/// It takes one or two heartbeats, of a second each. Without the news it would take until the lease ends, after 20 s.
const SHORT_TIMEOUT: Duration = Duration::from_secs(10);

async fn asked(world: &World, key: &str) -> (u16, String) {
    let answer = get(world.gate(), "/", &[("x-api-key", key)]).await;
    (answer.status, answer.body["code"].as_str().unwrap_or_default().to_owned())
}

/// Asks without a pause until the gate says no; tells how long that took.
async fn closes(world: &World, key: &str) -> Duration {
    let since = Instant::now();
    while asked(world, key).await.0 == 200 {
        assert!(since.elapsed() < SHORT_TIMEOUT, "the gate stays open");
    }
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_a_plan_or_account_closes_the_gate_before_the_lease_ends() {
    let world = World::one().await;
    let ledger = &world.ledger;
    ledger.run(&["plan", "create", "large", "--quota", "1000000", "--period", "month"]);
    ledger.run(&["plan", "create", "tiny", "--quota", "0.5", "--period", "day"]);
    for (account, command) in [
        ("cancelled", vec!["subscription", "cancel", "cancelled", "--now"]),
        ("changed", vec!["subscription", "change", "changed", "--plan", "tiny", "--at-once"]),
        ("closed", vec!["account", "close", "closed", "--yes"]),
    ] {
        let key = ledger.account(account, "0").await;
        ledger.run(&["subscribe", account, "large"]);
        eventually("the gate is open", Duration::from_secs(30), async || asked(&world, &key).await.0 == 200)
            .await;
        for _ in 0..50 {
            assert_eq!(asked(&world, &key).await.0, 200);
        }
        ledger.run(&command);
        let took = closes(&world, &key).await;
        println!("{account}: refused {} ms after the command", took.as_millis());
    }
    let grace = (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(8)).to_string();
    let key = ledger.account("unpaid", "5000").await;
    ledger.run(&["subscribe", "unpaid", "large"]);
    ledger.run(&["subscription", "past-due", "unpaid", "--grace", &grace]);
    assert_eq!(asked(&world, &key).await.0, 200, "it is tolerated for a while");
    eventually("the grace is over", Duration::from_secs(30), async || {
        let shown = ledger.get("/admin/v1/accounts/unpaid/subscription").await;
        shown["status"] == "unpaid"
    })
    .await;
    closes(&world, &key).await;
    assert_eq!(asked(&world, &key).await.0, 402);
    ledger.run(&["subscription", "activate", "unpaid"]);
    eventually("the gate opens", Duration::from_secs(10), async || asked(&world, &key).await.0 == 200).await;
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdraft_is_spent_after_the_quota_and_can_be_invoiced() {
    let tools = tempfile::tempdir().expect("a temporary folder");
    let offset = tools.path().join("offset");
    let step = |seconds: i64| std::fs::write(&offset, seconds.to_string()).expect("the offset");
    step(0);
    let environment = vec![
        ("LD_PRELOAD".to_owned(), build_shim(tools.path())),
        ("WALL_CLOCK_OFFSET".to_owned(), offset.display().to_string()),
    ];
    let world = World::start(Setup { environment, ..Setup::default() }).await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "2").await;
    let terms = ["--quota", "3", "--period", "month", "--overage", "overdraft", "--overdraft", "4"];
    ledger.run(&[&["plan", "create", "pro"], terms.as_slice()].concat());
    ledger.run(&["subscribe", "acme", "pro"]);
    eventually("the gate is open", Duration::from_secs(30), async || asked(&world, &key).await.0 == 200)
        .await;
    for number in 1..9 {
        assert_eq!(
            asked(&world, &key).await.0,
            200,
            "request {number}: 3 of the quota, 2 bought, 4 overdrawn"
        );
    }
    assert_eq!(asked(&world, &key).await.0, 402);
    ledger.nothing_is_held().await;
    let said = ledger.run(&["subscription", "show", "acme"]);
    assert!(said.lines().any(|line| line.starts_with("overdraft used ") && line.ends_with(" 4")), "{said}");

    step(32 * DAY);

    ledger.balance_becomes("acme", "available", "7").await;
    let shown = ledger.get("/admin/v1/accounts/acme/subscription").await;
    assert_eq!((&shown["overdraft_used"], &shown["overdraft_used_before"]), (&json!("0"), &json!("4")));
    ledger.audit().await;
}

const FILE: &str = r#"
[[plans]]
name = "free"
quota = "10"
period = "day"
overage = "refuse"

[[plans]]
name = "pro"
quota = "1000"
period = "month"
time_zone = "Europe/Berlin"
rollover = "100"
overage = "overdraft"
overdraft = "50"
rate_per_second = "2.5"
concurrent = 4
products = [{ name = "chat" }, { name = "embed", times = "0.5" }, { name = "img", price = "4" }]
remainder = "operator"
warn_below = "25"
alert_below = "30"

[[accounts]]
id = "acme"
name = "Acme Inc."

[[accounts]]
id = "late"
state = "suspended"

[[teams]]
account = "acme"
id = "research"

[[subscriptions]]
account = "acme"
plan = "pro"

[[budgets]]
account = "acme"
credits = "500"
period = "month"

[[budgets]]
account = "acme"
team = "research"
credits = "100"
period = "month"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn applying_a_file_is_declarative_and_idempotent() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let path = dir.path().join("plans.toml");
    let write = |text: &str| std::fs::write(&path, text).expect("a file");
    let file = path.display().to_string();
    write(FILE);

    let said = ledger.run(&["apply", &file, "--dry-run"]);
    assert!(said.contains("+ plan pro") && said.contains("nothing was done"), "{said}");
    assert_eq!(ledger.get("/admin/v1/plans").await["plans"], json!([]));

    let said = ledger.run(&["apply", &file]);
    assert_eq!(said.lines().filter(|line| line.starts_with("+ ")).count(), 8, "{said}");
    assert!(said.contains("~ account late: active → suspended"), "{said}");
    assert_eq!(ledger.run(&["apply", &file]).trim(), "= 8 unchanged");
    assert_eq!(ledger.balance("acme", "available").await, "1050", "quota and overdraft");
    let plan = ledger.get("/admin/v1/plans/pro").await;
    assert_eq!((&plan["burst"], &plan["rate_per_second"]), (&json!(3), &json!("2.5")));

    write(&FILE.replace("\"1000\"", "\"1500\"").replace("concurrent = 4\n", ""));
    let said = ledger.run(&["apply", &file, "--at-once"]);
    assert!(said.contains("~ plan pro: concurrent 4 → none, quota 1000 → 1500"), "{said}");
    ledger.balance_becomes("acme", "available", "1550").await;
    write(&FILE.replace("plan = \"pro\"", "plan = \"free\""));
    let said = ledger.run(&["apply", &file]);
    assert!(said.contains("~ subscription of acme: pro → free"), "{said}");
    assert!(said.contains("~ plan pro: concurrent none → 4, quota 1500 → 1000"), "{said}");
    assert_eq!(ledger.get("/admin/v1/accounts/acme/subscription").await["next_plan"], "free");

    let exported = ledger.run(&["export"]);
    write(&exported);
    assert_eq!(ledger.run(&["apply", &file]).trim(), "= 8 unchanged", "{exported}");
    let other = tempfile::tempdir().expect("a temporary folder");
    let copy = LedgerProcess::start(other.path(), &[], &[]).await;
    copy.run(&["apply", &file]);
    assert_eq!(copy.run(&["export"]), exported);

    write("[[accounts]]\nid = \"new\"\n\n[[plans]]\nname = \"pro\"\n  qouta = \"5\"\nperiod = \"month\"\n");
    let (done, said) = ledger.try_run(&["apply", &file]);
    assert!(!done && said.contains("plans.toml:6:3: unknown field `qouta`"), "{said}");
    assert!(said.contains("did you mean `quota`?"), "{said}");
    let (status, _) = ledger.call(reqwest::Method::GET, "/admin/v1/accounts/new", None).await;
    assert_eq!(status, 404, "nothing of it was done");
    ledger.audit().await;
    copy.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_plan_terms_are_rejected_naming_the_field() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let good = json!({ "name": "pro", "quota": "5", "period": "day" });
    ledger.post("/admin/v1/plans", good.clone()).await;
    let refused = async |path: &str, body: Value, field: &str| {
        let (status, answer) = ledger.call(reqwest::Method::POST, path, Some(body)).await;
        assert!(status.is_client_error() && answer["field"] == field, "{field}: {status} {answer}");
    };
    for (field, change) in [
        ("burst", json!({ "burst": 1 })),
        ("burst", json!({ "rate_per_second": "1", "burst": 0 })),
        ("rate_per_second", json!({ "rate_per_second": "0" })),
        ("rate_per_second", json!({ "rate_per_second": "0.0001" })),
        ("rate_per_second", json!({ "rate_per_second": "-1" })),
        ("concurrent", json!({ "concurrent": 0 })),
        ("overage", json!({ "overage": "whatever" })),
        ("overdraft", json!({ "overage": "overdraft" })),
        ("overdraft", json!({ "overage": "overdraft", "overdraft": "0" })),
        ("overdraft", json!({ "overdraft": "5" })),
        ("products", json!({ "products": [{ "name": "a" }, { "name": "a" }] })),
        ("products", json!({ "products": [{ "name": "a", "times": "0" }] })),
        ("products", json!({ "products": [{ "name": "a", "times": "1", "price": "1" }] })),
        ("remainder", json!({ "remainder": "neither" })),
        ("warn_below", json!({ "warn_below": "0" })),
        ("warn_below", json!({ "warn_below": "1e3" })),
        ("alert_below", json!({ "alert_below": "-1" })),
        ("alert_below", json!({ "alert_below": "9999999999999" })),
    ] {
        refused("/admin/v1/plans/pro/change", change.clone(), field).await;
        let mut plan = good.clone();
        plan["name"] = json!("other");
        plan.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        refused("/admin/v1/plans", plan, field).await;
    }
    ledger.account("acme", "0").await;
    ledger.run(&["subscribe", "acme", "pro"]);
    let change = "/admin/v1/accounts/acme/subscription/change";
    let (status, answer) = ledger.call(reqwest::Method::POST, change, Some(json!({ "plan": "pro" }))).await;
    assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("wrong_state")), "{answer}");
    let (status, _) = ledger.call(reqwest::Method::POST, change, Some(json!({ "plan": "none" }))).await;
    assert_eq!(status, 404);
}
