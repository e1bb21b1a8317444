//! What an API answers, in pieces: each has some bytes, so much of the model's text, and what usage is known once it has arrived.

use super::steering::Steering;
use faregate_protocol::metering::Quantities;
use serde_json::Value;

/// What a request says.
pub(super) struct Asked {
    /// The path, with its query.
    pub path: String,
    pub body: Value,
    /// Whether the body wants a stream; `None`: it doesn't say.
    pub stream: Option<bool>,
}

impl Asked {
    /// `None`: the body is no JSON object.
    pub fn read(path: &str, body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let stream = body["stream"].as_bool();
        body.is_object().then(|| Self { path: path.to_owned(), body, stream })
    }

    /// The model that the body names.
    pub fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }
}

/// A part of an answer that is sent at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    pub bytes: Vec<u8>,
    /// The bytes of the model's text in it.
    pub text: u64,
    /// All usage that is known after it.
    pub usage: Option<Quantities>,
}

impl Piece {
    /// One without text and without usage.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    pub fn text(mut self, text: &str) -> Self {
        self.text = text.len() as u64;
        self
    }

    pub fn usage(mut self, usage: Option<Quantities>) -> Self {
        self.usage = usage;
        self
    }
}

/// An answer.
pub(super) struct Reply {
    /// The content type.
    pub kind: &'static str,
    pub streamed: bool,
    pub pieces: Vec<Piece>,
    /// What comes in place of the rest if there is an error.
    pub error: Vec<u8>,
    /// The connection breaks at the end.
    pub broken: bool,
}

impl Reply {
    /// An answer that is one JSON document.
    pub fn document(body: &Value, text: u64, usage: Option<Quantities>) -> Self {
        let piece = Piece { bytes: body.to_string().into_bytes(), text, usage };
        let error =
            serde_json::json!({"type": "error", "error": {"type": "api_error", "message": "steered"}});
        Self {
            kind: "application/json",
            streamed: false,
            pieces: vec![piece],
            error: error.to_string().into_bytes(),
            broken: false,
        }
    }

    /// A stream of server-sent events.
    pub fn events(pieces: Vec<Piece>, error: Vec<u8>) -> Self {
        Self { kind: "text/event-stream", streamed: true, pieces, error, broken: false }
    }

    /// With an error, or without its end, as it is steered.
    pub fn steered(mut self, steering: &Steering) -> Self {
        if let Some(words) = steering.error_after {
            self.pieces.truncate(self.until(words));
            self.pieces.push(Piece::of(self.error.clone()));
        }
        if let Some(words) = steering.cut_after {
            self.pieces.truncate(self.until(words));
            self.broken = true;
            if let (false, [whole, ..]) = (self.streamed, self.pieces.as_mut_slice()) {
                let half = whole.bytes.len() / 2;
                *whole = Piece { text: whole.text, ..Piece::of(whole.bytes[..half].to_vec()) };
            }
        }
        self
    }

    /// How many pieces there are up to the end of so many words; an answer that isn't streamed is one word.
    fn until(&self, words: u64) -> usize {
        if !self.streamed {
            return usize::from(words > 0);
        }
        let mut seen = 0;
        let is_over = |piece: &Piece| {
            let is_over = seen >= words && piece.text > 0;
            seen += u64::from(piece.text > 0);
            is_over
        };
        self.pieces.iter().position(is_over).unwrap_or(self.pieces.len())
    }
}

/// A server-sent event, with its name where the API gives it one.
pub(super) fn event(name: Option<&str>, data: &Value) -> Vec<u8> {
    let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{name}data: {data}\n\n").into_bytes()
}

/// An event that is named by its `type`.
pub(super) fn typed(data: &Value) -> Vec<u8> {
    event(data["type"].as_str(), data)
}
