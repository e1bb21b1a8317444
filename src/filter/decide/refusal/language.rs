//! Which of the operator's languages a caller reads: `accept-language` ([RFC 9110], 12.5.4), looked up as [RFC 4647], 3.4 has it.
//!
//! What must hold: no header makes this slow, and whatever is cut off at the limits is ignored.
//!
//! [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4
//! [RFC 4647]: https://www.rfc-editor.org/rfc/rfc4647#section-3.4

use crate::decide::base::text::cut;
use crate::decide::settings::texts::Texts;
use faregate_protocol::Credits;

/// How much of the headers is read, in bytes.
pub const MOST_BYTES: usize = 1_000;
/// How many of their languages are read.
pub const MAX_RANGES: usize = 32;
/// The language of the built-in messages.
pub(super) const BUILT_IN: &str = "en";
/// The highest weight.
const ONE: Credits = Credits::from_micros(1_000_000);

/// A language range that the caller names, and its weight: `ONE` at most; zero means not acceptable.
type Range<'a> = (&'a str, Credits);

/// The number of the language that the caller prefers; 0 means the default texts. `values` are those of all
/// `accept-language` headers.
pub fn choose<'a>(values: impl Iterator<Item = &'a [u8]>, texts: &Texts) -> usize {
    if texts.is_empty() {
        return 0;
    }
    let ranges = ranges(values);
    let (mut chosen, mut most) = (0, Credits::ZERO);
    for (range, weight) in &ranges {
        if *weight > most
            && let Some(number) = lookup(range, &ranges, texts)
        {
            (chosen, most) = (number, *weight);
        }
    }
    chosen
}

/// The language with the longest tag that a range begins with. The messages for everybody are the built-in ones at least, and those
/// are in a language as well.
fn lookup(range: &str, ranges: &[Range<'_>], texts: &Texts) -> Option<usize> {
    let (mut found, mut longest) = (None, 0);
    for (number, tag) in texts.tags().iter().enumerate() {
        let tag = if number == 0 { BUILT_IN } else { tag };
        let (beginning, rest) = range.split_at_checked(tag.len()).unwrap_or_default();
        let begins = beginning.eq_ignore_ascii_case(tag) && matches!(rest.as_bytes(), [] | [b'-', ..]);
        if tag.len() >= longest
            && begins
            && !ranges
                .iter()
                .any(|(range, weight)| *weight == Credits::ZERO && range.eq_ignore_ascii_case(tag))
        {
            (found, longest) = (Some(number), tag.len());
        }
    }
    found
}

fn ranges<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<Range<'a>> {
    let mut left = MOST_BYTES;
    let mut found = Vec::new();
    for value in values {
        let mut rest = std::str::from_utf8(value).ok();
        while let Some(value) = rest {
            let (text, behind) = cut(value, b',');
            rest = behind;
            let Some(enough) = left.checked_sub(text.len() + 1).filter(|_| found.len() < MAX_RANGES) else {
                return found;
            };
            left = enough;
            if let Some(range) = range(text) {
                found.push(range);
            }
        }
    }
    found
}

/// Reads `de-AT` or `de;q=0.8`; anything else is skipped.
fn range(text: &str) -> Option<Range<'_>> {
    let (tag, parameter) = cut(text, b';');
    let weight = match parameter.map(|parameter| cut(parameter, b'=')) {
        None => ONE,
        // A weight is a decimal number, as an amount is.
        Some((name, Some(weight))) if name.trim_ascii().eq_ignore_ascii_case("q") => {
            Credits::parse(weight.trim_ascii()).ok()?
        }
        Some(_) => return None,
    };
    (weight <= ONE).then_some((tag.trim_ascii(), weight))
}
