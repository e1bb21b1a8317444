//! Subscriptions by the hundred thousand, all due at the same second. The ledger itself makes one, for the first
//! account; its rows are copied for all others while no ledger runs, whatever columns they have.
//!
//! What must hold: all accounts were alike before, so that copies of the first one's rows are what the ledger would have written.

use crate::populated_ledger::PopulatedLedger;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio_postgres::NoTls;

/// What the plan gives per period, credits.
pub const QUOTA: u32 = 1_000;
/// A period.
const PERIOD: SignedDuration = SignedDuration::from_hours(1);

/// Subscribes all accounts. Their period ends at the time that is returned, at least so long after now as `spare`, all
/// of this done.
pub async fn subscribe(ledger: &mut PopulatedLedger, spare: Duration) -> Timestamp {
    let lead = SignedDuration::try_from(spare).expect("a short time");
    let due = Timestamp::from_second((Timestamp::now() + lead).as_second()).expect("a time");
    let plan = json!({"name": "bench", "quota": QUOTA.to_string(), "period": "hour", "overage": "refuse"});
    ledger.ledger.post("/admin/v1/plans", plan).await;
    let subscription = json!({"plan": "bench", "starts_at": (due - PERIOD).to_string()});
    ledger.ledger.post("/admin/v1/accounts/bench-1/subscription", subscription).await;
    ledger.ledger.process.stop();
    let began = Instant::now();
    match ledger.url() {
        None => copy_sqlite(ledger),
        Some(url) => copy_postgres(&url).await,
    }
    eprintln!("subscribed within {:?}", began.elapsed());
    ledger.start_again().await;
    assert!(Timestamp::now() < due, "the accounts took longer to be subscribed than {spare:?}");
    due
}

fn copy_sqlite(ledger: &PopulatedLedger) {
    let mut conn = Connection::open(ledger.file()).expect("the ledger's file");
    conn.pragma_update(None, "synchronous", "OFF").expect("a setting");
    conn.pragma_update(None, "cache_size", -512 * 1024).expect("a setting");
    let transaction = conn.transaction().expect("a transaction");
    for copy in COPIES {
        let columns = transaction
            .prepare("SELECT name FROM pragma_table_info(?1)")
            .and_then(|mut columns| columns.query_map([copy.table], |row| row.get(0))?.collect());
        let columns: Vec<String> = columns.expect("columns");
        transaction.execute_batch(&copy.statement(&columns)).expect("rows");
    }
    transaction.commit().expect("a commit");
    let home = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    assert_eq!(home, Ok(0), "the write-ahead log is brought home");
}

async fn copy_postgres(url: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    let connection = tokio::spawn(connection);
    for copy in COPIES {
        let columns = "SELECT column_name::text FROM information_schema.columns
            WHERE table_schema = current_schema() AND table_name = $1 AND is_generated = 'NEVER'";
        let columns = client.query(columns, &[&copy.table]).await.expect("columns");
        let columns: Vec<String> = columns.iter().map(|row| row.get(0)).collect();
        client.batch_execute(&copy.statement(&columns)).await.expect("rows");
    }
    crate::population::tidy(&client).await;
    drop(client);
    connection.await.expect("no panic").expect("an orderly end");
}

/// Rows of the first account that all others (`a`) get, too.
struct Copy {
    table: &'static str,
    /// What they have of their own: columns, and what is written there.
    own: &'static [(&'static str, &'static str)],
    /// Which rows of the table (`t`); none where the others' rows are there and only to be made alike.
    of: Option<&'static str>,
}

const COPIES: [Copy; 4] = [
    Copy { table: "accounts", own: &[("no", ""), ("id", "")], of: None },
    Copy {
        table: "subscriptions",
        own: &[("no", "a.no"), ("id", "'sub_bench_' || a.no"), ("account", "a.no")],
        of: Some("t.account = 1"),
    },
    Copy {
        table: "entries",
        own: &[("account", "a.no"), ("grant_no", "t.grant_no + a.no - 1")],
        of: Some("t.account = 1 AND t.grant_no IN (SELECT no FROM grants WHERE subscription IS NOT NULL)"),
    },
    Copy {
        table: "grants",
        own: &[
            ("no", "t.no + a.no - 1"),
            ("id", "'grant_bench_plan_' || a.no"),
            ("account", "a.no"),
            ("subscription", "a.no"),
        ],
        of: Some("t.account = 1 AND t.subscription IS NOT NULL"),
    },
];

impl Copy {
    fn statement(&self, columns: &[String]) -> String {
        let Self { table, own, of } = self;
        let is_own = |column: &str| own.iter().find(|(name, _)| *name == column).map(|(_, value)| *value);
        let Some(of) = of else {
            let alike: Vec<&str> =
                columns.iter().map(String::as_str).filter(|name| is_own(name).is_none()).collect();
            let alike = alike.join(", ");
            return format!(
                "UPDATE {table} SET ({alike}) = (SELECT {alike} FROM {table} WHERE no = 1) WHERE no > 1"
            );
        };
        let values: Vec<String> =
            columns.iter().map(|name| is_own(name).map_or(format!("t.{name}"), str::to_owned)).collect();
        format!(
            "INSERT INTO {table} ({}) SELECT {} FROM {table} t, accounts a WHERE {of} AND a.no > 1",
            columns.join(", "),
            values.join(", ")
        )
    }
}
