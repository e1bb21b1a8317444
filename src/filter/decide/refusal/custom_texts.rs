//! The operator's custom texts for a refusal, in the language chosen for its caller.

use super::Refusal;
use super::link::fill_text;
use crate::decide::base::text::joined;
use crate::decide::settings::texts::Texts;

/// The operator's texts for a refusal.
#[derive(Clone, Copy)]
pub(super) struct CustomTexts<'a> {
    pub(super) texts: &'a Texts,
    pub(super) language: usize,
    pub(super) refusal: &'a Refusal,
}

impl<'a> CustomTexts<'a> {
    /// A text in the chosen language, or else one for everybody, with its blanks filled in; and its language's tag.
    pub(super) fn text(&self, about: &str, part: &str) -> Option<(String, &'a str)> {
        let mut language = self.language;
        loop {
            let tag = self.texts.tags().get(language)?;
            if let Some(text) = self.texts.at(&joined(&["texts.", tag, ".", about, part])) {
                return Some((fill_text(text, self.refusal), tag));
            }
            if language == 0 {
                return None;
            }
            language = 0;
        }
    }
}
