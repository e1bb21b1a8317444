//! Reads the number at a place in an answer's JSON that the operator names, as the answer passes.
//!
//! What must hold: only that exact place counts, however its keys are escaped. Of a member that is there twice the last counts, and
//! of several documents the newest that has the number. A document counts when it has ended, so one that is cut counts as if it
//! weren't there. The state is small and constant, and nothing is allocated. Any chunking gives the same.

use super::decimal::millionths;
use super::find;
use super::framing::body::Body;
use super::framing::{Framer, Framing};
use super::pointer::{Pointer, index};
use super::scan::escape::{Escape, Escaped};
use super::scan::skipped::Skipped;
use super::short::Short;

/// Of one answer.
pub struct NumberReader {
    framer: Framer,
    place: Place,
}

impl NumberReader {
    /// Nothing has arrived.
    pub fn new(pointer: &Pointer, framing: Framing) -> Self {
        Self { framer: Framer::new(framing), place: Place::new(pointer.clone()) }
    }

    /// Reads on. The body must not be compressed.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.framer.feed(bytes, &mut self.place);
    }

    /// Nothing more will arrive. The number in millionths, as [`millionths`] reads it: a JSON number, or a string that holds one,
    /// of at most 63 bytes. `None`: nothing like that is there.
    pub fn finish(mut self) -> Option<u64> {
        self.framer.finish(&mut self.place);
        self.place.newest
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between values.
    Between,
    /// In a key, or in a string at the place.
    String,
    /// In an escape of such a string.
    Escape,
    /// In a number at the place, or in another value that is neither a string nor a list or object.
    Number,
    /// In a value that isn't on the way.
    Skip,
}

/// Where in the text it is.
struct Place {
    pointer: Pointer,
    /// How many objects and lists around here are on the way to the place.
    depth: usize,
    /// Which of them are lists, a bit for each.
    lists: u8,
    /// In a list, so many items come before the one on the way. `None`: it isn't to come.
    before: Option<u32>,
    /// The value that comes next is on the way.
    is_on_way: bool,
    /// A string here is a key.
    is_key: bool,
    /// Of the key on the way, so many bytes came. `None`: the key is another.
    matched: Option<usize>,
    state: State,
    escape: Escape,
    skipped: Skipped,
    /// The value at the place.
    text: Short,
    /// The number of the document that isn't over.
    draft: Option<u64>,
    newest: Option<u64>,
}

impl Body for Place {
    fn data(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.state {
                State::Between => self.between(rest),
                State::String => self.string(rest),
                State::Escape => self.escape(rest),
                State::Number => self.number(rest),
                State::Skip => self.skip(rest),
            };
        }
    }

    /// Forgets an unfinished document.
    fn end_event(&mut self) {
        self.depth = 0;
        self.is_on_way = false;
        self.is_key = false;
        self.state = State::Between;
        self.draft = None;
    }
}

impl Place {
    fn new(pointer: Pointer) -> Self {
        Self {
            pointer,
            depth: 0,
            lists: 0,
            before: None,
            is_on_way: false,
            is_key: false,
            matched: None,
            state: State::Between,
            escape: Escape::default(),
            skipped: Skipped::default(),
            text: Short::default(),
            draft: None,
            newest: None,
        }
    }

    fn between<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            match byte {
                b'"' => self.quote(),
                b'{' | b'[' => self.open(*byte == b'['),
                b'}' | b']' => self.close(),
                b',' => self.separate(),
                b':' | b' ' | b'\n' | b'\r' | b'\t' => {}
                _ if self.is_there() => {
                    self.text.clear();
                    self.state = State::Number;
                    return rest;
                }
                _ => {}
            }
            rest = behind;
            if self.state != State::Between {
                break;
            }
        }
        rest
    }

    /// Whether the value that comes next is the one that counts.
    fn is_there(&self) -> bool {
        self.is_on_way && self.pointer.ends_at(self.depth)
    }

    fn is_in_list(&self) -> bool {
        self.depth.checked_sub(1).is_some_and(|place| self.lists >> place & 1 == 1)
    }

    /// A string begins.
    fn quote(&mut self) {
        if self.is_key || self.is_there() {
            self.matched = Some(0);
            self.text.clear();
            self.state = State::String;
        } else {
            self.ignore(Skipped::string());
        }
    }

    fn ignore(&mut self, value: Skipped) {
        self.is_on_way = false;
        self.state = State::Skip;
        self.skipped = value;
    }

    /// An object or list begins.
    fn open(&mut self, is_list: bool) {
        let is_on_way = self.is_on_way || self.depth == 0;
        let Some(segment) = self.pointer.segment(self.depth).filter(|_| is_on_way) else {
            return self.ignore(Skipped::container(false));
        };
        self.before = if is_list { index(segment) } else { None };
        self.lists = self.lists & !(1 << self.depth) | u8::from(is_list) << self.depth;
        self.depth += 1;
        self.is_key = !is_list;
        self.is_on_way = self.before == Some(0);
    }

    fn close(&mut self) {
        let Some(depth) = self.depth.checked_sub(1) else { return };
        self.depth = depth;
        self.before = None;
        self.is_on_way = false;
        self.is_key = false;
        if depth == 0 {
            self.newest = self.draft.take().or(self.newest);
        }
    }

    /// A member or an item comes next.
    fn separate(&mut self) {
        if self.is_in_list() {
            self.before = self.before.and_then(|items| items.checked_sub(1));
            self.is_on_way = self.before == Some(0);
        } else {
            self.is_on_way = false;
            self.is_key = self.depth > 0;
        }
    }

    fn string<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (run, rest) = find::string(bytes);
        self.push(Some(run));
        let Some((mark, rest)) = rest.split_first() else { return rest };
        if *mark == b'\\' {
            self.escape = Escape::default();
            self.state = State::Escape;
            return rest;
        }
        self.state = State::Between;
        if std::mem::take(&mut self.is_key) {
            let segment = self.segment();
            self.is_on_way = self.matched == Some(segment.len());
            if self.is_on_way {
                // What an earlier member of this name had is forgotten.
                self.draft = None;
            }
        } else {
            self.found();
        }
        rest
    }

    /// The key or index that is sought in the object or list here.
    fn segment(&self) -> &[u8] {
        self.depth.checked_sub(1).and_then(|depth| self.pointer.segment(depth)).unwrap_or_default()
    }

    /// More of a string. `None`: a character that can't be known.
    fn push(&mut self, run: Option<&[u8]>) {
        if self.is_key {
            let segment = self.segment();
            self.matched = self.matched.and_then(|matched| {
                let run = run?;
                segment.get(matched..)?.starts_with(run).then_some(matched.saturating_add(run.len()))
            });
        } else if let Some(run) = run {
            self.text.push(run);
        } else {
            self.text.spoil();
        }
    }

    /// Half of a pair of code units isn't known, so a key with characters beyond U+FFFF must have them unescaped.
    fn escape<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some((byte, rest)) = bytes.split_first() else { return bytes };
        let mut room = [0; 4];
        let (character, rest) = match self.escape.read(*byte) {
            Escaped::Begun => return rest,
            Escaped::Unit(unit) => (char::from_u32(u32::from(unit)), rest),
            Escaped::Broken => (None, bytes),
        };
        self.state = State::String;
        self.push(character.map(|character| character.encode_utf8(&mut room).as_bytes()));
        rest
    }

    fn number<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
        let at = bytes.iter().position(is_end).unwrap_or(bytes.len());
        let (run, rest) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
        self.text.push(run);
        if !rest.is_empty() {
            self.state = State::Between;
            self.found();
        }
        rest
    }

    /// The value at the place is over.
    fn found(&mut self) {
        self.draft = self.text.bytes().and_then(|text| millionths(text.trim_ascii()));
        self.is_on_way = false;
    }

    fn skip<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (is_over, rest) = self.skipped.read(bytes);
        if is_over {
            self.state = State::Between;
        }
        rest
    }
}
