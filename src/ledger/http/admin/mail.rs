//! Addresses that get events by mail, and the mails.

use super::post::{Id, Nothing, Post, execute};
use super::query::{Asked, OfDeliveries, OfMailAddresses};
use crate::api::{Deliveries, EventKind, MailAddress, MailAddresses, MailTest, NewMailAddress, NewMailTest};
use crate::command::admin::Command;
use crate::command::mail::NewAddress;
use crate::domain::MailId;
use crate::domain::mail::address;
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use std::convert::identity;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// Add a mail address
///
/// From now on it gets a mail for each event. An account has at most 5 addresses, and there are at most 20 for all accounts. Mail is
/// sent where a ledger was started with `--smtp-url`.
#[utoipa::path(post, path = "/admin/v1/mail", tag = "mail", operation_id = "add_mail_address",
    request_body = NewMailAddress, responses((status = 201, body = MailAddress)))]
pub async fn add(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<NewMailAddress>,
) -> Result<Response, Failure> {
    let NewMailAddress { address, events: kinds, account } = body;
    check(&address)?;
    if kinds.as_ref().is_some_and(Vec::is_empty) {
        return Err(Invalid::field("events", "is empty; leave it out to get all").into());
    }
    let own = |kinds: &Vec<EventKind>| kinds.iter().any(|kind| kind.is_of_ledger());
    if account.is_some() && kinds.as_ref().is_some_and(own) {
        let why = "has a kind that is about the ledger, and no account; leave out that kind, or the account";
        return Err(Invalid::field("events", why).into());
    }
    let id = MailId::generated(Uuid::now_v7());
    let new = NewAddress { id, address, kinds, account };
    execute(&app, Command::AddMailAddress(new), memo, StatusCode::CREATED, identity).await
}

/// List mail addresses
///
/// Oldest first.
#[utoipa::path(get, path = "/admin/v1/mail", tag = "mail", operation_id = "list_mail_addresses",
    params(OfMailAddresses), responses((status = 200, body = MailAddresses)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<OfMailAddresses>,
) -> Result<Json<MailAddresses>, Failure> {
    let (account, page) = asked.read()?;
    Ok(Json(app.store.mail_addresses(account, page).await?))
}

/// Show a mail address
#[utoipa::path(get, path = "/admin/v1/mail/{id}", tag = "mail", operation_id = "show_mail_address",
    responses((status = 200, body = MailAddress)))]
pub async fn show(State(app): State<Arc<App>>, Id(id): Id) -> Result<Json<MailAddress>, Failure> {
    Ok(Json(app.store.mail_address(id).await?))
}

/// List the mails to an address
///
/// Those of the last 30 days, newest first.
#[utoipa::path(get, path = "/admin/v1/mail/{id}/deliveries", tag = "mail", operation_id = "list_mails",
    params(OfDeliveries), responses((status = 200, body = Deliveries)))]
pub async fn deliveries(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Asked(asked): Asked<OfDeliveries>,
) -> Result<Json<Deliveries>, Failure> {
    let (state, page) = asked.read()?;
    Ok(Json(app.store.mails(id, state, page).await?))
}

/// Delete a mail address
///
/// It gets nothing more, also not what waits.
#[utoipa::path(post, path = "/admin/v1/mail/{id}/delete", tag = "mail", operation_id = "delete_mail_address",
    responses((status = 200, body = MailAddress)))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Post { memo, .. }: Post<Nothing>,
) -> Result<Response, Failure> {
    execute(&app, Command::DeleteMailAddress { id }, memo, StatusCode::OK, identity).await
}

/// Send a test mail
///
/// Now, to any address, and says what came of it. It changes nothing and is not repeated, so a repeated request sends another one.
#[utoipa::path(post, path = "/admin/v1/mail-test", tag = "mail", operation_id = "test_mail",
    request_body = NewMailTest, responses((status = 200, body = MailTest)))]
pub async fn test(
    State(app): State<Arc<App>>,
    Post { body, .. }: Post<NewMailTest>,
) -> Result<Json<MailTest>, Failure> {
    check(&body.address)?;
    let begun = Instant::now();
    let unique = Uuid::now_v7().simple().to_string();
    let (status, error) = match &app.mailer {
        Some(mailer) => {
            let mailed = mailer.test(&body.address, &unique, Timestamp::now()).await;
            (mailed.code, mailed.error)
        }
        None => {
            (None, Some("this ledger sends no mail; start it with --smtp-url and --mail-from".to_owned()))
        }
    };
    Ok(Json(MailTest {
        address: body.address,
        delivered: error.is_none(),
        status,
        error,
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    }))
}

fn check(text: &str) -> Result<(), Invalid> {
    address(text).map(|_| ()).map_err(|why| Invalid::field("address", why.to_string()))
}
