//! Compares and hashes several bytes at a time: wasm has no instruction for it, and the compiler's code goes byte by
//! byte.

/// An odd number whose bits have no pattern.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Whether both are the same.
#[inline(never)]
pub fn same(this: &[u8], that: &[u8]) -> bool {
    if this.len() != that.len() {
        return false;
    }
    // Of the last ones some were compared already.
    if let (Some(last), Some(end)) = (this.last_chunk(), that.last_chunk()) {
        for (one, two) in this.as_chunks().0.iter().zip(that.as_chunks().0) {
            if u128::from_le_bytes(*one) != u128::from_le_bytes(*two) {
                return false;
            }
        }
        return u128::from_le_bytes(*last) == u128::from_le_bytes(*end);
    }
    if let (Some(last), Some(end)) = (this.last_chunk(), that.last_chunk()) {
        let (first, start) = (this.first_chunk(), that.first_chunk());
        return first.map(|chunk| u64::from_le_bytes(*chunk))
            == start.map(|chunk| u64::from_le_bytes(*chunk))
            && u64::from_le_bytes(*last) == u64::from_le_bytes(*end);
    }
    this.iter().zip(that).all(|(one, two)| one == two)
}

/// What is behind `beginning`, if it begins so.
pub fn after<'a>(bytes: &'a [u8], beginning: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = bytes.split_at_checked(beginning.len())?;
    same(found, beginning).then_some(rest)
}

/// Whether each of them is one of those.
#[inline(never)]
pub fn all_are(bytes: &[u8], those: fn(u8) -> bool) -> bool {
    bytes.iter().all(|byte| those(*byte))
}

/// Whether HTTP has this byte in the names of methods and headers (RFC 9110, 5.6.2).
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// The highest bit of each of eight bytes, which no ASCII character has.
pub const HIGHEST: u64 = EACH << 7;
/// The lowest bit of each of eight bytes.
const EACH: u64 = 0x0101_0101_0101_0101;

/// The highest bits of those of eight bytes that are this one. Only the first is certain: those behind it may be the next higher
/// byte as well.
pub fn is_byte(eight: u64, byte: u8) -> u64 {
    let zero = eight ^ EACH.wrapping_mul(u64::from(byte));
    zero.wrapping_sub(EACH) & !zero & HIGHEST
}

/// At most eight bytes as one number, the first as its lowest; zeros stand for those that aren't there.
pub fn pack_bytes(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let last = u64::from(u32::from_le_bytes(*last)) << ((bytes.len() - 4) * 8);
        return u64::from(u32::from_le_bytes(*first)) | last;
    }
    bytes.iter().rev().fold(0, |eight, byte| eight << 8 | u64::from(*byte))
}

/// A number made of all bytes: the same for the same bytes, and seldom for others.
pub fn mixed(bytes: &[u8]) -> u64 {
    let mix = |mixed: u64, more: u64| (mixed ^ more).wrapping_mul(SPREAD).rotate_left(29);
    let mut mixed = bytes.len() as u64;
    let (chunks, rest) = bytes.as_chunks();
    for chunk in chunks {
        mixed = mix(mixed, u64::from_le_bytes(*chunk));
    }
    match bytes.last_chunk() {
        Some(last) => mix(mixed, u64::from_le_bytes(*last)),
        None => rest.iter().fold(mixed, |mixed, byte| mix(mixed, u64::from(*byte))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comparisons_match_the_standard_library(this in "[ab]{0,40}", that in "[ab]{0,40}", at in any::<prop::sample::Index>()) {
            let (this, that) = (this.as_bytes(), that.as_bytes());
            prop_assert_eq!(same(this, that), this == that);
            prop_assert!(same(this, this));
            prop_assert_eq!(after(this, that), this.strip_prefix(that));
            prop_assert_eq!(after(this, &this[..at.index(this.len() + 1)]), Some(&this[at.index(this.len() + 1)..]));
            let mut other = this.to_vec();
            if let Some(at) = this.len().checked_sub(1).map(|last| at.index(last + 1)) {
                other[at] ^= 1;
                prop_assert!(!same(this, &other) && mixed(this) != mixed(&other));
            }
            prop_assert_eq!(mixed(this), mixed(&[this, b""].concat()));
        }

        #[test]
        fn the_first_matching_byte_of_eight_is_found(bytes in proptest::collection::vec(0x20_u8..0x28, 0..=8), wanted in 0x20_u8..0x28) {
            let eight = pack_bytes(&bytes);
            prop_assert!(bytes.iter().enumerate().all(|(at, byte)| (eight >> (at * 8)).to_le_bytes()[0] == *byte));
            let first = bytes.iter().position(|byte| *byte == wanted);
            let found = is_byte(eight, wanted);
            prop_assert_eq!((found != 0).then(|| found.trailing_zeros() as usize / 8), first);
        }
    }
}
