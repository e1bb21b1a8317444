//! Which versions of an answer a caller has already, according to `if-none-match` (RFC 9110, 13.1.2).
//!
//! What must hold: versions are compared weakly, as the RFC requires, because a compressing proxy weakens them.

use crate::decide::base::head::Head;

/// The request's header value, to be passed to [`has`]. The first [`MAX_REPEATED`] bytes hold about fifty versions.
///
/// [`MAX_REPEATED`]: crate::decide::refusal::MOST_REPEATED
pub fn held<'a>(head: &Head<'a>) -> &'a [u8] {
    head.value("if-none-match").unwrap_or_default()
}

/// Whether the caller has the version of this tag. Only a tag can appear between quotes in the list, weak or not, so
/// searching for the quoted tag is enough.
pub fn has(held: &[u8], tag: &str) -> bool {
    held == b"*" || held.windows(tag.len().max(1)).any(|found| found == tag.as_bytes())
}

/// A version as an entity-tag.
pub fn tag(version: u64) -> String {
    format!("\"{version:016x}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn if_none_match_is_understood_in_every_valid_form() {
        let tag = tag(0x0123_4567_89ab_cdef);
        assert_eq!(tag, "\"0123456789abcdef\"");
        for (held, is_there) in [
            (tag.as_str(), true),
            ("W/\"0123456789abcdef\"", true),
            ("\"other\", W/\"x,y\",\"0123456789abcdef\"", true),
            ("*", true),
            ("", false),
            ("\"*\"", false),
            ("\"x\", *", false),
            ("0123456789abcdef", false),
            ("\"0123456789abcdef", false),
            ("\"0123456789ABCDEF\"", false),
            ("\"0123456789abcde0\"", false),
            ("\"00123456789abcdef\"", false),
        ] {
            assert_eq!(has(held.as_bytes(), &tag), is_there, "{held}");
        }
    }

    proptest! {
        #[test]
        fn an_etag_matches_only_its_own_version(version: u64, other: u64, near in 0_u32..64) {
            let held = tag(version);
            prop_assert!(has(held.as_bytes(), &tag(version)));
            prop_assert_eq!(has(held.as_bytes(), &tag(other)), version == other);
            prop_assert!(!has(held.as_bytes(), &tag(version ^ 1 << near)));
        }
    }
}
