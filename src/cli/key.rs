//! `faregate key …`: API keys, and the subjects that a gateway vouches for.

use super::when::{Direction, Present};
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
    screen::text,
};
use serde_json::{Value, json};

/// What a new key shows, in this order.
const MEMBERS: [&str; 9] =
    ["id", "account", "key", "subject", "team", "products", "state", "expires_at", "note"];

#[derive(Args)]
pub struct Key {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key; it is shown this once
    Create {
        /// The account's identifier
        account: String,
        /// A note for people
        #[arg(long)]
        note: Option<String>,
        /// When it stops working: a date, a time (RFC 3339), or a length such as 30d
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        /// No key: this subject (a JWT claim, a certificate's SAN) pays as the account
        #[arg(long)]
        subject: Option<String>,
        /// The team of the account that it belongs to, for good
        #[arg(long)]
        team: Option<String>,
        /// Limit it to these products, with commas between: chat,embed [default: all]
        #[arg(long, value_delimiter = ',', value_name = "NAMES")]
        products: Option<Vec<String>>,
    },
    /// List an account's keys
    List {
        /// The account's identifier
        account: String,
    },
    /// Refuse a key for good
    Revoke {
        /// The key's identifier, as `key list` shows it
        key_id: String,
    },
}

impl Key {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        let keys = |account: &str| format!("/admin/v1/accounts/{}/keys", encoded(account));
        match self.command {
            Command::Create { account, note, expires, subject, team, products } => {
                let answer = admin.post(
                    &keys(&account),
                    &body([
                        ("note", note.map(Into::into)),
                        ("expires_at", expiry(expires, screen)?),
                        ("subject", subject.map(Into::into)),
                        ("team", team.map(Into::into)),
                        ("products", products.map(Into::into)),
                    ]),
                )?;
                screen.show(&answer, |screen, key| {
                    screen.members(key, &MEMBERS)?;
                    if key.get("key").is_some_and(Value::is_string) {
                        screen.line("The key is shown this once: keep it now.")?;
                    }
                    Ok(())
                })
            }
            Command::List { account } => {
                let answer = admin.get(&keys(&account), &[])?;
                screen.show(&answer, |screen, page| {
                    let columns =
                        ["id", "prefix", "subject", "team", "state", "expires_at", "note", "created_at"];
                    screen.table(page.get("keys").unwrap_or(&json!([])), &columns)?;
                    screen.next_page(page)
                })
            }
            Command::Revoke { key_id } => {
                let answer =
                    admin.post(&format!("/admin/v1/keys/{}/revoke", encoded(&key_id)), &json!({}))?;
                screen.show(&answer, |screen, key| {
                    screen.line(format_args!("{} is {}", text(key, "id"), text(key, "state")))
                })
            }
        }
    }
}

/// `--expires` as the admin API takes it.
pub fn expiry(expires: Option<String>, screen: &Screen<'_>) -> Result<Option<Value>, Failure> {
    let present = Present::new(jiff::Timestamp::now(), screen.zone());
    Ok(present.given("--expires", expires, Direction::Ahead)?.map(Into::into))
}
