//! What an import brings, or why it doesn't.

use faregate_protocol::Credits;
use faregate_protocol::prices::ModelPrices;
use jiff::Timestamp;

/// The largest list that is read, in bytes.
pub const MAX_TEXT_BYTES: usize = 32 << 20;
/// The most models of one list, of all providers.
pub const MAX_MODELS: usize = 20_000;
/// The rate of one credit per US dollar, in millionths.
pub const ONE_TO_ONE: Credits = Credits::from_micros(1_000_000);

/// What a list has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// By name, and those of a name by time.
    pub entries: Vec<ImportedPrices>,
    /// Models that can't be charged for.
    pub skipped: Vec<Reason>,
    /// What to know of models that were imported: prices that are no part of their entry, and entries that are free.
    pub notes: Vec<Reason>,
}

/// What a model costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedPrices {
    /// As in requests (`gpt-5`), or behind its provider's name (`azure/gpt-5`).
    pub model: String,
    /// In credits, at the rate.
    pub prices: ModelPrices,
    /// From when on, if the list says so; `None`: as far back as the list goes.
    pub valid_from: Option<Timestamp>,
}

/// Something about a model, such as why it wasn't imported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The model, behind its provider's name.
    pub model: String,
    /// What there is to say.
    pub why: String,
}

/// Why a list can't be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The text is too long.
    #[error("the list has more than {MAX_TEXT_BYTES} bytes; give the list of prices only")]
    TooLong,
    /// The text is no JSON, or nests too deep.
    #[error("the list isn't JSON: {0}; give the file as it was published")]
    NotJson(String),
    /// The text is JSON of another shape.
    #[error("the list isn't one of {format}: {expected} is missing; check the format's name")]
    WrongShape {
        /// The format that was asked for.
        format: &'static str,
        /// What such a list has.
        expected: &'static str,
    },
    /// There are too many models.
    #[error("the list has more than {MAX_MODELS} models; import one provider at a time")]
    TooMany,
}
