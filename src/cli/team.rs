//! `faregate team …`: some of an account's keys, which may have a budget together.

use super::paging::{Listed, Paging, as_they_are};
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
};

/// What a team shows, in this order.
const MEMBERS: [&str; 4] = ["id", "account", "name", "created_at"];

#[derive(Args)]
pub struct Team {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Subcommand)]
enum Command {
    /// Make a team; `key create --team` makes keys of it
    Create {
        /// The account's identifier
        account: String,
        /// The team's identifier: a-z, 0-9, `_`, `.`, `-`, at most 64 characters
        team: String,
        /// A name for people
        #[arg(long)]
        name: Option<String>,
    },
    /// List an account's teams, in the order of their identifiers
    List {
        /// The account's identifier
        account: String,
        #[command(flatten)]
        paging: Paging,
    },
}

impl Team {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        let teams = |account: &str| format!("/admin/v1/accounts/{}/teams", encoded(account));
        match self.command {
            Command::Create { account, team, name } => {
                let asked = body([("id", Some(team.into())), ("name", name.map(Into::into))]);
                let answer = admin.post(&teams(&account), &asked)?;
                screen.show(&answer, |screen, team| screen.members(team, &MEMBERS))
            }
            Command::List { account, paging } => {
                let (path, columns) = (&teams(&account), &["id", "name", "created_at"]);
                let listed = Listed { path, query: Vec::new(), member: "teams", columns, rows: as_they_are };
                paging.show(&admin, screen, &listed)
            }
        }
    }
}
