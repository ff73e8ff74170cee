//! The operators' JSON API, one file for each noun; every route of it is on this one screen.
//!
//! [`network`] with [`dhcp`], [`range`], [`class`], [`reservation`], [`distro`], [`profile`], [`key`] and [`machine`]
//! are records, all read and written by [`noun`]; [`option`] are those for everybody; [`batch`] adds many machines at once, [`records`] records of several nouns; [`arming`] is what is done with one.
//! [`catalogue`] has the profiles to begin from, [`template`] are the texts of machines, with their versions. [`lease`],
//! [`capture`], [`sighting`], [`event`], [`quirk`], [`why`], [`authority`] and [`status`] only show (but a lease can be released, and another CA accepted), and
//! [`variables`] where a machine's come from, [`answers`] what its installer would be given; [`revision`] is the history of all records, and the way back; [`token`] lets others in.
//! [`body`] reads requests. Who may ask is decided in front of all this, by `auth`.

pub mod answers;
pub mod arming;
pub mod authority;
pub mod batch;
pub mod body;
pub mod bootstrap;
pub mod capture;
pub mod catalogue;
pub mod class;
pub mod dhcp;
pub mod distro;
pub mod event;
pub mod key;
pub mod lease;
pub mod machine;
pub mod network;
pub mod noun;
pub mod option;
pub mod profile;
pub mod quirk;
pub mod range;
pub mod records;
pub mod reservation;
pub mod revision;
pub mod sighting;
pub mod status;
pub mod template;
pub mod token;
pub mod variables;
pub mod why;

use super::auth;
use super::problem::{Kind, Problem};
use crate::engine::Engine;
use crate::model::{ActivationKey, Class, Distro, Machine, Network, Profile, Range, Reservation};
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, delete, get, patch, post};
use axum::{Router, http::Uri};
use std::sync::Arc;

const BODY_BYTES: usize = 1 << 20;
/// A template, with all of it escaped.
const TEMPLATE_BYTES: usize = 7 << 20;
const BATCH_BYTES: usize = 16 << 20;
/// Machines as above, with templates.
const RECORDS_BYTES: usize = 64 << 20;

/// Everything below /api/v1.
fn routes() -> Router<Arc<Engine>> {
    let machines = noun::routes::<Machine>()
        .route("/batch", post(batch::add).layer(DefaultBodyLimit::max(BATCH_BYTES)))
        .route("/adopt", post(arming::adopt))
        .route("/{name}/variables", get(variables::list))
        .route("/{name}/answers", get(answers::show))
        .route("/{name}/arm", post(arming::arm))
        .route("/{name}/disarm", post(arming::disarm))
        .route("/{name}/reinstall", post(arming::reinstall))
        .route("/{name}/replace", post(arming::replace))
        .route("/{name}/reactivate", post(key::reactivate));
    let keys = noun::routes::<ActivationKey>()
        .route("/preview", post(key::preview))
        .route("/{name}/join", post(key::join).delete(key::join_no_more));
    Router::new()
        .nest("/networks", noun::routes::<Network>())
        .nest("/ranges", noun::routes::<Range>())
        .nest("/classes", noun::routes::<Class>())
        .nest("/reservations", noun::routes::<Reservation>())
        .route("/options", get(option::show).patch(option::set))
        .nest("/distros", noun::routes::<Distro>())
        .nest("/profiles", noun::routes::<Profile>())
        .route("/catalogue", get(catalogue::list))
        .route("/catalogue/{name}", get(catalogue::show))
        .nest("/keys", keys)
        .nest("/machines", machines)
        .route("/records", post(records::bring_in).layer(DefaultBodyLimit::max(RECORDS_BYTES)))
        .route("/retired/{mac}", delete(arming::forget))
        .route("/leases", get(lease::list))
        .route("/leases/{ip}", get(lease::show).delete(lease::release))
        .route("/captures/{mac}", get(capture::show))
        .route("/sightings", get(sighting::list))
        .route("/events", get(event::list))
        .route("/revisions", get(revision::list))
        .route("/revisions/{number}", get(revision::show))
        .route("/revisions/{number}/rollback", post(revision::roll_back))
        .nest("/diff", diffs())
        .route("/quirks", get(quirk::list))
        .route("/templates", get(template::list))
        .merge(templates())
        .route("/why/{whom}", get(why::why))
        .route("/tokens", get(token::list).post(token::add))
        .route("/tokens/{name}", delete(token::remove))
        .route("/ca", get(authority::show))
        .route("/bootstrap", get(bootstrap::show))
        .route("/ca/accept", post(authority::accept))
        .route("/status", get(status::show))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
}

/// What a change would do to machines, asked as the change itself is, and changing nothing.
fn diffs() -> Router<Arc<Engine>> {
    Router::new()
        .nest("/networks", noun::diffs::<Network>())
        .nest("/ranges", noun::diffs::<Range>())
        .nest("/classes", noun::diffs::<Class>())
        .nest("/reservations", noun::diffs::<Reservation>())
        .route("/options", patch(option::diff))
        .nest("/distros", noun::diffs::<Distro>())
        .nest("/profiles", noun::diffs::<Profile>())
        .nest("/keys", noun::diffs::<ActivationKey>())
        .nest("/machines", noun::diffs::<Machine>())
}

/// Their names have slashes.
fn templates() -> Router<Arc<Engine>> {
    Router::new()
        .route("/templates/text/{*name}", get(template::show).put(template::set).delete(template::remove))
        .route("/templates/history/{*name}", get(template::history))
        .route("/templates/rollback/{*name}", post(template::roll_back))
        .route("/templates/diff/{*name}", post(template::diff))
        .layer(DefaultBodyLimit::max(TEMPLATE_BYTES))
}

/// The whole of /api behind the guard, the paths that are not there included: merge it, do not nest it.
pub fn mount(engine: &Arc<Engine>) -> Router<Arc<Engine>> {
    Router::new()
        .nest("/api/v1", routes())
        .route("/api", any(nowhere))
        .route("/api/", any(nowhere))
        .route("/api/{*rest}", any(nowhere))
        .method_not_allowed_fallback(no_such_method)
        // Of these routes alone: a layer would guard what others serve beside them, too.
        .route_layer(from_fn_with_state(engine.clone(), auth::guard))
}

async fn nowhere(uri: Uri) -> Problem {
    Problem::new(Kind::Missing, format!("there is no {} here: docs/api.md lists every address", uri.path()))
}

async fn no_such_method() -> Problem {
    Problem::new(Kind::Method, "this address does not know that method: docs/api.md lists every address")
}
