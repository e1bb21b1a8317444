//! What operators do in the console: a page that asks, a review where there is something to check, and the call of the admin API.
//!
//! What must hold: nothing is done by opening a page; what is sent twice is done once; a new key is shown once and never kept.

use super::assets::version;
use super::forms::{self, ACTIONS, Action, Field, Kind, Subject};
use super::page::{self, Frame, sentence};
use super::session::SessionValue;
use super::state::Console;
use super::trouble::Trouble;
use super::visit::{Fields, Posted, Visit};
use crate::api::{Account, Grant, Key, Plans};
use crate::http::admin;
use crate::http::admission::Refused;
use crate::http::codes::Code;
use crate::http::denial::Denial;
use crate::http::pages::show::{Html, encoded, grouped};
use crate::http::problem::Failure;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde_json::Value;
use std::sync::Arc;

/// How many plans a form offers.
const MAX_PLANS: usize = 200;

#[derive(Template)]
#[template(path = "action.html")]
struct ActionPage {
    frame: Frame,
    title: &'static str,
    about: &'static str,
    button: &'static str,
    is_danger: bool,
    back: String,
    facts: Vec<(&'static str, Html)>,
    fields: Vec<Shown>,
    wrong: Option<String>,
    is_review: bool,
    is_first_of_two: bool,
    once: String,
}

/// A field as it is shown.
struct Shown {
    name: &'static str,
    label: &'static str,
    hint: String,
    value: String,
    words: Html,
    kind: &'static str,
    choices: Vec<(String, String, bool)>,
    is_needed: bool,
    is_wrong: bool,
}

#[derive(Template)]
#[template(path = "made_key.html")]
struct MadeKeyPage {
    frame: Frame,
    title: &'static str,
    key: String,
    back: String,
    old: Option<Html>,
}

/// What is acted on.
struct Target {
    id: String,
    account: String,
    facts: Vec<(&'static str, Html)>,
}

/// What is said after an action, by its name.
pub fn said(name: &str) -> Option<&'static str> {
    ACTIONS.iter().find(|action| action.name == name).map(|action| action.done)
}

/// Asks about an account.
pub async fn ask_account(
    console: State<Arc<Console>>,
    visit: Visit,
    path: Path<(String, String)>,
) -> Result<Response, Trouble> {
    ask(Subject::Account, console, visit, path).await
}

/// Asks about a key.
pub async fn ask_key(
    console: State<Arc<Console>>,
    visit: Visit,
    path: Path<(String, String)>,
) -> Result<Response, Trouble> {
    ask(Subject::Key, console, visit, path).await
}

/// Asks about a grant.
pub async fn ask_grant(
    console: State<Arc<Console>>,
    visit: Visit,
    path: Path<(String, String)>,
) -> Result<Response, Trouble> {
    ask(Subject::Grant, console, visit, path).await
}

/// Does something about an account.
pub async fn do_account(
    console: State<Arc<Console>>,
    path: Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Trouble> {
    act(Subject::Account, console, path, posted).await
}

/// Does something about a key.
pub async fn do_key(
    console: State<Arc<Console>>,
    path: Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Trouble> {
    act(Subject::Key, console, path, posted).await
}

/// Does something about a grant.
pub async fn do_grant(
    console: State<Arc<Console>>,
    path: Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Trouble> {
    act(Subject::Grant, console, path, posted).await
}

/// The action, if there is one at this address and the operator may do it.
fn allowed(
    subject: Subject,
    name: &str,
    console: &Console,
    visit: &Visit,
) -> Result<&'static Action, Trouble> {
    let action = forms::find(subject, name).ok_or_else(Trouble::nothing_here)?;
    let (has, needs) = (visit.scope(), admin::needs(&Method::POST, action.route));
    if has < needs {
        console.app.admin_access.denials.note(Denial::Scope, visit.address(), Some(&visit.caller));
        return Err(Refused::Scope(has, needs).into());
    }
    Ok(action)
}

async fn ask(
    subject: Subject,
    State(console): State<Arc<Console>>,
    visit: Visit,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, Trouble> {
    let action = allowed(subject, &name, &console, &visit)?;
    let target = target(&console, &visit, subject, &id).await?;
    let step = Step { form: &Fields::default(), wrong: None, is_review: false, once: fresh_once()? };
    shown(&console, &visit, action, &target, step).await
}

async fn act(
    subject: Subject,
    State(console): State<Arc<Console>>,
    Path((id, name)): Path<(String, String)>,
    Posted { visit, form }: Posted,
) -> Result<Response, Trouble> {
    let action = allowed(subject, &name, &console, &visit)?;
    let target = target(&console, &visit, subject, &id).await?;
    let once = form.text("once");
    let once = if once.is_empty() { fresh_once()? } else { once };
    let again = |wrong: (Option<String>, String)| Step {
        form: &form,
        wrong: Some(wrong),
        is_review: false,
        once: once.clone(),
    };
    let body = match forms::body(action, &form, &visit.zone) {
        Ok(body) => body,
        Err((field, why)) => {
            return shown(&console, &visit, action, &target, again((Some(field.to_owned()), why))).await;
        }
    };
    if action.is_reviewed && form.get("step") != Some("do") {
        let step = Step { form: &form, wrong: None, is_review: form.get("step") != Some("edit"), once };
        return shown(&console, &visit, action, &target, step).await;
    }
    let path = action.route.replace("{id}", &encoded(&target.id));
    match visit.post(&console, &path, &body, &once).await {
        Ok(answer) => Ok(done(&visit, action, &target, &answer)),
        Err(failure) if is_about_the_form(&failure) => {
            let why = failure.detail;
            let why = match &failure.field {
                Some(field) => why.strip_prefix(&format!("{field}: ")).unwrap_or(&why).to_owned(),
                None => why,
            };
            // Another attempt is another request.
            let step = Step { once: fresh_once()?, ..again((failure.field, why)) };
            shown(&console, &visit, action, &target, step).await
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Whether another entry may cure it.
fn is_about_the_form(failure: &Failure) -> bool {
    let status = failure.code.status();
    status == StatusCode::BAD_REQUEST
        || status == StatusCode::CONFLICT && failure.code != Code::KeyAlreadyShown
        || failure.code == Code::NotFound
}

/// A number under which an action is done once.
fn fresh_once() -> Result<String, Trouble> {
    let value = SessionValue::fresh().map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    Ok(format!("console-{}", value.form_token()))
}

fn done(visit: &Visit, action: &Action, target: &Target, answer: &Value) -> Response {
    let back = format!("/console/accounts/{}", encoded(&target.account));
    let key = answer.get("key").or_else(|| answer.pointer("/new/key")).and_then(Value::as_str);
    let Some(key) = key else {
        return Redirect::to(&format!("{back}?done={}", action.name)).into_response();
    };
    let until = answer.pointer("/old/expires_at").and_then(Value::as_str);
    let until = until.and_then(|at| at.parse().ok()).map(|at| visit.zone.when(at));
    let page = MadeKeyPage {
        frame: visit.frame("/accounts", action.title),
        title: if action.subject == Subject::Key { "The new key" } else { "The key" },
        key: key.to_owned(),
        back,
        old: until,
    };
    page::html(StatusCode::OK, &page)
}

async fn target(console: &Console, visit: &Visit, subject: Subject, id: &str) -> Result<Target, Trouble> {
    let zone = &visit.zone;
    let own = encoded(id);
    Ok(match subject {
        Subject::Account => {
            let account: Account = visit.get(console, &format!("/admin/v1/accounts/{own}")).await?;
            let facts = vec![
                ("Account", Html::account(&account.id)),
                ("Name", Html::or_none(account.name.as_ref(), Html::text)),
                ("State", Html::state(account.state.as_str())),
                ("Available", Html::number(account.available)),
                ("Plan", Html::or_none(account.plan.as_ref(), |plan| Html::plan(plan))),
            ];
            Target { id: id.to_owned(), account: account.id, facts }
        }
        Subject::Key => {
            let key: Key = visit.get(console, &format!("/admin/v1/keys/{own}")).await?;
            let shown =
                key.prefix.as_ref().map(|prefix| format!("{prefix}…")).or_else(|| key.subject.clone());
            let facts = vec![
                ("Account", Html::account(&key.account)),
                ("Key", Html::or_none(shown, |shown| Html::code(&shown))),
                ("Note", Html::or_none(key.note.as_ref(), Html::text)),
                ("Last used", Html::or_none(key.last_used_at, |at| zone.when(at))),
            ];
            Target { id: id.to_owned(), account: key.account, facts }
        }
        Subject::Grant => {
            let grant: Grant = visit.get(console, &format!("/admin/v1/grants/{own}")).await?;
            let facts = vec![
                ("Account", Html::account(&grant.account)),
                ("Given", Html::number(grant.amount)),
                ("Left", Html::number(grant.remaining)),
                ("When", zone.when(grant.created_at)),
                ("Note", Html::or_none(grant.note.as_ref(), Html::text)),
            ];
            Target { id: id.to_owned(), account: grant.account, facts }
        }
    })
}

/// How far an action is.
struct Step<'a> {
    form: &'a Fields,
    /// The field that is wrong, and why.
    wrong: Option<(Option<String>, String)>,
    is_review: bool,
    once: String,
}

async fn shown(
    console: &Console,
    visit: &Visit,
    action: &'static Action,
    target: &Target,
    step: Step<'_>,
) -> Result<Response, Trouble> {
    let wrong_field = step.wrong.as_ref().and_then(|(field, _)| field.as_deref());
    let mut fields = Vec::new();
    for field in action.fields {
        let is_wrong = wrong_field == Some(field.name);
        fields.push(shown_field(console, visit, field, step.form, is_wrong).await?);
    }
    let label = action.fields.iter().find(|field| wrong_field == Some(field.name)).map(|field| field.label);
    let wrong = step.wrong.map(|(_, why)| match label {
        Some(label) => format!("{label}: {}", sentence(&why)),
        None => sentence(&why),
    });
    let status = if wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let page = ActionPage {
        frame: visit.frame("/accounts", action.title),
        title: action.title,
        about: action.about,
        button: action.button,
        is_danger: action.is_danger,
        back: format!("/console/accounts/{}", encoded(&target.account)),
        facts: target.facts.clone(),
        fields,
        wrong,
        is_review: step.is_review,
        is_first_of_two: action.is_reviewed && !step.is_review,
        once: step.once,
    };
    Ok(page::html(status, &page))
}

async fn shown_field(
    console: &Console,
    visit: &Visit,
    field: &'static Field,
    form: &Fields,
    is_wrong: bool,
) -> Result<Shown, Trouble> {
    let value = form.text(field.name);
    let is_chosen = |name: &str| value == name;
    let (kind, choices) = match field.kind {
        Kind::Text => ("text", Vec::new()),
        Kind::Amount => ("amount", Vec::new()),
        Kind::Time => ("time", Vec::new()),
        Kind::Choice(all) => {
            let all = all.iter();
            let all = all.map(|(name, words)| ((*name).to_owned(), (*words).to_owned(), is_chosen(name)));
            ("choice", all.collect())
        }
        Kind::Plan => {
            let plans: Plans = visit.get(console, &format!("/admin/v1/plans?limit={MAX_PLANS}")).await?;
            let words = |plan: &crate::api::Plan| {
                format!("{}: {} credits per {}", plan.name, grouped(plan.quota), plan.period.as_str())
            };
            let all = plans.plans.iter();
            ("choice", all.map(|plan| (plan.name.clone(), words(plan), is_chosen(&plan.name))).collect())
        }
    };
    let words = match field.kind {
        _ if value.is_empty() => Html::none(),
        Kind::Amount => Html::number(&value),
        Kind::Time => Html::text(format!("{} {}", value.replace('T', " "), visit.zone.name)),
        _ => Html::text(
            choices.iter().find(|(_, _, is_chosen)| *is_chosen).map_or(&value, |(_, words, _)| words),
        ),
    };
    let hint = match field.kind {
        Kind::Time => format!("{}; {} time", field.hint, visit.zone.name),
        Kind::Plan if choices.is_empty() => {
            "There is no plan yet: faregate plan create pro --quota 1000 --period month".to_owned()
        }
        _ => field.hint.to_owned(),
    };
    let (name, label, is_needed) = (field.name, field.label, field.is_needed);
    Ok(Shown { name, label, hint, value, words, kind, choices, is_needed, is_wrong })
}
