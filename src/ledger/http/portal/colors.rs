//! Colors of the operator's own, made readable in light and dark: pure arithmetic.
//!
//! What must hold: text on a button, and a link on a page, have at least [`READABLE`] of contrast whatever color was chosen.

use std::fmt;

/// The least contrast of text, as WCAG asks for (AA), in hundredths.
const READABLE: u64 = 450;
/// How finely a color is made darker or lighter: in steps of one in this many.
const STEPS: u32 = 50;

/// A color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(pub [u8; 3]);

/// The ground of cards in the light scheme, and in the dark one; and of the selected, which is the darker of the light ones.
const LIGHT: Rgb = Rgb([0xff, 0xff, 0xff]);
const DARK: Rgb = Rgb([0x1b, 0x20, 0x23]);
/// What is written on a button that is too light for white.
const INK: Rgb = Rgb([0x0d, 0x1a, 0x1a]);

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([red, green, blue]) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Rgb {
    /// A color as `#0b6460` or `#ab3`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        let digits: Option<Vec<u32>> = digits.chars().map(|c| c.to_digit(16)).collect();
        let byte = |high: &u32, low: &u32| u8::try_from(high.checked_mul(16)?.checked_add(*low)?).ok();
        match digits?.as_slice() {
            [red, green, blue] => Some(Self([byte(red, red)?, byte(green, green)?, byte(blue, blue)?])),
            [red, red_low, green, green_low, blue, blue_low] => {
                Some(Self([byte(red, red_low)?, byte(green, green_low)?, byte(blue, blue_low)?]))
            }
            _ => None,
        }
    }

    /// How bright it is, in millionths: WCAG's relative luminance.
    fn luminance(self) -> u64 {
        let Self(parts) = self;
        let weights = [212_600_u64, 715_200, 72_200];
        let linear = parts.map(linear);
        linear.iter().zip(weights).fold(0, |sum, (part, weight)| {
            sum.saturating_add(part.saturating_mul(weight).checked_div(1_000_000).unwrap_or(0))
        })
    }

    /// The contrast with another color, in hundredths.
    fn contrast(self, other: Self) -> u64 {
        let (one, two) = (self.luminance(), other.luminance());
        let (light, dark) = (one.max(two).saturating_add(50_000), one.min(two).saturating_add(50_000));
        light.saturating_mul(100).checked_div(dark).unwrap_or(0)
    }

    /// So many steps of [`STEPS`] on the way to another color.
    fn towards(self, other: Self, step: u32) -> Self {
        let (Self(from), Self(to)) = (self, other);
        let mut mixed = from;
        for ((part, from), to) in mixed.iter_mut().zip(from).zip(to) {
            let sum = u32::from(from)
                .saturating_mul(STEPS.saturating_sub(step))
                .saturating_add(u32::from(to).saturating_mul(step));
            *part = sum.checked_div(STEPS).and_then(|part| u8::try_from(part).ok()).unwrap_or(to);
        }
        Self(mixed)
    }

    /// The nearest color to it that is readable on a ground.
    fn readable_on(self, ground: Self) -> Self {
        let end = if ground == LIGHT { Self([0; 3]) } else { LIGHT };
        let all = (0..=STEPS).map(|step| self.towards(end, step));
        // A little more than is asked for: grounds of what is selected are tinted.
        all.into_iter().find(|color| color.contrast(ground) >= READABLE.saturating_add(60)).unwrap_or(end)
    }

    /// What is written on it.
    fn text_on(self) -> Self {
        if self.contrast(LIGHT) >= self.contrast(INK) { LIGHT } else { INK }
    }
}

/// The part of a color channel in linear light, in millionths.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between 0 and 1, and so a million times it fits"
)]
fn linear(part: u8) -> u64 {
    let part = f64::from(part) / 255.0;
    let linear = if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
    (linear * 1_000_000.0).round() as u64
}

/// The rules of a style sheet by which pages have this color.
pub fn style(accent: Rgb) -> String {
    let rules = |ground: Rgb| {
        let color = accent.readable_on(ground);
        let text = color.text_on();
        let soft = color.towards(ground, STEPS.saturating_mul(22).checked_div(25).unwrap_or(STEPS));
        format!("--accent: {color}; --accent-text: {text}; --accent-soft: {soft};")
    };
    format!(
        ":root {{ {} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {} }} }}\n",
        rules(LIGHT),
        rules(DARK)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colors_are_read_and_written() {
        assert_eq!(Rgb::parse("#0b6460").unwrap().to_string(), "#0b6460");
        assert_eq!(Rgb::parse("#aB3").unwrap().to_string(), "#aabb33");
        for bad in ["", "#", "0b6460", "#0b646", "#0b64600", "#ggg", "red", "#äää"] {
            assert_eq!(Rgb::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert_eq!(LIGHT.contrast(Rgb([0; 3])), 2_100);
        assert_eq!(Rgb([0x76; 3]).contrast(LIGHT), 454);
        let teal = Rgb::parse("#0b6460").unwrap();
        assert!(
            style(teal).starts_with(":root { --accent: #0b6460; --accent-text: #ffffff;"),
            "what is readable stays"
        );
    }

    proptest! {
        #[test]
        fn every_color_is_readable_in_both_schemes(parts: [u8; 3]) {
            for ground in [LIGHT, DARK] {
                let color = Rgb(parts).readable_on(ground);
                prop_assert!(color.contrast(ground) >= READABLE);
                prop_assert!(color.contrast(color.text_on()) >= READABLE);
            }
        }
    }
}
