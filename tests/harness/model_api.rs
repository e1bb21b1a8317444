//! An upstream that speaks the APIs of AI providers, and records exactly what it got and what it sent.
//!
//! It knows a request's API by the path, and the answer is as real ones are (SDKs of November 2026). What the answer holds is
//! steered by the request's header [`STEER`], JSON with any of these members:
//!
//! | member | meaning | default |
//! |---|---|---|
//! | `usage` | a number for each class, disjoint: `{"input": 12, "cache_read": 4, "output": 30}` | by the body's size |
//! | `words` | how many words of text, an event each where it is streamed | 20 |
//! | `no_usage` | the answer has no usage | false |
//! | `error_after` | an error in place of what follows so many words | |
//! | `cut_after` | the connection breaks after so many words; half of an answer that isn't streamed arrives | |
//! | `status` | an error with this status | |
//! | `pause_ms` | the time before each event but the first, or before an answer that isn't streamed | 0 |
//! | `tier` | the service that the answer names | |
//! | `forged` | the model's text, and the arguments of a tool, have usage in them | false |
//! | `gzip` | compressed, if the request allows it | false |
//!
//! A WebSocket below `/realtime` is a session: each message of the client's is JSON with `usage` and `words`, and gets an answer.
//!
//! What must hold: usage is written as each API counts it, inside or beside; a class for which an API has no number goes into the
//! class that it is a part of, or is left out. [`Sent::usage`] is what arrived in that form, as disjoint classes.

mod anthropic;
mod calls;
mod framing;
mod gemini;
mod openai;
mod others;
mod realtime;
mod reply;
mod sending;
mod steering;

pub use calls::{ModelCall, model_calls};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use faregate_protocol::metering::Quantities;
use reply::{Asked, Reply};
use sending::{Record, Sending};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use steering::Steering;

/// The header that steers an answer.
pub const STEER: &str = "x-answer";
/// The status that a proxy before the API answers with, a page for people.
const HTML: u16 = 524;
/// The largest request in bytes.
const MAX_BODY: usize = 256 << 20;

/// A running upstream.
pub struct ModelApi {
    /// Its port on loopback.
    pub port: u16,
    log: Log,
    task: tokio::task::JoinHandle<()>,
}

/// What was recorded, in the order in which requests arrived.
type Log = Arc<Mutex<Vec<Sent>>>;

/// A request, and what was sent for it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The path with its query.
    pub path: String,
    /// The headers, with names in lower case; several of one name are joined with commas.
    pub headers: BTreeMap<String, String>,
    /// The body as it arrived.
    pub body: Vec<u8>,
    /// The status of the answer; 0 until there is one.
    pub status: u16,
    /// The usage that the answer has reported so far, in disjoint classes; `None`: nothing, which isn't zero.
    pub usage: Option<Quantities>,
    /// The service that the answer names.
    pub tier: Option<String>,
    /// The bytes of the model's text that were sent, as they are once JSON is decoded.
    pub text_bytes: u64,
    /// How it ended.
    pub end: End,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It hasn't.
    Running,
    /// All of it was sent.
    Finished,
    /// The client hung up.
    ClientLeft,
    /// The upstream broke the connection.
    Cut,
}

impl ModelApi {
    /// Starts one.
    pub async fn start() -> Self {
        let log = Log::default();
        let router = Router::new().fallback(serve).with_state(Arc::clone(&log));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the upstream runs");
        });
        Self { port, log, task }
    }

    /// What it got and sent so far.
    pub fn sent(&self) -> Vec<Sent> {
        self.log.lock().expect("not poisoned").clone()
    }

    /// Its only request, or the last.
    pub fn last(&self) -> Sent {
        self.sent().pop().expect("a request that reached the upstream")
    }
}

impl Drop for ModelApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(State(log): State<Log>, mut request: Request) -> Response {
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in request.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let all = headers.entry(name.to_string()).or_default();
        *all = if all.is_empty() { value } else { format!("{all},{value}") };
    }
    let record = Record::new(log, path.clone(), headers.clone());
    if path.contains("/realtime?") {
        return realtime::serve(record, &mut request).await;
    }
    let Ok(body) = axum::body::to_bytes(request.into_body(), MAX_BODY).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    record.note(|sent| sent.body = body.to_vec());
    let steering = match Steering::read(headers.get(STEER).map(String::as_str), body.len()) {
        Ok(steering) => steering,
        Err(why) => return complaint(record, &why),
    };
    let Some(answer) = api(&path) else {
        return complete(record, StatusCode::OK, &json!({"size": body.len()}));
    };
    let Some(asked) = Asked::read(&path, &body) else {
        return complaint(record, "the body is no JSON object");
    };
    if let Some(status) = steering.status.and_then(|status| StatusCode::from_u16(status).ok()) {
        let mut answer = complete(record, status, &failure(&path, status));
        if status.as_u16() == HTML {
            answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html"));
        }
        return answer;
    }
    let reply = answer(&asked, &steering).steered(&steering);
    if !reply.streamed {
        tokio::time::sleep(steering.pause).await;
    }
    record.note(|sent| sent.tier.clone_from(&steering.tier));
    respond(record, reply, &steering, headers.get("accept-encoding"))
}

/// Which API a path belongs to: how it answers.
fn api(path: &str) -> Option<fn(&Asked, &Steering) -> Reply> {
    let path = path.split('?').next().unwrap_or_default();
    Some(match path {
        _ if path.ends_with("/chat/completions") => openai::chat,
        _ if path.ends_with("/responses") => openai::responses,
        _ if path.ends_with("/embeddings") => openai::embeddings,
        _ if path.ends_with("/v1/messages") => anthropic::messages,
        _ if path.ends_with("enerateContent") => gemini::generate,
        _ if path.ends_with("/api/chat") => others::ollama,
        _ if path.ends_with("/v2/chat") => others::cohere,
        _ if path.ends_with("/converse") || path.ends_with("/converse-stream") => others::converse,
        _ => return None,
    })
}

/// The error of an API, in its own form.
fn failure(path: &str, status: StatusCode) -> Value {
    let text = "The service can't answer.";
    match path {
        _ if path.contains("/converse") || path.contains("/v2/chat") => json!({"message": text}),
        _ if path.contains("/api/chat") => json!({"error": text}),
        _ => {
            let error = json!({"code": status.as_u16(), "message": text, "type": "api_error", "status": "UNAVAILABLE"});
            json!({"type": "error", "error": error})
        }
    }
}

/// Begins to send a reply.
fn respond(record: Record, reply: Reply, steering: &Steering, accepts: Option<&String>) -> Response {
    let is_gzip = steering.gzip && accepts.is_some_and(|encodings| encodings.contains("gzip"));
    let Reply { kind, streamed, pieces, broken, .. } = reply;
    let pieces = if is_gzip { framing::compressed(pieces) } else { pieces };
    let size: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
    let pause = if streamed { steering.pause } else { Duration::ZERO };
    record.note(|sent| sent.status = 200);
    let mut response = Response::builder().header(header::CONTENT_TYPE, kind);
    if is_gzip {
        response = response.header(header::CONTENT_ENCODING, "gzip");
    }
    if !streamed {
        // One that is cut had promised more.
        let promised = if broken { size * 2 } else { size };
        response = response.header(header::CONTENT_LENGTH, promised);
    }
    let body = Sending { record, rest: pieces.into(), pause, broken, begun: false, sized: !streamed }.body();
    response.body(body).expect("an answer")
}

/// An answer that needs no dialect.
fn complete(record: Record, status: StatusCode, body: &Value) -> Response {
    record.note(|sent| sent.status = status.as_u16());
    let mut reply = Reply::document(body, 0, None);
    let rest = std::mem::take(&mut reply.pieces).into();
    let sending = Sending { record, rest, pause: Duration::ZERO, broken: false, begun: false, sized: true };
    let mut response = sending.body().into_response();
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

fn complaint(record: Record, why: &str) -> Response {
    complete(record, StatusCode::UNPROCESSABLE_ENTITY, &json!({"error": {"message": why}}))
}

#[cfg(test)]
mod tests;
