//! Money. Inside it is a whole number of micro-credits; outside it is a decimal string. Never a float.
//!
//! What must hold: every string that [`Credits::parse`] accepts prints back as the same amount, and no
//! operation wraps around.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Micro-credits in one credit.
const MICROS: i64 = 1_000_000;

/// The most that one amount in a request or a configuration may be: 10^12 credits. A thousand of
/// them add up without overflow nowhere near `i64::MAX` being reached by accident.
const MAX_AMOUNT_MICROS: i64 = 1_000_000_000_000 * MICROS;

/// An amount of credits, in micro-credits. On the gateway's wire it is that integer; public APIs use
/// the decimal string (see [`decimal`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Credits(i64);

/// Why a string is no amount of credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseCreditsError {
    /// The string is empty, or holds something else than digits and one point.
    NotDecimal,
    /// It begins with a minus sign.
    Negative,
    /// More than six digits stand behind the point.
    TooPrecise,
    /// More than 10^12 credits.
    TooLarge,
}

impl fmt::Display for ParseCreditsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDecimal => "not a decimal number such as \"12\" or \"0.5\" (digits and one point only)",
            Self::Negative => "negative; amounts are never below zero",
            Self::TooPrecise => "too precise; at most 6 digits may stand behind the point",
            Self::TooLarge => "too large; the most is 1000000000000",
        })
    }
}

impl std::error::Error for ParseCreditsError {}

/// The most that an amount, counter or level of the gateway's wire may be: 10^12 credits.
pub const MAX_AMOUNT: Credits = Credits(MAX_AMOUNT_MICROS);

impl Credits {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest value that the type holds; a bound, never an amount that somebody has.
    pub const MAX: Self = Self(i64::MAX);

    /// From a number of micro-credits.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The number of micro-credits.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Reads a non-negative decimal such as `12`, `0.5` or `0.000001`: no sign, no exponent, no blanks.
    ///
    /// # Errors
    /// Says what is wrong with the text, in words that fit behind the field's name.
    pub fn parse(text: &str) -> Result<Self, ParseCreditsError> {
        if text.starts_with('-') {
            return Err(ParseCreditsError::Negative);
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(ParseCreditsError::NotDecimal);
        }
        let fraction = fraction.trim_end_matches('0');
        let missing = 6_usize.checked_sub(fraction.len()).ok_or(ParseCreditsError::TooPrecise)?;
        let mut micros = parse_digits(whole)?.checked_mul(MICROS).ok_or(ParseCreditsError::TooLarge)?;
        let mut part = if fraction.is_empty() { 0 } else { parse_digits(fraction)? };
        for _ in 0..missing {
            part *= 10;
        }
        micros = micros.checked_add(part).ok_or(ParseCreditsError::TooLarge)?;
        if micros > MAX_AMOUNT_MICROS { Err(ParseCreditsError::TooLarge) } else { Ok(Self(micros)) }
    }

    /// The sum, or `None` beyond the type's range.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference (which may be negative), or `None` beyond the type's range.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum, held at the type's bounds.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, held at the type's bounds; it may be negative.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self − other`, but never below zero.
    pub fn less(self, other: Self) -> Self {
        self.saturating_sub(other).max(Self::ZERO)
    }

    /// `self × factor`, held at the type's bounds.
    pub fn times(self, factor: i64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// `self ÷ divisor`, rounded towards zero; a divisor below one counts as one.
    pub fn split(self, divisor: i64) -> Self {
        Self(self.0 / divisor.max(1))
    }

    /// `self × factor ÷ 10^6`, rounded up: a price under a factor in millionths. Neither is below zero.
    pub fn scaled(self, factor: Self) -> Self {
        const ONE: i64 = 1_000_000;
        let whole = (self.0 / ONE).saturating_mul(factor.0);
        let part = (self.0 % ONE).saturating_mul(factor.0);
        Self(whole.saturating_add(part.saturating_add(ONE - 1) / ONE))
    }

    /// Whole credits, rounded down; none where the amount is below zero.
    pub fn whole(self) -> u64 {
        u64::try_from(self.0 / 1_000_000).unwrap_or(0)
    }

    /// Whether this is exactly nothing.
    pub fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// Whether this is more than nothing.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }
}

fn parse_digits(digits: &str) -> Result<i64, ParseCreditsError> {
    digits.parse().map_err(|_| ParseCreditsError::TooLarge)
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        let (whole, part) = (micros / MICROS.unsigned_abs(), micros % MICROS.unsigned_abs());
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{part:06}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl std::str::FromStr for Credits {
    type Err = ParseCreditsError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// For `#[serde(with = "decimal")]`: credits as the decimal string that public APIs use.
pub mod decimal {
    use super::Credits;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the decimal string.
    pub fn serialize<S: Serializer>(credits: &Credits, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(credits)
    }

    /// Reads the decimal string; a JSON number is refused, because it may have been a float on the way.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Credits, D::Error> {
        let text = String::deserialize(from)?;
        Credits::parse(&text).map_err(|why| D::Error::custom(format!("{text:?} is {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_parsed_exactly() {
        for (text, micros) in
            [("0", 0), ("5", 5_000_000), ("0.5", 500_000), ("12.000001", 12_000_001), ("1.50", 1_500_000)]
        {
            assert_eq!(Credits::parse(text), Ok(Credits(micros)), "{text}");
        }
        assert_eq!(Credits::parse("1000000000000").map(Credits::micros), Ok(MAX_AMOUNT_MICROS));
    }

    #[test]
    fn invalid_amounts_are_rejected_with_a_reason() {
        use ParseCreditsError::{Negative, NotDecimal, TooLarge, TooPrecise};
        for (text, why) in [
            ("", NotDecimal),
            ("-1", Negative),
            ("1e9", NotDecimal),
            ("+1", NotDecimal),
            (" 1", NotDecimal),
            (".5", NotDecimal),
            ("5.", NotDecimal),
            ("1,5", NotDecimal),
            ("0.0000001", TooPrecise),
            ("9223372036854775807", TooLarge),
            ("99999999999999999999999", TooLarge),
            ("1000000000000.000001", TooLarge),
        ] {
            assert_eq!(Credits::parse(text), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(micros in 0..=MAX_AMOUNT_MICROS) {
            let credits = Credits(micros);
            prop_assert_eq!(Credits::parse(&credits.to_string()), Ok(credits));
        }

        #[test]
        fn parsing_never_panics(text in ".{0,40}") {
            let _ = Credits::parse(&text);
        }
    }

    #[test]
    fn sums_and_differences_stay_within_bounds() {
        let [one, two, three, least] = [1, 2, 3, i64::MIN].map(Credits);
        assert_eq!((one.checked_add(two), Credits::MAX.checked_add(one)), (Some(three), None));
        assert_eq!((one.checked_sub(three), least.checked_sub(one)), (Some(Credits(-2)), None));
        assert_eq!((one.saturating_add(two), Credits::MAX.saturating_add(one)), (three, Credits::MAX));
        assert_eq!((one.saturating_sub(three), least.saturating_sub(one)), (Credits(-2), least));
        assert_eq!((three.less(one), one.less(three), two.less(two)), (two, Credits::ZERO, Credits::ZERO));
        assert_eq!((three.times(4), Credits::MAX.times(2)), (Credits(12), Credits::MAX));
    }

    #[test]
    fn splitting_rounds_down_and_scaling_a_price_rounds_up() {
        assert_eq!([7, 8, 3].map(|micros| Credits(micros).split(4)), [1, 2, 0].map(Credits));
        assert_eq!([1, 0, -5].map(|divisor| Credits(9).split(divisor)), [Credits(9); 3]);
        for (price, factor, costs) in [
            (2_000_000, 500_000, 1_000_000),
            (3, 500_000, 2),
            (1, 1, 1),
            (0, 5_000_000, 0),
            (7_000_001, 3_000_000, 21_000_003),
            (1_500_000, 1_500_001, 2_250_002),
            (i64::MAX, 2_000_000, i64::MAX),
        ] {
            assert_eq!(Credits(price).scaled(Credits(factor)), Credits(costs), "{price} × {factor} ÷ 10^6");
        }
        assert_eq!(
            [2_999_999, 3_000_000, 999_999, -5_000_000].map(|micros| Credits(micros).whole()),
            [2, 3, 0, 0]
        );
    }

    #[test]
    fn zero_is_neither_positive_nor_printed_with_a_sign() {
        let shown =
            |micros| (Credits(micros).is_zero(), Credits(micros).is_positive(), Credits(micros).to_string());
        assert_eq!(shown(0), (true, false, "0".to_owned()));
        assert_eq!(shown(1), (false, true, "0.000001".to_owned()));
        assert_eq!(shown(-1_500_000), (false, false, "-1.5".to_owned()));
    }

    #[test]
    fn json_amounts_are_decimal_strings_with_clear_errors() {
        #[derive(Debug, PartialEq, Deserialize, Serialize)]
        struct Body(#[serde(with = "decimal")] Credits);
        let body: Body = serde_json::from_str("\"1.5\"").unwrap();
        assert_eq!(body, Body(Credits(1_500_000)));
        assert_eq!(serde_json::to_string(&body).unwrap(), "\"1.5\"");
        assert_eq!("1.5".parse(), Ok(Credits(1_500_000)));
        for (text, why) in [
            ("1,5", "not a decimal number such as \"12\" or \"0.5\" (digits and one point only)"),
            ("-1", "negative; amounts are never below zero"),
            ("0.0000001", "too precise; at most 6 digits may stand behind the point"),
            ("1000000000001", "too large; the most is 1000000000000"),
        ] {
            let said = serde_json::from_str::<Body>(&format!("\"{text}\"")).unwrap_err().to_string();
            assert!(said.starts_with(&format!("\"{text}\" is {why}")), "{said}");
        }
        assert!(serde_json::from_str::<Body>("1.5").is_err(), "a number may have been a float on the way");
    }
}
