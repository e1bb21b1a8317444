//! The gateway API: `POST /gateway/v1/exchange`, and `POST /gateway/v1/calls` for records of single requests.
//!
//! Every answer, errors included, carries the marker header, so that a gateway can tell the ledger's
//! answers from those that Envoy makes up when it can't reach it, and knows the newest version that it speaks.

use super::admission::{Door, ListenerGuard, Refused, admit};
use super::app::{App, REQUEST_TIMEOUT, TooLong, in_time};
use super::auth::Caller;
use super::body::{Invalid, beginning, parse};
use super::codes::Code;
use super::connections::ConnectionSlot;
use super::denial::Denial;
use super::problem::MOST_SAID;
use super::{fitting, health};
use crate::command::exchange::SaidOfGateway;
use crate::domain::call_log::ReceivedBatch;
use crate::domain::exchange::check;
use crate::store::{Refusal, StoreError};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router, middleware};
use faregate_protocol::Credits;
use faregate_protocol::calls::{self, CallBatch};
use faregate_protocol::exchange::{
    Entry, ExchangeError, ExchangeRequest, ExchangeResponse, MARKER_HEADER, MAX_AMOUNT, MAX_BODY_BYTES,
    MAX_CREDENTIAL_BYTES, MAX_ENTRIES, MAX_ITEM_BYTES, MAX_LINE_COUNT, MAX_LINE_CREDITS, MAX_MODELS,
    MAX_NAME_BYTES, MAX_PRODUCT_BYTES, MAX_USAGE_LINES, OLDEST, PATH, Payer, RefusalLine, UNSUPPORTED,
    UsageReport, VERSION,
};
use jiff::Timestamp;
use memchr::memmem;
use serde::Deserialize;
use std::sync::Arc;

/// About how many bytes an entry takes.
const ENTRY_BYTES: usize = 100;
/// The longest version in bytes.
const MAX_VERSION_BYTES: usize = 32;
/// What a message contains whose callers may wait, one or the other.
const ASKS: [&[u8]; 2] = [br#""ask""#, br#""models""#];
/// The retry delay for a message that the ledger rejects under load (ms), unless the heartbeat interval is longer.
const RETRY_MS: u32 = 1_000;

/// The gateway API.
pub fn router(app: Arc<App>) -> Router {
    let cure = "; send fewer entries at once";
    let door = ListenerGuard::new(Arc::clone(&app), Door::Gateway, MAX_BODY_BYTES, cure);
    Router::new()
        .route(PATH, post(exchange))
        .route(calls::PATH, post(record))
        .route_layer(middleware::from_fn_with_state(door, admit::<Failure>))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(|| async {
            Failure::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
        })
        .method_not_allowed_fallback(|| async {
            Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path takes another method",
            )
        })
        .layer(middleware::from_fn_with_state(REQUEST_TIMEOUT, in_time::<Failure>))
        .layer(middleware::map_response(marked))
        .with_state(app)
}

async fn marked(mut response: Response) -> Response {
    let name = HeaderName::from_static(MARKER_HEADER);
    response.headers_mut().insert(name, HeaderValue::from(VERSION));
    response
}

async fn exchange(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    seat: Option<Extension<Arc<ConnectionSlot>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let is_report = ASKS.iter().all(|asks| memmem::find(&body, asks).is_none());
    if is_report && app.store.refuses_report(body.len() / ENTRY_BYTES) {
        return Err(overloaded(&app, is_report));
    }
    let request = read(&body)?;
    let now = Timestamp::now();
    let gateway_is =
        SaidOfGateway { token: caller.token_name().map(str::to_owned), version: version(&headers) };
    match app.store.exchange_as(gateway_is, request, now, app.ttl_ms).await {
        Ok(response) => answer(response, now),
        Err(StoreError::Overloaded) => Err(overloaded(&app, is_report)),
        Err(error @ StoreError::Refused(Refusal::ForeignGateway)) => {
            let peer = seat.map(|Extension(seat)| seat.connection.address);
            app.gateway_access.denials.note(Denial::Gateway, peer, Some(&caller));
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Takes records of single requests. They wait for their turn behind everything else, and where too many wait, the gateway keeps
/// them for another second.
async fn record(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    seat: Option<Extension<Arc<ConnectionSlot>>>,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    if body.len() > calls::MAX_BATCH_BYTES {
        let detail = format!("a batch has at most {} bytes", calls::MAX_BATCH_BYTES);
        return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
    }
    let batch = parse::<CallBatch<'static>>(&body)?;
    batch.check().map_err(|(field, reason)| Invalid::field(field, reason))?;
    let now = Timestamp::now();
    let only = app.store.gateway_token(batch.gateway.clone().into_owned(), now).await?;
    if only.is_some() && only.as_deref() != caller.token_name() {
        let peer = seat.map(|Extension(seat)| seat.connection.address);
        app.gateway_access.denials.note(Denial::Gateway, peer, Some(&caller));
        return Err(StoreError::from(Refusal::ForeignGateway).into());
    }
    app.calls.store(ReceivedBatch::new(batch, now)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which version of the filter sent a message: its user agent is `faregate/` and that. Others, and filters of older versions, don't
/// say.
fn version(headers: &HeaderMap) -> Option<String> {
    let agent = headers.get(USER_AGENT)?.to_str().ok()?;
    let version = agent.strip_prefix("faregate/")?.split(' ').next()?;
    (1..=MAX_VERSION_BYTES).contains(&version.len()).then(|| version.to_owned())
}

/// Too much is asked of the database. A report should come with the next heartbeat; callers wait for anything else.
fn overloaded(app: &App, is_report: bool) -> Failure {
    app.metrics.overloads.inc();
    let heartbeat_ms = is_report.then(|| app.store.heartbeat_ms(app.ttl_ms)).flatten();
    let mut failure = Failure::from(StoreError::Overloaded);
    failure.body.retry_after_ms = Some(heartbeat_ms.unwrap_or(RETRY_MS));
    failure
}

fn answer(response: ExchangeResponse, now: Timestamp) -> Result<Response, Failure> {
    let turn = usize::try_from(now.as_microsecond()).unwrap_or(0);
    let body = fitting::body(response, turn).map_err(|error| StoreError::Backend(error.to_string()))?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// Whether the gateway API takes these bytes for an exchange; else what it would say. For tools that test a
/// gateway without a ledger.
pub fn readable(body: &[u8]) -> Result<(), String> {
    read(body).map(|_| ()).map_err(|failure| failure.body.detail)
}

fn read(body: &[u8]) -> Result<ExchangeRequest, Failure> {
    #[derive(Deserialize)]
    struct Spoken {
        protocol: u32,
    }
    let other = |found: u32| {
        let detail = format!(
            "protocol: found {found}, this ledger speaks {OLDEST} to {VERSION}; upgrade the older side"
        );
        Failure::new(StatusCode::BAD_REQUEST, UNSUPPORTED, detail)
    };
    let spoken = |version| (OLDEST..=VERSION).contains(&version);
    let request = parse::<ExchangeRequest>(body).map_err(|invalid| {
        // Another version may have other fields, so the version is reported as the error.
        match serde_json::from_slice::<Spoken>(body) {
            Ok(Spoken { protocol }) if !spoken(protocol) => other(protocol),
            _ => invalid.into(),
        }
    })?;
    if !spoken(request.protocol) {
        return Err(other(request.protocol));
    }
    check_request(&request)?;
    Ok(request)
}

fn check_request(request: &ExchangeRequest) -> Result<(), Invalid> {
    length("gateway", &request.gateway, MAX_NAME_BYTES)?;
    if request.entries.len() > MAX_ENTRIES {
        return Err(Invalid::field(
            "entries",
            format!("{} are too many; the most is {MAX_ENTRIES}", request.entries.len()),
        ));
    }
    for (n, entry) in request.entries.iter().enumerate() {
        check_entry(entry).map_err(|invalid| {
            let field = format!("entries[{n}].{}", invalid.field.unwrap_or_default());
            Invalid { field: Some(field), reason: invalid.reason }
        })?;
    }
    if request.models.len() > MAX_MODELS {
        let reason = format!("{} are too many; the most is {MAX_MODELS}", request.models.len());
        return Err(Invalid::field("models", reason));
    }
    for (n, model) in request.models.iter().enumerate() {
        length(&format!("models[{n}]"), model, MAX_ITEM_BYTES)?;
    }
    request.usage.as_ref().map_or(Ok(()), check_usage)
}

fn check_entry(entry: &Entry) -> Result<(), Invalid> {
    match &entry.payer {
        Payer::Key(key) => length("payer.key", key, MAX_CREDENTIAL_BYTES)?,
        Payer::Subject(subject) => length("payer.subject", subject, MAX_CREDENTIAL_BYTES)?,
        Payer::Id(id) => length("payer.id", id, MAX_NAME_BYTES)?,
    }
    check(entry).map_err(|field| {
        let reason = match field {
            "ask" => "comes without the lease that it asks to raise".to_owned(),
            "ended.epoch" | "lease.epoch" => "is 0; epochs are numbered from 1".to_owned(),
            _ => format!("is out of range; amounts are 0 to {} micro-credits", MAX_AMOUNT.micros()),
        };
        Invalid::field(field, reason)
    })
}

fn check_usage(report: &UsageReport) -> Result<(), Invalid> {
    length("usage.broker", &report.broker, MAX_NAME_BYTES)?;
    if report.seq == 0 {
        return Err(Invalid::field("usage.seq", "is 0; reports are numbered from 1"));
    }
    let refusals = report.shadow.len().saturating_add(report.refused.len());
    let count = report.lines.len().saturating_add(refusals);
    if count > MAX_USAGE_LINES {
        let field = if refusals == 0 { "usage.lines" } else { "usage.lines, usage.shadow and usage.refused" };
        let reason = format!("{count} are too many; the most is {MAX_USAGE_LINES}");
        return Err(Invalid::field(field, reason));
    }
    for (n, line) in report.lines.iter().enumerate() {
        length(&format!("usage.lines[{n}].payer"), &line.payer, MAX_NAME_BYTES)?;
        length(&format!("usage.lines[{n}].rule"), &line.rule, MAX_NAME_BYTES)?;
        if let Some(item) = &line.item {
            length(&format!("usage.lines[{n}].item"), item, MAX_ITEM_BYTES)?;
        }
        if let Some(product) = &line.product {
            length(&format!("usage.lines[{n}].product"), product, MAX_PRODUCT_BYTES)?;
        }
        let amount = line.credits >= Credits::ZERO && line.credits <= MAX_LINE_CREDITS;
        if !amount || line.requests > MAX_LINE_COUNT || line.refunds > MAX_LINE_COUNT {
            let reason = format!(
                "is out of range; at most {MAX_LINE_COUNT} requests and refunds, and 0 to {} micro-credits",
                MAX_LINE_CREDITS.micros()
            );
            return Err(Invalid::field(format!("usage.lines[{n}]"), reason));
        }
    }
    check_refusals("usage.shadow", &report.shadow)?;
    check_refusals("usage.refused", &report.refused)
}

fn check_refusals(list: &str, lines: &[RefusalLine]) -> Result<(), Invalid> {
    for (n, line) in lines.iter().enumerate() {
        if let Some(payer) = &line.payer {
            length(&format!("{list}[{n}].payer"), payer, MAX_NAME_BYTES)?;
        }
        length(&format!("{list}[{n}].rule"), &line.rule, MAX_NAME_BYTES)?;
        if line.requests > MAX_LINE_COUNT {
            let reason = format!("is {}; the most is {MAX_LINE_COUNT}", line.requests);
            return Err(Invalid::field(format!("{list}[{n}].requests"), reason));
        }
    }
    Ok(())
}

fn length(field: &str, text: &str, most: usize) -> Result<(), Invalid> {
    if text.is_empty() || text.len() > most {
        let reason = format!("has {} bytes; it must have 1 to {most}", text.len());
        return Err(Invalid::field(field, reason));
    }
    Ok(())
}

/// An error as a gateway sees it.
struct Failure {
    status: StatusCode,
    body: ExchangeError,
}

impl Failure {
    fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let detail = beginning(detail.into(), MOST_SAID);
        let retry_after_ms = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_MS);
        Self { status, body: ExchangeError { code: code.into(), detail, retry_after_ms } }
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        super::problem::Failure::from(invalid).into()
    }
}

impl From<super::problem::Failure> for Failure {
    fn from(failure: super::problem::Failure) -> Self {
        Self::new(failure.code.status(), failure.code.name(), failure.detail)
    }
}

impl From<TooLong> for Failure {
    fn from(why: TooLong) -> Self {
        super::problem::Failure::from(why).into()
    }
}

impl From<Refused> for Failure {
    fn from(why: Refused) -> Self {
        super::problem::Failure::from(why).into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let failure = super::problem::Failure::from(error);
        let status = failure.code.status();
        // No entry is refused in this way, but what doesn't fit must not look like a fault of the ledger.
        let known = !status.is_client_error() || failure.code == Code::Forbidden;
        let code = if known { failure.code } else { Code::InvalidRequest };
        Self::new(status, code.name(), failure.detail)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let retry_s = self.body.retry_after_ms.map(|ms| ms.div_ceil(1_000));
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(seconds) = retry_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
