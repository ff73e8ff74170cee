//! What a booting machine asks for: its script, its answer file, and where its installer reports.

use super::auth::Peer;
use crate::boot::report::Stage;
use crate::engine::{Engine, Error, ErrorKind};
use crate::model::Mac;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
pub(super) use kickstand_agent::kit::harmless;
use kickstand_agent::kit::shortened;
use kickstand_agent::wire::Report;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The one answer to everything that is not there, is no longer there, or is not for you.
pub(super) fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "not found\n").into_response()
}

/// A machine can do nothing with a reason, and must not be told one: it is in the log and the events.
pub(super) fn failed(error: &Error, what: &str) -> Response {
    refused(error, what).into_response()
}

pub(super) fn refused(error: &Error, what: &str) -> (StatusCode, String) {
    let status = match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Conflict => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    tracing::warn!(%error, "no {what} was given");
    (status, format!("no {what}: see the events of this machine\n"))
}

/// The IPv4 address that a request came from; none on the socket.
pub(super) fn from(peer: &Peer) -> Option<Ipv4Addr> {
    match peer {
        Peer::Tcp(from) => ipv4(*from),
        Peer::Socket { .. } => None,
    }
}

pub(super) fn ipv4(from: SocketAddr) -> Option<Ipv4Addr> {
    match from.ip().to_canonical() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

/// To look at a script or an answer file is to use it: HEAD would spend what it does not give.
pub async fn no_head() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

pub async fn script(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(mac): Path<String>,
) -> Response {
    let (Ok(mac), Some(from)) = (mac.parse::<Mac>(), from(&peer)) else { return not_found() };
    match engine.script(mac, from).await {
        Ok(Some(text)) => plain(text),
        Ok(None) => not_found(),
        Err(error) => failed(&error, "script"),
    }
}

pub async fn answer(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    token: Result<Path<String>, PathRejection>,
) -> Response {
    let Ok(Path(token)) = token else { return not_found() };
    answered(&engine, &peer, &token, None).await
}

/// For installers that look for several files below one URL.
pub async fn answer_part(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    part: Result<Path<(String, String)>, PathRejection>,
) -> Response {
    let Ok(Path((token, file))) = part else { return not_found() };
    answered(&engine, &peer, &token, Some(&file)).await
}

async fn answered(engine: &Engine, peer: &Peer, token: &str, file: Option<&str>) -> Response {
    let Some(from) = from(peer) else { return not_found() };
    match engine.answer(token, file, from).await {
        Ok(Some(text)) => plain(text),
        Ok(None) => not_found(),
        Err(error) => failed(&error, "answer file"),
    }
}

/// Public, as every certificate: who must be sure that it is ours knows its fingerprint.
pub async fn ca(State(engine): State<Arc<Engine>>) -> Response {
    let Some(trust) = engine.trust() else { return not_found() };
    ([(header::CONTENT_TYPE, "application/x-pem-file")], trust.pem.clone()).into_response()
}

pub async fn report(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(token): Path<String>,
    Json(report): Json<Report>,
) -> Response {
    let Some(from) = from(&peer) else { return not_found() };
    match engine.report(&token, from, stage(report)).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => not_found(),
        Err(error) => failed(&error, "report"),
    }
}

/// From the wire's words to the core's.
fn stage(report: Report) -> Stage {
    match report {
        Report::Started => Stage::Started,
        Report::Inventory { inventory } => Stage::Inventory(harmless(serde_json::json!(inventory))),
        Report::Progress { percent, message } => Stage::Progress { percent, message: shortened(message) },
        Report::Done => Stage::Done,
        Report::Failed { message } => Stage::Failed { message: shortened(message) },
    }
}

pub(super) fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], text).into_response()
}
