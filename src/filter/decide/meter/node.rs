//! A tree of paths in JSON, and what is done with a value at each.

use super::counts::Slot;
use super::labels::Items;

/// A key, and what is below.
pub struct Node {
    /// The key, or `*` for any item of a list.
    pub key: &'static str,
    /// Which dialects have it.
    pub dialects: u8,
    /// What is done with a value here.
    pub take: Take,
    /// The members of an object here, and the items of a list.
    pub children: &'static [Node],
}

/// What is done with a value.
#[derive(Clone, Copy)]
pub enum Take {
    /// Nothing: only something below is of interest.
    Nothing,
    /// Numbers begin here: what an earlier member of this name in the same document had is forgotten.
    Usage,
    /// A number.
    Count(Slot),
    /// Text of the model, if it is a string.
    Output,
    /// Text of the model, in a string; or all of an object or a list.
    Weigh,
    /// The model's name.
    Model,
    /// The tier that served the request.
    Tier,
    /// At Anthropic the speed: `fast` has a price of its own.
    Speed,
    /// What kind of event this is.
    Kind,
    /// The answer is over, if something is here.
    End,
    /// The answer is an error, if something is here.
    Error,
    /// A list of items, each with a label and numbers.
    List(Items),
    /// An item of such a list.
    Item,
    /// Its label.
    Label,
    /// One of its numbers.
    Part(u8),
    /// The result of a call.
    Result,
    /// What kind of result it is.
    ResultType,
    /// Whether the result is a tool's failure.
    ToolError,
    /// The state of a task.
    State,
    /// The method that is called: this is no answer.
    Method,
}

impl Take {
    /// Whether it needs to know a string.
    pub const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Model
                | Self::Tier
                | Self::Speed
                | Self::Kind
                | Self::Label
                | Self::ResultType
                | Self::State
        )
    }
}

impl Node {
    /// What is below a key.
    pub fn child(&self, key: &[u8], dialects: u8) -> Option<&'static Self> {
        // The lengths differ almost always.
        self.children.iter().find(|child| {
            child.key.len() == key.len()
                && child.dialects & dialects != 0
                && child.key.bytes().zip(key).all(|(one, other)| one == *other)
        })
    }
}

/// All paths.
pub struct Tree {
    /// A document.
    pub root: Node,
    /// Which members it may have, a bit for each kind of key.
    members: u64,
}

impl Tree {
    /// Of a document with these members.
    pub const fn new(members: &'static [Node]) -> Self {
        let (mut bits, mut rest) = (0, members);
        while let [first, others @ ..] = rest {
            bits |= kind(first.key.as_bytes());
            rest = others;
        }
        Self { root: inner(u8::MAX, "", members), members: bits }
    }

    /// Whether a document may have this member.
    pub const fn may_have(&self, key: &[u8]) -> bool {
        self.members & kind(key) != 0
    }
}

/// One of 64 kinds of keys, by length, first and last byte. The factor is the one by which most keys of a streamed event that
/// are in no tree differ from those that are.
const fn kind(key: &[u8]) -> u64 {
    match key {
        [first, .., last] => 1 << ((*first as usize + 7 * (*last as usize + key.len())) & 63),
        _ => 1,
    }
}

/// A key with nothing below.
pub const fn leaf(dialects: u8, key: &'static str, take: Take) -> Node {
    Node { key, dialects, take, children: &[] }
}

/// A number.
pub const fn count(dialects: u8, key: &'static str, slot: Slot) -> Node {
    leaf(dialects, key, Take::Count(slot))
}

/// Text of the model.
pub const fn text(dialects: u8, key: &'static str) -> Node {
    leaf(dialects, key, Take::Output)
}

/// Text of the model, in whatever form.
pub const fn weighed(dialects: u8, key: &'static str) -> Node {
    leaf(dialects, key, Take::Weigh)
}

/// A key that is only a way to others.
pub const fn inner(dialects: u8, key: &'static str, children: &'static [Node]) -> Node {
    Node { key, dialects, take: Take::Nothing, children }
}

/// A key with others below, and something to do here.
pub const fn taking(dialects: u8, key: &'static str, take: Take, children: &'static [Node]) -> Node {
    Node { key, dialects, take, children }
}
