//! A value without meaning: where it ends is all that is looked for.

use super::super::find;

/// Such a value.
#[derive(Clone, Copy, Default)]
pub struct Skipped {
    /// How many objects and lists are around here.
    containers: u32,
    /// In a string.
    quoted: bool,
    /// Behind a backslash in a string.
    escaped: bool,
    /// It counts as output.
    pub is_weighed: bool,
}

impl Skipped {
    /// A string that has begun.
    pub fn string() -> Self {
        Self { quoted: true, ..Self::default() }
    }

    /// An object or a list that has begun.
    pub fn container(is_weighed: bool) -> Self {
        Self { containers: 1, is_weighed, ..Self::default() }
    }

    /// Reads on. Whether it is over, and what is behind.
    pub fn read<'a>(&mut self, bytes: &'a [u8]) -> (bool, &'a [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.pass_mark(rest);
            if self.containers == 0 && !self.quoted {
                return (true, rest);
            }
        }
        (false, rest)
    }

    /// Reads to the next byte that matters, and that.
    fn pass_mark<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let rest = if self.escaped {
            self.escaped = false;
            return bytes.split_first().map_or(bytes, |(_, rest)| rest);
        } else if self.quoted {
            find::string(bytes).1
        } else {
            find::structure(bytes).1
        };
        let Some((mark, rest)) = rest.split_first() else { return rest };
        match mark {
            b'\\' => self.escaped = true,
            b'"' => self.quoted = !self.quoted,
            b'{' | b'[' => self.containers = self.containers.saturating_add(1),
            _ => self.containers = self.containers.saturating_sub(1),
        }
        rest
    }
}
