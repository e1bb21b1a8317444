//! Stories about rules that only watch.

use super::*;
use faregate_protocol::exchange::RefusalLine;

fn watched(payer: Option<&str>, code: RefusalCode, requests: u64) -> RefusalLine {
    RefusalLine { payer: payer.map(str::to_owned), rule: "beta".into(), code, requests }
}

impl World {
    async fn watch(&self, gateway: &str, seq: u64, shadow: Vec<RefusalLine>) {
        let usage =
            Some(UsageReport { broker: "b1".into(), seq, lines: vec![], shadow, ..UsageReport::default() });
        let (gateway, entries) = (gateway.to_owned(), vec![]);
        let request =
            ExchangeRequest { protocol: VERSION, gateway, seen: None, entries, usage, models: vec![] };
        let answer = self.store.exchange(request, self.now(), TTL_MS).await.unwrap();
        assert_eq!(answer.usage_seq, Some(seq));
    }

    async fn watched(&self, account: Option<&str>, since: Option<Timestamp>, limit: usize) -> api::Shadow {
        let query = ShadowQuery { account: account.map(str::to_owned), since, limit };
        self.store.shadow(query).await.unwrap()
    }
}

/// A line in short: account, key, code, requests.
fn short(line: &api::ShadowLine) -> (Option<&str>, Option<&str>, &str, u64) {
    assert_eq!(line.rule, "beta");
    (line.account.as_deref(), line.key.as_deref(), &line.code, line.requests)
}

pub async fn shadow_refusals_are_listed_by_caller_and_cause(mut world: World) {
    use RefusalCode::{InsufficientFunds, InvalidKey, MissingKey, RateLimited};
    let (acme, other) = (world.customer("acme").await, world.customer("other").await);
    let start = world.now();
    let first = vec![
        watched(Some(&acme), InsufficientFunds, 2),
        watched(Some(&acme), RateLimited, 4),
        watched(None, MissingKey, 3),
    ];
    for _ in 0..2 {
        world.watch("a", 1, first.clone()).await;
    }
    world.second += 300;
    let second = vec![
        watched(Some(&acme), InsufficientFunds, 5),
        watched(Some(&other), InsufficientFunds, 1),
        watched(Some("key_nobody"), InvalidKey, 1),
        watched(None, InvalidKey, 1),
    ];
    world.watch("b", 1, second).await;

    let all = world.watched(None, None, 10).await;
    let expected = [
        (Some("acme"), Some(acme.as_str()), "insufficient_funds", 7),
        (Some("acme"), Some(acme.as_str()), "rate_limited", 4),
        (None, None, "missing_key", 3),
        (None, None, "invalid_key", 2),
        (Some("other"), Some(other.as_str()), "insufficient_funds", 1),
    ];
    assert_eq!(all.lines.iter().map(short).collect::<Vec<_>>(), expected, "the most first, each report once");
    assert_eq!(all.total, api::ShadowTotal { lines: 5, requests: 17 });
    let seen = |at: Timestamp| Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap();
    let times = (all.lines[0].first_seen, all.lines[0].last_seen);
    assert_eq!(times, (seen(start), seen(world.now())));

    let few = world.watched(None, None, 2).await;
    assert_eq!((few.lines.len(), few.total), (2, all.total), "what is not listed counts");
    let hers = world.watched(Some("acme"), None, 10).await;
    assert_eq!(hers.lines, all.lines[..2]);
    let late = world.watched(Some("acme"), Some(world.now()), 10).await;
    let expected = [(Some("acme"), Some(acme.as_str()), "insufficient_funds", 5)];
    assert_eq!(late.lines.iter().map(short).collect::<Vec<_>>(), expected);
    let stranger = ShadowQuery { account: Some("stranger".into()), since: None, limit: 1 };
    let answer = world.store.shadow(stranger).await;
    assert!(matches!(answer, Err(StoreError::Refused(Refusal::NotFound { .. }))), "{answer:?}");
    assert_eq!(world.balance("acme").await, [0; 5], "it is no money");
    world.assert_audit_passes().await;
    let metrics = world.store.metrics.text();
    for line in ["{code=\"insufficient_funds\"} 8", "{code=\"missing_key\"} 3", "{code=\"invalid_key\"} 2"] {
        assert!(metrics.contains(&format!("faregate_shadow_refusals_total{line}")), "{line}: {metrics}");
    }
}

pub async fn shadow_refusals_are_deleted_after_a_month(mut world: World) {
    let key = world.customer("acme").await;
    let lines =
        || vec![watched(Some(&key), RefusalCode::RateLimited, 1), watched(None, RefusalCode::MissingKey, 1)];
    world.watch("a", 1, lines()).await;
    world.second += 29 * 86_400;
    world.watch("a", 2, lines()).await;
    world.store.prune(world.now()).await.unwrap();
    assert_eq!(world.watched(None, None, 10).await.total.requests, 4);
    world.second += 2 * 86_400;
    while world.store.prune(world.now()).await.unwrap() > 0 {}
    assert_eq!(world.watched(None, None, 10).await.total.requests, 2, "the younger ones stay");
}
