//! `faregate mail …`: who gets events by mail.

use super::paging::{Listed, Paging, as_they_are};
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
    screen::{count, text},
};
use faregate_ledger::domain::mail::Templates;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const MAIL: &str = "/admin/v1/mail";
/// What an address shows, in this order.
const MEMBERS: [&str; 7] = ["id", "address", "account", "events", "waiting", "given_up", "created_at"];
/// What a list shows of each.
const COLUMNS: [&str; 6] = ["id", "address", "account", "events", "waiting", "given_up"];
/// What a list shows of each mail.
const DELIVERIES: [&str; 8] =
    ["time", "account", "type", "state", "attempts", "next_attempt_at", "event", "error"];

#[derive(Args)]
pub struct Mail {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Have events sent to an address
    Add {
        /// The address alone, such as billing@example.com
        address: String,
        /// Events of this account [default: of all, and the ledger's own]
        #[arg(long)]
        account: Option<String>,
        /// Only events of these kinds, such as balance.low,refusals.began [default: all]
        #[arg(long, value_name = "KINDS", value_delimiter = ',')]
        events: Option<Vec<String>>,
    },
    /// List all
    List {
        /// Only those of this account
        #[arg(long)]
        account: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one, and how many mails wait
    Show(Which),
    /// Send nothing more to an address, for good
    Delete(Which),
    /// List what was sent to an address, what waits, and what was given up
    Deliveries {
        #[command(flatten)]
        which: Which,
        /// Only those in this state
        #[arg(long, value_parser = ["waiting", "delivered", "given_up"])]
        state: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Send a test mail now, and say what came of it
    Test {
        /// To this address
        address: String,
    },
    /// Write the texts that are built in into a folder, to begin your own with
    Texts {
        /// The folder, which is made; files that are there stay
        folder: PathBuf,
    },
}

#[derive(Args)]
struct Which {
    /// The identifier of the mail address
    #[arg(value_name = "MAIL")]
    id: String,
}

impl Which {
    fn path(&self) -> String {
        format!("{MAIL}/{}", encoded(&self.id))
    }
}

impl Mail {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let asks = match &self.command {
            Command::Texts { folder } => return write_texts(folder, screen),
            _ => self.remote.connect()?,
        };
        let admin = &asks;
        let shown = |screen: &mut Screen<'_>, answer: &Value| {
            screen.show(answer, |screen, address| screen.members(address, &MEMBERS))
        };
        match self.command {
            Command::Add { address, account, events } => {
                let asked = body([
                    ("address", Some(address.into())),
                    ("events", events.map(Into::into)),
                    ("account", account.map(Into::into)),
                ]);
                shown(screen, &admin.post(MAIL, &asked)?)
            }
            Command::List { account, paging } => {
                let query = vec![("account", account)];
                let (path, columns) = (MAIL, &COLUMNS);
                let listed = Listed { path, query, member: "addresses", columns, rows: as_they_are };
                paging.show(admin, screen, &listed)
            }
            Command::Show(which) => shown(screen, &admin.get(&which.path(), &[])?),
            Command::Delete(which) => {
                let answer = admin.post(&format!("{}/delete", which.path()), &body([]))?;
                screen.show(&answer, |screen, address| {
                    screen.line(format_args!("{} gets nothing more", text(address, "address")))
                })
            }
            Command::Deliveries { which, state, paging } => {
                let path = format!("{}/deliveries", which.path());
                let listed = Listed {
                    path: &path,
                    query: vec![("state", state)],
                    member: "deliveries",
                    columns: &DELIVERIES,
                    rows: as_they_are,
                };
                paging.show(admin, screen, &listed)
            }
            Command::Test { address } => {
                let asked = body([("address", Some(address.into()))]);
                // It changes nothing, so its key says nothing; and a mail server may take longer than other calls do.
                tested(screen, &admin.post_patiently("/admin/v1/mail-test", &asked, "mail-test")?)
            }
            Command::Texts { .. } => Ok(()),
        }
    }
}

/// What came of a test; it fails where the test did.
fn tested(screen: &mut Screen<'_>, answer: &Value) -> Result<(), Failure> {
    screen.show(answer, |screen, test| {
        screen.members(test, &["address", "delivered", "status", "error", "took_ms"])
    })?;
    if answer.get("delivered").and_then(Value::as_bool) == Some(true) {
        return Ok(());
    }
    let why = format!("the test mail was not sent: {}", text(answer, "error"));
    Err(Failure::new("undelivered", why)
        .cure("look at the mail server, and at what the ledger was started with"))
}

fn write_texts(folder: &Path, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let failed = |path: &Path, error: std::io::Error| {
        Failure::new("io", format!("can't write {}: {error}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let mut written = 0_u64;
    for (name, text) in Templates::built_in() {
        let path = folder.join(name);
        if !path.exists() {
            std::fs::write(&path, text).map_err(|error| failed(&path, error))?;
            written = written.saturating_add(1);
        }
    }
    let answer = json!({"folder": folder.display().to_string(), "written": written});
    screen.show(&answer, |screen, _| {
        screen.line(format_args!("wrote {} to {}", count(written, "text", "texts"), folder.display()))
    })
}
