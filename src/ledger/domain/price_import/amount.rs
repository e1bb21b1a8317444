//! A price in the list's unit as a number of micro-credits, by arithmetic on the number's text.
//!
//! What must hold: the result is the nearest one, whatever noise a float left behind the sixth digit; and a price above zero
//! stays above zero.

use faregate_protocol::Credits;
use faregate_protocol::exchange::MAX_AMOUNT;

/// The digits that are read; more than a float has, and what follows is noise.
const MAX_DIGITS: usize = 24;
/// The largest exponent that is looked at, in either direction.
const MAX_EXPONENT: i32 = 60;
/// The largest power of ten in 128 bits.
const MAX_POWER: u32 = 38;

/// What one price of the list is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// One token; becomes a price per million.
    Token,
    /// A million tokens.
    MillionTokens,
    /// So many of a class that is counted one by one.
    Each(u32),
}

/// Why a number is no price, as a sentence's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPrice {
    /// It is below zero.
    #[error("below zero")]
    Negative,
    /// It is more than any price.
    #[error("more than 10^12 credits")]
    TooLarge,
    /// It isn't a number.
    #[error("not a number")]
    NotNumber,
}

/// The price that a JSON number's text says, times the rate (credits per dollar, in millionths), which rounds up.
///
/// A price per tokens is rounded to the nearest micro-credit per million. One of a class that is counted one by one is rounded
/// to nine digits, which takes noise away, and then up.
pub fn price(number: &str, unit: Unit, rate: Credits) -> Result<Credits, NoPrice> {
    let (digits, exponent) = decimal(number)?;
    let (shift, divisor, step) = match unit {
        Unit::Token => (12, 1, 1),
        Unit::MillionTokens => (6, 1, 1),
        Unit::Each(count) => (9, i128::from(count.max(1)), 1_000),
    };
    let fine = scaled(digits, exponent.saturating_add(shift), divisor)?;
    let micros = (fine / step + i128::from(fine % step > 0)).max(i128::from(digits > 0));
    let price = i64::try_from(micros).map(Credits::from_micros).map_err(|_| NoPrice::TooLarge)?;
    let price = price.scaled(rate);
    if price > MAX_AMOUNT { Err(NoPrice::TooLarge) } else { Ok(price) }
}

/// A JSON number as `digits × 10^exponent`.
fn decimal(number: &str) -> Result<(i128, i32), NoPrice> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let mut exponent: i32 = exponent.parse().map_err(|_| NoPrice::NotNumber)?;
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (mut digits, mut count) = (0_i128, 0);
    let places = whole.bytes().map(|byte| (byte, false)).chain(fraction.bytes().map(|byte| (byte, true)));
    for (byte, behind) in places {
        let digit = (byte as char).to_digit(10).ok_or(NoPrice::NotNumber)?;
        let kept = count < MAX_DIGITS;
        if kept {
            digits = digits * 10 + i128::from(digit);
            count += usize::from(digits > 0);
        }
        exponent = exponent.saturating_add(i32::from(!kept)).saturating_sub(i32::from(behind));
    }
    if whole.is_empty() {
        return Err(NoPrice::NotNumber);
    }
    if negative && digits > 0 { Err(NoPrice::Negative) } else { Ok((digits, exponent)) }
}

/// `digits × 10^exponent ÷ divisor`, to the nearest whole number, half of one up.
fn scaled(digits: i128, exponent: i32, divisor: i128) -> Result<i128, NoPrice> {
    if digits == 0 || exponent < -MAX_EXPONENT {
        return Ok(0);
    }
    let power = |exponent: u32| 10_i128.checked_pow(exponent.min(MAX_POWER + 1));
    let (above, below) = if exponent < 0 {
        (Some(digits), power(exponent.unsigned_abs()).and_then(|power| power.checked_mul(divisor)))
    } else {
        (power(exponent.unsigned_abs()).and_then(|power| power.checked_mul(digits)), Some(divisor))
    };
    let above = above.and_then(|above| above.checked_mul(2)).ok_or(NoPrice::TooLarge)?;
    // A divisor beyond 128 bits makes nothing of so few digits.
    let Some(doubled) = below.and_then(|below| below.checked_mul(2)) else { return Ok(0) };
    Ok((above + doubled / 2) / doubled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::price_import::ONE_TO_ONE;
    use proptest::prelude::*;

    #[test]
    fn a_floats_noise_is_rounded_away_and_no_price_becomes_nothing() {
        use Unit::{Each, MillionTokens, Token};
        for (text, unit, micros) in [
            ("5.0000000000000004e-08", Token, 50_000),
            ("4.00001e-06", Token, 4_000_010),
            ("1.25E-6", Token, 1_250_000),
            ("1e-06", Token, 1_000_000),
            ("0.000005", Token, 5_000_000),
            ("4.9999999999999996e-07", Token, 500_000),
            ("5e-13", Token, 1),
            ("1e-13", Token, 1),
            ("1e-400", Token, 1),
            ("0", Token, 0),
            ("0.0", Token, 0),
            ("-0.0", Token, 0),
            ("0e-999", Token, 0),
            ("2.5", MillionTokens, 2_500_000),
            ("0.0000014", MillionTokens, 1),
            ("0.0000015", MillionTokens, 2),
            ("15", MillionTokens, 15_000_000),
            ("0.01", Each(1), 10_000),
            ("0.010000000000000002", Each(1), 10_000),
            ("0.001333333333333", Each(1), 1_334),
            ("10", Each(1_000), 10_000),
            ("0.04", Each(3_600), 12),
            ("0.36", Each(3_600), 100),
            ("123456789012345678901234567890e-29", MillionTokens, 1_234_568),
        ] {
            assert_eq!(price(text, unit, ONE_TO_ONE), Ok(Credits::from_micros(micros)), "{text} {unit:?}");
        }
    }

    #[test]
    fn the_rate_rounds_up() {
        let rate = Credits::from_micros(1_100_000);
        assert_eq!(price("5e-6", Unit::Token, rate), Ok(Credits::from_micros(5_500_000)));
        assert_eq!(price("1e-12", Unit::Token, rate), Ok(Credits::from_micros(2)));
        assert_eq!(price("0", Unit::Token, rate), Ok(Credits::ZERO));
    }

    #[test]
    fn what_is_no_price_is_refused() {
        use NoPrice::{Negative, NotNumber, TooLarge};
        for (text, why) in [
            ("-1e-6", Negative),
            ("1e13", TooLarge),
            ("1e999999999", TooLarge),
            ("1e99999999999", NotNumber),
            ("", NotNumber),
            ("1x", NotNumber),
            (".5", NotNumber),
        ] {
            assert_eq!(price(text, Unit::MillionTokens, ONE_TO_ONE), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_float_of_six_digits_per_million_comes_back_exactly(micros in 0..1_000_000_000_i64) {
            #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
            let per_token = micros as f64 / 1e6 / 1e6;
            let text = serde_json::to_string(&per_token).unwrap();
            prop_assert_eq!(price(&text, Unit::Token, ONE_TO_ONE), Ok(Credits::from_micros(micros)));
        }

        #[test]
        fn no_text_panics(text in "-?[0-9.eE+-]{0,60}") {
            let _ = price(&text, Unit::Each(3_600), ONE_TO_ONE);
        }
    }
}
