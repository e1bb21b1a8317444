//! Addresses and texts with blanks, as an operator writes them: `https://example.com/topup?account={account}`. Refusals
//! fill the blanks in.

use crate::decide::base::text::cut;

/// The blanks of an address.
pub const IN_ADDRESSES: [&str; 4] = ["account", "plan", "key", "code"];
/// The blanks of a text.
pub const IN_TEXTS: [&str; 8] =
    ["account", "plan", "key", "code", "needed", "available", "resets_at", "wait_seconds"];

/// Whether every brace of a template belongs to one of these blanks, and the rest is plain.
pub fn is_sound(template: &str, blanks: &[&str], plain: fn(u8) -> bool) -> bool {
    let mut sound = true;
    each_part(template, &mut |part, is_blank| {
        sound &= if is_blank {
            blanks.contains(&part)
        } else {
            part.bytes().all(|b| !b"{}".contains(&b) && plain(b))
        };
    });
    sound
}

/// Whether a blank names the payer.
pub(in crate::decide) fn names_payer(template: &str) -> bool {
    let mut names = false;
    each_part(template, &mut |part, is_blank| {
        names |= is_blank && ["account", "plan", "key"].contains(&part);
    });
    names
}

/// Hands over the parts of a template, and whether each is a blank.
#[inline(never)]
pub(in crate::decide) fn each_part(template: &str, to: &mut dyn FnMut(&str, bool)) {
    let mut rest = Some(template);
    while let Some(text) = rest {
        let (plain, opened) = cut(text, b'{');
        to(plain, false);
        let Some(opened) = opened else { return };
        let (blank, closed) = cut(opened, b'}');
        // An unclosed brace is a text, and a wrong one.
        to(if closed.is_some() { blank } else { "{" }, closed.is_some());
        rest = closed;
    }
}
