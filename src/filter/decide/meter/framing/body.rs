//! What reads an event's bytes once its frame is taken off.

/// Reads the events of an answer. All but the first two are of use only to who asks for them.
pub trait Body {
    /// Part of an event's JSON.
    fn data(&mut self, bytes: &[u8]);
    /// An event is over.
    fn end_event(&mut self);
    /// The event here has this name.
    fn kind(&mut self, _name: &[u8]) {}
    /// The answer's last word was seen.
    fn end(&mut self) {}
    /// Part of an answer that is text and no JSON.
    fn text(&mut self, _bytes: &[u8]) {}
}

/// Takes at most so many bytes.
pub fn take(bytes: &[u8], most: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(most).unwrap_or((bytes, &[]))
}
