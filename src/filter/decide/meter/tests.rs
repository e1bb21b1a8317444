//! Bodies as providers send them, and what must hold of any.

use super::dialect::Dialect;
use super::framing::Framing;
use super::reader::{Reader, Report};
use faregate_protocol::metering::{Quantities, UsageClass};

mod always;
mod calls;
mod ended;
mod forged;
mod frames;
mod merged;
mod numbers;
mod samples;
mod scanned;

/// What a body says.
fn read(dialect: Dialect, framing: Framing, body: &[u8]) -> Report {
    in_pieces(dialect, framing, [body])
}

/// What a body says that comes in pieces.
fn in_pieces<'a>(dialect: Dialect, framing: Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> Report {
    let mut reader = Reader::new(dialect, framing);
    for piece in pieces {
        reader.feed(piece);
    }
    reader.finish()
}

/// Quantities of these classes.
#[expect(clippy::unnecessary_wraps, reason = "as a report has them")]
fn used(classes: &[(UsageClass, u64)]) -> Option<Quantities> {
    let mut all = Quantities::default();
    for (class, quantity) in classes {
        all.set(*class, *quantity);
    }
    Some(all)
}

/// Server-sent events with these data.
fn events<'a>(data: impl IntoIterator<Item = &'a str>) -> String {
    data.into_iter().flat_map(|data| ["data: ", data, "\n\n"]).collect()
}

/// What an answer in JSON used.
fn usage(dialect: Dialect, body: &str) -> Option<Quantities> {
    read(dialect, Framing::Json, body.as_bytes()).quantities
}
