//! Fills in blanks in addresses and texts: `https://example.com/topup?account={account}`.

use super::Refusal;
use crate::decide::base::text::encoded;
use crate::decide::settings::template::each_part;

/// How long a text may become, in bytes.
pub const MAX_FILLED: usize = 4_000;

/// Fills in the refused payer and the cause, percent-encoded; unknown values are left empty.
pub fn fill(template: &str, refusal: &Refusal) -> String {
    filled(template, refusal, true)
}

/// The same for a text, as it is: its format escapes it. A name has no say in where lines end, or in how long the text gets.
pub(super) fn fill_text(template: &str, refusal: &Refusal) -> String {
    let mut text = String::new();
    for character in filled(template, refusal, false).chars() {
        if text.len() + character.len_utf8() > MAX_FILLED {
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

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_protocol::RefusalCode;
    use faregate_protocol::exchange::Facts;

    #[test]
    fn filled_in_values_cannot_change_the_structure_of_a_url() {
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
