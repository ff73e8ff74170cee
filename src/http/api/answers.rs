//! What a machine's installer would be given, without the secrets: `/api/v1/machines/{name}/answers`.

use super::body::Named;
use crate::engine::Engine;
use crate::http::problem::Problem;
use crate::model::Name;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize)]
pub struct AnswersView {
    pub family: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The answer file first.
    pub files: Vec<FileView>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct FileView {
    pub name: String,
    /// With «name» for every secret.
    pub text: String,
}

pub async fn show(State(engine): State<Arc<Engine>>, Named(name): Named<Name>) -> Result<Json<AnswersView>, Problem> {
    let paper = engine.answers_on_paper(&name).await?;
    let file = |(name, text)| FileView { name, text };
    let files = paper.files.into_iter().map(file).collect();
    Ok(Json(AnswersView { family: paper.family.to_string(), release: paper.release, files }))
}
