//! The sample API behind the gate when the user brings none of their own. It knows nothing of money:
//! the gate's headers say who pays.

use axum::{
    Json, Router,
    body::Bytes,
    extract::DefaultBodyLimit,
    http::{HeaderMap, StatusCode, Uri},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The largest body that `/echo` takes.
const MAX_BODY_BYTES: usize = 64 << 10;

const QUOTES: [&str; 4] = [
    "A bank is a place that lends you an umbrella in fair weather.",
    "Beware of little expenses: a small leak will sink a great ship.",
    "There is no such thing as a free lunch.",
    "The safest way to double your money is to fold it over once.",
];

static ASKED: AtomicUsize = AtomicUsize::new(0);

/// The sample API's routes.
pub fn sample_api() -> Router {
    Router::new()
        .route("/hello", get(hello))
        .route("/quote", get(quote))
        .route("/echo", post(echo))
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

async fn hello(headers: HeaderMap) -> Json<Value> {
    let account =
        headers.get("x-faregate-account").and_then(|value| value.to_str().ok()).unwrap_or("stranger");
    Json(json!({ "message": format!("Hello, {account}!") }))
}

async fn quote() -> Json<Value> {
    let next = ASKED.fetch_add(1, Ordering::Relaxed) % QUOTES.len();
    Json(json!({ "quote": QUOTES.get(next) }))
}

async fn echo(body: Bytes) -> Json<Value> {
    let parsed = serde_json::from_slice(&body);
    Json(json!({ "you_said": parsed.unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&body))) }))
}

async fn nothing_here(uri: Uri) -> (StatusCode, Json<Value>) {
    let try_these = ["GET /hello", "GET /quote", "POST /echo"];
    (StatusCode::NOT_FOUND, Json(json!({ "error": format!("nothing at {}", uri.path()), "try": try_these })))
}
