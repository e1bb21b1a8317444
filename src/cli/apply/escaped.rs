//! TOML in which nothing acts on a terminal: what would is escaped as TOML has it, so it is the same file. Pure.

use faregate_client::terminal::is_hidden;

/// The same TOML with such characters escaped. They can only be within strings.
pub fn escaped(toml: &str) -> String {
    let mut out = String::with_capacity(toml.len());
    let mut rest = toml;
    while let Some(at) = rest.find(['"', '\'']) {
        let (before, string) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let (whole, after) = one_string(string);
        out.push_str(&whole);
        rest = after;
    }
    out + rest
}

/// The string at the beginning of a text, as it is to be written; and what follows it.
fn one_string(text: &str) -> (String, &str) {
    let quote = text.get(..1).unwrap_or_default();
    let long = quote.repeat(3);
    // `""` is an empty string, unless a third follows.
    let mark = if text.starts_with(&long) { long.as_str() } else { quote };
    let inner = text.get(mark.len()..).unwrap_or_default();
    let end = end_of(inner, mark);
    let (content, after) = inner.split_at_checked(end).unwrap_or((inner, ""));
    let after = after.get(mark.len()..).unwrap_or_default();
    let is_long = mark.len() > 1;
    let hides = |c: char| is_hidden(c) && !(is_long && c == '\n');
    if !content.chars().any(hides) {
        return (format!("{mark}{content}{mark}"), after);
    }
    let mut written = String::from('"');
    let content = if is_long { content.strip_prefix('\n').unwrap_or(content) } else { content };
    for c in content.chars() {
        match c {
            '\\' | '"' if quote == "'" => written.extend(['\\', c]),
            // Within three quotes one may stand for itself.
            '"' if is_long && !ends_in_a_backslash(&written) => written.push_str("\\\""),
            c if is_hidden(c) => written.extend([format!("\\U{:08X}", u32::from(c))]),
            c => written.push(c),
        }
    }
    written.push('"');
    (written, after)
}

/// Where a string ends whose content a text begins with.
fn end_of(inner: &str, mark: &str) -> usize {
    let mut from = 0;
    while let Some(found) = inner.get(from..).and_then(|rest| rest.find(mark)) {
        let at = from.saturating_add(found);
        let before = inner.get(..at).unwrap_or_default();
        if mark.starts_with('\'') || !ends_in_a_backslash(before) {
            // Three quotes end a string; one or two more before them are still of it.
            let after = inner.get(at.saturating_add(mark.len())..).unwrap_or_default();
            let quote = mark.chars().next().unwrap_or_default();
            let more = after.chars().take(2).take_while(|c| mark.len() > 1 && *c == quote).count();
            return at.saturating_add(more);
        }
        from = at.saturating_add(1);
    }
    inner.len()
}

/// Whether what follows is escaped.
fn ends_in_a_backslash(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_the_same_file_and_acts_on_nothing(values in proptest::collection::vec(any::<String>(), 0..5), odd in "[a\"'\\\\\u{1b}\u{202e}\n\r]{0,12}") {
            let all: BTreeMap<String, String> =
                values.into_iter().chain([odd]).enumerate().map(|(n, value)| (format!("k{n}"), value)).collect();
            let plain = toml::to_string(&all).unwrap();
            let shown = escaped(&plain);
            prop_assert!(shown.chars().all(|c| c == '\n' || !is_hidden(c)), "{shown:?}");
            prop_assert_eq!(toml::from_str::<BTreeMap<String, String>>(&shown).unwrap(), all, "{}", shown);
        }
    }
}
