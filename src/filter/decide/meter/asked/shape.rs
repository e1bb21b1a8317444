//! The shapes of requests, and by which paths they are known.
//!
//! What must hold: spellings of one path are the same path; and a path that isn't known has no shape, so what has no shape must
//! not be free.

use super::walk::BodyError;
use crate::decide::base::spelling::{canonical, escape};

/// The longest name of a model, in bytes.
pub const MAX_MODEL_BYTES: usize = 256;

/// How an API's requests are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestShape {
    /// `OpenAI` chat completions, and what is compatible with them.
    Chat,
    /// `OpenAI` completions.
    Completions,
    /// `OpenAI` responses.
    Responses,
    /// Embeddings of `OpenAI` and Ollama.
    Embeddings,
    /// `OpenAI` images, also edited ones, which are sent as a form.
    Images,
    /// `OpenAI` transcription and translation of audio, which is sent as a form.
    Audio,
    /// Anthropic messages.
    Anthropic,
    /// Gemini `generateContent` and `streamGenerateContent`.
    Gemini,
    /// Gemini interactions.
    Interactions,
    /// Mistral chat, agents and fill-in-the-middle.
    Mistral,
    /// Cohere chat, version 2.
    CohereChat,
    /// Cohere embeddings, version 2.
    CohereEmbed,
    /// Cohere rerank.
    Rerank,
    /// Ollama chat.
    OllamaChat,
    /// Ollama generate.
    OllamaGenerate,
    /// Bedrock converse and converse-stream.
    Bedrock,
    /// A session over a WebSocket.
    Session,
}

/// The ends of paths, with `{}` for the name of a model. The first that fits counts.
const PATHS: [(&str, RequestShape); 31] = [
    ("/deployments/{}/chat/completions", RequestShape::Chat),
    ("/deployments/{}/completions", RequestShape::Completions),
    ("/deployments/{}/embeddings", RequestShape::Embeddings),
    ("/deployments/{}/images/generations", RequestShape::Images),
    ("/deployments/{}/images/edits", RequestShape::Images),
    ("/deployments/{}/audio/transcriptions", RequestShape::Audio),
    ("/deployments/{}/audio/translations", RequestShape::Audio),
    ("/chat/completions", RequestShape::Chat),
    ("/fim/completions", RequestShape::Mistral),
    ("/agents/completions", RequestShape::Mistral),
    ("/completions", RequestShape::Completions),
    ("/responses", RequestShape::Responses),
    ("/api/embed", RequestShape::Embeddings),
    ("/api/embeddings", RequestShape::Embeddings),
    ("/embeddings", RequestShape::Embeddings),
    ("/images/generations", RequestShape::Images),
    ("/images/edits", RequestShape::Images),
    ("/images/variations", RequestShape::Images),
    ("/audio/transcriptions", RequestShape::Audio),
    ("/audio/translations", RequestShape::Audio),
    ("/v1/messages", RequestShape::Anthropic),
    ("/models/{}:generateContent", RequestShape::Gemini),
    ("/models/{}:streamGenerateContent", RequestShape::Gemini),
    ("/interactions", RequestShape::Interactions),
    ("/v2/chat", RequestShape::CohereChat),
    ("/v2/embed", RequestShape::CohereEmbed),
    ("/rerank", RequestShape::Rerank),
    ("/api/chat", RequestShape::OllamaChat),
    ("/api/generate", RequestShape::OllamaGenerate),
    ("/model/{}/converse", RequestShape::Bedrock),
    ("/model/{}/converse-stream", RequestShape::Bedrock),
];

impl RequestShape {
    /// The shape of what is sent to this path; the query doesn't count.
    pub fn of(path: &[u8]) -> Option<Self> {
        found(&without_query(path)).map(|(shape, _)| shape)
    }

    /// Its bit in a table's mask.
    pub(super) const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The object, if any, and the member that limits the output; `None`: no member does.
    pub const fn cap(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Chat => ("", "max_completion_tokens"),
            Self::Completions | Self::Anthropic | Self::Mistral | Self::CohereChat => ("", "max_tokens"),
            Self::Responses => ("", "max_output_tokens"),
            Self::Gemini => ("generationConfig", "maxOutputTokens"),
            Self::Interactions => ("generation_config", "max_output_tokens"),
            Self::OllamaChat | Self::OllamaGenerate => ("options", "num_predict"),
            Self::Bedrock => ("inferenceConfig", "maxTokens"),
            Self::Embeddings
            | Self::Images
            | Self::Audio
            | Self::CohereEmbed
            | Self::Rerank
            | Self::Session => {
                return None;
            }
        })
    }
}

/// What the path of a request of this shape says: the model, and whether the answer is streamed if the body doesn't say.
pub fn path_says(shape: RequestShape, path: &[u8]) -> Result<(Option<String>, bool), BodyError> {
    let path = without_query(path);
    let model = match found(&path) {
        Some((of, model)) if of == shape && !model.is_empty() => Some(decoded(model)?),
        _ => None,
    };
    let is_stream = match shape {
        RequestShape::OllamaChat | RequestShape::OllamaGenerate => true,
        RequestShape::Gemini => path.ends_with(b":streamGenerateContent"),
        RequestShape::Bedrock => path.ends_with(b"/converse-stream"),
        _ => false,
    };
    Ok((model, is_stream))
}

/// The model that a query names: as `model`, or as `deployment`. `None`: none, or several.
pub fn query_model(path: &[u8]) -> Option<String> {
    let query = path.splitn(2, |byte| *byte == b'?').nth(1)?;
    let mut models = query.split(|byte| *byte == b'&').filter_map(|pair| {
        let (name, value) = pair.split_at_checked(pair.iter().position(|byte| *byte == b'=')?)?;
        let is_model = matches!(decoded(name).as_deref(), Ok("model" | "deployment"));
        is_model.then(|| decoded(value.get(1..).unwrap_or_default()))
    });
    let model = models.next()?.ok().filter(|model| !model.is_empty())?;
    models.next().is_none().then_some(model)
}

/// Whether one of these paths, or one below a prefix, is meant.
pub(super) fn ends_with(path: &[u8], ends: &[&str]) -> bool {
    let path = without_query(path);
    ends.iter().any(|end| path.ends_with(end.as_bytes()))
}

/// In its canonical form, and without what is behind it.
fn without_query(path: &[u8]) -> Vec<u8> {
    let mut form = canonical(path.split(|byte| b"?#".contains(byte)).next().unwrap_or_default());
    while form.last() == Some(&b'/') {
        form.pop();
    }
    form
}

/// The shape that a path in canonical form has, and the model in it.
fn found(path: &[u8]) -> Option<(RequestShape, &[u8])> {
    PATHS.iter().find_map(|(end, shape)| Some((*shape, fit(path, end)?)))
}

/// The model in a path, which is empty if the end has none; `None`: the path ends otherwise.
fn fit<'a>(path: &'a [u8], end: &str) -> Option<&'a [u8]> {
    let around = end.split_once('{').and_then(|(before, rest)| Some((before, rest.strip_prefix('}')?)));
    let Some((before, behind)) = around else {
        return path.ends_with(end.as_bytes()).then_some(b"");
    };
    let path = path.strip_suffix(behind.as_bytes())?;
    let at = path.iter().rposition(|byte| *byte == b'/')? + 1;
    let (path, model) = path.split_at_checked(at)?;
    (path.ends_with(before.as_bytes()) && !model.is_empty()).then_some(model)
}

/// A model's name, without escapes.
fn decoded(mut model: &[u8]) -> Result<String, BodyError> {
    let mut name = Vec::new();
    while let Some((&byte, behind)) = model.split_first() {
        let escaped = if byte == b'%' { escape(behind) } else { None };
        model = if escaped.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
        name.push(escaped.unwrap_or(byte));
    }
    if name.len() > MAX_MODEL_BYTES {
        return Err(BodyError::TooLong { name: "model" });
    }
    String::from_utf8(name).map_err(|_| BodyError::WrongType { name: "model" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_which_api_is_meant() {
        for (path, shape, model, is_stream) in [
            ("/v1/chat/completions", RequestShape::Chat, None, false),
            ("/v1beta/openai/chat/completions", RequestShape::Chat, None, false),
            ("/v1/chat/completion%73?x=/v1/messages", RequestShape::Chat, None, false),
            ("/v1/chat/completions/", RequestShape::Chat, None, false),
            (
                "/openai/deployments/my%20gpt/chat/completions?api-version=1",
                RequestShape::Chat,
                Some("my gpt"),
                false,
            ),
            ("/v1/completions", RequestShape::Completions, None, false),
            ("/v1/fim/completions", RequestShape::Mistral, None, false),
            ("/openai/v1/responses", RequestShape::Responses, None, false),
            ("/v1/embeddings", RequestShape::Embeddings, None, false),
            ("/api/embed", RequestShape::Embeddings, None, false),
            ("/v1/images/generations", RequestShape::Images, None, false),
            ("/v1/images/edits", RequestShape::Images, None, false),
            ("/v1/images/variations", RequestShape::Images, None, false),
            ("/v1/audio/transcriptions", RequestShape::Audio, None, false),
            ("/openai/deployments/w/audio/translations?x", RequestShape::Audio, Some("w"), false),
            ("/anthropic/v1/messages?beta=true", RequestShape::Anthropic, None, false),
            (
                "/v1beta/models/gemini-3.0-pro:generateContent",
                RequestShape::Gemini,
                Some("gemini-3.0-pro"),
                false,
            ),
            ("/v1beta/models/g%3AgenerateContent", RequestShape::Gemini, Some("g"), false),
            (
                "/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent?alt=sse",
                RequestShape::Gemini,
                Some("g"),
                true,
            ),
            ("/v1beta/interactions", RequestShape::Interactions, None, false),
            ("/v2/chat", RequestShape::CohereChat, None, false),
            ("/v2/embed", RequestShape::CohereEmbed, None, false),
            ("/v2/rerank", RequestShape::Rerank, None, false),
            ("/api/chat", RequestShape::OllamaChat, None, true),
            ("/api/generate", RequestShape::OllamaGenerate, None, true),
            (
                "/model/anthropic.claude-opus-5-v1%3A0/converse",
                RequestShape::Bedrock,
                Some("anthropic.claude-opus-5-v1:0"),
                false,
            ),
            (
                "/model/arn%3Aaws%3Abedrock%3Aus%3A1%3Aprofile%2Fus.x/converse-stream",
                RequestShape::Bedrock,
                Some("arn:aws:bedrock:us:1:profile/us.x"),
                true,
            ),
            ("/model/%C3%A9%252F/converse", RequestShape::Bedrock, Some("é%2F"), false),
        ] {
            assert_eq!(RequestShape::of(path.as_bytes()), Some(shape), "{path}");
            assert_eq!(
                path_says(shape, path.as_bytes()),
                Ok((model.map(str::to_owned), is_stream)),
                "{path}"
            );
        }
    }

    #[test]
    fn a_path_that_is_not_known_has_no_shape() {
        for path in [
            "",
            "/",
            "/v1/models",
            "/v1/messages/count_tokens",
            "/v1/messages/batches",
            "/v1/responses/resp_1",
            "/v1/responses/compact",
            "/v1beta/models/:generateContent",
            "/v1beta/models/g:countTokens",
            "/v1beta/models%2Fg:generateContent",
            "/model//converse",
            "/model/a/b/converse",
            "/v1/chat/completions%2F",
            "/v1/chat%2Fcompletions",
            "/v1/chat/completions;a",
            "/v1/images/edits/1",
            "/v1/audio/speech",
            "/xchat/completionsx",
        ] {
            assert_eq!(RequestShape::of(path.as_bytes()), None, "{path}");
        }
    }

    #[test]
    fn a_model_in_the_path_is_bounded() {
        let path = |model: &str| format!("/model/{model}/converse");
        let says = |model: &str| path_says(RequestShape::Bedrock, path(model).as_bytes());
        assert!(says(&"a".repeat(256)).is_ok());
        assert_eq!(says(&"a".repeat(257)), Err(BodyError::TooLong { name: "model" }));
        assert_eq!(says("%FF"), Err(BodyError::WrongType { name: "model" }));
    }
}
