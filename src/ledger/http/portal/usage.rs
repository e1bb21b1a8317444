//! Usage by hours, days and months, and within them by what was asked for: as a chart, a table, and as values for spreadsheets.

use super::answers::{OwnUsage, OwnUsageLine};
use super::data;
use super::page::Frame;
use super::query::OfUsage;
use super::state::Portal;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::Key;
use crate::domain::usage_periods::{self, Length};
use crate::http::admin::query::By;
use crate::http::body::Invalid;
use crate::http::pages::chart::MAX_COLUMNS;
use crate::http::pages::fields::Fields;
use crate::http::pages::page::html;
use crate::http::pages::plot::{Plot, usage_plot};
use crate::http::pages::show::{Html, Zone, plain, short_id, shortened};
use crate::http::problem::Failure;
use crate::spreadsheet;
use crate::store::Page;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// How many lines are read at once.
pub const MAX_LINES: usize = 1_000;
/// How often more are read behind these, for a page or a file.
pub const MORE_PAGES: usize = 4;
/// How many keys are known by more than their identifier.
const MAX_KEYS: usize = 1_000;
/// How many lines of the table are shown.
const ROWS: usize = 200;

/// By what usage is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// By rule.
    Rule,
    /// By key.
    Key,
    /// By model or tool.
    Model,
    /// By product.
    Product,
    /// By team.
    Team,
}

impl Split {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rule, Self::Key, Self::Model, Self::Product, Self::Team];

    /// The one that a query asks for.
    pub fn asked(query: &Fields) -> Self {
        let asked = query.get("split").unwrap_or_default();
        Self::ALL.into_iter().find(|split| split.name() == asked).unwrap_or(Self::Rule)
    }

    /// As it is in addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Key => "key",
            Self::Model => "model",
            Self::Product => "product",
            Self::Team => "team",
        }
    }

    /// As the API calls it.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Model => "item",
            other => other.name(),
        }
    }

    /// As people read it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Rule => "endpoint",
            Self::Model => "model or tool",
            other => other.name(),
        }
    }
}

/// How lines of usage are named.
pub struct Names {
    split: Split,
    keys: Vec<Key>,
}

/// The names of what usage is split by.
pub async fn names(portal: &Portal, visit: &Visit, split: Split) -> Result<Names, Failure> {
    let keys = match split {
        Split::Key => data::keys(portal, &visit.who, Page { limit: MAX_KEYS, after: None }).await?.keys,
        _ => Vec::new(),
    };
    Ok(Names { split, keys })
}

impl Names {
    /// What a line is called.
    pub fn of(&self, line: &OwnUsageLine) -> String {
        let name = match self.split {
            Split::Key => return key_name(&self.keys, line.key.as_deref().unwrap_or_default()),
            Split::Model => &line.item,
            Split::Team => &line.team,
            Split::Product => &line.product,
            Split::Rule => &line.rule,
        };
        let name = name.clone().unwrap_or_default();
        if name.is_empty() { "none".to_owned() } else { name }
    }
}

/// A key as people know it: by how it begins, and its note.
pub fn key_name(keys: &[Key], id: &str) -> String {
    let Some(key) = keys.iter().find(|key| key.id == id) else { return short_id(id) };
    let shown = match (&key.prefix, &key.subject) {
        (Some(prefix), _) => format!("{prefix}…"),
        (None, subject) => shortened(subject.as_deref().unwrap_or(id)),
    };
    match &key.note {
        Some(note) => format!("{shown} {}", shortened(note)),
        None => shown,
    }
}

/// When the periods begin that a chart shows, and how each is called.
fn periods(by: By, span: Option<(Timestamp, Timestamp)>, zone: &Zone) -> Vec<(Timestamp, String)> {
    let length = length(by);
    let times = span.map_or((None, None), |(since, until)| (Some(since), Some(until)));
    let all = usage_periods::periods(length, times, zone.zone(), Timestamp::now()).unwrap_or_default();
    let name = |from: &Timestamp| match length {
        Length::Hour => zone.minute(from).get(5..).unwrap_or_default().to_owned(),
        Length::Day => zone.day(from),
        Length::Month => zone.month(from),
    };
    let latest = all.len().saturating_sub(MAX_COLUMNS);
    all.into_iter().skip(latest).map(|(from, _)| (from, name(&from))).collect()
}

const fn length(by: By) -> Length {
    match by {
        By::Hour => Length::Hour,
        By::Day => Length::Day,
        By::Month => Length::Month,
    }
}

/// A chart of usage.
pub fn plot(
    label: &str,
    by: By,
    used: &OwnUsage,
    names: &Names,
    zone: &Zone,
    span: Option<(Timestamp, Timestamp)>,
) -> Plot {
    let lines = used.lines.iter().map(|line| (line.from, names.of(line), line.credits)).collect();
    usage_plot(label, periods(by, span, zone), lines)
}

/// What a page of usage is asked for.
struct Asked {
    by: By,
    split: Split,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

const LENGTHS: [(&str, &str, By); 3] =
    [("hour", "by hour", By::Hour), ("day", "by day", By::Day), ("month", "by month", By::Month)];

impl Asked {
    fn read(visit: &Visit) -> Result<Self, Failure> {
        let query = &visit.query;
        let named = query.get("by").unwrap_or("day");
        let by = LENGTHS.iter().find(|(name, ..)| *name == named).map_or(By::Day, |(.., by)| *by);
        let time = |field: &str| match query.get(field) {
            None => Ok(None),
            Some(text) => visit.zone.read_day(text).map(Some).ok_or_else(|| {
                Failure::from(Invalid::field(field, format!("{text:?} is no day; an example is 2027-01-31")))
            }),
        };
        let until = time("until")?.map(|day| visit.zone.next_day(day));
        Ok(Self { by, split: Split::asked(query), since: time("since")?, until })
    }

    fn query(&self, zone: &Zone, after: Option<String>) -> OfUsage {
        OfUsage {
            by: Some(self.by),
            group: Some(self.split.group().to_owned()),
            since: self.since,
            until: self.until,
            time_zone: Some(zone.name.clone()),
            limit: Some(MAX_LINES),
            after,
        }
    }

    /// What the chart spans: what was asked for.
    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        match (self.since, self.until) {
            (Some(since), until) => Some((since, until.unwrap_or_else(Timestamp::now))),
            (None, _) => None,
        }
    }
}

#[derive(Template)]
#[template(path = "portal/usage.html")]
struct UsagePage {
    frame: Frame,
    lengths: Vec<(&'static str, &'static str, bool)>,
    splits: Vec<(&'static str, &'static str, bool)>,
    split_name: &'static str,
    since: String,
    until: String,
    usage: Plot,
    rows: Vec<(Html, Html, Html, Html)>,
    total: (Html, Html),
    is_cut: bool,
    file: String,
}

/// The page.
pub async fn show(State(portal): State<Arc<Portal>>, visit: Visit) -> Result<Response, Trouble> {
    let asked = Asked::read(&visit)?;
    let zone = &visit.zone;
    let used = data::much_usage(&portal, &visit.who, |after| asked.query(zone, after), MORE_PAGES).await?;
    let names = names(&portal, &visit, asked.split).await?;
    let period = |from: Timestamp| match asked.by {
        By::Hour => zone.minute(&from),
        By::Day => zone.date(&from),
        By::Month => zone.month(&from),
    };
    let newest = used.lines.iter().rev().take(ROWS);
    let rows = newest.map(|line| {
        let from = line.from.map(period).map(Html::text).unwrap_or_default();
        (from, Html::text(names.of(line)), Html::number(line.credits), Html::number(line.requests))
    });
    let by =
        LENGTHS.iter().find(|(.., by)| length(*by) == length(asked.by)).map_or("day", |(name, ..)| *name);
    let label = format!(
        "Credits spent {}",
        LENGTHS.iter().find(|(name, ..)| *name == by).map_or("", |(_, label, _)| label)
    );
    let page = UsagePage {
        frame: visit.frame(&portal, "/usage", "Usage"),
        lengths: LENGTHS.iter().map(|(name, label, _)| (*name, *label, *name == by)).collect(),
        splits: Split::ALL.iter().map(|one| (one.name(), one.label(), *one == asked.split)).collect(),
        split_name: asked.split.label(),
        since: plain(visit.query.text("since")),
        until: plain(visit.query.text("until")),
        usage: plot(&label, asked.by, &used, &names, zone, asked.span()),
        rows: rows.collect(),
        total: (Html::number(used.credits), Html::number(used.requests)),
        is_cut: used.next.is_some() || used.lines.len() > ROWS,
        file: visit.query.with("zone", Some(&zone.name)),
    };
    Ok(html(StatusCode::OK, &page))
}

/// The same as comma-separated values.
pub async fn csv(State(portal): State<Arc<Portal>>, visit: Visit) -> Result<Response, Trouble> {
    let asked = Asked::read(&visit)?;
    let query = |after| asked.query(&visit.zone, after);
    let used = data::much_usage(&portal, &visit.who, query, MORE_PAGES).await?;
    Ok(file("usage", &serde_json::to_value(&used.lines).unwrap_or_default()))
}

/// Rows as a file for spreadsheets.
pub fn file(name: &str, rows: &Value) -> Response {
    let text = spreadsheet::table(rows.as_array().map(Vec::as_slice).unwrap_or_default());
    let attachment = format!("attachment; filename=\"{name}.csv\"");
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, attachment)];
    (headers, text).into_response()
}
