//! Which AI APIs there are, and which one a path belongs to.

/// Dialects as a set. Mistral has all of OpenAI's, and what Claude says within Bedrock is Anthropic's.
pub(super) mod bits {
    pub const OPENAI: u8 = 1;
    pub const ANTHROPIC: u8 = 1 << 1;
    pub const GEMINI: u8 = 1 << 2;
    pub const MISTRAL: u8 = 1 << 3;
    pub const COHERE: u8 = 1 << 4;
    pub const OLLAMA: u8 = 1 << 5;
    pub const BEDROCK: u8 = 1 << 6;
    pub const ALL: u8 = u8::MAX;
}

/// Whose format an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI, and the many that follow it: chat, completions, responses, embeddings, images, transcription, realtime.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's generateContent, streamGenerateContent and interactions.
    Gemini,
    /// Mistral: as OpenAI, and OCR.
    Mistral,
    /// Cohere's chat, rerank and embed.
    Cohere,
    /// Ollama's own API.
    Ollama,
    /// Bedrock's Converse, and Claude's answers to InvokeModel that aren't streamed.
    Bedrock,
    /// Any of them, recognised by the answer's fields.
    Auto,
}

/// What a path ends with, and whose it is. The first that fits counts.
const PATHS: &[(&str, Dialect)] = &[
    ("/fim/completions", Dialect::Mistral),
    ("/ocr", Dialect::Mistral),
    ("/completions", Dialect::OpenAi),
    ("/responses", Dialect::OpenAi),
    ("/embeddings", Dialect::OpenAi),
    ("/images/generations", Dialect::OpenAi),
    ("/images/edits", Dialect::OpenAi),
    ("/images/variations", Dialect::OpenAi),
    ("/audio/transcriptions", Dialect::OpenAi),
    ("/audio/translations", Dialect::OpenAi),
    ("/realtime", Dialect::OpenAi),
    ("/v1/messages", Dialect::Anthropic),
    (":generateContent", Dialect::Gemini),
    (":streamGenerateContent", Dialect::Gemini),
    ("/interactions", Dialect::Gemini),
    ("/converse", Dialect::Bedrock),
    ("/converse-stream", Dialect::Bedrock),
    ("/v2/chat", Dialect::Cohere),
    ("/v2/rerank", Dialect::Cohere),
    ("/v2/embed", Dialect::Cohere),
    ("/api/chat", Dialect::Ollama),
    ("/api/generate", Dialect::Ollama),
    ("/api/embed", Dialect::Ollama),
];

impl Dialect {
    /// All of them.
    pub const EVERY: [Self; 8] = [
        Self::OpenAi,
        Self::Anthropic,
        Self::Gemini,
        Self::Mistral,
        Self::Cohere,
        Self::Ollama,
        Self::Bedrock,
        Self::Auto,
    ];

    /// Its name in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Mistral => "mistral",
            Self::Cohere => "cohere",
            Self::Ollama => "ollama",
            Self::Bedrock => "bedrock",
            Self::Auto => "auto",
        }
    }

    /// The dialect of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|dialect| dialect.name() == name)
    }

    /// The dialect that a request's path (`:path`, with or without a query) belongs to. `Auto` where the path doesn't say:
    /// then the answer's fields decide.
    pub fn detect(path: &str) -> Self {
        let path = path.split(['?', '#']).next().unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        PATHS.iter().find(|(end, _)| path.ends_with(end)).map_or(Self::Auto, |(_, dialect)| *dialect)
    }

    /// As a set.
    pub(super) const fn bits(self) -> u8 {
        match self {
            Self::OpenAi => bits::OPENAI,
            Self::Anthropic => bits::ANTHROPIC,
            Self::Gemini => bits::GEMINI,
            Self::Mistral => bits::OPENAI | bits::MISTRAL,
            Self::Cohere => bits::COHERE,
            Self::Ollama => bits::OLLAMA,
            Self::Bedrock => bits::BEDROCK | bits::ANTHROPIC,
            Self::Auto => bits::ALL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_whose_it_is() {
        for (path, dialect) in [
            ("/v1/chat/completions", Dialect::OpenAi),
            ("/openai/deployments/gpt/chat/completions?api-version=2026-10-01", Dialect::OpenAi),
            ("/v1beta/openai/chat/completions", Dialect::OpenAi),
            ("/v1/responses/", Dialect::OpenAi),
            ("/v1/realtime?model=gpt-realtime", Dialect::OpenAi),
            ("/anthropic/v1/messages?beta=true", Dialect::Anthropic),
            ("/v1/threads/thread_1/messages", Dialect::Auto),
            ("/v1beta/models/gemini-3:streamGenerateContent?alt=sse", Dialect::Gemini),
            ("/v1beta/interactions", Dialect::Gemini),
            ("/model/eu.anthropic.claude/converse-stream", Dialect::Bedrock),
            ("/model/eu.anthropic.claude/invoke", Dialect::Auto),
            ("/v1/fim/completions", Dialect::Mistral),
            ("/v1/ocr", Dialect::Mistral),
            ("/v2/chat", Dialect::Cohere),
            ("/v1/rerank", Dialect::Auto),
            ("/api/chat", Dialect::Ollama),
            ("/", Dialect::Auto),
            ("", Dialect::Auto),
        ] {
            assert_eq!(Dialect::detect(path), dialect, "{path}");
        }
    }

    #[test]
    fn a_dialect_is_found_by_its_name() {
        for dialect in Dialect::EVERY {
            assert_eq!(Dialect::named(dialect.name()), Some(dialect));
        }
        assert_eq!(Dialect::named("OpenAI"), None);
    }
}
