//! What the agent of an installed system posts: its registration, once, and its inventory, at each boot.

use super::auth::Peer;
use super::machine::{failed, from, harmless, not_found};
use crate::engine::{Engine, Newcomer, Outside, Welcome};
use crate::model::Secret;
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
    let Registration { key, credential, inventory, name } = registration;
    let key = Secret::new(key);
    let inventory = harmless(json!(inventory));
    let newcomer = Newcomer { key: key.expose(), credential: &credential, inventory, name: name.as_deref() };
    match engine.register(newcomer, from).await {
        Ok(Ok(Welcome { machine, name, packages })) => {
            let packages = packages.iter().map(ToString::to_string).collect();
            Json(Identity { system_id: machine.to_string(), name: name.to_string(), packages }).into_response()
        }
        Ok(Err(Outside::Told(text))) => (StatusCode::FORBIDDEN, text + "\n").into_response(),
        // Why is for the operator's events: who tries keys learns nothing.
        Ok(Err(Outside::Silent(_))) => {
            (StatusCode::FORBIDDEN, "this key opens nothing: see the events on the server\n").into_response()
        }
        Err(error) => failed(&error, "registration"),
    }
}

pub async fn inventory(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    Json(inventory): Json<Inventory>,
) -> Response {
    let (Some(from), Some(credential)) = (from(&peer), bearer(&headers)) else { return unauthorized() };
    match engine.check_in(credential, harmless(json!(inventory)), from).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => unauthorized(),
        Err(error) => failed(&error, "check-in"),
    }
}

/// The system leaves: its record stays.
pub async fn unregister(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Response {
    let (Some(from), Some(credential)) = (from(&peer), bearer(&headers)) else { return unauthorized() };
    match engine.leave(credential, from).await {
        Ok(Ok(true)) => StatusCode::NO_CONTENT.into_response(),
        Ok(Ok(false)) => unauthorized(),
        Ok(Err(why)) => (StatusCode::CONFLICT, why + "\n").into_response(),
        Err(error) => failed(&error, "leave"),
    }
}

pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

pub(super) fn unauthorized() -> Response {
    (StatusCode::UNAUTHORIZED, "this credential opens nothing\n").into_response()
}
