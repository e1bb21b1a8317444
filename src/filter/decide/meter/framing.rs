//! How the body of an answer is cut into events, and an event's JSON found in it.
//!
//! - [`body`]: what reads an event's bytes.
//! - [`sse`]: server-sent events.
//! - [`eventstream`]: the binary frames of AWS.
//! - [`websocket`]: the frames that a server sends.
//! - Lines, a document, and a list of documents need no more than the scanner.
//!
//! What must hold: bytes are passed on as they arrive, and only a few are kept. Lengths are checked before they are
//! believed; where one is wrong, the rest of the answer is ignored.

pub mod body;
pub mod eventstream;
pub mod sse;
pub mod websocket;

use super::dialect::Dialect;
use body::Body;
use eventstream::EventStream;
use sse::Sse;
use websocket::WebSocket;

/// How an answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// JSON, a document in each line.
    Lines,
    /// A JSON document, or a list of them.
    Json,
    /// `application/vnd.amazon.eventstream`.
    EventStream,
    /// What a server sends after 101. Never chosen by a content type.
    WebSocket,
    /// Text that is all the model's.
    Text,
    /// Something that has neither text nor usage, such as sound.
    Opaque,
}

impl Framing {
    /// By a `content-type`. Where there is none, by the dialect.
    pub fn choose(content_type: Option<&str>, dialect: Dialect) -> Self {
        let name = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim_ascii();
        let is = |end: &str| {
            let start = name.len().checked_sub(end.len()).and_then(|start| name.get(start..));
            start.is_some_and(|found| found.eq_ignore_ascii_case(end))
        };
        let begins = |start: &str| name.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start));
        match () {
            () if name.is_empty() && dialect == Dialect::Ollama => Self::Lines,
            () if name.is_empty() => Self::Json,
            () if is("/event-stream") => Self::Sse,
            () if is("ndjson") || is("jsonl") || is("jsonlines") || is("json-lines") => Self::Lines,
            () if is("/json") || is("+json") => Self::Json,
            () if is(".amazon.eventstream") => Self::EventStream,
            () if begins("text/") => Self::Text,
            () => Self::Opaque,
        }
    }
}

/// Whether an answer with this `content-encoding` can't be read as it is. `identity`, and a header without a value, change
/// nothing.
pub fn is_compressed(content_encoding: Option<&[u8]>) -> bool {
    let mut codings = content_encoding.unwrap_or_default().split(|byte| *byte == b',');
    codings.any(|coding| {
        let coding = coding.trim_ascii();
        !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")
    })
}

/// Where in the frames it is.
pub enum Framer {
    /// See [`Framing::Sse`].
    Sse(Sse),
    /// See [`Framing::Lines`].
    Lines,
    /// See [`Framing::Json`].
    Json,
    /// See [`Framing::EventStream`].
    EventStream(EventStream),
    /// See [`Framing::WebSocket`].
    WebSocket(WebSocket),
    /// See [`Framing::Text`].
    Text,
    /// See [`Framing::Opaque`].
    Opaque,
}

impl Framer {
    /// Nothing has arrived.
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::Sse => Self::Sse(Sse::default()),
            Framing::Lines => Self::Lines,
            Framing::Json => Self::Json,
            Framing::EventStream => Self::EventStream(EventStream::default()),
            Framing::WebSocket => Self::WebSocket(WebSocket::default()),
            Framing::Text => Self::Text,
            Framing::Opaque => Self::Opaque,
        }
    }

    /// How the answer is framed.
    pub fn framing(&self) -> Framing {
        match self {
            Self::Sse(_) => Framing::Sse,
            Self::Lines => Framing::Lines,
            Self::Json => Framing::Json,
            Self::EventStream(_) => Framing::EventStream,
            Self::WebSocket(_) => Framing::WebSocket,
            Self::Text => Framing::Text,
            Self::Opaque => Framing::Opaque,
        }
    }

    /// Reads on.
    pub fn feed(&mut self, bytes: &[u8], body: &mut dyn Body) {
        match self {
            Self::Sse(sse) => sse.feed(bytes, body),
            Self::Lines => {
                for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
                    if index > 0 {
                        body.end_event();
                    }
                    body.data(line);
                }
            }
            Self::Json => body.data(bytes),
            Self::EventStream(stream) => stream.feed(bytes, body),
            Self::WebSocket(socket) => socket.feed(bytes, body),
            Self::Text => body.text(bytes),
            Self::Opaque => {}
        }
    }

    /// Where in a piece that has just been read its last whole event ends; `None`: none does, or there are no events.
    pub fn last_end(&self, piece: &[u8]) -> Option<usize> {
        match self {
            Self::Sse(_) => {
                let is_end = |at: &usize| {
                    let before = piece.get(..*at).unwrap_or_default();
                    [&b"\n\n"[..], b"\n\r\n", b"\r\r"].iter().any(|end| before.ends_with(end))
                };
                (2..=piece.len()).rev().find(is_end)
            }
            Self::Lines => piece.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1),
            Self::EventStream(stream) => stream.is_between().then_some(piece.len()),
            Self::WebSocket(socket) => socket.is_between().then_some(piece.len()),
            Self::Json | Self::Text | Self::Opaque => None,
        }
    }

    /// Nothing more will arrive.
    pub fn finish(&mut self, body: &mut dyn Body) {
        if let Self::Sse(sse) = self {
            sse.finish(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_says_how_an_answer_is_framed() {
        for (content_type, dialect, framing) in [
            (Some("text/event-stream; charset=utf-8"), Dialect::OpenAi, Framing::Sse),
            (Some("Text/Event-Stream"), Dialect::Auto, Framing::Sse),
            (Some("application/json"), Dialect::OpenAi, Framing::Json),
            (Some("application/problem+json;charset=utf-8"), Dialect::OpenAi, Framing::Json),
            (Some("application/x-ndjson"), Dialect::Ollama, Framing::Lines),
            (Some("application/jsonl"), Dialect::Cohere, Framing::Lines),
            (Some("application/vnd.amazon.eventstream"), Dialect::Bedrock, Framing::EventStream),
            (Some("text/plain"), Dialect::OpenAi, Framing::Text),
            (Some("audio/mpeg"), Dialect::OpenAi, Framing::Opaque),
            (Some("é"), Dialect::OpenAi, Framing::Opaque),
            (Some(""), Dialect::Anthropic, Framing::Json),
            (None, Dialect::Ollama, Framing::Lines),
        ] {
            assert_eq!(Framing::choose(content_type, dialect), framing, "{content_type:?}");
        }
    }

    #[test]
    fn only_identity_leaves_an_answer_readable() {
        for (content_encoding, is) in [
            (None, false),
            (Some(""), false),
            (Some(" "), false),
            (Some(" ,"), false),
            (Some("identity"), false),
            (Some("Identity, identity "), false),
            (Some("gzip"), true),
            (Some("br"), true),
            (Some("identity,gzip"), true),
            (Some("gzip, identity"), true),
            (Some("identity;q=1"), true),
            (Some("é"), true),
        ] {
            assert_eq!(is_compressed(content_encoding.map(str::as_bytes)), is, "{content_encoding:?}");
        }
        assert!(is_compressed(Some(b"\xFF")));
    }
}
