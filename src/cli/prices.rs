//! `faregate prices …`: what models cost, from a public list or by hand.
//!
//! What must hold: nothing is downloaded, and what a list has that can't be charged is shown with its reason.

mod batches;
mod given;
mod import;
mod set;
mod shown;

use super::paging::{Listed, Paging};
use super::when::{Direction, Present};
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, encoded},
    screen::{count, list},
};
use import::Import;
use jiff::Timestamp;
use serde_json::Value;
use set::Set;
use shown::{COLUMNS, lines, rows};

#[derive(Args)]
pub struct Prices {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Subcommand)]
enum Command {
    /// Set the prices of a public list; a US dollar becomes a credit
    Import(Import),
    /// Set the prices of a model
    Set(Set),
    /// List what models cost now and later, by name
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show all prices of a model, also earlier ones
    Show {
        /// The model's name
        model: String,
    },
    /// Remove the prices of a model, as if they had never been
    Remove {
        /// The model's name
        model: String,
        /// Only those that are valid from this time on or later: a date, a time (RFC 3339), or a length such as 2d (from now)
        #[arg(long, value_name = "WHEN")]
        from: Option<String>,
    },
}

impl Prices {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let now = Timestamp::now();
        let one = |model: &str| format!("/admin/v1/prices/{}", encoded(model));
        match self.command {
            Command::Import(import) => import.run(&self.remote, now, screen),
            Command::Set(set) => set.run(&self.remote, now, screen),
            Command::List { paging } => {
                let (path, columns) = ("/admin/v1/prices", &COLUMNS);
                let listed = Listed { path, query: Vec::new(), member: "prices", columns, rows };
                paging.show(&self.remote.connect()?, screen, &listed)
            }
            Command::Show { model } => {
                let found = self.remote.connect()?.get(&one(&model), &[])?;
                screen.show(&found, |screen, found| {
                    for version in found.get("versions").map(list).unwrap_or_default() {
                        screen.line(format_args!("{} from {}", model, screen.text(version, "valid_from")))?;
                        lines(screen, version.get("prices").unwrap_or(&Value::Null), 1)?;
                        if let Some(cost) = version.get("cost").filter(|cost| !cost.is_null()) {
                            screen.line("  cost")?;
                            lines(screen, cost, 2)?;
                        }
                    }
                    Ok(())
                })
            }
            Command::Remove { model, from } => {
                let present = Present::new(now, screen.zone());
                let from = present.given("--from", from, Direction::Ahead)?.map(|from| ("from", from));
                let answer = self.remote.connect()?.delete(&one(&model), from)?;
                screen.show(&answer, |screen, answer| {
                    let removed = answer.get("removed").and_then(Value::as_u64).unwrap_or(0);
                    let removed = count(removed, "version", "versions");
                    screen.line(format_args!("{removed} of the prices of {model} removed"))
                })
            }
        }
    }
}
