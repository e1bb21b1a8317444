//! Charts and bars as pieces of a page: the geometry with its names.

use super::chart::{self, Column, HEIGHT, MAX_COLUMNS, MAX_PARTS, Rectangle, WIDTH};
use super::show::{about, grouped};
use askama::Template;
use faregate_protocol::Credits;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The name of what isn't among the largest.
const REST: &str = "all others";

/// A column of a chart, named.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// What it is for, such as a day.
    pub name: String,
    /// How it is written under the chart.
    pub short: String,
    /// Its parts, from the ground up.
    pub parts: Column,
}

/// A column as it is drawn.
#[derive(Debug)]
struct Drawn {
    title: String,
    figures: Vec<String>,
    name: String,
    parts: Vec<Rectangle>,
}

/// A chart of columns.
#[derive(Debug, Template)]
#[template(path = "plot.html")]
pub struct Plot {
    label: String,
    columns: Vec<Drawn>,
    /// What the upper edge, the middle and the ground mean.
    ticks: [String; 3],
    /// What is written under it: of the first, the middle and the last column.
    under: Vec<String>,
    legend: Vec<String>,
    width: i64,
    height: i64,
}

impl askama::filters::HtmlSafe for Plot {}

impl Plot {
    /// A chart; `write` says what a number means, `about` the same in few characters.
    pub fn new(
        label: impl Into<String>,
        mut named: Vec<Named>,
        legend: Vec<String>,
        write: impl Fn(u64) -> String,
        about: impl Fn(u64) -> String,
    ) -> Self {
        named.truncate(MAX_COLUMNS);
        let all: Vec<Column> = named.iter().map(|column| column.parts.clone()).collect();
        let ceiling = chart::ceiling(&all);
        let drawn = named.iter().zip(chart::columns(&all, ceiling)).map(|(column, parts)| {
            let figures: Vec<String> = column.parts.iter().map(|part| write(*part)).collect();
            let words: Vec<String> = match legend.as_slice() {
                [] => figures.clone(),
                legend => legend
                    .iter()
                    .zip(&column.parts)
                    .zip(&figures)
                    .filter(|((_, part), _)| **part > 0)
                    .map(|((name, _), figure)| format!("{name} {figure}"))
                    .collect(),
            };
            let title = format!(
                "{}: {}",
                column.name,
                if words.is_empty() { "0".to_owned() } else { words.join(", ") }
            );
            Drawn { title, figures, name: column.name.clone(), parts }
        });
        let columns: Vec<Drawn> = drawn.collect();
        let last = named.len().saturating_sub(1);
        let mut at = vec![0, last / 2, last];
        at.dedup();
        let under =
            at.into_iter().filter_map(|at| named.get(at)).map(|column| column.short.clone()).collect();
        let ticks = [about(ceiling), about(ceiling / 2), about(0)];
        Self { label: label.into(), columns, ticks, under, legend, width: WIDTH, height: HEIGHT }
    }

    /// What it shows.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether there is nothing to be seen.
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(|column| column.parts.is_empty())
    }
}

/// A bar of parts beside each other.
#[derive(Debug, Template)]
#[template(path = "bar.html")]
pub struct Bar {
    label: String,
    parts: Vec<Rectangle>,
    width: i64,
    height: i64,
}

impl askama::filters::HtmlSafe for Bar {}

impl Bar {
    /// A bar that is full at `whole`.
    pub fn new(label: impl Into<String>, parts: &[u64], whole: u64) -> Self {
        Self { label: label.into(), parts: chart::bar(parts, whole), width: WIDTH, height: HEIGHT }
    }

    /// A bar of what is used of a whole.
    pub fn used(what: &str, used: u64, whole: u64) -> Self {
        let percent = used.saturating_mul(100).checked_div(whole).unwrap_or(0);
        Self::new(format!("{what}: {percent}% used"), &[used], whole)
    }
}

/// The largest lines of a list by a name, and the rest together: at most as many as a chart has parts.
pub fn largest(sums: Vec<(String, u64)>) -> Vec<String> {
    let mut totals: Vec<(String, u64)> = Vec::new();
    for (name, amount) in sums {
        match totals.iter_mut().find(|(known, _)| *known == name) {
            Some((_, total)) => *total = total.saturating_add(amount),
            None => totals.push((name, amount)),
        }
    }
    totals.sort_by(|(one, more), (other, less)| less.cmp(more).then_with(|| one.cmp(other)));
    totals.into_iter().map(|(name, _)| name).take(MAX_PARTS.saturating_sub(1)).collect()
}

/// Credits by periods, each with its beginning and its name, and within them by what the lines are named: the largest, and the rest
/// together.
pub fn usage_plot(
    label: &str,
    periods: Vec<(Timestamp, String)>,
    lines: Vec<(Option<Timestamp>, String, Credits)>,
) -> Plot {
    let micros = |credits: Credits| credits.micros().unsigned_abs();
    let mut names =
        largest(lines.iter().map(|(_, name, credits)| (name.clone(), micros(*credits))).collect());
    if lines.iter().any(|(_, name, _)| !names.contains(name)) {
        names.push(REST.to_owned());
    }
    let last = names.len().saturating_sub(1);
    let mut columns: BTreeMap<Timestamp, Vec<u64>> =
        periods.iter().map(|(from, _)| (*from, vec![0_u64; names.len()])).collect();
    for (from, name, credits) in lines {
        let at = names.iter().position(|known| *known == name).unwrap_or(last);
        if let Some(part) = from.and_then(|from| columns.get_mut(&from)).and_then(|parts| parts.get_mut(at)) {
            *part = part.saturating_add(micros(credits));
        }
    }
    let named = periods.into_iter().map(|(from, name)| Named {
        parts: columns.remove(&from).unwrap_or_default(),
        short: name.clone(),
        name,
    });
    let credits = |n: u64| Credits::from_micros(i64::try_from(n).unwrap_or(i64::MAX));
    let columns: Vec<Named> = named.collect();
    Plot::new(label, columns, names, move |n| grouped(credits(n)), move |n| about(credits(n)))
}

/// A count as people read it.
pub fn whole(count: u64) -> String {
    grouped(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_the_rest_is_one() {
        let sums = (0..9_u64).map(|n| (format!("rule-{n}"), n * 10)).chain([("rule-1".to_owned(), 500)]);
        let names = largest(sums.collect());
        assert_eq!(names, ["rule-1", "rule-8", "rule-7", "rule-6", "rule-5"]);
    }

    #[test]
    fn a_chart_says_what_it_shows() {
        let column = |name: &str, parts: &[u64]| Named {
            name: name.into(),
            short: name.into(),
            parts: parts.to_vec(),
        };
        let columns = vec![column("Mon", &[3, 0]), column("Tue", &[0, 0]), column("Wed", &[1, 4])];
        let plot = Plot::new("Calls", columns, vec!["a <b>".into(), "rest".into()], whole, whole);
        assert!(!plot.is_empty());
        let html = plot.to_string();
        assert!(html.contains("<title>Mon: a &#60;b&#62; 3</title>"), "{html}");
        assert!(html.contains("Wed: a &#60;b&#62; 1, rest 4"), "{html}");
    }
}
