//! Forms (`multipart/form-data`, RFC 7578), in which audio and images are sent to models.
//!
//! What must hold: two readers find the same fields in a form that is accepted. So it is as browsers and SDKs write it: nothing is
//! before the first boundary or behind the last one, headers aren't folded, and names have no escapes. What is in a file is skipped.

use super::walk::BodyError;
use crate::decide::base::bytes::{after, all_are, is_byte, is_token_byte};
use crate::decide::base::text::{cut, joined, quoted};

/// The most parts of a form.
const MAX_PARTS: usize = 64;
/// The longest headers of a part, in bytes.
const MAX_HEADERS: usize = 4_096;
/// The longest value that is read, in bytes: more than any may have that decides.
const MAX_FIELD: usize = 1_024;
/// The longest boundary, in bytes.
const MAX_BOUNDARY: usize = 70;

/// What is in a form.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Its fields as a JSON object, in their order. A file is `null`, and so is a long text.
    pub fields: String,
    /// The bytes of the values that aren't files.
    pub text_bytes: u64,
    /// How many files there are.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
}

/// The boundary by which a `content-type` says that the body is a form; `None`: it doesn't, or readers may disagree.
pub fn boundary(content_type: &[u8]) -> Option<&str> {
    let (kind, parameters) = cut(std::str::from_utf8(content_type).ok()?, b';');
    let boundary = parameter(parameters, "boundary")?.0?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    let is_sound = (1..=MAX_BOUNDARY).contains(&boundary.len()) && all_are(boundary.as_bytes(), plain);
    (kind.trim_ascii().eq_ignore_ascii_case("multipart/form-data") && is_sound).then_some(boundary)
}

/// Reads a whole form.
///
/// # Errors
/// It isn't well-formed, readers may disagree about it, or it has more than is allowed.
pub fn read(body: &[u8], boundary: &str) -> Result<Form, BodyError> {
    let mark = joined(&["\r\n--", boundary]);
    let mark = mark.as_bytes();
    let mut form = Form::default();
    let mut rest = after(body, mark.get(2..).unwrap_or_default()).ok_or(BodyError::Form { at: 0 })?;
    for _ in 0..=MAX_PARTS {
        let wrong = BodyError::Form { at: body.len().saturating_sub(rest.len()) };
        if matches!(rest, b"--" | b"--\r\n") {
            form.fields = joined(&["{", form.fields.get(1..).unwrap_or_default(), "}"]);
            return Ok(form);
        }
        rest = form.part(rest, mark).ok_or(wrong)?;
    }
    Err(BodyError::TooMuch { at: body.len().saturating_sub(rest.len()) })
}

impl Form {
    /// Takes the part behind a boundary, and gives what is behind the next one.
    fn part<'a>(&mut self, behind: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
        let part = after(behind, b"\r\n")?;
        let (part, rest) = part.split_at_checked(find(part, mark)?)?;
        let head = part.get(..part.len().min(MAX_HEADERS))?;
        let (head, _) = head.split_at_checked(find(head, b"\r\n\r\n")?)?;
        let value = part.get(head.len().saturating_add(4)..)?;
        let (name, is_file) = named(std::str::from_utf8(head).ok()?)?;
        let size = value.len() as u64;
        *(if is_file { &mut self.file_bytes } else { &mut self.text_bytes }) += size;
        self.files += u64::from(is_file);
        let text = if is_file || value.len() > MAX_FIELD {
            "null".to_owned()
        } else {
            literal(std::str::from_utf8(value).ok()?)
        };
        // Some readers take `model[]` for `model`: then it is spelt almost like that.
        let name = match cut(name, b'[') {
            (name, Some(_)) => quoted(&joined(&[name, "_"])),
            (name, None) => quoted(name),
        };
        self.fields.push_str(&joined(&[",", &name, ":", &text]));
        rest.get(mark.len()..)
    }
}

/// A field's value in JSON, where numbers are no text.
fn literal(text: &str) -> String {
    let is_number = all_are(text.as_bytes(), |byte| byte.is_ascii_digit());
    if is_number && (text.len() == 1 || !text.starts_with('0')) && !text.is_empty() {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// The name in a part's headers, and whether the part is a file.
#[inline(never)]
fn named(head: &str) -> Option<(&str, bool)> {
    let (mut found, mut rest) = (None, head);
    loop {
        let end = find(rest.as_bytes(), b"\r\n");
        let line = rest.get(..end.unwrap_or(rest.len()))?;
        let (name, value) = cut(line, b':');
        let value = value?.trim_ascii();
        if !all_are(name.as_bytes(), is_token_byte)
            || !all_are(line.as_bytes(), |byte| byte >= b' ' || byte == b'\t')
        {
            return None;
        }
        if name.eq_ignore_ascii_case("content-disposition") {
            let (kind, parameters) = cut(value, b';');
            let (name, is_file) = parameter(parameters, "name")?;
            if found.is_some() || kind != "form-data" || value.as_bytes().contains(&b'\\') {
                return None;
            }
            found = Some((name?, is_file));
        } else if name.eq_ignore_ascii_case("content-transfer-encoding")
            && !matches!(value, "binary" | "8bit" | "7bit")
        {
            // Some readers decode what is encoded so.
            return None;
        }
        let Some(end) = end else { return found };
        rest = rest.get(end + 2..)?;
    }
}

/// The parameter of this name behind a header's first word, if it is there, and whether one names a file; `None`: readers may
/// disagree.
#[inline(never)]
fn parameter<'a>(parameters: Option<&'a str>, wanted: &str) -> Option<(Option<&'a str>, bool)> {
    let (mut found, mut is_file, mut rest) = (None, false, parameters);
    while let Some(next) = rest {
        let (name, behind) = cut(next.trim_ascii_start(), b'=');
        let behind = behind?;
        let (value, behind) = if let Some(quoted) = behind.strip_prefix('"') {
            let (value, behind) = cut(quoted, b'"');
            let (blank, next) = cut(behind?, b';');
            (value, blank.trim_ascii().is_empty().then_some(next)?)
        } else {
            let (value, next) = cut(behind, b';');
            let value = value.trim_ascii();
            (all_are(value.as_bytes(), |byte| byte > b' ' && byte != b'"').then_some(value)?, next)
        };
        rest = behind;
        if !all_are(name.as_bytes(), is_token_byte) {
            return None;
        }
        let begins = |with: &str| {
            name.as_bytes().get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with.as_bytes()))
        };
        is_file |= begins("filename");
        // RFC 2231 has `name*` and `name*0`, which some readers take for it.
        if begins(wanted) {
            if found.is_some() || name.len() != wanted.len() {
                return None;
            }
            found = Some(value);
        }
    }
    Some((found, is_file))
}

/// Where this is that begins with a carriage return, of which files have few.
fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    let mut at: usize = 0;
    loop {
        let rest = bytes.get(at..)?;
        let without = |eight: &&[u8; 8]| is_byte(u64::from_le_bytes(**eight), b'\r') == 0;
        at += rest.as_chunks().0.iter().take_while(without).count() * 8;
        at += bytes.get(at..)?.iter().position(|byte| *byte == b'\r')?;
        if after(bytes.get(at..)?, mark).is_some() {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests;
