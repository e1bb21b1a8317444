//! The shape of an API key: `fg_live_`, 2 characters of cell, 32 of secret, 6 of checksum. Cells are `[0-9a-z]`, the rest is
//! base 62.
//!
//! The cell is reserved: it will name the ledger that keeps the key, once there are several. Today it is always [`CELL`],
//! and nothing reads it. The checksum (CRC-32/ISO-HDLC of everything before it) is no secret. It lets the gate turn typing
//! errors and random guesses away without asking the ledger, and secret scanners tell a real key from a string that looks
//! like one.
//!
//! What must hold: a key that was handed out stays a key. The first ones have 46 characters and no cell, which means
//! [`CELL`]; later ones may be longer than ours.

/// What every key begins with.
pub const PREFIX: &str = "fg_live_";
/// The only cell there is. Generated identifiers begin with it, too, so it has no upper case.
pub const CELL: &str = "00";
/// Characters of secret behind the cell: 190 bits of randomness.
pub const SECRET_LEN: usize = 32;
/// Characters of checksum at the end.
pub const CHECKSUM_LEN: usize = 6;
/// The length of a whole key in bytes, as keys are made today.
pub const LEN: usize = PREFIX.len() + CELL.len() + SECRET_LEN + CHECKSUM_LEN;
/// The length of the first keys, which have no cell: no key is shorter.
pub const MIN_LEN: usize = LEN - CELL.len();
/// No key will be longer.
pub const MAX_LEN: usize = 64;
/// How much of a key may be shown in lists and logs.
pub const VISIBLE_LEN: usize = PREFIX.len() + CELL.len() + 4;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A complete key from `SECRET_LEN` random bytes, of which each picks one character. Bytes of 248 and
/// above would favour some characters; the caller must not pass any.
///
/// Returns `None` when a byte is 248 or more.
pub fn compose(random: &[u8; SECRET_LEN]) -> Option<String> {
    let mut key = String::with_capacity(LEN);
    key.push_str(PREFIX);
    key.push_str(CELL);
    for byte in random {
        if *byte >= 248 {
            return None;
        }
        key.push(char::from(*ALPHABET.get(usize::from(*byte) % ALPHABET.len())?));
    }
    let sum = checksum(key.as_bytes());
    for byte in sum {
        key.push(char::from(byte));
    }
    Some(key)
}

/// Whether `text` has a key's prefix, alphabet and checksum, and a length that a key may have. It says nothing about
/// whether the key exists.
pub fn is_well_formed(text: &[u8]) -> bool {
    if !(MIN_LEN..=MAX_LEN).contains(&text.len()) || !text.starts_with(PREFIX.as_bytes()) {
        return false;
    }
    let Some((body, sum)) = text.split_at_checked(text.len() - CHECKSUM_LEN) else {
        return false;
    };
    text.iter().skip(PREFIX.len()).all(u8::is_ascii_alphanumeric) && checksum(body) == sum
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut rest = crc32(body);
    let mut sum = [b'0'; CHECKSUM_LEN];
    for place in sum.iter_mut().rev() {
        let digit = usize::try_from(rest % 62).unwrap_or(0);
        *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
        rest /= 62;
    }
    sum
}

/// CRC-32/ISO-HDLC (the one of zip and Ethernet).
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0_u32; 256];
        let mut index = 0_u32;
        while index < 256 {
            let mut value = index;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 };
                bit += 1;
            }
            #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler; the loop ends at 256")]
            {
                table[index as usize] = value;
            }
            index += 1;
        }
        table
    };
    let entry = |crc: u32| TABLE.get((crc & 255) as usize).copied().unwrap_or(0);
    !bytes.iter().fold(u32::MAX, |crc, byte| (crc >> 8) ^ entry(crc ^ u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_the_standard_crc32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn one_wrong_character_is_detected_locally() {
        let key = compose(&[7; SECRET_LEN]).unwrap();
        assert!(is_well_formed(key.as_bytes()), "{key}");
        for at in 0..key.len() {
            let mut wrong = key.clone().into_bytes();
            wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
            assert!(!is_well_formed(&wrong), "{}", String::from_utf8_lossy(&wrong));
        }
        assert!(!is_well_formed(&key.as_bytes()[..LEN - 1]));
        assert!(!is_well_formed(format!("{key}0").as_bytes()));
        assert!(!is_well_formed(b""));
    }

    #[test]
    fn issued_keys_stay_valid() {
        let random = std::array::from_fn(|at| 200 + u8::try_from(at).unwrap());
        let today = "fg_live_00EFGHIJKLMNOPQRSTUVWXYZabcdefghij0IEm12";
        assert_eq!(compose(&random).as_deref(), Some(today));
        let without_cell = "fg_live_EFGHIJKLMNOPQRSTUVWXYZabcdefghij1aG4n0";
        assert_eq!([today, without_cell].map(str::len), [LEN, MIN_LEN]);
        for key in [today, without_cell] {
            assert!(is_well_formed(key.as_bytes()), "{key}");
        }
        assert_eq!(compose(&[248; SECRET_LEN]), None, "it would favour some characters");
    }

    #[test]
    fn a_valid_checksum_does_not_excuse_a_wrong_prefix_or_length() {
        let with_checksum = |body: String| {
            let sum = checksum(body.as_bytes());
            body + std::str::from_utf8(&sum).unwrap()
        };
        let most = MAX_LEN - PREFIX.len() - CHECKSUM_LEN;
        let [secret, short, longest, long] =
            [SECRET_LEN, SECRET_LEN - 1, most, most + 1].map(|len| "s".repeat(len));
        for allowed in [&secret, &longest] {
            assert!(is_well_formed(with_checksum(format!("{PREFIX}{allowed}")).as_bytes()), "{allowed}");
        }
        for body in [format!("fg_test_{secret}"), format!("{PREFIX}{long}"), format!("{PREFIX}{short}")] {
            assert!(!is_well_formed(with_checksum(body.clone()).as_bytes()), "{body}");
        }
    }

    proptest! {
        #[test]
        fn every_composed_key_is_well_formed(random in proptest::array::uniform32(0_u8..248)) {
            prop_assert!(is_well_formed(compose(&random).unwrap().as_bytes()));
        }

        #[test]
        fn arbitrary_bytes_never_panic_the_check(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = is_well_formed(&bytes);
        }
    }
}
