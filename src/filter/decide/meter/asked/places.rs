//! The places in a request's body that count, as a table of steps from one to the next.
//!
//! What must hold: a place is found only by its exact path, so a text in a tool's arguments or in a schema is never taken for a
//! field of the request. Lists of messages may lie within each other, so the table has circles.

use super::shape::RequestShape;

/// A place. Those up to [`Node::LAST_DECIDING`] may be there only once, and only in the API's own spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// The model's name.
    Model,
    /// A limit of the output.
    Cap,
    /// The newer name of it in chat.
    NewerCap,
    /// The object in which the limit is.
    CapGroup,
    /// How many answers are wanted.
    Choices,
    /// How many are made to choose from.
    BestOf,
    /// Whether the answer is streamed.
    Stream,
    /// The object in which usage is asked for.
    Options,
    /// Whether usage is asked for.
    IncludeUsage,
    /// The service tier.
    Tier,
    /// The object in which that is.
    TierGroup,
    /// Another word that changes the price: `speed`, `latency`.
    Speed,
    /// The object in which that is.
    SpeedGroup,
    /// Whether the answer comes later.
    Background,
    /// A JSON-RPC request's method.
    Method,
    /// Its parameters.
    Params,
    /// Its number.
    Id,
    /// What is called.
    Name,
    /// What is read.
    Uri,
    /// Metadata of the parameters.
    Meta,
    /// The version of the protocol.
    Version,
    /// The whole body, or one of a batch.
    Root,
    /// A list of messages.
    Messages,
    /// A message.
    Message,
    /// An identifier of a message, which may be all that there is of it.
    MessageId,
    /// What kind of message it is.
    MessageType,
    /// A message's content.
    Content,
    /// A part of it.
    Part,
    /// The URL of an image, or an object in which it is.
    ImageUrl,
    /// An object that holds an image's source.
    Image,
    /// An image's bytes.
    ImageData,
    /// A list of images.
    Images,
    /// Inline data of any type.
    Blob,
    /// Its type.
    BlobType,
    /// Its media type.
    BlobMime,
    /// Its bytes.
    BlobData,
    /// An object that holds tools.
    ToolConfig,
    /// A list of tools.
    Tools,
    /// A tool.
    Tool,
    /// A list of modalities.
    Modalities,
    /// A type of a tool or a modality.
    Kind,
    /// Prompts, each of which has answers of its own.
    Prompts,
    /// One of these.
    Prompt,
    /// Documents to rank.
    Documents,
    /// One of these.
    Document,
    /// What costs more than the body can tell.
    Opaque,
    /// All else.
    Other,
}

impl Node {
    /// See [`Node`].
    const LAST_DECIDING: Self = Self::Version;

    /// Its bit in a set of places that decide; 0: it may be there often.
    pub fn deciding(self) -> u32 {
        if self as u32 <= Self::LAST_DECIDING as u32 { 1 << self as u32 } else { 0 }
    }
}

/// In which shapes, by which name, and where it leads. `[]` is an item of a list, `*` any other name.
pub type Edge = (u32, &'static str, Node);

/// The items of a list.
pub const ITEM: &str = "[]";
/// Any other name.
pub const ELSE: &str = "*";

/// The mask of JSON-RPC requests.
pub const RPC: u32 = 1 << 31;
const ALL: u32 = RPC - 1;
const CHAT: u32 = RequestShape::Chat.bit();
const COMPLETIONS: u32 = RequestShape::Completions.bit();
const RESPONSES: u32 = RequestShape::Responses.bit();
const EMBEDDINGS: u32 = RequestShape::Embeddings.bit();
const IMAGES: u32 = RequestShape::Images.bit();
const AUDIO: u32 = RequestShape::Audio.bit();
const ANTHROPIC: u32 = RequestShape::Anthropic.bit();
const GEMINI: u32 = RequestShape::Gemini.bit();
const INTERACTIONS: u32 = RequestShape::Interactions.bit();
const MISTRAL: u32 = RequestShape::Mistral.bit();
const COHERE: u32 = RequestShape::CohereChat.bit();
const COHERE_EMBED: u32 = RequestShape::CohereEmbed.bit();
const RERANK: u32 = RequestShape::Rerank.bit();
const OLLAMA: u32 = RequestShape::OllamaChat.bit() | RequestShape::OllamaGenerate.bit();
const BEDROCK: u32 = RequestShape::Bedrock.bit();

/// What never streams, says so elsewhere, or streams as it answers otherwise.
const STREAMLESS: u32 = GEMINI | BEDROCK | EMBEDDINGS | RERANK | COHERE_EMBED | IMAGES | AUDIO;

const ROOT: &[Edge] = &[
    (ALL & !GEMINI & !BEDROCK, "model", Node::Model),
    (CHAT, "max_completion_tokens", Node::NewerCap),
    (CHAT | COMPLETIONS | ANTHROPIC | MISTRAL | COHERE, "max_tokens", Node::Cap),
    (RESPONSES, "max_output_tokens", Node::Cap),
    (CHAT | COMPLETIONS | MISTRAL | IMAGES, "n", Node::Choices),
    (COMPLETIONS, "best_of", Node::BestOf),
    (COMPLETIONS, "prompt", Node::Prompts),
    (ALL & !STREAMLESS, "stream", Node::Stream),
    (CHAT | COMPLETIONS, "stream_options", Node::Options),
    (CHAT | COMPLETIONS | RESPONSES | ANTHROPIC | INTERACTIONS | GEMINI | AUDIO, "service_tier", Node::Tier),
    (GEMINI, "serviceTier", Node::Tier),
    (BEDROCK, "serviceTier", Node::TierGroup),
    (ANTHROPIC, "speed", Node::Speed),
    (BEDROCK, "performanceConfig", Node::SpeedGroup),
    (RESPONSES | INTERACTIONS, "background", Node::Background),
    (GEMINI, "generationConfig", Node::CapGroup),
    (GEMINI | INTERACTIONS, "generation_config", Node::CapGroup),
    (OLLAMA, "options", Node::CapGroup),
    (BEDROCK, "inferenceConfig", Node::CapGroup),
    (ALL, "messages", Node::Messages),
    (RESPONSES, "input", Node::Messages),
    (INTERACTIONS, "input", Node::Blob),
    (GEMINI, "contents", Node::Messages),
    (COHERE_EMBED, "inputs", Node::Messages),
    (OLLAMA | COHERE_EMBED, "images", Node::Images),
    (RERANK, "documents", Node::Documents),
    (ALL, "tools", Node::Tools),
    (BEDROCK, "toolConfig", Node::ToolConfig),
    (INTERACTIONS, "response_modalities", Node::Modalities),
    (RESPONSES, "previous_response_id", Node::Opaque),
    (RESPONSES, "conversation", Node::Opaque),
    (RESPONSES, "prompt", Node::Opaque),
    (CHAT, "web_search_options", Node::Opaque),
    (CHAT, "audio", Node::Opaque),
    (ANTHROPIC, "container", Node::Opaque),
    (ANTHROPIC, "mcp_servers", Node::Opaque),
    (ANTHROPIC, "fallbacks", Node::Opaque),
    (ANTHROPIC, "compaction", Node::Opaque),
    (ANTHROPIC, "thread", Node::Opaque),
    (GEMINI | INTERACTIONS, "cached_content", Node::Opaque),
    (GEMINI | INTERACTIONS, "continuation_token", Node::Opaque),
    (INTERACTIONS, "previous_interaction_id", Node::Opaque),
    (INTERACTIONS, "environment", Node::Opaque),
    (INTERACTIONS, "agent", Node::Opaque),
    (MISTRAL, "agent_id", Node::Opaque),
    (BEDROCK, "promptVariables", Node::Opaque),
    (RPC, "method", Node::Method),
    (RPC, "params", Node::Params),
    (RPC, "id", Node::Id),
    (RPC, ITEM, Node::Root),
];

/// Where one may go from a place.
pub const fn edges(from: Node) -> &'static [Edge] {
    match from {
        Node::Root => ROOT,
        Node::CapGroup => &[
            (GEMINI, "maxOutputTokens", Node::Cap),
            (GEMINI | INTERACTIONS, "max_output_tokens", Node::Cap),
            (GEMINI, "candidateCount", Node::Choices),
            (GEMINI, "candidate_count", Node::Choices),
            (OLLAMA, "num_predict", Node::Cap),
            (BEDROCK, "maxTokens", Node::Cap),
            (GEMINI, "responseModalities", Node::Modalities),
        ],
        Node::Options => &[(ALL, "include_usage", Node::IncludeUsage)],
        Node::TierGroup => &[(ALL, "type", Node::Tier)],
        Node::SpeedGroup => &[(ALL, "latency", Node::Speed)],
        Node::Messages => &[(ALL, ITEM, Node::Message)],
        Node::Message => &[
            (GEMINI, "parts", Node::Content),
            (ALL, "content", Node::Content),
            (RESPONSES, "output", Node::Content),
            (RESPONSES, "id", Node::MessageId),
            (RESPONSES, "type", Node::MessageType),
            (OLLAMA, "images", Node::Images),
            (CHAT, "audio", Node::Opaque),
        ],
        Node::Content => &[(ALL, ITEM, Node::Part)],
        Node::Part => &[
            (ALL & !ANTHROPIC & !GEMINI & !BEDROCK, "image_url", Node::ImageUrl),
            (ANTHROPIC, "source", Node::Blob),
            (ANTHROPIC, "content", Node::Content),
            (GEMINI, "inlineData", Node::Blob),
            (GEMINI, "fileData", Node::Opaque),
            (BEDROCK, "image", Node::Image),
            (BEDROCK, "toolResult", Node::Message),
            (BEDROCK, "document", Node::Opaque),
            (BEDROCK, "video", Node::Opaque),
            (BEDROCK, "audio", Node::Opaque),
            (ALL, "input_audio", Node::Opaque),
            (ALL, "audio_url", Node::Opaque),
            (ALL, "video_url", Node::Opaque),
            (ALL, "document_url", Node::Opaque),
            (ALL, "file", Node::Opaque),
            (ALL, "file_id", Node::Opaque),
            (ALL, "file_url", Node::Opaque),
            (ALL, "file_data", Node::Opaque),
        ],
        Node::ImageUrl => &[(ALL, "url", Node::ImageUrl)],
        Node::Image => &[
            (BEDROCK, "source", Node::Image),
            (BEDROCK, "bytes", Node::ImageData),
            (BEDROCK, "s3Location", Node::Opaque),
        ],
        Node::Images => &[(OLLAMA, ITEM, Node::ImageData), (COHERE_EMBED, ITEM, Node::ImageUrl)],
        Node::Blob => &[
            (ALL, "type", Node::BlobType),
            (ALL, "data", Node::BlobData),
            (ANTHROPIC, "media_type", Node::BlobMime),
            (GEMINI | INTERACTIONS, "mime_type", Node::BlobMime),
            (INTERACTIONS, ITEM, Node::Blob),
            (INTERACTIONS, "content", Node::Blob),
            (ANTHROPIC, "content", Node::Content),
            (ALL, "url", Node::Opaque),
            (ALL, "uri", Node::Opaque),
            (ALL, "file_id", Node::Opaque),
        ],
        Node::ToolConfig => &[(BEDROCK, "tools", Node::Tools)],
        Node::Tools => &[(ALL, ITEM, Node::Tool)],
        Node::Tool => &[
            (GEMINI, "functionDeclarations", Node::Other),
            (BEDROCK, "toolSpec", Node::Other),
            (BEDROCK, "cachePoint", Node::Other),
            (GEMINI | BEDROCK, ELSE, Node::Opaque),
            (ALL, "type", Node::Kind),
        ],
        Node::Modalities => &[(ALL, ITEM, Node::Kind)],
        Node::Prompts => &[(ALL, ITEM, Node::Prompt)],
        Node::Documents => &[(ALL, ITEM, Node::Document)],
        Node::Params => &[(RPC, "name", Node::Name), (RPC, "uri", Node::Uri), (RPC, "_meta", Node::Meta)],
        Node::Meta => &[(RPC, "io.modelcontextprotocol/protocolVersion", Node::Version)],
        _ => &[],
    }
}
