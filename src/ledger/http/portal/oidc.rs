//! Signing in to the portal at a provider of OpenID Connect.
//!
//! What must hold: the answer of a provider counts only in the browser that began, once; which account it opens follows from the
//! provider's issuer and subject alone; whose subject belongs to no account gets nothing but a page that says what to ask for.

use super::entrance::{own_page, shown, too_many};
use super::page::Bare;
use super::session::{self, SessionValue, with_cookie};
use super::state::{From, Portal};
use super::trouble::Trouble;
use super::who::from;
use crate::command::portal::{BeginPortalSession, CustomerIdentity};
use crate::domain::portal::PortalRefusal;
use crate::http::codes::Code;
use crate::http::denial::Denial;
use crate::http::pages::attempt_cookie::{AttemptCookie, MAX_NEXT_BYTES};
use crate::http::pages::fields::Fields;
use crate::http::pages::page::html;
use crate::http::pages::show::Html;
use crate::http::problem::Failure;
use crate::http::single_sign_on::PortalSignOn;
use crate::oidc::{Answer, Attempt, Identity, MAX_HINT_BYTES, OidcError};
use crate::store::queries::portal::Customer;
use crate::store::rows::PortalSessionRow;
use askama::Template;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// What remembers a sign-in under way.
const COOKIE: AttemptCookie =
    AttemptCookie { name: "faregate_portal_oidc", name_tls: "__Host-faregate_portal_oidc", path: "/portal" };

#[derive(Template)]
#[template(path = "portal/stranger.html")]
struct StrangerPage {
    bare: Bare,
    facts: Vec<(&'static str, Html)>,
}

#[derive(Template)]
#[template(path = "portal/signed_out.html")]
struct SignedOutPage {
    bare: Bare,
    provider: String,
}

fn sign_on(portal: &Portal) -> Result<&PortalSignOn, Trouble> {
    portal.app.portal_sign_on.as_ref().ok_or_else(Trouble::nothing_here)
}

/// Sends a browser to the provider.
pub async fn begin(
    State(portal): State<Arc<Portal>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let sign_on = sign_on(&portal)?;
    let query = Fields::parse(query.as_deref().unwrap_or_default());
    let next = own_page(query.get("next").filter(|next| next.len() <= MAX_NEXT_BYTES));
    let attempt =
        Attempt::fresh().map_err(|error| Failure::new(Code::Internal, format!("no randomness: {error}")))?;
    match sign_on.provider.begin(&attempt, &sign_on.back_to()).await {
        Ok(address) => {
            let kept = COOKIE.keep(&attempt, &next, portal.is_tls(&headers));
            Ok(with_cookie(Redirect::to(&address).into_response(), kept))
        }
        Err(error) => Ok(failed(&portal, &error, next)),
    }
}

/// Takes in what a browser brings back.
pub async fn finish(State(portal): State<Arc<Portal>>, request: Request) -> Result<Response, Trouble> {
    let sign_on = sign_on(&portal)?;
    let (parts, _) = request.into_parts();
    let (headers, from) = (&parts.headers, from(&portal, &parts));
    let tls = portal.is_tls(headers);
    let (attempt, next) = COOKIE.read(headers, tls);
    let next = own_page(Some(&next));
    let forget = |answer| with_cookie(answer, COOKIE.forget(tls));
    if !portal.attempts.may_try(&from.peer(), Instant::now()) {
        return Ok(too_many(&portal, next));
    }
    let query = Fields::parse(parts.uri.query().unwrap_or_default());
    let (answer, now) = (Answer::read(query.iter()), Timestamp::now());
    let finished = match attempt {
        Some(attempt) => sign_on.provider.finish(&attempt, &sign_on.back_to(), &answer, &[], now).await,
        None => Err(OidcError::Foreign),
    };
    let identity = match finished {
        Ok(identity) => identity,
        Err(error) => {
            if !matches!(error, OidcError::Provider(_) | OidcError::Client(_) | OidcError::Busy) {
                note_failure(&portal, &from);
            }
            return Ok(forget(failed(&portal, &error, next)));
        }
    };
    let (issuer, subject) = (identity.issuer.clone(), identity.subject.clone());
    let entered = match portal.app.store.owner_of_subject(issuer, subject).await? {
        Some(customer) => enter(&portal, &customer, &identity, now).await?,
        None => Err(PortalRefusal::UnknownSubject),
    };
    match entered {
        Ok(value) => {
            session::end(&portal, headers).await?;
            from.trust();
            let answer = with_cookie(Redirect::to(&next).into_response(), value.cookie(tls));
            Ok(forget(answer))
        }
        Err(PortalRefusal::UnknownSubject) => {
            note_failure(&portal, &from);
            let (subject, issuer) = (&identity.subject, &identity.issuer);
            tracing::info!(
                subject,
                issuer,
                "somebody has signed in at the provider whose subject belongs to no account"
            );
            Ok(forget(stranger(&portal, &identity)))
        }
        Err(why) => Ok(forget(Trouble::from(session::refused(why)).into_response())),
    }
}

/// Begins the session.
async fn enter(
    portal: &Portal,
    customer: &Customer,
    identity: &Identity,
    now: Timestamp,
) -> Result<Result<SessionValue, PortalRefusal>, Trouble> {
    let (value, session) = session::fresh()?;
    let Identity { issuer, subject, id_token, .. } = identity.clone();
    let id_token = Some(id_token).filter(|token| token.len() <= MAX_HINT_BYTES);
    let begins = BeginPortalSession {
        session,
        account: customer.no,
        key: None,
        // What the subject may do is looked up where the account is locked.
        read_only: true,
        identity: Some(CustomerIdentity { issuer, subject, id_token }),
    };
    let begun = portal.app.store.begin_portal_session(begins, now).await?;
    if begun.is_ok() {
        tracing::info!(account = %customer.id, subject = %identity.subject, "a customer has signed in to the portal at the provider");
    }
    Ok(begun.map(|()| value))
}

/// The page after signing out, if the provider may end its own session as well.
pub async fn signed_out(portal: &Portal, row: &PortalSessionRow) -> Option<Response> {
    let sign_on = portal.app.portal_sign_on.as_ref()?;
    row.issuer.as_ref().filter(|issuer| *issuer == sign_on.provider.issuer())?;
    let id_token = row.id_token.as_deref().unwrap_or_default();
    let provider = sign_on.provider.end_session(id_token, &sign_on.signed_out()).await?;
    Some(html(StatusCode::OK, &SignedOutPage { bare: Bare::of(portal), provider }))
}

fn note_failure(portal: &Portal, from: &From) {
    portal.denials.note(Denial::Unknown, from.socket(), None);
    portal.attempts.failed(from.peer(), Instant::now());
}

/// Why it came to nothing, with the page to try again.
fn failed(portal: &Portal, error: &OidcError, next: String) -> Response {
    let status = match error {
        OidcError::Provider(_) | OidcError::Client(_) => StatusCode::BAD_GATEWAY,
        OidcError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        OidcError::Foreign => StatusCode::BAD_REQUEST,
        _ => StatusCode::UNAUTHORIZED,
    };
    if let Some(others) = portal.sign_on_log.permits(Instant::now()) {
        tracing::warn!(%error, others, "a customer's sign-in at the provider came to nothing");
    }
    shown(portal, status, next, Some(words(error)))
}

/// What a customer reads of it.
fn words(error: &OidcError) -> String {
    match error {
        OidcError::Refused(why) => {
            format!("Your sign-in was refused: {why}. Begin again; if it stays so, ask support.")
        }
        OidcError::OtherIssuer(_) => "The answer came from another identity provider than the one that was asked. Begin again; if it \
             stays so, ask support."
            .to_owned(),
        OidcError::Token(why) => format!(
            "What your identity provider says of you can\u{2019}t be trusted: its ID token {why}. Begin again; if it stays so, ask \
             support."
        ),
        OidcError::Provider(_) | OidcError::Client(_) => {
            "Signing in doesn\u{2019}t work just now: the identity provider can\u{2019}t be reached, or answers what can\u{2019}t be \
             used. Try again in a moment; if it stays so, ask support."
                .to_owned()
        }
        OidcError::Foreign | OidcError::Code(_) | OidcError::Busy => error.advice(),
    }
}

/// The page for whose subject belongs to no account.
fn stranger(portal: &Portal, identity: &Identity) -> Response {
    let mut facts =
        vec![("Provider", Html::text(&identity.issuer)), ("Subject", Html::code(&identity.subject))];
    if let Some(email) = &identity.email {
        facts.push(("E-mail", Html::text(email)));
    }
    html(StatusCode::FORBIDDEN, &StrangerPage { bare: Bare::of(portal), facts })
}
