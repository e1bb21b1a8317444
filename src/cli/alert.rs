//! `faregate alert …`: below which balance an account is announced.

use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
};

/// What is shown, in this order.
const MEMBERS: [&str; 4] = ["account", "balance_below", "is_default", "low"];

#[derive(Args)]
pub struct Alert {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set the threshold of an account, or with --default that of all that have none of their own
    Set {
        #[command(flatten)]
        whose: Whose,
        /// A balance below so many credits is announced as low; 0 for never
        #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
        balance_below: String,
    },
    /// Take the threshold of an account away, so that the default holds for it; with --default that one
    Clear {
        #[command(flatten)]
        whose: Whose,
    },
    /// Show the threshold of an account, and whether its balance was announced as low
    Show {
        #[command(flatten)]
        whose: Whose,
    },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// The account's identifier
    account: Option<String>,
    /// What holds for all accounts that have no threshold of their own
    #[arg(long)]
    default: bool,
}

impl Whose {
    fn path(&self) -> String {
        match &self.account {
            Some(account) => format!("/admin/v1/accounts/{}/alerts", encoded(account)),
            None => "/admin/v1/alerts".to_owned(),
        }
    }
}

impl Alert {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        let answer = match self.command {
            Command::Set { whose, balance_below } => {
                admin.post(&whose.path(), &body([("balance_below", Some(balance_below.into()))]))?
            }
            Command::Clear { whose } => admin.post(&whose.path(), &body([]))?,
            Command::Show { whose } => admin.get(&whose.path(), &[])?,
        };
        screen.show(&answer, |screen, alerts| screen.members(alerts, &MEMBERS))
    }
}
