//! Walks through a JSON text value by value, and says where each is.
//!
//! What must hold: it accepts what `serde_json` accepts, and nothing else; each value that it gives is complete; and its memory
//! doesn't grow with the text.

use crate::decide::base::bytes::{HIGHEST, is_byte, same};
use crate::decide::base::json;
use std::ops::Range;

/// The most objects and lists within each other, as `serde_json` has it.
pub const MAX_DEPTH: usize = 127;
/// A number that is shorter, and has no exponent, fits into a float.
const MAX_PLAIN_NUMBER: usize = 300;

/// Why a body can't be priced. The names are those of JSON members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is no JSON: at this byte.
    Malformed {
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
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
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

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// An object begins.
    Object {
        /// Whether it has no members.
        empty: bool,
    },
    /// A list begins.
    Array {
        /// Whether it has no items.
        empty: bool,
    },
    /// The innermost object or list ends.
    End,
    /// A string.
    Text(Text<'a>),
    /// A number, as it is written.
    Number(&'a str),
    /// A boolean.
    Bool(bool),
    /// `null`.
    Null,
}

/// A value, or the end of one.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Its name, if it is in an object. Ends have none.
    pub key: Option<Text<'a>>,
    /// What it is.
    pub token: Token<'a>,
    /// Where it is, in bytes: of an object or a list only the bracket.
    pub at: Range<usize>,
    /// How many objects and lists it is in. An end is at the depth of its beginning.
    pub depth: usize,
}

/// Where the walk is.
#[derive(Debug)]
pub struct Walker<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// One bit for each level, the innermost is the lowest: 1 is an object.
    objects: u128,
    /// Whether nothing was read from the innermost level yet.
    fresh: bool,
}

impl<'a> Walker<'a> {
    /// Begins at the beginning.
    pub fn new(body: &'a [u8]) -> Result<Self, BodyError> {
        // All of JSON is UTF-8, so strings needn't be checked one by one.
        let text =
            std::str::from_utf8(body).map_err(|error| BodyError::Malformed { at: error.valid_up_to() })?;
        Ok(Self { text, at: 0, depth: 0, objects: 0, fresh: true })
    }

    /// The next value; `None`: the text is over.
    pub fn next(&mut self) -> Result<Option<Event<'a>>, BodyError> {
        self.skip_blanks();
        let mut key = None;
        if self.depth == 0 {
            if !self.fresh {
                return if self.peek().is_none() { Ok(None) } else { self.malformed() };
            }
        } else {
            let is_object = self.objects & 1 == 1;
            if self.peek() == Some(if is_object { b'}' } else { b']' }) {
                return Ok(Some(self.close()));
            }
            if !self.fresh {
                self.expect(b',')?;
            }
            if is_object {
                key = Some(self.string()?);
                self.skip_blanks();
                self.expect(b':')?;
            }
        }
        self.fresh = false;
        let (start, depth) = (self.at, self.depth);
        let token = match self.peek() {
            Some(b'{') => Token::Object { empty: self.open(true)? },
            Some(b'[') => Token::Array { empty: self.open(false)? },
            Some(b'"') => Token::Text(self.string()?),
            Some(b't') => self.word("true", Token::Bool(true))?,
            Some(b'f') => self.word("false", Token::Bool(false))?,
            Some(b'n') => self.word("null", Token::Null)?,
            _ => self.number()?,
        };
        let end = if depth < self.depth { start + 1 } else { self.at };
        Ok(Some(Event { key, token, at: start..end, depth }))
    }

    fn malformed<T>(&self) -> Result<T, BodyError> {
        Err(BodyError::Malformed { at: self.at })
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes the bytes that are of this kind, and says how many.
    fn skip(&mut self, kind: fn(&u8) -> bool) -> usize {
        let many = self.rest().iter().take_while(|byte| kind(byte)).count();
        self.at += many;
        many
    }

    fn skip_blanks(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\n' | b'\t' | b'\r'));
    }

    /// Takes this byte, and the blanks behind it.
    fn expect(&mut self, byte: u8) -> Result<(), BodyError> {
        if self.peek() != Some(byte) {
            return self.malformed();
        }
        self.at += 1;
        self.skip_blanks();
        Ok(())
    }

    /// Enters an object or a list, and says whether it is empty.
    fn open(&mut self, is_object: bool) -> Result<bool, BodyError> {
        if self.depth >= MAX_DEPTH {
            return Err(BodyError::TooMuch { at: self.at });
        }
        self.at += 1;
        self.skip_blanks();
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(is_object);
        self.fresh = true;
        Ok(self.peek() == Some(if is_object { b'}' } else { b']' }))
    }

    fn close(&mut self) -> Event<'a> {
        self.at += 1;
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        self.fresh = false;
        Event { key: None, token: Token::End, at: self.at - 1..self.at, depth: self.depth }
    }

    fn string(&mut self) -> Result<Text<'a>, BodyError> {
        if self.peek() != Some(b'"') {
            return self.malformed();
        }
        self.at += 1;
        let start = self.at;
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => match escape(self.rest()) {
                    Some((_, length)) => self.at += length,
                    None => return self.malformed(),
                },
                Some(byte) if byte >= b' ' => self.at += 1,
                _ => return self.malformed(),
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(Text(text))
    }

    /// Skips eight bytes of a string at a time, up to those among which is one that matters.
    fn skip_plain(&mut self) {
        for eight in self.rest().as_chunks().0 {
            let eight = u64::from_le_bytes(*eight);
            let control = eight.wrapping_sub(0x2020_2020_2020_2020) & !eight & HIGHEST;
            if (is_byte(eight, b'"') | is_byte(eight, b'\\') | control) != 0 {
                return;
            }
            self.at += 8;
        }
    }

    fn word(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>, BodyError> {
        if !self.rest().starts_with(word.as_bytes()) {
            return self.malformed();
        }
        self.at += word.len();
        Ok(token)
    }

    fn number(&mut self) -> Result<Token<'a>, BodyError> {
        let start = self.at;
        let mut is_plain = true;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            is_plain = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let fits = is_plain && text.len() < MAX_PLAIN_NUMBER;
        if fits || json::parse(text.as_bytes()).is_ok() { Ok(Token::Number(text)) } else { self.malformed() }
    }

    /// Takes one digit or more.
    fn digits(&mut self) -> Result<(), BodyError> {
        if self.skip(u8::is_ascii_digit) == 0 { self.malformed() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::meter::asked::samples::any_json;
    use proptest::prelude::*;
    use serde_json::Value;

    /// Builds the value from what the walker says.
    fn walked(body: &[u8]) -> Result<Value, BodyError> {
        let mut walker = Walker::new(body)?;
        let mut open: Vec<(Option<String>, Value)> = Vec::new();
        let mut whole = None;
        while let Some(event) = walker.next()? {
            let key = event.key.map(|key| key.decoded(usize::MAX).unwrap());
            assert_eq!(event.depth, open.len() - usize::from(event.token == Token::End));
            let (key, value) = match event.token {
                Token::Object { .. } => {
                    open.push((key, Value::Object(serde_json::Map::new())));
                    continue;
                }
                Token::Array { .. } => {
                    open.push((key, Value::Array(Vec::new())));
                    continue;
                }
                Token::End => open.pop().unwrap(),
                Token::Text(text) => (key, text.decoded(usize::MAX).unwrap().into()),
                Token::Number(number) => (key, serde_json::from_str(number).unwrap()),
                Token::Bool(is) => (key, is.into()),
                Token::Null => (key, Value::Null),
            };
            match open.last_mut() {
                Some((_, Value::Array(items))) => items.push(value),
                Some((_, Value::Object(members))) => drop(members.insert(key.unwrap(), value)),
                _ => whole = Some(value),
            }
        }
        assert!(open.is_empty());
        Ok(whole.unwrap())
    }

    fn agrees(body: &[u8]) -> Result<(), TestCaseError> {
        match (walked(body), serde_json::from_slice::<Value>(body)) {
            (Ok(walked), Ok(parsed)) => prop_assert_eq!(walked, parsed),
            (Err(_), Err(_)) => {}
            (walked, parsed) => prop_assert!(false, "{walked:?} {parsed:?}"),
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn every_value_is_read_as_it_is(value in any_json()) {
            agrees(value.to_string().as_bytes())?;
            agrees(serde_json::to_string_pretty(&value).unwrap().as_bytes())?;
        }

        #[test]
        fn it_accepts_what_serde_json_accepts(text in r#"[\[\]{}",:0-9eE.+\\/untrfalsebDdCc 	é-]{0,40}"#) {
            agrees(text.as_bytes())?;
            agrees(format!("[{text}]").as_bytes())?;
            agrees(format!("\"{text}\"").as_bytes())?;
        }

        #[test]
        fn it_refuses_what_serde_json_refuses(value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..3) {
            let mut body = value.to_string().into_bytes();
            let at = at.index(body.len());
            match how {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                _ => drop(body.remove(at)),
            }
            agrees(&body)?;
        }

        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            agrees(&body)?;
        }
    }

    #[test]
    fn odd_texts_are_judged_as_serde_json_does() {
        for text in [
            "",
            " ",
            "1e999",
            "-1e999",
            "1e-999",
            "0e999",
            "01",
            "-",
            "-0",
            "1.",
            ".5",
            "1.e1",
            "1e",
            "1e+",
            "+1",
            "NaN",
            "Infinity",
            "\u{feff}1",
            r#""\ud83d\ude00""#,
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83d\u0041""#,
            r#""\uD83Dx""#,
            r#""\u12""#,
            r#""\x""#,
            "\"\u{1f}\"",
            "\"\u{7f}\"",
            "{\"a\":1,}",
            "[1,]",
            "[,1]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{1:2}",
            "[1 2]",
            "[1]]",
            "1 1",
            "nul",
            "nulll",
            "truefalse",
            "\"",
            "\"\\",
            "\"\\\"",
            "{\"a\":1 \"b\":2}",
            " [ ] ",
            " { } ",
            "\r\n\t[\r\n\t1\r\n\t]\r\n\t",
        ] {
            agrees(text.as_bytes()).unwrap();
        }
        agrees("1".repeat(400).as_bytes()).unwrap();
        agrees("1".repeat(305).as_bytes()).unwrap();
    }

    #[test]
    fn depth_is_bounded_as_in_serde_json() {
        for depth in 125..131 {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            agrees(text.as_bytes()).unwrap();
            assert_eq!(walked(text.as_bytes()).is_ok(), depth <= MAX_DEPTH);
        }
        let deep = "{\"a\":".repeat(100_000);
        assert!(matches!(walked(deep.as_bytes()), Err(BodyError::TooMuch { .. })));
    }

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
