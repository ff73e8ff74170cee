//! The quirks as they count now, the operator's rows first: `/api/v1/quirks`. They are written in a file.

use crate::engine::Engine;
use crate::model::Quirk;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

pub async fn list(State(engine): State<Arc<Engine>>) -> Json<Vec<Quirk>> {
    Json(engine.shelf().quirks.clone())
}
