//! Who may ask: on the local socket by user id, on TCP by bearer token, and nobody else anything.

use super::problem::{Kind, Problem};
use crate::engine::Engine;
use crate::model::Secret;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// The other end of a connection, as the kernel tells it; the listeners put it there as `ConnectInfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The local socket, with the user id of SO_PEERCRED.
    Socket {
        uid: u32,
    },
    Tcp(SocketAddr),
}

/// Who asked, in the words of the audit trail: `root@socket`, `uid 1000`, `token NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Problem;

    /// A route that was mounted without the guard refuses everyone.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Who>().cloned().ok_or_else(stranger)
    }
}

/// The layer around everything below /api, the paths that do not exist included.
pub async fn guard(State(engine): State<Arc<Engine>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| *peer);
    match who(peer, request.headers(), &engine) {
        Some(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        None => stranger().into_response(),
    }
}

fn who(peer: Option<Peer>, headers: &HeaderMap, engine: &Engine) -> Option<Who> {
    match peer? {
        Peer::Socket { uid: 0 } => Some(Who("root@socket".into())),
        Peer::Socket { uid } => (Some(uid) == own_uid()).then(|| Who(format!("uid {uid}"))),
        Peer::Tcp(_) => {
            let hash = bearer(headers)?.hash();
            let world = engine.store.world();
            let (name, _) = world.tokens.get(&hash)?;
            Some(Who(format!("token {name}")))
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
}

/// The user that this service runs as: the owner of its own entry in /proc.
fn own_uid() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|own| own.uid())
}

/// The same for every path, so that nothing can be learnt from it.
fn stranger() -> Problem {
    let text = "who are you? Send `Authorization: Bearer TOKEN` (`kickstand token add NAME` on the server makes one), \
                or use the server's local socket as root or as the user that it runs as";
    Problem::new(Kind::Unauthorized, text)
}
