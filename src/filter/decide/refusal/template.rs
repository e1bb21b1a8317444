//! A rendered answer, in the bytes that proxy-wasm takes, with placeholders for the request's own values.
//!
//! What must hold: an answer's body repeats only the request's path, its id and its JSON-RPC id, and the model that has no price;
//! its headers repeat nothing of it, but for the message of gRPC-web, which is percent-encoded. Whatever they contain, the body
//! stays valid in its format.

use super::{MAX_REPEATED, RequestContext};
use crate::decide::base::text::quoted;
use std::borrow::Cow;

/// An answer with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseTemplate {
    /// The HTTP status.
    pub status: u16,
    /// The status of a gRPC answer, which has its own way out; its message is the body.
    pub grpc: Option<u8>,
    /// The headers; see [`Headers::written`].
    pub headers: Vec<u8>,
    /// The body, as far as it is the same for every request.
    pub(super) text: Text,
}

/// A text with placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    bytes: Vec<u8>,
    /// Where the placeholders are, in order.
    placeholders: Vec<(usize, Placeholder)>,
}

/// What fills a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placeholder {
    /// The number of the JSON-RPC request, as JSON.
    Number,
    /// The path, as a JSON string.
    Path,
    /// The JSON member with Envoy's id of the request, where it has one.
    RequestId,
}

/// The member that goes into [`Placeholder::RequestId`], up to its value.
const REQUEST_ID: &str = ",\"request_id\":";
/// Room for the text around the parts of a request.
const AROUND: usize = 32;

impl ResponseTemplate {
    /// The body for this request.
    pub fn body(&self, around: &RequestContext<'_>) -> Cow<'_, [u8]> {
        let Text { bytes, placeholders } = &self.text;
        if placeholders.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let path = repeated(around.path);
        let id = around.request_id.map(repeated);
        let number = around.rpc_id.unwrap_or("null");
        let of_request = path.len() + id.map_or(0, <[u8]>::len) + number.len() + AROUND;
        let mut body = Vec::with_capacity(bytes.len() + of_request);
        let mut from = 0;
        for (at, placeholder) in placeholders {
            body.extend_from_slice(bytes.get(from..*at).unwrap_or_default());
            from = *at;
            match (placeholder, id) {
                (Placeholder::Number, _) => body.extend_from_slice(number.as_bytes()),
                (Placeholder::Path, _) => quote(&mut body, path),
                (Placeholder::RequestId, Some(id)) => {
                    body.extend_from_slice(REQUEST_ID.as_bytes());
                    quote(&mut body, id);
                }
                (Placeholder::RequestId, None) => {}
            }
        }
        body.extend_from_slice(bytes.get(from..).unwrap_or_default());
        Cow::Owned(body)
    }

    /// Approximately how much memory it takes.
    pub(super) fn size(&self) -> usize {
        self.headers.len() + self.text.bytes.len()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { bytes: text.into_bytes(), placeholders: Vec::new() }
    }
}

impl Text {
    #[inline(never)]
    pub(super) fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// The text, where it has no placeholders.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As a JSON string.
    #[inline(never)]
    pub(super) fn quote(&mut self, text: &str) {
        quote(&mut self.bytes, text.as_bytes());
    }

    /// A name in JSON with its colon, and a string.
    pub(super) fn member(&mut self, name: &str, value: &str) {
        self.push(name);
        self.quote(value);
    }

    pub(super) fn placeholder(&mut self, placeholder: Placeholder) {
        self.placeholders.push((self.bytes.len(), placeholder));
    }
}

/// The part of a value that is repeated.
fn repeated(bytes: &[u8]) -> &[u8] {
    bytes.get(..MAX_REPEATED).unwrap_or(bytes)
}

/// Adds a JSON string; what isn't UTF-8 is replaced.
#[inline(never)]
fn quote(out: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
    } else {
        out.extend_from_slice(quoted(&String::from_utf8_lossy(text)).as_bytes());
    }
}

/// Whether a JSON string has it as it is: ASCII without quotation marks, backslashes and control characters. Eight bytes
/// are looked at at a time: a byte that is below a number borrows from its highest bit.
fn is_plain(text: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let below = |word: u64, number: u8| word.wrapping_sub(ONES * u64::from(number)) & !word;
    let holds = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let odd = |word: u64| (word | below(word, b' ') | holds(word, b'"') | holds(word, b'\\')) & HIGH;
    let plain = |word: &[u8; 8]| odd(u64::from_ne_bytes(*word)) == 0;
    match text.last_chunk() {
        // Some of the last eight are looked at twice.
        Some(last) => plain(last) && text.as_chunks().0.iter().all(plain),
        None => text.iter().all(|byte| plain(&[*byte; 8])),
    }
}

/// Headers to be sent to Envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// How many there are, and the sizes of each name and value.
    sizes: Vec<u8>,
    count: u32,
    /// Names and values, each with a zero behind.
    texts: Vec<u8>,
}

impl Default for Headers {
    fn default() -> Self {
        const ROOM: usize = 512;
        let mut sizes = Vec::with_capacity(ROOM);
        sizes.extend_from_slice(&[0; 4]);
        Self { sizes, count: 0, texts: Vec::with_capacity(ROOM) }
    }
}

impl Headers {
    /// Adds one, whose value is made of these parts. Names are in lower case.
    #[inline(never)]
    pub fn add(&mut self, name: &str, value: &[&str]) {
        let sum = value.iter().map(|part| part.len()).sum();
        for size in [name.len(), sum] {
            self.sizes.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        }
        self.count += 1;
        self.texts.extend_from_slice(name.as_bytes());
        self.texts.push(0);
        for part in value {
            self.texts.extend_from_slice(part.as_bytes());
        }
        self.texts.push(0);
    }

    /// As proxy-wasm takes a map of headers: how many there are, the two sizes of each, and then names and values, each
    /// with a zero behind.
    #[inline(never)]
    pub fn written(self) -> Vec<u8> {
        let Self { mut sizes, count, texts } = self;
        for (to, from) in sizes.iter_mut().zip(count.to_le_bytes()) {
            *to = from;
        }
        sizes.extend_from_slice(&texts);
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::base::head::Head;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn json_strings_match_serde_json(text in vec(prop_oneof![3 => b' '..=b'~', 1 => any::<u8>(), 1 => Just(b'"')], 0..40)) {
            let mut out = Vec::new();
            quote(&mut out, &text);
            prop_assert_eq!(String::from_utf8(out).unwrap(), quoted(&String::from_utf8_lossy(&text)));
        }

        #[test]
        fn plain_strings_are_those_that_serde_json_leaves_unescaped(text in vec(any::<u8>(), 0..20), at in 0_usize..20, byte in any::<u8>()) {
            let mut plain = vec![b'a'; text.len().max(1)];
            let at = at % plain.len();
            plain[at] = byte;
            for text in [text, plain] {
                let as_it_is = text.is_ascii() && quoted(&String::from_utf8_lossy(&text)).len() == text.len() + 2;
                prop_assert_eq!(is_plain(&text), as_it_is);
            }
        }

        #[test]
        fn headers_round_trip(headers in vec(("[a-z-]{1,12}", vec("[ -~]{0,9}", 0..3)), 0..9)) {
            let mut written = Headers::default();
            for (name, parts) in &headers {
                written.add(name, &parts.iter().map(String::as_str).collect::<Vec<_>>());
            }
            let written = written.written();
            let read = Head::read(&written);
            let read: Vec<_> = read.all().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
            let meant: Vec<_> = headers.iter().map(|(name, parts)| (name.clone().into_bytes(), parts.concat().into_bytes())).collect();
            prop_assert_eq!(read, meant);
        }
    }
}
