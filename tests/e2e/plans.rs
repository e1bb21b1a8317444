//! A plan gives a quota per period: a month goes by on an injected clock, an hour on the machine's own.

use super::wall_clock::build_shim;
use harness::{LedgerProcess, Postgres, Setup, World, eventually, get};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: i64 = 86_400;

async fn asked(world: &World, key: &str) -> u16 {
    get(world.gate(), "/", &[("x-api-key", key)]).await.status
}

/// Sells so many requests, and then none.
async fn sells_exactly(world: &World, key: &str, count: usize) {
    for number in 0..count {
        assert_eq!(asked(world, key).await, 200, "request {number} of {count}");
    }
    assert_eq!(asked(world, key).await, 402, "after {count}");
}

/// Sells so many requests soon, and then none. Each worker remembers for a second whom it has refused.
async fn opens_for_exactly(world: &World, key: &str, count: usize) {
    for _ in 0..count {
        eventually("the gate is open", Duration::from_secs(25), async || asked(world, key).await == 200)
            .await;
    }
    sells_exactly(world, key, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_quota_rolls_over_after_a_month() {
    let tools = tempfile::tempdir().expect("a temporary folder");
    let offset = tools.path().join("offset");
    let step = |seconds: i64| std::fs::write(&offset, seconds.to_string()).expect("the offset");
    step(0);
    let environment = vec![
        ("LD_PRELOAD".to_owned(), build_shim(tools.path())),
        ("WALL_CLOCK_OFFSET".to_owned(), offset.display().to_string()),
    ];
    let config = json!({ "forward": ["account", "plan"] });
    let world = World::start(Setup { environment, config, ..Setup::default() }).await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "0").await;
    assert_eq!(asked(&world, &key).await, 402, "no plan, no credits");
    ledger.run(&["plan", "create", "pro", "--quota", "8", "--period", "month", "--rollover", "3"]);
    ledger.run(&["subscribe", "acme", "pro"]);
    eventually("the quota is there", Duration::from_secs(30), async || asked(&world, &key).await == 200)
        .await;
    assert_eq!(world.upstream.last().get("x-faregate-plan").map(String::as_str), Some("pro"));
    ledger.nothing_is_held().await;
    assert_eq!(ledger.balance("acme", "available").await, "7");

    step(32 * DAY);

    ledger.balance_becomes("acme", "available", "11").await;
    assert_eq!(ledger.balance("acme", "expired").await, "7");
    sells_exactly(&world, &key, 11).await;
    ledger.run(&["plan", "change", "pro", "--quota", "10", "--at-once"]);
    opens_for_exactly(&world, &key, 2).await;

    // After three months without requests, the present one is given once.
    step(32 * DAY + 4 * 31 * DAY);
    ledger.balance_becomes("acme", "available", "13").await;
    step(33 * DAY);
    let refused = ledger.try_run(&["subscribe", "acme", "pro"]);
    assert!(!refused.0 && refused.1.contains("subscribed to \"pro\" already"), "{}", refused.1);
    ledger.run(&["subscription", "cancel", "acme", "--now"]);
    ledger.balance_becomes("acme", "available", "0").await;
    eventually("the gate hears of it", Duration::from_secs(10), async || asked(&world, &key).await == 402)
        .await;
    assert_eq!(world.upstream.served(), 14, "1 + 11 + 2, and none of what was taken back");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_that_ends_under_traffic_is_followed_by_the_next() {
    let world = World::one().await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "0").await;
    ledger.run(&["plan", "create", "burst", "--quota", "3", "--period", "hour"]);
    let start = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(3_600 - 10);
    ledger.run(&["subscribe", "acme", "burst", "--start", &start.to_string()]);
    sells_exactly(&world, &key, 3).await;

    opens_for_exactly(&world, &key, 3).await;
    assert_eq!(ledger.metric("faregate_renewals_total").await, 1.0);
    ledger.nothing_is_held().await;
    assert_eq!(ledger.balance("acme", "spent").await, "6");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_ledgers_renew_a_subscription_once() {
    let Some(server) = Postgres::start().await else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let environment = server.environment();
    let ledgers = [
        LedgerProcess::start(dir.path(), &[], &environment).await,
        LedgerProcess::start(dir.path(), &[], &environment).await,
        LedgerProcess::start(dir.path(), &[], &environment).await,
    ];
    let [one, two, three] = &ledgers;
    one.run(&["plan", "create", "hourly", "--quota", "5", "--period", "hour", "--rollover", "5"]);
    for number in 0..20 {
        let account = format!("account-{number}");
        one.post("/admin/v1/accounts", json!({ "id": account })).await;
        let start = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(3_600 - 8);
        let path = format!("/admin/v1/accounts/{account}/subscription");
        two.post(&path, json!({ "plan": "hourly", "starts_at": start.to_string() })).await;
    }
    for number in 0..20 {
        three.balance_becomes(&format!("account-{number}"), "granted", "15").await;
    }
    let mut renewals = 0.0;
    for ledger in &ledgers {
        renewals += ledger.metric("faregate_renewals_total").await;
    }
    assert_eq!(renewals, 40.0, "a quota and what is taken over, for each account once");
    three.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_plans_and_subscriptions_are_rejected_naming_the_field() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "0").await;
    let good = json!({ "name": "pro", "quota": "5", "period": "day" });
    ledger.post("/admin/v1/plans", good.clone()).await;
    let refused = async |path: &str, body: Value, field: &str| {
        let (status, answer) = ledger.call(Method::POST, path, Some(body)).await;
        assert!(status.is_client_error() && answer["field"] == field, "{field}: {status} {answer}");
    };
    for (field, value) in [
        ("name", json!("No Name")),
        ("quota", json!("-1")),
        ("quota", json!("0")),
        ("period", json!("fortnight")),
        ("every", json!(0)),
        ("every", json!(101)),
        ("anchor", json!("moon")),
        ("time_zone", json!("Mars/Olympus")),
        ("rollover", json!("-1")),
        ("burst", json!(1)),
    ] {
        let mut plan = good.clone();
        plan[field] = value;
        refused("/admin/v1/plans", plan.clone(), field).await;
        if field != "name" {
            refused("/admin/v1/plans/pro/change", json!({ field: plan[field] }), field).await;
        }
    }
    let subscription = "/admin/v1/accounts/acme/subscription";
    let past = "2020-01-01T00:00:00Z";
    refused(subscription, json!({ "plan": "pro", "trial_ends_at": past }), "trial_ends_at").await;
    refused(subscription, json!({ "plan": "pro", "starts_at": "soon" }), "starts_at").await;
    ledger.post(subscription, json!({ "plan": "pro" })).await;
    refused(subscription, json!({ "plan": "pro" }), "plan").await;
    refused(&format!("{subscription}/past-due"), json!({ "grace_until": past }), "grace_until").await;
    let (status, answer) = ledger.call(Method::POST, "/admin/v1/plans/pro/change", Some(json!({}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    let (status, answer) = ledger.call(Method::POST, "/admin/v1/plans", Some(good)).await;
    assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("plan_exists")));
    let (status, answer) = ledger.call(Method::GET, "/admin/v1/plans/nothing", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{answer}");
    assert_eq!(ledger.balance("acme", "available").await, "5");
    ledger.audit().await;
}
