//! Follows a body along the table of places.
//!
//! What must hold: of a member that decides there is one, and in the API's own spelling.

use super::places::{ELSE, ITEM, Node, edges};
use super::walk::{BodyError, Event, MAX_DEPTH, Token, Walker};

/// A value at its place.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// Its place; of an end the place of what ends.
    pub node: Node,
    /// The name by which the table has it.
    pub name: &'static str,
    /// What it is, and where.
    pub event: Event<'a>,
}

/// Follows a body along the table.
#[derive(Debug)]
pub struct Trail<'a> {
    walker: Walker<'a>,
    shapes: u32,
    /// The places of the objects and lists that are open, by depth.
    open: [Node; MAX_DEPTH],
    /// Which deciding places were there.
    seen: u32,
}

impl<'a> Trail<'a> {
    /// Begins at the beginning.
    pub fn new(body: &'a [u8], shapes: u32) -> Result<Self, BodyError> {
        Ok(Self { walker: Walker::new(body)?, shapes, open: [Node::Other; MAX_DEPTH], seen: 0 })
    }

    /// The next value; `None`: the body is over.
    ///
    /// # Errors
    /// The body is no JSON, or a deciding member is there twice or in another spelling.
    pub fn step(&mut self) -> Result<Option<Step<'a>>, BodyError> {
        let Some(event) = self.walker.step()? else { return Ok(None) };
        let (node, name) = match event.token {
            Token::End => (self.open.get(event.depth).copied().unwrap_or(Node::Other), ""),
            _ => self.place(&event)?,
        };
        if let Some(open) = self.open.get_mut(event.depth) {
            *open = node;
        }
        Ok(Some(Step { node, name, event }))
    }

    /// Lets deciding members be there once more: the next request of a batch begins.
    pub fn forget(&mut self) {
        self.seen = 0;
    }

    /// The place of a value, and its name.
    fn place(&mut self, event: &Event<'a>) -> Result<(Node, &'static str), BodyError> {
        let Some(outer) = event.depth.checked_sub(1) else { return Ok((Node::Root, "body")) };
        let from = self.open.get(outer).copied().unwrap_or(Node::Other);
        let mut near = None;
        for (shapes, name, to) in edges(from) {
            let fits = match event.key {
                Some(key) => key.is_like(name),
                None => *name == ITEM,
            };
            if shapes & self.shapes == 0 || !(fits || *name == ELSE) {
                continue;
            }
            near = Some((*to, *name));
            if to.deciding() == 0 || event.key.is_none_or(|key| key.is(name)) {
                break;
            }
        }
        let Some((to, name)) = near else { return Ok((Node::Other, "")) };
        let bit = to.deciding();
        if bit != 0 && event.key.is_some_and(|key| !key.is(name)) {
            return Err(BodyError::Spelling { name });
        }
        if self.seen & bit != 0 {
            return Err(BodyError::Duplicate { name });
        }
        self.seen |= bit;
        Ok((to, name))
    }
}
