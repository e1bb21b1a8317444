//! The picture in the README: the console of a ledger that has sold for a week.

use super::{SOON, operator};
use harness::{Clients, LedgerProcess, eventually, project};
use rusqlite::{Connection, params};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// Accounts, what a request of each costs in credits, and how busy it is.
const CUSTOMERS: [(&str, &str, i64, i64); 5] = [
    ("acme", "Acme Ltd", 3, 40),
    ("globex", "Globex", 2, 55),
    ("hooli", "Hooli", 5, 18),
    ("initech", "Initech", 1, 70),
    ("umbrella", "Umbrella Corp.", 4, 9),
];
/// So many hours are filled.
const HOURS: i64 = 8 * 24;

/// What is missing in the README's first screen is found here; `make console-picture` takes the picture that is in it.
#[tokio::test(flavor = "multi_thread")]
async fn the_readme_shows_the_console() {
    let readme = std::fs::read_to_string(project().join("README.md")).expect("the README");
    let first_screen: Vec<&str> = readme.lines().take(20).collect();
    assert!(first_screen.iter().any(|line| line.contains("(docs/console.png)")), "{first_screen:#?}");
    let Some(clients) = Clients::installed() else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    for (number, (id, name, ..)) in (1_i64..).zip(CUSTOMERS) {
        ledger.account(id, &format!("{}", 9_000 * number)).await;
        ledger.post(&format!("/admin/v1/accounts/{id}/rename"), json!({"name": name})).await;
    }
    ledger.process.stop();
    a_week_of_usage(&Connection::open(dir.path().join("ledger/ledger.db")).expect("the ledger's file"));
    ledger.restart().await;
    eventually("the usage is summed up", SOON, async || {
        ledger.get("/admin/v1/usage/sums").await["total"]["requests"].as_i64() > Some(10_000)
    })
    .await;
    let taken = dir.path().join("console.png");
    let base = format!("http://127.0.0.1:{}", ledger.admin_port);
    let token = operator(&ledger, "alice", "admin").await;
    let path = taken.to_str().expect("a path");
    let more = [("BASE", base.as_str()), ("TOKEN", &token), ("PICTURE", path)];
    let seen = tokio::task::block_in_place(|| clients.drive("console_picture.mjs", &more));
    assert!(seen["refused"].as_str().is_some_and(|text| text.contains("rate_limited")), "{seen}");
    if let Some(kept) = std::env::var_os("FAREGATE_README_PICTURE") {
        std::fs::copy(&taken, kept).expect("a copy");
    }
}

/// Busy by day, calm by night, and a few refusals.
fn a_week_of_usage(ledger: &Connection) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let minute = i64::try_from(now / 60).expect("a minute");
    for (number, (id, _, price, busy)) in (0_i64..).zip(CUSTOMERS) {
        let (account, key): (i64, i64) = ledger
            .query_row(
                "SELECT a.no, k.no FROM accounts a JOIN keys k ON k.account = a.no WHERE a.id = ?1",
                [id],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .expect("an account with a key");
        for back in 0..HOURS {
            let at = minute - 1 - back * 60;
            // 0 to 12: how near noon it is.
            let near_noon = 12 - (at / 60 % 24 - 12).abs();
            let requests = busy * (2 + near_noon) + (at / 60 * 7 + number * 13) % (busy + 3);
            let credits = requests * price * 1_000_000;
            ledger
                .execute(
                    "INSERT INTO usage (account, minute, key, rule, requests, credits, refunds) VALUES (?1, ?2, ?3, 'search', ?4, ?5, 0)",
                    params![account, at, key, requests, credits],
                )
                .expect("a row");
        }
        for (code, refused) in [("rate_limited", 31 + number), ("insufficient_funds", 4 * number)] {
            ledger
                .execute(
                    "INSERT INTO refusals (account, hour, key, rule, code, requests) VALUES (?1, ?2, ?3, 'search', ?4, ?5)",
                    params![account, minute / 60 - number, key, code, refused],
                )
                .expect("a row");
        }
    }
}
