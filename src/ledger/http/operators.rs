//! What operators reach on the admin listener: the admin API, and the console over it.

use super::admin;
use super::app::App;
use super::console::{self, ServedAs};
use axum::Router;
use std::sync::Arc;

/// Both.
pub fn router(app: Arc<App>, served: ServedAs) -> Router {
    let api = admin::inside(&app);
    admin::router(Arc::clone(&app)).merge(console::router(app, api, served))
}
