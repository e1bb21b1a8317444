//! Finds marks in bytes, eight at a time: most of an answer is text in which there is none.

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte.
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The highest bit of the first byte that is this mark is set, and none before it.
const fn marked(eight: u64, mark: u8) -> u64 {
    let zero_where = eight ^ (ONES * mark as u64);
    zero_where.wrapping_sub(ONES) & !zero_where & HIGHS
}

/// The bytes before the first mark, and the rest.
fn split(bytes: &[u8], marks: impl Fn(u64) -> u64) -> (&[u8], &[u8]) {
    let (eights, tail) = bytes.as_chunks::<8>();
    let mut at = 0;
    for eight in eights {
        let found = marks(u64::from_le_bytes(*eight));
        if found != 0 {
            let before = found.trailing_zeros() / 8;
            return bytes.split_at_checked(at + before as usize).unwrap_or((bytes, &[]));
        }
        at += 8;
    }
    for byte in tail {
        if marks(u64::from(*byte)) & 0x80 != 0 {
            break;
        }
        at += 1;
    }
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

/// The bytes of a JSON string before a quotation mark or backslash, and the rest.
#[inline(never)]
pub fn string(bytes: &[u8]) -> (&[u8], &[u8]) {
    split(bytes, |eight| marked(eight, b'"') | marked(eight, b'\\'))
}

/// The bytes before a quotation mark, bracket or brace, and the rest.
#[inline(never)]
pub fn structure(bytes: &[u8]) -> (&[u8], &[u8]) {
    // With this bit, brackets become braces.
    split(bytes, |eight| {
        let folded = eight | (ONES * 0x20);
        marked(eight, b'"') | marked(folded, b'{') | marked(folded, b'}')
    })
}

/// The bytes of a line before its end, and the rest.
#[inline(never)]
pub fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    split(bytes, |eight| marked(eight, b'\n') | marked(eight, b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(bytes: &[u8], marks: &[u8]) -> usize {
        bytes.iter().position(|byte| marks.contains(byte)).unwrap_or(bytes.len())
    }

    proptest! {
        #[test]
        fn the_first_mark_is_found(
            bytes in prop::collection::vec(prop_oneof![
                any::<u8>(),
                prop::sample::select(b"\"\\\n\r{}[]!#[]\x5A\x5E\x0B\x0C\x7C\x7A\xDB\xFB\xA2".to_vec()),
                Just(b'x'), Just(b'x'), Just(b'x'),
            ], 0..40),
        ) {
            for (find, marks) in [
                (string as fn(&[u8]) -> (&[u8], &[u8]), &b"\"\\"[..]),
                (structure, b"\"{}[]"),
                (line, b"\n\r"),
            ] {
                prop_assert_eq!(find(&bytes), bytes.split_at(first(&bytes, marks)));
            }
        }
    }
}
