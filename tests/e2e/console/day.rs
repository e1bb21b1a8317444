//! A day of an operator, in a real browser.

use super::{SOON, hostile, operator};
use harness::{Clients, Setup, World, eventually, get};
use serde_json::json;

/// Accounts, plans, prices, traffic that is paid and refused: something for every page.
async fn furnished() -> (World, String) {
    let rules = json!([
        {"name": "search", "match": {"path": {"prefix": "/search"}}, "price": "2.5"},
        {"name": "beta", "match": {"path": {"prefix": "/beta"}}, "price": "1000000", "shadow": true}
    ]);
    let world =
        World::start(Setup { config: json!({"record": "all", "rules": rules}), ..Setup::default() }).await;
    let ledger = &world.ledger;
    let plan = json!({"name": "pro", "quota": "1000", "period": "month", "overage": "overdraft", "overdraft": "200",
        "rate_per_second": "500", "products": [{"name": "chat", "times": "0.5"}, {"name": "images", "price": "4"}]});
    ledger.post("/admin/v1/plans", plan).await;
    let key = ledger.account("acme", "400").await;
    ledger.post("/admin/v1/accounts/acme/rename", json!({"name": "Acme Ltd"})).await;
    ledger.post("/admin/v1/accounts/acme/subscription", json!({"plan": "pro"})).await;
    ledger.post("/admin/v1/accounts/acme/teams", json!({"id": "research", "name": "Research"})).await;
    let budget = |scope: &str, target: Option<&str>, credits: &str| json!({"scope": scope, "target": target, "credits": credits, "period": "month"});
    for budget in [budget("account", None, "5000"), budget("team", Some("research"), "300")] {
        ledger.post("/admin/v1/accounts/acme/budgets", budget).await;
    }
    let poor = ledger.account("nearly-empty", "12").await;
    ledger.post("/admin/v1/accounts/nearly-empty/rename", json!({"name": "Nearly Empty Inc."})).await;
    ledger.post("/admin/v1/accounts", json!({"id": "fresh"})).await;
    hostile(ledger).await;
    for number in 0..8 {
        ledger.account(&format!("customer-{number}"), "50").await;
    }
    ledger.post("/admin/v1/gateway-tokens", json!({"name": "eu-west"})).await;
    // Of a kind that doesn't happen here: nothing is sent anywhere.
    let endpoint = json!({"url": "https://example.com/faregate", "events": ["subscription.unpaid"]});
    ledger.post("/admin/v1/webhooks", endpoint).await;
    for path in ["/search", "/", "/beta/x"] {
        for _ in 0..15 {
            assert_eq!(get(world.gate(), path, &[("x-api-key", &key)]).await.status, 200);
        }
    }
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(get(world.gate(), "/search", &[("x-api-key", &poor)]).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 402, 402]);
    eventually("the usage and the refusals are reported", SOON, async || {
        let usage = ledger.get("/admin/v1/usage/sums").await;
        let why = ledger.get("/admin/v1/accounts/nearly-empty/why").await;
        let shadow = ledger.get("/admin/v1/shadow").await;
        usage["total"]["requests"].as_u64() >= Some(34)
            && why["refusals"] != json!([])
            && shadow["lines"] != json!([])
    })
    .await;
    (world, key)
}

/// Drives the browser through a day, and checks what it saw.
async fn a_day(scripts: &str) {
    let Some(clients) = Clients::installed() else { return };
    let (world, paying) = furnished().await;
    let ledger = &world.ledger;
    let gate = format!("127.0.0.1:{}", world.gate().port);
    let (token, reader) = (operator(ledger, "alice", "admin").await, operator(ledger, "rita", "read").await);
    let base = format!("http://127.0.0.1:{}", ledger.admin_port);
    let pictures = std::env::var("FAREGATE_KEEP_PICTURES").unwrap_or_default();
    let pictures = if pictures.is_empty() { pictures } else { format!("{pictures}/{scripts}") };
    let more = [
        ("BASE", base.as_str()),
        ("TOKEN", &token),
        ("READ_TOKEN", &reader),
        ("SCRIPTS", scripts),
        ("GATE", &gate),
        ("KEY", &paying),
        ("PICTURES", &pictures),
    ];
    let seen = tokio::task::block_in_place(|| clients.drive("console.mjs", &more));
    assert_eq!(seen["troubles"], json!([]), "{:#}", seen["troubles"]);
    assert_eq!(seen["after_sign_in"], "/console/accounts", "back to where one wanted to go");
    assert_eq!(seen["found"], 1);
    assert_eq!(seen["followed"], scripts == "on", "the open page's numbers change as calls are made");
    let amount = |name: &str| -> f64 {
        let text = seen[name].as_str().expect("an amount").replace(',', "");
        text.parse().unwrap_or_else(|why| panic!("{name}: {text}: {why}"))
    };
    assert!((amount("after") - amount("before") - 2_500.0).abs() < 200.0, "leases come and go: {seen:#}");
    assert!(seen["wrong"].as_str().is_some_and(|text| text.starts_with("Credits: ")), "{}", seen["wrong"]);
    let review = seen["review"].as_str().expect("a text");
    assert!(review.contains("2,500") && review.contains("invoice 7"), "{review}");
    assert_eq!(seen["done"], "The credits were given.");
    assert_eq!((&seen["keys"], &seen["key_is_gone"]), (&json!(2), &json!(true)));
    assert_eq!((&seen["suspended"], &seen["resumed"]), (&json!("suspended"), &json!("active")));
    assert_eq!(seen["first_stop"], "Skip to the content");
    assert_eq!(seen["reader_buttons"], 0);
    assert_eq!(seen["after_sign_out"], "/console/sign-in");

    let key = seen["key"].as_str().expect("a key");
    eventually("the key from the console opens the gate", SOON, async || {
        get(world.gate(), "/search", &[("x-api-key", key)]).await.status == 200
    })
    .await;
    let trail = ledger.get("/admin/v1/trail?operator=alice").await;
    let said: Vec<_> = trail["entries"].as_array().expect("entries").iter().map(|e| &e["command"]).collect();
    let done = ["resume_account", "suspend_account", "make_key", "give_grant", "sign_in_to_console"];
    assert_eq!(said, done, "{trail}");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_works_a_day_in_the_console() {
    a_day("on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_is_whole_without_scripts() {
    a_day("off").await;
}
