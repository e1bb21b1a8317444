//! `faregate why`: why an account's requests are refused, and what cures it.

use super::when::{Direction, Present};
use clap::Args;
use faregate_client::{
    Failure, Screen,
    admin::{Remote, encoded},
    screen::{list, text},
};
use faregate_protocol::RefusalCode;
use serde_json::Value;

#[derive(Args)]
pub struct Why {
    /// The account\'s identifier
    account: String,
    /// What a request costs, in credits; the smallest amount if left out
    #[arg(long, value_name = "CREDITS")]
    price: Option<String>,
    /// Refusals from when on: a date, a time (RFC 3339), or a length such as 7d (ago); at most 30 days
    #[arg(long, value_name = "WHEN", default_value = "24h")]
    since: String,
    #[command(flatten)]
    remote: Remote,
}

impl Why {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let present = Present::new(jiff::Timestamp::now(), screen.zone());
        let since = present.given("--since", Some(self.since), Direction::Ago)?;
        let path = format!("/admin/v1/accounts/{}/why", encoded(&self.account));
        let answer = self.remote.connect()?.get(&path, &[("price", self.price), ("since", since)])?;
        screen.show(&answer, shown)
    }
}

fn shown(screen: &mut Screen<'_>, answer: &Value) -> Result<(), Failure> {
    let findings = answer.get("findings").map(list).unwrap_or_default();
    screen.line(format_args!("account {} is {}", text(answer, "account"), text(answer, "state")))?;
    if findings.is_empty() {
        screen.line("now: nothing of the account keeps requests from passing")?;
    }
    for finding in findings {
        screen.line(format_args!("now: {}: {}", text(finding, "code"), text(finding, "what")))?;
        screen.line(format_args!("     cure: {}", text(finding, "cure").replace('`', "")))?;
    }
    let refusals = answer.get("refusals").cloned().unwrap_or_default();
    screen.line("")?;
    if list(&refusals).is_empty() {
        return screen.line(format_args!("refused since {}: nothing", screen.text(answer, "since")));
    }
    screen.line(format_args!("refused since {}:", screen.text(answer, "since")))?;
    screen.table(&refusals, &["code", "key", "rule", "requests", "first_seen", "last_seen"])?;
    let mut codes: Vec<RefusalCode> =
        list(&refusals).iter().filter_map(|line| RefusalCode::named(line.get("code")?.as_str()?)).collect();
    codes.sort_unstable();
    codes.dedup();
    for code in codes {
        screen.line(
            format_args!("{code}: {}; check {}", code.meaning(), code.check()).to_string().replace('`', ""),
        )?;
    }
    Ok(())
}
