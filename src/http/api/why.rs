//! The dry run, what would happen if this machine or MAC booted now: `/api/v1/why/{whom}`.

use super::body::{Asked, Named};
use crate::engine::{Engine, Whom};
use crate::http::problem::Problem;
use crate::model::Arch;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhyQuery {
    /// As which firmware to ask: a word or a number of option 93.
    pub arch: Option<String>,
    /// As if its machine were armed.
    #[serde(default)]
    pub armed: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct SceneView {
    pub question: String,
    pub answer: String,
    pub why: Vec<ReasonView>,
    /// What it would be without one of the words that counted.
    #[serde(default)]
    pub without: Vec<InsteadView>,
    /// What it would be given, whole, with «name» for every secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ReasonView {
    pub rule: String,
    pub text: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct InsteadView {
    pub what: String,
    pub answer: String,
}

pub async fn why(
    State(engine): State<Arc<Engine>>,
    Named(whom): Named<Whom>,
    Asked(query): Asked<WhyQuery>,
) -> Result<Json<Vec<SceneView>>, Problem> {
    let arch = query.arch.map(|text| text.parse::<Arch>()).transpose();
    let arch = arch.map_err(|error| Problem::invalid("arch", format!("arch: {error}")))?;
    let scenes = engine.why(&whom, arch, query.armed).await?;
    let reason = |why: crate::boot::Reason| ReasonView { rule: why.rule.to_string(), text: why.text };
    let instead = |other: crate::engine::Instead| InsteadView { what: other.what, answer: other.answer };
    let view = |scene: crate::engine::Scene| SceneView {
        question: scene.question,
        answer: scene.answer,
        why: scene.why.into_iter().map(reason).collect(),
        without: scene.without.into_iter().map(instead).collect(),
        text: scene.text,
    };
    let mut scenes: Vec<SceneView> = scenes.into_iter().map(view).collect();
    scenes.push(configuration(&engine).await?);
    Ok(Json(scenes))
}

/// By which configuration all of this is so, and what made it.
async fn configuration(engine: &Engine) -> Result<SceneView, Problem> {
    let newest = engine.store.revisions(1).await?.into_iter().next();
    let reason = |line: crate::model::RevisionLine| ReasonView {
        rule: "revision".into(),
        text: format!("{} by {} at {}", line.what, line.by, line.at),
    };
    let answer = format!("revision {}", newest.as_ref().map_or(0, |line| line.number));
    let why = newest.map(reason).into_iter().collect();
    Ok(SceneView { question: "configuration".into(), answer, why, without: Vec::new(), text: None })
}
