//! Decimal numbers as services write them, in millionths.
//!
//! What must hold: no float on the way. What can't be read exactly up to six decimals is no number.

use faregate_protocol::credits::MAX_AMOUNT;

/// Decimals of a millionth.
const DECIMALS: i32 = 6;

/// A number from 0 to 10^12, in millionths; what is below a millionth is cut off. An exponent has at most three digits: Java writes
/// ten million as `1.0E7`. `None`: it is something else, or the digits before an exponent are too many.
pub fn millionths(text: &[u8]) -> Option<u64> {
    let (digits, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (text.get(..at)?, exponent(text.get(at + 1..)?)?),
        None => (text, 0),
    };
    let mut number = 0_u64;
    // So many digits behind the point are still to be taken.
    let mut places = DECIMALS + exponent;
    let mut is_behind = false;
    let mut is_digit = false;
    for byte in digits {
        match byte {
            b'.' if is_digit && !is_behind => (is_behind, is_digit) = (true, false),
            b'0'..=b'9' => {
                is_digit = true;
                if is_behind && places <= 0 {
                    continue;
                }
                places -= i32::from(is_behind);
                number = append(number, byte - b'0')?;
            }
            _ => return None,
        }
    }
    while places > 0 && number > 0 {
        number = append(number, 0)?;
        places -= 1;
    }
    while places < 0 && number > 0 {
        number /= 10;
        places += 1;
    }
    let most = u64::try_from(MAX_AMOUNT.micros()).ok()?;
    (is_digit && number <= most).then_some(number)
}

/// A number with one digit more, unless it is far too large.
fn append(number: u64, digit: u8) -> Option<u64> {
    // A product that is checked costs more: it has 128 bits.
    (number < u64::MAX / 10).then(|| number * 10 + u64::from(digit))
}

/// What is behind an `e`.
fn exponent(text: &[u8]) -> Option<i32> {
    let (is_negative, digits) = match text.split_first()? {
        (b'-', digits) => (true, digits),
        (b'+', digits) => (false, digits),
        _ => (false, text),
    };
    if !(1..=3).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let exponent = digits.iter().fold(0, |number, digit| number * 10 + i32::from(digit - b'0'));
    Some(if is_negative { -exponent } else { exponent })
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_protocol::Credits;
    use proptest::prelude::*;

    #[test]
    fn a_decimal_number_is_read_in_millionths() {
        for (text, expected) in [
            ("0", 0),
            ("12", 12_000_000),
            ("12.5", 12_500_000),
            ("0.000001", 1),
            ("007.50", 7_500_000),
            ("0.30000000000000004", 300_000),
            ("0.1000000000000000055511151231257827021181583404541015625", 100_000),
            ("0.0000009", 0),
            ("1000000000000", 1_000_000_000_000_000_000),
            ("999999999999.9999999", 999_999_999_999_999_999),
            ("1000000000000.0000009", 1_000_000_000_000_000_000),
            // As Java, JavaScript and Python write them.
            ("1.0E7", 10_000_000_000_000),
            ("1.2345678E7", 12_345_678_000_000),
            ("1e3", 1_000_000_000),
            ("1e+12", 1_000_000_000_000_000_000),
            ("1.5e-6", 1),
            ("15e-7", 1),
            ("123456789e-9", 123_456),
            ("1e-7", 0),
            ("4.9e-324", 0),
            ("0e999", 0),
        ] {
            assert_eq!(millionths(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_no_number() {
        for text in [
            "",
            "-1",
            "-0",
            "+1",
            ".5",
            "5.",
            ".",
            "1.2.3",
            "1,5",
            "1_000",
            "0x10",
            "NaN",
            "Infinity",
            "null",
            "true",
            " 1",
            "1 ",
            "e",
            "e5",
            "1e",
            "1e+",
            "1e-",
            "1e1.5",
            "1e1e1",
            "1e0001",
            "1e13",
            "1000000000000.000001",
            "1000000000001",
            "18446744073709551616",
            "99999999999999999999e-9",
            "é",
            "1\u{662}",
            ".e1",
            "1.e1",
        ] {
            assert_eq!(millionths(text.as_bytes()), None, "{text}");
        }
        assert_eq!(millionths(b"1\xFF"), None);
    }

    proptest! {
        #[test]
        fn amounts_are_read_as_in_a_header(micros in 0..=1_000_000_000_000_000_000_i64) {
            let text = Credits::from_micros(micros).to_string();
            prop_assert_eq!(millionths(text.as_bytes()), u64::try_from(micros).ok());
        }

        #[test]
        fn an_exponent_moves_the_point(micros in 0..=1_000_000_000_u64, exponent in -12_i32..=12) {
            let text = format!("{micros}e{exponent}");
            let exact = u128::from(micros) * 10_u128.pow(u32::try_from(exponent + 12).unwrap()) / 1_000_000;
            let expected = u64::try_from(exact).ok().filter(|found| *found <= 1_000_000_000_000_000_000);
            prop_assert_eq!(millionths(text.as_bytes()), expected, "{}", text);
        }

        #[test]
        fn no_bytes_make_it_panic(text in "[0-9.eE+-]{0,63}", bytes in prop::collection::vec(any::<u8>(), 0..63)) {
            let _ = millionths(text.as_bytes());
            let _ = millionths(&bytes);
        }
    }
}
