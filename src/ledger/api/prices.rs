//! The price list, and usage by model and tool, as the admin API takes and gives them.

use super::{Amount, maybe_decimal, signed};
use faregate_protocol::Credits;
use faregate_protocol::credits::decimal;
use faregate_protocol::prices::{self, ModelPrices};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The most entries in one request that sets prices of many models.
pub const MAX_PRICES: usize = 500;

/// What a model is to cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewModelPrices {
    /// Credits by class of usage: per million tokens (`input`, `cache_read`, `cache_write`, `cache_write_1h`, `output`, `reasoning` …) or
    /// each (`search`, `second`, `page`). `above` has prices of larger inputs, `service` those of services.
    #[serde(with = "prices::decimal")]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub prices: ModelPrices,
    /// What the model costs you, in the same form: only to reckon what is earned. When absent, as until then.
    #[serde(default, with = "maybe_prices", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub cost: Option<ModelPrices>,
    /// From when on; now when absent. A time in the past counts for requests that are charged from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
}

/// What one of many models is to cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPriceListEntry {
    /// The model's name as in requests (`gpt-5`), or behind its provider's (`openai/gpt-5`); at most 128 bytes.
    #[schema(min_length = 1, max_length = 128)]
    pub model: String,
    /// From when on; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Its prices, as for one model.
    #[serde(with = "prices::decimal")]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub prices: ModelPrices,
    /// What it costs you, as for one model.
    #[serde(default, with = "maybe_prices", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub cost: Option<ModelPrices>,
}

/// What many models are to cost: all of it is set, or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPriceList {
    /// At most 500; a model may be there for several times.
    #[schema(max_items = 500)]
    pub entries: Vec<NewPriceListEntry>,
}

/// What came of a change of the price list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PriceChanges {
    /// How many entries are new or different.
    pub changed: u64,
    /// How many were valid already.
    pub unchanged: u64,
    /// How many were removed.
    pub removed: u64,
}

/// An entry of the price list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PriceEntry {
    /// The model's name.
    pub model: String,
    /// Its prices by class of usage, in credits per million tokens or each.
    #[serde(with = "prices::decimal")]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub prices: ModelPrices,
    /// What the model costs you, in the same form; null where that isn't known.
    #[serde(default, with = "maybe_prices")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub cost: Option<ModelPrices>,
    /// From when on; until the model's next entry.
    pub valid_from: Timestamp,
    /// When it was set.
    pub created_at: Timestamp,
}

/// A page of the price list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Prices {
    /// What models cost now and later, in the order of their names and times.
    pub prices: Vec<PriceEntry>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// All prices of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelPriceHistory {
    /// The model's name.
    pub model: String,
    /// Its entries, also those that others have followed; the oldest first, at most 1000.
    pub versions: Vec<PriceEntry>,
}

/// Usage under metered rules, by model or tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageByItem {
    /// Those that cost the most first, at most `limit`.
    pub items: Vec<ItemUsage>,
    /// Sums over all that was asked for, not only over these lines.
    pub total: ItemUsageTotal,
}

/// Usage of one model or tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemUsage {
    /// The model's or the tool's name; null where requests named none.
    pub item: Option<String>,
    /// How many requests were charged.
    pub requests: u64,
    /// Credits that these requests cost.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub credits: Credits,
    /// What requests cost you, by the price list's `cost` when they were booked: those of which that is known. Null where it is
    /// known of none.
    #[serde(default, with = "maybe_decimal")]
    #[schema(value_type = Option<Amount>)]
    pub cost: Option<Credits>,
    /// What those requests were charged, less what they cost you: below zero where you lose money. Null as `cost`.
    #[serde(default, with = "signed")]
    #[schema(value_type = Option<String>, pattern = "^-?[0-9]+(\\.[0-9]{1,6})?$", examples("0.25", "-0.5"))]
    pub margin: Option<Credits>,
    /// Of how many requests the cost isn't known: they are in neither.
    pub cost_unknown: u64,
    /// Of the requests, how many were charged on which basis: `reported`, `estimated`, `held` or `listed`.
    pub basis: BTreeMap<String, u64>,
    /// How much of each class of usage: tokens, or a number.
    pub used: BTreeMap<String, u64>,
}

/// Sums of usage by model or tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemUsageTotal {
    /// How many models and tools.
    pub items: u64,
    /// How many requests were charged.
    pub requests: u64,
    /// Credits that these requests cost.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub credits: Credits,
    /// What requests cost you, by the price list's `cost` when they were booked: those of which that is known. Null where it is
    /// known of none.
    #[serde(default, with = "maybe_decimal")]
    #[schema(value_type = Option<Amount>)]
    pub cost: Option<Credits>,
    /// What those requests were charged, less what they cost you: below zero where you lose money. Null as `cost`.
    #[serde(default, with = "signed")]
    #[schema(value_type = Option<String>, pattern = "^-?[0-9]+(\\.[0-9]{1,6})?$", examples("0.25", "-0.5"))]
    pub margin: Option<Credits>,
    /// Of how many requests the cost isn't known: they are in neither.
    pub cost_unknown: u64,
}

/// Prices, or none.
mod maybe_prices {
    use super::{Deserialize, ModelPrices, Serialize, prices};
    use serde::{Deserializer, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Decimal(#[serde(with = "prices::decimal")] ModelPrices);

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(found: &Option<ModelPrices>, to: S) -> Result<S::Ok, S::Error> {
        found.clone().map(Decimal).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ModelPrices>, D::Error> {
        Ok(Option::<Decimal>::deserialize(from)?.map(|found| found.0))
    }
}
