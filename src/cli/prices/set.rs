//! `faregate prices set`: what one model costs its callers, and its seller.

use super::given::{content, factor};
use crate::when::{self, Direction, Present};
use clap::Args;
use faregate_client::{
    Failure, Screen,
    admin::{Remote, encoded},
    screen::text,
};
use faregate_ledger::api::NewModelPrices;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The largest file with the prices of one model, in bytes.
const MAX_FILE_BYTES: usize = 1 << 16;

#[derive(Args)]
pub struct Set {
    /// The model's name as in requests (gpt-5), or behind its provider's (openai/gpt-5)
    model: String,
    #[command(flatten)]
    classes: Classes,
    /// A JSON file of all prices, also of tiers and services, in place of the options; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "classes")]
    file: Option<PathBuf>,
    /// The prices given are what the model costs you; sell it at so many times of that
    #[arg(long, value_name = "FACTOR", allow_hyphen_values = true, conflicts_with = "cost_file")]
    margin: Option<String>,
    /// A JSON file of what the model costs you, in the form of `--file` [default: as until then]
    #[arg(long, value_name = "FILE")]
    cost_file: Option<PathBuf>,
    /// From when on: a date, a time (RFC 3339), or a length such as 2d (from now) [default: now]
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

impl Set {
    /// Sets the prices.
    pub fn run(self, remote: &Remote, now: Timestamp, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let Self { model, classes, file, margin, cost_file, valid_from } = self;
        let prices = match file {
            Some(file) => json_file(&file)?,
            None => classes.json(),
        };
        let mut body = json!({ "prices": prices });
        let more = body.as_object_mut();
        if let (Some(file), Some(body)) = (cost_file, more) {
            body.insert("cost".into(), json_file(&file)?);
        }
        let wrong = |why: &dyn std::fmt::Display| Failure::usage(format!("prices of {model}: {why}"));
        // What can't be right isn't sent: the reason names the field all the same.
        let mut new: NewModelPrices = serde_json::from_value(body).map_err(|why| wrong(&why))?;
        if let Some(margin) = margin {
            let cost = new.prices;
            new.prices = cost.scaled(factor("--margin", &margin)?);
            new.prices.check().map_err(|why| wrong(&why))?;
            new.cost = Some(cost);
        }
        if let Some(from) = valid_from {
            let from = when::parse(&from, Present::new(now, screen.zone()), Direction::Ahead);
            new.valid_from = Some(from.map_err(|why| Failure::usage(format!("--valid-from: {why}")))?);
        }
        let answer = remote.connect()?.put(&format!("/admin/v1/prices/{}", encoded(&model)), &json!(new))?;
        screen.show(&answer, |screen, answer| {
            let unchanged = text(answer, "changed") == "0";
            let what = if unchanged { "costs that already" } else { "is set" };
            screen.line(format_args!("{model} {what}"))
        })
    }
}

fn json_file(file: &Path) -> Result<Value, Failure> {
    let text = content(file, MAX_FILE_BYTES)?;
    serde_json::from_str(&text).map_err(|why| {
        Failure::new("invalid_file", format!("{}: {why}", file.display()))
            .cure(r#"write prices such as {"input": "5", "output": "25"}"#)
    })
}
