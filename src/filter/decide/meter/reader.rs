//! Reads what an AI API's answer used, as the answer passes.
//!
//! What must hold: the state is small and constant, whatever arrives, and nothing is allocated before [`Reader::finish`].
//! Any chunking gives the same report.

use super::dialect::Dialect;
use super::framing::{Frames, Framing};
use faregate_protocol::metering::Quantities;

/// Of one answer.
pub struct Reader(Frames);

/// What an answer said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was used, in disjoint classes. `None`: the answer doesn't say. Where `complete` is false, more output than this
    /// may have been made: Anthropic's first event has the input and one token of output.
    pub quantities: Option<Quantities>,
    /// The model that answered.
    pub model: Option<String>,
    /// The tier that served the request, in the provider's words.
    pub service_tier: Option<String>,
    /// Anthropic answered at the speed `fast`, which has a price of its own.
    pub is_fast: bool,
    /// The answer is an error, or ended with one, whatever its status.
    pub error: bool,
    /// The dialect's last word was seen: the document is whole, or the stream ended as it should.
    pub complete: bool,
    /// Bytes of text that the model put out, tools' arguments included: what an estimate goes by where usage is missing.
    pub output_bytes: u64,
}

impl Reader {
    /// Nothing has arrived.
    pub fn new(dialect: Dialect, framing: Framing) -> Self {
        Self(Frames::new(dialect, framing))
    }

    /// Reads on. The body must not be compressed.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    /// Nothing more will arrive.
    pub fn finish(self) -> Report {
        let answer = self.0.finish();
        Report {
            quantities: answer.quantities(),
            model: answer.model().map(str::to_owned),
            service_tier: answer.tier().map(str::to_owned),
            is_fast: answer.is_fast(),
            error: answer.is_error(),
            complete: answer.is_complete(),
            output_bytes: answer.output_bytes(),
        }
    }
}
