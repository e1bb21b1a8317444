//! Stories about usage: when it is booked, how it is summed up, and what was refused.

use super::*;
use crate::domain::usage_periods::{Length, periods};
use faregate_protocol::exchange::RefusalLine;
use jiff::tz::TimeZone;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A whole hour of a whole day, long after 1970.
const MIDNIGHT: i64 = 1_800_000_000 - 1_800_000_000 % DAY;

impl World {
    /// Reports requests of one credit each, as of `ago_ms` ago.
    async fn report_usage(&self, seq: u64, ago_ms: u64, lines: &[(&str, &str, Option<&str>, u64)]) {
        let line = |&(payer, rule, product, requests): &(&str, &str, Option<&str>, u64)| UsageLine {
            payer: payer.into(),
            rule: rule.into(),
            requests,
            credits: credits(requests.cast_signed()),
            refunds: 0,
            item: None,
            basis: None,
            used: Quantities::default(),
            product: product.map(str::to_owned),
        };
        let lines = lines.iter().map(line).collect();
        self.report_as(UsageReport { broker: "b1".into(), seq, ago_ms, lines, ..UsageReport::default() })
            .await;
    }

    async fn report_as(&self, report: UsageReport) {
        let seq = report.seq;
        let request = ExchangeRequest {
            protocol: VERSION,
            gateway: "gw".into(),
            seen: None,
            entries: vec![],
            usage: Some(report),
            models: vec![],
        };
        let answer = self.store.exchange(request, self.now(), TTL_MS).await.unwrap();
        assert_eq!(answer.usage_seq, Some(seq));
    }

    async fn minutes(&self, account: &str) -> Vec<(i64, u64)> {
        let query = UsageQuery { limit: 1_000, ..UsageQuery::default() };
        let usage = self.store.usage(account.into(), query).await.unwrap();
        usage.lines.iter().map(|line| (line.minute.as_second(), line.requests)).collect()
    }

    /// Sums in short: the beginning of the period, the names of the groups, requests.
    async fn sums(
        &self,
        length: Option<Length>,
        since: i64,
        groups: &[UsageGroup],
        limit: usize,
        after: Option<(usize, usize)>,
    ) -> (Vec<(i64, Vec<String>, u64)>, u64, Option<String>) {
        let times = (Timestamp::from_second(since).unwrap(), self.now());
        let periods = match length {
            Some(length) => {
                periods(length, (Some(times.0), Some(times.1)), &TimeZone::UTC, self.now()).unwrap()
            }
            None => vec![times],
        };
        let query = UsageSumsQuery {
            account: None,
            periods,
            by_period: length.is_some(),
            groups: groups.to_vec(),
            limit,
            after,
        };
        let answer = self.store.usage_sums(query).await.unwrap();
        let short = |line: &api::UsageSum| {
            let names = [&line.account, &line.team, &line.key, &line.rule, &line.product, &line.item];
            let names = names.into_iter().flatten().cloned().collect();
            (line.from.map_or(0, Timestamp::as_second), names, line.requests)
        };
        (answer.lines.iter().map(short).collect(), answer.total.requests, answer.next)
    }
}

pub async fn usage_is_booked_in_the_minute_in_which_it_happened(mut world: World) {
    let key = world.customer("acme").await;
    world.second = MIDNIGHT + HOUR;
    let late = u64::try_from(HOUR + 30).unwrap() * 1_000;
    world.report_usage(1, late, &[(&key, "a", None, 2)]).await;
    world.report_usage(2, 999, &[(&key, "a", None, 3)]).await;
    world.report_usage(3, u64::MAX, &[(&key, "a", None, 1)]).await;
    let five_days = world.second - 5 * DAY;
    assert_eq!(
        world.minutes("acme").await,
        [(five_days, 1), (MIDNIGHT - 60, 2), (world.second, 3)],
        "a time that can't be is as long ago as may be"
    );
}

pub async fn old_usage_is_summed_up_by_hours_and_later_by_days(mut world: World) {
    let key = world.customer("acme").await;
    let mut seq = 0;
    for minute in [0, 1, 59, 60, 61, 23 * 60 + 59] {
        world.second = MIDNIGHT + minute * 60;
        seq += 1;
        world.report_usage(seq, 0, &[(&key, "a", None, 1), (&key, "b", Some("gold"), 1)]).await;
    }
    world.second = MIDNIGHT + 7 * DAY;
    assert_eq!(world.store.roll_up(world.now(), true).await.unwrap(), 0, "none is old enough");
    let before = world.sums(None, MIDNIGHT, &[UsageGroup::Rule, UsageGroup::Product], 10, None).await;

    world.second = MIDNIGHT + 7 * DAY + HOUR;
    assert_eq!(world.store.roll_up(world.now(), false).await.unwrap(), 4, "of the first hour");
    world.second = MIDNIGHT + 8 * DAY;
    while world.store.roll_up(world.now(), false).await.unwrap() > 0 {}
    let hours = [(MIDNIGHT, 3), (MIDNIGHT, 3), (MIDNIGHT + HOUR, 2), (MIDNIGHT + HOUR, 2)];
    let last = MIDNIGHT + 23 * HOUR;
    assert_eq!(world.minutes("acme").await, [&hours[..], &[(last, 1), (last, 1)]].concat());
    assert_eq!(world.sums(None, MIDNIGHT, &[UsageGroup::Rule, UsageGroup::Product], 10, None).await, before);

    world.second = MIDNIGHT + 401 * DAY;
    while world.store.roll_up(world.now(), true).await.unwrap() > 0 {}
    assert_eq!(world.minutes("acme").await, [(MIDNIGHT, 6), (MIDNIGHT, 6)]);
    assert_eq!(world.sums(None, MIDNIGHT, &[UsageGroup::Rule, UsageGroup::Product], 10, None).await, before);
}

pub async fn usage_is_summed_up_by_periods_and_groups_page_by_page(mut world: World) {
    let (acme, other) = (world.customer("acme").await, world.customer("other").await);
    world.second = MIDNIGHT;
    world.report_usage(1, 0, &[(&acme, "a", None, 1), (&other, "a", Some("gold"), 5)]).await;
    world.second = MIDNIGHT + 2 * HOUR;
    world.report_usage(2, 0, &[(&acme, "b", Some("gold"), 4), (&acme, "a", None, 2)]).await;
    world.second = MIDNIGHT + 3 * HOUR;

    let line = |at: i64, names: &[&str], requests| {
        (at, names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), requests)
    };
    let two = MIDNIGHT + 2 * HOUR;
    let by_hour = world.sums(Some(Length::Hour), MIDNIGHT, &[UsageGroup::Account], 10, None).await;
    let expected = [line(MIDNIGHT, &["other"], 5), line(MIDNIGHT, &["acme"], 1), line(two, &["acme"], 6)];
    assert_eq!((by_hour.0.as_slice(), by_hour.1, by_hour.2), (&expected[..], 12, None));
    let first = world.sums(Some(Length::Hour), MIDNIGHT, &[UsageGroup::Account], 1, None).await;
    assert_eq!((first.0.as_slice(), first.1, first.2.as_deref()), (&expected[..1], 12, Some("0:1")));
    let rest = world.sums(Some(Length::Hour), MIDNIGHT, &[UsageGroup::Account], 10, Some((0, 1))).await;
    assert_eq!(rest.0, expected[1..]);
    let products = world.sums(None, MIDNIGHT, &[UsageGroup::Product], 10, None).await;
    assert_eq!(products.0, [line(0, &["gold"], 9), line(0, &[""], 3)]);
    let keys =
        world.sums(None, MIDNIGHT, &[UsageGroup::Team, UsageGroup::Key, UsageGroup::Rule], 10, None).await;
    assert_eq!(
        keys.0,
        [line(0, &["", &other, "a"], 5), line(0, &["", &acme, "b"], 4), line(0, &["", &acme, "a"], 3)]
    );
    assert_eq!(world.sums(None, MIDNIGHT, &[], 10, None).await.0, [line(0, &[], 12)]);
    assert_eq!(world.sums(None, MIDNIGHT + 3 * HOUR, &[], 10, None).await.0, []);
    assert_eq!(world.sums(None, MIDNIGHT, &[UsageGroup::Item], 10, None).await.0, [], "no rule is metered");
}

pub async fn refusals_are_kept_by_the_hour_with_what_cures_them(mut world: World) {
    let key = world.customer("acme").await;
    world.second = MIDNIGHT + HOUR;
    let refused = |payer: Option<&str>, code, requests| RefusalLine {
        payer: payer.map(str::to_owned),
        rule: "chat".into(),
        code,
        requests,
    };
    let lines = vec![
        refused(Some(&key), RefusalCode::InsufficientFunds, 3),
        refused(Some(&key), RefusalCode::RateLimited, 5),
        refused(None, RefusalCode::MissingKey, 7),
    ];
    let report = |seq, refused| UsageReport { broker: "b1".into(), seq, refused, ..UsageReport::default() };
    for _ in 0..2 {
        world.report_as(report(1, lines.clone())).await;
    }
    world.second += HOUR;
    world.report_as(report(2, lines[..1].to_vec())).await;

    let day_ago = Timestamp::from_second(MIDNIGHT).unwrap();
    let one = Credits::from_micros(1);
    let why = world.store.why("acme".into(), one, day_ago, world.now()).await.unwrap();
    let short = |line: &api::RefusalSum| (line.code.clone(), line.requests, line.first_seen.as_second());
    assert_eq!(
        why.refusals.iter().map(short).collect::<Vec<_>>(),
        [
            ("insufficient_funds".to_owned(), 6, MIDNIGHT + HOUR),
            ("rate_limited".to_owned(), 5, MIDNIGHT + HOUR)
        ]
    );
    assert_eq!(why.findings.len(), 1, "{:?}", why.findings);
    assert_eq!(why.findings[0].code, "insufficient_funds");

    world.give("acme", 5, None).await.unwrap();
    let why = world.store.why("acme".into(), credits(5), day_ago, world.now()).await.unwrap();
    assert_eq!(why.findings, []);
    let why = world.store.why("acme".into(), credits(6), world.now(), world.now()).await.unwrap();
    assert_eq!((why.findings.len(), why.refusals.len()), (1, 1));
    let turn = Transition::Suspend;
    world.run(Command::TurnAccount { account: "acme".into(), turn }).await.unwrap();
    let why = world.store.why("acme".into(), one, world.now(), world.now()).await.unwrap();
    assert_eq!(
        why.findings.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(),
        ["account_suspended"]
    );

    world.second += 31 * DAY;
    while world.store.prune(world.now()).await.unwrap() > 0 {}
    let why = world.store.why("acme".into(), one, day_ago, world.now()).await.unwrap();
    assert_eq!(why.refusals, [], "they are kept for a month");
}
