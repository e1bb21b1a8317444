//! Events: what is announced of real traffic, once per crossing and again after it was cured; and what operators do.

use super::wall_clock::build_shim;
use harness::{LedgerProcess, Setup, World, eventually, get};
use serde_json::{Value, json};
use std::time::Duration;

/// Far more than the second in which a gateway reports.
const SOON: Duration = Duration::from_secs(40);

async fn ledger() -> (LedgerProcess, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    (LedgerProcess::start(dir.path(), &[], &[]).await, dir)
}

/// Sells so many requests.
async fn sells(world: &World, key: &str, count: usize) {
    for number in 0..count {
        let status = get(world.gate(), "/", &[("x-api-key", key)]).await.status;
        assert_eq!(status, 200, "request {number} of {count}");
    }
}

/// Events of an account, oldest first.
async fn events(ledger: &LedgerProcess, account: &str) -> Vec<Value> {
    let answer = ledger.get(&format!("/admin/v1/events?account={account}&limit=1000")).await;
    let mut events = answer["events"].as_array().expect("a list").clone();
    events.reverse();
    events
}

/// Their kinds.
async fn kinds(ledger: &LedgerProcess, account: &str) -> Vec<String> {
    let events = events(ledger, account).await;
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence"], number + 1, "{event}");
    }
    events.iter().map(|event| event["type"].as_str().expect("a kind").to_owned()).collect()
}

/// Those of one kind.
async fn of_kind(ledger: &LedgerProcess, account: &str, kind: &str) -> Vec<Value> {
    events(ledger, account).await.into_iter().filter(|event| event["type"] == kind).collect()
}

async fn become_count(ledger: &LedgerProcess, account: &str, kind: &str, count: usize) {
    let what = format!("{count} of {kind}");
    eventually(&what, SOON, async || of_kind(ledger, account, kind).await.len() >= count).await;
    let found = of_kind(ledger, account, kind).await;
    assert_eq!(found.len(), count, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_balance_is_announced_once_and_again_after_a_top_up() {
    let world = World::one().await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "20").await;
    let set = ledger.run(&["alert", "set", "acme", "--balance-below", "10"]);
    assert!(set.contains("10"), "{set}");
    sells(&world, &key, 9).await;
    ledger.balance_becomes("acme", "spent", "9").await;
    assert_eq!(of_kind(ledger, "acme", "balance.low").await, Vec::<Value>::new(), "11 are left");

    sells(&world, &key, 3).await;
    become_count(ledger, "acme", "balance.low", 1).await;
    sells(&world, &key, 4).await;
    ledger.balance_becomes("acme", "spent", "16").await;
    become_count(ledger, "acme", "balance.low", 1).await;
    let low = of_kind(ledger, "acme", "balance.low").await;
    assert_eq!((&low[0]["data"]["below"], &low[0]["data"]["account"]), (&json!("10"), &json!("acme")));
    assert!(ledger.run(&["alert", "show", "acme"]).contains("true"), "it is low");

    ledger.grant("acme", "5").await;
    become_count(ledger, "acme", "balance.recovered", 0).await;
    ledger.grant("acme", "5").await;
    become_count(ledger, "acme", "balance.recovered", 1).await;
    sells(&world, &key, 8).await;
    become_count(ledger, "acme", "balance.low", 2).await;
    let shown = ledger.run(&["events", "--account", "acme", "--kind", "balance.low", "--since", "1h"]);
    assert!(shown.contains("balance.low") && shown.contains("below=10"), "{shown}");
    ledger.nothing_is_held().await;
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_threshold_holds_for_accounts_without_their_own() {
    let world = World::one().await;
    let ledger = &world.ledger;
    ledger.run(&["alert", "set", "--default", "--balance-below", "8"]);
    let (by_default, never, first) = (
        ledger.account("acme", "10").await,
        ledger.account("calm", "10").await,
        ledger.account("poor", "3").await,
    );
    ledger.run(&["alert", "set", "calm", "--balance-below", "0"]);
    assert_eq!(kinds(ledger, "poor").await, ["grant.given"], "the first credits are no news");
    for key in [&by_default, &never] {
        sells(&world, key, 4).await;
    }
    sells(&world, &first, 1).await;
    become_count(ledger, "acme", "balance.low", 1).await;
    become_count(ledger, "poor", "balance.low", 1).await;
    ledger.balance_becomes("calm", "spent", "4").await;
    assert_eq!(kinds(ledger, "calm").await, ["grant.given"]);
    // One of its own, which it is below already, is announced at once.
    ledger.run(&["alert", "set", "calm", "--balance-below", "7"]);
    assert_eq!(kinds(ledger, "calm").await, ["grant.given", "balance.low"]);
    ledger.run(&["alert", "clear", "--default"]);
    ledger.run(&["alert", "clear", "calm"]);
    ledger.grant("acme", "10").await;
    assert_eq!(kinds(ledger, "acme").await, ["grant.given", "balance.low", "grant.given"], "none is set");
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_and_budgets_are_announced_at_50_80_and_100_percent() {
    let world = World::one().await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "0").await;
    ledger.run(&["plan", "create", "pro", "--quota", "10", "--period", "month"]);
    ledger.run(&["subscribe", "acme", "pro"]);
    ledger.run(&["budget", "set", "acme", "--credits", "20", "--per", "month"]);
    let mut percents = Vec::new();
    for (count, spent, percent) in
        [(4, "4", None), (1, "5", Some(50)), (2, "7", None), (1, "8", Some(80)), (2, "10", Some(100))]
    {
        sells(&world, &key, count).await;
        ledger.balance_becomes("acme", "spent", spent).await;
        percents.extend(percent);
        eventually("the percentages are announced", SOON, async || {
            of_kind(ledger, "acme", "quota.used").await.len() >= percents.len()
        })
        .await;
        let found: Vec<i64> = of_kind(ledger, "acme", "quota.used")
            .await
            .iter()
            .filter_map(|event| event["data"]["percent"].as_i64())
            .collect();
        assert_eq!(found, percents, "after {spent}");
    }
    let used = of_kind(ledger, "acme", "quota.used").await;
    assert_eq!(
        (&used[0]["data"]["plan"], &used[0]["data"]["quota"]),
        (&json!("pro"), &json!("10")),
        "{used:?}"
    );
    let budget = of_kind(ledger, "acme", "budget.used").await;
    assert_eq!(budget.len(), 1, "{budget:?}");
    assert_eq!((&budget[0]["data"]["percent"], &budget[0]["data"]["scope"]), (&json!(50), &json!("account")));
    // Half of a larger budget may be announced again, when it was below.
    ledger.grant("acme", "30").await;
    ledger.run(&["budget", "set", "acme", "--credits", "30", "--per", "month"]);
    eventually("the gate is open", SOON, async || {
        get(world.gate(), "/", &[("x-api-key", &key)]).await.status == 200
    })
    .await;
    sells(&world, &key, 4).await;
    become_count(ledger, "acme", "budget.used", 2).await;
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_do_about_grants_keys_and_subscriptions_is_an_event() {
    let (ledger, _dir) = ledger().await;
    ledger.post("/admin/v1/accounts", json!({"id": "acme"})).await;
    let grant =
        ledger.post("/admin/v1/accounts/acme/grants", json!({"amount": "5", "source": "invoice 1"})).await;
    let id = grant["id"].as_str().expect("a grant").to_owned();
    ledger.run(&["grant", "void", &id, "--yes"]);
    let (key, _) = ledger.key("acme").await;
    ledger.run(&["key", "rotate", &key, "--overlap", "1h"]);
    ledger.run(&["key", "revoke", &key, "--yes"]);
    ledger.run(&["key", "revoke", &key, "--yes"]);
    ledger.run(&["plan", "create", "pro", "--quota", "10", "--period", "month"]);
    ledger.run(&["subscribe", "acme", "pro"]);
    ledger.run(&["subscription", "past-due", "acme", "--grace", "7d"]);
    ledger.run(&["subscription", "activate", "acme"]);
    ledger.run(&["subscription", "cancel", "acme", "--now"]);
    // What is refused is none.
    assert!(!ledger.try_run(&["grant", "void", &id, "--yes"]).0);
    let expected = [
        "grant.given",
        "grant.voided",
        "key.rotated",
        "key.revoked",
        "subscription.started",
        "subscription.past_due",
        "subscription.ended",
    ];
    assert_eq!(kinds(&ledger, "acme").await, expected);
    let all = events(&ledger, "acme").await;
    assert_eq!((&all[0]["data"]["source"], &all[1]["data"]["grant"]), (&json!("invoice 1"), &json!(id)));
    assert_eq!((&all[2]["data"]["key"], &all[6]["data"]["state"]), (&json!(key), &json!("cancelled")));

    // Page by page, newest first.
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = ledger.get(&format!("/admin/v1/events?limit=2{after}")).await;
        seen.extend(page["events"].as_array().expect("a list").iter().map(|event| event["type"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    seen.reverse();
    assert_eq!(seen, expected);
    let (_, wrong) = ledger.try_run(&["events", "--kind", "balance.lo"]);
    assert!(wrong.contains("balance.low"), "it lists the kinds: {wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_soon_is_announced_once() {
    const DAY: i64 = 86_400;
    let tools = tempfile::tempdir().expect("a temporary folder");
    let offset = tools.path().join("offset");
    let step = |seconds: i64| std::fs::write(&offset, seconds.to_string()).expect("the offset");
    step(0);
    let environment = vec![
        ("LD_PRELOAD".to_owned(), build_shim(tools.path())),
        ("WALL_CLOCK_OFFSET".to_owned(), offset.display().to_string()),
    ];
    let world = World::start(Setup { gateways: 0, environment, ..Setup::default() }).await;
    let ledger = &world.ledger;
    ledger.account("acme", "0").await;
    ledger.run(&["grant", "acme", "5", "--expires", "40d"]);
    ledger.run(&["key", "create", "acme", "--expires", "40d"]);
    ledger.run(&["plan", "create", "pro", "--quota", "10", "--period", "day", "--every", "40"]);
    ledger.run(&["subscribe", "acme", "pro"]);
    step(32 * DAY);
    become_count(ledger, "acme", "grant.expires_soon", 0).await;
    step(34 * DAY);
    become_count(ledger, "acme", "grant.expires_soon", 1).await;
    become_count(ledger, "acme", "key.expires_soon", 1).await;
    assert_eq!(of_kind(ledger, "acme", "subscription.renews_soon").await.len(), 0, "in 6 days");
    step(38 * DAY);
    become_count(ledger, "acme", "subscription.renews_soon", 1).await;
    ledger.run(&["subscription", "cancel", "acme"]);
    become_count(ledger, "acme", "subscription.ends_soon", 0).await;
    step(41 * DAY);
    become_count(ledger, "acme", "subscription.ended", 1).await;
    let all = kinds(ledger, "acme").await;
    for kind in ["grant.expires_soon", "key.expires_soon", "subscription.renews_soon"] {
        assert_eq!(all.iter().filter(|found| *found == kind).count(), 1, "{all:?}");
    }
}
