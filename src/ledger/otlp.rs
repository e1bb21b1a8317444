//! Requests that take call records and metrics to a collector, by OTLP over HTTP, in protobuf.
//!
//! What must hold: a request takes at most [`TIMEOUT`], an answer [`MAX_ANSWER_BYTES`]; no redirect is followed; and no header that the
//! operator gave is logged.

use crate::Secret;
use crate::dialer::Dialer;
use crate::domain::otlp::{Endpoint, Verdict, verdict};
use crate::domain::outgoing::Target;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::io::Write as _;
use std::time::Duration;
use tokio::task::JoinSet;

/// The longest that a request may take, by the specification's default.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// The longest head of an answer, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// The media type of the messages.
const PROTOBUF: &str = "application/x-protobuf";

/// How a collector is reached.
#[derive(Clone, Debug)]
pub struct OtlpConfig {
    /// Where it is.
    pub endpoint: Endpoint,
    /// What it asks for.
    pub headers: Vec<(String, Secret)>,
    /// Whether what is sent is compressed.
    pub gzip: bool,
    /// How often metrics are sent; never, without it.
    pub metrics_every: Option<Duration>,
}

/// Sends one kind of signal, over a connection that is kept.
#[derive(Debug)]
pub struct Exporter {
    dialer: Dialer,
    target: Target,
    headers: HeaderMap,
    gzip: bool,
    connection: Option<Connection>,
}

/// A connection; what drives it ends with it.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Body>,
    _driver: JoinSet<()>,
}

impl Exporter {
    /// One for this signal of a collector.
    pub fn new(config: &OtlpConfig, target: &Target) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let mut value = HeaderValue::from_str(value.expose())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name)?, value);
        }
        headers.insert(HOST, HeaderValue::from_str(&target.authority)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("faregate/", env!("CARGO_PKG_VERSION"))));
        if config.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        // It is where the operator says, wherever that is.
        let dialer = Dialer::new(true, "--otlp-endpoint")?;
        Ok(Self { dialer, target: target.clone(), headers, gzip: config.gzip, connection: None })
    }

    /// A message as it is sent. It takes a while.
    pub async fn packed(&self, message: impl FnOnce() -> Vec<u8> + Send + 'static) -> Result<Bytes, String> {
        let gzip = self.gzip;
        let packing = tokio::task::spawn_blocking(move || {
            let message = message();
            if !gzip {
                return Ok(message);
            }
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&message)?;
            encoder.finish()
        });
        let packed = packing.await.map_err(|why| why.to_string())?;
        packed.map(Bytes::from).map_err(|why| format!("it can't be compressed: {why}"))
    }

    /// Sends it, once.
    pub async fn send(&mut self, body: &Bytes) -> Verdict {
        let sent = tokio::time::timeout(TIMEOUT, self.post(body)).await;
        let why = match sent {
            Ok(Ok(verdict)) => return verdict,
            Ok(Err(why)) => why,
            Err(_) => format!("the collector didn't answer within {} s", TIMEOUT.as_secs()),
        };
        // Whatever it was, the next one begins with a connection of its own.
        self.connection = None;
        Verdict::Again { after: None, why }
    }

    async fn post(&mut self, body: &Bytes) -> Result<Verdict, String> {
        // A connection that was kept may have been closed just now.
        if let Some(mut kept) = self.connection.take()
            && kept.sender.ready().await.is_ok()
            && let Ok(verdict) = self.exchange(kept, body).await
        {
            return Ok(verdict);
        }
        let stream = self.dialer.open(&self.target).await?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|why| format!("the connection failed: {why}"))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Why it has ended is said by the request that was on it.
            let _ = connection.await;
        });
        self.exchange(Connection { sender, _driver: driver }, body).await
    }

    async fn exchange(&mut self, mut connection: Connection, body: &Bytes) -> Result<Verdict, String> {
        let mut request = Request::new(Body::from(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() =
            self.target.path.parse().map_err(|why| format!("the URL can't be called: {why}"))?;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        let answer = connection.sender.send_request(request).await;
        let answer = answer.map_err(|why| format!("no answer came from the collector: {why}"))?;
        let (status, now) = (answer.status().as_u16(), Timestamp::now());
        let retry_after =
            answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        // The status counts, also if the rest breaks off or is too long; then the connection isn't kept.
        let body = to_bytes(Body::new(answer.into_body()), MAX_ANSWER_BYTES).await;
        if body.is_ok() {
            self.connection = Some(connection);
        }
        Ok(verdict(status, retry_after.as_deref(), &body.unwrap_or_default(), now))
    }
}
