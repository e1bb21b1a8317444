//! Addresses with blanks: `https://example.com/topup?account={account}`.

use super::Refusal;

/// What may be filled in.
const BLANKS: [&str; 4] = ["account", "plan", "key", "code"];

/// Whether every brace of a template belongs to a blank, and the rest is plain.
pub fn is_sound(template: &str, plain: impl Fn(u8) -> bool) -> bool {
    let sound = |(number, part): (usize, &str)| match number % 2 {
        0 => part.bytes().all(&plain),
        _ => BLANKS.contains(&part),
    };
    let braces: Vec<u8> = template.bytes().filter(|byte| b"{}".contains(byte)).collect();
    let paired = braces.chunks(2).all(|pair| pair == b"{}");
    paired && template.split(['{', '}']).enumerate().all(sound)
}

/// Fills in who is refused and why, each percent-encoded; what isn't known is left empty.
pub fn fill(template: &str, refusal: &Refusal) -> String {
    let payer = refusal.payer.as_ref();
    let value = |blank| match blank {
        "account" => payer.map(|payer| payer.account.as_str()),
        "plan" => payer.and_then(|payer| payer.plan.as_deref()),
        "key" => payer.map(|payer| payer.key.as_str()),
        _ => Some(refusal.code.as_str()),
    };
    let mut out = String::new();
    for (number, part) in template.split(['{', '}']).enumerate() {
        if number % 2 == 0 {
            out.push_str(part);
        } else {
            out.push_str(&encoded(value(part).unwrap_or_default()));
        }
    }
    out
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
        let refusal = Refusal { payer: Some(payer), ..Refusal::plain(RefusalCode::QuotaExhausted) };
        assert_eq!(
            fill("https://x.example/{account}?p={plan}&k={key}#{code}", &refusal),
            "https://x.example/a%26b%3D%22%3Cc%3E%0D%0A%C3%BC?p=&k=key_1#quota_exhausted"
        );
        assert_eq!(fill("https://x.example/", &refusal), "https://x.example/");
    }
}
