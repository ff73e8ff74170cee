//! Kernels, initrds and trees by Cobbler's names for them: the same files that lie below `/files`.

use crate::engine::Engine;
use crate::http::auth::Peer;
use crate::http::files::{Wanted, send};
use crate::http::machine::{from, not_found};
use crate::model::Name;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::Response;
use std::sync::Arc;

/// A distro's kernel or initrd, by the last part of its name.
pub(super) async fn of_distro(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path((distro, file)): Path<(String, String)>,
    request: Request,
) -> Response {
    let name = distro.parse::<Name>().ok().and_then(|distro| engine.distro_file(&distro, &file));
    let Some(name) = name else { return not_found() };
    if let Some(from) = from(&peer) {
        engine.warn_if_not_armed(&name, from);
    }
    send(engine, peer, request, Wanted::File(name)).await
}

pub(super) async fn of_tree(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path((distro, file)): Path<(String, String)>,
    request: Request,
) -> Response {
    match distro.parse::<Name>().ok().and_then(|distro| engine.tree_file(&distro, &file)) {
        Some(name) => send(engine, peer, request, Wanted::File(name)).await,
        None => not_found(),
    }
}
