//! Addresses and texts with blanks: `https://example.com/topup?account={account}`.

use super::Refusal;

/// What may be filled into an address.
pub const IN_ADDRESSES: [&str; 4] = ["account", "plan", "key", "code"];
/// What may be filled into a text.
pub const IN_TEXTS: [&str; 8] =
    ["account", "plan", "key", "code", "needed", "available", "resets_at", "wait_seconds"];
/// How long a text may become, in bytes.
pub const MOST_FILLED: usize = 4_000;

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

/// Whether a blank stands for who pays.
pub(super) fn names_payer(template: &str) -> bool {
    let mut names = false;
    each_part(template, &mut |part, is_blank| {
        names |= is_blank && ["account", "plan", "key"].contains(&part);
    });
    names
}

/// Hands over the parts of a template, and whether each is a blank.
#[inline(never)]
fn each_part(template: &str, to: &mut dyn FnMut(&str, bool)) {
    let mut rest = Some(template);
    while let Some(text) = rest {
        let (plain, opened) = cut(text, b'{');
        to(plain, false);
        let Some(opened) = opened else { return };
        let (blank, closed) = cut(opened, b'}');
        // A brace that nobody closes is a text, and a wrong one.
        to(if closed.is_some() { blank } else { "{" }, closed.is_some());
        rest = closed;
    }
}

/// What stands before the first of these ASCII marks, and what behind it.
#[inline(never)]
pub(super) fn cut(text: &str, mark: u8) -> (&str, Option<&str>) {
    match text.bytes().position(|byte| byte == mark) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    }
}

/// Fills in who is refused and why, each percent-encoded; what isn't known is left empty.
pub fn fill(template: &str, refusal: &Refusal) -> String {
    filled(template, refusal, true)
}

/// The same for a text, as it is: its format escapes it. A name has no say in where lines end, or in how long the text gets.
pub(super) fn fill_text(template: &str, refusal: &Refusal) -> String {
    let mut text = String::new();
    for character in filled(template, refusal, false).chars() {
        if text.len() + character.len_utf8() > MOST_FILLED {
            break;
        }
        if !character.is_control() {
            text.push(character);
        }
    }
    text
}

fn filled(template: &str, refusal: &Refusal, address: bool) -> String {
    let mut out = String::new();
    each_part(template, &mut |part, is_blank| {
        if is_blank {
            let value = value(part, refusal).unwrap_or_default();
            out.push_str(&if address { encoded(&value) } else { value });
        } else {
            out.push_str(part);
        }
    });
    out
}

fn value(blank: &str, refusal: &Refusal) -> Option<String> {
    let payer = refusal.payer.as_ref();
    let text = match blank {
        "account" => &payer?.account,
        "plan" => payer?.plan.as_ref()?,
        "key" => &payer?.key,
        "resets_at" => &refusal.reset.as_ref()?.at,
        "needed" | "available" => {
            let amount = if blank == "needed" { refusal.needed } else { refusal.available };
            return Some(amount?.to_string());
        }
        "wait_seconds" => return Some(refusal.retry_after()?.to_string()),
        _ => return Some(refusal.code.as_str().to_owned()),
    };
    Some(text.clone())
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub(super) fn encoded(text: &str) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).copied().unwrap_or('0');
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', digit(byte >> 4), digit(byte)]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_protocol::RefusalCode;
    use faregate_protocol::exchange::Facts;

    #[test]
    fn what_is_filled_in_can_not_change_the_address() {
        let payer =
            Facts { key: "key_1".into(), account: "a&b=\"<c>\r\nü".into(), plan: None, ..Facts::default() };
        let refusal = Refusal { payer: Some(payer.into()), ..Refusal::plain(RefusalCode::QuotaExhausted) };
        assert_eq!(
            fill("https://x.example/{account}?p={plan}&k={key}#{code}", &refusal),
            "https://x.example/a%26b%3D%22%3Cc%3E%0D%0A%C3%BC?p=&k=key_1#quota_exhausted"
        );
        assert_eq!(fill("https://x.example/", &refusal), "https://x.example/");
    }
}
