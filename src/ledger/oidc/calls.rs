//! Calls to the provider.
//!
//! What must hold: a call takes at most [`CALL_TIMEOUT`] and [`MAX_ANSWER_BYTES`]; a redirect is an answer like any other; nothing is
//! called that the settings don't allow.

use crate::dialer::Dialer;
use crate::domain::outgoing::Target;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{Method, Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::time::Duration;

/// The longest that a call may take.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer, in bytes.
pub const MAX_ANSWER_BYTES: usize = 256 << 10;
/// The longest head of an answer, in bytes.
const MAX_HEAD_BYTES: usize = 32 << 10;

/// A call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'a> {
    /// Who calls, as the header says it.
    pub authorization: Option<&'a str>,
    /// The form that is sent; without one it is only asked.
    pub form: Option<&'a str>,
}

/// Calls an endpoint: the status and the body.
pub async fn call(dialer: &Dialer, target: &Target, call: Call<'_>) -> Result<(StatusCode, Bytes), String> {
    let host = &target.host;
    match tokio::time::timeout(CALL_TIMEOUT, exchange(dialer, target, call)).await {
        Ok(answered) => answered,
        Err(_) => Err(format!("{host} didn't answer within {} s", CALL_TIMEOUT.as_secs())),
    }
}

/// Calls an endpoint that must answer with success.
pub async fn get(dialer: &Dialer, target: &Target, authorization: Option<&str>) -> Result<Bytes, String> {
    let (status, body) = call(dialer, target, Call { authorization, form: None }).await?;
    match status.as_u16() {
        200..=299 => Ok(body),
        300..=399 => Err(format!(
            "{}{} redirects (status {status}), which is not followed",
            target.authority, target.path
        )),
        _ => Err(format!("{}{} answered with status {status}", target.authority, target.path)),
    }
}

async fn exchange(dialer: &Dialer, target: &Target, call: Call<'_>) -> Result<(StatusCode, Bytes), String> {
    let request = request(target, call)?;
    let stream = dialer.open(target).await?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|why| format!("the connection to {} failed: {why}", target.host))?;
    let answer = async {
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|why| format!("no answer came from {}: {why}", target.host))?;
        let status = answer.status();
        let body = to_bytes(Body::new(answer.into_body()), MAX_ANSWER_BYTES).await;
        let body = body.map_err(|_| {
            format!("the answer of {} broke off, or has more than {MAX_ANSWER_BYTES} bytes", target.host)
        })?;
        Ok((status, body))
    };
    let mut answer = std::pin::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It may have brought the answer before it ended.
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(why) => Err(format!("the connection to {} failed: {why}", target.host)),
        },
    }
}

fn request(target: &Target, call: Call<'_>) -> Result<Request<Body>, String> {
    let body = call.form.unwrap_or_default();
    let method = if call.form.is_some() { Method::POST } else { Method::GET };
    let mut request = Request::builder()
        .method(method)
        .uri(&target.path)
        .header(HOST, &target.authority)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("faregate/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close");
    if let Some(authorization) = call.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    if call.form.is_some() {
        request = request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(CONTENT_LENGTH, body.len());
    }
    request.body(Body::from(body.to_owned())).map_err(|why| format!("{} can't be called: {why}", target.host))
}
