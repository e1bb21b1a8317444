//! `faregate usage`: what was used, per minute, summed up by periods and groups, or by model and tool with the margin.

use super::spreadsheet;
use super::when::{Direction, Present};
use clap::{Args, ValueEnum};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, encoded},
    screen::{count, list, text},
};
use serde_json::{Value, json};

/// The most pages that `--all` walks.
const MAX_PAGES: usize = 10_000;

#[derive(Args)]
pub struct Usage {
    /// The account's identifier; with `--by`, `--group` or `--forecast` it may be left out, for all accounts
    #[arg(required_unless_present_any = ["group", "by", "forecast"])]
    account: Option<String>,
    /// From when: a date, a time (RFC 3339), or a length such as 1h (ago)
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Until when: a date, a time (RFC 3339), or a length such as 5m (ago)
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Sum up by hours, days or months, of the time zone that `--zone` names
    #[arg(long)]
    by: Option<By>,
    /// Sum up by these, with commas between; model or tool alone shows what they cost and the margin
    #[arg(long, value_delimiter = ',')]
    group: Vec<Group>,
    /// Show what will have been spent when the running period ends, at the pace of the last 7 days
    #[arg(long, conflicts_with_all = ["since", "until", "by", "group", "limit", "after", "all", "csv"])]
    forecast: bool,
    /// The most lines, up to 1000 [default: 100]
    #[arg(long)]
    limit: Option<u32>,
    /// List those behind this one
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// List all of them, page by page
    #[arg(long, conflicts_with = "after")]
    all: bool,
    /// Print comma-separated values, unless `--json` is given
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    remote: Remote,
}

/// How long periods are.
#[derive(Clone, Copy, ValueEnum)]
enum By {
    Hour,
    Day,
    Month,
}

/// By what usage is summed up. A model's name and a tool's are the same to the ledger.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    Account,
    Team,
    Key,
    Rule,
    Product,
    Model,
    Tool,
}

impl Group {
    fn is_item(self) -> bool {
        matches!(self, Self::Model | Self::Tool)
    }

    /// Its name in the admin API.
    fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Team => "team",
            Self::Key => "key",
            Self::Rule => "rule",
            Self::Product => "product",
            Self::Model | Self::Tool => "item",
        }
    }
}

impl Usage {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let present = Present::new(jiff::Timestamp::now(), screen.zone());
        if self.forecast {
            return self.forecast(screen);
        }
        let at = |flag: &str, text: Option<String>| present.given(flag, text, Direction::Ago);
        let since = at("--since", self.since.clone())?;
        let until = at("--until", self.until.clone())?;
        if self.by.is_none() && !self.group.is_empty() && self.group.iter().all(|group| group.is_item()) {
            return self.by_item(screen, since, until);
        }
        let limit = self.limit.map(|limit| limit.to_string());
        let times = [("since", since), ("until", until), ("limit", limit)];
        if self.by.is_none() && self.group.is_empty() {
            let path =
                format!("/admin/v1/accounts/{}/usage", encoded(self.account.as_deref().unwrap_or_default()));
            let columns = ["minute", "key", "rule", "requests", "credits", "refunds"];
            return self.pages(screen, &path, &times, &columns);
        }
        let by = self.by.map(|by| match by {
            By::Hour => "hour",
            By::Day => "day",
            By::Month => "month",
        });
        let groups: Vec<_> = self.group.iter().map(|group| group.name()).collect();
        let group = Some(groups.join(",")).filter(|groups| !groups.is_empty());
        let sums = [
            ("by", by.map(str::to_owned)),
            ("group", group),
            ("account", self.account.clone()),
            ("time_zone", by.and_then(|_| screen.zone().time_zone().iana_name()).map(str::to_owned)),
        ];
        let with_cost = groups.contains(&"item");
        let mut columns: Vec<&str> = if by.is_some() { vec!["from", "until"] } else { Vec::new() };
        for group in groups {
            if !columns.contains(&group) {
                columns.push(group);
            }
        }
        columns.extend(["requests", "credits", "refunds"]);
        if with_cost {
            columns.extend(["cost", "margin"]);
        }
        self.pages(screen, "/admin/v1/usage/sums", &[&times[..], &sums[..]].concat(), &columns)
    }

    /// Shows what will have been spent when the running period ends.
    fn forecast(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let zone = screen.zone().time_zone().iana_name().map(str::to_owned);
        let asked = [("account", self.account), ("time_zone", zone)];
        let answer = self.remote.connect()?.get("/admin/v1/usage/forecast", &asked)?;
        let members =
            ["account", "from", "until", "spent", "expected", "per_day", "pace_since", "left", "used_up_at"];
        screen.show(&answer, |screen, forecast| screen.members(forecast, &members))
    }

    /// Shows one page, or all of them as one.
    fn pages(
        &self,
        screen: &mut Screen<'_>,
        path: &str,
        asked: &[(&str, Option<String>)],
        columns: &[&str],
    ) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        let mut after = self.after.clone();
        let mut lines: Vec<Value> = Vec::new();
        let mut pages = 0;
        let mut answer = loop {
            let position = [("after", after.take())];
            let mut answer = admin.get(path, &[asked, &position[..]].concat())?;
            lines.extend(answer.get("lines").map(list).unwrap_or_default().iter().cloned());
            pages += 1;
            after = answer.get("next").and_then(Value::as_str).map(str::to_owned);
            if !self.all || after.is_none() || pages == MAX_PAGES {
                if let Some(members) = answer.as_object_mut() {
                    members.insert("lines".into(), Value::Null);
                }
                break answer;
            }
        };
        if let Some(member) = answer.get_mut("lines") {
            *member = Value::Array(lines);
        }
        if self.csv && !screen.is_json() {
            let rows = answer.get("lines").cloned().unwrap_or_default();
            return screen.lines(spreadsheet::text(&rows, columns)?.trim_end());
        }
        screen.show(&answer, |screen, page| {
            screen.table(page.get("lines").unwrap_or(&json!([])), columns)?;
            if let Some(total) = page.get("total") {
                let of = |name| text(total, name);
                screen.line(format_args!(
                    "total: {} requests, {} credits, {} refunds",
                    of("requests"),
                    of("credits"),
                    of("refunds")
                ))?;
            }
            screen.next_page(page)
        })
    }

    fn by_item(
        self,
        screen: &mut Screen<'_>,
        since: Option<String>,
        until: Option<String>,
    ) -> Result<(), Failure> {
        let asked = [
            ("group", Some("item".to_owned())),
            ("account", self.account),
            ("since", since),
            ("until", until),
            ("limit", self.limit.map(|limit| limit.to_string())),
        ];
        let answer = self.remote.connect()?.get("/admin/v1/usage", &asked)?;
        if self.csv && !screen.is_json() {
            let rows = answer.get("items").cloned().unwrap_or_default();
            return screen.lines(
                spreadsheet::text(&rows, &["item", "requests", "credits", "cost", "margin"])?.trim_end(),
            );
        }
        screen.show(&answer, by_item)
    }
}

/// The table of models and tools, with what they were charged, what they cost the seller, and what is left of it.
fn by_item(screen: &mut Screen<'_>, answer: &Value) -> Result<(), Failure> {
    // `input 900, output 10`
    let parts = |line: &Value, member: &str| {
        let parts = line.get(member).and_then(Value::as_object).into_iter().flatten();
        let parts: Vec<_> = parts.map(|(name, number)| format!("{name} {number}")).collect();
        if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
    };
    let items = answer.get("items").map(list).unwrap_or_default();
    let lines = items.iter().map(|line| {
        json!({
            "item": line.get("item"), "requests": line.get("requests"), "charged": line.get("credits"),
            "cost": line.get("cost"), "margin": line.get("margin"),
            "charged_by": parts(line, "basis"), "used": parts(line, "used"),
        })
    });
    let lines = lines.collect::<Vec<_>>();
    let shown = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    let columns = ["item", "requests", "charged", "cost", "margin", "charged_by", "used"];
    screen.table(&lines.into(), &columns)?;
    let total = answer.get("total").cloned().unwrap_or_default();
    let number = |name: &str| total.get(name).and_then(Value::as_u64).unwrap_or(0);
    let requests = count(number("requests"), "request", "requests");
    screen.line(format_args!("total: {requests}, {} credits", text(&total, "credits")))?;
    if total.get("cost").is_some_and(|cost| !cost.is_null()) {
        screen.line(format_args!("cost: {}, margin {}", text(&total, "cost"), text(&total, "margin")))?;
        let unknown = number("cost_unknown");
        if unknown > 0 {
            let unknown = count(unknown, "request", "requests");
            screen.line(format_args!(
                "(the cost of {unknown} isn't known; cost and margin are without them)"
            ))?;
        }
    }
    if number("items") > shown {
        let all = number("items");
        screen.line(format_args!("(shown: {shown} of {all}; ask with --since or a larger --limit)"))?;
    }
    Ok(())
}
