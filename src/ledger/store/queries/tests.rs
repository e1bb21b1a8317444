//! What lists and looks for work give, on both databases.

use super::{Dialect, Reader, audit, jobs, keys, leases, shadow, sum, total, usage};
use crate::domain::{AccountNo, GatewayNo, KeyNo};
use crate::store::maintenance::KEPT;
use crate::store::postgres::testing::Server;
use crate::store::{Database, Page, ShadowQuery, Store, UsageQuery, postgres, sqlite};
use faregate_protocol::Credits;
use jiff::Timestamp;
use std::sync::Arc;

const MAX: i64 = i64::MAX;

/// Three accounts with two keys each, and what a test adds.
const FURNITURE: &str = "
    INSERT INTO accounts (no, id, state, created_ms) VALUES (1, 'a', 'active', 0), (2, 'b', 'active', 0);
    INSERT INTO keys (no, id, account, subject, created_ms) VALUES (1, 'k1', 1, 's1', 0), (2, 'k2', 1, 's2', 0),
      (3, 'k3', 1, 's3', 0), (4, 'k4', 2, 's4', 0);
    INSERT INTO gateways (no, name) VALUES (1, 'g1'), (2, 'g2');";

/// An empty database of each kind that is installed, filled by the same statements; a read on each.
macro_rules! on_both {
    ($sql:expr, $reader:ident => $read:expr) => {{
        let sql = [FURNITURE, $sql].concat();
        let dir = tempfile::tempdir().unwrap();
        let place = Database::Directory(dir.path().to_owned());
        Store::open(&place, Arc::default()).await.unwrap().close().await;
        let conn = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
        conn.execute_batch(&sql).unwrap();
        {
            let $reader = &conn;
            $read
        }
        if let Some(server) = Server::shared() {
            let settings = server.database().await;
            let place = Database::Server(Box::new(settings.clone()));
            Store::open(&place, Arc::default()).await.unwrap().close().await;
            let conn = postgres::copy::connect(&settings).await.unwrap();
            conn.batch_execute(&sql).await.unwrap();
            let $reader = &conn;
            $read
        }
    }};
}

mod console;
mod lists;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_last_page_has_no_next_cursor() {
    on_both!("", reader => {
        let page = async |limit, after: Option<&str>| {
            let page = Page { limit, after: after.map(str::to_owned) };
            let found = keys::page(reader, "a", &page, now()).await.unwrap();
            (found.keys.into_iter().map(|key| key.id).collect::<Vec<_>>().join(" "), found.next)
        };
        assert_eq!(page(3, None).await, ("k1 k2 k3".into(), None));
        assert_eq!(page(2, None).await, ("k1 k2".into(), Some("k2".into())));
        assert_eq!(page(2, Some("k2")).await, ("k3".into(), None));
        assert_eq!(page(2, Some("k3")).await, (String::new(), None));
        assert_eq!(page(2, Some("gone")).await, ("k1 k2".into(), Some("k2".into())), "from the beginning");
        let missing = keys::page(reader, "missing\0", &Page { limit: 1, after: None }, now()).await.unwrap_err();
        assert!(missing.to_string().contains("there is no account"), "{missing}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_usage_can_continue_within_a_minute() {
    let lines = "INSERT INTO usage (account, minute, key, rule, requests, credits, refunds) VALUES
        (1, 7, 1, 'x', 1, 10, 0), (1, 7, 1, 'y', 2, 20, 1), (1, 7, 2, 'a', 3, 30, 0), (1, 8, 1, 'a', 4, 40, 0)";
    on_both!(lines, reader => {
        let list = async |limit, after| {
            let query = UsageQuery { limit, after, ..UsageQuery::default() };
            let found = usage::list(reader, "a", &query).await.unwrap();
            assert_eq!((found.total.requests, found.total.credits.micros(), found.total.refunds), (10, 100, 1));
            (found.lines.iter().map(|line| line.requests).collect::<Vec<_>>(), found.next)
        };
        assert_eq!(list(1, None).await, (vec![1], Some("7:1:x".into())));
        assert_eq!(list(2, Some((7, 1, "x".into()))).await, (vec![2, 3], Some("7:2:a".into())));
        assert_eq!(list(1, Some((7, 2, "a".into()))).await, (vec![4], None));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_saturate_at_the_integer_maximum_and_are_exact_below() {
    let lines = format!(
        "INSERT INTO usage (account, minute, key, rule, requests, credits, refunds) VALUES
           (1, 7, 1, 'x', {MAX}, {}, 1), (1, 7, 1, 'y', {MAX}, 2, 2), (2, 7, 4, 'x', 1, {}, 0), (2, 7, 4, 'y', 1, 1, 0);
         INSERT INTO shadow (account, minute, key, rule, code, requests) VALUES
           (1, 7, 1, 'x', 'rate', {MAX}), (1, 8, 1, 'x', 'rate', {MAX}), (1, 7, 1, 'y', 'rate', 5), (0, 7, 0, 'y', 'rate', 9)",
        MAX - 3,
        MAX - 2
    );
    on_both!(&lines, reader => {
        let query = UsageQuery { limit: 9, ..UsageQuery::default() };
        let of_a = usage::list(reader, "a", &query).await.unwrap().total;
        let most = u64::try_from(MAX).unwrap();
        assert_eq!((of_a.requests, of_a.credits.micros(), of_a.refunds), (most, MAX - 1, 3));
        let of_b = usage::list(reader, "b", &query).await.unwrap().total;
        assert_eq!((of_b.requests, of_b.credits.micros()), (2, MAX - 1));

        let found = shadow::list(reader, &ShadowQuery { limit: 2, ..ShadowQuery::default() }).await.unwrap();
        let lines = found.lines.iter().map(|line| line.requests);
        assert_eq!(lines.collect::<Vec<_>>(), [most, 9], "the largest first");
        assert_eq!((found.total.lines, found.total.requests), (3, most));
        let of_a = ShadowQuery { account: Some("a".into()), limit: 9, ..ShadowQuery::default() };
        assert_eq!(shadow::list(reader, &of_a).await.unwrap().total.lines, 2);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_exact_or_saturate() {
    on_both!("", reader => {
        for (values, expected) in [
            (vec![999_999_999, 1], 1_000_000_000),
            (vec![MAX, MAX, -MAX], MAX),
            (vec![-1, -999_999_999, -1], -1_000_000_001),
            (vec![MAX, 1], MAX),
            (vec![i64::MIN + 1, -5], i64::MIN),
        ] {
            let rows = values.iter().map(|value| format!("SELECT CAST({value} AS bigint) AS n"));
            let rows = rows.collect::<Vec<_>>().join(" UNION ALL ");
            let sql = format!("SELECT {} FROM ({rows}) r", sum("n"));
            assert_eq!(reader.rows(&sql, &[], |row| total(row, 0)).await.unwrap(), [expected], "{values:?}");
        }
    });
}

/// A lease that nothing was said about since a touch.
fn lease(gateway: i64, key: i64, state: &str, touch: i64) -> String {
    format!(
        "INSERT INTO leases (gateway, key, account, epoch, state, granted, spent, returned, held, draws, escrow, on_credit,
           recall, fast_heartbeat, touch, changed_ms) VALUES ({gateway}, {key}, 1, 1, '{state}', 0, 0, 0, 0, '[]', 0, 0, FALSE, FALSE,
           {touch}, 0);"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_leases_are_found_window_by_window() {
    let rows = [
        lease(1, 1, "open", 5),
        lease(1, 2, "open", 6),
        lease(1, 3, "ended", 1),
        lease(2, 1, "open", 1),
        lease(2, 2, "open", 9),
    ];
    on_both!(&rows.concat(), reader => {
        let begin = (GatewayNo(0), KeyNo(0));
        let look = async |after, window| {
            let found = jobs::silent(reader, after, window, 5).await.unwrap();
            let silent = found.leases.iter().map(|(gateway, key, account)| (gateway.0, key.0, account.0));
            (found.next.map(|(gateway, key)| (gateway.0, key.0)), silent.collect::<Vec<_>>())
        };
        assert_eq!(look(begin, 2).await, (Some((1, 2)), vec![(1, 1, 1)]));
        assert_eq!(look((GatewayNo(1), KeyNo(2)), 2).await, (Some((2, 1)), vec![(2, 1, 1)]));
        assert_eq!(look((GatewayNo(2), KeyNo(1)), 2).await, (None, vec![]), "the end");
        assert_eq!(look(begin, 5).await.0, Some((2, 2)), "there may be more");
        assert_eq!(look((GatewayNo(2), KeyNo(2)), 5).await, (None, vec![]));
        assert_eq!(look(begin, 6).await, (None, vec![(1, 1, 1), (2, 1, 1)]));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn due_grants_and_keys_are_found_up_to_a_limit() {
    let rows = "INSERT INTO grants (no, id, account, amount, remaining, priority, expires_ms, created_ms) VALUES
          (1, 'x', 1, 9, 0, 1, 5, 0), (2, 'y', 1, 9, 9, 1, 5, 0), (3, 'z', 1, 9, 9, 1, 6, 0), (4, 'w', 2, 9, 9, 1, 7, 0);
        UPDATE keys SET expires_ms = 5 WHERE no < 3; UPDATE keys SET expiry_announced = TRUE WHERE no = 1";
    on_both!(rows, reader => {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let due = async |ms, limit| jobs::due_grants(reader, at(ms), limit).await.unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(due(4, 9).await, []);
        assert_eq!(due(7, 2).await, [AccountNo(1)]);
        assert_eq!(due(7, 3).await, [AccountNo(1), AccountNo(2)]);
        assert_eq!(jobs::due_keys(reader, at(5), 9).await.unwrap(), [(KeyNo(2), AccountNo(1))]);
        assert_eq!(jobs::due_keys(reader, at(4), 9).await.unwrap(), []);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_reports_the_same_problems_on_both_databases() {
    // What was given and spent again goes beyond an integer on its way, and agrees. The rest doesn't.
    let rows = [
        &format!(
            "INSERT INTO entries (account, minute, kind, key, gateway, epoch, grant_no, amount) VALUES
               (2, 1, 1, 0, 0, 0, 0, {MAX}), (2, 1, 2, 4, 1, 1, 0, {MAX}), (2, 1, 4, 4, 1, 1, 0, {MAX}),
               (2, 2, 2, 4, 1, 1, 0, {MAX}), (2, 2, 3, 4, 1, 1, 0, {MAX}), (9, 1, 1, 0, 0, 0, 0, 5),
               (1, 1, 1, 0, 0, 0, 1, 7000000);
             UPDATE accounts SET granted = {MAX}, spent = {MAX} WHERE no = 2;
             UPDATE accounts SET granted = 7000000, available = 6000000, holders = 3, budgets = 1 WHERE no = 1;
             INSERT INTO grants (no, id, account, amount, remaining, priority, created_ms) VALUES (1, 'x', 1, 9000000, 8000000, 1, 0);
             INSERT INTO budgets (account, scope, target, credits, unit, every, zone, period_ms, until_ms, spent, held,
               created_ms) VALUES (1, 'key', 1, 5, 'day', 1, 'UTC', 0, 1, 0, 0, 0), (1, 'key', 2, 5, 'day', 1, 'UTC', 0, 1, 0, 0, 0);"
        ),
        lease(1, 1, "open", 5).as_str(),
        "UPDATE leases SET escrow = 2000000, draws = '[[1,1500000],[2,1000000]]';",
    ]
    .concat();
    on_both!(&rows, reader => {
        let audit = audit::audit(reader).await.unwrap();
        let found = audit.problems.iter().map(|problem| {
            let account = problem.account.as_deref().unwrap_or("-");
            format!("{account}: {}: {}, {}", problem.what, problem.expected, problem.found)
        });
        assert_eq!((audit.accounts, audit.entries), (2, 7));
        assert_eq!(found.collect::<Vec<_>>(), [
            "a: the account's available credits: 7, 6",
            "a: granted + owed = available + held + spent + expired + voided: 6, 7",
            "-: entries of an account that doesn't exist (account number 9): 0.000005, 0",
            "a: what remains of a grant (x): 7, 8",
            "a: what a lease holds (key 1 on gateway 1, epoch 1): 0, 2",
            "a: what a lease has drawn from grants (key 1 on gateway 1): 2.5, 2",
            "a: the number of leases with money in them (leases): 1, 3",
            "a: what a budget holds (key 1): 2, 0",
            "a: the number of budgets (budgets): 2, 1",
        ]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_corrections_that_took_or_gave_something_else() {
    let rows = "INSERT INTO grants (no, id, account, amount, remaining, priority, created_ms, voided, voiding, voiding_owed)
          VALUES (1, 'x', 1, 9000000, 0, 1, 0, 5000000, 1000000, 2000000);
        INSERT INTO corrections (no, id, account, grant_no, kind, amount, taken, pending, owed, created_ms) VALUES
          (1, 'c', 1, 1, 'void', -9000000, 6000000, 3000000, 0, 0),
          (2, 'd', 1, 1, 'adjustment', 4000000, 0, 0, 0, 0);
        UPDATE accounts SET voided = 5000000, voiding = 1000000 WHERE no = 1";
    on_both!(rows, reader => {
        let problems = audit::audit(reader).await.unwrap().problems;
        let found = problems.iter().map(|problem| format!("{}: {}, {}", problem.what, problem.expected, problem.found));
        assert_eq!(found.collect::<Vec<_>>(), [
            "the account's voided credits: 0, 5",
            "granted + owed = available + held + spent + expired + voided: 5, 0",
            "what was taken back of a grant (x): 0, 5",
            "what is to be taken back of the account's grants: 2, 1",
            "what the account's corrections took: 6, 5",
            "what the account's corrections gave: 4, 0",
        ]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_shows_sums_larger_than_an_integer_exactly() {
    let rows = format!(
        "INSERT INTO entries (account, minute, kind, key, gateway, epoch, grant_no, amount) VALUES
           (1, 1, 1, 0, 0, 0, 0, {MAX}), (1, 2, 1, 0, 0, 0, 0, {MAX});
         UPDATE accounts SET granted = {MAX}, owed = 1, available = {MAX}, spent = 1 WHERE no = 1"
    );
    on_both!(&rows, reader => {
        let problems = audit::audit(reader).await.unwrap().problems;
        let found: Vec<_> = problems.iter().map(|problem| (problem.what.as_str(), problem.expected.as_str())).collect();
        let twice = "18446744073709551614 millionths";
        assert!(found.contains(&("the account's issued credits", twice)), "{found:?}");
        let beyond = ("granted + owed, beyond which nothing can be booked", "9223372036854775808 millionths");
        assert!(found.contains(&beyond), "{found:?}");
        assert!(!found.iter().any(|(what, _)| what.starts_with("granted + owed =")), "{found:?}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn open_leases_are_listed_for_all_gateways_or_for_one() {
    let rows = [lease(1, 1, "open", 5), lease(2, 2, "open", 6), lease(2, 3, "ended", 1)].concat();
    let rows = [&rows, "UPDATE leases SET escrow = key * 10"].concat();
    on_both!(&rows, reader => {
        let list = async |gateway| {
            let (leases, at_risk) = leases::list(reader, gateway).await.unwrap();
            (leases.into_iter().map(|(lease, touch)| (lease.key, touch)).collect::<Vec<_>>(), at_risk.micros())
        };
        assert_eq!(list(None).await, (vec![("k2".into(), 6), ("k1".into(), 5)], 30));
        assert_eq!(list(Some("g1")).await, (vec![("k1".into(), 5)], 10));
        assert_eq!(leases::at_risk(reader).await.unwrap(), (2, Credits::from_micros(30)));
    });
}

#[test]
fn each_database_has_its_own_delete_statement() {
    let of = |table: &str, dialect| {
        let begin = format!("DELETE FROM {table} ");
        KEPT.iter().map(|kept| kept.delete(dialect)).find(|sql| sql.starts_with(&begin)).unwrap()
    };
    assert_eq!(
        of("changes", Dialect::Sqlite),
        "DELETE FROM changes WHERE (seq) IN (SELECT seq FROM changes WHERE created_ms < ?1 LIMIT ?2)"
    );
    assert_eq!(
        of("brokers", Dialect::Postgres),
        "DELETE FROM brokers WHERE (gateway, broker) IN (SELECT gateway, broker FROM brokers WHERE heard_ms < $1 LIMIT $2 \
         FOR UPDATE SKIP LOCKED)"
    );
}

#[test]
fn due_rows_are_found_by_index() {
    let mut conn = rusqlite::Connection::open_in_memory().unwrap();
    sqlite::migrate::migrate(&mut conn).unwrap();
    let plan = |sql: &str| {
        let mut explain = conn.prepare(&["EXPLAIN QUERY PLAN ", sql].concat()).unwrap();
        let steps = explain.query_map([], |row| row.get::<_, String>("detail")).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    let due = "SELECT no FROM keys WHERE expires_ms IS NOT NULL AND NOT expiry_announced AND expires_ms <= 5";
    assert!(plan(due).contains("keys_expiry"), "{}", plan(due));
    let lapsed = "SELECT account FROM grants WHERE expires_ms IS NOT NULL AND live AND expires_ms <= 5";
    assert!(plan(lapsed).contains("grants_expiry"), "{}", plan(lapsed));
    let fast_heartbeat =
        format!("SELECT 1 FROM leases WHERE gateway = 1 AND {}", Dialect::Sqlite.is_set("fast_heartbeat"));
    assert!(plan(&fast_heartbeat).contains("leases_fast_heartbeat"), "{}", plan(&fast_heartbeat));
}
