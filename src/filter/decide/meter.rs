//! What a metered request used.
//!
//! - [`asked`]: what a request asks for, how much that may cost at most, and how its body is changed.
//! - [`reader`]: what the answer of an AI API says it used; [`framing`]: how the answer is cut into JSON documents.
//! - [`scan`]: finds values in JSON as it arrives; [`found`]: what it finds.
//! - [`node`], [`labels`], [`paths`]: where each dialect has its numbers; [`dialect`]: which dialects there are.
//! - [`counts`]: numbers as a provider reports them, made into disjoint classes; [`answer`]: those of one answer.
//! - [`find`], [`short`]: marks in bytes, and short texts.

pub mod answer;
pub mod asked;
pub mod counts;
pub mod dialect;
pub mod find;
pub mod found;
pub mod framing;
pub mod labels;
pub mod node;
pub mod paths;
pub mod reader;
pub mod scan;
pub mod short;

#[cfg(test)]
mod tests;
