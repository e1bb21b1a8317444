//! An upstream that answers as a story says, to the byte, and remembers what it got.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::stream::unfold;
use serde_json::Value;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The largest request in bytes.
const MAX_BODY: usize = 256 << 20;
/// The time between two pieces, so that each arrives for itself.
const BETWEEN: Duration = Duration::from_millis(1);
/// How long an answer waits for its bytes to leave before its connection breaks.
const BEFORE_A_CUT: Duration = Duration::from_millis(20);

/// A running upstream.
pub struct Scripted {
    /// Its port on loopback.
    pub port: u16,
    script: Arc<Script>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Script {
    answer: Mutex<Answering>,
    got: Mutex<Vec<Received>>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answering {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: Bytes,
    /// How many bytes are sent at a time; `None`: all, and the head says how many.
    piece: Option<usize>,
    is_cut: bool,
    wait: Duration,
}

impl Default for Answering {
    fn default() -> Self {
        Self::of("text/plain", "")
    }
}

impl Answering {
    /// A body of this content type, with status 200.
    pub fn of(kind: &'static str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type", kind)];
        Self { status: 200, headers, body: body.into(), piece: None, is_cut: false, wait: Duration::ZERO }
    }

    /// A document.
    pub fn json(body: &Value) -> Self {
        Self::of("application/json", body.to_string())
    }

    /// Server-sent events with these data.
    pub fn events<'a>(data: impl IntoIterator<Item = &'a str>) -> Self {
        let body: String = data.into_iter().flat_map(|data| ["data: ", data, "\n\n"]).collect();
        Self { piece: Some(1 << 20), ..Self::of("text/event-stream", body) }
    }

    /// Server-sent events that are named by their `type`.
    pub fn typed(events: &[Value]) -> Self {
        let name = |event: &Value| event["type"].as_str().unwrap_or_default().to_owned();
        let body: String =
            events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", name(event))).collect();
        Self { piece: Some(1 << 20), ..Self::of("text/event-stream", body) }
    }

    /// With this status.
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// With this header besides.
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// So many bytes at a time, and the head doesn't say how many there are.
    pub fn in_pieces_of(self, bytes: usize) -> Self {
        Self { piece: Some(bytes.max(1)), ..self }
    }

    /// The connection breaks at the end.
    pub fn cut(self) -> Self {
        Self { is_cut: true, piece: self.piece.or(Some(1 << 20)), ..self }
    }

    /// It begins after so long.
    pub fn after(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    fn response(self) -> Response {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, *value);
        }
        let body = match self.piece {
            None => Body::from(self.body),
            Some(size) => {
                let pieces: VecDeque<Bytes> = self.body.chunks(size).map(Bytes::copy_from_slice).collect();
                pieces_of(pieces, self.is_cut)
            }
        };
        response.body(body).expect("an answer")
    }
}

fn pieces_of(pieces: VecDeque<Bytes>, is_cut: bool) -> Body {
    Body::from_stream(unfold((pieces, is_cut), |(mut pieces, is_cut)| async move {
        tokio::time::sleep(BETWEEN).await;
        match pieces.pop_front() {
            Some(piece) => Some((Ok(piece), (pieces, is_cut))),
            None if is_cut => {
                tokio::time::sleep(BEFORE_A_CUT).await;
                Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), (pieces, false)))
            }
            None => None,
        }
    }))
}

impl Scripted {
    /// Starts one. Until it is said otherwise it answers 200 with nothing.
    pub async fn start() -> Self {
        let script = Arc::new(Script::default());
        let router = Router::new().fallback(serve).with_state(Arc::clone(&script));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the upstream runs");
        });
        Self { port, script, task }
    }

    /// From now on it answers so.
    pub fn answers(&self, answer: Answering) {
        *self.script.answer.lock().expect("not poisoned") = answer;
    }

    /// The requests that it got.
    pub fn got(&self) -> Vec<Received> {
        self.script.got.lock().expect("not poisoned").clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(State(script): State<Arc<Script>>, request: Request) -> Result<Response, Infallible> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY).await.unwrap_or_default();
    script.got.lock().expect("not poisoned").push(Received { headers: head.headers, body });
    let answer = script.answer.lock().expect("not poisoned").clone();
    tokio::time::sleep(answer.wait).await;
    Ok(answer.response())
}
