//! The token that proves who speaks, as both sides read it from a file, a variable or a configuration.
//!
//! What must hold: both sides read the same token from the same bytes. Editors, `echo` and `openssl` end a file with a
//! line break, and a Kubernetes Secret keeps it, so one at the end is no part of a token.

/// What an error says may be there.
pub const ALLOWED: &str = "visible ASCII characters without blanks, and at most one line break at the end";

/// The token in this text; `None` where it is empty, or holds what no HTTP header can carry.
pub fn read(text: &str) -> Option<&str> {
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    let plain = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trailing_line_break_is_not_part_of_a_token() {
        for text in ["s3cret", "s3cret\n", "s3cret\r\n"] {
            assert_eq!(read(text), Some("s3cret"), "{text:?}");
        }
        for text in [
            "",
            "\n",
            "\r\n",
            " s3cret",
            "s3cret ",
            "s3 cret",
            "s3cret\n\n",
            "s3cret\r",
            "\ns3cret",
            "s3\tcret",
            "s\u{e9}cret",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
