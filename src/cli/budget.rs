//! `faregate budget …`: how much an account, a team or a key may use per period.

use super::choices::PERIODS;
use super::paging::{Listed, Paging, as_they_are};
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
    screen::text,
};
use serde_json::Value;

/// What a budget shows, in this order.
const MEMBERS: [&str; 11] = [
    "account",
    "scope",
    "target",
    "credits",
    "period",
    "every",
    "time_zone",
    "spent",
    "held",
    "left",
    "resets_at",
];

/// What a list shows of each.
const COLUMNS: [&str; 9] =
    ["scope", "target", "credits", "period", "every", "spent", "held", "left", "resets_at"];

#[derive(Args)]
pub struct Budget {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Subcommand)]
enum Command {
    /// Set a budget, or change it
    Set {
        #[command(flatten)]
        whose: Whose,
        /// Credits per period: a decimal such as 100 or 0.25
        #[arg(long, allow_hyphen_values = true)]
        credits: String,
        /// What a period of the calendar is
        #[arg(long, value_name = "PERIOD", value_parser = PERIODS)]
        per: String,
        /// A period is so many of these, 1 to 100 [default: 1]
        #[arg(long)]
        every: Option<u16>,
        /// An IANA time zone [default: UTC]
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
    },
    /// Take a budget away
    Clear {
        #[command(flatten)]
        whose: Whose,
    },
    /// List the budgets of an account, its teams and its keys, and what is used of them
    List {
        /// The account's identifier
        account: String,
        #[command(flatten)]
        paging: Paging,
    },
}

#[derive(Args)]
struct Whose {
    /// The account's identifier
    account: String,
    /// The budget of this team of it
    #[arg(long, value_name = "TEAM", conflicts_with = "key")]
    team: Option<String>,
    /// The budget of this key of it, by the identifier that `key list` shows
    #[arg(long, value_name = "KEY_ID")]
    key: Option<String>,
}

impl Whose {
    fn members(self) -> [(&'static str, Option<Value>); 2] {
        let (scope, target) = match (self.team, self.key) {
            (Some(team), _) => ("team", Some(team)),
            (None, Some(key)) => ("key", Some(key)),
            (None, None) => ("account", None),
        };
        [("scope", Some(scope.into())), ("target", target.map(Into::into))]
    }
}

impl Budget {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        let budgets = |account: &str| format!("/admin/v1/accounts/{}/budgets", encoded(account));
        match self.command {
            Command::Set { whose, credits, per, every, time_zone } => {
                let path = budgets(&whose.account);
                let [scope, target] = whose.members();
                let asked = body([
                    scope,
                    target,
                    ("credits", Some(credits.into())),
                    ("period", Some(per.into())),
                    ("every", every.map(Into::into)),
                    ("time_zone", time_zone.map(Into::into)),
                ]);
                let answer = admin.post(&path, &asked)?;
                screen.show(&answer, |screen, budget| screen.members(budget, &MEMBERS))
            }
            Command::Clear { whose } => {
                let path = format!("{}/clear", budgets(&whose.account));
                let answer = admin.post(&path, &body(whose.members()))?;
                screen.show(&answer, |screen, budget| {
                    let whose = match text(budget, "scope").as_str() {
                        "account" => format!("account {}", text(budget, "account")),
                        scope => format!("{scope} {}", text(budget, "target")),
                    };
                    screen.line(format_args!("{whose} has no budget any more"))
                })
            }
            Command::List { account, paging } => {
                let path = &budgets(&account);
                let columns = &COLUMNS;
                let listed =
                    Listed { path, query: Vec::new(), member: "budgets", columns, rows: as_they_are };
                paging.show(&admin, screen, &listed)
            }
        }
    }
}
