//! Accounts by the hundred thousand, each with a key and credits. They are written into the ledger's tables
//! while no ledger runs on them, because the admin API makes one at a time, as it should.
//!
//! What must hold: `faregate audit` agrees with what is there, and the keys are real ones.

use faregate_ledger::domain::key::FreshKey;
use faregate_protocol::{Credits, api_key};
use rusqlite::{Connection, params};
use std::ops::Range;
use std::path::Path;
use tokio_postgres::{Client, NoTls};

/// What every account is given: 10^6 credits.
const BALANCE: Credits = Credits::from_micros(1_000_000_000_000);
/// How many accounts are written at once.
const STEP: u32 = 50_000;

/// The key of an account, always the same one.
pub fn key(number: u32) -> FreshKey {
    let mut state = u64::from(number) + 1;
    let mut random = [0; api_key::SECRET_LEN];
    for byte in &mut random {
        // SplitMix64: enough to spread keys as real ones are.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        *byte = u8::try_from((mixed >> 32) % 248).expect("less than 248");
    }
    FreshKey::compose(&random).expect("bytes below 248")
}

/// The identifier of an account's key.
pub fn key_id(number: u32) -> String {
    format!("key_bench_{number}")
}

/// The range in steps.
fn steps(range: &Range<u32>) -> impl Iterator<Item = Range<u32>> + use<> {
    let end = range.end;
    range.clone().step_by(STEP as usize).map(move |from| from..end.min(from + STEP))
}

/// Writes these accounts into a ledger's SQLite file.
pub fn fill_sqlite(file: &Path, range: &Range<u32>) {
    let mut conn = Connection::open(file).expect("the ledger's file");
    conn.pragma_update(None, "synchronous", "OFF").expect("a setting");
    conn.pragma_update(None, "cache_size", -512 * 1024).expect("a setting");
    for step in steps(range) {
        let transaction = conn.transaction().expect("a transaction");
        write_sqlite(&transaction, step).expect("rows");
        transaction.commit().expect("a commit");
    }
    let home = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    assert_eq!(home, Ok(0), "the write-ahead log is brought home");
}

fn write_sqlite(conn: &Connection, range: Range<u32>) -> rusqlite::Result<()> {
    let amount = BALANCE.micros();
    let mut account = conn.prepare_cached(
        "INSERT INTO accounts (no, id, state, available, granted, created_ms)
         VALUES (?1, 'bench-' || ?1, 'active', ?2, ?2, 0)",
    )?;
    let mut credential = conn.prepare_cached(
        "INSERT INTO keys (no, id, account, hash, prefix, created_ms) VALUES (?1, ?2, ?1, ?3, ?4, 0)",
    )?;
    let mut grant = conn.prepare_cached(
        "INSERT INTO grants (no, id, account, amount, remaining, priority, created_ms)
         VALUES (?1, 'grant_bench_' || ?1, ?1, ?2, ?2, 100, 0)",
    )?;
    let mut entry = conn.prepare_cached(
        "INSERT INTO entries (account, minute, kind, key, gateway, epoch, grant_no, amount)
         VALUES (?1, 0, 1, 0, 0, 0, ?1, ?2)",
    )?;
    for number in range {
        let (no, key) = (number + 1, key(number));
        account.execute(params![no, amount])?;
        credential.execute(params![no, key_id(number), key.hash, key.prefix])?;
        grant.execute(params![no, amount])?;
        entry.execute(params![no, amount])?;
    }
    Ok(())
}

const POSTGRES: [&str; 3] = [
    "INSERT INTO accounts (no, id, state, available, granted, created_ms)
     SELECT no, 'bench-' || no, 'active', $3, $3, 0 FROM generate_series($1::bigint, $2::bigint) no",
    "INSERT INTO grants (no, id, account, amount, remaining, priority, created_ms)
     SELECT no, 'grant_bench_' || no, no, $3, $3, 100, 0 FROM generate_series($1::bigint, $2::bigint) no",
    "INSERT INTO entries (account, minute, kind, key, gateway, epoch, grant_no, amount)
     SELECT no, 0, 1, 0, 0, 0, no, $3 FROM generate_series($1::bigint, $2::bigint) no",
];
const POSTGRES_KEYS: &str = "INSERT INTO keys (no, id, account, hash, prefix, created_ms)
    SELECT no, id, no, hash, prefix, 0 FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[]) k (no, id, hash, prefix)";

/// Writes these accounts into a ledger's tables on PostgreSQL.
pub async fn fill_postgres(url: &str, range: &Range<u32>) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    let connection = tokio::spawn(connection);
    for step in steps(range) {
        let (first, last) = (i64::from(step.start) + 1, i64::from(step.end));
        let [accounts, grants, entries] = POSTGRES;
        let given: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&first, &last, &BALANCE.micros()];
        client.execute(accounts, &given).await.expect("accounts");
        let keys: Vec<FreshKey> = step.clone().map(key).collect();
        let numbers: Vec<i64> = (first..=last).collect();
        let ids: Vec<String> = step.map(key_id).collect();
        let hashes: Vec<&[u8]> = keys.iter().map(|key| key.hash.as_slice()).collect();
        let prefixes: Vec<&str> = keys.iter().map(|key| key.prefix.as_str()).collect();
        client.execute(POSTGRES_KEYS, &[&numbers, &ids, &hashes, &prefixes]).await.expect("keys");
        client.execute(grants, &given).await.expect("grants");
        client.execute(entries, &given).await.expect("entries");
    }
    tidy(&client).await;
    drop(client);
    connection.await.expect("no panic").expect("an orderly end");
}

/// Leaves a database as if the ledger had written the rows: numbers go on behind those that are taken.
pub async fn tidy(client: &Client) {
    let numbered = "SELECT table_name::text, column_name::text FROM information_schema.columns
        WHERE table_schema = current_schema() AND is_identity = 'YES'";
    for row in client.query(numbered, &[]).await.expect("columns") {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let next = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), coalesce(max({column}), 0) + 1, false) FROM {table}"
        );
        client.batch_execute(&next).await.expect("the next number");
    }
    for tidy in ["VACUUM ANALYZE", "CHECKPOINT"] {
        client.batch_execute(tidy).await.expect("a tidy database");
    }
}
