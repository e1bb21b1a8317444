//! `faregate calls`: single requests, as gateways recorded them.

use super::paging::{Listed, Paging};
use super::when::{Direction, Present};
use clap::Args;
use faregate_client::{Failure, Screen, admin::Admin, admin::Remote, screen::list, table::Table};
use serde_json::Value;
use std::time::Duration;

/// What a list shows of each.
const COLUMNS: [&str; 9] =
    ["time", "account", "rule", "item", "outcome", "charge", "status", "duration_ms", "request_id"];
const PATH: &str = "/admin/v1/calls";
/// How often new calls are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// How many are asked for at once while they are followed.
const AT_ONCE: &str = "1000";

/// Rules record calls where the filter's configuration says `record`. The newest come first; with --follow the oldest of the last
/// ones do, and those that come later as they come.
#[derive(Args)]
pub struct Calls {
    /// Only those of this account
    account: Option<String>,
    /// Only those with the key of this identifier
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Only those under this rule
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Only those for this model or tool
    #[arg(long, value_name = "MODEL")]
    item: Option<String>,
    /// Only those that were admitted, released, stopped, free, shadow or refused
    #[arg(long, value_name = "DECISION")]
    decision: Option<String>,
    /// Only those refused for this cause, such as insufficient_funds
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Only those with this status, such as 429, or of this class, such as 5xx
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Only the request with this x-request-id
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// From when: RFC 3339, or a length such as 1h (ago)
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Until when: RFC 3339, or a length such as 1h (ago)
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Show calls as they come, until Ctrl-C; with --json a line for each
    #[arg(long, conflicts_with_all = ["until", "after", "all"])]
    follow: bool,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    remote: Remote,
}

impl Calls {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let present = Present::new(jiff::Timestamp::now(), screen.zone());
        let time = |flag: &str, text: Option<String>| present.given(flag, text, Direction::Ago);
        let query = vec![
            ("account", self.account),
            ("key", self.key),
            ("rule", self.rule),
            ("item", self.item),
            ("decision", self.decision),
            ("code", self.code),
            ("status", self.status),
            ("request_id", self.request_id),
            ("since", time("--since", self.since)?),
            ("until", time("--until", self.until)?),
        ];
        let admin = self.remote.connect()?;
        if self.follow {
            return follow(&admin, screen, &query, self.paging.limit());
        }
        let listed = Listed { path: PATH, query, member: "calls", columns: &COLUMNS, rows: in_words };
        self.paging.show(&admin, screen, &listed)
    }
}

/// Shows the last ones, oldest first, and then what comes.
fn follow(
    admin: &Admin,
    screen: &mut Screen<'_>,
    query: &[(&str, Option<String>)],
    last: usize,
) -> Result<(), Failure> {
    let with = |more: &[(&'static str, Option<String>)]| admin.get(PATH, &[query, more].concat());
    let mut table = Table::new(&COLUMNS);
    let mut page = with(&[("limit", Some(last.to_string()))])?;
    let mut calls = page.get("calls").map(list).unwrap_or_default().to_vec();
    calls.reverse();
    let mut newest = text(&page, "newest");
    loop {
        show(screen, &mut table, &calls)?;
        if calls.is_empty() {
            std::thread::sleep(EVERY);
        }
        page = with(&[("limit", Some(AT_ONCE.to_owned())), ("newer_than", newest.clone())])?;
        calls = page.get("calls").map(list).unwrap_or_default().to_vec();
        newest = text(&page, "next").or(newest);
    }
}

fn show(screen: &mut Screen<'_>, table: &mut Table<'_>, calls: &[Value]) -> Result<(), Failure> {
    if screen.is_json() {
        return calls.iter().try_for_each(|call| screen.json(&call.to_string()));
    }
    if calls.is_empty() { Ok(()) } else { screen.rows(table, &in_words(calls)) }
}

fn text(page: &Value, member: &str) -> Option<String> {
    page.get(member).and_then(Value::as_str).map(str::to_owned)
}

/// With why a call was refused, or else what became of it.
fn in_words(rows: &[Value]) -> Vec<Value> {
    let mut rows = rows.to_vec();
    for row in &mut rows {
        let member = |name: &str| row.get(name).filter(|value| !value.is_null()).cloned();
        let decision = member("decision").unwrap_or_default();
        let outcome = match (member("code"), decision.as_str()) {
            (Some(code), Some("shadow")) => format!("shadow: {}", code.as_str().unwrap_or_default()).into(),
            (Some(code), _) => code,
            (None, _) => decision,
        };
        if let Some(row) = row.as_object_mut() {
            row.insert("outcome".to_owned(), outcome);
        }
    }
    rows
}
