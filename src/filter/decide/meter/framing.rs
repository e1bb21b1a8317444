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

use super::answer::Answer;
use super::dialect::Dialect;
use super::found::Sink;
use super::paths::TREE;
use super::scan::Scanner;
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
        let name = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
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

/// Where in the frames it is.
enum Framer {
    Sse(Sse),
    Lines,
    Json,
    EventStream(EventStream),
    WebSocket(WebSocket),
    Text,
    Opaque,
}

/// An answer as it arrives.
pub struct Frames {
    framer: Framer,
    body: Body,
}

impl Frames {
    /// Nothing has arrived.
    pub fn new(dialect: Dialect, framing: Framing) -> Self {
        let framer = match framing {
            Framing::Sse => Framer::Sse(Sse::default()),
            Framing::Lines => Framer::Lines,
            Framing::Json => Framer::Json,
            Framing::EventStream => Framer::EventStream(EventStream::default()),
            Framing::WebSocket => Framer::WebSocket(WebSocket::default()),
            Framing::Text => Framer::Text,
            Framing::Opaque => Framer::Opaque,
        };
        let scanner = Scanner::new(&TREE, dialect.bits());
        Self { framer, body: Body { scanner, answer: Answer::new(framing == Framing::WebSocket) } }
    }

    /// Reads on.
    pub fn feed(&mut self, bytes: &[u8]) {
        let body = &mut self.body;
        match &mut self.framer {
            Framer::Sse(sse) => sse.feed(bytes, body),
            Framer::Lines => {
                for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
                    if index > 0 {
                        body.end_event();
                    }
                    body.data(line);
                }
            }
            Framer::Json => body.data(bytes),
            Framer::EventStream(stream) => stream.feed(bytes, body),
            Framer::WebSocket(socket) => socket.feed(bytes, body),
            Framer::Text => body.answer.output(bytes.len()),
            Framer::Opaque => {}
        }
    }

    /// Nothing more will arrive.
    pub fn finish(mut self) -> Answer {
        if let Framer::Sse(sse) = &mut self.framer {
            sse.finish(&mut self.body);
        }
        let mut answer = self.body.answer;
        if self.body.scanner.is_outside() {
            answer.end_event();
            if matches!(self.framer, Framer::Json) && answer.has_documents() {
                answer.end();
            }
        }
        answer
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
}
