//! What a metered request used.
//!
//! - [`asked`]: what a request asks for, how much that may cost at most, and how its body is changed.
//! - [`reader`]: what the answer of an AI API says it used; [`framing`]: how the answer is cut into JSON documents.
//! - [`scan`]: finds values in JSON as it arrives; [`found`]: what it finds.
//! - [`node`], [`labels`], [`paths`]: where each dialect has its numbers; [`dialect`]: which dialects there are.
//! - [`counts`]: numbers as a provider reports them, made into disjoint classes; [`answer`]: those of one answer.
//! - [`calls`]: whether the answer to a call by MCP or A2A delivered something.
//! - [`number`]: the number at a place that the operator names; [`pointer`], [`decimal`]: such places and numbers.
//! - [`find`], [`short`]: marks in bytes, and short texts.

pub mod answer;
pub mod asked;
pub mod calls;
pub mod counts;
pub mod decimal;
pub mod dialect;
pub mod find;
pub mod found;
pub mod framing;
pub mod labels;
pub mod node;
pub mod number;
pub mod paths;
pub mod pointer;
pub mod reader;
pub mod scan;
pub mod short;

#[cfg(test)]
mod tests;
