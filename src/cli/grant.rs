//! `faregate grant`: gives credits to an account, takes them back, and changes what was given.

use super::confirm::{Confirmation, LargeAmounts};
use super::corrections;
use super::key::expiry;
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Admin, Remote, body, encoded},
    screen::text,
};
use serde_json::Value;

/// What a grant shows, in this order.
const MEMBERS: [&str; 10] = [
    "id",
    "account",
    "amount",
    "remaining",
    "voided",
    "priority",
    "expires_at",
    "note",
    "source",
    "created_at",
];

#[derive(Args)]
#[command(subcommand_negates_reqs = true)]
pub struct Grant {
    #[command(subcommand)]
    command: Option<Command>,
    /// The account's identifier (one that is named like a command: `grant -- void 5`)
    #[arg(required = true)]
    account: Option<String>,
    /// How many credits: a decimal such as 5 or 0.25
    #[arg(required = true, allow_hyphen_values = true)]
    amount: Option<String>,
    /// When the rest is lost: a date, a time (RFC 3339), or a length such as 30d
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// Smaller burns first, 0 to 1000 [default: 100]
    #[arg(long)]
    priority: Option<u16>,
    /// A note for people
    #[arg(long)]
    note: Option<String>,
    /// Where it came from, for example an invoice number
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    large: LargeAmounts,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Subcommand)]
enum Command {
    /// Take back what remains of a grant, or an amount of it
    Void {
        /// The grant's identifier
        grant: String,
        /// How many credits [default: all]
        #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
        amount: Option<String>,
        /// Take back what is spent of it, too: the account owes that
        #[arg(long)]
        also_spent: bool,
        /// A note for people
        #[arg(long)]
        note: Option<String>,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Change when a grant expires, its priority or its note
    Change {
        /// The grant's identifier
        grant: String,
        /// When the rest is lost: RFC 3339, or a length such as 30d
        #[arg(long, value_name = "WHEN", conflicts_with = "no_expiry")]
        expires: Option<String>,
        /// It never expires
        #[arg(long)]
        no_expiry: bool,
        /// Smaller burns first, 0 to 1000
        #[arg(long)]
        priority: Option<u16>,
        /// A note for people; an empty one removes it
        #[arg(long)]
        note: Option<String>,
    },
}

impl Grant {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        match self.command {
            Some(Command::Void { grant, amount, also_spent, note, confirmation }) => {
                confirmation.ask(&format!("void {grant}"), || what_is_void(&admin, &grant, also_spent))?;
                let asked = body([
                    ("amount", amount.map(Into::into)),
                    ("spent", also_spent.then(|| "owed".into())),
                    ("note", note.map(Into::into)),
                ]);
                let answer = admin.post(&format!("{}/void", one(&grant)), &asked)?;
                screen.show(&answer, |screen, correction| {
                    corrections::show_voided(screen, correction, also_spent)
                })
            }
            Some(Command::Change { grant, expires, no_expiry, priority, note }) => {
                let mut changes = body([
                    ("expires_at", expiry(expires, screen)?),
                    ("priority", priority.map(Into::into)),
                    ("note", note.map(|note| if note.is_empty() { Value::Null } else { note.into() })),
                ]);
                if let (true, Some(changes)) = (no_expiry, changes.as_object_mut()) {
                    changes.insert("expires_at".to_owned(), Value::Null);
                }
                let answer = admin.post(&format!("{}/change", one(&grant)), &changes)?;
                screen.show(&answer, |screen, grant| screen.members(grant, &MEMBERS))
            }
            None => {
                let (account, amount) = (self.account.unwrap_or_default(), self.amount.unwrap_or_default());
                self.large.ask(&amount, &account)?;
                let answer = admin.post(
                    &format!("/admin/v1/accounts/{}/grants", encoded(&account)),
                    &body([
                        ("amount", Some(amount.into())),
                        ("expires_at", expiry(self.expires, screen)?),
                        ("priority", self.priority.map(Into::into)),
                        ("note", self.note.map(Into::into)),
                        ("source", self.source.map(Into::into)),
                    ]),
                )?;
                screen.show(&answer, |screen, grant| show_granted(screen, grant, &account))
            }
        }
    }
}

fn one(grant: &str) -> String {
    format!("/admin/v1/grants/{}", encoded(grant))
}

fn show_granted(screen: &mut Screen<'_>, grant: &Value, account: &str) -> Result<(), Failure> {
    let until = match screen.text(grant, "expires_at").as_str() {
        "-" => String::new(),
        at => format!(" until {at}"),
    };
    let (amount, id) = (text(grant, "amount"), text(grant, "id"));
    screen.line(format_args!("granted {amount} to {account}{until} ({id})"))
}

/// What an operator should know before a grant is voided.
fn what_is_void(admin: &Admin, grant: &str, also_spent: bool) -> Result<String, Failure> {
    let found = admin.get(&one(grant), &[])?;
    let spent = if also_spent { "becomes owed" } else { "stays spent" };
    Ok(format!(
        "{grant} gave {} to {}; {} remain. What gateways hold of it is recalled; what is spent {spent}.",
        text(&found, "amount"),
        text(&found, "account"),
        text(&found, "remaining"),
    ))
}
