//! `faregate apply` and `faregate export`: plans, prices, accounts, teams, subscriptions and budgets as a file.
//!
//! The file is read ([`file`]), what it names is looked up ([`present`]), the changes between the two are listed
//! ([`changes`]: pure), shown, and carried out one by one ([`carry_out`]). What must hold: applying a file twice
//! changes nothing the second time; what the file doesn't name stays as it is; and nothing is done when
//! anything about the file is wrong.

mod carry_out;
mod changes;
mod file;
mod present;

use clap::Args;
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body},
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

#[derive(Args)]
pub struct Apply {
    #[command(flatten)]
    remote: Remote,
    /// A TOML file of plans, prices, accounts, teams, subscriptions and budgets; `-` for standard input
    file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Have changes of plans count for running periods, too
    #[arg(long)]
    at_once: bool,
}

impl Apply {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let name = self.file.display().to_string();
        let wanted = file::read(&name, &content(&self.file)?)?;
        let admin = self.remote.connect()?;
        let found = present::of(&admin, &wanted)?;
        let plan = changes::between(&wanted, &found, self.at_once)
            .map_err(|wrong| file::failure(&name, &wanted.text, &wrong))?;
        let done = |number: usize| {
            let lines = plan.changes.iter().map(|change| Value::from(change.line.clone()));
            json!({ "changes": lines.collect::<Vec<_>>(), "unchanged": plan.unchanged, "done": number })
        };
        if self.dry_run {
            return screen.show(&done(0), |screen, _| {
                plan.show(screen)?;
                screen.line("(a dry run: nothing was done)")
            });
        }
        // An interrupted apply that is repeated with its key repeats each write under the same key as before.
        let run = self.remote.idempotency_key.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        for change in &plan.changes {
            carry_out::one(&admin, change, &run)?;
        }
        screen.show(&done(plan.changes.len()), |screen, _| plan.show(screen))
    }
}

fn content(file: &std::path::Path) -> Result<String, Failure> {
    use std::io::Read as _;
    let failed =
        |error: std::io::Error| Failure::new("io", format!("can't read {}: {error}", file.display()));
    let reader: Box<dyn std::io::Read> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(file).map_err(failed)?)
    };
    let mut text = String::new();
    reader.take(MAX_FILE_BYTES.saturating_add(1)).read_to_string(&mut text).map_err(failed)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        let what = format!("{} is larger than {MAX_FILE_BYTES} bytes", file.display());
        return Err(Failure::new("too_large", what).cure("split it: each part is applied on its own"));
    }
    Ok(text)
}

#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    remote: Remote,
}

impl Export {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let all = present::all(&self.remote.connect()?)?;
        let text = file::write(&all)?;
        screen.show(&body([("toml", Some(text.clone().into()))]), |screen, _| screen.line(text.trim_end()))
    }
}
