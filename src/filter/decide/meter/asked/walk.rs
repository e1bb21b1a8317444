//! A walk through a request's body, and why it can't be priced.

pub use crate::decide::base::json::walk::{Event, MAX_DEPTH, Malformed, Token, Walker};

/// Why a body can't be priced. The names are those of JSON members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is no JSON: at this byte.
    Malformed {
        /// The offset in bytes.
        at: usize,
    },
    /// It is no form that all readers read alike: at this part.
    Form {
        /// The offset in bytes.
        at: usize,
    },
    /// It has more levels than [`MAX_DEPTH`], or a list has more items than are allowed: at this byte.
    TooMuch {
        /// The offset in bytes.
        at: usize,
    },
    /// Readers may choose either of two members.
    Duplicate {
        /// The member.
        name: &'static str,
    },
    /// The member has another type than the API says.
    WrongType {
        /// The member, or `body`.
        name: &'static str,
    },
    /// Only some readers take the member for this one: its case or its underscores differ.
    Spelling {
        /// The member, as the API spells it.
        name: &'static str,
    },
    /// The member's text is longer than any real one.
    TooLong {
        /// The member.
        name: &'static str,
    },
}

impl From<Malformed> for BodyError {
    fn from(Malformed { at, is_too_deep }: Malformed) -> Self {
        if is_too_deep { Self::TooMuch { at } } else { Self::Malformed { at } }
    }
}
