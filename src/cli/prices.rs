//! `faregate prices …`: what models cost, from a public list or by hand.
//!
//! What must hold: nothing is downloaded, and what a list has that can't be charged is shown with its reason.

mod batches;

use super::when::{self, Direction};
use batches::{batches, from};
use clap::{Args, Subcommand, ValueEnum};
use faregate_client::{
    Failure, Screen,
    admin::{Admin, Remote, encoded},
    screen::{count, list, text},
};
use faregate_ledger::api::{NewModelPrices, NewPriceListEntry, PriceChanges};
use faregate_ledger::domain::price_import::{
    ImportError, Imported, MAX_TEXT_BYTES, NO_MARGIN, Reason, genai_prices, litellm, models_dev,
};
use faregate_protocol::Credits;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What a list shows of each.
const COLUMNS: [&str; 7] = ["model", "input", "cache_read", "cache_write", "output", "more", "valid_from"];
/// The classes that have columns of their own.
const SHOWN: [&str; 4] = ["input", "cache_read", "cache_write", "output"];
/// The largest file with the prices of one model, in bytes.
const MAX_FILE_BYTES: usize = 1 << 16;

#[derive(Args)]
pub struct Prices {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set the prices of a public list; a US dollar becomes a credit
    Import(Import),
    /// Set the prices of a model
    Set(Set),
    /// List what models cost now and later, by name
    List {
        /// The most to list
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// List those behind this one: a model, or what an answer named
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
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
        /// Only those that are valid from this time on or later: RFC 3339, or a length such as 2d (from now)
        #[arg(long, value_name = "WHEN")]
        from: Option<String>,
    },
}

#[derive(Args)]
struct Import {
    /// The list as it was published; `-` for standard input
    file: PathBuf,
    /// Which list it is
    #[arg(long = "from", value_name = "LIST")]
    format: Format,
    /// Times so much, such as 1.2 [default: 1]
    #[arg(long, value_name = "FACTOR", allow_hyphen_values = true)]
    margin: Option<String>,
    /// Only the models of this provider, as the list names it
    #[arg(long)]
    provider: Option<String>,
    /// From when on: RFC 3339, or a length such as 2d (from now) [default: now]
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

#[derive(Args)]
struct Set {
    /// The model's name as in requests (gpt-5), or behind its provider's (openai/gpt-5)
    model: String,
    #[command(flatten)]
    classes: Classes,
    /// A JSON file of all prices, also of tiers and services, in place of the options; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "classes")]
    file: Option<PathBuf>,
    /// From when on: RFC 3339, or a length such as 2d (from now) [default: now]
    #[arg(long, value_name = "WHEN")]
    valid_from: Option<String>,
}

/// Prices by class.
#[derive(Args)]
#[group(id = "classes", multiple = true)]
struct Classes {
    /// Credits per million tokens of input that no other class counts
    #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
    input: Option<String>,
    /// Of input read from a cache [default: as input]
    #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
    cache_read: Option<String>,
    /// Of input written to a cache for minutes [default: as input]
    #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
    cache_write: Option<String>,
    /// Of input written to a cache for an hour [default: as cache-write]
    #[arg(long = "cache-write-1h", value_name = "CREDITS", allow_hyphen_values = true)]
    cache_write_1h: Option<String>,
    /// Of output that no other class counts
    #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
    output: Option<String>,
    /// Of output of reasoning [default: as output]
    #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
    reasoning: Option<String>,
    /// Credits per search, or call of another tool that the provider runs [default: 0]
    #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
    search: Option<String>,
}

impl Classes {
    fn json(self) -> Value {
        let classes = [
            ("input", self.input),
            ("cache_read", self.cache_read),
            ("cache_write", self.cache_write),
            ("cache_write_1h", self.cache_write_1h),
            ("output", self.output),
            ("reasoning", self.reasoning),
            ("search", self.search),
        ];
        let given = classes.into_iter().filter_map(|(name, price)| Some((name.to_owned(), price?.into())));
        Value::Object(given.collect())
    }
}

impl Prices {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let now = Timestamp::now();
        let one = |model: &str| format!("/admin/v1/prices/{}", encoded(model));
        let at = |flag: &str, text: &str| {
            when::rfc3339(text, now, Direction::Ahead).map_err(|why| Failure::usage(format!("{flag}: {why}")))
        };
        match self.command {
            Command::Import(import) => import.run(&self.remote, now, screen),
            Command::Set(Set { model, classes, file, valid_from }) => {
                let prices = match file {
                    Some(file) => json_file(&file)?,
                    None => classes.json(),
                };
                let mut body = json!({ "prices": prices });
                if let (Some(from), Some(body)) = (valid_from, body.as_object_mut()) {
                    body.insert("valid_from".into(), at("--valid-from", &from)?.into());
                }
                // What can't be right isn't sent: the reason names the field all the same.
                let read: Result<NewModelPrices, _> = serde_json::from_value(body.clone());
                read.map_err(|why| Failure::usage(format!("prices of {model}: {why}")))?;
                let answer = self.remote.connect()?.put(&one(&model), &body)?;
                screen.show(&answer, |screen, answer| {
                    let unchanged = text(answer, "changed") == "0";
                    let what = if unchanged { "costs that already" } else { "is set" };
                    screen.line(format_args!("{model} {what}"))
                })
            }
            Command::List { limit, after } => {
                let query = [("limit", Some(limit.to_string())), ("after", after)];
                let page = self.remote.connect()?.get("/admin/v1/prices", &query)?;
                screen.show(&page, |screen, page| {
                    screen.table(&rows(page.get("prices")), &COLUMNS)?;
                    screen.next_page(page)
                })
            }
            Command::Show { model } => {
                let found = self.remote.connect()?.get(&one(&model), &[])?;
                screen.show(&found, |screen, found| {
                    for version in found.get("versions").map(list).unwrap_or_default() {
                        screen.line(format_args!("{} from {}", model, text(version, "valid_from")))?;
                        lines(screen, version.get("prices").unwrap_or(&Value::Null), 1)?;
                    }
                    Ok(())
                })
            }
            Command::Remove { model, from } => {
                let from = from.map(|from| at("--from", &from)).transpose()?.map(|from| ("from", from));
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

impl Import {
    fn run(self, remote: &Remote, now: Timestamp, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let margin = match &self.margin {
            None => NO_MARGIN,
            Some(text) => {
                Credits::parse(text).ok().filter(|margin| margin.is_positive()).ok_or_else(|| {
                    Failure::usage(format!("--margin: {text:?} is no factor; give one above 0 such as 1.2"))
                })?
            }
        };
        let at = match &self.valid_from {
            None => now,
            Some(text) => when::parse(text, now, Direction::Ahead)
                .map_err(|why| Failure::usage(format!("--valid-from: {why}")))?,
        };
        let provider = self.provider.as_deref();
        let text = content(&self.file, MAX_TEXT_BYTES)?;
        let imported = match self.format {
            Format::GenaiPrices => genai_prices::import(&text, margin, provider),
            Format::Litellm => litellm::import(&text, margin, provider),
            Format::ModelsDev => models_dev::import(&text, margin, provider),
        };
        let Imported { entries, skipped, notes } = imported.map_err(|why| unread(&self.file, &why))?;
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
                screen.table(&rows(Some(&all.collect::<Vec<_>>().into())), &COLUMNS)?;
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

fn json_file(file: &Path) -> Result<Value, Failure> {
    let text = content(file, MAX_FILE_BYTES)?;
    serde_json::from_str(&text).map_err(|why| {
        Failure::new("invalid_file", format!("{}: {why}", file.display()))
            .cure(r#"write prices such as {"input": "5", "output": "25"}"#)
    })
}

fn content(file: &Path, most: usize) -> Result<String, Failure> {
    let failed =
        |error: std::io::Error| Failure::new("io", format!("can't read {}: {error}", file.display()));
    let reader: Box<dyn std::io::Read> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(file).map_err(failed)?)
    };
    let mut text = String::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(limit).read_to_string(&mut text).map_err(failed)?;
    if text.len() > most {
        return Err(Failure::new("too_large", format!("{} is larger than {most} bytes", file.display())));
    }
    Ok(text)
}

/// Entries as rows of a table: prices in columns, and what else there is in words.
fn rows(entries: Option<&Value>) -> Value {
    let row = |entry: &Value| {
        let mut row = Map::new();
        let prices = entry.get("prices").and_then(Value::as_object).cloned().unwrap_or_default();
        let member = |name: &str| entry.get(name).cloned().unwrap_or_default();
        let mut more = Vec::new();
        for (name, price) in prices {
            match (name.as_str(), &price) {
                (name, _) if SHOWN.contains(&name) => drop(row.insert(name.to_owned(), price)),
                ("above", tiers) => more.push(count(list(tiers).len() as u64, "tier", "tiers")),
                ("service", services) => {
                    let services = services.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
                    more.push(services.collect::<Vec<_>>().join(", "));
                }
                (name, price) => more.push(format!("{name} {}", price.as_str().unwrap_or_default())),
            }
        }
        if !more.is_empty() {
            row.insert("more".into(), more.join(", ").into());
        }
        row.insert("model".into(), member("model"));
        row.insert("valid_from".into(), member("valid_from"));
        Value::Object(row)
    };
    entries.map(list).unwrap_or_default().iter().map(row).collect::<Vec<_>>().into()
}

/// Prices, one per line, those of tiers and services below their heads.
fn lines(screen: &mut Screen<'_>, prices: &Value, depth: usize) -> Result<(), Failure> {
    let indent = "  ".repeat(depth);
    for (name, price) in prices.as_object().into_iter().flatten() {
        match name.as_str() {
            "above" => {
                for tier in list(price) {
                    screen.line(format_args!("{indent}above {} input tokens", text(tier, "input_tokens")))?;
                    lines(screen, tier, depth.saturating_add(1))?;
                }
            }
            "service" => {
                for (name, prices) in price.as_object().into_iter().flatten() {
                    screen.line(format_args!("{indent}service {name}"))?;
                    lines(screen, prices, depth.saturating_add(1))?;
                }
            }
            "input_tokens" => {}
            name => screen.line(format_args!("{indent}{name}  {}", text(prices, name)))?,
        }
    }
    Ok(())
}
