//! The settings that the ledger runs with, as they are: they are changed where it is started.

use super::assets::version;
use super::page::{self, Frame};
use super::state::Console;
use super::survey;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::command::sessions;
use crate::http::pages::show::{Html, how_long};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    groups: Vec<(&'static str, Vec<(&'static str, Html)>)>,
}

/// The page.
pub async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    let (app, served) = (&console.app, &console.served);
    let tls = |is_tls| Html::text(if is_tls { "TLS" } else { "in the clear" });
    let seconds = |seconds: u64| Html::text(how_long(seconds));
    let ledger = vec![
        ("Version", Html::text(env!("CARGO_PKG_VERSION"))),
        ("Database", Html::text(app.store.kind())),
        ("Gateway listener", tls(served.gateway_is_tls)),
        ("Admin listener", tls(served.is_tls)),
        ("Trusted proxies", Html::number(app.trusted_proxies)),
    ];
    let single = app.single_sign_on.as_ref();
    let sign_in = vec![
        ("Provider", Html::or_none(single, |single| Html::text(single.provider.issuer()))),
        ("It sends browsers back to", Html::or_none(single, |single| Html::text(single.back_to()))),
        ("Rules about claims", Html::number(single.map_or(0, |single| single.rules.len()))),
    ];
    let customers = app.portal_sign_on.as_ref();
    let portal = vec![
        ("Address", Html::or_none(app.portal_url.as_ref(), Html::text)),
        ("Provider", Html::or_none(customers, |sign_on| Html::text(sign_on.provider.issuer()))),
        ("It sends browsers back to", Html::or_none(customers, |sign_on| Html::text(sign_on.back_to()))),
    ];
    let leases = vec![
        ("A lease may be spent from for", seconds(app.ttl_ms / 1_000)),
        ("Then a silent gateway is waited for", seconds(served.lease_grace.as_secs())),
    ];
    let kept = vec![
        ("Call records are kept for", seconds(u64::from(app.calls.limits().days).saturating_mul(86_400))),
        ("Call records are exported to", Html::or_none(app.calls.exported_to(), Html::text)),
        ("The trail is kept for", seconds(served.keep_trail.as_secs())),
        ("A session lasts", seconds(sessions::MAX_AGE.unsigned_abs().as_secs())),
        ("Without use it lasts", seconds(sessions::MAX_IDLE.unsigned_abs().as_secs())),
        ("The overview\u{2019}s figures are counted again after", seconds(survey::KEPT.as_secs())),
    ];
    let groups = vec![
        ("Ledger", ledger),
        ("Leases", leases),
        ("Kept", kept),
        ("Single sign-on", sign_in),
        ("Portal", portal),
    ];
    Ok(page::html(StatusCode::OK, &SettingsPage { frame: visit.frame("/settings", "Settings"), groups }))
}
