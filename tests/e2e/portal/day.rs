//! A customer's day in a real browser, on real traffic.

use super::{HOSTILE, SOON, link};
use harness::{Clients, Setup, World, eventually, free_port, get};
use serde_json::{Value, json};

const SETTINGS: &str = r##"
name: Northwind APIs
accent: "#7a2a8f"
logo: logo.svg
home_url: https://example.com
support_url: mailto:help@example.com
top_up_url: https://example.com/top-up?account={account}
upgrade_url: https://example.com/plans?account={account}
texts:
  home: Maintenance on Sunday from 02:00 to 03:00 UTC.
  footer: Northwind Ltd, 1 Example Road, London
  receipt: Northwind Ltd. VAT GB 123 4567 89
"##;
const LOGO: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='16' fill='#7a2a8f'/><path d='M9 23V9l14 14V9' fill='none' stroke='#fff' stroke-width='3'/></svg>";

/// An account with a plan, a team, budgets, prices, and traffic that is paid and refused; one with names that others have chosen;
/// and one that has nothing yet.
async fn furnished(port: u16) -> (World, String) {
    let dir = tempfile::tempdir().expect("a temporary folder").keep();
    std::fs::write(dir.join("portal.yaml"), SETTINGS).expect("a file");
    std::fs::write(dir.join("logo.svg"), LOGO).expect("a file");
    let (listen, settings) = (format!("127.0.0.1:{port}"), dir.join("portal.yaml").display().to_string());
    let rules = json!([
        {"name": "search", "match": {"path": {"prefix": "/search"}}, "price": "2.5", "product": "search"},
        {"name": "report", "match": {"path": {"prefix": "/report"}}, "price": "10", "product": "reports"},
        {"name": "huge", "match": {"path": {"prefix": "/huge"}}, "price": "1000000", "product": "search"}
    ]);
    let serve = ["--portal-listen", listen.as_str(), "--portal-settings", settings.as_str()];
    let world = World::start(Setup {
        serve: &serve,
        config: json!({"record": "all", "rules": rules}),
        ..Setup::default()
    })
    .await;
    let ledger = &world.ledger;
    let plan = json!({"name": "pro", "quota": "1000", "period": "month", "overage": "overdraft", "overdraft": "200", "rate_per_second": "500",
        "products": [{"name": "search"}, {"name": "reports", "times": "0.5"}, {"name": "images", "price": "4"}]});
    ledger.post("/admin/v1/plans", plan).await;
    let key = ledger.account("acme", "250").await;
    ledger.post("/admin/v1/accounts/acme/rename", json!({"name": "Acme Ltd"})).await;
    let grant = json!({"amount": "500", "note": "invoice 2026-118", "source": "purchase"});
    ledger.post("/admin/v1/accounts/acme/grants", grant).await;
    ledger.post("/admin/v1/accounts/acme/subscription", json!({"plan": "pro"})).await;
    ledger.post("/admin/v1/accounts/acme/teams", json!({"id": "research", "name": "Research"})).await;
    let team =
        ledger.post("/admin/v1/accounts/acme/keys", json!({"team": "research", "note": "notebooks"})).await;
    let team = team["key"].as_str().expect("a key");
    let budget = |scope: &str, target: Option<&str>, credits: &str| json!({"scope": scope, "target": target, "credits": credits, "period": "month"});
    for budget in [budget("account", None, "5000"), budget("team", Some("research"), "60")] {
        ledger.post("/admin/v1/accounts/acme/budgets", budget).await;
    }
    for (model, input, output) in [("gpt-5", "1.25", "10"), ("claude-sonnet-4-5", "3", "15")] {
        let prices = json!({"prices": {"input": input, "output": output, "cache_read": "0.125"}, "cost": {"input": "1", "output": "9.87"}});
        ledger.done(reqwest::Method::PUT, &format!("/admin/v1/prices/{model}"), Some(prices)).await;
    }
    ledger.post("/admin/v1/accounts", json!({"id": "hostile", "name": HOSTILE})).await;
    let note = json!({"amount": "0.000001", "note": HOSTILE, "source": "=1+1"});
    ledger.post("/admin/v1/accounts/hostile/grants", note).await;
    ledger.post("/admin/v1/accounts/hostile/keys", json!({"note": "ä".repeat(100)})).await;
    ledger.post("/admin/v1/accounts/hostile/keys", json!({"subject": "<script>alert(2)</script>"})).await;
    ledger.post("/admin/v1/accounts/hostile/teams", json!({"id": "t", "name": HOSTILE})).await;
    ledger.post("/admin/v1/accounts", json!({"id": "fresh"})).await;
    for (path, times, key) in [("/search", 20, key.as_str()), ("/report", 8, &key), ("/search", 16, team)] {
        for _ in 0..times {
            assert_eq!(get(world.gate(), path, &[("x-api-key", key)]).await.status, 200, "{path}");
        }
    }
    for _ in 0..3 {
        assert_eq!(get(world.gate(), "/huge", &[("x-api-key", &key)]).await.status, 402);
    }
    eventually("the usage and the refusals are reported", SOON, async || {
        let usage = ledger.get("/admin/v1/usage/sums?account=acme").await;
        let why = ledger.get("/admin/v1/accounts/acme/why").await;
        let calls = ledger.get("/admin/v1/calls?account=acme").await;
        usage["total"]["requests"] == 44
            && why["refusals"] != json!([])
            && calls["calls"].as_array().map(Vec::len) == Some(47)
    })
    .await;
    (world, key)
}

async fn a_day(scripts: &str) {
    let Some(clients) = Clients::installed() else { return };
    let port = free_port();
    let (world, key) = furnished(port).await;
    let ledger = &world.ledger;
    let base = format!("http://127.0.0.1:{port}");
    let (acme, hostile) = (link(ledger, "acme").await, link(ledger, "hostile").await);
    let fresh = link(ledger, "fresh").await;
    let pictures = std::env::var("FAREGATE_KEEP_PICTURES").unwrap_or_default();
    let pictures = if pictures.is_empty() { pictures } else { format!("{pictures}/portal-{scripts}") };
    let more = [
        ("BASE", base.as_str()),
        ("LINK", &acme),
        ("HOSTILE_LINK", &hostile),
        ("FRESH_LINK", &fresh),
        ("API_KEY", &key),
        ("SCRIPTS", scripts),
        ("PICTURES", &pictures),
    ];
    let seen = tokio::task::block_in_place(|| clients.drive("portal.mjs", &more));
    assert_eq!(seen["troubles"], json!([]), "{:#}", seen["troubles"]);
    assert_eq!(seen["after_link"], "/portal");
    assert_eq!(seen["title"], "Home · Northwind APIs");
    assert!(
        seen["top_up"].as_str().is_some_and(|url| url == "https://example.com/top-up?account=acme"),
        "{seen:#}"
    );
    assert!(
        seen["plan"].as_str().is_some_and(|text| text.contains("1,000 credits per month")),
        "{}",
        seen["plan"]
    );
    assert_eq!(seen["usage_rows"], 2, "two keys were used");
    assert!(
        seen["csv"].as_str().is_some_and(|text| text.contains("credits") && text.lines().count() == 3),
        "{}",
        seen["csv"]
    );
    assert_eq!(seen["receipts"], 2);
    assert!(
        seen["receipt"]
            .as_str()
            .is_some_and(|text| text.contains("500 credits") && text.contains("invoice 2026-118")),
        "{}",
        seen["receipt"]
    );
    assert!(
        seen["refused"].as_str().is_some_and(|text| text.contains("account_budget_exhausted")),
        "{}",
        seen["refused"]
    );
    assert_eq!((&seen["calls"], &seen["refused_calls"]), (&json!(47), &json!(3)));
    assert!(seen["call"].as_str().is_some_and(|text| text.contains("Request ID")), "{}", seen["call"]);
    assert!(
        seen["calls_csv"]
            .as_str()
            .is_some_and(|text| text.lines().count() == 4 && text.contains("larger budget")),
        "{}",
        seen["calls_csv"]
    );
    assert!(seen["wrong"].as_str().is_some_and(|text| text.starts_with("Credits: ")), "{}", seen["wrong"]);
    assert!(
        seen["alert"].as_str().is_some_and(|text| text.contains("below 100 credits")),
        "{}",
        seen["alert"]
    );
    assert_eq!((&seen["key_is_gone"], &seen["revoked"]), (&json!(true), &json!("The key is revoked.")));
    assert_eq!(seen["first_stop"], "Skip to the content");
    assert_eq!(seen["reader_buttons"], 0);
    assert_eq!(seen["after_sign_out"], "/portal/sign-in");

    let key = seen["key"].as_str().expect("a key");
    eventually("the key from the portal opens the gate", SOON, async || {
        get(world.gate(), "/search", &[("x-api-key", key)]).await.status == 200
    })
    .await;
    let trail = ledger.get("/admin/v1/trail?operator=customer").await;
    let said: Vec<_> =
        trail["entries"].as_array().expect("entries").iter().map(|e: &Value| &e["command"]).collect();
    assert_eq!(said, ["revoke_own_key", "rotate_own_key", "make_own_key", "set_own_alerts"], "{trail}");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_spends_a_day_in_the_portal() {
    a_day("on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portal_is_whole_without_scripts() {
    a_day("off").await;
}
