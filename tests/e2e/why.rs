//! What support is asked: why an account is refused, and what it used when. An operator finds both by command.

use harness::{LedgerProcess, Setup, World, eventually, get};
use serde_json::{Value, json};
use std::time::Duration;

/// What a command says that is refused.
fn fails(ledger: &LedgerProcess, arguments: &[&str]) -> String {
    let (done, said) = ledger.try_run(arguments);
    assert!(!done, "{arguments:?}: {said}");
    said
}

fn rules() -> Value {
    json!({
        "rules": [{"name": "image", "match": {"path": {"prefix": "/image"}}, "price": "8", "product": "image"}],
        "default": {"price": "1"}
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_learns_why_an_account_is_refused_and_what_cures_it() {
    let world = World::start(Setup { config: rules(), ..Setup::default() }).await;
    let ledger = &world.ledger;
    ledger.post("/admin/v1/accounts", json!({"id": "acme"})).await;
    let (key_id, key) = ledger.key("acme").await;
    let headers = [("x-api-key", key.as_str())];
    for _ in 0..3 {
        assert_eq!(get(world.gate(), "/", &headers).await.status, 402);
    }
    eventually("the ledger knows of the refusals", Duration::from_secs(20), async || {
        ledger.get("/admin/v1/accounts/acme/why").await["refusals"][0]["requests"] == json!(3)
    })
    .await;

    let page = ledger.run(&["why", "acme"]);
    let lines: Vec<&str> = page.lines().collect();
    assert_eq!(lines[0], "account acme is active");
    assert_eq!(lines[1], "now: insufficient_funds: 0 credits can be spent");
    assert_eq!(lines[2], "     cure: faregate grant ACCOUNT AMOUNT");
    let row: Vec<&str> = lines[6].split_whitespace().collect();
    assert_eq!(row[..4], ["insufficient_funds", key_id.as_str(), "default", "3"], "{page}");

    // The cure helps, up to the price of the image.
    ledger.run(&["grant", "acme", "5"]);
    eventually("the gate is open", Duration::from_secs(20), async || {
        get(world.gate(), "/", &headers).await.status == 200
    })
    .await;
    assert_eq!(get(world.gate(), "/image", &headers).await.status, 402);
    let page = ledger.run(&["why", "acme", "--since", "1h"]);
    assert!(page.contains("now: nothing of the account keeps requests from passing"), "{page}");
    let page = ledger.run(&["why", "acme", "--price", "8"]);
    assert!(page.contains("now: insufficient_funds: "), "{page}");

    ledger.run(&["account", "suspend", "acme"]);
    let page = ledger.run(&["why", "acme"]);
    assert!(page.contains("now: account_suspended: the account is suspended"), "{page}");
    assert!(page.contains("cure: faregate account resume ACCOUNT"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_summed_up_over_all_accounts_by_what_an_operator_asks() {
    let world = World::start(Setup { config: rules(), ..Setup::default() }).await;
    let ledger = &world.ledger;
    let (acme, other) = (ledger.account("acme", "100").await, ledger.account("other", "100").await);
    for (path, key, times) in [("/", &acme, 3), ("/image", &acme, 1), ("/", &other, 2)] {
        for _ in 0..times {
            assert_eq!(get(world.gate(), path, &[("x-api-key", key)]).await.status, 200);
        }
    }
    eventually("all is reported", Duration::from_secs(20), async || {
        ledger.get("/admin/v1/usage/sums").await["total"]["credits"] == json!("13")
    })
    .await;

    let table =
        ledger.run(&["usage", "--by", "day", "--group", "account,product", "--zone", "Europe/Berlin"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(
        rows[0],
        [
            "FROM",
            "(Europe/Berlin)",
            "UNTIL",
            "(Europe/Berlin)",
            "ACCOUNT",
            "PRODUCT",
            "REQUESTS",
            "CREDITS",
            "REFUNDS"
        ]
    );
    assert!(rows[1].ends_with(&["acme", "image", "1", "8", "0"]), "{table}");
    assert!(table.trim_end().ends_with("total: 6 requests, 13 credits, 0 refunds"), "{table}");

    let sheet = ledger.run(&["usage", "--group", "account,rule", "--csv"]);
    assert_eq!(
        sheet.lines().collect::<Vec<_>>(),
        [
            "account,rule,requests,credits,refunds",
            "acme,image,1,8,0",
            "acme,default,3,3,0",
            "other,default,2,2,0"
        ]
    );
    let pages = ledger.run(&["usage", "--group", "account,rule", "--csv", "--all", "--limit", "1"]);
    assert_eq!(pages, sheet);
    let hers = ledger.run(&["usage", "other", "--by", "hour", "--json"]);
    let hers: Value = serde_json::from_str(&hers).expect("JSON");
    assert_eq!(
        (hers["lines"][0]["requests"].clone(), hers["total"]["credits"].clone()),
        (json!(2), json!("2"))
    );

    let wrong = fails(ledger, &["usage", "acme", "--since", "1h", "--until", "2h"]);
    assert!(wrong.contains("until: is before `since`"), "{wrong}");
    let wrong = fails(ledger, &["usage", "--by", "hour", "--since", "400d"]);
    assert!(wrong.contains("more than 1000"), "{wrong}");
    let wrong = fails(ledger, &["usage", "--by", "day", "--zone", "Mars/Olympus"]);
    assert!(wrong.contains("is no time zone") && wrong.contains("Mars/Olympus"), "{wrong}");
}
