//! What clients of Cobbler ask for: XML-RPC at `/cobbler_api`, and the paths below `/cblr` and `/cobbler`.
//!
//! Nobody proves who he is here: [`calls`] and [`lists`] tell what everybody may know, [`ops`] gives to a machine's own
//! address alone, [`files`] are those that everybody may read anyway. Without `[cobbler] serve` none of it is there.

mod calls;
mod files;
mod lists;
mod ops;

use super::auth::Peer;
use super::machine::{from, no_head, not_found};
use crate::compat::xmlrpc::{self, Value};
use crate::engine::Engine;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;

/// Its addresses; none where it is switched off.
pub(super) fn routes(engine: &Engine) -> Router<Arc<Engine>> {
    if engine.cobbler().is_none() {
        return Router::new();
    }
    Router::new()
        .route("/cobbler_api", post(call).layer(DefaultBodyLimit::max(xmlrpc::BODY_BYTES)))
        .route("/cblr/svc/op/{*asked}", get(ops::answer).head(no_head))
        .route("/cobbler/images/{distro}/{file}", get(files::of_distro))
        .route("/images/{distro}/{file}", get(files::of_distro))
        .route("/cblr/links/{distro}/{*file}", get(files::of_tree))
        .route("/cobbler/links/{distro}/{*file}", get(files::of_tree))
        .route("/cobbler/distro_mirror/{distro}/{*file}", get(files::of_tree))
}

/// What a call comes to.
enum Reply {
    Said(Value),
    /// Cobbler's way to say no.
    Fault(String),
    /// Many records, one after the other.
    Many(Body),
}

/// A page of another site can make a browser post a form, but no `text/xml`.
fn is_xml(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/xml") || kind.starts_with("application/xml")
}

async fn call(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(from) = from(&peer) else { return not_found() };
    if !is_xml(&headers) {
        return (StatusCode::BAD_REQUEST, "not text/xml\n").into_response();
    }
    let call = match xmlrpc::call(&body) {
        Ok(call) => call,
        Err(why) => {
            tracing::debug!(%from, %why, "what came to /cobbler_api is no call");
            return (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response();
        }
    };
    drop(body);
    let body = match calls::answer(&engine, call, from).await {
        Reply::Said(value) => Body::from(xmlrpc::response(&value)),
        Reply::Fault(text) => Body::from(xmlrpc::fault(&text)),
        Reply::Many(body) => body,
    };
    ([(header::CONTENT_TYPE, "text/xml")], body).into_response()
}
