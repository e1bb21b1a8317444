//! How amounts, counts, times and texts of others look on a page.
//!
//! What must hold: a text that others have written shows no character that changes how its surroundings are read, and is never taken
//! for markup.

use faregate_protocol::Credits;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;

/// How many characters of an identifier are shown.
const SHORT_ID: usize = 8;
/// How many characters of a credential are shown that may be long.
const SHORT_TEXT: usize = 48;

/// A piece of a page that holds markup: templates don't escape it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl askama::filters::HtmlSafe for Html {}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Html {
    /// A text that others have written: it can't reach beyond itself.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self(format!("<bdi>{}</bdi>", escaped(&plain(text))))
    }

    /// Markup that is known to be safe: what others have written in it is escaped already.
    pub(in crate::http) const fn trusted(markup: String) -> Self {
        Self(markup)
    }

    /// An amount, or a count.
    pub fn number(number: impl ToString) -> Self {
        Self(format!("<span class=\"number\">{}</span>", escaped(&grouped(number))))
    }

    /// Nothing, as a sign that there is nothing.
    pub fn none() -> Self {
        Self("<span class=\"none\">\u{2013}</span>".to_owned())
    }

    /// A state: its color says the same as its word.
    pub fn state(name: &str) -> Self {
        let kind = match name {
            "active" | "good" | "ready" => "good",
            "suspended" | "past_due" | "paused" | "trialing" | "unpaid" => "warn",
            _ => "over",
        };
        Self(format!("<span class=\"state {kind}\">{}</span>", escaped(&name.replace('_', " "))))
    }

    /// Code, such as a command.
    pub fn code(text: &str) -> Self {
        Self(format!("<code>{}</code>", escaped(&plain(text))))
    }

    /// An identifier that the ledger made, by its end: what is in front only says when.
    pub fn id(id: &str) -> Self {
        let title = escaped(&plain(id));
        Self(format!("<code title=\"{title}\">{}</code>", escaped(&plain(short_id(id)))))
    }

    /// A text with code between backticks.
    pub fn prose(text: &str) -> Self {
        let parts = text.split('`').enumerate().map(|(nth, part)| {
            let part = escaped(&plain(part));
            if nth % 2 == 0 { part } else { format!("<code>{part}</code>") }
        });
        Self(format!("<bdi>{}</bdi>", parts.collect::<String>()))
    }

    /// The same, or a sign that there is nothing.
    pub fn or_none<T>(value: Option<T>, show: impl FnOnce(T) -> Self) -> Self {
        value.map_or_else(Self::none, show)
    }
}

/// The end of an identifier that the ledger made.
pub fn short_id(id: &str) -> String {
    let chars = id.chars().count();
    if chars <= SHORT_ID {
        id.to_owned()
    } else {
        format!("…{}", id.chars().skip(chars.saturating_sub(SHORT_ID)).collect::<String>())
    }
}

/// A text, or so much of it as fits into a table.
pub fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(SHORT_TEXT).collect();
    if chars.next().is_some() { start + "…" } else { start }
}

/// Without what HTML takes for markup.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// A part of a path or a query, in which every special character is encoded.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The zone in which times are shown.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Its name.
    pub name: String,
    zone: TimeZone,
}

impl Default for Zone {
    fn default() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }
}

impl Zone {
    /// The zone with this IANA name.
    pub fn named(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name).ok()?;
        let name = zone.iana_name()?.to_owned();
        Some(Self { name, zone })
    }

    /// The zone itself.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// To the minute.
    pub fn minute(&self, at: &Timestamp) -> String {
        self.shown(at, "%Y-%m-%d %H:%M")
    }

    /// To the minute, as a piece of a page.
    pub fn when(&self, at: Timestamp) -> Html {
        Html(format!("<time datetime=\"{at}\">{}</time>", escaped(&self.minute(&at))))
    }

    /// To the second, as a piece of a page.
    pub fn second(&self, at: Timestamp) -> Html {
        Html(format!("<time datetime=\"{at}\">{}</time>", escaped(&self.shown(&at, "%Y-%m-%d %H:%M:%S"))))
    }

    /// The time of day.
    pub fn clock(&self, at: &Timestamp) -> String {
        self.shown(at, "%H:%M")
    }

    /// The day.
    pub fn day(&self, at: &Timestamp) -> String {
        self.shown(at, "%b %-d")
    }

    /// The day, with its year.
    pub fn date(&self, at: &Timestamp) -> String {
        self.shown(at, "%Y-%m-%d")
    }

    /// The month.
    pub fn month(&self, at: &Timestamp) -> String {
        self.shown(at, "%b %Y")
    }

    /// When the day begins that a form's field means, such as `2026-11-30`.
    pub fn read_day(&self, text: &str) -> Option<Timestamp> {
        let day: jiff::civil::Date = text.parse().ok()?;
        Some(day.to_zoned(self.zone.clone()).ok()?.timestamp())
    }

    /// When the day behind the one begins that this moment is in.
    pub fn next_day(&self, at: Timestamp) -> Timestamp {
        let next = at.to_zoned(self.zone.clone()).tomorrow().and_then(|day| day.start_of_day());
        next.map_or(Timestamp::MAX, |day| day.timestamp())
    }

    fn shown(&self, at: &Timestamp, format: &str) -> String {
        at.to_zoned(self.zone.clone()).strftime(format).to_string()
    }

    /// The time that a form's field means, such as `2026-11-30T12:00`.
    pub fn read(&self, text: &str) -> Option<Timestamp> {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        Some(civil.to_zoned(self.zone.clone()).ok()?.timestamp())
    }
}

/// A number or an amount with a comma between thousands.
#[expect(clippy::needless_pass_by_value, reason = "counts and amounts are small, and passed as they are")]
pub fn grouped(number: impl ToString) -> String {
    let text = number.to_string();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("\u{2212}", rest.to_owned()),
        None => ("", text),
    };
    let (whole, rest) = match text.split_once('.') {
        Some((whole, rest)) => (whole, format!(".{rest}")),
        None => (text.as_str(), String::new()),
    };
    let mut digits = String::new();
    for (nth, digit) in whole.chars().enumerate() {
        if nth > 0 && whole.len().saturating_sub(nth).is_multiple_of(3) {
            digits.push(',');
        }
        digits.push(digit);
    }
    [sign, &digits, &rest].concat()
}

/// About how much, in few characters: `1.2M`.
pub fn about(credits: Credits) -> String {
    let micros = credits.micros().unsigned_abs();
    let steps = [(1_000_000_000_000, "M"), (1_000_000_000, "k"), (1_000_000, "")];
    let tenths = |unit: u64| micros.saturating_mul(10).checked_div(unit).unwrap_or(0);
    for (unit, name) in steps {
        if micros >= unit {
            let tenths = tenths(unit);
            let (whole, rest) = (tenths / 10, tenths % 10);
            let rest = if rest == 0 { String::new() } else { format!(".{rest}") };
            return format!("{}{rest}{name}", grouped(whole));
        }
    }
    credits.to_string()
}

/// About how long, for people.
pub fn how_long(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// How many bytes, for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

/// A text of others, in which what can't be seen is written out.
pub fn plain(text: impl AsRef<str>) -> String {
    let mut shown = String::new();
    for c in text.as_ref().chars() {
        if is_hidden(c) {
            shown.push_str(&c.escape_unicode().to_string());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether a character can't be seen, or turns the direction of what is around it.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_in_front_of_the_point_alone() {
        let shown = ["0", "999", "1000", "1234567.123456", "-1000.5"].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567.123456", "\u{2212}1,000.5"]);
    }

    #[test]
    fn amounts_on_an_axis_are_short() {
        let shown = ["0.5", "1", "1500", "20000", "3000000"].map(|text| about(Credits::parse(text).unwrap()));
        assert_eq!(shown, ["0.5", "1", "1.5k", "20k", "3M"]);
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(plain("a\u{202e}b\u{0}c\n"), "a\\u{202e}b\\u{0}c\\u{a}");
        assert_eq!(plain("Žluťoučký 👩‍🚀 <b>"), "Žluťoučký 👩‍🚀 <b>", "joined emoji stay");
    }

    #[test]
    fn code_in_prose_is_code_and_nothing_else_is() {
        let shown = Html::prose("run `a <b>` & wait").to_string();
        assert_eq!(shown, "<bdi>run <code>a &lt;b&gt;</code> &amp; wait</bdi>");
        assert_eq!(shortened(&"ä".repeat(50)), "ä".repeat(48) + "…");
        assert_eq!(["key_0123456789", "short"].map(short_id), ["…23456789", "short"]);
    }

    #[test]
    fn times_are_shown_and_read_in_the_zone() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let at: Timestamp = "2026-11-30T23:30:00Z".parse().unwrap();
        assert_eq!(berlin.minute(&at), "2026-12-01 00:30");
        assert_eq!(berlin.read("2026-12-01T00:30"), Some(at));
        assert_eq!(Zone::default().minute(&at), "2026-11-30 23:30");
        let day = berlin.read_day("2026-10-25").unwrap();
        assert_eq!(berlin.next_day(day).duration_since(day), jiff::SignedDuration::from_hours(25));
        assert_eq!((berlin.date(&at), berlin.month(&at)), ("2026-12-01".to_owned(), "Dec 2026".to_owned()));
        assert!(Zone::named("Middle/Earth").is_none() && berlin.read("soon").is_none());
    }
}
