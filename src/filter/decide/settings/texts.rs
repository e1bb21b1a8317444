//! The operator's custom texts for refusals, by language.
//!
//! What must hold: a text has no control characters and no unknown blanks. Otherwise it may contain anything; each format
//! does its own escaping.

use super::actions::ACTIONS;
use super::reader::Field;
use super::template::{IN_TEXTS, is_sound};
use faregate_protocol::RefusalCode;

/// The most languages, `*` included.
const MAX_LANGUAGES: usize = 32;
/// The longest language tag, in bytes.
const MAX_TAG_BYTES: usize = 35;
/// The longest title or label, in bytes.
const MAX_TITLE_BYTES: usize = 500;
/// The longest detail, in bytes.
const MAX_DETAIL_BYTES: usize = 2_000;
/// The first of the languages: the default for all others.
pub const OTHERS: &str = "*";
/// The codes of refusals, and the actions of remedies.
const ABOUT: [&str; RefusalCode::ALL.len() + ACTIONS.len()] = {
    let mut names = [""; RefusalCode::ALL.len() + ACTIONS.len()];
    let (codes, actions) = names.split_at_mut(RefusalCode::ALL.len());
    actions.copy_from_slice(&ACTIONS);
    let mut rest: (&mut [&str], &[RefusalCode]) = (codes, &RefusalCode::ALL);
    while let ([name, names @ ..], [code, codes @ ..]) = rest {
        *name = code.as_str();
        rest = (names, codes);
    }
    names
};

/// All custom texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    tags: Vec<String>,
    /// Each text's path in the configuration, such as `texts.de.top_up`, and the text, in which blanks are to be filled in.
    texts: Vec<(String, String)>,
}

/// The suffix of a refusal's title, after its code.
pub const TITLE: &str = ".title";
/// The suffix of a refusal's detail, after its code.
pub const DETAIL: &str = ".detail";
/// A remedy's label: no suffix after its action.
pub const LABEL: &str = "";

impl Texts {
    /// Whether there are none, as without such a configuration.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The languages' tags as the operator writes them; the first, `*`, is the default for all other languages.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// All texts, in which blanks are to be filled in.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|(_, text)| text.as_str())
    }

    /// A text by its place.
    pub fn at(&self, place: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| known == place).map(|(_, text)| text.as_str())
    }

    /// Reads an object at one of three levels: by language, by what the texts are about, and by part.
    fn read(&mut self, level: usize, field: &Field<'_>) {
        let allowed: [&[&str]; 3] = [&[], &ABOUT, &["title", "detail"]];
        if level == 0 && !field.is_object() {
            field.wrong_value("an object from language tags to texts");
        }
        let object = field.object(allowed.get(level).copied().unwrap_or_default());
        let members = object.members();
        // Below, there are no more than the allowed names.
        if level == 0 && members.len() > MAX_LANGUAGES {
            field.wrong("too many languages", "at most 32");
            return;
        }
        if level == 2 && members.len() == 0 {
            field.wrong("nothing", "title, detail, or both");
        }
        for field in members {
            let name = field.name();
            if level == 0 {
                self.add_language(name, &field);
            }
            if level == 2 || (level == 1 && ACTIONS.contains(&name)) {
                let most = if name == "detail" { MAX_DETAIL_BYTES } else { MAX_TITLE_BYTES };
                self.texts.push((field.at(), read_text(&field, most)));
            } else {
                self.read(level + 1, &field);
            }
        }
    }

    fn add_language(&mut self, tag: &str, field: &Field<'_>) {
        if tag == OTHERS {
            return;
        }
        let plain = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let whole =
            plain && !tag.starts_with('-') && !tag.ends_with('-') && (1..=MAX_TAG_BYTES).contains(&tag.len());
        if !whole || self.tags.iter().any(|known| known.eq_ignore_ascii_case(tag)) {
            field.wrong(
                "no language tag, or one that is there already",
                "at most 35 letters, digits and '-', such as \"pt-BR\", or \"*\"",
            );
        }
        self.tags.push(tag.to_owned());
    }
}

/// Reads `texts`.
pub(super) fn read(field: &Field<'_>) -> Texts {
    let mut texts = Texts { tags: vec![OTHERS.to_owned()], texts: Vec::new() };
    texts.read(0, field);
    texts
}

#[inline(never)]
fn read_text(field: &Field<'_>, most: usize) -> String {
    let text = field.text(most);
    if !is_sound(&text, &IN_TEXTS, |_| true) || text.chars().any(char::is_control) {
        field.wrong_value(
            "a text without control characters, with no braces but {account}, {plan}, {key}, {code}, {needed}, {available}, {resets_at} and {wait_seconds}",
        );
    }
    text
}
