//! A place in JSON that the operator names, as a JSON pointer (RFC 6901).
//!
//! What must hold: it is short, and has the meaning that the RFC gives it.

use std::rc::Rc;

/// The most keys and indexes of a pointer.
pub const MAX_SEGMENTS: usize = 8;
/// The longest pointer, in bytes.
pub const MAX_POINTER_BYTES: usize = 256;

/// Such a place, below a document's top. A copy costs nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Rc<Vec<Vec<u8>>>);

impl Pointer {
    /// Reads a pointer, such as `/meta/rows` or `/items/0/count`. `None`: it is none, it means the whole document, has more than
    /// [`MAX_SEGMENTS`] parts or more than [`MAX_POINTER_BYTES`].
    pub fn parse(text: &str) -> Option<Self> {
        let mut segments: Vec<Vec<u8>> = Vec::new();
        let mut is_escaped = false;
        for byte in text.bytes() {
            let byte = match (is_escaped, byte) {
                (false, b'/') => {
                    segments.push(Vec::new());
                    continue;
                }
                (false, b'~') => {
                    is_escaped = true;
                    continue;
                }
                (false, byte) => byte,
                (true, b'0') => b'~',
                (true, b'1') => b'/',
                (true, _) => return None,
            };
            is_escaped = false;
            segments.last_mut()?.push(byte);
        }
        let is_short = text.len() <= MAX_POINTER_BYTES && segments.len() <= MAX_SEGMENTS;
        let is_one = is_short && !is_escaped && !segments.is_empty();
        is_one.then(|| Self(Rc::new(segments)))
    }

    /// The key or index below so many others, in UTF-8.
    pub fn segment(&self, depth: usize) -> Option<&[u8]> {
        self.0.get(depth).map(Vec::as_slice)
    }

    /// Whether nothing is below so many keys and indexes.
    pub fn ends_at(&self, depth: usize) -> bool {
        self.0.len() == depth
    }
}

/// The item of a list that a segment means. `None`: it means none, such as `-` or `01`.
pub fn index(segment: &[u8]) -> Option<u32> {
    if matches!(segment, [] | [b'0', _, ..]) {
        return None;
    }
    segment.iter().try_fold(0_u32, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_read_as_the_rfc_says() {
        for (text, segments) in [
            ("/meta/rows", &["meta", "rows"][..]),
            ("/items/0/count", &["items", "0", "count"]),
            ("/", &[""]),
            ("//", &["", ""]),
            ("/a~1b", &["a/b"]),
            ("/m~0n", &["m~n"]),
            ("/~01", &["~1"]),
            ("/~10~0", &["/0~"]),
            ("/é \"\\", &["é \"\\"]),
            ("/*", &["*"]),
            ("/1/2/3/4/5/6/7/8", &["1", "2", "3", "4", "5", "6", "7", "8"]),
        ] {
            let pointer = Pointer::parse(text).unwrap();
            let segment = |depth| pointer.segment(depth).map(|segment| str::from_utf8(segment).unwrap());
            let found: Vec<&str> = (0..).map_while(segment).collect();
            assert_eq!(found, segments, "{text}");
            assert!(pointer.ends_at(segments.len()) && !pointer.ends_at(0), "{text}");
        }
    }

    #[test]
    fn what_is_no_short_pointer_is_refused() {
        for text in
            ["", "a", "meta/rows", "#/a", " /a", "/~", "/a~", "/~2", "/~é", "/a/~/b", "/1/2/3/4/5/6/7/8/9"]
        {
            assert_eq!(Pointer::parse(text), None, "{text}");
        }
        let long = |bytes: usize| format!("/{}", "x".repeat(bytes - 1));
        assert!(Pointer::parse(&long(MAX_POINTER_BYTES)).is_some());
        assert_eq!(Pointer::parse(&long(MAX_POINTER_BYTES + 1)), None);
    }

    #[test]
    fn an_index_has_no_other_spelling() {
        for (segment, item) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("10", Some(10)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("00", None),
            ("01", None),
            ("-", None),
            ("-1", None),
            ("+1", None),
            ("1x", None),
            ("", None),
            ("١", None),
        ] {
            assert_eq!(index(segment.as_bytes()), item, "{segment}");
        }
    }
}
