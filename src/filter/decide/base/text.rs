//! Joining and splitting texts. Each function is compiled only once, because a refusal's text has many parts.

/// All parts in one.
#[inline(never)]
pub fn joined(parts: &[&str]) -> String {
    let mut out = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        out.push_str(part);
    }
    out
}

/// All parts in one, with this between any two.
#[inline(never)]
pub fn joined_by(between: &str, parts: &[&str]) -> String {
    let mut out = String::new();
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            out.push_str(between);
        }
        out.push_str(part);
    }
    out
}

/// As a JSON string.
#[inline(never)]
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// As a JSON string in which every character can be seen.
#[inline(never)]
pub fn visible(text: &str) -> String {
    let mut out = String::new();
    for char in quoted(text).chars() {
        match char {
            // Control characters, and what is without width or turns the direction of writing.
            '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => {
                let number = format!("\\u{:04x}", u32::from(char));
                out.push_str(&number);
            }
            _ => out.push(char),
        }
    }
    out
}

/// The text before the first of these ASCII marks, and the text after it.
#[inline(never)]
pub fn cut(text: &str, mark: u8) -> (&str, Option<&str>) {
    match text.bytes().position(|byte| byte == mark) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub fn encoded(text: &str) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).copied().unwrap_or('0');
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', digit(byte >> 4), digit(byte)]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invisible_character_is_shown_by_its_number() {
        let text = "a\u{85}\u{200b}\u{feff}\0\n\"größe\u{1f600}";
        assert_eq!(visible(text), r#""a\u0085\u200b\ufeff\u0000\n\"größe😀""#);
        assert_eq!(serde_json::from_str::<String>(&visible(text)).unwrap(), text);
    }
}
