//! What an account has, why it is refused and what it uses: the part of its page that follows what happens.

use super::calls::outcome;
use super::overview::{stretch, whole_credits};
use super::page::sentence;
use super::state::Console;
use super::visit::Visit;
use crate::api::{Account, Balance, CallRecord, Calls, Forecast, Key, UsageSum, UsageSums, Why};
use crate::http::pages::balance::Shares;
use crate::http::pages::plot::{Named, Plot, usage_plot};
use crate::http::pages::show::{Html, Zone, about, encoded, grouped, short_id, shortened};
use crate::http::problem::Failure;
use askama::Template;
use faregate_protocol::Credits;
use jiff::{SignedDuration, Timestamp};

/// How many rows each list shows.
const ROWS: usize = 20;
/// How many calls are shown.
const CALLS: usize = 10;
/// How many days the chart shows.
const DAYS: i64 = 30;
/// By what usage may be split.
const SPLITS: [(&str, &str); 5] =
    [("rule", "rule"), ("key", "key"), ("item", "model or tool"), ("team", "team"), ("product", "product")];
/// What is called held.
const HELD: &str = "held in leases";

/// The part.
#[derive(Debug, Template)]
#[template(path = "account_live.html")]
pub struct LiveAccount {
    id: String,
    path: String,
    balance: Shares,
    facts: Vec<(&'static str, Html)>,
    findings: Vec<Found>,
    refusals: Vec<Refusal>,
    forecast: String,
    /// By what usage is split.
    pub split: &'static str,
    split_name: String,
    splits: Vec<(&'static str, &'static str, bool)>,
    usage: Plot,
    costs: Option<Plot>,
    used: Vec<Used>,
    total: (Html, Html),
    /// The newest calls; none where they can't be searched now.
    calls: Option<Vec<CallLine>>,
}

impl askama::filters::HtmlSafe for LiveAccount {}

#[derive(Debug)]
struct Used {
    name: Html,
    credits: Html,
    calls: Html,
    cost: Html,
    margin: Html,
    is_loss: bool,
}

#[derive(Debug)]
struct Found {
    code: Html,
    what: Html,
    cure: Html,
}

#[derive(Debug)]
struct Refusal {
    code: Html,
    rule: Html,
    key: Html,
    requests: Html,
    last: Html,
}

#[derive(Debug)]
struct CallLine {
    at: Html,
    rule: Html,
    item: Html,
    outcome: Html,
    charge: Html,
    status: Html,
    took: Html,
    key: Html,
}

impl LiveAccount {
    /// That of an account with these keys.
    pub async fn of(
        console: &Console,
        visit: &Visit,
        account: &Account,
        keys: &[Key],
    ) -> Result<Self, Failure> {
        let (id, zone) = (account.id.as_str(), &visit.zone);
        let root = format!("/admin/v1/accounts/{}", encoded(id));
        let balance: Balance = visit.get(console, &format!("{root}/balance")).await?;
        let why: Why = visit.get(console, &format!("{root}/why")).await?;
        let asked = visit.query.get("split").unwrap_or_default();
        let (split, label) =
            SPLITS.iter().copied().find(|(name, _)| *name == asked).unwrap_or(("rule", "rule"));
        let (usage, used) = usage(console, visit, id, split).await?;
        let asked = format!("account={}&time_zone={}", encoded(id), encoded(&zone.name));
        let forecast: Forecast = visit.get(console, &format!("/admin/v1/usage/forecast?{asked}")).await?;
        let names = Names { split, keys };
        // The log of calls is apart from the books: when it can't be read, the rest of the page still can.
        let calls = format!("/admin/v1/calls?account={}&limit={CALLS}", encoded(id));
        let calls: Option<Calls> = visit.get(console, &calls).await.ok();
        Ok(Self {
            id: id.to_owned(),
            path: format!("/console/accounts/{}", encoded(id)),
            balance: Shares::of(&balance, HELD),
            facts: vec![("Opened", zone.when(account.created_at))],
            findings: why.findings.iter().map(|finding| found(finding, id)).collect(),
            refusals: why.refusals.iter().take(ROWS).map(|line| refusal(line, &names, zone)).collect(),
            forecast: foreseen(&forecast, zone, Timestamp::now()),
            split,
            split_name: sentence(label).trim_end_matches('.').to_owned(),
            splits: SPLITS.iter().map(|(name, label)| (*name, *label, *name == split)).collect(),
            total: (Html::number(used.total.credits), Html::number(used.total.requests)),
            usage: plot(&usage, &names, zone),
            costs: costs(&usage, zone),
            used: used.lines.iter().map(|line| used_line(line, &names)).collect(),
            calls: calls.map(|found| found.calls.iter().map(|call| call_line(call, &names, zone)).collect()),
        })
    }
}

/// What will have been spent at the end of the running period, and how that is known.
fn foreseen(forecast: &Forecast, zone: &Zone, now: Timestamp) -> String {
    let until = zone.minute(&forecast.until);
    let expected = format!(
        "{} credits spent in this period. {} by its end on {until}, if it goes on at the pace of the last {}: {} a day.",
        grouped(forecast.spent),
        grouped(whole_credits(forecast.expected)),
        stretch(now.duration_since(forecast.pace_since)),
        grouped(whole_credits(forecast.per_day))
    );
    match forecast.used_up_at {
        Some(at) if at < forecast.until => {
            format!("{expected} What is left is used up by then, about {}.", zone.minute(&at))
        }
        _ => expected,
    }
}

/// Usage of the last days, by day and by what splits it; and the same over all of the time.
async fn usage(
    console: &Console,
    visit: &Visit,
    id: &str,
    split: &str,
) -> Result<(UsageSums, UsageSums), Failure> {
    let since = Timestamp::now().checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(Timestamp::MIN);
    let zone = encoded(&visit.zone.name);
    let account = encoded(id);
    let days =
        format!("/admin/v1/usage/sums?by=day&group={split}&account={account}&time_zone={zone}&limit=1000");
    let by_day: UsageSums = visit.get(console, &days).await?;
    if by_day.next.is_none() {
        let all = over_all(&by_day);
        return Ok((by_day, all));
    }
    let all = format!(
        "/admin/v1/usage/sums?group={split}&account={account}&since={}&limit={ROWS}",
        encoded(&since.to_string())
    );
    Ok((by_day, visit.get(console, &all).await?))
}

/// Sums by day, over all of the days: those that cost the most, first.
fn over_all(days: &UsageSums) -> UsageSums {
    let mut lines: Vec<UsageSum> = Vec::new();
    let both = |one: Option<Credits>, other: Option<Credits>| match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    };
    for day in &days.lines {
        let is_same = |line: &&mut UsageSum| {
            (&line.rule, &line.key, &line.item, &line.team, &line.product)
                == (&day.rule, &day.key, &day.item, &day.team, &day.product)
        };
        match lines.iter_mut().find(is_same) {
            Some(line) => {
                line.requests = line.requests.saturating_add(day.requests);
                line.credits = line.credits.saturating_add(day.credits);
                line.refunds = line.refunds.saturating_add(day.refunds);
                (line.cost, line.margin) = (both(line.cost, day.cost), both(line.margin, day.margin));
            }
            None => lines.push(UsageSum { from: None, until: None, ..day.clone() }),
        }
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.credits));
    lines.truncate(ROWS);
    UsageSums { lines, total: days.total, next: None }
}

/// How lines of usage are named.
struct Names<'a> {
    split: &'static str,
    keys: &'a [Key],
}

impl Names<'_> {
    fn of(&self, line: &UsageSum) -> String {
        let name = match self.split {
            "key" => return self.key(line.key.as_deref().unwrap_or_default()),
            "item" => &line.item,
            "team" => &line.team,
            "product" => &line.product,
            _ => &line.rule,
        };
        let name = name.clone().unwrap_or_default();
        if name.is_empty() { "none".to_owned() } else { name }
    }

    /// A key as the list of keys shows it, with its note.
    fn key(&self, id: &str) -> String {
        let Some(key) = self.keys.iter().find(|key| key.id == id) else { return short_id(id) };
        let shown = match (&key.prefix, &key.subject) {
            (Some(prefix), _) => format!("{prefix}…"),
            (None, subject) => shortened(subject.as_deref().unwrap_or(id)),
        };
        match &key.note {
            Some(note) => format!("{shown} {}", shortened(note)),
            None => shown,
        }
    }
}

fn used_line(line: &UsageSum, names: &Names<'_>) -> Used {
    Used {
        name: Html::text(names.of(line)),
        credits: Html::number(line.credits),
        calls: Html::number(line.requests),
        cost: Html::or_none(line.cost, Html::number),
        margin: Html::or_none(line.margin, Html::number),
        is_loss: line.margin.is_some_and(|margin| margin.micros() < 0),
    }
}

fn call_line(call: &CallRecord, names: &Names<'_>, zone: &Zone) -> CallLine {
    CallLine {
        at: zone.second(call.time),
        rule: Html::text(&call.rule),
        item: Html::or_none(call.item.as_ref(), Html::text),
        outcome: outcome(call),
        charge: Html::number(call.charge),
        status: Html::or_none(call.status, Html::number),
        took: Html::number(call.duration_ms),
        key: Html::or_none(call.key.as_ref(), |key| Html::text(names.key(key))),
    }
}

fn plot(usage: &UsageSums, by: &Names<'_>, zone: &Zone) -> Plot {
    let lines = usage.lines.iter().map(|line| (line.from, by.of(line), line.credits)).collect();
    let days = super::overview::days(zone, Timestamp::now());
    let days = days.into_iter().map(|from| (from, zone.day(&from))).collect();
    usage_plot("Credits spent per day", days, lines)
}

/// What calls cost and what is left of their price, by day; nothing where no cost is known.
fn costs(usage: &UsageSums, zone: &Zone) -> Option<Plot> {
    let known: Vec<&UsageSum> = usage.lines.iter().filter(|line| line.cost.is_some()).collect();
    if known.is_empty() {
        return None;
    }
    let micros = |credits: Option<Credits>| credits.unwrap_or_default().micros().max(0).unsigned_abs();
    let columns = super::overview::days(zone, Timestamp::now()).into_iter().map(|from| {
        let of_day = known.iter().filter(|line| line.from == Some(from));
        let parts = of_day.fold([0_u64; 2], |[cost, margin], line| {
            [cost.saturating_add(micros(line.cost)), margin.saturating_add(micros(line.margin))]
        });
        Named { name: zone.day(&from), short: zone.day(&from), parts: parts.to_vec() }
    });
    let credits = |n: u64| Credits::from_micros(i64::try_from(n).unwrap_or(i64::MAX));
    let columns: Vec<Named> = columns.collect();
    let legend = vec!["cost".to_owned(), "margin".to_owned()];
    let label = "Cost and margin per day";
    Some(Plot::new(label, columns, legend, move |n| grouped(credits(n)), move |n| about(credits(n))))
}

fn found(finding: &crate::api::Finding, account: &str) -> Found {
    Found {
        code: Html::code(&finding.code),
        what: Html::prose(&sentence(&finding.what)),
        cure: Html::prose(&finding.cure.replace("ACCOUNT", account)),
    }
}

fn refusal(line: &crate::api::RefusalSum, names: &Names<'_>, zone: &Zone) -> Refusal {
    Refusal {
        code: Html::code(&line.code),
        rule: Html::text(&line.rule),
        key: Html::text(names.key(&line.key)),
        requests: Html::number(line.requests),
        last: zone.when(line.last_seen),
    }
}
