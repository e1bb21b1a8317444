//! `faregate prices import`: what a public list says is the seller's cost, and his margin makes prices of it.
//!
//! What must hold: nothing is downloaded, and what a list has that can't be charged is shown with its reason.

use super::batches::{batches, from, sold};
use super::given::{content, factor};
use super::shown::{COLUMNS, rows};
use crate::when::{self, Direction, Present};
use clap::{Args, ValueEnum};
use faregate_client::{
    Failure, Screen,
    admin::{Admin, Remote},
    screen::{count, list},
};
use faregate_ledger::api::{NewPriceListEntry, PriceChanges};
use faregate_ledger::domain::price_import::{
    ImportError, Imported, MAX_TEXT_BYTES, ONE_TO_ONE, Reason, genai_prices, litellm, models_dev,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Import {
    /// The list as it was published; `-` for standard input
    file: PathBuf,
    /// Which list it is
    #[arg(long = "from", value_name = "LIST")]
    format: Format,
    /// Sell at so many times of what the list says, which is your cost [default: 1]
    #[arg(long, value_name = "FACTOR", allow_hyphen_values = true)]
    margin: Option<String>,
    /// How many credits a US dollar is [default: 1]
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    credits_per_dollar: Option<String>,
    /// Only the models of this provider, as the list names it
    #[arg(long)]
    provider: Option<String>,
    /// From when on: a date, a time (RFC 3339), or a length such as 2d (from now) [default: now]
    #[arg(long, value_name = "WHEN")]
    valid_from: Option<String>,
    /// Show what would be set, and set nothing
    #[arg(long)]
    dry_run: bool,
}

/// Which public list a file is.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// `data.json` of pydantic/genai-prices
    GenaiPrices,
    /// `model_prices_and_context_window.json` of LiteLLM
    Litellm,
    /// `api.json` of models.dev
    #[value(name = "models.dev")]
    ModelsDev,
}

impl Import {
    /// Reads the list, and sets what it has.
    pub fn run(self, remote: &Remote, now: Timestamp, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let given = |flag: &str, text: &Option<String>| {
            text.as_ref().map_or(Ok(ONE_TO_ONE), |text| factor(flag, text))
        };
        let margin = given("--margin", &self.margin)?;
        let rate = given("--credits-per-dollar", &self.credits_per_dollar)?;
        let at = match &self.valid_from {
            None => now,
            Some(text) => when::parse(text, Present::new(now, screen.zone()), Direction::Ahead)
                .map_err(|why| Failure::usage(format!("--valid-from: {why}")))?,
        };
        let provider = self.provider.as_deref();
        let text = content(&self.file, MAX_TEXT_BYTES)?;
        let imported = match self.format {
            Format::GenaiPrices => genai_prices::import(&text, rate, provider),
            Format::Litellm => litellm::import(&text, rate, provider),
            Format::ModelsDev => models_dev::import(&text, rate, provider),
        };
        let Imported { entries, mut skipped, notes } = imported.map_err(|why| unread(&self.file, &why))?;
        let entries = sold(entries, margin, &mut skipped);
        let entries = from(entries, at, self.valid_from.is_some());
        let mut done = PriceChanges::default();
        if !self.dry_run {
            let admin = remote.connect()?;
            let run = remote.idempotency_key.clone();
            let run = run.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
            for (n, batch) in batches(&entries)?.into_iter().enumerate() {
                let changes = send(&admin, &batch, &format!("{run}-{n}"))?;
                done.changed = done.changed.saturating_add(changes.changed);
                done.unchanged = done.unchanged.saturating_add(changes.unchanged);
            }
        }
        let reasons = |all: &[Reason]| {
            all.iter().map(|one| json!({ "model": one.model, "why": one.why })).collect::<Vec<_>>()
        };
        let answer = json!({
            "entries": entries.len(), "changed": done.changed, "unchanged": done.unchanged,
            "skipped": reasons(&skipped), "notes": reasons(&notes),
        });
        screen.show(&answer, |screen, answer| {
            if self.dry_run {
                let all = entries.iter().map(|entry| serde_json::to_value(entry).unwrap_or_default());
                screen.table(&rows(&all.collect::<Vec<_>>()).into(), &COLUMNS)?;
            }
            for (title, member) in [("skipped", "skipped"), ("to know", "notes")] {
                let found = answer.get(member).unwrap_or(&Value::Null);
                if !list(found).is_empty() {
                    screen.line(format_args!("{title}: {}", list(found).len()))?;
                    screen.table(found, &["model", "why"])?;
                }
            }
            let number = u64::try_from(entries.len()).unwrap_or(u64::MAX);
            let number = count(number, "entry", "entries");
            if self.dry_run {
                return screen.line(format_args!("{number} (a dry run: nothing was set)"));
            }
            screen.line(format_args!("{number}: {} changed, {} unchanged", done.changed, done.unchanged))
        })
    }
}

fn send(admin: &Admin, batch: &[NewPriceListEntry], key: &str) -> Result<PriceChanges, Failure> {
    let answer = admin.post_as("/admin/v1/prices", &json!({ "entries": batch }), key)?;
    serde_json::from_value(answer).map_err(|error| {
        Failure::new("unexpected", format!("the ledger's answer is of another version: {error}"))
            .cure("use the `faregate` that the ledger runs")
    })
}

fn unread(file: &Path, why: &ImportError) -> Failure {
    Failure::new("invalid_file", format!("{}: {why}", file.display()))
}
