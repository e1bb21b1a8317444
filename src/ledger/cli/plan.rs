//! `faregate plan …`: so many credits per period.

use super::{
    admin::{Remote, body, encoded},
    failure::Failure,
    screen::Screen,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// What a plan shows, in this order.
const MEMBERS: [&str; 8] = ["name", "version", "quota", "period", "every", "anchor", "time_zone", "rollover"];

#[derive(Args)]
pub struct Plan {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a plan
    Create {
        /// Its name: a-z, 0-9, `_`, `.`, `-`, at most 64 characters
        name: String,
        /// Credits per period: a decimal such as 1000 or 0.25
        #[arg(long, allow_hyphen_values = true)]
        quota: String,
        /// What a period is: hour, day, week, month or year
        #[arg(long)]
        period: String,
        #[command(flatten)]
        more: More,
    },
    /// List plans, in the order of their names
    List {
        /// The most to list
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// List those behind this one
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
    },
    /// Show a plan's newest version
    Show {
        /// The plan's name
        name: String,
    },
    /// Make a new version of a plan, for periods that begin from now on
    Change {
        /// The plan's name
        name: String,
        /// Credits per period
        #[arg(long, allow_hyphen_values = true)]
        quota: Option<String>,
        /// What a period is: hour, day, week, month or year
        #[arg(long)]
        period: Option<String>,
        #[command(flatten)]
        more: More,
        /// Give what a larger quota is more for running periods, too
        #[arg(long)]
        at_once: bool,
    },
}

#[derive(Args)]
struct More {
    /// A period is so many of these, 1 to 100 [default: 1]
    #[arg(long)]
    every: Option<u16>,
    /// Where periods begin: start (of the subscription) or calendar [default: start]
    #[arg(long)]
    anchor: Option<String>,
    /// An IANA time zone [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// The most that is taken over into the next period [default: 0]
    #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
    rollover: Option<String>,
}

impl Plan {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        let one = |name: &str| format!("/admin/v1/plans/{}", encoded(name));
        let answer = match self.command {
            Command::List { limit, after } => {
                let query = [("limit", Some(limit.to_string())), ("after", after)];
                let page = admin.get("/admin/v1/plans", &query)?;
                return screen.show(&page, |screen, page| {
                    screen.table(page.get("plans").unwrap_or(&json!([])), &MEMBERS)?;
                    screen.next_page(page)
                });
            }
            Command::Create { name, quota, period, more } => {
                let terms = terms(Some(quota), Some(period), more, [("name", Some(name.into()))]);
                admin.post("/admin/v1/plans", &terms)?
            }
            Command::Show { name } => admin.get(&one(&name), &[])?,
            Command::Change { name, quota, period, more, at_once } => {
                let terms = terms(quota, period, more, [("at_once", Some(at_once.into()))]);
                admin.post(&format!("{}/change", one(&name)), &terms)?
            }
        };
        screen.show(&answer, |screen, plan| screen.members(plan, &MEMBERS))
    }
}

fn terms(
    quota: Option<String>,
    period: Option<String>,
    more: More,
    [first]: [(&str, Option<Value>); 1],
) -> Value {
    body([
        first,
        ("quota", quota.map(Into::into)),
        ("period", period.map(Into::into)),
        ("every", more.every.map(Into::into)),
        ("anchor", more.anchor.map(Into::into)),
        ("time_zone", more.time_zone.map(Into::into)),
        ("rollover", more.rollover.map(Into::into)),
    ])
}
