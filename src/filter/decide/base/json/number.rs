//! Numbers of JSON.
//!
//! The standard library reads any float as exactly as can be, with tables of 10 kB. Here the last digits of a float with many
//! places may be others: in a configuration there is no such number, and in a body it only matters that it is one.

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Whole(i64),
    /// A whole number above those.
    Large(u64),
    /// Any other number.
    Real(f64),
}

/// The largest whole number but for its last digit.
const TENTH: u64 = u64::MAX / 10;
/// What may be off in a float, as a share of it.
const UNSURE: f64 = 1e-12;
/// So many places take any float to zero or beyond the largest one.
const MOST_PLACES: u32 = 700;
/// A power of ten that a float holds.
const MOST_AT_ONCE: u32 = 300;

/// The number that is written so by JSON's grammar; `None`: no float is that large.
pub fn read(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-');
    let is_negative = digits.is_some();
    let mut rest = digits.unwrap_or(text).as_bytes();
    let mut significand = 0_u64;
    // By how many places the point is to be moved.
    let mut places = 0_i32;
    let mut behind_point = false;
    let mut is_whole = true;
    let mut is_full = false;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'0'..=b'9' => {
                let digit = u64::from(byte & 15);
                if significand < TENTH || (significand == TENTH && digit <= u64::MAX % 10 && !is_full) {
                    significand = significand * 10 + digit;
                    places -= i32::from(behind_point);
                } else {
                    is_full = true;
                    places += i32::from(!behind_point);
                }
            }
            b'.' => behind_point = true,
            _ => {
                is_whole = false;
                places = places.saturating_add(exponent(rest));
                break;
            }
        }
    }
    if is_whole && !behind_point && !is_full {
        if !is_negative {
            return Some(i64::try_from(significand).map_or(Number::Large(significand), Number::Whole));
        } else if let Some(number @ ..0) = 0_i64.checked_sub_unsigned(significand) {
            return Some(Number::Whole(number));
        }
    }
    // By halves, so that the largest float is no infinity when its last digit is another one.
    let half = moved(significand, places);
    let real = (half * 2.0).min(f64::MAX);
    (half < f64::MAX / 2.0 * (1.0 + UNSURE)).then_some(Number::Real(if is_negative { -real } else { real }))
}

fn exponent(text: &[u8]) -> i32 {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    digits.iter().fold(0_i32, |sum, digit| sum.saturating_mul(10).saturating_add(i32::from(digit & 15)))
        * sign
}

/// Half of this number, with its point moved.
fn moved(number: u64, places: i32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a float has no more")]
    let mut moved = number as f64 / 2.0;
    let mut left = places.unsigned_abs().min(MOST_PLACES);
    while left > 0 {
        let step = left.min(MOST_AT_ONCE);
        let power = (0..step).fold(1.0, |power, _| power * 10.0);
        moved = if places < 0 { moved / power } else { moved * power };
        left -= step;
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_serde_json_reads_them() {
        for text in [
            "0",
            "-0",
            "7",
            "-7",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "-9223372036854775808",
            "0.5",
            "-2.50",
            "500.0",
            "5e2",
            "1E+2",
            "12e-1",
            "0.1",
            "0e9",
            "0e99999999999",
            "1e-99999999999",
            "1e22",
            "123456789012345678e-20",
        ] {
            let number: serde_json::Number = serde_json::from_str(text).unwrap();
            let expected = match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(whole), ..) => Number::Whole(whole),
                (_, Some(large), _) => Number::Large(large),
                (.., real) => Number::Real(real.unwrap()),
            };
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_too_large_for_a_float_is_none() {
        for text in ["1.7977e308", "1e309", "-1e400", "1e99999999999", &"9".repeat(400)] {
            assert_eq!(read(text), None, "{text}");
        }
        let long = format!("1{}e-790", "0".repeat(800));
        for (text, about) in [
            ("18446744073709551616", 18_446_744_073_709_551_616.0),
            ("-9223372036854775809", -9_223_372_036_854_775_809.0),
            ("1.7976931348623157e308", f64::MAX),
            ("2.2250738585072014e-308", f64::MIN_POSITIVE),
            ("0.00000000000000000000000000012345678901234567890123", 1.234_567_890_123_456_8e-28),
            (&long, 1e10),
        ] {
            let Some(Number::Real(read)) = read(text) else { panic!("{text}") };
            assert!((read / about - 1.0).abs() < 1e-14, "{text}: {read}");
        }
    }
}
