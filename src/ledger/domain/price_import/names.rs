//! Under which names the models of a list are imported.
//!
//! What must hold: a name means one provider's price. What only one provider has goes by the model's plain name. What several
//! have goes by `provider/model`, and by the plain name only if exactly one of them is a model maker's own API. A model's name
//! with a slash in it always goes behind its provider's, because it looks like another provider's model.

use super::imported::{ImportedPrices, Reason};
use faregate_protocol::prices::ModelPrices;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The APIs of those who make models, as the lists name them. Marketplaces and clouds aren't among them.
const FIRST_PARTIES: [&str; 34] = [
    "ai21",
    "alibaba",
    "anthropic",
    "assemblyai",
    "cohere",
    "cohere_chat",
    "dashscope",
    "deepgram",
    "deepseek",
    "elevenlabs",
    "gemini",
    "google",
    "inception",
    "jina_ai",
    "llama",
    "meta",
    "meta_llama",
    "minimax",
    "mistral",
    "moonshot",
    "moonshotai",
    "openai",
    "perplexity",
    "recraft",
    "runwayml",
    "stepfun",
    "text-completion-openai",
    "upstage",
    "voyage",
    "voyageai",
    "x-ai",
    "xai",
    "xiaomi",
    "zai",
];

/// A provider's model, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The provider, as the list names it.
    pub provider: String,
    /// The model, as the provider names it.
    pub model: String,
    /// What it costs.
    pub prices: ModelPrices,
    /// From when on.
    pub valid_from: Option<Timestamp>,
}

impl Row {
    /// The model behind its provider's name.
    pub fn qualified(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }
}

/// The entries by name and time, and what was there twice with other prices: of these the first is taken.
pub fn named(rows: &[Row]) -> (Vec<ImportedPrices>, Vec<Reason>) {
    let mut providers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        providers.entry(&row.model).or_default().insert(&row.provider);
    }
    let (mut entries, mut twice) = (BTreeMap::new(), Vec::new());
    for row in rows {
        let of_model = providers.get(row.model.as_str());
        let shared = of_model.is_some_and(|providers| providers.len() > 1);
        let slash = row.model.contains('/');
        let plain = !slash && (!shared || of_model.and_then(maker) == Some(row.provider.as_str()));
        let names = [(shared || slash).then(|| row.qualified()), plain.then(|| row.model.clone())];
        for name in names.into_iter().flatten() {
            let first = entries.entry((name, row.valid_from)).or_insert(&row.prices);
            if **first != row.prices {
                let why = "it is in the list twice, and the first prices were taken".to_owned();
                twice.push(Reason { model: row.qualified(), why });
            }
        }
    }
    let entry = |((model, valid_from), prices): ((String, _), &ModelPrices)| ImportedPrices {
        model,
        prices: prices.clone(),
        valid_from,
    };
    (entries.into_iter().map(entry).collect(), twice)
}

/// The only one of these providers that makes models.
fn maker<'a>(providers: &BTreeSet<&'a str>) -> Option<&'a str> {
    let mut makers = providers.iter().filter(|provider| FIRST_PARTIES.contains(provider));
    makers.next().filter(|_| makers.next().is_none()).copied()
}
