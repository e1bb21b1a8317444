//! What rules that only watch would have refused.

use super::query::{Asked, Watched};
use crate::api::Shadow;
use crate::http::App;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

pub async fn show(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Watched>,
) -> Result<Json<Shadow>, Failure> {
    Ok(Json(app.store.shadow(asked.shadow()?).await?))
}
