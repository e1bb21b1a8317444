//! Who looks at a page, from where: the session behind a request, and forms that its pages have sent.
//!
//! What must hold: nothing is shown or done without a session that is not over; and what writes was sent by a form of that session.

use super::page::Frame;
use super::session::{self, SessionValue, ZONE_COOKIE, cookie};
use super::state::Console;
use super::trouble::Trouble;
use crate::api::{IDEMPOTENCY_KEY_HEADER, Problem};
use crate::command::sessions::{USE_WRITTEN_AFTER, UseSession};
use crate::domain::access::AccessScope;
use crate::http::auth::Caller;
use crate::http::codes::Code;
use crate::http::connections::ConnectionSlot;
use crate::http::forwarded;
pub use crate::http::pages::fields::{Fields, read_form};
use crate::http::pages::same_site;
use crate::http::pages::show::{Zone, shortened};
use crate::http::problem::Failure;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;

/// The most bytes of an answer of the admin API that a page is made of.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// The field of a form that shows its session's form token.
const FORM_TOKEN_FIELD: &str = "form_token";

/// A request of an operator who is signed in.
pub struct Visit {
    /// Who.
    pub caller: Caller,
    /// The session.
    pub session: SessionValue,
    /// The zone in which times are shown.
    pub zone: Zone,
    /// Whether it came over TLS.
    pub is_tls: bool,
    /// The path and query.
    pub path: String,
    /// What the query says, without the zone and what is empty.
    pub query: Fields,
    around: Around,
}

/// Where a request comes from.
#[derive(Clone)]
struct Around {
    headers: HeaderMap,
    seat: Option<Arc<ConnectionSlot>>,
}

/// Whether a request came over TLS, to the ledger or to a proxy that is trusted.
pub fn is_tls(console: &Console, headers: &HeaderMap) -> bool {
    let forwarded = || headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    console.served.is_tls || console.app.trusted_proxies > 0 && forwarded()
}

impl FromRequestParts<Arc<Console>> for Visit {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Trouble> {
        let path = parts.uri.path_and_query().map_or("/console", |path| path.as_str()).to_owned();
        let sign_in =
            || Trouble::SignIn(if parts.method == Method::GET { path.clone() } else { String::new() });
        let is_tls = is_tls(console, &parts.headers);
        let value = SessionValue::of(&parts.headers, is_tls).ok_or_else(sign_in)?;
        let (store, now) = (&console.app.store, Timestamp::now());
        let owner = session::owner(console, &value, now).await?;
        let (caller, row) = owner.ok_or_else(sign_in)?;
        // A page that follows what happens asks again and again without anything being done.
        let is_use = !parts.uri.path().starts_with("/console/live/");
        if is_use && now.duration_since(row.used_at) >= USE_WRITTEN_AFTER {
            store.use_session(UseSession(row.hash), now).await?;
        }
        let seat = parts.extensions.get::<Arc<ConnectionSlot>>().cloned();
        if let Some(seat) = &seat {
            seat.trust();
        }
        let mut query = Fields::parse(parts.uri.query().unwrap_or_default());
        let asked = query.take("zone").and_then(|name| Zone::named(&name));
        let kept = || cookie(&parts.headers, ZONE_COOKIE).and_then(Zone::named);
        let zone = asked.or_else(kept).unwrap_or_default();
        let forwarded = parts.headers.iter().filter(|(name, _)| *name == forwarded::HEADER);
        let headers = forwarded.map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(Self { caller, session: value, zone, is_tls, path, query, around: Around { headers, seat } })
    }
}

impl Visit {
    /// The frame of a page.
    pub fn frame(&self, here: &'static str, title: impl Into<String>) -> Frame {
        Frame {
            title: title.into(),
            here,
            operator: shortened(self.caller.name()),
            scope: self.scope(),
            form_token: self.session.form_token(),
            zone: self.zone.clone(),
            path: self.path.clone(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// Where it comes from.
    pub fn address(&self) -> Option<SocketAddr> {
        self.around.seat.as_ref().map(|seat| seat.connection.address)
    }

    /// What the operator may do.
    pub fn scope(&self) -> AccessScope {
        self.caller.scope().unwrap_or(AccessScope::Read)
    }

    /// What the admin API answers to this operator.
    pub async fn get<T: DeserializeOwned>(&self, console: &Console, path: &str) -> Result<T, Failure> {
        let body = self.ask(console, Method::GET, path, None, "").await?;
        serde_json::from_slice(&body).map_err(|error| Failure::new(Code::Internal, error.to_string()))
    }

    /// The same where there may be no such thing.
    pub async fn find<T: DeserializeOwned>(
        &self,
        console: &Console,
        path: &str,
    ) -> Result<Option<T>, Failure> {
        match self.get(console, path).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.code == Code::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Has the admin API do something for this operator. What is done under an idempotency key is done once.
    pub async fn post(
        &self,
        console: &Console,
        path: &str,
        body: &Value,
        once: &str,
    ) -> Result<Value, Failure> {
        let body = self.ask(console, Method::POST, path, Some(body), once).await?;
        serde_json::from_slice(&body).map_err(|error| Failure::new(Code::Internal, error.to_string()))
    }

    async fn ask(
        &self,
        console: &Console,
        method: Method,
        path: &str,
        body: Option<&Value>,
        once: &str,
    ) -> Result<Bytes, Failure> {
        let wrong = |why: String| Failure::new(Code::InvalidRequest, why);
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| wrong(format!("{path:?} is no path")))?;
        *request.headers_mut() = self.around.headers.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(once) = HeaderValue::from_str(once) {
            headers.insert(IDEMPOTENCY_KEY_HEADER, once);
        }
        request.extensions_mut().insert(self.caller.clone());
        if let Some(seat) = &self.around.seat {
            request.extensions_mut().insert(Arc::clone(seat));
        }
        let answer = match TowerToHyperService::new(console.api.clone()).call(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        read(answer).await
    }
}

async fn read(answer: Response) -> Result<Bytes, Failure> {
    let status = answer.status();
    let body = to_bytes(answer.into_body(), MAX_ANSWER_BYTES).await;
    let body = body.map_err(|_| {
        let why = format!("the answer has more than {MAX_ANSWER_BYTES} bytes; ask for fewer rows");
        Failure::new(Code::TooLarge, why)
    })?;
    if status.is_success() {
        return Ok(body);
    }
    let problem: Problem =
        serde_json::from_slice(&body).map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let code = Code::ALL.iter().copied().find(|code| code.name() == problem.code).unwrap_or(Code::Internal);
    Err(Failure { code, detail: problem.detail, field: problem.field })
}

/// A form that a page of the operator's session has sent.
pub struct Posted {
    /// Who sent it.
    pub visit: Visit,
    /// What it says.
    pub form: Fields,
}

impl FromRequest<Arc<Console>> for Posted {
    type Rejection = Trouble;

    async fn from_request(request: Request, console: &Arc<Console>) -> Result<Self, Trouble> {
        if !same_site::is_own(request.headers()) {
            return Err(Trouble::ForeignForm);
        }
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, console).await?;
        let form = read_form(Request::from_parts(parts, body)).await?;
        if !visit.session.is_form_token(form.get(FORM_TOKEN_FIELD).unwrap_or_default()) {
            return Err(Trouble::ForeignForm);
        }
        Ok(Self { visit, form })
    }
}
