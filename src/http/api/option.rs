//! The options for everybody that nothing closer says otherwise: `/api/v1/options`.

use super::body::Body;
use super::template::{ComparisonView, compared};
use crate::engine::Engine;
use crate::http::auth::Who;
use crate::http::problem::Problem;
use crate::model::{OptionPatch, OptionSet};
use crate::store::Edit;
use axum::Json;
use axum::extract::State;
use std::collections::BTreeMap;
use std::sync::Arc;

pub async fn show(State(engine): State<Arc<Engine>>) -> Json<OptionSet> {
    Json(engine.store.world().options.clone())
}

/// A value sets an option, null removes it, the others stay.
pub async fn set(
    State(engine): State<Arc<Engine>>,
    who: Who,
    Body(given): Body<BTreeMap<String, Option<String>>>,
) -> Result<Json<OptionSet>, Problem> {
    engine.store.edit(Edit::SetOptions(patch(&given)?), &who.0, engine.now()).await?;
    Ok(show(State(engine)).await)
}

/// What that would do to machines.
pub async fn diff(
    State(engine): State<Arc<Engine>>,
    Body(given): Body<BTreeMap<String, Option<String>>>,
) -> Result<Json<ComparisonView>, Problem> {
    Ok(Json(compared(engine.compare(Edit::SetOptions(patch(&given)?)).await?)))
}

fn patch(given: &BTreeMap<String, Option<String>>) -> Result<OptionPatch, Problem> {
    let mut patch = OptionPatch::default();
    for (option, value) in given {
        let put = patch.put(option, value.as_deref());
        put.map_err(|error| Problem::invalid(option, format!("{option}: {error}")))?;
    }
    Ok(patch)
}
