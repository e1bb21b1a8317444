//! Events: what is announced of real traffic, once per crossing and again after it was cured; and what operators do.

use super::wall_clock::build_shim;
use harness::{Authority, LedgerProcess, Postgres, Scripted, Setup, World, eventually, get, patient};
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

/// Asks until it is refused, or until it isn't.
async fn gate_answers(world: &World, gateway: usize, key: &str, wanted: u16) {
    eventually(&format!("the gate answers {wanted}"), SOON, async || {
        get(&world.gateways[gateway], "/", &[("x-api-key", key)]).await.status == wanted
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_announced_when_they_begin_and_when_they_end() {
    let world = World::one().await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "2").await;
    sells(&world, &key, 2).await;
    for _ in 0..3 {
        gate_answers(&world, 0, &key, 402).await;
    }
    become_count(ledger, "acme", "refusals.began", 1).await;
    for _ in 0..3 {
        gate_answers(&world, 0, &key, 402).await;
    }
    let began = of_kind(ledger, "acme", "refusals.began").await;
    assert_eq!(
        (&began[0]["data"]["code"], &began[0]["data"]["what"]),
        (&json!("insufficient_funds"), &json!("Not enough credits")),
        "{began:?}"
    );
    ledger.grant("acme", "3").await;
    become_count(ledger, "acme", "refusals.ended", 1).await;
    let ended = of_kind(ledger, "acme", "refusals.ended").await;
    assert_eq!(
        (&ended[0]["data"]["cured"], &ended[0]["data"]["code"]),
        (&json!(true), &began[0]["data"]["code"])
    );
    gate_answers(&world, 0, &key, 200).await;
    // Once it was cured it begins again; but not because of reports from before, which come for ten seconds.
    gate_answers(&world, 0, &key, 402).await;
    eventually("it begins again", SOON, async || {
        get(world.gate(), "/", &[("x-api-key", &key)]).await;
        of_kind(ledger, "acme", "refusals.began").await.len() == 2
    })
    .await;
    let all = kinds(ledger, "acme").await;
    let expected = ["refusals.began", "grant.given", "refusals.ended", "refusals.began"];
    assert_eq!(all[all.len() - 4..], expected, "{all:?}");
    // A suspension is another cause, but it is announced already.
    ledger.run(&["account", "suspend", "acme"]);
    gate_answers(&world, 0, &key, 403).await;
    ledger.run(&["account", "resume", "acme"]);
    become_count(ledger, "acme", "refusals.began", 2).await;
    // A wrong key is no news about an account.
    gate_answers(&world, 0, "fg_wrong", 401).await;
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_end_after_an_hour_without_one() {
    let tools = tempfile::tempdir().expect("a temporary folder");
    let offset = tools.path().join("offset");
    let step = |seconds: i64| std::fs::write(&offset, seconds.to_string()).expect("the offset");
    step(0);
    let environment = vec![
        ("LD_PRELOAD".to_owned(), build_shim(tools.path())),
        ("WALL_CLOCK_OFFSET".to_owned(), offset.display().to_string()),
    ];
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &environment).await;
    ledger.account("acme", "0").await;
    let (key, _) = ledger.key("acme").await;
    let report = |seq: u64| {
        json!({
            "protocol": faregate_protocol::exchange::VERSION, "gateway": "gw", "entries": [],
            "usage": {"broker": "worker-1", "seq": seq, "lines": [],
                "refused": [{"payer": key, "rule": "default", "code": "insufficient_funds", "requests": 3}]},
        })
    };
    for seq in 1..=3 {
        ledger.exchange(&report(seq)).await.expect("an answer");
    }
    become_count(&ledger, "acme", "refusals.began", 1).await;
    assert_eq!(of_kind(&ledger, "acme", "refusals.began").await[0]["data"]["requests"], 3);
    step(3_700);
    become_count(&ledger, "acme", "refusals.ended", 1).await;
    assert_eq!(of_kind(&ledger, "acme", "refusals.ended").await[0]["data"]["cured"], false);
    step(3_800);
    ledger.exchange(&report(4)).await.expect("an answer");
    become_count(&ledger, "acme", "refusals.began", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ledgers_on_one_database_announce_each_crossing_once() {
    let Some(server) = Postgres::start().await else { return };
    let setup = Setup {
        gateways: 2,
        ledgers: 2,
        config: patient(),
        environment: server.environment(),
        ..Setup::default()
    };
    let world = World::start(setup).await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "30").await;
    ledger.run(&["alert", "set", "acme", "--balance-below", "10"]);
    // Both gateways sell and refuse; each report goes to whichever ledger is next.
    eventually("all is sold", SOON, async || {
        for gateway in [0, 1] {
            get(&world.gateways[gateway], "/", &[("x-api-key", &key)]).await;
        }
        ledger.balance("acme", "spent").await == "30"
    })
    .await;
    for _ in 0..5 {
        for gateway in [0, 1] {
            gate_answers(&world, gateway, &key, 402).await;
        }
    }
    become_count(ledger, "acme", "refusals.began", 1).await;
    become_count(ledger, "acme", "balance.low", 1).await;
    world.replicas[0].grant("acme", "20").await;
    become_count(ledger, "acme", "refusals.ended", 1).await;
    become_count(ledger, "acme", "balance.recovered", 1).await;
    for gateway in [0, 1] {
        gate_answers(&world, gateway, &key, 200).await;
    }
    assert_eq!(of_kind(ledger, "acme", "refusals.began").await.len(), 1);
    ledger.nothing_is_held().await;
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plans_threshold_comes_behind_the_accounts_and_before_the_default() {
    let world = World::one().await;
    let ledger = &world.ledger;
    ledger.run(&["alert", "set", "--default", "--balance-below", "2"]);
    let made = ["plan", "create", "pro", "--quota", "10", "--period", "month", "--alert-below", "6"];
    ledger.run(&made);
    assert_eq!(ledger.get("/admin/v1/plans/pro").await["alert_below"], "6");
    let mut keys = Vec::new();
    for account in ["plain", "planned", "own"] {
        keys.push(ledger.account(account, if account == "plain" { "10" } else { "0" }).await);
    }
    for account in ["planned", "own"] {
        ledger.run(&["subscribe", account, "pro"]);
    }
    ledger.run(&["alert", "set", "own", "--balance-below", "0"]);
    for key in &keys {
        sells(&world, key, 5).await;
    }
    become_count(ledger, "planned", "balance.low", 1).await;
    assert_eq!(of_kind(ledger, "planned", "balance.low").await[0]["data"]["below"], "6");
    for account in ["plain", "own"] {
        ledger.balance_becomes(account, "spent", "5").await;
        assert_eq!(of_kind(ledger, account, "balance.low").await, Vec::<Value>::new(), "{account}");
    }
    let shown = ledger.get("/admin/v1/accounts/planned/alerts").await;
    assert_eq!((&shown["balance_below"], &shown["is_default"]), (&json!("6"), &json!(true)), "{shown}");
    // The next version says nothing of it: the default holds again.
    ledger.run(&["plan", "change", "pro", "--no-alert-below", "--at-once"]);
    eventually("the default holds", SOON, async || {
        ledger.get("/admin/v1/accounts/planned/alerts").await["balance_below"] == "2"
    })
    .await;
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_ledger_itself_is_announced_once() {
    let Some(server) = Postgres::start().await else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    // Both listeners have a certificate that ends within a week.
    Authority::new().issue_until(dir.path(), "ledger", "127.0.0.1", 5);
    let file = |name: &str| dir.path().join(name).display().to_string();
    let (certificate, key) = (file("ledger.pem"), file("ledger.key"));
    let arguments = ["--webhook-allow-private", "--tls-cert", &certificate, "--tls-key", &key];
    let mut ledgers = Vec::new();
    for _ in 0..2 {
        ledgers.push(LedgerProcess::start(dir.path(), &arguments, &server.environment()).await);
    }
    let ledger = &ledgers[0];
    let receiver = Scripted::start().await;
    ledger.post("/admin/v1/webhooks", json!({"url": format!("http://127.0.0.1:{}/", receiver.port)})).await;
    let faults = async || {
        let page = ledger.get("/admin/v1/events?kind=ledger.fault").await;
        let events = page["events"].as_array().expect("a list").clone();
        events
            .into_iter()
            .map(|event| event["data"]["fault"].as_str().expect("a fault").to_owned())
            .collect::<Vec<_>>()
    };
    eventually("the certificate is announced", SOON, async || !faults().await.is_empty()).await;
    assert_eq!(faults().await, ["gateway_certificate"], "of two ledgers");
    let event = ledger.get("/admin/v1/events?kind=ledger.fault").await["events"][0].clone();
    assert_eq!((&event["account"], &event["sequence"]), (&Value::Null, &json!(1)), "{event}");
    let shown = ledger.run(&["events", "--kind", "ledger.fault"]);
    assert!(shown.contains("fault=gateway_certificate"), "{shown}");
    eventually("it is delivered", SOON, async || !receiver.got().is_empty()).await;
    let body: Value = serde_json::from_slice(&receiver.got()[0].body).expect("JSON");
    assert_eq!((&body["type"], &body["sequence"]), (&json!("ledger.fault"), &json!("1")), "{body}");
    assert!(body.get("subject").is_none() && body["data"]["cure"].is_string(), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_gateways_without_a_token_is_announced_once() {
    let (ledger, _dir) = ledger().await;
    let address = format!("http://127.0.0.1:{}/gateway/v1/exchange", ledger.gateway_port);
    let client = reqwest::Client::new();
    for _ in 0..250 {
        let answer = client.post(&address).bearer_auth("a-token-that-is-not-known").body("{}").send().await;
        assert_eq!(answer.expect("an answer").status(), 401);
    }
    let faults = async || ledger.get("/admin/v1/events?kind=ledger.fault").await["events"].clone();
    eventually("it is announced", SOON, async || faults().await != json!([])).await;
    let found = faults().await;
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found[0]["data"]["fault"], "gateways_denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_that_are_taken_to_put_a_balance_right_are_an_event() {
    let (ledger, _dir) = ledger().await;
    ledger.account("acme", "5").await;
    ledger.run(&["adjust", "acme", "--yes", "--", "-2"]);
    ledger.run(&["adjust", "acme", "1", "--yes"]);
    assert_eq!(kinds(&ledger, "acme").await, ["grant.given", "balance.adjusted", "grant.given"]);
    let adjusted = of_kind(&ledger, "acme", "balance.adjusted").await.remove(0);
    assert_eq!((&adjusted["data"]["amount"], &adjusted["data"]["owed"]), (&json!("-2"), &json!("0")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_keeps_thresholds_webhooks_and_addresses() {
    let (ledger, dir) = ledger().await;
    for account in ["acme", "bolt"] {
        ledger.post("/admin/v1/accounts", json!({"id": account})).await;
    }
    ledger.run(&["alert", "set", "--default", "--balance-below", "5"]);
    ledger.run(&["alert", "set", "acme", "--balance-below", "50"]);
    let made =
        ledger.run(&["--json", "webhook", "create", "https://receiver.invalid/a", "--events", "key.revoked"]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    ledger.run(&["webhook", "create", "https://receiver.invalid/b", "--account", "bolt"]);
    ledger.run(&["mail", "add", "ops@example.com", "--events", "ledger.fault,ledger.fault_over"]);
    ledger.run(&["mail", "add", "billing@acme.example", "--account", "acme"]);
    let toml = ledger.run(&["export"]);
    let secret = made["secret"].as_str().expect("a secret");
    assert!(toml.contains("[[webhooks]]") && !toml.contains(secret) && !toml.contains("whsec_"), "{toml}");
    let file = dir.path().join("all.toml");
    std::fs::write(&file, &toml).expect("a file");
    let file = file.display().to_string();
    let said = ledger.run(&["apply", "--check", &file]);
    assert!(said.contains("0 to") || said.contains("unchanged"), "{said}");

    // Into another ledger: the secrets are made there, and shown once.
    let other = tempfile::tempdir().expect("a temporary folder");
    let copy = LedgerProcess::start(other.path(), &[], &[]).await;
    let said = copy.run(&["apply", &file]);
    assert_eq!(said.matches("whsec_").count(), 2, "{said}");
    assert_eq!(copy.run(&["export"]), toml);
    let said = copy.run(&["apply", &file]);
    assert!(said.contains("unchanged") && !said.contains("whsec_"), "{said}");
    assert_eq!(copy.get("/admin/v1/accounts/acme/alerts").await["balance_below"], "50");
    // Who may not list webhooks exports the rest.
    let token = ledger.run(&["--json", "operator", "create", "rita", "--scope", "read"]);
    let token: Value = serde_json::from_str(&token).expect("JSON");
    let mut export = std::process::Command::new(harness::binary());
    export.arg("export").env("FAREGATE_ADMIN_URL", format!("http://127.0.0.1:{}", ledger.admin_port));
    let (done, said) =
        harness::out_of(export.env("FAREGATE_ADMIN_TOKEN", token["token"].as_str().expect("a token")));
    assert!(done && said.contains("webhooks are not in it") && said.contains("[[alerts]]"), "{said}");
    assert!(!said.contains("[[webhooks]]") && !said.contains("[[mail]]"), "{said}");
}
