//! `faregate events`: what happened about accounts.

use super::paging::{Listed, Paging};
use super::when::{Direction, Present};
use clap::Args;
use faregate_client::{Failure, Screen, admin::Remote};
use serde_json::Value;

/// What a list shows of each.
const COLUMNS: [&str; 4] = ["time", "account", "type", "about"];
/// What of an event's data says the same as its account.
const KNOWN: &str = "account";

#[derive(Args)]
pub struct Events {
    /// Only those about this account
    #[arg(long)]
    account: Option<String>,
    /// Only those of this kind, such as balance.low
    #[arg(long)]
    kind: Option<String>,
    /// From when: RFC 3339, or a length such as 1h (ago)
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Until when: RFC 3339, or a length such as 1h (ago)
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    remote: Remote,
}

impl Events {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let present = Present::new(jiff::Timestamp::now(), screen.zone());
        let time = |flag: &str, text: Option<String>| present.given(flag, text, Direction::Ago);
        let query = vec![
            ("account", self.account),
            ("kind", self.kind),
            ("since", time("--since", self.since)?),
            ("until", time("--until", self.until)?),
        ];
        let admin = self.remote.connect()?;
        let listed =
            Listed { path: "/admin/v1/events", query, member: "events", columns: &COLUMNS, rows: in_words };
        self.paging.show(&admin, screen, &listed)
    }
}

/// With what there is to know about each as `name=value`.
fn in_words(rows: &[Value]) -> Vec<Value> {
    let mut rows = rows.to_vec();
    for row in &mut rows {
        let about = row.get("data").map(words).unwrap_or_default();
        if let Some(row) = row.as_object_mut() {
            row.insert("about".to_owned(), about.into());
        }
    }
    rows
}

fn words(data: &Value) -> String {
    let members = data.as_object().into_iter().flatten();
    let shown = members.filter(|(name, value)| *name != KNOWN && !value.is_null());
    let word = |(name, value): (&String, &Value)| match value {
        Value::String(text) if text.contains(char::is_whitespace) => format!("{name}={text:?}"),
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    };
    shown.map(word).collect::<Vec<_>>().join(" ")
}
