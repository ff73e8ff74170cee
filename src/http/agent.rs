//! What the agent of an installed system posts: its registration, once, and its inventory, at each boot.

use super::auth::Peer;
use super::machine::{failed, from, harmless, not_found};
use crate::engine::{Engine, Newcomer};
use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kickstand_agent::wire::{Identity, Inventory, Registration};
use serde_json::json;
use std::sync::Arc;

pub async fn register(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(registration): Json<Registration>,
) -> Response {
    let Some(from) = from(&peer) else { return not_found() };
    let Registration { key, credential, inventory } = registration;
    let newcomer = Newcomer { key: &key, credential: &credential, inventory: harmless(json!(inventory)) };
    match engine.register(newcomer, from).await {
        Ok(Ok(welcome)) => {
            Json(Identity { system_id: welcome.machine.to_string(), name: welcome.name.to_string() }).into_response()
        }
        // Why is for the operator's events: who tries keys learns nothing.
        Ok(Err(_)) => (StatusCode::FORBIDDEN, "this key opens nothing: see the events on the server\n").into_response(),
        Err(error) => failed(&error, "registration"),
    }
}

pub async fn inventory(
    State(engine): State<Arc<Engine>>,
    headers: HeaderMap,
    Json(inventory): Json<Inventory>,
) -> Response {
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    let Some(credential) = bearer else { return unauthorized() };
    match engine.check_in(credential, harmless(json!(inventory))).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => unauthorized(),
        Err(error) => failed(&error, "check-in"),
    }
}

fn unauthorized() -> Response {
    (StatusCode::UNAUTHORIZED, "this credential opens nothing\n").into_response()
}
