//! The operator's logo: a PNG or an SVG, read once at the start.
//!
//! What must hold: it is small, of one of these two kinds, and browsers take it for nothing else. It is shown as an image, in which no
//! script runs; an SVG that has one is refused all the same.

/// A logo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    /// Its contents.
    pub bytes: Vec<u8>,
    /// Its type.
    pub kind: &'static str,
}

/// How a PNG begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
/// What an SVG could do beside being drawn.
const ACTIVE: [&str; 4] = ["<script", "<foreignobject", "javascript:", "<!entity"];

impl Logo {
    /// The largest one, in bytes.
    pub const MAX_BYTES: u64 = 128 * 1024;

    /// Takes its contents, if they are those of a logo.
    pub fn read(bytes: Vec<u8>) -> Result<Self, String> {
        if u64::try_from(bytes.len()).is_ok_and(|found| found > Self::MAX_BYTES) {
            return Err(format!("has more than {} bytes; give a smaller one", Self::MAX_BYTES));
        }
        if bytes.starts_with(PNG) {
            return Ok(Self { bytes, kind: "image/png" });
        }
        let text = std::str::from_utf8(&bytes).map(str::to_ascii_lowercase).unwrap_or_default();
        if !is_svg(&text) {
            return Err("is neither a PNG nor an SVG; give one of these".to_owned());
        }
        if let Some(found) = ACTIVE.iter().find(|active| text.contains(*active)) {
            return Err(format!("is an SVG with {found} in it; give one that is only drawn"));
        }
        Ok(Self { bytes, kind: "image/svg+xml" })
    }
}

/// Whether a text's first element is `svg`.
fn is_svg(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let end = match rest {
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<!doctype") => ">",
            _ => {
                return rest
                    .strip_prefix("<svg")
                    .is_some_and(|rest| rest.starts_with([' ', '\t', '\r', '\n', '>', '/']));
            }
        };
        let Some((_, behind)) = rest.split_once(end) else { return false };
        rest = behind.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(bytes: &[u8]) -> Result<&'static str, String> {
        Logo::read(bytes.to_vec()).map(|logo| logo.kind)
    }

    #[test]
    fn a_logo_is_known_by_its_contents() {
        assert_eq!(kind(&[PNG, &[0; 20]].concat()), Ok("image/png"));
        assert_eq!(kind(b"<svg/>"), Ok("image/svg+xml"));
        let long = b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- a > b --><!DOCTYPE svg PUBLIC \"a\" \"b\">\n<svg width='1'></svg>";
        assert_eq!(kind(long), Ok("image/svg+xml"));
    }

    #[test]
    fn nothing_else_is_one() {
        for other in
            [b"".as_slice(), b"<html><svg/></html>", b"\x89PNG", b"GIF89a", b"<svgx/>", b"<!-- ", b"\xff\xfe"]
        {
            assert!(kind(other).unwrap_err().starts_with("is neither"), "{other:?}");
        }
        for active in [
            "<svg><SCRIPT>alert(1)</SCRIPT></svg>",
            "<svg><a href='javascript:alert(1)'/></svg>",
            "<!DOCTYPE svg [<!ENTITY x 'y'>]><svg/>",
        ] {
            assert!(kind(active.as_bytes()).is_err(), "{active}");
        }
        assert!(kind(&vec![b' '; 200_000]).unwrap_err().contains("more than"));
    }
}
