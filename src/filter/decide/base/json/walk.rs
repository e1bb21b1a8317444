//! Walks through a JSON text value by value, and says where each is.
//!
//! What must hold: it accepts what `serde_json` accepts, and nothing else; each value that it gives is complete; and its memory
//! doesn't grow with the text.

use super::number;
use super::text::{Text, escape};
use crate::decide::base::bytes::{HIGHEST, is_byte};
use std::ops::Range;

/// The most objects and lists within each other, as `serde_json` has it.
pub const MAX_DEPTH: usize = 127;
/// A number that is shorter, and has no exponent, fits into a float.
const MAX_PLAIN_NUMBER: usize = 300;

/// A text that is no JSON, or that has too many levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The offset in bytes.
    pub at: usize,
    /// It has more levels than [`MAX_DEPTH`].
    pub is_too_deep: bool,
}

impl Malformed {
    /// Where it is in this text, in words.
    pub fn place(self, text: &[u8]) -> String {
        let before = text.get(..self.at).unwrap_or(text);
        let (mut line, mut column) = (1, 1);
        for byte in before {
            (line, column) = if *byte == b'\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        format!("line {line}, column {column}")
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// An object begins.
    Object {
        /// Whether it has no members.
        empty: bool,
    },
    /// A list begins.
    Array {
        /// Whether it has no items.
        empty: bool,
    },
    /// The innermost object or list ends.
    End,
    /// A string.
    Text(Text<'a>),
    /// A number, as it is written.
    Number(&'a str),
    /// A boolean.
    Bool(bool),
    /// `null`.
    Null,
}

/// A value, or the end of one.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Its name, if it is in an object. Ends have none.
    pub key: Option<Text<'a>>,
    /// What it is.
    pub token: Token<'a>,
    /// Where it is, in bytes: of an object or a list only the bracket.
    pub at: Range<usize>,
    /// How many objects and lists it is in. An end is at the depth of its beginning.
    pub depth: usize,
}

/// Where the walk is.
#[derive(Debug)]
pub struct Walker<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// One bit for each level, the innermost is the lowest: 1 is an object.
    objects: u128,
    /// Whether nothing was read from the innermost level yet.
    fresh: bool,
}

impl<'a> Walker<'a> {
    /// Begins at the beginning.
    pub fn new(body: &'a [u8]) -> Result<Self, Malformed> {
        // All of JSON is UTF-8, so strings needn't be checked one by one.
        let text = std::str::from_utf8(body)
            .map_err(|error| Malformed { at: error.valid_up_to(), is_too_deep: false })?;
        Ok(Self { text, at: 0, depth: 0, objects: 0, fresh: true })
    }

    /// The next value; `None`: the text is over.
    pub fn step(&mut self) -> Result<Option<Event<'a>>, Malformed> {
        self.skip_blanks();
        let mut key = None;
        if self.depth == 0 {
            if !self.fresh {
                return if self.peek().is_none() { Ok(None) } else { self.malformed() };
            }
        } else {
            let is_object = self.objects & 1 == 1;
            if self.peek() == Some(if is_object { b'}' } else { b']' }) {
                return Ok(Some(self.close()));
            }
            if !self.fresh {
                self.expect(b',')?;
            }
            if is_object {
                key = Some(self.string()?);
                self.skip_blanks();
                self.expect(b':')?;
            }
        }
        self.fresh = false;
        let (start, depth) = (self.at, self.depth);
        let token = match self.peek() {
            Some(b'{') => Token::Object { empty: self.open(true)? },
            Some(b'[') => Token::Array { empty: self.open(false)? },
            Some(b'"') => Token::Text(self.string()?),
            Some(b't') => self.word("true", Token::Bool(true))?,
            Some(b'f') => self.word("false", Token::Bool(false))?,
            Some(b'n') => self.word("null", Token::Null)?,
            _ => self.number()?,
        };
        let end = if depth < self.depth { start + 1 } else { self.at };
        Ok(Some(Event { key, token, at: start..end, depth }))
    }

    fn malformed<T>(&self) -> Result<T, Malformed> {
        Err(Malformed { at: self.at, is_too_deep: false })
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes this byte, and the blanks behind it.
    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return self.malformed();
        }
        self.at += 1;
        self.skip_blanks();
        Ok(())
    }

    /// Enters an object or a list, and says whether it is empty.
    fn open(&mut self, is_object: bool) -> Result<bool, Malformed> {
        if self.depth >= MAX_DEPTH {
            return Err(Malformed { at: self.at, is_too_deep: true });
        }
        self.at += 1;
        self.skip_blanks();
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(is_object);
        self.fresh = true;
        Ok(self.peek() == Some(if is_object { b'}' } else { b']' }))
    }

    fn close(&mut self) -> Event<'a> {
        self.at += 1;
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        self.fresh = false;
        Event { key: None, token: Token::End, at: self.at - 1..self.at, depth: self.depth }
    }

    fn string(&mut self) -> Result<Text<'a>, Malformed> {
        if self.peek() != Some(b'"') {
            return self.malformed();
        }
        self.at += 1;
        let start = self.at;
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => match escape(self.rest()) {
                    Some((_, length)) => self.at += length,
                    None => return self.malformed(),
                },
                Some(byte) if byte >= b' ' => self.at += 1,
                _ => return self.malformed(),
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(Text(text))
    }

    /// Skips what doesn't matter in a string, eight bytes at a time; not the last ones of the whole text.
    fn skip_plain(&mut self) {
        for eight in self.rest().as_chunks().0 {
            let eight = u64::from_le_bytes(*eight);
            let control = eight.wrapping_sub(0x2020_2020_2020_2020) & !eight & HIGHEST;
            let marks = is_byte(eight, b'"') | is_byte(eight, b'\\') | control;
            if marks != 0 {
                // Of the marks the first is right, and those behind it may not be.
                self.at += marks.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
    }

    fn word(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>, Malformed> {
        if !self.rest().starts_with(word.as_bytes()) {
            return self.malformed();
        }
        self.at += word.len();
        Ok(token)
    }

    fn number(&mut self) -> Result<Token<'a>, Malformed> {
        let start = self.at;
        let mut is_plain = true;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            is_plain = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let fits = is_plain && text.len() < MAX_PLAIN_NUMBER;
        if fits || number::read(text).is_some() { Ok(Token::Number(text)) } else { self.malformed() }
    }

    /// Takes one digit or more.
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { self.malformed() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
