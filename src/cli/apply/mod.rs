//! `faregate apply` and `faregate export`: plans, prices, accounts, teams, subscriptions, budgets, thresholds, webhooks and
//! addresses for mail as a file.
//!
//! The file is read ([`file`]), what it names is looked up ([`present`]), the changes between the two are listed
//! ([`changes`]: pure), shown, and carried out in batches ([`carry_out`], [`batch`]). What must hold: applying a file twice
//! changes nothing the second time; what the file doesn't name stays as it is; and nothing is done when
//! anything about the file is wrong.

mod announcing;
mod batch;
mod carry_out;
mod changes;
mod escaped;
mod exported;
mod file;
mod present;
mod steps;
mod subscription;

use clap::Args;
use faregate_client::{
    DRIFT, Failure, Screen,
    admin::{Remote, body},
    screen::{count, text},
    terminal::{Progress, warn},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// How many changes are shown before they are made.
const MOST_SHOWN: usize = 100;

#[derive(Args)]
pub struct Apply {
    /// A TOML file of plans, prices, accounts, teams, subscriptions, budgets, alerts, webhooks and mail addresses; `-` for standard
    /// input
    file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Show what would change, change nothing, and exit with 2 if the ledger differs from the file
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Have changes of plans count for running periods, too
    #[arg(long)]
    at_once: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Apply {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let name = self.file.display().to_string();
        let wanted = file::read(&name, &content(&self.file)?)?;
        let admin = self.remote.connect()?;
        let looking = Progress::new("looking up", screen.is_json());
        let found = present::of(&admin, &wanted, &looking)?;
        looking.end();
        let plan = changes::between(&wanted, &found, self.at_once, Timestamp::now())
            .map_err(|wrong| file::failure(&name, &wanted.text, &wrong))?;
        let number = plan.changes.len();
        let answer = |done: usize, secrets: &[Value]| {
            let lines = plan.changes.iter().map(|change| Value::from(change.line.clone()));
            let [create, change] = plan.counts();
            json!({
                "changes": lines.collect::<Vec<_>>(), "create": create, "change": change, "unchanged": plan.unchanged,
                "done": done, "secrets": secrets,
            })
        };
        if self.dry_run || self.check {
            screen.show(&answer(0, &[]), |screen, _| {
                plan.show(usize::MAX, screen)?;
                if self.dry_run { screen.line("(a dry run: nothing was done)") } else { Ok(()) }
            })?;
            if self.check && number > 0 {
                let what =
                    format!("the ledger differs from {name}: {}", count(number as u64, "change", "changes"));
                return Err(Failure::new(DRIFT, what).cure("`faregate apply` without --check makes them"));
            }
            return Ok(());
        }
        if !screen.is_json() {
            plan.show(MOST_SHOWN, screen)?;
        }
        // An interrupted apply that is repeated with its key repeats each write under the same key as before.
        let run = self.remote.idempotency_key.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        let progress = Progress::new("applying", screen.is_json());
        progress.expect(number);
        let secrets = carry_out::all(&admin, &plan.changes, &run, &progress)?;
        progress.end();
        screen.show(&answer(number, &secrets), |screen, _| {
            for made in &secrets {
                let [url, secret] = ["url", "secret"].map(|name| text(made, name));
                screen.line(format_args!("the secret of {url} is shown this once: {secret}"))?;
            }
            if number == 0 {
                Ok(())
            } else {
                screen.line(format_args!("done: {}", count(number as u64, "change", "changes")))
            }
        })
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
        let progress = Progress::new("exporting", screen.is_json());
        let (all, left_out) = exported::all(&self.remote.connect()?, &progress)?;
        progress.end();
        if left_out > 0 {
            let accounts = count(left_out as u64, "account", "accounts");
            warn(&format!(
                "the keys of {accounts} are not in it, nor their budgets: a ledger doesn't know its keys, only their hashes"
            ));
        }
        let text = escaped::escaped(&file::write(&all)?);
        screen.show(&body([("toml", Some(text.clone().into()))]), |screen, _| screen.lines(text.trim_end()))
    }
}
