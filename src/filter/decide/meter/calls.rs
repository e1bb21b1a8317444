//! Reads whether the answer to a call by MCP or A2A delivered something, as the answer passes: JSON-RPC, or A2A by REST, as a
//! document or a list, or as server-sent events.
//!
//! What must hold: only exact paths count, so nothing that a tool puts into its result can pass for the end of a call. Of a member
//! that is there twice the last counts, as in the parsers of JavaScript and Python. A message counts when it has ended, so one that
//! is cut counts as if it weren't there. Of the states of a task the last counts. The reader is small and constant, and nothing is
//! allocated. Any chunking gives the same.

use super::asked::mcp::CallAnswer;
use super::found::{Sink, Value};
use super::framing::body::Body;
use super::framing::{Framer, Framing};
use super::node::{Node, Take, Tree, inner, leaf, taking};
use super::scan::Scanner;

/// Who has a member.
const MCP: u8 = 1;
const A2A: u8 = 1 << 1;

/// What a message of JSON-RPC has, and an answer of A2A by REST.
static MESSAGE: Tree = Tree::new(&[
    taking(MCP | A2A, "result", Take::Result, RESULT),
    leaf(MCP | A2A, "error", Take::Error),
    leaf(MCP | A2A, "method", Take::Method),
    inner(A2A, "task", TASK),
    inner(A2A, "statusUpdate", TASK),
]);

/// A2A 0.3 has a task, or news of one, here; version 1 has it within.
const RESULT: &[Node] = &[
    leaf(MCP, "isError", Take::ToolError),
    leaf(MCP, "resultType", Take::ResultType),
    inner(A2A, "status", STATUS),
    inner(A2A, "task", TASK),
    inner(A2A, "statusUpdate", TASK),
];

const TASK: &[Node] = &[inner(A2A, "status", STATUS)];

const STATUS: &[Node] = &[leaf(A2A, "state", Take::State)];

/// The states of a task that has failed: by gRPC's JSON, and in version 0.3.
const FAILED: [&[u8]; 4] = [b"TASK_STATE_FAILED", b"TASK_STATE_REJECTED", b"failed", b"rejected"];

/// Of the answer to one request, which may be a batch.
pub struct CallReader {
    framer: Framer,
    messages: Messages,
}

/// What an answer said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallReport {
    /// Whether a whole response was seen. Notifications, the server's own requests, and what is neither JSON-RPC nor has the state of
    /// a task are none.
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
    /// Nothing has arrived. `agents` says whether it is by A2A.
    pub fn new(framing: Framing, agents: bool) -> Self {
        let scanner = Scanner::new(&MESSAGE, if agents { A2A } else { MCP });
        let messages = Messages { scanner, found: Found::default() };
        Self { framer: Framer::new(framing), messages }
    }

    /// Reads on. The body must not be compressed.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.framer.feed(bytes, &mut self.messages);
    }

    /// Nothing more will arrive.
    pub fn finish(mut self) -> CallReport {
        self.framer.finish(&mut self.messages);
        let Found { mut report, failed, .. } = self.messages.found;
        report.answered |= failed;
        report.answer.is_tool_error |= failed;
        report
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
    /// Whether the last state of a task is that it has failed.
    failed: bool,
}

/// The message that isn't over.
#[derive(Clone, Copy, Default)]
struct Draft {
    has_result: bool,
    has_method: bool,
    /// Whether a task has failed, if it says.
    failed: Option<bool>,
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
                draft.failed = None;
                draft.answer =
                    CallAnswer { is_rpc_error: draft.answer.is_rpc_error, ..CallAnswer::default() };
            }
            Take::Error => draft.answer.is_rpc_error = is_there,
            Take::Method => draft.has_method = is_there,
            Take::State => draft.failed = Some(FAILED.iter().any(|state| value == Value::Text(state))),
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
        let Draft { has_result, has_method, failed, answer } = std::mem::take(&mut self.draft);
        self.failed = failed.unwrap_or(self.failed);
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
