//! Links to the portal.

use super::post::{Id, Post, execute};
use crate::api::{MAX_RETURN_URL_BYTES, NewPortalLink, PortalLink};
use crate::command::admin::{Command, Done};
use crate::command::portal::NewLink;
use crate::domain::PortalLinkId;
use crate::domain::portal::{LINK_LIFETIME, MAX_LINK_LIFETIME, MIN_LINK_LIFETIME};
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::codes::Code;
use crate::http::link::{LinkValue, is_web_address};
use crate::http::problem::Failure;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::SignedDuration;
use std::sync::Arc;
use uuid::Uuid;

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
