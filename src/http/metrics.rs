//! Metrics for Prometheus, `GET /metrics`: for operators only, since they tell which networks there are. And the
//! layer that counts requests.

use super::auth;
use super::problem::{Kind, Problem};
use crate::engine::Engine;
use crate::metrics::{CONTENT_TYPE, Route};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

/// Behind the guard of the API.
pub fn mount(engine: &Arc<Engine>) -> Router<Arc<Engine>> {
    Router::new().route("/metrics", get(text)).route_layer(from_fn_with_state(engine.clone(), auth::guard))
}

async fn text(State(engine): State<Arc<Engine>>) -> Result<Response, Problem> {
    let text = engine.metrics_text();
    let text = text.map_err(|_| Problem::new(Kind::Internal, "the metrics could not be written"))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

/// Around everything, what is not there included.
pub async fn counted(State(engine): State<Arc<Engine>>, request: Request, next: Next) -> Response {
    let route = Route::of(request.uri().path());
    let response = next.run(request).await;
    engine.metrics.request(route, response.status().as_u16());
    response
}
