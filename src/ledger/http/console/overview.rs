//! The overview: what is earned and refused, who is near the end, what gateways hold, and whether the ledger is well.

use super::assets::version;
use super::figures::{self, Live, NEAR_END_DAYS};
use super::page::{self, Frame};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::UsageTotal;
use crate::domain::forecast::{self, Pace};
use crate::http::health::readiness;
use crate::http::pages::plot::{Named, Plot, whole};
use crate::http::pages::show::{Html, Zone, about, encoded, grouped, how_long, size};
use crate::store::Page;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_protocol::Credits;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How many gateways are listed.
const GATEWAYS: usize = 6;
/// What was counted longer ago says when.
const RECENT: SignedDuration = SignedDuration::from_secs(60);

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    is_new: bool,
    live_path: String,
    live: LiveOverview,
}

/// What follows what happens.
#[derive(Debug, Template)]
#[template(path = "overview_live.html")]
pub struct LiveOverview {
    accounts: Option<u32>,
    tiles: Vec<Tile>,
    by_day: bool,
    plots: Option<[Plot; 2]>,
    forecast: String,
    refused: Vec<Refused>,
    /// When they were counted, where that is longer ago.
    refused_at: Option<Html>,
    is_near_counted: bool,
    near_end: Vec<Near>,
    /// When they were looked for, where that is longer ago.
    near_at: Option<Html>,
    gateways: Vec<Gateway>,
    more_gateways: bool,
    facts: Vec<(&'static str, Html)>,
}

impl askama::filters::HtmlSafe for LiveOverview {}

#[derive(Debug)]
struct Tile {
    name: &'static str,
    value: String,
    more: String,
    path: &'static str,
}

#[derive(Debug)]
struct Refused {
    code: Html,
    requests: Html,
    accounts: Html,
}

#[derive(Debug)]
struct Near {
    account: Html,
    name: Html,
    left: Html,
    spent: Html,
    time: String,
}

#[derive(Debug)]
struct Gateway {
    name: Html,
    version: Html,
    leases: Html,
    at_risk: Html,
    reported: Html,
}

/// The page.
pub async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    let live = part(&console, &visit).await?;
    let by = if live.by_day { "day" } else { "hour" };
    let page = OverviewPage {
        frame: visit.frame("", "Overview"),
        is_new: live.accounts == Some(0),
        live_path: format!("/console/live/overview?by={by}&zone={}", encoded(&visit.zone.name)),
        live,
    };
    Ok(page::html(StatusCode::OK, &page))
}

/// What follows what happens.
pub async fn part(console: &Console, visit: &Visit) -> Result<LiveOverview, Trouble> {
    let (store, now) = (&console.app.store, Timestamp::now());
    let stop = console.stop();
    let figures = &console.figures;
    let (usage, ending) =
        tokio::join!(Box::pin(figures.usage((store, &stop), now)), Box::pin(figures.ending((store, &stop))));
    let usage = usage.as_deref();
    // As the metrics have it: read once, however many look.
    let looks = &console.app.looks;
    let at_risk = looks.at_risk.get(async { store.at_risk().await.ok() }).await;
    let (gateways, next) = store.gateways(Page { limit: GATEWAYS, after: None }).await?;
    let by_day = visit.query.get("by") == Some("day");
    let refused = usage.iter().flat_map(|usage| &usage.refused).map(|line| Refused {
        code: Html::code(&line.code),
        requests: Html::number(line.requests),
        accounts: Html::number(line.accounts),
    });
    let near_end = ending.iter().flat_map(|counted| &*counted.value).map(|line| Near {
        account: Html::account(&line.id),
        name: Html::or_none(line.name.as_ref(), Html::text),
        left: Html::number(line.left),
        spent: Html::number(line.spent),
        time: time_left(line.left, line.spent),
    });
    let known = gateways.iter().map(|gateway| Gateway {
        name: Html::link(&format!("/gateways?gateway={}", encoded(&gateway.name)), &gateway.name),
        version: Html::or_none(gateway.version.as_ref(), Html::text),
        leases: Html::number(gateway.leases),
        at_risk: Html::number(gateway.at_risk),
        reported: Html::or_none(gateway.reported_at, |at| visit.zone.when(at)),
    });
    let as_of = |at: Option<Timestamp>| {
        let at = at.filter(|at| now.duration_since(*at) > RECENT);
        at.map(|at| visit.zone.when(at))
    };
    Ok(LiveOverview {
        accounts: usage.map(|usage| usage.accounts),
        tiles: tiles(usage, at_risk, now),
        by_day,
        plots: usage.map(|usage| plots(usage, by_day, &visit.zone, now)),
        forecast: usage.map(|usage| forecast(usage, now)).unwrap_or_default(),
        refused: refused.collect(),
        refused_at: as_of(usage.map(|usage| usage.counted_at)),
        is_near_counted: ending.is_some(),
        near_end: near_end.collect(),
        near_at: as_of(ending.as_ref().map(|counted| counted.at)),
        gateways: known.collect(),
        more_gateways: next.is_some(),
        facts: health(console).await,
    })
}

/// How the ledger is.
async fn health(console: &Console) -> Vec<(&'static str, Html)> {
    let (store, looks) = (&console.app.store, &console.app.looks);
    let ready = readiness(&console.app).await;
    let bytes = looks.size.get(async { store.size_bytes().await.ok() }).await;
    vec![
        (
            "State",
            ready.map_or_else(|why| Html::text(format!("not ready: {why}")), |()| Html::state("ready")),
        ),
        ("Version", Html::text(env!("CARGO_PKG_VERSION"))),
        ("Database", Html::text(store.kind())),
        ("Size", Html::or_none(bytes, |bytes| Html::text(size(bytes)))),
        ("Waiting writes", Html::number(store.queued())),
    ]
}

fn tiles(usage: Option<&Live>, at_risk: Option<(i64, Credits)>, now: Timestamp) -> Vec<Tile> {
    let unknown = || "\u{2013}".to_owned();
    let day = usage.map(|usage| {
        let hours = slots(false, now);
        usage.between(hours.first().copied().unwrap_or(now), Live::end(now))
    });
    let refused = |usage: &Live| grouped(usage.refused.iter().map(|line| line.requests).sum::<u64>());
    let accounts = |usage: &Live| {
        let more = if usage.accounts >= figures::MAX_ACCOUNTS { "+" } else { "" };
        grouped(usage.accounts) + more
    };
    vec![
        Tile {
            name: "Credits spent",
            value: day.map_or_else(unknown, |day| grouped(day.credits)),
            more: "in the last 24 hours".to_owned(),
            path: "/console?by=hour",
        },
        Tile {
            name: "Calls charged",
            value: day.map_or_else(unknown, |day| grouped(day.requests)),
            more: day.map_or_else(unknown, |day| format!("{} not charged in the end", grouped(day.refunds))),
            path: "/console?by=hour",
        },
        Tile {
            name: "Refused",
            value: usage.map_or_else(unknown, refused),
            more: "in the last 24 hours".to_owned(),
            path: "#refused",
        },
        Tile {
            name: "At risk",
            value: at_risk.map_or_else(unknown, |(_, credits)| grouped(credits)),
            more: at_risk
                .map_or_else(unknown, |(leases, _)| format!("credits in {} leases", grouped(leases))),
            path: "/console/gateways",
        },
        Tile {
            name: "Accounts",
            value: usage.map_or_else(unknown, accounts),
            more: "all states".to_owned(),
            path: "/console/accounts",
        },
    ]
}

/// What will have been spent at the end of the month (UTC), and how that is known.
fn forecast(usage: &Live, now: Timestamp) -> String {
    let (from, until) = forecast::month(&TimeZone::UTC, now);
    let spent = usage.between(from, Live::end(now)).credits;
    let since = forecast::since(usage.begin().unwrap_or(now), now);
    let pace = Pace::of(usage.between(since, Live::end(now)).credits, since, now);
    let expected = forecast::expected(spent, pace, now, until);
    format!(
        "{} credits spent this month. {} by its end, if it goes on at the pace of the last {}: {} a day.",
        grouped(spent),
        grouped(whole_credits(expected)),
        stretch(pace.over),
        grouped(whole_credits(pace.per_day()))
    )
}

/// How long a pace was looked at, in whole hours or days: "7 days", "hour".
pub fn stretch(over: SignedDuration) -> String {
    match over.as_hours() {
        ..2 => "hour".to_owned(),
        hours @ 2..48 => format!("{hours} hours"),
        hours => format!("{} days", (hours + 12) / 24),
    }
}

/// A forecast isn't exact to a millionth: large ones are shown in whole credits.
pub fn whole_credits(credits: Credits) -> Credits {
    const CREDIT: i64 = 1_000_000;
    let micros = credits.micros();
    if micros < 10 * CREDIT {
        return Credits::from_micros(micros.saturating_sub(micros % 10_000));
    }
    Credits::from_micros(micros.saturating_sub(micros % CREDIT))
}

/// How long what is left lasts at the pace of the last 24 hours.
fn time_left(left: Credits, spent: Credits) -> String {
    if !left.is_positive() {
        return "now".to_owned();
    }
    let day = i128::from(left.micros()).saturating_mul(86_400);
    let seconds = day.checked_div(spent.micros().max(1).into()).unwrap_or(0);
    format!("in {}", how_long(u64::try_from(seconds).unwrap_or(0)))
}

fn plots(usage: &Live, by_day: bool, zone: &Zone, now: Timestamp) -> [Plot; 2] {
    let named = |value: fn(UsageTotal) -> u64| -> Vec<Named> {
        let slots = slots(by_day, now);
        let ends = slots.iter().skip(1).copied().chain([Live::end(now)]);
        let found = slots.iter().zip(ends).map(|(from, until)| {
            let utc = Zone::default();
            let (name, short) = if by_day {
                (format!("{} (UTC)", utc.day(from)), utc.day(from))
            } else {
                (format!("{} {}", zone.day(from), zone.clock(from)), zone.clock(from))
            };
            let amount = value(usage.between(*from, until));
            Named { name, short, parts: if amount > 0 { vec![amount] } else { Vec::new() } }
        });
        found.collect()
    };
    let credits = named(|total| total.credits.micros().unsigned_abs());
    let micros = |amount: u64| Credits::from_micros(i64::try_from(amount).unwrap_or(i64::MAX));
    [
        Plot::new(
            "Credits spent",
            credits,
            Vec::new(),
            move |n| grouped(micros(n)),
            move |n| about(micros(n)),
        ),
        Plot::new("Calls charged", named(|total| total.requests), Vec::new(), whole, whole),
    ]
}

/// When the hours of the last day began, or the days of the last month: also those without usage.
fn slots(by_day: bool, now: Timestamp) -> Vec<Timestamp> {
    use crate::domain::usage_periods::{Length, periods};
    let length = if by_day { Length::Day } else { Length::Hour };
    let all = periods(length, (None, None), &TimeZone::UTC, now).unwrap_or_default();
    all.into_iter().map(|(from, _)| from).collect()
}

/// When the days of the last month began in a zone.
pub fn days(zone: &Zone, now: Timestamp) -> Vec<Timestamp> {
    use crate::domain::usage_periods::{Length, periods};
    let all = periods(Length::Day, (None, None), zone.zone(), now).unwrap_or_default();
    all.into_iter().map(|(from, _)| from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_lasts_at_the_pace_of_a_day() {
        let credits = |text: &str| Credits::parse(text).unwrap();
        assert_eq!(time_left(credits("0"), credits("5")), "now");
        assert_eq!(time_left(credits("5"), credits("10")), "in 12 h");
        assert_eq!(time_left(credits("30"), credits("10")), "in 3 days");
        assert_eq!(time_left(credits("1"), credits("1000000000000")), "in 0 s");
    }

    #[test]
    fn a_young_ledger_says_how_short_its_past_is() {
        let of = |minutes| stretch(SignedDuration::from_mins(minutes));
        assert_eq!([of(60), of(119), of(120), of(47 * 60)], ["hour", "hour", "2 hours", "47 hours"]);
        assert_eq!([of(48 * 60), of(7 * 24 * 60)], ["2 days", "7 days"]);
    }

    #[test]
    fn hours_without_usage_are_drawn_as_well() {
        let now: Timestamp = "2026-11-30T12:34:00Z".parse().unwrap();
        assert_eq!((slots(false, now).len(), slots(true, now).len()), (25, 31));
    }
}
