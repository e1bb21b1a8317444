//! Operators, gateway tokens, and how long each is valid. For admins alone, as in the admin API.

use super::assets::version;
use super::page::{self, Frame};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::{Token, Tokens};
use crate::http::pages::show::{Html, encoded, shortened};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// How many tokens of each kind a page shows.
const ROWS: usize = 100;

#[derive(Template)]
#[template(path = "operators.html")]
struct OperatorsPage {
    frame: Frame,
    operators: Vec<TokenLine>,
    next_operators: Option<String>,
    gateways: Vec<TokenLine>,
    next_gateways: Option<String>,
}

struct TokenLine {
    name: Html,
    scope: Html,
    prefix: Html,
    state: Html,
    used: Html,
    expires: Html,
    made: Html,
}

/// The page.
pub async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    let after = |name: &str| {
        visit.query.get(name).map_or_else(String::new, |after| format!("&after={}", encoded(after)))
    };
    let path = format!("/admin/v1/operators?limit={ROWS}{}", after("operators"));
    let operators: Tokens = visit.get(&console, &path).await?;
    let path = format!("/admin/v1/gateway-tokens?limit={ROWS}{}", after("gateways"));
    let gateways: Tokens = visit.get(&console, &path).await?;
    let line = |token: &Token| TokenLine {
        name: Html::text(&token.name),
        scope: Html::or_none(token.scope, |scope| Html::text(scope.as_str())),
        prefix: match &token.oidc_subject {
            Some(subject) => Html::text(format!("OpenID subject {}", shortened(subject))),
            None => Html::code(&format!("{}…", token.prefix)),
        },
        state: Html::state(token.state.as_str()),
        used: Html::or_none(token.last_used_at, |at| visit.zone.when(at)),
        expires: Html::or_none(token.expires_at, |at| visit.zone.when(at)),
        made: visit.zone.when(token.created_at),
    };
    let page = OperatorsPage {
        frame: visit.frame("/operators", "Operators"),
        operators: operators.tokens.iter().map(line).collect(),
        next_operators: operators.next.map(|next| visit.query.with("operators", Some(&next))),
        gateways: gateways.tokens.iter().map(line).collect(),
        next_gateways: gateways.next.map(|next| visit.query.with("gateways", Some(&next))),
    };
    Ok(page::html(StatusCode::OK, &page))
}
