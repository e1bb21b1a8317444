//! Finds values at exact paths in JSON, byte by byte as it arrives, in constant memory.
//!
//! A path is a way from the root of a tree of [`Node`]s. What isn't in the tree is skipped. A text holds any number of
//! documents, one behind the other or in a list: at the top each object begins a document.
//!
//! What must hold: any chunking finds the same. Text inside strings is never taken for structure, so it can't forge a
//! value. A document that isn't JSON may give wrong values, but only until [`Scanner::reset`].

pub mod escape;
mod number;
pub mod skipped;

use super::find;
use super::found::{Sink, Value};
use super::node::{Node, Take, Tree};
use super::short::{MAX_SHORT, Short};
use escape::{Escape, Escaped};
use number::Number;
use skipped::Skipped;

/// How deep a tree of paths may be.
pub const MAX_DEPTH: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between values.
    Between,
    /// In a string that is kept or counted.
    String,
    /// In an escape of such a string.
    Escape,
    /// In a number.
    Number,
    /// In a value without meaning.
    Skip,
}

/// What a string is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Key,
    Kept,
    Output,
    Ignored,
}

/// Where in the text it is.
pub struct Scanner {
    dialects: u8,
    tree: &'static Tree,
    /// Objects and lists around here that are in the tree.
    around: [&'static Node; MAX_DEPTH],
    depth: u8,
    /// Which of them are lists, a bit for each.
    lists: u16,
    /// The innermost is a list.
    list: bool,
    /// Of the value that comes next, or is being read.
    node: Option<&'static Node>,
    /// A string here is a key.
    key: bool,
    /// In a list of documents.
    in_list: bool,
    state: State,
    role: Role,
    text: Short,
    escape: Escape,
    number: Number,
    skipped: Skipped,
}

impl Scanner {
    /// Of the tree's nodes, those of these dialects.
    pub fn new(tree: &'static Tree, dialects: u8) -> Self {
        Self {
            dialects,
            tree,
            around: [&tree.root; MAX_DEPTH],
            depth: 0,
            lists: 0,
            list: false,
            node: None,
            key: false,
            in_list: false,
            state: State::Between,
            role: Role::Key,
            text: Short::default(),
            escape: Escape::default(),
            number: Number::default(),
            skipped: Skipped::default(),
        }
    }

    /// Forgets an unfinished document.
    pub fn reset(&mut self) {
        self.depth = 0;
        self.list = false;
        self.node = None;
        self.in_list = false;
        self.state = State::Between;
    }

    /// Whether it is between documents, and in no list of them.
    pub fn is_outside(&self) -> bool {
        self.depth == 0 && !self.in_list && self.state == State::Between
    }

    /// Reads on.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn Sink) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.state {
                State::Between => self.between(rest, sink),
                State::String => self.string(rest, sink),
                State::Escape => self.escape(rest, sink),
                State::Number => self.number(rest, sink),
                State::Skip => self.skip(rest, sink),
            };
        }
    }

    fn between<'a>(&mut self, bytes: &'a [u8], sink: &mut dyn Sink) -> &'a [u8] {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            match byte {
                b'"' => {
                    rest = self.quote(behind, sink);
                    if self.state != State::Between {
                        break;
                    }
                    continue;
                }
                b'{' | b'[' => {
                    self.open(*byte == b'[', sink);
                    if self.state != State::Between {
                        return behind;
                    }
                }
                b'}' | b']' => self.close(sink),
                b',' => self.separate(),
                b':' => self.key = false,
                _ if self.node.is_none() => {}
                b'-' | b'0'..=b'9' => {
                    self.number = Number::default();
                    self.state = State::Number;
                    return rest;
                }
                b't' | b'f' => self.found(Value::Bool(*byte == b't'), sink),
                b'n' => self.found(Value::Null, sink),
                _ => {}
            }
            rest = behind;
        }
        rest
    }

    fn container(&self) -> Option<&'static Node> {
        self.around.get(usize::from(self.depth.checked_sub(1)?)).copied()
    }

    /// A member or an item comes next.
    fn separate(&mut self) {
        self.key = !self.list;
        self.node = if self.list { self.child(b"*") } else { None };
    }

    /// What is below a key here. Most keys at the top are in no tree, and are found out without a look at it.
    fn child(&self, key: &[u8]) -> Option<&'static Node> {
        if self.depth == 1 && !self.tree.may_have(key) {
            return None;
        }
        self.container()?.child(key, self.dialects)
    }

    /// The value is over.
    fn found(&mut self, value: Value<'_>, sink: &mut dyn Sink) {
        if let Some(node) = self.node.take()
            && !matches!(node.take, Take::Nothing)
        {
            sink.value(node, value);
        }
    }

    /// A string, behind its first quotation mark.
    fn quote<'a>(&mut self, bytes: &'a [u8], sink: &mut dyn Sink) -> &'a [u8] {
        let (run, rest) = find::string(bytes);
        self.role = self.role(sink);
        if let Some((b'"', rest)) = rest.split_first() {
            self.end_string(Some(run), sink);
            return match rest.split_first() {
                Some((b':', behind)) => {
                    self.key = false;
                    behind
                }
                _ => rest,
            };
        }
        // It has escapes, or isn't all here.
        if self.role == Role::Ignored {
            self.ignore(Skipped::string());
            return rest;
        }
        self.text.clear();
        self.state = State::String;
        bytes
    }

    /// What the string that begins here is.
    fn role(&mut self, sink: &mut dyn Sink) -> Role {
        if self.key && self.depth > 0 {
            return Role::Key;
        }
        match self.node.map(|node| node.take) {
            None => Role::Ignored,
            Some(Take::Output | Take::Weigh) => Role::Output,
            Some(take) if take.is_text() => Role::Kept,
            Some(_) => {
                self.found(Value::Unusable, sink);
                Role::Ignored
            }
        }
    }

    /// A string is over; `None`: it was too long to keep. Of output, what wasn't counted.
    fn end_string(&mut self, text: Option<&[u8]>, sink: &mut dyn Sink) {
        match self.role {
            // In the tree, `*` is an item and no key.
            Role::Key => self.node = text.filter(|key| *key != b"*").and_then(|key| self.child(key)),
            Role::Kept => {
                let text = text.filter(|text| text.len() <= MAX_SHORT);
                self.found(text.map_or(Value::Unusable, Value::Text), sink);
            }
            Role::Output => {
                self.node = None;
                sink.output(text.map_or(0, <[u8]>::len));
            }
            Role::Ignored => {}
        }
    }

    fn ignore(&mut self, value: Skipped) {
        self.state = State::Skip;
        self.skipped = value;
    }

    fn open(&mut self, list: bool, sink: &mut dyn Sink) {
        let node = if self.depth > 0 {
            self.node.take()
        } else if list {
            self.in_list = true;
            return;
        } else {
            Some(&self.tree.root)
        };
        let Some(node) = node else { return self.ignore(Skipped::container(false)) };
        match self.around.get_mut(usize::from(self.depth)) {
            Some(place) if !node.children.is_empty() => {
                *place = node;
                self.lists = self.lists & !(1 << self.depth) | u16::from(list) << self.depth;
                self.depth += 1;
                self.list = list;
                if !matches!(node.take, Take::Nothing) {
                    sink.value(node, Value::Open);
                }
                self.separate();
            }
            _ => {
                let weighed = matches!(node.take, Take::Weigh);
                if weighed {
                    sink.output(1);
                } else if !matches!(node.take, Take::Nothing | Take::Output) {
                    sink.value(node, Value::Unusable);
                }
                self.ignore(Skipped::container(weighed));
            }
        }
    }

    fn close(&mut self, sink: &mut dyn Sink) {
        let Some(node) = self.container() else {
            self.in_list = false;
            return;
        };
        self.depth -= 1;
        self.list = self.depth > 0 && self.lists >> (self.depth - 1) & 1 == 1;
        self.node = None;
        self.key = false;
        if !matches!(node.take, Take::Nothing) {
            sink.closed(node);
        }
        if self.depth == 0 {
            sink.document();
        }
    }

    fn string<'a>(&mut self, bytes: &'a [u8], sink: &mut dyn Sink) -> &'a [u8] {
        let (run, rest) = find::string(bytes);
        if self.role == Role::Output {
            sink.output(run.len());
        } else {
            self.text.push(run);
        }
        let Some((byte, rest)) = rest.split_first() else { return rest };
        if *byte == b'\\' {
            self.state = State::Escape;
            self.escape = Escape::default();
            return rest;
        }
        self.state = State::Between;
        let text = self.text;
        self.end_string(text.bytes(), sink);
        rest
    }

    fn escape<'a>(&mut self, bytes: &'a [u8], sink: &mut dyn Sink) -> &'a [u8] {
        let Some((byte, rest)) = bytes.split_first() else { return bytes };
        match self.escape.read(*byte) {
            Escaped::Begun => {}
            Escaped::Unit(unit) => self.character(unit, sink),
            Escaped::Broken => {
                self.state = State::String;
                return bytes;
            }
        }
        rest
    }

    /// One UTF-16 code unit of a string. Half of a pair is two of its four bytes.
    fn character(&mut self, unit: u16, sink: &mut dyn Sink) {
        self.state = State::String;
        let character = char::from_u32(u32::from(unit));
        if self.role == Role::Output {
            return sink.output(character.map_or(2, char::len_utf8));
        }
        match character {
            Some(character) => self.text.push(character.encode_utf8(&mut [0; 4]).as_bytes()),
            None => self.text.spoil(),
        }
    }

    fn number<'a>(&mut self, bytes: &'a [u8], sink: &mut dyn Sink) -> &'a [u8] {
        let (value, rest) = self.number.read(bytes);
        if let Some(value) = value {
            self.state = State::Between;
            self.found(value, sink);
        }
        rest
    }

    fn skip<'a>(&mut self, bytes: &'a [u8], sink: &mut dyn Sink) -> &'a [u8] {
        let (is_over, rest) = self.skipped.read(bytes);
        if is_over {
            self.state = State::Between;
        }
        if self.skipped.is_weighed {
            sink.output(bytes.len().saturating_sub(rest.len()));
        }
        rest
    }
}
