//! `GET /bootstrap`: the script that puts the agent onto a system that runs already. Public: there is no secret in it.

use super::machine::not_found;
use crate::engine::{Bootstrap, Engine, Error, ErrorKind, is_host};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

pub async fn script(State(engine): State<Arc<Engine>>, uri: Uri, headers: HeaderMap) -> Response {
    // As the system itself calls this server: by that name it comes back.
    let host = uri.host().or_else(|| headers.get(header::HOST)?.to_str().ok().map(without_port));
    let Some(host) = host.filter(|host| is_host(host)).map(str::to_owned) else {
        return (StatusCode::BAD_REQUEST, "ask by this server's IPv4 address or its name\n").into_response();
    };
    match made(engine, host).await {
        Ok(made) => ([(header::CONTENT_TYPE, "text/x-shellscript; charset=utf-8")], made.script).into_response(),
        Err(error) if error.kind() == ErrorKind::Missing => {
            (StatusCode::NOT_FOUND, format!("{error}\n")).into_response()
        }
        Err(_) => not_found(),
    }
}

fn without_port(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(host, _)| host)
}

/// Digests of programs take a moment.
pub async fn made(engine: Arc<Engine>, host: String) -> Result<Bootstrap, Error> {
    let made = tokio::task::spawn_blocking(move || engine.bootstrap(&host)).await;
    made.unwrap_or_else(|_| Err(Error::Internal("the bootstrap script was not made".into())))
}
