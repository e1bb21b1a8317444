//! Strings of JSON, compared and decoded where they are.
//!
//! What must hold: an escape and its character are the same.

use crate::decide::base::bytes::same;

/// The inside of a JSON string, with its escapes. It is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a>(pub &'a str);

impl<'a> Text<'a> {
    /// Its characters, with escapes resolved.
    pub fn chars(self) -> Chars<'a> {
        Chars(self.0)
    }

    /// Whether it is this text.
    pub fn is(self, other: &str) -> bool {
        same(self.0.as_bytes(), other.as_bytes()) || (self.0.contains('\\') && self.chars().eq(other.chars()))
    }

    /// Whether a reader that ignores case or underscores takes it for this name.
    pub fn is_like(self, name: &str) -> bool {
        let mut names = name.chars().filter_map(folded);
        let mut own = self.chars().filter_map(folded);
        loop {
            match (own.next(), names.next()) {
                (None, None) => return true,
                (one, two) if one == two => {}
                _ => return false,
            }
        }
    }

    /// As a text of its own; `None`: it has more bytes than that.
    pub fn decoded(self, most: usize) -> Option<String> {
        if !self.0.contains('\\') {
            return (self.0.len() <= most).then(|| self.0.to_owned());
        }
        let mut text = String::new();
        for char in self.chars() {
            if text.len() >= most {
                return None;
            }
            text.push(char);
        }
        (text.len() <= most).then_some(text)
    }
}

/// A character as readers that ignore case compare it: Go's takes the long s and the sign of Kelvin for letters, too.
fn folded(char: char) -> Option<char> {
    match char {
        '_' => None,
        '\u{17f}' => Some('s'),
        '\u{212a}' => Some('k'),
        other => Some(other.to_ascii_lowercase()),
    }
}

/// Gives the characters of a [`Text`].
pub struct Chars<'a>(&'a str);

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let char = self.0.chars().next()?;
        let escape = if char == '\\' { escape(self.0.as_bytes()) } else { None };
        let (char, length) = escape.unwrap_or((char, char.len_utf8()));
        self.0 = self.0.get(length..).unwrap_or_default();
        Some(char)
    }
}

/// The character of the escape with which these bytes begin, and the escape's length.
pub(super) fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let char = match bytes.get(1)? {
        b'u' => {
            let high = unit(bytes)?;
            if !(0xD800..0xDC00).contains(&high) {
                // A low half alone is no character.
                return Some((char::from_u32(high)?, 6));
            }
            let low = unit(bytes.get(6..)?)?;
            let low = (0xDC00..0xE000).contains(&low).then(|| low - 0xDC00)?;
            return Some((char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + low)?, 12));
        }
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        other @ (b'"' | b'\\' | b'/') => char::from(*other),
        _ => return None,
    };
    Some((char, 2))
}

/// The number in an escape such as `\u00e9`.
fn unit(bytes: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = bytes.first_chunk::<6>()? else { return None };
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_readers_do() {
        for (text, name, is, is_like) in [
            ("model", "model", true, true),
            (r"mod\u0065l", "model", true, true),
            (r"\u006dod\u0065\u006C", "model", true, true),
            ("Model", "model", false, true),
            ("\u{17f}tream", "stream", false, true),
            (r"max_to\u212aens", "max_tokens", false, true),
            ("maxTokens", "max_tokens", false, true),
            ("models", "model", false, false),
            ("mode", "model", false, false),
            ("", "model", false, false),
            (r"mod\\u0065l", "model", false, false),
        ] {
            assert_eq!((Text(text).is(name), Text(text).is_like(name)), (is, is_like), "{text}");
        }
        assert_eq!(Text(r"\ud83d\ude00é").decoded(6).as_deref(), Some("😀é"));
        assert_eq!(Text(r"\ud83d\ude00é").decoded(5), None);
    }
}
