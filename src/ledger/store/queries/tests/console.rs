//! What the console shows, on both databases, and that none of it walks over all there is.

use super::super::overview::AccountWindow;
use super::super::{gateways, overview};
use super::FURNITURE;
use crate::store::postgres::testing::Server;
use crate::store::{Database, Page, Store, postgres};
use jiff::Timestamp;
use std::sync::Arc;

fn page(limit: usize, after: Option<&str>) -> Page {
    Page { limit, after: after.map(str::to_owned) }
}

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_near_their_end_are_those_that_spend_faster_than_they_can_go_on() {
    let rows = "UPDATE accounts SET available = 50, held = 10 WHERE no = 1;
        INSERT INTO accounts (no, id, state, available, created_ms) VALUES (3, 'c', 'active', 1000, 0),
          (4, 'd', 'suspended', 0, 0), (5, 'e', 'active', 9223372036854775807, 0);
        INSERT INTO usage (account, minute, key, rule, requests, credits, refunds) VALUES
          (1, 100, 1, 'x', 1, 30, 0), (1, 101, 1, 'x', 1, 30, 0), (2, 100, 4, 'x', 1, 1, 0), (3, 100, 1, 'x', 1, 300, 0),
          (4, 100, 1, 'x', 1, 9, 0), (5, 100, 1, 'x', 1, 9223372036854775807, 0), (5, 101, 1, 'x', 1, 9223372036854775807, 0),
          (3, 99, 1, 'x', 1, 9000, 0)";
    on_both!(rows, reader => {
        let found = async |since, times, limit| {
            let all = AccountWindow { after: 0, accounts: 9 };
            let (found, next) = overview::near_end(reader, all, minute(since), times, limit).await.unwrap();
            assert_eq!(next, None);
            found.iter().map(|line| format!("{} {} {}", line.id, line.left.micros(), line.spent.micros())).collect::<Vec<_>>()
        };
        let most = format!("e {} 9000000000000000000", i64::MAX);
        assert_eq!(found(100, 3, 9).await, ["b 0 1", &most, "a 60 60"]);
        assert_eq!(found(100, 3, 1).await, ["b 0 1"]);
        assert_eq!(found(100, 4, 9).await.len(), 4, "1000 is less than four times 300");
        assert_eq!(found(102, 3, 9).await, [""; 0]);
        let (mut after, mut by_window) = (0, Vec::new());
        loop {
            let window = AccountWindow { after, accounts: 2 };
            let (found, next) = overview::near_end(reader, window, minute(100), 3, 9).await.unwrap();
            by_window.extend(found.into_iter().map(|line| line.id));
            let Some(next) = next else { break };
            after = next;
        }
        by_window.sort();
        assert_eq!(by_window, ["a", "b", "e"], "window by window the same");
        let minutes = overview::usage_by_minute(reader, (99, 101)).await.unwrap();
        let minutes: Vec<_> = minutes.iter().map(|(at, total)| (*at, total.requests, total.credits.micros())).collect();
        assert_eq!(minutes, [(99, 1, 9_000), (100, 5, i64::MAX)]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_summed_up_by_code_and_gateways_by_what_they_hold() {
    let rows = "INSERT INTO refusals (account, hour, key, rule, code, requests) VALUES (1, 7, 1, 'x', 'insufficient_funds', 5),
          (1, 8, 2, 'y', 'insufficient_funds', 2), (2, 8, 4, 'x', 'insufficient_funds', 1), (2, 8, 4, 'x', 'rate_limited', 70),
          (2, 6, 4, 'x', 'key_expired', 9);
        INSERT INTO gateways (no, name, token) VALUES (3, 'a<b', 'eu');
        INSERT INTO brokers (gateway, broker, seq, heard_ms) VALUES (1, 'one', 1, 60000), (1, 'two', 1, 120000);
        INSERT INTO plans (no, name, version, at_once, created_ms) VALUES (1, 'pro', 1, 0, 0), (2, 'basic', 1, 0, 0);
        INSERT INTO subscriptions (no, id, account, plan, version, state, starts_ms, anchor_ms, granted_ms, given, created_ms) VALUES
          (1, 's1', 1, 1, 1, 'active', 0, 0, 0, 0, 0), (2, 's2', 2, 1, 1, 'cancelled', 0, 0, 0, 0, 0)";
    on_both!(rows, reader => {
        let refused = overview::refusals(reader, minute(7 * 60), 9).await.unwrap();
        let refused: Vec<_> = refused.iter().map(|line| (line.code.as_str(), line.requests, line.accounts)).collect();
        assert_eq!(refused, [("rate_limited", 70, 1), ("insufficient_funds", 8, 2)]);
        let (first, next) = gateways::page(reader, &page(2, None)).await.unwrap();
        let names: Vec<_> = first.iter().map(|gateway| (gateway.name.as_str(), gateway.token.as_deref())).collect();
        assert_eq!((names, next.as_deref()), (vec![("a<b", Some("eu")), ("g1", None)], Some("g1")));
        assert_eq!(first[1].reported_at, Some(minute(2)));
        assert_eq!((first[1].leases, first[1].at_risk.micros()), (0, 0));
        let (rest, next) = gateways::page(reader, &page(2, next.as_deref())).await.unwrap();
        assert_eq!((rest.len(), next), (1, None));
        let counts = overview::subscriptions(reader, &page(9, None)).await.unwrap();
        assert_eq!(counts, [("basic".to_owned(), 0), ("pro".to_owned(), 1)]);
    });
}
