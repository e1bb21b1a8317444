//! What one answer says it used: the values that a scanner finds, put together.
//!
//! What must hold: a document counts when it has ended, so one that is cut counts as if it weren't there. The newest number
//! counts. Numbers are added only where each is about something else: the steps that Anthropic's totals leave out, items of
//! a list, and the answers within a WebSocket.

use super::counts::{Counts, Slot};
use super::found::{Sink, Value};
use super::labels::{Label, MAX_PARTS};
use super::node::{Node, Take};
use super::short::Short;
use faregate_protocol::metering::Quantities;

/// The answer is over.
const END: u8 = 1;
/// It is an error.
const ERROR: u8 = 1 << 1;
/// The event has no new text of the model's: it repeats what came before, has sound, or says what went wrong.
const ECHO: u8 = 1 << 2;
/// The event has the usage of one answer of several.
const SUM: u8 = 1 << 3;
/// The event has the usage of all so far.
const SO_FAR: u8 = 1 << 4;

/// What events mean, by their names. A name that begins with `*` is the end of one; several may fit.
const KINDS: &[(&str, u8)] = &[
    ("error", ERROR | ECHO),
    ("exception", ERROR | ECHO),
    ("message_stop", END),
    ("message-end", END),
    ("response.completed", END | SUM),
    ("response.incomplete", END | SUM),
    ("response.failed", END | SUM | ERROR),
    ("response.done", SUM),
    ("conversation.item.input_audio_transcription.completed", SUM),
    ("session.usage.updated", SO_FAR),
    ("image_generation.completed", END),
    ("image_edit.completed", END),
    ("transcript.text.done", END),
    ("interaction.completed", END),
    ("*.done", ECHO),
    ("*audio.delta", ECHO),
];

/// What is known so far.
pub struct Answer {
    /// Of the document that isn't over.
    draft: Counts,
    counts: Counts,
    /// Within a WebSocket, usage is of one answer of several.
    adds: bool,
    kind: u8,
    error: bool,
    complete: bool,
    is_fast: bool,
    documents: bool,
    output: u64,
    draft_output: u64,
    model: Short,
    tier: Short,
    /// The list around here.
    labels: &'static [Label],
    /// The label of the item here.
    label: Option<&'static Label>,
    parts: [u64; MAX_PARTS],
}

impl Answer {
    /// Nothing is known. Within a WebSocket, answers are added up.
    pub fn new(adds: bool) -> Self {
        Self {
            draft: Counts::default(),
            counts: Counts::default(),
            adds,
            kind: 0,
            error: false,
            complete: false,
            is_fast: false,
            documents: false,
            output: 0,
            draft_output: 0,
            model: Short::default(),
            tier: Short::default(),
            labels: &[],
            label: None,
            parts: [0; MAX_PARTS],
        }
    }

    /// The event here has this name.
    pub fn kind(&mut self, name: &[u8]) {
        for (kind, meaning) in KINDS {
            let is_it = match kind.strip_prefix('*') {
                Some(end) => name.ends_with(end.as_bytes()),
                None => name == kind.as_bytes(),
            };
            if is_it {
                self.kind |= meaning;
            }
        }
    }

    /// The answer's last word was seen.
    pub fn end(&mut self) {
        self.complete = true;
    }

    /// The event is over. What is left of an unfinished document is dropped.
    pub fn end_event(&mut self) {
        self.error |= self.kind & ERROR != 0;
        self.complete |= self.kind & END != 0;
        if self.kind & ECHO == 0 {
            self.output = self.output.saturating_add(self.draft_output);
        }
        self.draft_output = 0;
        self.kind = 0;
        self.draft.clear();
    }

    /// All that was used.
    pub fn quantities(&self) -> Option<Quantities> {
        self.counts.quantities()
    }

    /// Whether the answer is a session of several, whose usage is added up.
    pub fn adds(&self) -> bool {
        self.adds
    }

    /// The model that answered.
    pub fn model(&self) -> Option<&str> {
        self.model.text()
    }

    /// The tier that served the request.
    pub fn tier(&self) -> Option<&str> {
        self.tier.text()
    }

    /// Anthropic answered at the speed that has a price of its own.
    pub fn is_fast(&self) -> bool {
        self.is_fast
    }

    /// An error was seen.
    pub fn is_error(&self) -> bool {
        self.error
    }

    /// The answer's last word was seen.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// A whole document was seen.
    pub fn has_documents(&self) -> bool {
        self.documents
    }

    /// Bytes of text that the model put out.
    pub fn output_bytes(&self) -> u64 {
        let draft = if self.kind & ECHO == 0 { self.draft_output } else { 0 };
        self.output.saturating_add(draft)
    }

    fn text(&mut self, take: Take, text: &[u8]) {
        match take {
            Take::Kind => self.kind(text),
            Take::Model => copy(&mut self.model, text),
            Take::Tier => copy(&mut self.tier, text),
            Take::Speed => self.is_fast = text == b"fast",
            Take::Label => {
                self.label = self
                    .labels
                    .iter()
                    .find(|label| label.name == "*" || label.name.as_bytes().eq_ignore_ascii_case(text));
            }
            _ => {}
        }
    }

    /// A list or an item begins.
    fn open(&mut self, node: &'static Node) {
        match node.take {
            Take::List(items) => {
                self.labels = items.labels();
                for slot in self.labels.iter().flat_map(|label| label.slots) {
                    self.draft.set(*slot, Some(0));
                }
            }
            Take::Item => {
                self.label = None;
                self.parts = [0; MAX_PARTS];
            }
            Take::Error => self.kind |= ERROR,
            _ => {}
        }
    }

    fn forget(&mut self, node: &'static Node) {
        match node.take {
            Take::Count(slot) => self.draft.set(slot, None),
            Take::List(items) => {
                for slot in items.labels().iter().flat_map(|label| label.slots) {
                    self.draft.set(*slot, None);
                }
            }
            _ => {}
        }
        for child in node.children {
            self.forget(child);
        }
    }
}

impl Sink for Answer {
    fn value(&mut self, node: &'static Node, value: Value<'_>) {
        if matches!(node.take, Take::Usage | Take::List(_)) && !self.draft.is_empty() {
            self.forget(node);
        }
        match (node.take, value) {
            (Take::Count(slot), value) => self.draft.set(slot, number(slot, value)),
            (Take::Part(index), value) => {
                if let Some(part) = self.parts.get_mut(usize::from(index)) {
                    *part = if let Value::Whole(number) = value { number } else { 0 };
                }
            }
            (_, Value::Text(text)) => self.text(node.take, text),
            (_, Value::Open) => self.open(node),
            (_, Value::Null | Value::Bool(false)) => {}
            (Take::Error, _) => self.kind |= ERROR,
            (Take::End, _) => self.kind |= END,
            _ => {}
        }
    }

    fn closed(&mut self, node: &'static Node) {
        if let (Take::Item, Some(label)) = (node.take, self.label.take()) {
            for (slot, part) in label.slots.iter().zip(self.parts) {
                self.draft.add(*slot, part);
            }
        }
    }

    fn output(&mut self, bytes: usize) {
        self.draft_output = self.draft_output.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    fn document(&mut self) {
        self.documents = true;
        if !self.draft.is_empty() {
            if !self.adds || self.kind & SO_FAR != 0 {
                self.counts.merge(&self.draft);
            } else if self.kind & SUM != 0 {
                self.counts.sum(&self.draft);
                if self.kind & (END | ECHO) != 0 {
                    // The answer is over, and all that it put out is in it.
                    self.output = 0;
                    self.kind |= ECHO;
                }
            }
        }
        self.end_event();
    }
}

/// A number to count. A second that has begun counts; else a fraction is of no use.
fn number(slot: Slot, value: Value<'_>) -> Option<u64> {
    match value {
        Value::Whole(number) => Some(number),
        Value::Above(number) if slot == Slot::Second => Some(number.saturating_add(1)),
        _ => None,
    }
}

fn copy(place: &mut Short, text: &[u8]) {
    if !text.is_empty() {
        place.clear();
        place.push(text);
    }
}
