//! The last event of an answer that ends because nothing is left to pay for more of it: an error in the words of its API.
//!
//! What must hold: it is a whole event of the answer's framing, so that every client reads it.

use super::RequestContext;
use super::template::{ResponseTemplate, Text};
use crate::decide::meter::asked::shape::RequestShape;
use crate::decide::meter::dialect::Dialect as Api;
use crate::decide::meter::framing::{Framing, eventstream, websocket};
use crate::decide::settings::dialect::Dialect;

/// In which format the refusal is put into the event.
pub fn dialect(api: Api, shape: RequestShape) -> Dialect {
    match (api, shape) {
        (Api::Anthropic, _) | (_, RequestShape::Responses | RequestShape::Session) => Dialect::Anthropic,
        (Api::Gemini, _) => Dialect::Gemini,
        // These have a text and little else.
        (Api::Ollama | Api::Cohere | Api::Bedrock, _) => Dialect::Grpc,
        _ => Dialect::OpenAi,
    }
}

/// The event. `refusal` is in the format of [`dialect`], as the context says.
pub fn write(api: Api, framing: Framing, refusal: &ResponseTemplate, around: &RequestContext<'_>) -> Vec<u8> {
    let body = refusal.body(around);
    let text = String::from_utf8_lossy(&body);
    let mut out = Text::default();
    match framing {
        Framing::EventStream => {
            out.member("{\"message\":", &text);
            out.push("}");
            return eventstream::exception(out.bytes());
        }
        Framing::WebSocket => return websocket::last_words(&body),
        Framing::Lines => {
            out.member("{\"error\":", &text);
            out.push("}\n");
        }
        _ if api == Api::Cohere => {
            out.member("event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":", &text);
            out.push("}}\n\n");
        }
        _ => {
            // Chat and Gemini have no names of events.
            let is_named = around.dialect == Dialect::Anthropic;
            out.push(if is_named { "event: error\ndata: " } else { "data: " });
            out.push(&text);
            out.push("\n\n");
        }
    }
    out.bytes().to_vec()
}
