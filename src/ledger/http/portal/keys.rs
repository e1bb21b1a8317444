//! Keys: the list, and making, rotating and revoking them.
//!
//! What must hold: nothing is done by opening a page; what is sent twice is done once; a new key is shown once and never kept.

use super::answers::{NewOwnKey, RotateOwnKey};
use super::data::{self, Right};
use super::forms::{fresh_once, once_of, wrong};
use super::page::Frame;
use super::posted;
use super::state::Portal;
use super::trouble::Trouble;
use super::visit::{Filled, Visit};
use crate::api::{Key, KeyState, RotatedKey};
use crate::command::admin::{Answer, Done};
use crate::http::body::Invalid;
use crate::http::codes::Code;
use crate::http::pages::fields::Fields;
use crate::http::pages::page::html;
use crate::http::pages::show::{Html, Zone, encoded, plain, shortened};
use crate::http::problem::Failure;
use crate::store::Page;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use std::sync::Arc;

/// How many keys a page shows.
const ROWS: usize = 50;
/// How many teams a form offers.
const MAX_TEAMS: usize = 200;
/// For how long the old key may work, in seconds, and what people read.
const OVERLAPS: [(u32, &str); 4] = [
    (86_400, "one more day"),
    (3_600, "one more hour"),
    (604_800, "one more week"),
    (0, "no longer: it ends at once"),
];

#[derive(Template)]
#[template(path = "portal/keys.html")]
struct KeysPage {
    frame: Frame,
    rows: Vec<KeyLine>,
    next: Option<String>,
    is_first: bool,
    done: Option<&'static str>,
    may: May,
}

/// What this customer may do.
struct May {
    make: bool,
    rotate: bool,
    revoke: bool,
}

struct KeyLine {
    id: String,
    shown: Html,
    note: Html,
    team: Html,
    state: Html,
    used: Html,
    expires: Html,
    is_active: bool,
    is_key: bool,
    is_shown_one: bool,
}

impl KeyLine {
    fn of(key: &Key, zone: &Zone, shown_one: Option<&str>) -> Self {
        Self {
            id: encoded(&key.id),
            shown: shown(key),
            note: Html::or_none(key.note.as_ref(), Html::text),
            team: Html::or_none(key.team.as_ref(), Html::text),
            state: Html::state(key.state.as_str()),
            used: Html::or_none(key.last_used_at, |at| zone.when(at)),
            expires: Html::or_none(key.expires_at, |at| zone.when(at)),
            is_active: key.state == KeyState::Active,
            is_key: key.prefix.is_some() && key.replaced_by.is_none(),
            is_shown_one: shown_one == Some(&key.id),
        }
    }
}

fn shown(key: &Key) -> Html {
    match (&key.prefix, &key.subject) {
        (Some(prefix), _) => Html::code(&format!("{prefix}…")),
        (None, Some(subject)) => Html::code(&shortened(subject)),
        (None, None) => Html::code(&key.id),
    }
}

/// The list.
pub async fn list(State(portal): State<Arc<Portal>>, visit: Visit) -> Result<Response, Trouble> {
    let after = visit.query.get("after").map(str::to_owned);
    let is_first = after.is_none();
    let keys = data::keys(&portal, &visit.who, Page { limit: ROWS, after }).await?;
    let done = match visit.query.get("done") {
        Some("revoke") => Some("The key is revoked."),
        _ => None,
    };
    let may = |right| visit.may(&portal, right);
    let page = KeysPage {
        rows: keys.keys.iter().map(|key| KeyLine::of(key, &visit.zone, visit.who.key.as_deref())).collect(),
        next: keys.next.map(|next| visit.query.with("after", Some(&next))),
        is_first,
        done,
        may: May {
            make: may(Right::MakeKeys),
            rotate: may(Right::RotateKeys),
            revoke: may(Right::RevokeKeys),
        },
        frame: visit.frame(&portal, "/keys", "Keys"),
    };
    Ok(html(StatusCode::OK, &page))
}

#[derive(Template)]
#[template(path = "portal/new_key.html")]
struct NewKeyPage {
    frame: Frame,
    once: String,
    wrong: Option<String>,
    note: String,
    expires: String,
    zone: String,
    teams: Vec<(String, String, bool)>,
}

#[derive(Template)]
#[template(path = "portal/made_key.html")]
struct MadeKeyPage {
    frame: Frame,
    title: &'static str,
    key: String,
    old: Option<Html>,
}

#[derive(Template)]
#[template(path = "portal/ask_key.html")]
struct AskKeyPage {
    frame: Frame,
    once: String,
    wrong: Option<String>,
    title: &'static str,
    about: &'static str,
    button: &'static str,
    is_danger: bool,
    facts: Vec<(&'static str, Html)>,
    overlaps: Vec<(u32, &'static str)>,
}

fn refuse(portal: &Portal, visit: &Visit, right: Right) -> Result<(), Trouble> {
    if visit.may(portal, right) {
        return Ok(());
    }
    let why = if visit.frame(portal, "/keys", "").read_only && right.is_given(portal) {
        "you are signed in with a key, which lets you look and change nothing; open the portal with a link from the site where you got it"
    } else {
        "this can\u{2019}t be done here; ask support"
    };
    Err(Failure::new(Code::Forbidden, why).into())
}

/// Asks for a new key.
pub async fn ask_new(State(portal): State<Arc<Portal>>, visit: Visit) -> Result<Response, Trouble> {
    refuse(&portal, &visit, Right::MakeKeys)?;
    new_key_page(&portal, &visit, &Fields::default(), None).await
}

async fn new_key_page(
    portal: &Portal,
    visit: &Visit,
    form: &Fields,
    wrong: Option<String>,
) -> Result<Response, Trouble> {
    let chosen = form.text("team");
    let teams = data::teams(portal, &visit.who, Page { limit: MAX_TEAMS, after: None }).await?;
    let teams = teams.teams.into_iter().map(|team| {
        let words =
            team.name.map_or_else(|| team.id.clone(), |name| format!("{} ({})", plain(name), team.id));
        let is_chosen = team.id == chosen;
        (team.id, words, is_chosen)
    });
    let status = if wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let page = NewKeyPage {
        frame: visit.frame(portal, "/keys", "Make a key"),
        once: fresh_once()?,
        wrong,
        note: form.text("note"),
        expires: form.text("expires_at"),
        zone: visit.zone.name.clone(),
        teams: teams.collect(),
    };
    Ok(html(status, &page))
}

/// Makes a key.
pub async fn make(
    State(portal): State<Arc<Portal>>,
    Filled { visit, form }: Filled,
) -> Result<Response, Trouble> {
    let once = once_of(&form)?;
    let asked = match new_key(&form, &visit.zone) {
        Ok(asked) => asked,
        Err(invalid) => {
            let why = wrong(invalid.into(), label)?;
            return new_key_page(&portal, &visit, &form, Some(why)).await;
        }
    };
    match posted::make_key(&portal, &visit.who, asked, &once).await {
        Ok(Answer::First(Done::Key(Key { key: Some(key), .. }))) => {
            Ok(made(&portal, &visit, "The key", key, None))
        }
        Ok(_) => Ok(Redirect::to("/portal/keys").into_response()),
        Err(failure) => {
            let why = wrong(failure, label)?;
            new_key_page(&portal, &visit, &form, Some(why)).await
        }
    }
}

fn label(field: &str) -> Option<&'static str> {
    match field {
        "note" => Some("Note"),
        "expires_at" => Some("Expires"),
        "team" => Some("Team"),
        _ => None,
    }
}

fn new_key(form: &Fields, zone: &Zone) -> Result<NewOwnKey, Invalid> {
    let expires_at = match form.get("expires_at") {
        None => None,
        Some(text) => Some(zone.read(text).ok_or_else(|| {
            Invalid::field("expires_at", format!("{text:?} is no time; an example is 2027-01-31T12:00"))
        })?),
    };
    let text = |name: &str| form.get(name).map(str::to_owned);
    Ok(NewOwnKey { note: text("note"), expires_at, team: text("team"), products: None })
}

fn made(portal: &Portal, visit: &Visit, title: &'static str, key: String, old: Option<Html>) -> Response {
    let page = MadeKeyPage { frame: visit.frame(portal, "/keys", title), title, key, old };
    html(StatusCode::OK, &page)
}

fn facts(key: &Key, zone: &Zone) -> Vec<(&'static str, Html)> {
    vec![
        ("Key", shown(key)),
        ("Note", Html::or_none(key.note.as_ref(), Html::text)),
        ("Last used", Html::or_none(key.last_used_at, |at| zone.when(at))),
    ]
}

/// Asks whether a key is to be rotated.
pub async fn ask_rotate(
    State(portal): State<Arc<Portal>>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    refuse(&portal, &visit, Right::RotateKeys)?;
    let key = data::key(&portal, &visit.who, &id).await?;
    rotate_page(&portal, &visit, &key, None)
}

fn rotate_page(
    portal: &Portal,
    visit: &Visit,
    key: &Key,
    wrong: Option<String>,
) -> Result<Response, Trouble> {
    let status = if wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let title = "Rotate the key";
    let page = AskKeyPage {
        frame: visit.frame(portal, "/keys", title),
        once: fresh_once()?,
        wrong,
        title,
        about: "A new key takes its place, with the same team, note and budget. It is shown once, on the next page.",
        button: "Rotate the key",
        is_danger: false,
        facts: facts(key, &visit.zone),
        overlaps: OVERLAPS.to_vec(),
    };
    Ok(html(status, &page))
}

/// Rotates a key.
pub async fn rotate(
    State(portal): State<Arc<Portal>>,
    Path(id): Path<String>,
    Filled { visit, form }: Filled,
) -> Result<Response, Trouble> {
    let key = data::key(&portal, &visit.who, &id).await?;
    let overlap = form.get("overlap_seconds").and_then(|text| text.parse().ok());
    let Some(overlap_seconds) = overlap.filter(|chosen| OVERLAPS.iter().any(|(known, _)| known == chosen))
    else {
        return rotate_page(&portal, &visit, &key, Some("Choose how long the old key works.".to_owned()));
    };
    let once = once_of(&form)?;
    match posted::rotate_key(&portal, &visit.who, &id, RotateOwnKey { overlap_seconds }, &once).await {
        Ok(Answer::First(Done::Rotated(RotatedKey { new: Key { key: Some(key), .. }, old }))) => {
            let until = old.expires_at.map(|at| visit.zone.when(at));
            Ok(made(&portal, &visit, "The new key", key, until))
        }
        Ok(_) => Ok(Redirect::to("/portal/keys").into_response()),
        Err(failure) => rotate_page(&portal, &visit, &key, Some(wrong(failure, |_| None)?)),
    }
}

/// Asks whether a key is to be revoked.
pub async fn ask_revoke(
    State(portal): State<Arc<Portal>>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    refuse(&portal, &visit, Right::RevokeKeys)?;
    let key = data::key(&portal, &visit.who, &id).await?;
    let title = "Revoke the key";
    let page = AskKeyPage {
        frame: visit.frame(&portal, "/keys", title),
        once: fresh_once()?,
        wrong: None,
        title,
        about: "It is refused for good, within about a second. This can\u{2019}t be undone.",
        button: "Revoke it for good",
        is_danger: true,
        facts: facts(&key, &visit.zone),
        overlaps: Vec::new(),
    };
    Ok(html(StatusCode::OK, &page))
}

/// Revokes a key.
pub async fn revoke(
    State(portal): State<Arc<Portal>>,
    Path(id): Path<String>,
    Filled { visit, form }: Filled,
) -> Result<Response, Trouble> {
    posted::revoke_key(&portal, &visit.who, &id, &once_of(&form)?).await?;
    Ok(Redirect::to("/portal/keys?done=revoke").into_response())
}
