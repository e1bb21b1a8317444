//! Requests that the ledger makes: one event to one endpoint.
//!
//! What must hold: no redirect is followed; an endpoint takes no more of
//! the ledger than [`TIMEOUT`] and a connection, whatever it answers. What it answers beside the status is not read.

use crate::dialer::Dialer;
use crate::domain::outgoing::{CONTENT_TYPE, Message, Target, signature, target};
use crate::store::rows::WebhookRow;
use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST, USER_AGENT};
use axum::http::{Method, Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// The longest that one attempt may take.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// The longest head of an answer, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// What came of a request: the status, if there was an answer, and why it failed, if it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The status of the answer.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
}

impl Answered {
    fn failed(error: impl Into<String>) -> Self {
        Self { status: None, error: Some(error.into()) }
    }

    fn with(status: StatusCode) -> Self {
        let error = match status.as_u16() {
            200..=299 => None,
            300..=399 => Some(format!(
                "the endpoint redirects (status {}); give the URL that it redirects to",
                status.as_u16()
            )),
            other => Some(format!("the endpoint answered with status {other}")),
        };
        Self { status: Some(status.as_u16()), error }
    }
}

/// Makes requests.
#[derive(Clone, Debug)]
pub struct Sender {
    dialer: Dialer,
}

impl Sender {
    /// One that trusts the authorities that the system trusts. Endpoints in private networks are called only if that is allowed.
    pub fn new(private: bool) -> Result<Self, rustls::Error> {
        Ok(Self { dialer: Dialer::new(private, "--webhook-allow-private")? })
    }

    /// Whether endpoints may be in private networks, and without TLS.
    pub const fn allows_private(&self) -> bool {
        self.dialer.allows_private()
    }

    /// Delivers an event to an endpoint, once.
    pub async fn deliver(&self, endpoint: &WebhookRow, message: &Message, now: Timestamp) -> Answered {
        match tokio::time::timeout(TIMEOUT, self.post(endpoint, message, now)).await {
            Ok(Ok(status)) => Answered::with(status),
            Ok(Err(why)) => Answered::failed(why),
            Err(_) => Answered::failed(format!("the endpoint didn't answer within {} s", TIMEOUT.as_secs())),
        }
    }

    async fn post(
        &self,
        endpoint: &WebhookRow,
        message: &Message,
        now: Timestamp,
    ) -> Result<StatusCode, String> {
        // What was allowed when it was made may not be any more.
        let target = target(&endpoint.url, self.allows_private()).map_err(|why| why.to_string())?;
        let request = request(&target, endpoint, message, now)?;
        exchange(self.dialer.open(&target).await?, request).await
    }
}

fn request(
    target: &Target,
    endpoint: &WebhookRow,
    message: &Message,
    now: Timestamp,
) -> Result<Request<Body>, String> {
    let body = message.body();
    let old = endpoint.old_secret.as_deref().filter(|_| endpoint.old_until.is_some_and(|until| until > now));
    let secrets: Vec<&[u8]> = std::iter::once(endpoint.secret.as_slice()).chain(old).collect();
    let signed = signature(&secrets, &message.id, now.as_second(), &body);
    Request::builder()
        .method(Method::POST)
        .uri(&target.path)
        .header(HOST, &target.authority)
        .header("content-type", CONTENT_TYPE)
        .header(CONTENT_LENGTH, body.len())
        .header(USER_AGENT, concat!("faregate/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", now.as_second().to_string())
        .header("webhook-signature", signed)
        .body(Body::from(body))
        .map_err(|why| format!("the URL can't be called: {why}"))
}

/// Sends a request, and waits for the head of the answer.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> Result<StatusCode, String> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|why| format!("the connection failed: {why}"))?;
    let mut answer = std::pin::pin!(sender.send_request(request));
    let mut connection = std::pin::pin!(connection);
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It may have brought the answer before it ended.
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(why) => return Err(format!("the connection failed: {why}")),
        },
    };
    answer.map(|answer| answer.status()).map_err(|why| format!("no answer came: {why}"))
}
