//! How a lease's draws are stored, in either database: `[[grant, amount], …]` in the order of spending.

use crate::domain::{Draw, GrantNo};
use faregate_protocol::Credits;

/// The text that is stored.
pub fn text(draws: &[Draw]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("[");
    for (n, draw) in draws.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        // Writing to a string can't fail.
        let _ = write!(text, "{comma}[{},{}]", draw.grant.0, draw.left.micros());
    }
    text.push(']');
    text
}

/// What was stored.
pub fn read(text: &str) -> Result<Vec<Draw>, String> {
    if text == "[]" {
        return Ok(Vec::new());
    }
    let pairs: Vec<(i64, i64)> =
        serde_json::from_str(text).map_err(|error| format!("{text:?} are no draws: {error}"))?;
    let draw = |(grant, left)| Draw { grant: GrantNo(grant), left: Credits::from_micros(left) };
    Ok(pairs.into_iter().map(draw).collect())
}
