//! A key is rotated: both keys pay during the overlap, and afterwards the old one is refused. And who used which key when.

use super::wall_clock::build_shim;
use harness::{LedgerProcess, Setup, World, eventually, get};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: i64 = 86_400;

/// The status, and the code of a refusal.
async fn asked(world: &World, key: &str) -> (u16, String) {
    let answer = get(world.gate(), "/", &[("x-api-key", key)]).await;
    (answer.status, answer.body["code"].as_str().unwrap_or_default().to_owned())
}

async fn pays(world: &World, key: &str) {
    assert_eq!(asked(world, key).await, (200, String::new()));
}

async fn is_refused_soon(world: &World, key: &str, refused: (u16, &str)) {
    let what = format!("the key is refused with {}", refused.1);
    eventually(&what, Duration::from_secs(20), async || {
        let (status, code) = asked(world, key).await;
        (status, code.as_str()) == refused
    })
    .await;
}

/// What the command line answers, as JSON.
fn said(ledger: &LedgerProcess, line: &str) -> Value {
    let words: Vec<&str> = line.split(' ').chain(["--json"]).collect();
    serde_json::from_str(&ledger.run(&words)).expect("JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

#[tokio::test(flavor = "multi_thread")]
async fn both_keys_pay_until_the_overlap_ends() {
    let tools = tempfile::tempdir().expect("a temporary folder");
    let offset = tools.path().join("offset");
    std::fs::write(&offset, "0").expect("the offset");
    let environment = vec![
        ("LD_PRELOAD".to_owned(), build_shim(tools.path())),
        ("WALL_CLOCK_OFFSET".to_owned(), offset.display().to_string()),
    ];
    let world = World::start(Setup { environment, ..Setup::default() }).await;
    let ledger = &world.ledger;
    ledger.account("acme", "100").await;
    ledger.run(&["team", "create", "acme", "research"]);
    let made = said(ledger, "key create acme --team research --products chat,embed --note laptop");
    let (old_id, old) = (text(&made["id"]), text(&made["key"]));
    pays(&world, old).await;

    let rotated = said(ledger, &format!("key rotate {old_id} --overlap 7d"));
    let (new_id, new) = (text(&rotated["new"]["id"]), text(&rotated["new"]["key"]));
    for member in ["account", "team", "products", "note", "expires_at"] {
        assert_eq!(rotated["new"][member], made[member], "{member}: {rotated}");
    }
    assert!(rotated["old"].get("key").is_none() && old != new, "{rotated}");
    pays(&world, new).await;
    pays(&world, old).await;

    std::fs::write(&offset, (7 * DAY + 1).to_string()).expect("the offset");
    is_refused_soon(&world, old, (401, "key_expired")).await;
    pays(&world, new).await;
    let shown = said(ledger, &format!("key show {old_id}"));
    assert_eq!((&shown["state"], &shown["replaced_by"]), (&json!("expired"), &json!(new_id)));
    ledger.nothing_is_held().await;
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_overlap_the_old_key_is_refused_at_once_and_its_budget_goes_on() {
    let world = World::one().await;
    let ledger = &world.ledger;
    ledger.account("acme", "100").await;
    let made = said(ledger, "key create acme");
    let (old_id, old) = (text(&made["id"]), text(&made["key"]));
    ledger.run(&["budget", "set", "acme", "--key", old_id, "--credits", "5", "--per", "year"]);
    for _ in 0..3 {
        pays(&world, old).await;
    }
    // What its lease holds counts as used, until the gateway has returned it.
    ledger.nothing_is_held().await;
    let printed = ledger.run(&["key", "rotate", old_id, "--overlap", "0s"]);
    assert!(printed.contains("The key is shown this once: keep it now."), "{printed}");
    assert!(printed.contains(&format!("The old key {old_id} is refused from now on.")), "{printed}");
    let new = printed.split_whitespace().find(|word| word.starts_with("fg_live_")).expect("the new key");
    is_refused_soon(&world, old, (401, "key_expired")).await;
    pays(&world, new).await;
    pays(&world, new).await;
    is_refused_soon(&world, new, (402, "key_budget_exhausted")).await;
    assert_eq!(world.upstream.served(), 5);
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_rotation_changes_nothing_and_shows_no_secret() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "0").await;
    let (id, _) = ledger.key("acme").await;
    let rotate = ["key", "rotate", &id, "--overlap", "1h", "--idempotency-key", "rotation-1"];
    let first = ledger.run(&rotate);
    assert!(first.contains("fg_live_"), "{first}");
    let (done, second) = ledger.try_run(&rotate);
    assert!(!done && second.contains("shown only once") && !second.contains("fg_live_"), "{second}");
    let keys = said(&ledger, "key list acme");
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(3), "{keys}");
    let (done, again) = ledger.try_run(&["key", "rotate", &id, "--overlap", "1h"]);
    assert!(!done && again.contains("was rotated to key_") && again.contains("rotate that one"), "{again}");
    let subject = said(&ledger, "key create acme --subject user-1");
    let (done, refused) = ledger.try_run(&["key", "rotate", text(&subject["id"]), "--overlap", "1h"]);
    assert!(!done && refused.contains("is a subject, not a key"), "{refused}");
    for (overlap, cure) in [("1500ms", "whole seconds"), ("9999d", "overlap_seconds"), ("soon", "--overlap")]
    {
        let (done, refused) = ledger.try_run(&["key", "rotate", &id, "--overlap", overlap]);
        assert!(!done && refused.contains(cure), "{overlap}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_shows_when_it_was_last_used() {
    let world = World::one().await;
    let ledger = &world.ledger;
    ledger.account("acme", "100").await;
    let (used_id, used) = ledger.key("acme").await;
    let (idle_id, _) = ledger.key("acme").await;
    let before = jiff::Timestamp::now().as_second().div_euclid(60) * 60;
    pays(&world, &used).await;
    let last_used = |id: &str| said(ledger, &format!("key show {id}"))["last_used_at"].clone();
    eventually("the use is reported", Duration::from_secs(20), async || !last_used(&used_id).is_null()).await;
    let at: jiff::Timestamp = text(&last_used(&used_id)).parse().expect("a time");
    let after = jiff::Timestamp::now().as_second();
    assert!((before..=after).contains(&at.as_second()) && at.as_second() % 60 == 0, "{at}");
    assert!(last_used(&idle_id).is_null());
    let listed = ledger.run(&["key", "list", "acme"]);
    assert_eq!(listed.matches(&at.to_string()).count(), 1, "{listed}");
}
