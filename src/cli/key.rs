//! `faregate key …`: API keys, and the subjects that a gateway vouches for.

use super::confirm::Confirmation;
use super::paging::{Listed, Paging, as_they_are};
use super::when::{self, Direction, Present};
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
    screen::text,
};
use faregate_protocol::api_key::{CELL, PREFIX, VISIBLE_LEN};
use serde_json::{Value, json};

/// What a key shows, in this order.
const MEMBERS: [&str; 13] = [
    "id",
    "account",
    "key",
    "prefix",
    "subject",
    "team",
    "products",
    "state",
    "expires_at",
    "last_used_at",
    "replaced_by",
    "note",
    "created_at",
];

/// What a list shows of each key of an account.
const COLUMNS: [&str; 9] =
    ["id", "prefix", "subject", "team", "products", "state", "last_used_at", "expires_at", "note"];

/// What a list shows of each key of any account.
const FOUND: [&str; 8] = ["id", "prefix", "account", "team", "state", "last_used_at", "expires_at", "note"];

#[derive(Args)]
pub struct Key {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
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
    /// List an account's keys, or those of all accounts that begin with some characters
    List {
        /// The account's identifier
        #[arg(required_unless_present = "prefix")]
        account: Option<String>,
        /// Of all accounts: those that begin so, as logs show keys: fg_live_00ab…
        #[arg(long, value_name = "BEGINNING", conflicts_with = "account")]
        prefix: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a key, and when it was last used
    Show {
        /// The key's identifier, as `key list` shows it
        key_id: String,
    },
    /// Make a new key in place of another; both work for a time. It is shown this once
    Rotate {
        /// The old key's identifier, as `key list` shows it
        key_id: String,
        /// For how long the old key works besides the new one: 7d, 12h; 0s ends it at once
        #[arg(long, value_name = "TIME")]
        overlap: String,
        /// When the new key stops working: RFC 3339, a length such as 90d, or never [default: when the old one was to]
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
    },
    /// Refuse a key for good
    Revoke {
        /// The key's identifier, as `key list` shows it
        key_id: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

impl Key {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        let keys = |account: &str| format!("/admin/v1/accounts/{}/keys", encoded(account));
        let one = |id: &str| format!("/admin/v1/keys/{}", encoded(id));
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
                screen.show(&answer, made)
            }
            Command::List { account, prefix, paging } => {
                let (path, columns) = match &account {
                    Some(account) => (keys(account), COLUMNS.as_slice()),
                    None => ("/admin/v1/keys".to_owned(), FOUND.as_slice()),
                };
                let query = vec![("prefix", prefix.as_deref().map(beginning))];
                let listed = Listed { path: &path, query, member: "keys", columns, rows: as_they_are };
                paging.show(&admin, screen, &listed)
            }
            Command::Show { key_id } => {
                let answer = admin.get(&one(&key_id), &[])?;
                screen.show(&answer, |screen, key| screen.members(key, &MEMBERS))
            }
            Command::Rotate { key_id, overlap, expires } => {
                let seconds = whole_seconds(&overlap)?;
                let expires_at = match expires.as_deref() {
                    Some("never") => Some(Value::Null),
                    _ => expiry(expires, screen)?,
                };
                let asked = body([("overlap_seconds", Some(seconds.into())), ("expires_at", expires_at)]);
                let answer = admin.post(&format!("{}/rotate", one(&key_id)), &asked)?;
                screen.show(&answer, |screen, rotated| {
                    let member = |name| rotated.get(name).unwrap_or(&Value::Null);
                    made(screen, member("new"))?;
                    let (id, end) = (text(member("old"), "id"), screen.text(member("old"), "expires_at"));
                    match text(member("old"), "state").as_str() {
                        "active" => screen.line(format_args!("The old key {id} works until {end}.")),
                        _ => screen.line(format_args!("The old key {id} is refused from now on.")),
                    }
                })
            }
            Command::Revoke { key_id, confirmation } => {
                confirmation.ask(&format!("revoke {key_id}"), || {
                    Ok("Requests with this key are refused for good.".to_owned())
                })?;
                let answer = admin.post(&format!("{}/revoke", one(&key_id)), &json!({}))?;
                screen.show(&answer, |screen, key| {
                    screen.line(format_args!("{} is {}", text(key, "id"), text(key, "state")))
                })
            }
        }
    }
}

/// A new key.
fn made(screen: &mut Screen<'_>, key: &Value) -> Result<(), Failure> {
    let shown = MEMBERS.into_iter().filter(|name| !["prefix", "created_at"].contains(name));
    screen.members(key, &shown.collect::<Vec<_>>())?;
    if key.get("key").is_some_and(Value::is_string) {
        screen.line("The key is shown this once: keep it now.")?;
    }
    Ok(())
}

/// How a key begins, from what a log shows of it. Of a whole key only the beginning leaves this machine.
fn beginning(given: &str) -> String {
    let given = given.trim().trim_end_matches(['…', '.', '*']);
    // The first keys had no cell, and less of them is shown.
    let rest = given.strip_prefix(PREFIX).unwrap_or_default();
    let shown = if rest.starts_with(CELL) { VISIBLE_LEN } else { VISIBLE_LEN - CELL.len() };
    given.chars().take(shown).collect()
}

/// `--overlap` as the admin API takes it.
fn whole_seconds(overlap: &str) -> Result<u64, Failure> {
    let length = when::duration(overlap).map_err(|why| Failure::usage(format!("--overlap: {why}")))?;
    if length.subsec_nanos() > 0 {
        return Err(Failure::usage(format!("--overlap: {overlap:?} isn't whole seconds; give 1s, or 0s")));
    }
    Ok(length.as_secs())
}

/// `--expires` as the admin API takes it.
pub fn expiry(expires: Option<String>, screen: &Screen<'_>) -> Result<Option<Value>, Failure> {
    let present = Present::new(jiff::Timestamp::now(), screen.zone());
    Ok(present.given("--expires", expires, Direction::Ahead)?.map(Into::into))
}
