//! Changes of a body: asks for the usage of a stream, and lowers a limit.
//!
//! What must hold: all else stays as it is, byte for byte; and a body that needs no change gets none. The body's length changes,
//! so `content-length` must be set or removed while the headers are held; else its rest would be the next request.

use super::reading::{Asked, IncludeUsage, Limit, Place};
use super::shape::RequestShape;
use crate::decide::base::text::joined;
use std::ops::Range;

/// Bytes of the body, and what comes in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The range, in bytes.
    pub at: Range<usize>,
    /// The replacement.
    pub with: String,
}

/// The change that makes a stream of chat or completions say its usage; `None`: it does already, or is no such stream.
pub fn ask_for_usage(shape: RequestShape, asked: &Asked) -> Option<Change> {
    const MEMBER: &str = "\"include_usage\":true";
    if !matches!(shape, RequestShape::Chat | RequestShape::Completions) || !asked.stream {
        return None;
    }
    let places = &asked.places;
    match (asked.include_usage, &places.options) {
        (IncludeUsage::True, _) => None,
        (IncludeUsage::False, _) => {
            Some(Change { at: places.include_usage.clone(), with: "true".to_owned() })
        }
        (_, Some(options)) => Some(put(options, MEMBER)),
        (_, None) => Some(put(&places.root, &joined(&["\"stream_options\":{", MEMBER, "}"]))),
    }
}

/// The changes that limit the output to so many tokens per choice; empty: it is limited to that or less already, or this shape has
/// no limit.
pub fn fit(shape: RequestShape, asked: &Asked, cap: u64) -> Vec<Change> {
    let number = cap.to_string();
    let Some((group, member)) = shape.cap() else { return Vec::new() };
    let limits = || asked.places.caps.iter().flatten();
    if limits().any(|(_, limit)| *limit != Limit::Null) {
        let above = limits().filter(|(_, limit)| match limit {
            Limit::Null => false,
            Limit::Endless => true,
            Limit::Most(most) => *most > cap,
        });
        return above.map(|(at, _)| Change { at: at.clone(), with: number.clone() }).collect();
    }
    if let Some((at, _)) = limits().next() {
        return vec![Change { at: at.clone(), with: number }];
    }
    let member = joined(&["\"", member, "\":", &number]);
    vec![match &asked.places.group {
        Some(group) => put(group, &member),
        None if group.is_empty() => put(&asked.places.root, &member),
        None => put(&asked.places.root, &joined(&["\"", group, "\":{", &member, "}"])),
    }]
}

/// Writes a member into an object, or an object with it for a `null`.
fn put(place: &Place, member: &str) -> Change {
    let with = match (place.is_null(), place.has_members) {
        (true, _) => joined(&["{", member, "}"]),
        (false, true) => joined(&[member, ","]),
        (false, false) => member.to_owned(),
    };
    Change { at: place.at.clone(), with }
}

/// The changed body. Changes must not overlap.
pub fn apply(body: &[u8], unordered: Vec<Change>) -> Vec<u8> {
    // There are three at most; the standard library's sort would add four kilobytes to the filter.
    let mut changes: Vec<Change> = Vec::with_capacity(unordered.len());
    for change in unordered {
        let behind = changes.iter().position(|other| other.at.start > change.at.start);
        changes.insert(behind.unwrap_or(changes.len()), change);
    }
    let more: usize = changes.iter().map(|change| change.with.len()).sum();
    let mut out = Vec::with_capacity(body.len().saturating_add(more));
    let mut at = 0;
    for change in &changes {
        out.extend_from_slice(body.get(at..change.at.start).unwrap_or_default());
        out.extend_from_slice(change.with.as_bytes());
        at = change.at.end;
    }
    out.extend_from_slice(body.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
