//! What reads an event's bytes once its frame is taken off.

use super::super::answer::Answer;
use super::super::scan::Scanner;

/// What reads an event's bytes, and what is known.
pub struct Body {
    /// Finds values in the event's JSON.
    pub scanner: Scanner,
    /// Puts them together.
    pub answer: Answer,
}

impl Body {
    /// Part of an event's JSON.
    pub fn data(&mut self, bytes: &[u8]) {
        self.scanner.feed(bytes, &mut self.answer);
    }

    /// An event is over.
    pub fn end_event(&mut self) {
        self.scanner.reset();
        self.answer.end_event();
    }
}

/// Takes at most so many bytes.
pub fn take(bytes: &[u8], most: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(most).unwrap_or((bytes, &[]))
}
