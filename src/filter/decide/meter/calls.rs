//! Reads whether the answer to a call by MCP or A2A delivered something, as the answer passes: JSON-RPC, as a document or a list,
//! or as server-sent events.
//!
//! What must hold: only exact paths count, so nothing that a tool puts into its result can pass for the end of a call. Of a member
//! that is there twice the last counts, as in the parsers of JavaScript and Python. A message counts when it has ended, so one that
//! is cut counts as if it weren't there. The state is small and constant, and nothing is allocated. Any chunking gives the same.

use super::asked::mcp::CallAnswer;
use super::dialect::bits::ALL;
use super::found::{Sink, Value};
use super::framing::body::Body;
use super::framing::{Framer, Framing};
use super::node::{Node, Take, Tree, leaf, taking};
use super::scan::Scanner;

/// What a message of JSON-RPC has.
static MESSAGE: Tree = Tree::new(&[
    taking(ALL, "result", Take::Result, RESULT),
    leaf(ALL, "error", Take::Error),
    leaf(ALL, "method", Take::Method),
]);

const RESULT: &[Node] = &[leaf(ALL, "isError", Take::ToolError), leaf(ALL, "resultType", Take::ResultType)];

/// Of the answer to one request, which may be a batch.
pub struct CallReader {
    framer: Framer,
    messages: Messages,
}

/// What an answer said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallReport {
    /// Whether a whole response was seen. Notifications, the server's own requests, and what isn't JSON-RPC are none.
    pub answered: bool,
    /// What the response said. Of several the one that delivered most: a result, a tool's failure, a result that asks for input,
    /// an error.
    pub answer: CallAnswer,
}

impl CallReport {
    /// Whether something was delivered: at least one whole response is neither an error nor a question to the client.
    pub fn is_delivered(self) -> bool {
        self.answered && self.answer.is_delivered()
    }
}

impl CallReader {
    /// Nothing has arrived.
    pub fn new(framing: Framing) -> Self {
        let messages = Messages { scanner: Scanner::new(&MESSAGE, ALL), found: Found::default() };
        Self { framer: Framer::new(framing), messages }
    }

    /// Reads on. The body must not be compressed.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.framer.feed(bytes, &mut self.messages);
    }

    /// Nothing more will arrive.
    pub fn finish(mut self) -> CallReport {
        self.framer.finish(&mut self.messages);
        self.messages.found.report
    }
}

/// The answer's JSON, and what is known.
struct Messages {
    scanner: Scanner,
    found: Found,
}

impl Body for Messages {
    fn data(&mut self, bytes: &[u8]) {
        self.scanner.feed(bytes, &mut self.found);
    }

    fn end_event(&mut self) {
        self.scanner.reset();
        self.found.draft = Draft::default();
    }
}

#[derive(Default)]
struct Found {
    draft: Draft,
    report: CallReport,
}

/// The message that isn't over.
#[derive(Clone, Copy, Default)]
struct Draft {
    has_result: bool,
    has_method: bool,
    answer: CallAnswer,
}

impl Sink for Found {
    fn value(&mut self, node: &'static Node, value: Value<'_>) {
        let draft = &mut self.draft;
        // Some servers send both members, one of them empty.
        let is_there = !matches!(value, Value::Null | Value::Bool(false));
        match node.take {
            Take::Result => {
                draft.has_result = true;
                draft.answer =
                    CallAnswer { is_rpc_error: draft.answer.is_rpc_error, ..CallAnswer::default() };
            }
            Take::Error => draft.answer.is_rpc_error = is_there,
            Take::Method => draft.has_method = is_there,
            Take::ToolError => draft.answer.is_tool_error = value == Value::Bool(true),
            Take::ResultType => {
                draft.answer.is_input_required = value == Value::Text(CallAnswer::INPUT_REQUIRED.as_bytes());
            }
            _ => {}
        }
    }

    fn closed(&mut self, _node: &'static Node) {}

    fn output(&mut self, _bytes: usize) {}

    fn document(&mut self) {
        let Draft { has_result, has_method, answer } = std::mem::take(&mut self.draft);
        let is_response = !has_method && (has_result || answer.is_rpc_error);
        if is_response && (!self.report.answered || rank(answer) > rank(self.report.answer)) {
            self.report = CallReport { answered: true, answer };
        }
    }
}

/// How much a response delivered.
fn rank(answer: CallAnswer) -> u8 {
    match answer {
        CallAnswer { is_rpc_error: true, .. } => 0,
        CallAnswer { is_input_required: true, .. } => 1,
        CallAnswer { is_tool_error: true, .. } => 2,
        _ => 3,
    }
}
