//! Sessions over a WebSocket, as in the Realtime API: each message of the client's asks for an answer, which reports its own usage.

use super::End;
use super::sending::Record;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use faregate_protocol::metering::{Quantities, UsageClass};
use serde_json::{Value, json};

/// The text of each event.
const WORD: &str = "word ";

/// Answers a request for a WebSocket.
pub(super) async fn serve(record: Record, request: &mut Request) -> Response {
    let mut request = std::mem::take(request).into_parts().0;
    match WebSocketUpgrade::from_request_parts(&mut request, &()).await {
        Ok(upgrade) => upgrade.on_upgrade(|socket| session(record, socket)),
        Err(why) => why.into_response(),
    }
}

async fn session(record: Record, mut socket: WebSocket) {
    record.note(|sent| sent.status = 101);
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let asked: Value = serde_json::from_str(&text).expect("the client sends JSON");
        let words = asked["words"].as_u64().unwrap_or(1);
        let delta = json!({"type": "response.output_text.delta", "delta": WORD});
        for _ in 0..words {
            if send(&mut socket, &delta).await.is_none() {
                return;
            }
            record.note(|sent| sent.text_bytes += WORD.len() as u64);
        }
        let [input, output] = ["input", "output"].map(|class| asked["usage"][class].as_u64().unwrap_or(0));
        let usage = json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output});
        let done = json!({"type": "response.done", "response": {"status": "completed", "usage": usage}});
        if send(&mut socket, &done).await.is_none() {
            return;
        }
        record.note(|sent| {
            let mut sum = sent.usage.unwrap_or_default();
            add(&mut sum, UsageClass::Input, input);
            add(&mut sum, UsageClass::Output, output);
            sent.usage = Some(sum);
        });
    }
    record.note(|sent| sent.end = End::ClientLeft);
}

async fn send(socket: &mut WebSocket, event: &Value) -> Option<()> {
    socket.send(Message::text(event.to_string())).await.ok()
}

fn add(sum: &mut Quantities, class: UsageClass, more: u64) {
    sum.set(class, sum.get(class) + more);
}
