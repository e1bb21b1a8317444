//! `faregate usage`: what an account used, per minute, key and rule.

use super::when::{self, Direction};
use clap::Args;
use faregate_client::{
    Failure, Screen,
    admin::{Remote, encoded},
    screen::text,
};
use serde_json::json;

#[derive(Args)]
pub struct Usage {
    #[command(flatten)]
    remote: Remote,
    /// The account\'s identifier
    account: String,
    /// From when: RFC 3339, or a length such as 1h (ago)
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Until when: RFC 3339, or a length such as 5m (ago)
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// The most lines
    #[arg(long)]
    limit: Option<u32>,
    /// List those behind this one
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

impl Usage {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let now = jiff::Timestamp::now();
        let at = |flag: &str, text: Option<String>| {
            text.map(|text| when::rfc3339(&text, now, Direction::Ago))
                .transpose()
                .map_err(|why| Failure::usage(format!("{flag}: {why}")))
        };
        let answer = self.remote.connect()?.get(
            &format!("/admin/v1/accounts/{}/usage", encoded(&self.account)),
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
                let count = |name| text(total, name);
                screen.line(format_args!(
                    "total: {} requests, {} credits, {} refunds",
                    count("requests"),
                    count("credits"),
                    count("refunds")
                ))?;
            }
            screen.next_page(page)
        })
    }
}
