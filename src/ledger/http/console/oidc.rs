//! Signing in to the console at a provider of OpenID Connect, and out again.
//!
//! What must hold: the answer of a provider counts only in the browser that began, once; who isn't known gets nothing but a page that
//! says what to ask for; and each sign-in begins a session of a new value.

use super::assets::version;
use super::entrance::{self, Visitor, own_page, with_cookie};
use super::page;
use super::session::{self, SessionValue};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::{Fields, is_tls};
use super::who::{Known, Unknown, who};
use crate::command::sessions::BeginSession;
use crate::http::auth::Caller;
use crate::http::denial::Denial;
use crate::http::pages::attempt_cookie::{AttemptCookie, MAX_NEXT_BYTES};
use crate::http::pages::show::{Html, plain};
use crate::http::single_sign_on::SingleSignOn;
use crate::oidc::{Answer, Attempt, Identity, OidcError};
use askama::Template;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// What remembers a sign-in under way: it comes along from a provider's site, which the session's cookie doesn't.
const COOKIE: AttemptCookie =
    AttemptCookie { name: "faregate_oidc", name_tls: "__Host-faregate_oidc", path: "/console" };

/// Browsers send a session's cookie only from a page of the console. So one of these is between the provider and the console.
#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedInPage {
    name: String,
    next: String,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutPage {
    provider: String,
}

#[derive(Template)]
#[template(path = "stranger.html")]
struct StrangerPage {
    title: &'static str,
    why: &'static str,
    facts: Vec<(&'static str, Html)>,
    command: String,
}

fn single_sign_on(console: &Console) -> Result<&SingleSignOn, Trouble> {
    console.app.single_sign_on.as_ref().ok_or_else(Trouble::nothing_here)
}

/// Sends a browser to the provider.
pub async fn begin(
    State(console): State<Arc<Console>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let single = single_sign_on(&console)?;
    let query = Fields::parse(query.as_deref().unwrap_or_default());
    let next = own_page(query.get("next").filter(|next| next.len() <= MAX_NEXT_BYTES));
    let attempt = Attempt::fresh().map_err(session::no_randomness)?;
    match single.provider.begin(&attempt, &single.back_to()).await {
        Ok(address) => {
            let kept = COOKIE.keep(&attempt, &next, is_tls(&console, &headers));
            Ok(with_cookie(Redirect::to(&address).into_response(), kept))
        }
        Err(error) => Ok(failed(&console, &error, next)),
    }
}

/// Takes in what a browser brings back.
pub async fn finish(State(console): State<Arc<Console>>, request: Request) -> Result<Response, Trouble> {
    let single = single_sign_on(&console)?;
    let visitor = Visitor::of(&console, &request);
    let tls = is_tls(&console, &visitor.headers);
    let (attempt, next) = COOKIE.read(&visitor.headers, tls);
    let next = own_page(Some(&next));
    let forget = |answer| with_cookie(answer, COOKIE.forget(tls));
    if !console.attempts.may_try(&visitor.address, Instant::now()) {
        return Ok(entrance::too_many(&console, next));
    }
    let query = Fields::parse(request.uri().query().unwrap_or_default());
    let (answer, now) = (Answer::read(query.iter()), Timestamp::now());
    let finished = match attempt {
        Some(attempt) => {
            let back_to = single.back_to();
            single.provider.finish(&attempt, &back_to, &answer, &single.wanted(), now).await
        }
        None => Err(OidcError::Foreign),
    };
    let identity = match finished {
        Ok(identity) => identity,
        Err(error) => {
            if !matches!(error, OidcError::Provider(_) | OidcError::Client(_) | OidcError::Busy) {
                console.app.admin_access.denials.note(Denial::Unknown, visitor.socket, None);
                console.attempts.failed(visitor.address, Instant::now());
            }
            return Ok(forget(failed(&console, &error, next)));
        }
    };
    match who(&identity, console.app.store.known_tokens(), &single.rules, now) {
        Ok(known) => {
            let value = enter(&console, single, &known, &identity, visitor.client.clone(), now).await?;
            let name = known.caller().name().to_owned();
            let (subject, client) = (&identity.subject, &visitor.client);
            tracing::info!(operator = name, subject, peer = %client, "an operator has signed in to the console at the provider");
            visitor.trust();
            let page = page::html(StatusCode::OK, &SignedInPage { name, next });
            Ok(forget(with_cookie(page, value.cookie(tls))))
        }
        Err(why) => {
            console.app.admin_access.denials.note(why.denial(), visitor.socket, None);
            console.attempts.failed(visitor.address, Instant::now());
            let (subject, issuer, reason) = (&identity.subject, &identity.issuer, why.denial().as_str());
            tracing::info!(
                subject,
                issuer,
                reason,
                "somebody has signed in at the provider and may not use the console"
            );
            Ok(forget(stranger(&identity, why)))
        }
    }
}

/// Begins the session.
async fn enter(
    console: &Console,
    single: &SingleSignOn,
    known: &Known<'_>,
    identity: &Identity,
    peer: String,
    now: Timestamp,
) -> Result<SessionValue, Trouble> {
    let value = SessionValue::fresh().map_err(session::no_randomness)?;
    let (token, proof) = match known {
        Known::Linked(token) => (Some(token.id().to_owned()), None),
        Known::Ruled { rule, .. } => (None, Some(value.rule_proof(single.provider.issuer(), rule))),
    };
    let session = BeginSession {
        hash: value.hash(),
        operator: known.caller().name().to_owned(),
        token,
        proof,
        identity: Some((identity.subject.clone(), identity.id_token.clone())),
        peer,
    };
    console.app.store.begin_session(session, now).await?;
    Ok(value)
}

/// The page after signing out; the provider may end its own session as well.
pub async fn signed_out(console: &Console, id_token: Option<&str>) -> Option<Response> {
    let (single, id_token) = (console.app.single_sign_on.as_ref()?, id_token?);
    let provider = single.provider.end_session(id_token, &single.signed_out()).await?;
    Some(page::html(StatusCode::OK, &SignedOutPage { provider }))
}

/// Why it came to nothing, with the form to try again.
fn failed(console: &Console, error: &OidcError, next: String) -> Response {
    let status = match error {
        OidcError::Provider(_) | OidcError::Client(_) => StatusCode::BAD_GATEWAY,
        OidcError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        OidcError::Foreign => StatusCode::BAD_REQUEST,
        _ => StatusCode::UNAUTHORIZED,
    };
    if let Some(others) = console.sign_on_log.permits(Instant::now()) {
        tracing::warn!(%error, others, "a sign-in at the provider came to nothing");
    }
    page::html(status, &entrance::page_of(console, next, Some(error.advice())))
}

/// The page for who is known to the provider alone.
fn stranger(identity: &Identity, why: Unknown) -> Response {
    let mut facts =
        vec![("Provider", Html::text(&identity.issuer)), ("Subject", Html::code(&identity.subject))];
    if let Some(email) = &identity.email {
        facts.push(("E-mail", Html::text(email)));
    }
    let (title, why) = match why {
        Unknown::Stranger => (
            "You have no access yet",
            "Your identity provider has signed you in, and the ledger has no operator for you. Ask an admin to put you into a group \
             that may use the console, or to make an operator for you:",
        ),
        Unknown::Revoked => (
            "Your access was revoked",
            "Your identity provider has signed you in, and an admin has revoked your access to the console. Ask an admin, who can make \
             an operator for you again:",
        ),
        Unknown::Expired => (
            "Your access has expired",
            "Your identity provider has signed you in, and the time of your access to the console is over. Ask an admin, who can revoke \
             it and make an operator for you again:",
        ),
    };
    let subject = plain(&identity.subject).replace('\'', "'\\''");
    let command = format!("faregate operator create NAME --scope read --oidc-subject '{subject}'");
    page::html(StatusCode::FORBIDDEN, &StrangerPage { title, why, facts, command })
}

impl Known<'_> {
    /// As the console and the trail know them.
    fn caller(&self) -> Caller {
        match self {
            Self::Linked(token) => Caller::Named(Arc::clone(token)),
            Self::Ruled { person, .. } => Caller::Person(Arc::clone(person)),
        }
    }
}
