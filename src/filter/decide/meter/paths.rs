//! Where the answers of each dialect have their numbers, and the model's text.
//!
//! A tree of object keys. `*` is any item of a list. Each node names the dialects that know it, so one tree serves all.
//! Sources: the providers' SDKs of November 2026.
//!
//! What must hold: nothing below a place where a model or a caller chooses the keys (a tool's arguments, metadata) takes
//! anything but [`Take::Weigh`]. The tree isn't deeper than [`super::scan::MAX_DEPTH`].

use super::counts::Slot;
use super::dialect::bits::{
    ALL, ANTHROPIC as A, BEDROCK as B, COHERE as C, GEMINI as G, MISTRAL as M, OLLAMA as L, OPENAI as O,
};
use super::labels::Items;
use super::node::{Node, Take, Tree, count, inner, leaf, taking, text, weighed};

/// What all dialects have.
pub static TREE: Tree = Tree::new(DOCUMENT);

const DOCUMENT: &[Node] = &[
    // What is in all or most of them, and in each event of a stream, first.
    inner(O, "choices", &[inner(O, "*", CHOICE)]),
    taking(ALL, "delta", Take::Output, DELTA),
    leaf(O | A | C, "type", Take::Kind),
    leaf(O | A | L | G, "model", Take::Model),
    leaf(O | G, "service_tier", Take::Tier),
    taking(ALL, "usage", Take::Usage, USAGE),
    leaf(ALL, "error", Take::Error),
    taking(A | C | L, "message", Take::Nothing, MESSAGE),
    taking(A | C, "content", Take::Output, &[inner(A | C, "*", BLOCK)]),
    taking(O | L, "response", Take::Output, RESPONSE),
    inner(O | B, "output", &[inner(O, "*", OUTPUT_ITEM), inner(B, "message", CONVERSE_MESSAGE)]),
    text(O, "text"),
    inner(O, "tool_usage", TOOL_USAGE),
    taking(O, "usage_info", Take::Usage, &[count(M, "pages_processed", Slot::Page)]),
    inner(G, "candidates", &[inner(G, "*", CANDIDATE)]),
    inner(G, "promptFeedback", &[leaf(G, "blockReason", Take::End)]),
    taking(G, "usageMetadata", Take::Usage, USAGE_METADATA),
    leaf(G, "modelVersion", Take::Model),
    leaf(G, "event_type", Take::Kind),
    inner(G, "interaction", INTERACTION),
    inner(G, "steps", &[inner(G, "*", STEP)]),
    inner(C, "meta", &[taking(C, "billed_units", Take::Usage, BILLED_UNITS)]),
    count(L, "prompt_eval_count", Slot::Input),
    count(L, "eval_count", Slot::Output),
    text(L, "thinking"),
    leaf(L, "done", Take::End),
    inner(B, "metrics", &[leaf(B, "latencyMs", Take::End)]),
    inner(B, "serviceTier", &[leaf(B, "type", Take::Tier)]),
];

/// Chat and completions, streamed and not.
const CHOICE: &[Node] =
    &[inner(O, "delta", CHAT_MESSAGE), inner(O, "message", CHAT_MESSAGE), text(O, "text")];

const CHAT_MESSAGE: &[Node] = &[
    taking(O, "content", Take::Output, &[inner(O, "*", CHAT_PART)]),
    text(O, "reasoning_content"),
    text(O, "reasoning"),
    text(O, "refusal"),
    inner(O, "tool_calls", &[inner(O, "*", TOOL_CALL)]),
    inner(O, "function_call", FUNCTION),
    inner(O, "audio", &[text(O, "transcript")]),
];

const CHAT_PART: &[Node] = &[text(O, "text"), inner(O, "thinking", &[inner(O, "*", &[text(O, "text")])])];

const TOOL_CALL: &[Node] = &[inner(ALL, "function", FUNCTION), inner(O, "custom", &[text(O, "input")])];

const FUNCTION: &[Node] = &[text(ALL, "name"), weighed(ALL, "arguments")];

/// OpenAI's responses: events have a string here. The others have an object.
const DELTA: &[Node] = &[
    text(A | B | G, "text"),
    text(A, "partial_json"),
    text(A, "thinking"),
    taking(A | G, "content", Take::Output, &[text(G, "text")]),
    text(G, "arguments"),
    inner(B, "toolUse", &[weighed(B, "input")]),
    inner(B, "reasoningContent", &[text(B, "text")]),
    inner(C, "message", COHERE_MESSAGE),
    taking(C, "usage", Take::Nothing, COHERE_USAGE),
    leaf(C, "error", Take::Error),
];

/// Anthropic's, Cohere's and Ollama's messages.
const MESSAGE: &[Node] = &[
    taking(C | L, "content", Take::Output, &[inner(C, "*", BLOCK)]),
    text(L, "thinking"),
    text(C, "tool_plan"),
    inner(C | L, "tool_calls", &[inner(C | L, "*", TOOL_CALL)]),
    leaf(A, "model", Take::Model),
    taking(A, "usage", Take::Usage, USAGE),
];

/// In events of Cohere's, lists have become objects.
const COHERE_MESSAGE: &[Node] =
    &[inner(C, "content", BLOCK), text(C, "tool_plan"), inner(C, "tool_calls", TOOL_CALL)];

const BLOCK: &[Node] =
    &[text(A | C, "text"), text(A | C, "thinking"), weighed(A, "input"), text(A, "content")];

/// An answer inside an event of OpenAI's. Its text came before.
const RESPONSE: &[Node] = &[
    leaf(O, "model", Take::Model),
    leaf(O, "service_tier", Take::Tier),
    leaf(O, "error", Take::Error),
    taking(O, "usage", Take::Usage, USAGE),
    inner(O, "tool_usage", TOOL_USAGE),
];

const OUTPUT_ITEM: &[Node] = &[
    inner(O, "content", &[inner(O, "*", &[text(O, "text"), text(O, "refusal")])]),
    inner(O, "summary", &[inner(O, "*", &[text(O, "text")])]),
    text(O, "arguments"),
    text(O, "input"),
    text(O, "code"),
];

const TOOL_USAGE: &[Node] = &[
    taking(O, "web_search", Take::Usage, &[count(O, "num_requests", Slot::ToolSearch)]),
    taking(
        O,
        "image_gen",
        Take::Usage,
        &[count(O, "input_tokens", Slot::ImageToolInput), count(O, "output_tokens", Slot::ImageToolOutput)],
    ),
];

const USAGE: &[Node] = &[
    // OpenAI and those that follow it: what is cached or written lies inside.
    count(O, "prompt_tokens", Slot::Prompt),
    count(O, "completion_tokens", Slot::Completion),
    count(O, "total_tokens", Slot::Total),
    inner(O, "prompt_tokens_details", INPUT_DETAILS),
    inner(O, "completion_tokens_details", OUTPUT_DETAILS),
    count(O | A, "input_tokens", Slot::Input),
    count(O | A, "output_tokens", Slot::Output),
    inner(O, "input_tokens_details", INPUT_DETAILS),
    inner(O, "input_token_details", INPUT_DETAILS),
    inner(O | A, "output_tokens_details", OUTPUT_DETAILS),
    inner(O, "output_token_details", OUTPUT_DETAILS),
    count(O, "seconds", Slot::Second),
    count(O, "prompt_audio_seconds", Slot::Second),
    // Anthropic: the cache lies beside.
    count(A, "cache_read_input_tokens", Slot::ReadBeside),
    count(A, "cache_creation_input_tokens", Slot::WriteBeside),
    inner(
        A,
        "cache_creation",
        &[
            count(A, "ephemeral_5m_input_tokens", Slot::WriteShort),
            count(A, "ephemeral_1h_input_tokens", Slot::Write1h),
        ],
    ),
    inner(A, "server_tool_use", &[count(A, "web_search_requests", Slot::Search)]),
    leaf(A, "service_tier", Take::Tier),
    leaf(A, "speed", Take::Speed),
    taking(A, "iterations", Take::List(Items::Iterations), &[taking(A, "*", Take::Item, ITERATION)]),
    // Bedrock: the cache lies beside, too.
    count(B, "inputTokens", Slot::Input),
    count(B, "outputTokens", Slot::Output),
    count(B, "cacheReadInputTokens", Slot::ReadBeside),
    count(B, "cacheWriteInputTokens", Slot::WriteBeside),
    taking(
        B,
        "cacheDetails",
        Take::List(Items::Lifetimes),
        &[taking(B, "*", Take::Item, &[leaf(B, "ttl", Take::Label), leaf(B, "inputTokens", Take::Part(0))])],
    ),
    // Gemini's interactions.
    count(G, "total_input_tokens", Slot::Input),
    count(G, "total_output_tokens", Slot::Output),
    count(G, "total_thought_tokens", Slot::ReasoningBeside),
    count(G, "total_cached_tokens", Slot::ReadInside),
    count(G, "total_tool_use_tokens", Slot::ToolInput),
    taking(G, "input_tokens_by_modality", Take::List(Items::InputModalities), MODALITIES),
    taking(G, "cached_tokens_by_modality", Take::List(Items::ReadModalities), MODALITIES),
    taking(G, "output_tokens_by_modality", Take::List(Items::OutputModalities), MODALITIES),
    taking(
        G,
        "grounding_tool_count",
        Take::List(Items::Searches),
        &[taking(G, "*", Take::Item, &[leaf(G, "type", Take::Label), leaf(G, "count", Take::Part(0))])],
    ),
    // Cohere.
    taking(C, "billed_units", Take::Usage, BILLED_UNITS),
];

const INPUT_DETAILS: &[Node] = &[
    count(O, "cached_tokens", Slot::ReadInside),
    count(O, "cache_write_tokens", Slot::WriteInside),
    inner(
        O,
        "cache_write_tokens_details",
        &[count(O, "ttl_30m_tokens", Slot::WriteShort), count(O, "ttl_12h_tokens", Slot::Write12h)],
    ),
    count(O, "audio_tokens", Slot::AudioInput),
    count(O, "image_tokens", Slot::ImageInput),
    inner(
        O,
        "cached_tokens_details",
        &[count(O, "audio_tokens", Slot::AudioRead), count(O, "image_tokens", Slot::ImageRead)],
    ),
];

const OUTPUT_DETAILS: &[Node] = &[
    count(O, "reasoning_tokens", Slot::ReasoningInside),
    count(A, "thinking_tokens", Slot::ReasoningInside),
    count(O, "audio_tokens", Slot::AudioOutput),
    count(O, "image_tokens", Slot::ImageOutput),
];

const ITERATION: &[Node] = &[
    leaf(A, "type", Take::Label),
    leaf(A, "input_tokens", Take::Part(0)),
    leaf(A, "output_tokens", Take::Part(1)),
    leaf(A, "cache_read_input_tokens", Take::Part(2)),
    leaf(A, "cache_creation_input_tokens", Take::Part(3)),
    inner(A, "cache_creation", &[leaf(A, "ephemeral_1h_input_tokens", Take::Part(4))]),
];

const COHERE_USAGE: &[Node] = &[taking(C, "billed_units", Take::Usage, BILLED_UNITS)];

const BILLED_UNITS: &[Node] = &[
    count(C, "input_tokens", Slot::Input),
    count(C, "output_tokens", Slot::Output),
    count(C, "image_tokens", Slot::ImageInput),
    count(C, "search_units", Slot::Search),
    count(C, "pages", Slot::Page),
];

const CONVERSE_MESSAGE: &[Node] = &[inner(B, "content", &[inner(B, "*", CONVERSE_BLOCK)])];

const CONVERSE_BLOCK: &[Node] = &[
    text(B, "text"),
    inner(B, "toolUse", &[weighed(B, "input")]),
    inner(B, "reasoningContent", &[inner(B, "reasoningText", &[text(B, "text")])]),
];

const CANDIDATE: &[Node] =
    &[inner(G, "content", &[inner(G, "parts", &[inner(G, "*", PART)])]), leaf(G, "finishReason", Take::End)];

const PART: &[Node] = &[
    text(G, "text"),
    inner(G, "functionCall", &[text(G, "name"), weighed(G, "args")]),
    inner(G, "executableCode", &[text(G, "code")]),
];

/// Thoughts lie beside the candidates, what tools brought beside the prompt, the cache inside.
const USAGE_METADATA: &[Node] = &[
    count(G, "promptTokenCount", Slot::Input),
    count(G, "candidatesTokenCount", Slot::Output),
    count(G, "thoughtsTokenCount", Slot::ReasoningBeside),
    count(G, "toolUsePromptTokenCount", Slot::ToolInput),
    count(G, "cachedContentTokenCount", Slot::ReadInside),
    taking(G, "promptTokensDetails", Take::List(Items::InputModalities), MODALITIES),
    taking(G, "cacheTokensDetails", Take::List(Items::ReadModalities), MODALITIES),
    taking(G, "candidatesTokensDetails", Take::List(Items::OutputModalities), MODALITIES),
    leaf(G, "trafficType", Take::Tier),
    leaf(G, "serviceTier", Take::Tier),
];

const MODALITIES: &[Node] = &[taking(
    G,
    "*",
    Take::Item,
    &[
        leaf(G, "modality", Take::Label),
        leaf(G, "tokenCount", Take::Part(0)),
        leaf(G, "tokens", Take::Part(0)),
    ],
)];

const INTERACTION: &[Node] = &[
    leaf(G, "model", Take::Model),
    leaf(G, "service_tier", Take::Tier),
    taking(G, "usage", Take::Usage, USAGE),
];

const STEP: &[Node] = &[
    inner(G, "content", &[inner(G, "*", &[text(G, "text")])]),
    inner(G, "summary", &[inner(G, "*", &[text(G, "text")])]),
    text(G, "name"),
    weighed(G, "arguments"),
];

#[cfg(test)]
mod tests {
    use super::super::scan::MAX_DEPTH;
    use super::*;

    fn depth(node: &Node) -> usize {
        if node.children.is_empty() { 0 } else { 1 + node.children.iter().map(depth).max().unwrap_or(0) }
    }

    #[test]
    fn no_path_is_too_deep() {
        assert!(depth(&TREE.root) <= MAX_DEPTH, "{}", depth(&TREE.root));
    }

    #[test]
    fn no_dialect_knows_two_nodes_of_a_name() {
        fn check(node: &Node) {
            for (index, one) in node.children.iter().enumerate() {
                for other in node.children.iter().skip(index + 1) {
                    assert!(one.key != other.key || one.dialects & other.dialects == 0, "{}", one.key);
                }
                check(one);
            }
        }
        check(&TREE.root);
    }
}
