//! HTTP: every route on one screen. What machines fetch, what agents post, and the operators' API.
//!
//! | path | who may | lives in |
//! |---|---|---|
//! | `GET /boot/{mac}/script.ipxe` | anyone; a token only at the machine's leased address | `machine` |
//! | `GET /loader/{path}`, `/grub/{path}` | anyone; a script only at a leased address | `direct`, `files` |
//! | `GET /files/{path}` | anyone | `direct`, `files` |
//! | `GET /ca.pem` | anyone | `machine` |
//! | `GET /bootstrap` | anyone | `bootstrap` |
//! | `GET /answer/{token}`, `/answer/{token}/{file}` | who has the token, at its address | `machine` |
//! | `POST /report/{token}` | who has the report token, at its address | `machine` |
//! | `POST /agent/register` | who has an unspent key, or the secrets of keys that let systems join | `agent` |
//! | `POST /agent/inventory`, `/agent/unregister` | a registered system's credential | `agent` |
//! | `POST /agent/check-in`, `/agent/reinstall`, `/agent/reinstall/way` | the same | `inside` |
//! | `/cobbler_api`, `/cblr/…`, `/cobbler/…`, `/images/…` | off by default; anyone, answer files only at a machine's own address | `cobbler` |
//! | `GET /metrics` | as `/api/v1` | `metrics` |
//! | `/api/v1/…` | root and the service's user on the socket, a bearer token on TCP | `api` |
//!
//! What holds all connections: `server` accepts them, `house` has a place for each, `direct` answers for files with
//! `files` and `conditions`, and hyper, over `stream`, answers everything else.
//!
//! A path that is not in the table is 404. Boot paths never redirect.

mod agent;
pub mod api;
pub mod auth;
pub mod bootstrap;
mod cobbler;
mod conditions;
mod direct;
mod files;
pub mod house;
mod inside;
mod machine;
mod metrics;
pub mod problem;
pub mod server;
mod stream;
pub mod tls;

use crate::engine::Engine;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use std::sync::Arc;

/// What machines and agents need: reachable on TCP by anyone on a served network.
pub fn machine_routes() -> Router<Arc<Engine>> {
    Router::new()
        .route("/boot/{mac}/script.ipxe", get(machine::script).head(machine::no_head))
        .route("/loader/{*path}", get(files::file))
        .route("/grub/{*path}", get(files::file))
        .route("/files/{*path}", get(files::file))
        .route("/ca.pem", get(machine::ca))
        .route("/bootstrap", get(bootstrap::script))
        .route("/answer/{token}", get(machine::answer).head(machine::no_head))
        .route("/answer/{token}/{file}", get(machine::answer_part).head(machine::no_head))
        .route("/report/{token}", post(machine::report))
        .route("/agent/register", post(agent::register))
        .route("/agent/inventory", post(agent::inventory))
        .route("/agent/unregister", post(agent::unregister))
        .route("/agent/check-in", post(inside::check_in))
        .route("/agent/reinstall", post(inside::reinstall))
        .route("/agent/reinstall/way", post(inside::starts))
        .layer(DefaultBodyLimit::max(256 * 1024))
}

/// All of it.
pub fn routes(engine: Arc<Engine>) -> Router {
    let all = Router::new()
        .merge(machine_routes())
        .merge(cobbler::routes(&engine))
        .merge(metrics::mount(&engine))
        .merge(api::mount(&engine));
    let all = all.fallback(async || machine::not_found());
    all.layer(from_fn_with_state(engine.clone(), metrics::counted)).with_state(engine)
}
