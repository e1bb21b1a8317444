//! The overview: what is earned and refused, who is near the end, what gateways hold, and whether the ledger is well.

use super::assets::version;
use super::figures::{self, NEAR_END_DAYS, Sums};
use super::page::{self, Frame};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::UsageSum;
use crate::http::health::readiness;
use crate::http::pages::plot::{Named, Plot, whole};
use crate::http::pages::show::{Html, Zone, about, encoded, grouped, how_long, size};
use crate::store::Page;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_protocol::Credits;
use jiff::Timestamp;
use std::sync::Arc;

/// How many gateways are listed.
const GATEWAYS: usize = 6;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    is_new: bool,
    tiles: Vec<Tile>,
    by_day: bool,
    plots: Option<[Plot; 2]>,
    refused: Vec<Refused>,
    near_end: Vec<Near>,
    gateways: Vec<Gateway>,
    more_gateways: bool,
    facts: Vec<(&'static str, Html)>,
}

struct Tile {
    name: &'static str,
    value: String,
    more: String,
    path: &'static str,
}

struct Refused {
    code: Html,
    requests: Html,
    accounts: Html,
}

struct Near {
    account: Html,
    name: Html,
    left: Html,
    spent: Html,
    time: String,
}

struct Gateway {
    name: Html,
    leases: Html,
    at_risk: Html,
    reported: Html,
}

/// The page.
pub async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    let (store, now) = (&console.app.store, Timestamp::now());
    let sums = console.figures.get(store, now).await;
    // As the metrics have it: read once, however many look.
    let looks = &console.app.looks;
    let at_risk = looks.at_risk.get(async { store.at_risk().await.ok() }).await;
    let (gateways, next) = store.gateways(Page { limit: GATEWAYS, after: None }).await?;
    let by_day = visit.query.get("by") == Some("day");
    let refused = sums.iter().flat_map(|sums| &sums.refused).map(|line| Refused {
        code: Html::code(&line.code),
        requests: Html::number(line.requests),
        accounts: Html::number(line.accounts),
    });
    let near_end = sums.iter().flat_map(|sums| &sums.near_end).map(|line| Near {
        account: Html::account(&line.id),
        name: Html::or_none(line.name.as_ref(), Html::text),
        left: Html::number(line.left),
        spent: Html::number(line.spent),
        time: time_left(line.left, line.spent),
    });
    let known = gateways.iter().map(|gateway| Gateway {
        name: Html::link(&format!("/gateways?gateway={}", encoded(&gateway.name)), &gateway.name),
        leases: Html::number(gateway.leases),
        at_risk: Html::number(gateway.at_risk),
        reported: Html::or_none(gateway.reported_at, |at| visit.zone.when(at)),
    });
    let ready = readiness(&console.app).await;
    let bytes = looks.size.get(async { store.size_bytes().await.ok() }).await;
    let facts = vec![
        (
            "State",
            ready.map_or_else(|why| Html::text(format!("not ready: {why}")), |()| Html::state("ready")),
        ),
        ("Version", Html::text(env!("CARGO_PKG_VERSION"))),
        ("Database", Html::text(store.kind())),
        ("Size", Html::or_none(bytes, |bytes| Html::text(size(bytes)))),
        ("Waiting writes", Html::number(store.queued())),
    ];
    let page = OverviewPage {
        frame: visit.frame("", "Overview"),
        is_new: sums.as_ref().is_some_and(|sums| sums.accounts == 0),
        tiles: tiles(sums.as_ref(), at_risk),
        by_day,
        plots: sums.as_ref().map(|sums| {
            let lines = if by_day { &sums.days.lines } else { &sums.hours.lines };
            plots(lines, by_day, &visit.zone, now)
        }),
        refused: refused.collect(),
        near_end: near_end.collect(),
        gateways: known.collect(),
        more_gateways: next.is_some(),
        facts,
    };
    Ok(page::html(StatusCode::OK, &page))
}

fn tiles(sums: Option<&Sums>, at_risk: Option<(i64, Credits)>) -> Vec<Tile> {
    let unknown = || "\u{2013}".to_owned();
    let of = |show: fn(&Sums) -> String| sums.map_or_else(unknown, show);
    let refused = |sums: &Sums| grouped(sums.refused.iter().map(|line| line.requests).sum::<u64>());
    let accounts = |sums: &Sums| {
        let more = if sums.accounts >= figures::MAX_ACCOUNTS { "+" } else { "" };
        grouped(sums.accounts) + more
    };
    vec![
        Tile {
            name: "Credits spent",
            value: of(|sums| grouped(sums.hours.total.credits)),
            more: "in the last 24 hours".to_owned(),
            path: "/console?by=hour",
        },
        Tile {
            name: "Calls charged",
            value: of(|sums| grouped(sums.hours.total.requests)),
            more: of(|sums| format!("{} not charged in the end", grouped(sums.hours.total.refunds))),
            path: "/console?by=hour",
        },
        Tile {
            name: "Refused",
            value: of(refused),
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
            value: of(accounts),
            more: "all states".to_owned(),
            path: "/console/accounts",
        },
    ]
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

fn plots(lines: &[UsageSum], by_day: bool, zone: &Zone, now: Timestamp) -> [Plot; 2] {
    let named = |value: fn(&UsageSum) -> u64| -> Vec<Named> {
        let slots = slots(by_day, now);
        let found = slots.into_iter().map(|from| {
            let line = lines.iter().find(|line| line.from == Some(from));
            let utc = Zone::default();
            let (name, short) = if by_day {
                (format!("{} (UTC)", utc.day(&from)), utc.day(&from))
            } else {
                (format!("{} {}", zone.day(&from), zone.clock(&from)), zone.clock(&from))
            };
            let amount = line.map_or(0, value);
            Named { name, short, parts: if amount > 0 { vec![amount] } else { Vec::new() } }
        });
        found.collect()
    };
    let credits = named(|line| line.credits.micros().unsigned_abs());
    let micros = |amount: u64| Credits::from_micros(i64::try_from(amount).unwrap_or(i64::MAX));
    [
        Plot::new(
            "Credits spent",
            credits,
            Vec::new(),
            move |n| grouped(micros(n)),
            move |n| about(micros(n)),
        ),
        Plot::new("Calls charged", named(|line| line.requests), Vec::new(), whole, whole),
    ]
}

/// When the hours of the last day began, or the days of the last month: also those without usage.
fn slots(by_day: bool, now: Timestamp) -> Vec<Timestamp> {
    use crate::domain::usage_periods::{Length, periods};
    let length = if by_day { Length::Day } else { Length::Hour };
    let all = periods(length, (None, None), &jiff::tz::TimeZone::UTC, now).unwrap_or_default();
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
    fn hours_without_usage_are_drawn_as_well() {
        let now: Timestamp = "2026-11-30T12:34:00Z".parse().unwrap();
        assert_eq!((slots(false, now).len(), slots(true, now).len()), (25, 31));
    }
}
