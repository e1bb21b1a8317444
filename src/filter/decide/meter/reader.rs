//! Reads what an AI API's answer used, as the answer passes.
//!
//! What must hold: the state is small and constant, whatever arrives, and nothing is allocated before [`Reader::finish`].
//! Any chunking gives the same report.

use super::answer::Answer;
use super::dialect::Dialect;
use super::found::Sink;
use super::framing::body::Body;
use super::framing::{Framer, Framing};
use super::paths::TREE;
use super::scan::Scanner;
use faregate_protocol::metering::Quantities;

/// Of one answer.
pub struct Reader {
    framer: Framer,
    documents: Documents,
}

/// The answer's JSON, and what is known.
struct Documents {
    scanner: Scanner,
    answer: Answer,
}

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
    /// The answer is a session of several answers: `quantities` is their sum, and `output_bytes` what came since the last.
    pub adds: bool,
}

impl Reader {
    /// Nothing has arrived.
    pub fn new(dialect: Dialect, framing: Framing) -> Self {
        let scanner = Scanner::new(&TREE, dialect.bits());
        let answer = Answer::new(framing == Framing::WebSocket);
        Self { framer: Framer::new(framing), documents: Documents { scanner, answer } }
    }

    /// Reads on. The body must not be compressed.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.framer.feed(bytes, &mut self.documents);
    }

    /// How the answer is framed.
    pub fn framing(&self) -> Framing {
        self.framer.framing()
    }

    /// Up to where a piece that has just been read may pass if the answer ends within it: the end of its last whole event.
    /// `None`: no event ends there, or the answer has no events.
    pub fn last_end(&self, piece: &[u8]) -> Option<usize> {
        self.framer.last_end(piece)
    }

    /// Nothing more will arrive.
    pub fn finish(mut self) -> Report {
        self.framer.finish(&mut self.documents);
        let Documents { scanner, answer } = &mut self.documents;
        if scanner.is_outside() {
            answer.end_event();
            if matches!(self.framer, Framer::Json) && answer.has_documents() {
                answer.end();
            }
        }
        self.so_far()
    }

    /// What is known by now.
    pub fn so_far(&self) -> Report {
        let answer = &self.documents.answer;
        Report {
            quantities: answer.quantities(),
            model: answer.model().map(str::to_owned),
            service_tier: answer.tier().map(str::to_owned),
            is_fast: answer.is_fast(),
            error: answer.is_error(),
            complete: answer.is_complete(),
            output_bytes: answer.output_bytes(),
            adds: answer.adds(),
        }
    }
}

impl Body for Documents {
    fn data(&mut self, bytes: &[u8]) {
        self.scanner.feed(bytes, &mut self.answer);
    }

    fn end_event(&mut self) {
        self.scanner.reset();
        self.answer.end_event();
    }

    fn kind(&mut self, name: &[u8]) {
        self.answer.kind(name);
    }

    fn end(&mut self) {
        self.answer.end();
    }

    fn text(&mut self, bytes: &[u8]) {
        self.answer.output(bytes.len());
    }
}
