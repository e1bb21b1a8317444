//! The texts of mails: a file per kind of event, its subject in the first line, placeholders in braces.
//!
//! What must hold: what fills a placeholder stays within its line and can't act on who reads it; a text that names something which its
//! kind of event doesn't have is found when the ledger starts.

use super::members::members;
use crate::api::EventKind;
use crate::domain::outgoing::Message;
use serde_json::Value;
use std::collections::BTreeMap;

/// The largest text, in bytes.
pub const MAX_TEXT_BYTES: usize = 16 << 10;
/// The longest subject, in characters.
const MAX_SUBJECT_CHARS: usize = 150;
/// The longest value, in characters.
const MAX_VALUE_CHARS: usize = 200;
/// What fills a placeholder that has no value.
const NONE: &str = "–";

/// The texts that are used where an operator has none. Each ends with what must be known to answer it.
macro_rules! defaults {
    ($($kind:ident $file:literal)+) => {
        const DEFAULTS: [(EventKind, &str); EventKind::ALL.len()] =
            [$((EventKind::$kind, include_str!(concat!("texts/", $file, ".txt")))),+];
    };
}

defaults! {
    BalanceLow "balance.low"
    BalanceRecovered "balance.recovered"
    BudgetUsed "budget.used"
    QuotaUsed "quota.used"
    GrantGiven "grant.given"
    BalanceAdjusted "balance.adjusted"
    GrantVoided "grant.voided"
    GrantExpiresSoon "grant.expires_soon"
    KeyRotated "key.rotated"
    KeyRevoked "key.revoked"
    KeyExpiresSoon "key.expires_soon"
    SubscriptionStarted "subscription.started"
    SubscriptionRenewed "subscription.renewed"
    SubscriptionRenewsSoon "subscription.renews_soon"
    SubscriptionPastDue "subscription.past_due"
    SubscriptionUnpaid "subscription.unpaid"
    SubscriptionEndsSoon "subscription.ends_soon"
    SubscriptionEnded "subscription.ended"
    RefusalsBegan "refusals.began"
    RefusalsEnded "refusals.ended"
    LedgerFault "ledger.fault"
    LedgerFaultOver "ledger.fault_over"
}

/// Why a text can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {why}")]
pub struct InvalidTemplate {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub why: String,
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(String),
}

/// A subject and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Template {
    subject: Vec<Part>,
    body: Vec<Part>,
}

/// What a mail says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// Lines.
    pub body: String,
}

/// The texts of all kinds, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates(BTreeMap<&'static str, Template>);

impl Templates {
    /// The texts that are built in, by their files' names.
    pub fn built_in() -> impl Iterator<Item = (String, &'static str)> {
        DEFAULTS.iter().map(|(kind, text)| (file_name(*kind), *text))
    }

    /// An operator's texts, by their files' names; those that are built in for the other kinds.
    pub fn read(own: &BTreeMap<String, String>) -> Result<Self, InvalidTemplate> {
        for file in own.keys() {
            if !EventKind::ALL.iter().any(|kind| file_name(*kind) == *file) {
                let why = "is the name of no kind of event; name it after one, such as balance.low.txt, or take it out";
                return Err(InvalidTemplate { file: file.clone(), line: 1, why: why.to_owned() });
            }
        }
        let mut templates = BTreeMap::new();
        for (kind, text) in DEFAULTS {
            let file = file_name(kind);
            let text = own.get(&file).map_or(text, String::as_str);
            templates.insert(kind.as_str(), template(kind, &file, text)?);
        }
        Ok(Self(templates))
    }

    /// What is written about an event; an event of a later version has no text.
    pub fn letter(&self, message: &Message) -> Option<Letter> {
        let Template { subject, body } = self.0.get(message.kind.as_str())?;
        let subject = filled(subject, message).chars().take(MAX_SUBJECT_CHARS).collect();
        Some(Letter { subject, body: filled(body, message) })
    }
}

fn file_name(kind: EventKind) -> String {
    format!("{}.txt", kind.as_str())
}

fn template(kind: EventKind, file: &str, text: &str) -> Result<Template, InvalidTemplate> {
    let wrong = |line: usize, why: String| InvalidTemplate { file: file.to_owned(), line, why };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    if text.len() > MAX_TEXT_BYTES {
        return Err(wrong(1, format!("has more than {MAX_TEXT_BYTES} bytes; make it shorter")));
    }
    let (subject, body) = text.split_once('\n').unwrap_or((&text, ""));
    if subject.trim().is_empty() {
        return Err(wrong(1, "the first line is the subject, and is empty; write it there".to_owned()));
    }
    if text.chars().any(|c| acts(c) && c != '\n' && c != '\t') {
        let line = text.lines().position(|line| line.chars().any(|c| acts(c) && c != '\t')).unwrap_or(0);
        let why = "has a control character; take it out".to_owned();
        return Err(wrong(line.saturating_add(1), why));
    }
    let read = |text: &str, first: usize| {
        parts(kind, text)
            .map_err(|(before, why)| wrong(first.saturating_add(before.matches('\n').count()), why))
    };
    let lines = body.trim_start_matches('\n');
    let skipped = body.len().saturating_sub(lines.len());
    Ok(Template { subject: read(subject.trim(), 1)?, body: read(lines, skipped.saturating_add(2))? })
}

/// The parts of a text; where it is wrong, what is before that.
fn parts(kind: EventKind, text: &str) -> Result<Vec<Part>, (&str, String)> {
    let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        let (before, found) = rest.split_at_checked(at).unwrap_or((rest, ""));
        plain.push_str(before);
        let so_far = text.get(..text.len().saturating_sub(found.len())).unwrap_or(text);
        if let Some(after) = found.strip_prefix("{{").or_else(|| found.strip_prefix("}}")) {
            plain.extend(found.chars().next());
            rest = after;
            continue;
        }
        let Some((name, after)) = found.strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
            let why = "has a brace alone; write {{ or }} for one in the text";
            return Err((so_far, why.to_owned()));
        };
        if !members(kind).any(|known| known == name) {
            let known: Vec<_> = members(kind).map(|name| format!("{{{name}}}")).collect();
            let name: String = name.chars().take(40).collect();
            let why =
                format!("{{{name}}} is nothing that {} has; it has {}", kind.as_str(), known.join(", "));
            return Err((so_far, why));
        }
        parts.push(Part::Text(std::mem::take(&mut plain)));
        parts.push(Part::Value(name.to_owned()));
        rest = after;
    }
    plain.push_str(rest);
    parts.push(Part::Text(plain));
    Ok(parts)
}

fn filled(parts: &[Part], message: &Message) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Value(name) => value(name, message),
    };
    parts.iter().map(part).collect()
}

fn value(name: &str, message: &Message) -> String {
    let text = match name {
        "event" => message.id.clone(),
        "type" => message.kind.clone(),
        "time" => message.time.to_string(),
        _ => match message.data.get(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        },
    };
    let plain: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !acts(*c))
        .take(MAX_VALUE_CHARS)
        .collect();
    if plain.trim().is_empty() { NONE.to_owned() } else { plain }
}

/// Characters that no one sees, and that change lines or directions.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;
    use serde_json::json;

    fn message(kind: EventKind, data: Value) -> Message {
        Message {
            id: "event_1".into(),
            kind: kind.as_str().into(),
            account: Some("acme".into()),
            sequence: 1,
            time: Timestamp::UNIX_EPOCH,
            data,
        }
    }

    fn own(file: &str, text: &str) -> Result<Templates, InvalidTemplate> {
        Templates::read(&BTreeMap::from([(file.to_owned(), text.to_owned())]))
    }

    #[test]
    fn every_kind_has_a_text_that_says_whose_it_is() {
        let templates = Templates::read(&BTreeMap::new()).unwrap();
        for kind in EventKind::ALL {
            let letter = templates.letter(&message(kind, json!({"account": "acme"}))).unwrap();
            assert!(!letter.subject.contains('{') && letter.body.ends_with('\n'), "{letter:?}");
            assert_eq!(letter.subject.contains("acme"), !kind.is_of_ledger(), "{letter:?}");
        }
        assert_eq!(Templates::built_in().count(), EventKind::ALL.len());
    }

    #[test]
    fn an_operators_text_is_used_and_the_others_stay() {
        let templates =
            own("balance.low.txt", "\u{feff}Guthaben von {account}: {left}\r\n\r\nNur {{noch}} {left}.\r\n")
                .unwrap();
        let data = json!({"account": "acme", "left": "9.5"});
        let letter = templates.letter(&message(EventKind::BalanceLow, data)).unwrap();
        assert_eq!(
            letter,
            Letter { subject: "Guthaben von acme: 9.5".into(), body: "Nur {noch} 9.5.\n".into() }
        );
        assert!(templates.letter(&message(EventKind::KeyRevoked, json!({}))).is_some());
    }

    #[test]
    fn an_error_names_the_file_the_line_and_the_placeholder() {
        let said = |file: &str, text: &str| own(file, text).unwrap_err().to_string();
        let unknown = said("balance.low.txt", "A\n\nB\n{plan}\n");
        assert!(
            unknown.starts_with("balance.low.txt:4: {plan} is nothing that balance.low has")
                && unknown.contains("{left}"),
            "{unknown}"
        );
        assert!(said("key.revoked.txt", "A {left}\n").starts_with("key.revoked.txt:1: {left}"));
        assert!(said("balance.lo.txt", "A").contains("no kind of event"));
        assert!(said("balance.low.txt", "\n\nA").contains("subject"));
        assert!(said("balance.low.txt", "A\n{left").starts_with("balance.low.txt:2: has a brace"));
        assert!(said("balance.low.txt", "A\n}").contains("brace"));
        assert!(said("balance.low.txt", "A\nB\u{1b}[2J").starts_with("balance.low.txt:2: has a control"));
        assert!(said("balance.low.txt", &"A".repeat(MAX_TEXT_BYTES + 1)).contains("shorter"));
        assert!(said("ledger.fault.txt", "A\n{account}").contains("{fault}"), "it is about none");
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_line_or_turns_the_text_around(note in any::<String>(), odd in "[\\r\\n\u{202e}\u{2028}\u{200b}\0a]{0,20}") {
            let templates = own("key.revoked.txt", "Key {note}{subject}\n1 {note}\n2 {subject}\n").unwrap();
            let data = json!({"account": "acme", "note": note, "subject": odd});
            let letter = templates.letter(&message(EventKind::KeyRevoked, data)).unwrap();
            prop_assert_eq!(letter.body.matches('\n').count(), 2);
            prop_assert!(letter.subject.chars().count() <= MAX_SUBJECT_CHARS);
            prop_assert!(!letter.subject.chars().any(acts) && !letter.body.chars().any(|c| acts(c) && c != '\n'));
        }
    }
}
