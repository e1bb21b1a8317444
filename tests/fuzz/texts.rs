//! Keys and amounts: what is printed is read back, and nothing near it passes.

use crate::odd;
use crate::play::{Budget, Report, play};
use faregate_protocol::{Credits, api_key};
use proptest::prelude::*;

/// The most that one amount may be, in micro-credits.
const MOST: i64 = 1_000_000_000_000_000_000;

/// Every key is well formed; with any one character changed, left out, doubled or swapped with the next, none is.
pub fn keys(budget: Budget, seed: u64) -> Report {
    let secrets = proptest::array::uniform32(0_u8..248);
    play(budget, seed, &(secrets, odd::bytes(60)), |(secret, junk)| {
        let key = api_key::compose(&secret).unwrap_or_default().into_bytes();
        prop_assert!(api_key::is_well_formed(&key));
        prop_assert!(!api_key::is_well_formed(&junk));
        let refused = |near: &[u8], how: &str| {
            let same = near == key;
            prop_assert!(same || !api_key::is_well_formed(near), "{how}: {}", String::from_utf8_lossy(near));
            Ok(())
        };
        for at in 0..key.len() {
            for byte in 0..=255 {
                let mut near = key.clone();
                near[at] = byte;
                refused(&near, "one byte changed")?;
            }
            let mut near = key.clone();
            let gone = near.remove(at);
            refused(&near, "one byte less")?;
            near.insert(at, gone);
            near.insert(at, gone);
            refused(&near, "one byte doubled")?;
            near.remove(at);
            near.swap(at, (at + 1) % key.len());
            refused(&near, "two bytes swapped")?;
        }
        let text = String::from_utf8_lossy(&key);
        for near in [
            text.to_uppercase(),
            text.to_lowercase(),
            format!(" {text}"),
            format!("{text}\n"),
            format!("{text}{text}"),
        ] {
            refused(near.as_bytes(), "written otherwise")?;
        }
        Ok(())
    })
}

/// What is printed is read as it was; what is read prints as the same amount; nothing else is read.
pub fn credits(budget: Budget, seed: u64) -> Report {
    let near = (0..=MOST, odd::bytes(3), any::<u8>()).prop_map(|(micros, junk, at)| {
        let mut text = Credits::from_micros(micros).to_string().into_bytes();
        let at = usize::from(at) % (text.len() + 1);
        text.splice(at..at, junk);
        String::from_utf8_lossy(&text).into_owned()
    });
    let texts = prop_oneof![near, odd::text(), "[0-9]{0,20}\\.?[0-9]{0,8}", "[-+ 0-9.eE_,]{0,12}"];
    play(budget, seed, &(0..=MOST, texts), |(micros, text)| {
        let amount = Credits::from_micros(micros);
        prop_assert_eq!(Credits::parse(&amount.to_string()), Ok(amount));
        let read = Credits::parse(&text).ok().map(Credits::micros);
        prop_assert_eq!(read, meaning(&text), "{}", text);
        Ok(())
    })
}

/// The same by other means: digits, perhaps a point and more digits, at most six that count.
fn meaning(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let part = if digits(part) { format!("{:0<6}", part.trim_end_matches('0')) } else { return None };
    if !digits(whole) || part.len() > 6 {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > 13 {
        return None;
    }
    format!("{whole}{part}").parse::<i64>().ok().filter(|micros| *micros <= MOST)
}
