//! A short text that allocates nothing.
//!
//! What must hold: a text that doesn't fit is too long as a whole; its beginning is never taken for it.

/// The most bytes of a short text.
pub const MAX_SHORT: usize = 63;

/// More than any length.
const TOO_LONG: u8 = u8::MAX;

/// At most [`MAX_SHORT`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    length: u8,
    bytes: [u8; MAX_SHORT],
}

impl Default for Short {
    fn default() -> Self {
        Self { length: 0, bytes: [0; MAX_SHORT] }
    }
}

impl Short {
    /// Empties it.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Appends.
    #[inline(never)]
    pub fn push(&mut self, more: &[u8]) {
        let start = usize::from(self.length);
        match self.bytes.get_mut(start..start.saturating_add(more.len())) {
            Some(place) => {
                place.copy_from_slice(more);
                self.length = u8::try_from(start.saturating_add(more.len())).unwrap_or(TOO_LONG);
            }
            None => self.length = TOO_LONG,
        }
    }

    /// Makes it too long.
    pub fn spoil(&mut self) {
        self.length = TOO_LONG;
    }

    /// Its bytes, unless it is too long.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.bytes.get(..usize::from(self.length))
    }

    /// The text, if there is any, it isn't too long, and it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()?).ok().filter(|text| !text.is_empty())
    }
}
