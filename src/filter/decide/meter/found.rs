//! What a scanner finds, and who receives it.

use super::node::Node;

/// A value at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A whole number from zero on. `12.0` is whole.
    Whole(u64),
    /// A number between this one and the next.
    Above(u64),
    /// A string that the node asked for, in UTF-8 if the document is.
    Text(&'a [u8]),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// An object or a list begins.
    Open,
    /// Present, but of no use: a negative or too large number, one with an exponent, a string that is too long or that the
    /// node didn't ask for, or a list or object at a leaf.
    Unusable,
}

/// Receives what a scanner finds.
pub trait Sink {
    /// A value at a node that takes something.
    fn value(&mut self, node: &'static Node, value: Value<'_>);
    /// The object or list at a node that takes something has ended.
    fn closed(&mut self, node: &'static Node);
    /// So many bytes of text that the model put out.
    fn output(&mut self, bytes: usize);
    /// A document has ended.
    fn document(&mut self);
}
