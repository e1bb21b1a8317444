//! Lists by what operators look for, on both databases, and that none of them walks over all there is.

use super::super::{Reader, accounts, balance, get, grants, keys};
use super::FURNITURE;
use crate::api::{AccountState, GrantKind};
use crate::store::postgres::testing::Server;
use crate::store::value::Value;
use crate::store::{AccountQuery, Database, Page, Store, postgres};
use faregate_protocol::Credits;
use jiff::Timestamp;
use std::sync::Arc;

const DAY_MS: i64 = 86_400_000;
const NOW_MS: i64 = 1_800_000_000_000;

fn now() -> Timestamp {
    Timestamp::from_millisecond(NOW_MS).unwrap()
}

fn in_days(days: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(NOW_MS + days * DAY_MS).ok()
}

fn page(limit: usize, after: Option<&str>) -> Page {
    Page { limit, after: after.map(str::to_owned) }
}

async fn found(reader: &impl Reader, query: AccountQuery) -> (Vec<String>, Option<String>) {
    let found = accounts::page(reader, &query).await.unwrap();
    (found.accounts.into_iter().map(|account| account.id).collect(), found.next)
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_found_by_name_plan_state_balance_and_what_is_due() {
    let due = |days: i64| NOW_MS + days * DAY_MS;
    let renews = |days: i64| {
        format!("'{{\"plan\":\"pro\",\"status\":\"good\",\"renews_at\":\"{}\"}}'", in_days(days).unwrap())
    };
    let rows = format!(
        "UPDATE accounts SET name = '\u{c4}rzte & Co', available = 5, state = 'suspended' WHERE no = 1;
         INSERT INTO accounts (no, id, name, state, plan, entitlement, available, due_ms, created_ms) VALUES
           (3, 'c', 'Acme Inc.', 'active', 'pro', {}, 900, {}, 0), (4, 'd', 'A 100% _name_', 'active', 'pro', {}, 7, {}, 0),
           (5, 'acme-2', NULL, 'closed', NULL, NULL, 0, NULL, 0), (6, 'e', NULL, 'active', 'pro', NULL, 9, {}, 0);
         INSERT INTO plans (no, name, version, at_once, created_ms) VALUES (1, 'pro', 1, 0, 0);
         INSERT INTO subscriptions (no, id, account, plan, version, state, starts_ms, anchor_ms, cancels_ms, granted_ms, given, due_ms,
           created_ms) VALUES (1, 'sub_e', 6, 1, 1, 'active', 0, 0, {}, 0, 0, {}, 0);
         INSERT INTO grants (no, id, account, amount, remaining, priority, expires_ms, created_ms, subscription) VALUES
           (1, 'bought', 2, 9, 9, 100, {}, 0, NULL), (2, 'quota', 3, 9, 9, 50, {}, 0, 7), (3, 'used', 4, 9, 0, 100, {}, 0, NULL)",
        renews(3), due(3), renews(30), due(30), due(2), due(2), due(2), due(5), due(5), due(1)
    );
    on_both!(&rows, reader => {
        let all = || AccountQuery { page: page(9, None), ..AccountQuery::default() };
        let ids = async |query: AccountQuery| {
            let (ids, next) = found(reader, query).await;
            assert_eq!(next, None);
            ids.join(" ")
        };
        let named = |name: &str| AccountQuery { name: Some(name.into()), ..all() };
        assert_eq!(ids(all()).await, "a acme-2 b c d e");
        assert_eq!(ids(named("ACME")).await, "acme-2 c", "in the name or the identifier");
        assert_eq!(ids(named("\u{e4}rzte")).await, "a");
        assert_eq!(ids(named("0% _")).await, "d", "no wildcards");
        let of_plan = || AccountQuery { plan: Some("pro".into()), ..all() };
        assert_eq!(ids(of_plan()).await, "c d e");
        assert_eq!(ids(AccountQuery { plan: Some("none".into()), ..all() }).await, "");
        let state = |state| AccountQuery { state: Some(state), ..all() };
        assert_eq!(ids(state(AccountState::Active)).await, "b c d e");
        assert_eq!(ids(state(AccountState::Suspended)).await, "a");
        assert_eq!(ids(state(AccountState::Closed)).await, "acme-2");
        assert_eq!(ids(AccountQuery { state: Some(AccountState::Closed), ..of_plan() }).await, "");
        let below = |micros| AccountQuery { below: Some(Credits::from_micros(micros)), ..all() };
        assert_eq!(ids(below(8)).await, "a acme-2 b d");
        assert_eq!(ids(AccountQuery { below: below(8).below, ..of_plan() }).await, "d");
        let expiring = |days| AccountQuery { expiring_before: in_days(days), ..all() };
        assert_eq!(ids(expiring(6)).await, "b e", "neither a quota, nor what is used up");
        assert_eq!(ids(expiring(3)).await, "e");
        assert_eq!(ids(expiring(2)).await, "", "before, and not at");
        let renewing = |days| AccountQuery { renewing_before: in_days(days), ..all() };
        assert_eq!(ids(renewing(31)).await, "c d");
        assert_eq!(ids(renewing(4)).await, "c", "what ends doesn't renew");
        let both = AccountQuery { name: Some("acme".into()), ..renewing(4) };
        assert_eq!(ids(both).await, "c");
        let shown = accounts::one(reader, "c").await.unwrap();
        assert_eq!((shown.plan.as_deref(), shown.renews_at, shown.available.micros()), (Some("pro"), in_days(3), 900));
        let first = found(reader, AccountQuery { page: page(2, None), ..of_plan() }).await;
        assert_eq!(first, (vec!["c".into(), "d".into()], Some("d".into())));
        assert_eq!(found(reader, AccountQuery { page: page(2, Some("d")), ..of_plan() }).await, (vec!["e".into()], None));
    });
}

/// Twice as many accounts as one answer looks at, and some more; and as many keys.
const MANY: &str = "
    WITH RECURSIVE n (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM n WHERE n < 25099)
      INSERT INTO accounts (no, id, name, state, plan, available, created_ms)
      SELECT n, 'many-' || (100000 + n), CASE WHEN n = 25000 THEN 'The Needle' END,
        CASE WHEN n % 5000 = 0 THEN 'suspended' ELSE 'active' END, CASE WHEN n % 5000 = 1 THEN 'rare' END, 50, 0 FROM n;
    WITH RECURSIVE n (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM n WHERE n < 25099)
      INSERT INTO keys (no, id, account, subject, prefix, created_ms)
      SELECT n, 'key-' || (100000 + n), 1, 'many-' || n,
        'fg_live_00' || CASE WHEN n % 5000 = 0 THEN 'ab' ELSE 'xy' END || (10 + n % 90), 0 FROM n;
    ANALYZE;";

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_looks_at_a_limited_number_of_accounts() {
    on_both!(MANY, reader => {
        let named = |after: Option<&str>| {
            AccountQuery { page: page(5, after), name: Some("needle".into()), ..AccountQuery::default() }
        };
        let first = found(reader, named(None)).await;
        assert_eq!((first.0.len(), first.1.is_some()), (0, true), "there is more to look at");
        let second = found(reader, named(first.1.as_deref())).await;
        assert_eq!((second.0.len(), second.1.is_some()), (0, true));
        assert_eq!(found(reader, named(second.1.as_deref())).await, (vec!["many-125000".into()], None));

        // An index leaves the others out.
        let of_plan = AccountQuery { page: page(9, None), plan: Some("rare".into()), ..AccountQuery::default() };
        assert_eq!(found(reader, of_plan).await.0.len(), 5);
        let state = Some(AccountState::Suspended);
        let suspended = AccountQuery { page: page(9, None), state, ..AccountQuery::default() };
        assert_eq!(found(reader, suspended).await.0.len(), 5);
        let below = Some(Credits::from_micros(60));
        let poor = AccountQuery { page: page(3, None), below, ..AccountQuery::default() };
        assert_eq!(found(reader, poor).await.1.as_deref(), Some("many-100100"));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_found_by_how_they_begin() {
    on_both!(MANY, reader => {
        let find = async |text: &str, limit, after: Option<&str>| {
            let found = keys::beginning(reader, text, &page(limit, after), now()).await.unwrap();
            (found.keys.into_iter().filter_map(|key| key.prefix).collect::<Vec<_>>(), found.next)
        };
        let (first, next) = find("fg_live_00ab", 3, None).await;
        let (rest, end) = find("fg_live_00ab", 3, next.as_deref()).await;
        assert_eq!((first.len(), rest.len(), end), (3, 2, None));
        assert!(first.iter().chain(&rest).all(|prefix| prefix.starts_with("fg_live_00ab")));
        assert!([first, rest].concat().is_sorted());
        assert_eq!(find("fg_live_00AB", 3, None).await.0.len(), 0);
        assert_eq!(find("fg_live_00ac", 3, None).await.0.len(), 0);
        let (one, _) = find("fg_live_00xy10", 1_000, None).await;
        assert!(one.len() > 200 && one.iter().all(|prefix| prefix == "fg_live_00xy10"), "{}", one.len());
        let unknown = keys::beginning(reader, "fg_live_", &page(1, Some("none")), now()).await.unwrap_err();
        assert!(unknown.to_string().contains("after: is no key in this list"), "{unknown}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_operators_use_an_index_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let place = Database::Directory(dir.path().to_owned());
    Store::open(&place, Arc::default()).await.unwrap().close().await;
    let conn = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
    let time = Some(now());
    let queries = [
        (AccountQuery { name: Some("x".into()), ..AccountQuery::default() }, "sqlite_autoindex_accounts_1"),
        (
            AccountQuery { plan: Some("x".into()), expiring_before: time, ..AccountQuery::default() },
            "accounts_plan",
        ),
        (AccountQuery { state: Some(AccountState::Closed), ..AccountQuery::default() }, "accounts_state"),
        (
            AccountQuery {
                state: Some(AccountState::Active),
                renewing_before: time,
                ..AccountQuery::default()
            },
            "sqlite_autoindex_accounts_1",
        ),
    ];
    for (query, index) in queries {
        for sql in accounts::statements(&query) {
            let (explain, given) =
                (format!("EXPLAIN QUERY PLAN {sql}"), vec![Value::Number(0); sql_given(&sql)]);
            let plan = conn.rows(&explain, &given, |row| get::<String>(row, 3)).await.unwrap().join("\n");
            assert!(plan.contains(index), "{sql}\n{plan}");
            assert!(!plan.contains("SCAN g") && !plan.contains("SCAN s"), "{sql}\n{plan}");
        }
    }
}

/// How many values a statement is given.
fn sql_given(sql: &str) -> usize {
    (1..9).take_while(|n| sql.contains(&format!("?{n}"))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_says_what_it_is_made_of() {
    let rows = format!(
        "UPDATE accounts SET available = 137, held = 3, granted = 140, plan = 'pro' WHERE no = 1;
         UPDATE accounts SET available = 8, granted = 8 WHERE no = 2;
         INSERT INTO grants (no, id, account, amount, remaining, priority, expires_ms, created_ms, subscription) VALUES
           (1, 'g1', 1, 100, 80, 50, {later}, 0, 1), (2, 'g2', 1, 20, 20, 65535, {later}, 0, 1), (3, 'g3', 1, 10, 10, 100, NULL, 0, NULL),
           (4, 'g4', 1, 20, 20, 100, {NOW_MS}, 0, NULL), (5, 'g5', 1, 7, 7, 50, {NOW_MS}, 0, 1), (6, 'g6', 1, 9, 0, 100, NULL, 0, NULL),
           (7, 'g7', 2, 8, 8, 0, NULL, 0, NULL)",
        later = NOW_MS + 1
    );
    on_both!(&rows, reader => {
        let of = balance::of(reader, "a", now()).await.unwrap();
        let parts = [of.available, of.quota, of.bought, of.overdraft, of.held, of.expired].map(Credits::micros);
        assert_eq!((parts, of.plan.as_deref()), ([110, 80, 10, 20, 3, 27], Some("pro")), "what has expired is gone");
        let of = balance::of(reader, "b", now()).await.unwrap();
        assert_eq!([of.available, of.quota, of.bought, of.overdraft].map(Credits::micros), [8, 0, 8, 0]);

        let list = async |left, limit, after: Option<&str>| {
            let found = grants::page(reader, "a", &page(limit, after), left, now()).await.unwrap();
            (found.grants.into_iter().map(|grant| (grant.id, grant.kind)).collect::<Vec<_>>(), found.next)
        };
        assert_eq!(list(false, 9, None).await.0.len(), 6);
        let of = |id: &str, kind| (id.to_owned(), kind);
        let first = vec![of("g1", GrantKind::Quota), of("g2", GrantKind::Overdraft)];
        assert_eq!(list(true, 2, None).await, (first, Some("g2".into())));
        assert_eq!(list(true, 2, Some("g2")).await, (vec![of("g3", GrantKind::Bought)], None), "what is left");
    });
}
