//! `faregate account …`: who pays.

use super::confirm::Confirmation;
use super::paging::{Listed, Paging, as_they_are};
use super::when::{Direction, Present};
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
};
use serde_json::json;

/// What an account shows, in this order.
const MEMBERS: [&str; 8] =
    ["id", "name", "state", "plan", "renews_at", "available", "created_at", "closed_at"];
/// What a list shows of each.
const COLUMNS: [&str; 6] = ["id", "state", "available", "plan", "renews_at", "name"];

#[derive(Args)]
pub struct Account {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
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
    /// List accounts, in the order of their identifiers: those for which all that is given is true
    List {
        /// A part of the name or the identifier; upper and lower case are the same
        #[arg(long, value_name = "PART")]
        name: Option<String>,
        /// Subscribed to this plan
        #[arg(long)]
        plan: Option<String>,
        /// In this state: active, suspended or closed
        #[arg(long)]
        state: Option<String>,
        /// With less than so many credits available
        #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
        below: Option<String>,
        /// With bought credits, or a subscription, that end before this time: a date, RFC 3339, or a length such as 30d
        #[arg(long, value_name = "WHEN")]
        expiring_before: Option<String>,
        /// With a subscription that renews before this time: a date, RFC 3339, or a length such as 7d
        #[arg(long, value_name = "WHEN")]
        renewing_before: Option<String>,
        #[command(flatten)]
        paging: Paging,
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
            Command::List { name, plan, state, below, expiring_before, renewing_before, paging } => {
                let present = Present::new(jiff::Timestamp::now(), screen.zone());
                let before = |flag: &str, text| present.given(flag, text, Direction::Ahead);
                let query = vec![
                    ("name", name),
                    ("plan", plan),
                    ("state", state),
                    ("balance_below", below),
                    ("expiring_before", before("--expiring-before", expiring_before)?),
                    ("renewing_before", before("--renewing-before", renewing_before)?),
                ];
                let (path, columns) = ("/admin/v1/accounts", COLUMNS.as_slice());
                let listed = Listed { path, query, member: "accounts", columns, rows: as_they_are };
                return paging.show(&admin, screen, &listed);
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
