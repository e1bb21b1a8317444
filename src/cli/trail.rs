//! `faregate trail`: who did what, from where, and what was there before.

use super::when::{Direction, Present};
use clap::Args;
use faregate_client::{Failure, Screen, admin::Remote, screen::list};
use serde_json::{Value, json};

#[derive(Args)]
pub struct Trail {
    /// Only what was done about this account
    #[arg(long)]
    account: Option<String>,
    /// Only what this operator did; `root` for the token of the environment
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// From when: RFC 3339, or a length such as 1h (ago)
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Until when: RFC 3339, or a length such as 1h (ago)
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Show all of each entry, with what was there before and after
    #[arg(long)]
    full: bool,
    /// The most entries
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Show those behind this one, which are older
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Trail {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let present = Present::new(jiff::Timestamp::now(), screen.zone());
        let time = |flag: &str, text: Option<String>| present.given(flag, text, Direction::Ago);
        let asked = [
            ("account", self.account),
            ("operator", self.operator),
            ("since", time("--since", self.since)?),
            ("until", time("--until", self.until)?),
            ("limit", Some(self.limit.to_string())),
            ("after", self.after),
        ];
        let answer = self.remote.connect()?.get("/admin/v1/trail", &asked)?;
        screen.show(&answer, |screen, page| {
            let mut entries = page.get("entries").cloned().unwrap_or_else(|| json!([]));
            if self.full {
                for entry in list(&entries) {
                    show(screen, entry)?;
                }
            } else {
                entries.as_array_mut().into_iter().flatten().for_each(name_subject);
                screen.table(&entries, &["id", "at", "operator", "from", "command", "account"])?;
            }
            screen.next_page(page)
        })
    }
}

/// Puts the subject behind the name of somebody who signed in by a claim: two of one name are two people.
fn name_subject(entry: &mut Value) {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (operator, token) = (text("operator"), text("token"));
    if token.starts_with("oidc:")
        && token != operator
        && let Some(shown) = entry.get_mut("operator")
    {
        *shown = format!("{operator} {token}").into();
    }
}

/// All of an entry; its JSON as text, in which no character moves a terminal's cursor.
fn show(screen: &mut Screen<'_>, entry: &Value) -> Result<(), Failure> {
    let mut entry = entry.clone();
    for name in ["before", "after"] {
        if let Some(json) = entry.get_mut(name).filter(|json| !json.is_null()) {
            *json = Value::String(json.to_string());
        }
    }
    let members =
        ["id", "at", "operator", "token", "from", "command", "account", "idempotency_key", "before", "after"];
    screen.members(&entry, &members)?;
    screen.line("")
}
