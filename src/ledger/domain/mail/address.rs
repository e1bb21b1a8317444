//! Addresses: which are taken.
//!
//! What must hold: an address that is taken has no character that means something in a header or in SMTP.

/// The longest address, in bytes, as SMTP has it.
const MAX_BYTES: usize = 254;
/// The longest part before the `@`.
const MAX_LOCAL_BYTES: usize = 64;

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is {found:?}, which is no address; give one such as billing@example.com, without a name, in ASCII")]
pub struct InvalidAddress {
    found: String,
}

/// Checks an address. Quoted ones, comments and internationalized ones are not taken.
pub fn address(text: &str) -> Result<&str, InvalidAddress> {
    let local_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    let is_well_formed = text.len() <= MAX_BYTES
        && text.split_once('@').is_some_and(|(local, domain)| {
            let dots = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
            (1..=MAX_LOCAL_BYTES).contains(&local.len())
                && dots
                && local.bytes().all(local_byte)
                && is_domain(domain)
        });
    if is_well_formed {
        Ok(text)
    } else {
        Err(InvalidAddress { found: text.chars().filter(|c| !c.is_control()).take(80).collect() })
    }
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    domain.split('.').all(is_label)
}

/// What stands behind the `@`.
pub fn domain_of(address: &str) -> &str {
    address.rsplit('@').next().unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_are_taken_and_nothing_else() {
        for good in ["a@x", "billing+eu@mail.example.com", "o'neil@example.com", "A.B@x-y.z"] {
            assert_eq!(address(good), Ok(good));
        }
        for bad in [
            "",
            "a",
            "@x",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b c",
            "a@x\r\nBcc: z@z",
            "a@x\n",
            "<a@x>",
            "A <a@x>",
            "a,b@x",
            "\"a\"@x",
            ".a@x",
            "a..b@x",
            "a@-x",
            "a@x..y",
            "ä@x",
            "a@ä",
            "a@[127.0.0.1]",
            &format!("{}@x", "a".repeat(65)),
            &format!("a@{}", "b.".repeat(130)),
        ] {
            assert!(address(bad).is_err(), "{bad:?}");
        }
        assert_eq!(domain_of("a@x.y"), "x.y");
    }
}
