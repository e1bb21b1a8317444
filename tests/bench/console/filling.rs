//! What a busy month leaves in a ledger: ten million rows of usage, and of everything else that pages show. Written into the tables
//! while no ledger runs on them.
//!
//! The books don't agree with it: nothing is audited here.

use crate::populated_ledger::PopulatedLedger;
use crate::population::tidy;
use rusqlite::Connection;
use serde_json::json;
use tokio_postgres::NoTls;

/// Plans, which the ledger makes itself.
const PLANS: u32 = 20;

/// Fills it for as many accounts as it has; with a million of them it gets ten million rows of usage.
pub async fn fill(ledger: &mut PopulatedLedger) {
    for number in 0..PLANS {
        let plan = json!({"name": format!("plan-{number}"), "quota": "1000", "period": "month"});
        ledger.ledger.post("/admin/v1/plans", plan).await;
    }
    let endpoint = json!({"url": "https://example.com/faregate", "events": ["subscription.unpaid"]});
    ledger.ledger.post("/admin/v1/webhooks", endpoint).await;
    ledger.ledger.process.stop();
    let now_minute = i64::try_from(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs()
            / 60,
    )
    .expect("a minute");
    match ledger.url() {
        None => {
            let conn = Connection::open(ledger.file()).expect("the ledger's file");
            conn.pragma_update(None, "synchronous", "OFF").expect("a setting");
            conn.pragma_update(None, "cache_size", -1024 * 1024).expect("a setting");
            for statement in statements(ledger.accounts(), now_minute, Order::ByAccount) {
                conn.execute_batch(&format!("BEGIN; {statement}; COMMIT"))
                    .unwrap_or_else(|why| panic!("{why}: {statement}"));
            }
            let home = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
            assert_eq!(home, Ok(0), "the write-ahead log is brought home");
        }
        Some(url) => {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a connection");
            let connection = tokio::spawn(connection);
            client.batch_execute("SET synchronous_commit = off").await.expect("a setting");
            for statement in statements(ledger.accounts(), now_minute, Order::ByTime) {
                client.batch_execute(&statement).await.unwrap_or_else(|why| panic!("{why:?}: {statement}"));
            }
            tidy(&client).await;
            drop(client);
            connection.await.expect("no panic").expect("an orderly end");
        }
    }
    ledger.start_again().await;
}

/// In which order rows come: that of the primary key, or that in which a server would have got them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    ByAccount,
    ByTime,
}

/// Numbers from 0 on, as `v`, and statements over them.
fn numbers(count: u32) -> String {
    format!(
        "WITH RECURSIVE n (v) AS (SELECT CAST(0 AS bigint) UNION ALL SELECT v + 1 FROM n WHERE v < {count} - 1)"
    )
}

/// So many rows of usage of each of these accounts, each `apart` minutes after the one before.
fn usage(accounts: u32, each: u32, apart: u32, span: u32, ends: i64, order: Order) -> String {
    let count = accounts * each;
    // SQLite has the table in the order of the key.
    let (account, nth) = match order {
        Order::ByAccount => (format!("v / {each}"), format!("v % {each}")),
        Order::ByTime => (format!("v % {accounts}"), format!("v / {accounts}")),
    };
    // Of an hour or a day, its first minute.
    let minute =
        format!("({ends} - ({nth}) * {apart} * {span} - (({account}) % {apart}) * {span}) / {span} * {span}");
    format!(
        "{} INSERT INTO usage (account, minute, key, rule, requests, credits, refunds, product)
         SELECT 1 + {account}, {minute}, 1 + {account}, 'rule-' || (v % 3), 1 + v % 9, (1 + v % 9) * 1000000, 0, 'chat' FROM n",
        numbers(count)
    )
}

fn statements(accounts: u32, minute: i64, order: Order) -> Vec<String> {
    let (hour, now_ms) = (minute / 60, minute * 60_000);
    let (day_accounts, week_accounts) = (accounts / 5, accounts / 2);
    let flag = |is: bool| match (order, is) {
        (Order::ByAccount, is) => i64::from(is).to_string(),
        (Order::ByTime, is) => is.to_string(),
    };
    let no = flag(false);
    vec![
        format!(
            "UPDATE accounts SET name = CASE WHEN no % 3 <> 0 THEN 'Company ' || no || ' Ltd' END,
               state = CASE WHEN no < 5000 THEN 'active' WHEN no % 50 = 7 THEN 'suspended' WHEN no % 100 = 9 THEN 'closed' ELSE 'active' END,
               plan = CASE WHEN no % 10 < 3 THEN 'plan-' || (no % {PLANS}) END,
               available = CASE WHEN no < 5000 THEN available ELSE (no * 7919 % 1000) * 1000000 END"
        ),
        format!(
            "INSERT INTO subscriptions (no, id, account, plan, version, state, starts_ms, anchor_ms, period_ms, granted_ms, given, due_ms, created_ms)
             SELECT no, 'sub_bench_' || no, no, 1 + no % {PLANS}, 1, 'active', 0, 0, {now_ms} - 86400000, 0, 1,
               {now_ms} + 864000000 + no % 1000000, 0 FROM accounts WHERE no % 10 < 3"
        ),
        // The last day by the minute, and before it by the hour and by the day.
        usage(day_accounts, 20, 71, 1, minute - 1, order),
        usage(week_accounts, 8, 70, 60, minute - 26 * 60, order),
        usage(accounts, 2, 3, 1_440, minute - 25 * 1_440, order),
        // One that is always busy: ten keys and three rules in every minute of three days.
        format!(
            "{} INSERT INTO usage (account, minute, key, rule, requests, credits, refunds, product)
             SELECT {accounts}, {minute} - 1 - v / 30, {accounts} - v % 10, 'busy-' || (v / 10 % 3), 5, 5000000, 0, 'chat' FROM n",
            numbers(129_600)
        ),
        "INSERT INTO usage_items (account, minute, key, rule, item, basis, requests, credits, costed_requests, costed_credits, cost)
         SELECT account, minute, key, rule, 'model-' || (account % 40), 'reported', requests, credits, requests, credits, credits / 2
         FROM usage WHERE account % 5 = 0"
            .to_owned(),
        format!(
            "{} INSERT INTO refusals (account, hour, key, rule, code, requests)
             SELECT 1 + v % 50000, {hour} - v / 50000 * 7, 1 + v % 50000, 'rule-1',
               CASE v % 3 WHEN 0 THEN 'insufficient_funds' WHEN 1 THEN 'rate_limited' ELSE 'key_expired' END, 3 FROM n",
            numbers(500_000)
        ),
        format!(
            "{} INSERT INTO events (account, seq, id, kind, data, created_ms)
             SELECT 1 + v % {accounts}, 1000 + v / {accounts}, 'event_bench_' || v,
               CASE v % 4 WHEN 0 THEN 'grant.given' ELSE 'balance.low' END, '{{}}', {now_ms} - v * 1000 FROM n",
            numbers(1_000_000)
        ),
        format!(
            "INSERT INTO deliveries (webhook, account, seq, state, attempts, next_ms, created_ms)
             SELECT 1, account, seq, 'delivered', 1, created_ms, created_ms FROM events WHERE created_ms > {now_ms} - 300000000"
        ),
        format!(
            "{} INSERT INTO trail (created_ms, operator, peer, command, account, idempotency_key, after)
             SELECT {now_ms} - (300000 - v) * 1000, 'operator-' || (v % 5), '127.0.0.1', 'give_grant', 'bench-' || (1 + v % 3000), 'k' || v, '{{}}' FROM n",
            numbers(300_000)
        ),
        format!(
            "{} INSERT INTO shadow (account, minute, key, rule, code, requests)
             SELECT 1 + v % 20000, {minute} - v / 20000 * 61, 1 + v % 20000, 'rule-2', 'insufficient_funds', 2 FROM n",
            numbers(200_000)
        ),
        format!("{} INSERT INTO gateways (no, name) SELECT 1000 + v, 'gateway-' || v FROM n", numbers(50)),
        format!(
            "{} INSERT INTO leases (gateway, key, account, epoch, state, granted, spent, returned, held, draws, escrow, on_credit,
               recall, fast_heartbeat, touch, changed_ms)
             SELECT 1000 + v % 50, {accounts} - v, {accounts} - v, 1, 'open', 1000000 + v, 0, 0, 0, '[]', 1000000 + v, 0, {no}, {no}, 1, {now_ms} FROM n",
            numbers((accounts / 10).max(1))
        ),
    ]
}
