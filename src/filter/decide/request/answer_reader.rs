//! Reads the answer to a metered request as it passes.
//!
//! What must hold: it keeps a small and constant part of the answer, whatever arrives.

use crate::decide::meter::calls::{CallReader, CallReport};
use crate::decide::meter::dialect::Dialect;
use crate::decide::meter::framing::{Framing, is_compressed};
use crate::decide::meter::number::NumberReader;
use crate::decide::meter::reader::{Reader, Report};
use crate::decide::settings::meter::amounts::Measure;
use crate::decide::settings::meter::calls::CallProtocol;
use crate::decide::settings::meter::{Meter, MeterKind};

/// The status by which a connection becomes a WebSocket.
const SWITCHING: u16 = 101;

/// What reads an answer.
pub enum AnswerReader {
    /// What a model used.
    Model(Box<Reader>),
    /// How a call went.
    Call(CallReader),
    /// A number.
    Number(NumberReader),
}

/// What an answer said, as far as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Said {
    /// Nothing was read.
    #[default]
    Nothing,
    /// So much.
    Amount(u64),
    /// What a model used.
    Model(Report),
    /// How a call went.
    Call(CallReport),
}

/// The headers of an answer by which it is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnswerHead<'a> {
    /// The HTTP status.
    pub status: u16,
    /// `content-type`.
    pub content_type: Option<&'a [u8]>,
    /// `content-encoding`.
    pub content_encoding: Option<&'a [u8]>,
}

impl AnswerReader {
    /// What reads this answer; `None`: the meter needs nothing of it, or it is compressed.
    pub fn of(meter: &Meter, dialect: Dialect, head: &AnswerHead<'_>) -> Option<Self> {
        if !meter.reads_answer() || is_compressed(head.content_encoding) {
            return None;
        }
        let content_type = head.content_type.and_then(|value| std::str::from_utf8(value).ok());
        let framing = if head.status == SWITCHING {
            Framing::WebSocket
        } else {
            Framing::choose(content_type, dialect)
        };
        match &meter.kind {
            MeterKind::Models(_) => Some(Self::Model(Box::new(Reader::new(dialect, framing)))),
            MeterKind::Calls(calls) => {
                Some(Self::Call(CallReader::new(framing, calls.protocol == CallProtocol::A2a)))
            }
            MeterKind::Amount(amount) => match &amount.measure {
                Measure::Json(pointer) => {
                    // JSON without its own type: `text/plain` and the like are defaults of some servers.
                    let is_unnamed = matches!(framing, Framing::Text | Framing::Opaque);
                    let framing = if is_unnamed { Framing::Json } else { framing };
                    Some(Self::Number(NumberReader::new(pointer, framing)))
                }
                _ => None,
            },
        }
    }

    /// What reads the usage of a model.
    pub fn model(&self) -> Option<&Reader> {
        if let Self::Model(reader) = self { Some(reader) } else { None }
    }

    /// Reads on.
    pub fn feed(&mut self, bytes: &[u8]) {
        match self {
            Self::Model(reader) => reader.feed(bytes),
            Self::Call(reader) => reader.feed(bytes),
            Self::Number(reader) => reader.feed(bytes),
        }
    }

    /// Nothing more will arrive.
    pub fn finish(self) -> Said {
        match self {
            Self::Model(reader) => Said::Model(reader.finish()),
            Self::Call(reader) => Said::Call(reader.finish()),
            Self::Number(reader) => reader.finish().map_or(Said::Nothing, Said::Amount),
        }
    }
}
