//! Bytes compared and mixed eight at a time: wasm has no instruction for it, and the compiler's own code takes one byte
//! after the other.

/// An odd number whose bits have no pattern.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Whether both are the same.
#[inline(never)]
pub fn same(this: &[u8], that: &[u8]) -> bool {
    if this.len() != that.len() {
        return false;
    }
    let (mut rest, mut other) = (this, that);
    while let (Some((one, behind)), Some((two, beyond))) =
        (rest.split_first_chunk(), other.split_first_chunk())
    {
        if u64::from_le_bytes(*one) != u64::from_le_bytes(*two) {
            return false;
        }
        (rest, other) = (behind, beyond);
    }
    // The last eight, some of which were compared already; or fewer, one by one.
    match (this.last_chunk(), that.last_chunk()) {
        (Some(one), Some(two)) => u64::from_le_bytes(*one) == u64::from_le_bytes(*two),
        _ => rest.iter().zip(other).all(|(one, two)| one == two),
    }
}

/// What is behind `beginning`, if it begins so.
pub fn after<'a>(bytes: &'a [u8], beginning: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = bytes.split_at_checked(beginning.len())?;
    same(found, beginning).then_some(rest)
}

/// A number made of all bytes: the same for the same bytes, and seldom for others.
pub fn mixed(bytes: &[u8]) -> u64 {
    let mut mixed = bytes.len() as u64;
    let mut rest = bytes;
    while let Some((chunk, behind)) = rest.split_first_chunk() {
        mixed = (mixed ^ u64::from_le_bytes(*chunk)).wrapping_mul(SPREAD).rotate_left(29);
        rest = behind;
    }
    rest.iter().fold(mixed, |mixed, byte| (mixed ^ u64::from(*byte)).wrapping_mul(SPREAD).rotate_left(29))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_are_compared_as_the_language_does(this in "[ab]{0,20}", that in "[ab]{0,20}", at in any::<prop::sample::Index>()) {
            let (this, that) = (this.as_bytes(), that.as_bytes());
            prop_assert_eq!(same(this, that), this == that);
            prop_assert!(same(this, &this.to_vec()));
            prop_assert_eq!(after(this, that), this.strip_prefix(that));
            prop_assert_eq!(after(this, &this[..at.index(this.len() + 1)]), Some(&this[at.index(this.len() + 1)..]));
            let mut other = this.to_vec();
            if let Some(at) = this.len().checked_sub(1).map(|last| at.index(last + 1)) {
                other[at] ^= 1;
                prop_assert!(!same(this, &other) && mixed(this) != mixed(&other));
            }
            prop_assert_eq!(mixed(this), mixed(&this.to_vec()));
        }
    }
}
