//! `faregate account …`: who pays.

use super::confirm::Confirmation;
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
};
use serde_json::json;

/// What an account shows, in this order.
const MEMBERS: [&str; 5] = ["id", "name", "state", "created_at", "closed_at"];

/// What a list shows of each.
const COLUMNS: [&str; 4] = ["id", "name", "state", "created_at"];

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
    /// Change what people call it; its identifier stays
    Rename {
        /// The account's identifier
        id: String,
        /// The name for people
        name: String,
    },
    /// Refuse all of its requests, and end its subscription
    Close {
        /// The account's identifier
        id: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Open an account again that was closed less than 30 days ago
    Reopen {
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
                    screen.table(page.get("accounts").unwrap_or(&json!([])), &COLUMNS)?;
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
            Command::Rename { id, name } => {
                admin.post(&format!("{}/rename", one(&id)), &json!({ "name": name }))?
            }
            Command::Close { id, confirmation } => {
                confirmation.ask(&format!("close {id}"), || {
                    Ok(format!(
                        "All requests of {id} are refused, and its subscription ends. It can be reopened for 30 days."
                    ))
                })?;
                admin.post(&format!("{}/close", one(&id)), &json!({}))?
            }
            Command::Reopen { id } => admin.post(&format!("{}/reopen", one(&id)), &json!({}))?,
        };
        screen.show(&answer, |screen, account| screen.members(account, &MEMBERS))
    }
}
