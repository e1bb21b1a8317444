//! The import of public price lists: [`genai_prices`], [`litellm`] and [`models_dev`]. All are in US dollars, and
//! become credits at a rate: what the seller pays, to which his margin comes later.
//!
//! What must hold: a number is read from its text and never becomes a float. A price is never rounded to nothing. A model that
//! can't be charged for what it does is skipped, and a price that has no class is left out; both are reported,
//! so nothing becomes free or gets lost silently. Nothing is downloaded here.

mod amount;
mod collection;
mod draft;
pub mod genai_prices;
mod imported;
pub mod litellm;
pub mod models_dev;
mod names;
#[cfg(test)]
mod tests;
mod tree;

pub use imported::{ImportError, Imported, ImportedPrices, MAX_MODELS, MAX_TEXT_BYTES, ONE_TO_ONE, Reason};
