//! `faregate usage`: what an account used, per minute, key and rule, or by model and tool.

use super::when::{Direction, Present};
use clap::{Args, ValueEnum};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, encoded},
    screen::{count, list, text},
};
use serde_json::{Value, json};

#[derive(Args)]
pub struct Usage {
    #[command(flatten)]
    remote: Remote,
    /// The account's identifier; with `--group` it may be left out, for all accounts
    #[arg(required_unless_present = "group")]
    account: Option<String>,
    /// From when: a date, a time (RFC 3339), or a length such as 1h (ago)
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Until when: a date, a time (RFC 3339), or a length such as 5m (ago)
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// The most lines, up to 1000 [default: 100]
    #[arg(long)]
    limit: Option<u32>,
    /// List those behind this one
    #[arg(long, value_name = "CURSOR", conflicts_with = "group")]
    after: Option<String>,
    /// Sum up by model or tool, of rules that are priced by usage; both words list both
    #[arg(long)]
    group: Option<Group>,
}

/// By what usage is summed up. A model's name and a tool's are the same to the ledger.
#[derive(Clone, Copy, ValueEnum)]
enum Group {
    Model,
    Tool,
}

impl Usage {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let present = Present::new(jiff::Timestamp::now(), screen.zone());
        let at = |flag: &str, text: Option<String>| present.given(flag, text, Direction::Ago);
        if self.group.is_some() {
            let asked = [
                ("group", Some("item".to_owned())),
                ("account", self.account),
                ("since", at("--since", self.since)?),
                ("until", at("--until", self.until)?),
                ("limit", self.limit.map(|limit| limit.to_string())),
            ];
            let answer = self.remote.connect()?.get("/admin/v1/usage", &asked)?;
            return screen.show(&answer, by_item);
        }
        let answer = self.remote.connect()?.get(
            &format!("/admin/v1/accounts/{}/usage", encoded(&self.account.unwrap_or_default())),
            &[
                ("since", at("--since", self.since)?),
                ("until", at("--until", self.until)?),
                ("limit", self.limit.map(|limit| limit.to_string())),
                ("after", self.after),
            ],
        )?;
        screen.show(&answer, |screen, page| {
            let columns = ["minute", "key", "rule", "requests", "credits", "refunds"];
            screen.table(page.get("lines").unwrap_or(&json!([])), &columns)?;
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
