//! An upstream that remembers what it served.
//!
//! A request may carry a number in the header `x-request-number`; how often each came is remembered.
//! `/status/503` answers with that status, `/slow/250` after so many milliseconds, `/mcp` as a server of tools, `/linked` with links and dates of its own, `/page` with what
//! lets any page read it; everything else
//! gets 200. `/cost/2.5` says so in the header `x-cost` (`/cost/1,2` twice), and `/bytes/5000` has a body of that size. `/grpc/14` ends as such a call of gRPC, with its status in the trailers, and `/grpc-at-once/14` in the headers;
//! `/moved/x` redirects to `/x`, and `/large-head` has more headers than Envoy takes. Of a request's trailers the last ones
//! are remembered as `trailer name`.

use crate::tool_server;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body::Frame;
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

/// A running upstream.
pub struct Upstream {
    /// Its port on loopback.
    pub port: u16,
    seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    count: AtomicU64,
    last: Mutex<BTreeMap<String, String>>,
    numbers: Mutex<BTreeMap<u64, u64>>,
}

/// The header that carries a request's number.
pub const NUMBER: &str = "x-request-number";

impl Upstream {
    /// Starts one.
    pub async fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let router = Router::new().fallback(serve).with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the upstream runs");
        });
        Self { port, seen, task }
    }

    /// How many requests reached it.
    pub fn served(&self) -> u64 {
        self.seen.count.load(Ordering::SeqCst)
    }

    /// How often the request of each number was served.
    pub fn numbers(&self) -> BTreeMap<u64, u64> {
        self.seen.numbers.lock().expect("not poisoned").clone()
    }

    /// The headers of the last request, `:path` among them.
    pub fn last(&self) -> BTreeMap<String, String> {
        self.seen.last.lock().expect("not poisoned").clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(State(seen): State<Arc<Seen>>, request: Request) -> Response {
    seen.count.fetch_add(1, Ordering::SeqCst);
    let number = request.headers().get(NUMBER).and_then(|number| number.to_str().ok()?.parse().ok());
    if let Some(number) = number {
        *seen.numbers.lock().expect("not poisoned").entry(number).or_default() += 1;
    }
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in request.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let all = headers.entry(name.to_string()).or_default();
        *all = if all.is_empty() { value } else { format!("{all},{value}") };
    }
    headers.insert(":path".to_owned(), path.clone());
    *seen.last.lock().expect("not poisoned") = headers.clone();
    if let Some(answer) = grpc(&path) {
        return answer;
    }
    if let Some(other) = path.strip_prefix("/moved/") {
        let host = headers.get("host").cloned().unwrap_or_default();
        return (StatusCode::FOUND, [("location", format!("http://{host}/{other}"))]).into_response();
    }
    if path.starts_with("/large-head") {
        return ([("x-large", "x".repeat(100_000))], "").into_response();
    }
    if let Some(status) = path.strip_prefix("/status/").and_then(|rest| rest.parse().ok()) {
        return StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT).into_response();
    }
    if let Some(millis) = path.strip_prefix("/slow/").and_then(|rest| rest.parse().ok()) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    if let Some(costs) = path.strip_prefix("/cost/") {
        let costs = costs.split(',').filter_map(|cost| HeaderValue::from_str(cost).ok());
        let mut answer = "".into_response();
        for cost in costs {
            answer.headers_mut().append("x-cost", cost);
        }
        return answer;
    }
    if let Some(size) = path.strip_prefix("/bytes/").and_then(|rest| rest.parse().ok()) {
        return vec![b'x'; size].into_response();
    }
    if path.starts_with("/linked") {
        let own = [("link", "</linked?page=2>; rel=\"next\""), ("sunset", "Fri, 01 Jan 2100 00:00:00 GMT")];
        return (own, "").into_response();
    }
    if path.starts_with("/page") {
        let own = [
            ("access-control-allow-origin", "*"),
            ("access-control-expose-headers", "x-total"),
            ("x-total", "7"),
        ];
        return (own, axum::Json(json!({"served": true}))).into_response();
    }
    if path.starts_with("/mcp") {
        if request.method() != Method::POST {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
        return tool_server::answer(&body);
    }
    let size = read(request.into_body(), &seen).await;
    axum::Json(json!({"served": true, "size": size})).into_response()
}

/// Reads a request to its end, and keeps its trailers. Returns the size of its body.
async fn read(mut body: Body, seen: &Seen) -> usize {
    let mut size = 0;
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Some(data) = frame.data_ref() {
            size += data.len();
        }
        for (name, value) in frame.trailers_ref().into_iter().flatten() {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            seen.last.lock().expect("not poisoned").insert(format!("trailer {name}"), value);
        }
    }
    size
}

/// The answer to a call of gRPC, if it is one.
fn grpc(path: &str) -> Option<Response> {
    let (at_once, code) = match (path.strip_prefix("/grpc/"), path.strip_prefix("/grpc-at-once/")) {
        (Some(code), _) => (false, code),
        (_, Some(code)) => (true, code),
        _ => return None,
    };
    let status = HeaderValue::from_str(code).expect("a number");
    let (headers, body) = if at_once {
        (vec![("grpc-status", status)], Body::empty())
    } else {
        (Vec::new(), Body::new(Call { status: Some(status), message: Some(Bytes::from_static(&[0; 5])) }))
    };
    let mut answer = ([("content-type", "application/grpc")], body).into_response();
    answer
        .headers_mut()
        .extend(headers.into_iter().map(|(name, value)| (HeaderName::from_static(name), value)));
    Some(answer)
}

/// The body of a call's answer: an empty message, and the status behind it.
struct Call {
    message: Option<Bytes>,
    status: Option<HeaderValue>,
}

impl HttpBody for Call {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let message = self.message.take().map(Frame::data);
        let trailers = |status| {
            Frame::trailers(HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), status)]))
        };
        Poll::Ready(message.or_else(|| self.status.take().map(trailers)).map(Ok))
    }
}
