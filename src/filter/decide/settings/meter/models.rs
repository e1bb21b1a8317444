//! Reads meters of AI APIs: which models there are, what they cost, and how much is held.
//!
//! What must hold: a model without a price is refused, or has the price that the rule names; it is never free by accident.

use super::limits::{check_item, read_max_body};
use crate::decide::meter::asked::estimate::Assumptions;
use crate::decide::meter::asked::mcp::best;
use crate::decide::meter::dialect::Dialect;
use crate::decide::settings::amount::read_amount;
use crate::decide::settings::prices::{self, Amounts};
use crate::decide::settings::reader::{Field, Object};
use faregate_protocol::Credits;
use faregate_protocol::prices::ModelPrices;

/// The most models of one rule.
const MAX_MODELS: usize = 256;
/// The most tokens that a limit or an image may be assumed to have.
const MAX_TOKENS: u32 = 100_000_000;
/// A token of a byte-level tokenizer is at least a byte, and seldom more than so many.
const MAX_BYTES_PER_TOKEN: u32 = 16;

/// Where the prices of models are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceSource {
    /// In the ledger.
    Ledger,
    /// Here, by name, or by the beginning of a name with `*` behind it.
    Listed(Vec<(String, ModelPrices)>),
}

/// What counts where an answer ends without saying what it used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoUsage {
    /// The input as estimated, and the output by its bytes.
    #[default]
    Estimate,
    /// All that was held.
    Hold,
    /// The fixed price alone.
    Free,
}

/// How requests to models are metered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelMeter {
    /// Whose API it is.
    pub dialect: Dialect,
    /// What models cost.
    pub prices: PriceSource,
    /// What a model costs that has no price there; `None`: it is refused.
    pub unknown: Option<Box<ModelPrices>>,
    /// What is assumed where a request doesn't say.
    pub assumed: Assumptions,
    /// The most that is held.
    pub at_most: Option<Credits>,
    /// Whether streams are made to say what they used.
    pub ask_for_usage: bool,
    /// Where they don't.
    pub no_usage: NoUsage,
    /// Whether the limit of a request's output is lowered to what its sender can pay.
    pub fit: bool,
    /// Whether an answer ends when nothing is left to pay for more of it.
    pub stop_at_zero: bool,
    /// The largest body that is read (bytes).
    pub max_body: u32,
    /// Whether a request with a larger one passes unread, with [`ModelMeter::at_most`] held for it.
    pub holds_larger: bool,
}

/// Where in a rule's own prices a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// At this place of [`PriceSource::Listed`].
    At(usize),
    /// In [`ModelMeter::unknown`].
    Unknown,
}

impl ModelMeter {
    /// Where a model's prices are, by its name; `None`: it has none here.
    pub fn find(&self, model: &str) -> Option<Listed> {
        let listed = match &self.prices {
            PriceSource::Listed(prices) => best(prices.iter().map(|(name, _)| name.as_str()), model),
            PriceSource::Ledger => None,
        };
        listed.map(Listed::At).or(self.unknown.is_some().then_some(Listed::Unknown))
    }

    /// Whether a model is listed here by exactly this name.
    pub fn lists(&self, model: &str) -> bool {
        match &self.prices {
            PriceSource::Listed(prices) => prices.iter().any(|(name, _)| name == model),
            PriceSource::Ledger => false,
        }
    }

    /// The prices there.
    pub fn prices_at(&self, place: Listed) -> Option<&ModelPrices> {
        match (place, &self.prices) {
            (Listed::At(at), PriceSource::Listed(prices)) => prices.get(at).map(|(_, prices)| prices),
            (Listed::At(_), PriceSource::Ledger) => None,
            (Listed::Unknown, _) => self.unknown.as_deref(),
        }
    }
}

const MODELS: &str = "1 to 256 models";
const FIELDS: [&str; 11] = [
    "llm",
    "prices",
    "unknown_model",
    "hold",
    "ask_for_usage",
    "no_usage",
    "fit",
    "stop_at_zero",
    "max_body_bytes",
    "larger",
    "$comment",
];
const DIALECTS: &str =
    "\"auto\", \"openai\", \"anthropic\", \"gemini\", \"mistral\", \"cohere\", \"ollama\" or \"bedrock\"";

/// Reads a meter that has `llm`.
#[inline(never)]
pub(super) fn read(field: &Field<'_>) -> ModelMeter {
    let object = field.object(&FIELDS);
    let llm = object.required("llm");
    let dialect = llm.as_str().and_then(Dialect::named).unwrap_or_else(|| {
        llm.wrong_value(DIALECTS);
        Dialect::Auto
    });
    let (assumed, at_most) = read_hold(&object);
    ModelMeter {
        dialect,
        prices: read_prices(&object.required("prices")),
        unknown: object.optional("unknown_model").and_then(|field| read_unknown(&field)),
        assumed,
        at_most,
        ask_for_usage: object.flag("ask_for_usage", true),
        no_usage: object.optional("no_usage").map_or(NoUsage::Estimate, |field| read_no_usage(&field)),
        fit: object.flag("fit", false),
        stop_at_zero: object.flag("stop_at_zero", false),
        max_body: read_max_body(&object),
        holds_larger: object.optional("larger").is_some_and(|field| read_larger(&field, at_most.is_some())),
    }
}

/// Whether larger bodies pass: that needs an amount to hold.
fn read_larger(field: &Field<'_>, is_bounded: bool) -> bool {
    match field.as_str() {
        Some("refuse") => return false,
        Some("hold") if is_bounded => return true,
        Some("hold") => field.wrong(
            "\"hold\" without hold.at_most",
            "\"refuse\"; or set hold.at_most: that much is held then",
        ),
        _ => field.wrong_value("\"refuse\" or \"hold\""),
    }
    false
}

fn read_prices(field: &Field<'_>) -> PriceSource {
    if field.as_str() == Some("ledger") {
        return PriceSource::Ledger;
    }
    if !field.is_object() {
        field.wrong_value("\"ledger\", or an object of prices by model");
    }
    let models = field.object(&[]);
    match models.members().len() {
        0 => field.wrong("no models", MODELS),
        1..=MAX_MODELS => {}
        _ => field.wrong("too many models", MODELS),
    }
    let read = |model: Field<'_>| {
        let name = model.name();
        check_item(&model);
        (name.to_owned(), prices::read(&model, Amounts::Decimal))
    };
    PriceSource::Listed(models.members().map(read).collect())
}

fn read_unknown(field: &Field<'_>) -> Option<Box<ModelPrices>> {
    if field.as_str() == Some("refuse") {
        return None;
    }
    if !field.is_object() {
        field.wrong_value("\"refuse\", or prices such as {\"input\": \"5\", \"output\": \"25\"}");
    }
    Some(Box::new(prices::read(field, Amounts::Decimal)))
}

fn read_no_usage(field: &Field<'_>) -> NoUsage {
    match field.as_str() {
        Some("estimate") => NoUsage::Estimate,
        Some("hold") => NoUsage::Hold,
        Some("free") => NoUsage::Free,
        _ => {
            field.wrong_value("\"estimate\", \"hold\" or \"free\"");
            NoUsage::Estimate
        }
    }
}

/// What is assumed, and the most that is held.
#[inline(never)]
fn read_hold(object: &Object<'_>) -> (Assumptions, Option<Credits>) {
    let usual = Assumptions { bytes_per_token: 2, tokens_per_image: 1_500, default_cap: 4_096 };
    let Some(field) = object.optional("hold") else { return (usual, None) };
    let hold = field.object(&["bytes_per_token", "image", "output", "at_most"]);
    let number = |name, least, most, usual| {
        hold.optional(name).map_or(usual, |field: Field<'_>| u64::from(field.integer(least, most)))
    };
    let assumed = Assumptions {
        bytes_per_token: number("bytes_per_token", 1, MAX_BYTES_PER_TOKEN, usual.bytes_per_token),
        tokens_per_image: number("image", 0, MAX_TOKENS, usual.tokens_per_image),
        default_cap: number("output", 1, MAX_TOKENS, usual.default_cap),
    };
    (assumed, hold.optional("at_most").map(|field| read_amount(&field)))
}
