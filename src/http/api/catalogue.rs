//! Ready-made profiles: `/api/v1/catalogue`. They are files, the operator's among them, and not records.

use crate::engine::Engine;
use crate::http::problem::Problem;
use crate::model::{Family, Name, Variables};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a profile can be begun from.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReadyView {
    pub name: String,
    pub about: String,
    pub family: Family,
    pub template: Option<String>,
    pub arguments: String,
    pub variables: Variables,
    /// Those of its family: the one to install is among them.
    pub distros: Vec<Name>,
}

pub async fn list(State(engine): State<Arc<Engine>>) -> Result<Json<Vec<ReadyView>>, Problem> {
    let names = engine.ready_names();
    Ok(Json(names.into_iter().map(|name| view(&engine, name)).collect::<Result<_, _>>()?))
}

pub async fn show(State(engine): State<Arc<Engine>>, Path(name): Path<String>) -> Result<Json<ReadyView>, Problem> {
    view(&engine, name).map(Json)
}

fn view(engine: &Engine, name: String) -> Result<ReadyView, Problem> {
    let ready = engine.ready(&name)?;
    let distros = engine
        .store
        .world()
        .distros
        .values()
        .filter(|distro| distro.family == ready.family)
        .map(|d| d.name.clone())
        .collect();
    Ok(ReadyView {
        name,
        about: ready.about,
        family: ready.family,
        template: ready.template,
        arguments: ready.arguments,
        variables: ready.variables,
        distros,
    })
}
