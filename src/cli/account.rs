//! `faregate account …`: who pays.

use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
};
use serde_json::json;

/// What an account shows, in this order.
const MEMBERS: [&str; 4] = ["id", "name", "state", "created_at"];

#[derive(Args)]
pub struct Account {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Open an account
    Create {
        /// Its identifier: a-z, 0-9, `_`, `.`, `-`, at most 64 characters [default: generated]
        id: Option<String>,
        /// A name for people
        #[arg(long)]
        name: Option<String>,
    },
    /// List accounts, in the order of their identifiers
    List {
        /// The most to list
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// List those behind this one
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Show one account
    Show {
        /// The account's identifier
        id: String,
    },
    /// Refuse all of its requests until it is resumed
    Suspend {
        /// The account's identifier
        id: String,
    },
    /// Let its requests through again
    Resume {
        /// The account's identifier
        id: String,
    },
    /// Refuse all of its requests for good
    Close {
        /// The account's identifier
        id: String,
    },
}

impl Account {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        let one = |id: &str| format!("/admin/v1/accounts/{}", encoded(id));
        let answer = match self.command {
            Command::List { limit, after } => {
                let page = admin
                    .get("/admin/v1/accounts", &[("limit", Some(limit.to_string())), ("after", after)])?;
                return screen.show(&page, |screen, page| {
                    screen.table(page.get("accounts").unwrap_or(&json!([])), &MEMBERS)?;
                    screen.next_page(page)
                });
            }
            Command::Create { id, name } => admin.post(
                "/admin/v1/accounts",
                &body([("id", id.map(Into::into)), ("name", name.map(Into::into))]),
            )?,
            Command::Show { id } => admin.get(&one(&id), &[])?,
            Command::Suspend { id } => admin.post(&format!("{}/suspend", one(&id)), &json!({}))?,
            Command::Resume { id } => admin.post(&format!("{}/resume", one(&id)), &json!({}))?,
            Command::Close { id } => admin.post(&format!("{}/close", one(&id)), &json!({}))?,
        };
        screen.show(&answer, |screen, account| screen.members(account, &MEMBERS))
    }
}
