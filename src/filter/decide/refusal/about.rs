//! What in a request is wrong, in words: part of a refusal's detail.
//!
//! What must hold: a model's name is the only text of a caller's. It is cut to [`MAX_ABOUT`] bytes, and where a person reads it,
//! it has nothing that ends a line or changes the direction in which text runs. Formats escape the rest. All other sentences
//! are made of texts of ours, names of the APIs, and numbers.

use super::Refusal;
use crate::decide::base::text::joined;
use crate::decide::meter::asked::BodyError;
use crate::decide::meter::asked::mcp::HeaderError;
use faregate_protocol::RefusalCode;

/// How much of it is repeated, in bytes.
pub const MAX_ABOUT: usize = 256;

impl Refusal {
    /// For a model without a price, by its name as the caller sends it.
    pub fn unknown_model(name: &str) -> Self {
        Self::about(RefusalCode::UnknownModel, name)
    }

    /// For a body that leaves the price open.
    pub fn invalid_body(error: &BodyError) -> Self {
        Self::about(RefusalCode::InvalidBody, &body_error_text(error))
    }

    /// For an MCP request whose headers don't match its body. A batch that the version doesn't have is a matter of the body.
    pub fn invalid_headers(error: &HeaderError) -> Self {
        let batch = *error == HeaderError::Batch;
        let code = if batch { RefusalCode::InvalidBody } else { RefusalCode::HeaderMismatch };
        Self::about(code, &header_error_text(error))
    }

    /// For a body above this limit, in bytes.
    pub fn body_too_large(limit: u64) -> Self {
        let text = joined(&["A body may have at most ", &limit.to_string(), " bytes."]);
        Self::about(RefusalCode::BodyTooLarge, &text)
    }

    fn about(code: RefusalCode, text: &str) -> Self {
        Self { about: Some(shortened(text).into()), ..Self::plain(code) }
    }

    /// The unknown model, as the caller sends it: any text.
    pub(super) fn model(&self) -> Option<&str> {
        let about = self.about.as_deref().filter(|_| self.code == RefusalCode::UnknownModel);
        about.map(shortened)
    }
}

/// The detail of a refusal: what is wrong in this request, if that is known, and what is to be said of its cause.
#[inline(never)]
pub(super) fn detail(refusal: &Refusal) -> String {
    let Refusal { code, hint, about, .. } = refusal;
    let cause = hint.unwrap_or(code.detail());
    match about {
        Some(name) if *code == RefusalCode::UnknownModel => {
            joined(&["No price is known for the model \"", &readable(name), "\". Nothing was charged."])
        }
        // Where credits are short, the cause is only the end of a sentence.
        Some(about) if !code.is_short() => joined(&[&readable(about), " ", cause]),
        _ => cause.to_owned(),
    }
}

/// How many output tokens the available credits pay for, with a blank in front.
#[inline(never)]
pub(super) fn fitting(tokens: u64) -> String {
    let (count, unit) = match tokens {
        0 => return " What is left pays for no output tokens.".to_owned(),
        1 => ("1".to_owned(), " output token."),
        many => (many.to_string(), " output tokens."),
    };
    joined(&[" What is left pays for at most ", &count, unit])
}

/// Why a body can't be priced, and what to do: `The member "model" is there twice. Send it once.`
#[inline(never)]
pub fn body_error_text(error: &BodyError) -> String {
    let at_byte = |what: &str, at: usize| joined(&[what, &at.to_string(), "."]);
    let member = |name: &str, what: &str| match name {
        "body" => joined(&["The body", what]),
        // An item of a list has no name, and only calls of a batch are such items.
        "[]" => joined(&["A call in the batch", what]),
        name => joined(&["The member \"", name, "\"", what]),
    };
    match *error {
        BodyError::Malformed { at } => at_byte("The body is no JSON: see byte ", at),
        BodyError::Form { at } => at_byte("The form is malformed or ambiguous: see the part at byte ", at),
        BodyError::TooMuch { at } => at_byte("The body has too many levels or items: see byte ", at),
        BodyError::Duplicate { name } => member(name, " is there twice. Send it once."),
        BodyError::WrongType { name } => member(name, " has the wrong type. Send the type that the API has."),
        BodyError::Spelling { name } => {
            joined(&["A member is spelt almost like \"", name, "\". Spell it exactly so."])
        }
        BodyError::TooLong { name } => member(name, " is too long. Send a shorter text."),
    }
}

/// What is wrong with the headers of an MCP request, and what to do.
#[inline(never)]
pub fn header_error_text(error: &HeaderError) -> String {
    let header = |name: &str, what: &str| joined(&["The header ", name, what]);
    match *error {
        HeaderError::Missing(name) => header(name, " is missing. Send in it what the body says."),
        HeaderError::Repeated(name) => header(name, " is there several times. Send it once."),
        HeaderError::Mismatch(name) => header(name, " differs from the body. Send in it what the body says."),
        HeaderError::Batch => "This version of MCP has no batches. Send each call on its own.".to_owned(),
    }
}

/// The part of a text that is repeated: whole characters.
fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_ABOUT)).unwrap_or_default()
}

/// That part for a person: without control characters, ends of lines, and marks that change the direction of what is behind.
fn readable(text: &str) -> String {
    let odd = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    shortened(text).chars().filter(|c| !odd(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::meter::asked::mcp::{METHOD_HEADER, NAME_HEADER};

    #[test]
    fn a_body_error_names_the_member_and_what_to_do() {
        for (error, says) in [
            (BodyError::Malformed { at: 17 }, "The body is no JSON: see byte 17."),
            (BodyError::Form { at: 5 }, "The form is malformed or ambiguous: see the part at byte 5."),
            (BodyError::TooMuch { at: 3 }, "The body has too many levels or items: see byte 3."),
            (BodyError::Duplicate { name: "model" }, "The member \"model\" is there twice. Send it once."),
            (
                BodyError::WrongType { name: "stream" },
                "The member \"stream\" has the wrong type. Send the type that the API has.",
            ),
            (
                BodyError::WrongType { name: "body" },
                "The body has the wrong type. Send the type that the API has.",
            ),
            (
                BodyError::WrongType { name: "[]" },
                "A call in the batch has the wrong type. Send the type that the API has.",
            ),
            (
                BodyError::Spelling { name: "max_tokens" },
                "A member is spelt almost like \"max_tokens\". Spell it exactly so.",
            ),
            (BodyError::TooLong { name: "model" }, "The member \"model\" is too long. Send a shorter text."),
        ] {
            assert_eq!(body_error_text(&error), says);
            let refusal = Refusal::invalid_body(&error);
            assert_eq!((refusal.code, refusal.model()), (RefusalCode::InvalidBody, None));
            assert_eq!(detail(&refusal), format!("{says} {}", RefusalCode::InvalidBody.detail()));
        }
    }

    #[test]
    fn an_error_in_the_headers_names_the_header_and_what_to_do() {
        use RefusalCode::{HeaderMismatch, InvalidBody};
        for (error, code, says) in [
            (
                HeaderError::Missing(METHOD_HEADER),
                HeaderMismatch,
                "The header mcp-method is missing. Send in it what the body says.",
            ),
            (
                HeaderError::Repeated(NAME_HEADER),
                HeaderMismatch,
                "The header mcp-name is there several times. Send it once.",
            ),
            (
                HeaderError::Mismatch(NAME_HEADER),
                HeaderMismatch,
                "The header mcp-name differs from the body. Send in it what the body says.",
            ),
            (
                HeaderError::Batch,
                InvalidBody,
                "This version of MCP has no batches. Send each call on its own.",
            ),
        ] {
            assert_eq!(header_error_text(&error), says);
            let refusal = Refusal::invalid_headers(&error);
            assert_eq!((refusal.code, detail(&refusal)), (code, format!("{says} {}", code.detail())));
        }
    }

    #[test]
    fn a_body_that_is_too_large_learns_the_limit() {
        let refusal = Refusal::body_too_large(1_048_576);
        assert_eq!(refusal.code, RefusalCode::BodyTooLarge);
        assert!(detail(&refusal).starts_with("A body may have at most 1048576 bytes. "));
    }
}
