//! `faregate shadow`: who would have been refused, did the rules not only watch.

use super::when::{Direction, Present};
use clap::Args;
use faregate_client::{
    Failure, Screen,
    admin::Remote,
    screen::{count, list, text},
};
use serde_json::{Value, json};

#[derive(Args)]
pub struct Shadow {
    /// Only those of this account
    #[arg(long)]
    account: Option<String>,
    /// From when: a date, a time (RFC 3339), or a length such as 1h (ago)
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// The most lines, up to 1000 [default: 100]
    #[arg(long)]
    limit: Option<u32>,
    #[command(flatten)]
    remote: Remote,
}

impl Shadow {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let present = Present::new(jiff::Timestamp::now(), screen.zone());
        let since = present.given("--since", self.since, Direction::Ago)?;
        let asked = [
            ("account", self.account),
            ("since", since),
            ("limit", self.limit.map(|limit| limit.to_string())),
        ];
        let answer = self.remote.connect()?.get("/admin/v1/shadow", &asked)?;
        screen.show(&answer, |screen, answer| {
            let lines = answer.get("lines").cloned().unwrap_or_else(|| json!([]));
            let columns = ["account", "key", "rule", "code", "requests", "first_seen", "last_seen"];
            screen.table(&lines, &columns)?;
            let total = answer.get("total").cloned().unwrap_or_default();
            let all = total.get("lines").and_then(Value::as_u64).unwrap_or(0);
            let requests = total.get("requests").and_then(Value::as_u64).unwrap_or(0);
            let of = count(requests, "request", "requests");
            screen.line(format_args!("total: {of} would have been refused"))?;
            let shown = u64::try_from(list(&lines).len()).unwrap_or(u64::MAX);
            if all > shown {
                screen.line(format_args!(
                    "(shown: {shown} of {} lines; ask with --account, --since or a larger --limit)",
                    text(&total, "lines")
                ))?;
            }
            Ok(())
        })
    }
}
