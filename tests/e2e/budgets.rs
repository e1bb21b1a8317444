//! Budgets of a key, its team and its account, each with its own refusal; a new day, on an injected clock.

use super::wall_clock::build_shim;
use harness::{LedgerProcess, Setup, World, eventually, get};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const DAY: i64 = 86_400;

/// The status, and the code of a refusal.
async fn asked(world: &World, key: &str) -> (u16, String) {
    let answer = get(world.gate(), "/", &[("x-api-key", key)]).await;
    (answer.status, answer.body["code"].as_str().unwrap_or_default().to_owned())
}

async fn sells(world: &World, key: &str, count: usize) {
    for number in 0..count {
        let answer = asked(world, key).await;
        assert_eq!(answer.0, 200, "request {number} of {count}: {answer:?}");
    }
}

async fn is_refused(world: &World, key: &str, code: &str) {
    assert_eq!(asked(world, key).await, (402, code.to_owned()));
}

/// Each worker remembers for a second whom it has refused.
async fn opens(world: &World, key: &str) {
    eventually("the gate is open", Duration::from_secs(10), async || asked(world, key).await.0 == 200).await;
}

/// A key that the command line makes: its identifier, and itself.
fn made(ledger: &LedgerProcess, arguments: &[&str]) -> (String, String) {
    let said = ledger.run(&[&["key", "create", "acme", "--json"], arguments].concat());
    let key: Value = serde_json::from_str(&said).expect("JSON");
    let text = |name: &str| key[name].as_str().expect("a string").to_owned();
    (text("id"), text("key"))
}

#[tokio::test(flavor = "multi_thread")]
async fn key_team_and_account_budgets_run_out_and_reset_the_next_day() {
    let tools = tempfile::tempdir().expect("a temporary folder");
    let offset = tools.path().join("offset");
    let step = |seconds: i64| std::fs::write(&offset, seconds.to_string()).expect("the offset");
    // It is noon: no day ends while this runs.
    let noon = DAY / 2 - jiff::Timestamp::now().as_second().rem_euclid(DAY);
    step(noon);
    let environment = vec![
        ("LD_PRELOAD".to_owned(), build_shim(tools.path())),
        ("WALL_CLOCK_OFFSET".to_owned(), offset.display().to_string()),
    ];
    let world = World::start(Setup { environment, ..Setup::default() }).await;
    let ledger = &world.ledger;
    let other = ledger.account("acme", "1000").await;
    let (limited_id, limited) = made(ledger, &[]);
    ledger.run(&["team", "create", "acme", "research", "--name", "Research"]);
    let (_, one) = made(ledger, &["--team", "research"]);
    let (_, two) = made(ledger, &["--team", "research"]);
    ledger.run(&["budget", "set", "acme", "--credits", "14", "--per", "day"]);
    ledger.run(&["budget", "set", "acme", "--team", "research", "--credits", "6", "--per", "day"]);
    ledger.run(&["budget", "set", "acme", "--key", &limited_id, "--credits", "3", "--per", "day"]);

    sells(&world, &limited, 3).await;
    is_refused(&world, &limited, "key_budget_exhausted").await;
    sells(&world, &one, 4).await;
    sells(&world, &two, 2).await;
    is_refused(&world, &two, "team_budget_exhausted").await;
    is_refused(&world, &one, "team_budget_exhausted").await;
    sells(&world, &other, 5).await;
    is_refused(&world, &other, "account_budget_exhausted").await;
    is_refused(&world, &limited, "key_budget_exhausted").await;
    assert_eq!(world.upstream.served(), 14);
    ledger.nothing_is_held().await;
    let budgets = ledger.get("/admin/v1/accounts/acme/budgets").await;
    for (budget, spent) in budgets["budgets"].as_array().expect("a list").iter().zip(["14", "3", "6"]) {
        assert_eq!((&budget["spent"], &budget["left"]), (&json!(spent), &json!("0")), "{budget}");
    }

    step(noon + DAY);

    for _ in 0..3 {
        opens(&world, &limited).await;
    }
    is_refused(&world, &limited, "key_budget_exhausted").await;
    opens(&world, &one).await;
    opens(&world, &other).await;

    // A budget that is changed counts within two seconds, lower or higher.
    ledger.run(&["budget", "set", "acme", "--credits", "6", "--per", "day"]);
    let refused = ledger.try_run(&["budget", "set", "acme", "--credits", "5", "--per", "day"]);
    assert!(!refused.0 && refused.1.contains("credits: 5 is below"), "{}", refused.1);
    // What other keys have in leases comes back, and is sold here.
    eventually("six are sold, and no more", Duration::from_secs(20), async || {
        let refused = asked(&world, &other).await == (402, "account_budget_exhausted".to_owned());
        let budgets = ledger.get("/admin/v1/accounts/acme/budgets").await;
        refused && budgets["budgets"][0]["spent"] == "6"
    })
    .await;
    assert_eq!(world.upstream.served(), 20);
    ledger.run(&["budget", "clear", "acme"]);
    opens(&world, &other).await;
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_teams_and_budgets_are_rejected_naming_the_field() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "0").await;
    let stranger = ledger.account("stranger", "0").await;
    assert!(stranger.starts_with("fg_live_"));
    let stranger = ledger.get("/admin/v1/accounts/stranger/keys").await["keys"][0]["id"].clone();
    ledger.post("/admin/v1/accounts/acme/teams", json!({ "id": "research" })).await;
    let budget = json!({ "scope": "team", "target": "research", "credits": "5", "period": "day" });
    ledger.post("/admin/v1/accounts/acme/budgets", budget.clone()).await;
    let refused = async |what: &str, body: Value, field: &str| {
        let path = format!("/admin/v1/accounts/acme/{what}");
        let (status, answer) = ledger.call(Method::POST, &path, Some(body)).await;
        assert!(status.is_client_error() && answer["field"] == field, "{field}: {status} {answer}");
    };
    for (field, value) in [
        ("scope", json!("planet")),
        ("target", json!("missing")),
        ("target", Value::Null),
        ("credits", json!("0")),
        ("credits", json!("-1")),
        ("credits", json!("9999999999999")),
        ("period", json!("fortnight")),
        ("every", json!(0)),
        ("time_zone", json!("Mars/Olympus")),
        ("rollover", json!("1")),
    ] {
        let mut bad = budget.clone();
        bad[field] = value;
        refused("budgets", bad, field).await;
    }
    let of_account = json!({ "scope": "account", "credits": "4", "period": "day" });
    refused("budgets", of_account.clone(), "credits").await;
    refused(
        "budgets",
        json!({ "scope": "account", "target": "x", "credits": "9", "period": "day" }),
        "target",
    )
    .await;
    refused(
        "budgets",
        json!({ "scope": "key", "target": stranger, "credits": "1", "period": "day" }),
        "target",
    )
    .await;
    refused("budgets/clear", json!({ "scope": "team", "target": "missing" }), "target").await;
    refused("teams", json!({ "id": "No Team" }), "id").await;
    refused("keys", json!({ "team": "missing" }), "team").await;
    for products in [json!([]), json!(["No Product"]), json!(["a", "a"]), json!(vec!["a"; 33])] {
        refused("keys", json!({ "products": products }), "products").await;
    }
    let (status, answer) =
        ledger.call(Method::POST, "/admin/v1/accounts/acme/teams", Some(json!({ "id": "research" }))).await;
    assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("team_exists")));
    let clear = Some(json!({ "scope": "account" }));
    let (status, answer) = ledger.call(Method::POST, "/admin/v1/accounts/acme/budgets/clear", clear).await;
    assert_eq!(status.as_u16(), 404, "{answer}");
    ledger.audit().await;
}
