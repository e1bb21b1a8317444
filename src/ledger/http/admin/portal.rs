//! Links to the portal, and subjects that sign in to it.

use super::post::{Id, Post, execute, short};
use super::query::{Asked, OfPortalSubjects};
use crate::api::{
    MAX_RETURN_URL_BYTES, NewPortalLink, NewPortalSubject, PortalLink, PortalSubject, PortalSubjects,
    RemovedPortalSubject,
};
use crate::command::admin::{Command, Done};
use crate::command::portal::{NewLink, NewSubject};
use crate::domain::PortalLinkId;
use crate::domain::portal::{LINK_LIFETIME, MAX_LINK_LIFETIME, MIN_LINK_LIFETIME};
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::codes::Code;
use crate::http::link::{LinkValue, is_web_address};
use crate::http::problem::Failure;
use crate::oidc::is_subject;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::SignedDuration;
use std::convert::identity;
use std::sync::Arc;
use uuid::Uuid;

/// The longest issuer, in bytes.
const MAX_ISSUER_BYTES: usize = 512;

/// Make a link to the portal
///
/// The first who opens it is signed in to the portal as the account's customer: send it to that customer alone. It may be used once. The
/// address is only in the first answer: a repeated request gets 409 `key_already_shown`.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/portal-links", tag = "portal", operation_id = "make_portal_link",
    request_body = NewPortalLink, responses((status = 201, body = PortalLink)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<NewPortalLink>,
) -> Result<Response, Failure> {
    let lifetime =
        body.lifetime_seconds.map_or(LINK_LIFETIME, |given| SignedDuration::from_secs(given.into()));
    if !(MIN_LINK_LIFETIME..=MAX_LINK_LIFETIME).contains(&lifetime) {
        let (least, most) = (MIN_LINK_LIFETIME.as_secs(), MAX_LINK_LIFETIME.as_secs());
        let why = format!("is {}; it must be {least} to {most}", lifetime.as_secs());
        return Err(Invalid::field("lifetime_seconds", why).into());
    }
    if let Some(url) = &body.return_url
        && (url.len() > MAX_RETURN_URL_BYTES || !is_web_address(url))
    {
        let why = format!(
            "is no address of a page; give one that begins with https:// or http://, in ASCII, of at most {MAX_RETURN_URL_BYTES} bytes"
        );
        return Err(Invalid::field("return_url", why).into());
    }
    let Some(portal) = app.portal_url.clone() else {
        let detail =
            "no portal is open here, and its settings name no url; start the ledger with --portal-listen";
        return Err(Failure::new(Code::PortalOff, detail));
    };
    let value = LinkValue::fresh().map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let id = PortalLinkId::generated(Uuid::now_v7()).to_string();
    let command = Command::CreatePortalLink(NewLink {
        account,
        id,
        hash: value.hash(),
        return_url: body.return_url,
        lifetime,
    });
    execute(&app, command, memo, StatusCode::CREATED, |done| match done {
        Done::PortalLink(link) => Done::PortalLink(PortalLink { url: Some(value.url(&portal)), ..link }),
        other => other,
    })
    .await
}

/// List subjects that sign in to the portal
///
/// Those of an account, at most 50; or those of one name, to see which account they belong to.
#[utoipa::path(get, path = "/admin/v1/portal-subjects", tag = "portal", operation_id = "list_portal_subjects",
    params(OfPortalSubjects), responses((status = 200, body = PortalSubjects)))]
pub async fn subjects(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<OfPortalSubjects>,
) -> Result<Json<PortalSubjects>, Failure> {
    let (account, subject) = asked.read()?;
    Ok(Json(app.store.portal_subjects(account, subject).await?))
}

/// Let a subject sign in to the portal
///
/// From now on who signs in at the provider of `--portal-oidc-issuer` with this subject is the account's customer. A subject belongs to one
/// account; asked for again, it may do what is said then. An account has at most 50.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/portal-subjects", tag = "portal", operation_id = "link_portal_subject",
    request_body = NewPortalSubject, responses((status = 200, body = PortalSubject)))]
pub async fn link_subject(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<NewPortalSubject>,
) -> Result<Response, Failure> {
    let NewPortalSubject { subject, access, issuer } = body;
    let (issuer, subject) = named(&app, issuer, subject)?;
    let command = Command::LinkPortalSubject(NewSubject { account, issuer, subject, access });
    execute(&app, command, memo, StatusCode::OK, identity).await
}

/// Let a subject sign in to the portal no more
///
/// Its sessions end.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/portal-subjects/remove", tag = "portal", operation_id = "remove_portal_subject",
    request_body = RemovedPortalSubject, responses((status = 200, body = PortalSubject)))]
pub async fn unlink_subject(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<RemovedPortalSubject>,
) -> Result<Response, Failure> {
    let RemovedPortalSubject { subject, issuer } = body;
    let (issuer, subject) = named(&app, issuer, subject)?;
    execute(&app, Command::UnlinkPortalSubject { account, issuer, subject }, memo, StatusCode::OK, identity)
        .await
}

/// The issuer and the subject that are meant.
fn named(app: &App, issuer: Option<String>, subject: String) -> Result<(String, String), Invalid> {
    if !is_subject(&subject) {
        let why = "is no subject of OpenID Connect: 1 to 255 visible ASCII characters; the page after a sign-in shows it";
        return Err(Invalid::field("subject", why));
    }
    short("issuer", issuer.as_ref(), MAX_ISSUER_BYTES)?;
    let own = || app.portal_sign_on.as_ref().map(|sign_on| sign_on.provider.issuer().to_owned());
    let issuer = issuer.or_else(own).ok_or_else(|| {
        Invalid::field("issuer", "is missing; name it, or start the ledger with --portal-oidc-issuer")
    })?;
    if !issuer.starts_with("https://") && !issuer.starts_with("http://") {
        return Err(Invalid::field(
            "issuer",
            "is no issuer; it begins with https://, as the provider calls itself",
        ));
    }
    Ok((issuer, subject))
}
