//! What one account's books can't take, or a gateway can't have sold, is no other account's trouble: those are served and
//! charged, and the operator learns of it.

use harness::{Postgres, Setup, World, eventually, flood, get};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// The most that a sum can be, in millionths.
const MOST: i64 = i64::MAX;

/// The database behind a world's ledger, which is written to while that is down.
enum Books {
    Sqlite,
    Postgres(Postgres),
}

impl Books {
    async fn world(&self) -> World {
        let environment = match self {
            Self::Sqlite => Vec::new(),
            Self::Postgres(server) => server.environment(),
        };
        World::start(Setup { environment, ..Setup::default() }).await
    }

    /// Writes, behind the ledger's back, what an account has spent.
    async fn set_spent(&self, world: &mut World, account: &str, micros: i64) {
        world.ledger.process.kill();
        let sql = format!("UPDATE accounts SET spent = {micros} WHERE id = '{account}'");
        match self {
            Self::Sqlite => {
                let file = Connection::open(world.dir().join("ledger/ledger.db")).expect("the ledger's file");
                file.execute_batch(&sql).expect("it can be written");
            }
            Self::Postgres(server) => server.sql(&sql),
        }
        world.ledger.restart().await;
    }
}

async fn spent(world: &World, account: &str) -> i64 {
    world.ledger.balance(account, "spent").await.parse().expect("whole credits")
}

/// Sends six requests for each of these keys, all of which must be served, and waits until they are charged.
async fn are_served_and_charged(world: &World, others: &[(String, String)]) {
    for (_, key) in others {
        let status_counts = flood(&world.gateways, key, 6, 2).await;
        assert_eq!(status_counts.get(&200), Some(&6), "{status_counts:?}");
    }
    for (account, _) in others {
        world.ledger.balance_becomes(account, "spent", "6").await;
    }
}

async fn eight_others(world: &World) -> Vec<(String, String)> {
    let mut others = Vec::new();
    for number in 0..8 {
        let account = format!("other{number}");
        let key = world.ledger.account(&account, "100").await;
        others.push((account, key));
    }
    others
}

/// What a thief of the gateway token may say.
fn entry(key: &str, epoch: u32, spent: i64, want: i64, on_credit: i64) -> Value {
    json!({
        "payer": {"key": key},
        "lease": {"epoch": epoch, "spent": spent, "returned": 0, "held": 0},
        "ask": {"least": want, "need": want, "want": want},
        "on_credit": on_credit
    })
}

async fn says(world: &World, gateway: &str, entries: &[Value]) -> Value {
    let message = json!({"protocol": 2, "gateway": gateway, "entries": entries});
    let (status, answer) = world.ledger.exchange(&message).await.expect("an answer");
    assert_eq!(status.as_u16(), 200, "{answer}");
    answer
}

async fn an_entry_fails_alone(books: Books) {
    let mut world = books.world().await;
    let others = eight_others(&world).await;
    let victim = world.ledger.account("victim", "100").await;
    assert_eq!(flood(&world.gateways, &victim, 3, 1).await.get(&200), Some(&3));
    world.ledger.balance_becomes("victim", "spent", "3").await;
    // As a version before this one may have left it: the sum has no room for what is sold next.
    books.set_spent(&mut world, "victim", MOST).await;
    let sold = AtomicI64::new(3);
    eventually("the victim's callers are refused", Duration::from_secs(20), async || {
        let answer = get(world.gate(), "/", &[("x-api-key", &victim)]).await;
        sold.fetch_add(i64::from(answer.status == 200), Ordering::Relaxed);
        answer.status == 503 && answer.body["code"] == "ledger_unavailable"
    })
    .await;
    let sold = sold.into_inner();
    assert!(sold > 3, "its lease went on until the ledger had answered");

    are_served_and_charged(&world, &others).await;

    // Its gateway resends it with each heartbeat, and no more often.
    let failed = async || world.ledger.metric("faregate_unbooked_entries_total").await;
    let (before, start) = (failed().await, Instant::now());
    assert!(before > 0.0);
    eventually("it is said again", Duration::from_secs(20), async || failed().await >= before + 4.0).await;
    assert!(start.elapsed() > Duration::from_secs(2), "four times within {:?}", start.elapsed());
    let said = world.ledger.process.output();
    assert!(said.contains("an entry can't be booked") && said.contains("account=victim"), "{said}");

    books.set_spent(&mut world, "victim", 3_000_000).await;
    world.ledger.balance_becomes("victim", "spent", &sold.to_string()).await;
    eventually("it is served again", Duration::from_secs(20), async || {
        get(world.gate(), "/", &[("x-api-key", &victim)]).await.status == 200
    })
    .await;
    world.ledger.nothing_is_held().await;
    assert_eq!(spent(&world, "victim").await, sold + 1, "nothing was lost, and nothing charged twice");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_booked_fails_alone_on_sqlite() {
    an_entry_fails_alone(Books::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_booked_fails_alone_on_postgres() {
    let Some(server) = Postgres::start().await else { return };
    an_entry_fails_alone(Books::Postgres(server)).await;
}

async fn forged_reports_are_charged_up_to_a_ceiling(books: Books) {
    let world = books.world().await;
    let others = eight_others(&world).await;
    let victim = world.ledger.account("victim", "900").await;
    assert_eq!(get(world.gate(), "/", &[("x-api-key", &victim)]).await.status, 200);
    world.ledger.balance_becomes("victim", "spent", "1").await;
    world.ledger.nothing_is_held().await;
    says(&world, "thief", &[entry(&victim, 1, 0, 899_000_000, 0)]).await;
    let all = 1_000_000_000_000_000_000_i64;

    let answer = says(&world, "thief", &[entry(&victim, 1, all, all, 0)]).await;

    let refused = &answer["entries"][0];
    assert_eq!(
        (&refused["refused"]["code"], &refused["lease"]),
        (&json!("ledger_unavailable"), &Value::Null)
    );
    assert_eq!(world.ledger.balance("victim", "owed").await, "1000000000");
    let (good, said) = world.ledger.try_run(&["audit"]);
    assert!(!good && said.contains("thief") && said.contains("998999999101"), "{said}");
    assert!(said.contains("change the gateway token"), "{said}");
    let log = world.ledger.process.output();
    assert!(log.contains("more than can be true") && log.contains("gateway=\"thief\""), "{log}");
    let lost = world.ledger.metric("faregate_unbooked_credits_total").await;
    assert!((lost - 998_999_999_101.0).abs() < 1.0, "{lost}");

    // What nine honest grants of the most that one may be, and 300 lies, come to.
    for number in 0..9 {
        world.ledger.grant("victim", "1000000000000").await;
        let gateway = format!("thief{number}");
        // The first grant pays what is owed before it can be drawn.
        let drawn = all - all / 1_000;
        says(&world, &gateway, &[entry(&victim, 1, 0, drawn, 0)]).await;
        says(&world, &gateway, &[entry(&victim, 1, drawn, 0, 0)]).await;
    }
    let lies: Vec<Value> =
        (1..=300).map(|n| json!({"payer": {"key": victim}, "on_credit": n * (all / 1_000)})).collect();
    says(&world, "thief", &lies).await;
    let books = world.ledger.get("/admin/v1/accounts/victim/balance").await;
    assert_eq!(books["spent"], "9223372036854.775807", "to the end of the range: {books}");

    assert_eq!(get(world.gate(), "/", &[("x-api-key", &victim)]).await.status, 402, "it owes");
    are_served_and_charged(&world, &others).await;
    let audit = world.ledger.get("/admin/v1/audit").await;
    assert_eq!((&audit["ok"], &audit["problems"]), (&json!(false), &json!([])), "the books agree: {audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_reports_are_charged_up_to_a_ceiling_on_sqlite() {
    forged_reports_are_charged_up_to_a_ceiling(Books::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_reports_are_charged_up_to_a_ceiling_on_postgres() {
    let Some(server) = Postgres::start().await else { return };
    forged_reports_are_charged_up_to_a_ceiling(Books::Postgres(server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_with_uncharged_reports_can_be_backed_up_and_restored() {
    let world = Books::Sqlite.world().await;
    let victim = world.ledger.account("victim", "5").await;
    says(&world, "thief", &[json!({"payer": {"key": victim}, "on_credit": 1_000_000_000_000_000_000_i64})])
        .await;
    let path = |name: &str| world.dir().join(name).display().to_string();
    let (backup, restored) = (path("backup.db"), path("restored"));
    world.ledger.run(&["backup", &backup, "--data", &path("ledger")]);
    world.ledger.run(&["restore", &backup, "--data", &restored]);
    let file = Connection::open(world.dir().join("restored/ledger.db")).expect("the ledger's file");
    let lost: i64 = file.query_row("SELECT credits FROM unbooked", [], |row| row.get(0)).expect("a row");
    assert_eq!(lost, 999_000_000_000_000_000, "what was not charged is still known");
}
