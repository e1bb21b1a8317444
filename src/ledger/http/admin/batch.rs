//! Many requests in one: each is carried out as if it had come alone, with the token of the batch and an idempotency key that follows
//! from the batch's, so that a batch can be repeated.
//!
//! What must hold: nothing can be done in a batch that couldn't be done without; it holds no batch; and its answers have a limit.

use super::post::Post;
use crate::api::{
    Batch, BatchAnswer, BatchAnswers, BatchMethod, BatchRequest, IDEMPOTENCY_KEY_HEADER, MAX_BATCH,
};
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::codes::Code;
use crate::http::connections::ConnectionSlot;
use crate::http::forwarded;
use crate::http::problem::Failure;
use crate::store::StoreError;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest as _, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::IntoResponse as _;
use axum::{Extension, Json, Router};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How many requests of a batch are under way at the same time: enough to fill transactions.
const AT_ONCE: usize = 128;
/// How often a request is tried that a busy ledger turns away, which gateways' messages come before, and how long it waits in between.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(100);
/// The most that all answers may have together, in bytes.
const MAX_ANSWERS_BYTES: usize = 8 << 20;
/// Where requests of a batch lead.
const ROOT: &str = "/admin/v1/";

/// The routes that a batch can use.
#[derive(Clone)]
pub struct Routes(pub Router);

/// Carry out many requests
///
/// Each is carried out or refused as if it had come alone; they are under way at the same time, in no order. A batch that is repeated
/// with its idempotency key does again what was refused, and nothing twice.
#[utoipa::path(post, path = "/admin/v1/batch", tag = "batch", operation_id = "batch",
    request_body = Batch, responses((status = 200, body = BatchAnswers)))]
pub async fn run(
    State(app): State<Arc<App>>,
    Extension(Routes(routes)): Extension<Routes>,
    request: Request,
) -> Result<Json<BatchAnswers>, Failure> {
    let caller = caller(request.headers());
    let mut around = request.extensions().clone();
    // How long the connection may take is settled by the batch itself.
    around.remove::<Arc<ConnectionSlot>>();
    // Each request has a route of its own; behind the batch's it would be one that no scope is known for.
    around.remove::<MatchedPath>();
    let Post { body: Batch { requests }, memo } = Post::<Batch>::from_request(request, &app).await?;
    let number = requests.len();
    if number == 0 || number > MAX_BATCH {
        let why = format!("has {number} requests; give 1 to {MAX_BATCH}");
        return Err(Invalid::field("requests", why).into());
    }
    let most = MAX_ANSWERS_BYTES.checked_div(number).unwrap_or(MAX_ANSWERS_BYTES);
    let mut tasks = JoinSet::new();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    for (at, asked) in requests.into_iter().enumerate() {
        // Refuses the batch as a whole if one can't be built.
        alone(&asked, at, &memo.key, &caller, &around)?;
        let (caller, around, key) = (caller.clone(), around.clone(), memo.key.clone());
        let (routes, room) = (TowerToHyperService::new(routes.clone()), Arc::clone(&room));
        tasks.spawn(async move {
            // Never closed.
            let _turn = room.acquire_owned().await.ok();
            let built = || alone(&asked, at, &key, &caller, &around);
            (at, read(patiently(&routes, built).await, most).await)
        });
    }
    let mut answers = vec![None; number];
    while let Some(ended) = tasks.join_next().await {
        let lost = |error: tokio::task::JoinError| Failure::new(Code::Internal, error.to_string());
        let (at, answer) = ended.map_err(lost)?;
        if let Some(place) = answers.get_mut(at) {
            *place = Some(answer);
        }
    }
    Ok(Json(BatchAnswers { answers: answers.into_iter().flatten().collect() }))
}

/// The answer to a request; one that is turned away because the ledger is busy comes again.
async fn patiently(
    routes: &TowerToHyperService<Router>,
    built: impl Fn() -> Result<Request, Failure>,
) -> axum::response::Response {
    for left in (0..TRIES).rev() {
        let answer = match built() {
            Ok(request) => routes.call(request).await,
            Err(failure) => return failure.into_response(),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        if left == 0 || answer.status() != StatusCode::SERVICE_UNAVAILABLE {
            return answer;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Failure::from(StoreError::Overloaded).into_response()
}

/// What a batch's head says of its caller: the token, and where it came from.
fn caller(of: &HeaderMap) -> HeaderMap {
    let says = of.iter().filter(|(name, _)| *name == AUTHORIZATION || *name == forwarded::HEADER);
    says.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The request as it would have come alone.
fn alone(
    asked: &BatchRequest,
    at: usize,
    key: &str,
    caller: &HeaderMap,
    around: &Extensions,
) -> Result<Request, Failure> {
    let BatchRequest { method, path, body } = asked;
    let wrong = |why: String| Failure::from(Invalid::field(format!("requests[{at}].path"), why));
    if !path.starts_with(ROOT) {
        return Err(wrong(format!("is {path:?}; give one that begins with {ROOT}")));
    }
    let uri = path.parse().map_err(|error| wrong(format!("is {path:?}, which is no path: {error}")))?;
    let mut headers = caller.clone();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(key) = HeaderValue::from_str(&format!("{key}.{at}")) {
        headers.insert(IDEMPOTENCY_KEY_HEADER, key);
    }
    let bytes = body.as_ref().map_or_else(Bytes::new, |body| body.to_string().into());
    let mut request = Request::new(Body::from(bytes));
    *request.method_mut() = match method {
        BatchMethod::Get => Method::GET,
        BatchMethod::Post => Method::POST,
        BatchMethod::Put => Method::PUT,
        BatchMethod::Delete => Method::DELETE,
    };
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    *request.extensions_mut() = around.clone();
    Ok(request)
}

async fn read(answer: axum::response::Response, most: usize) -> BatchAnswer {
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), most).await.ok();
    if let Some(body) = body.and_then(|body| serde_json::from_slice::<Value>(&body).ok()) {
        return BatchAnswer { status, body };
    }
    let detail =
        format!("the answer has more than {most} bytes, the share of one in this batch; ask for it alone");
    too_large(Failure::new(Code::TooLarge, detail)).await
}

async fn too_large(failure: Failure) -> BatchAnswer {
    let answer = failure.into_response();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), MAX_ANSWERS_BYTES).await.unwrap_or_default();
    BatchAnswer { status, body: serde_json::from_slice(&body).unwrap_or_default() }
}
