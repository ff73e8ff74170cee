//! The dry run, what would happen if this machine or MAC booted now: `/api/v1/why/{whom}`.

use super::body::{Asked, Named};
use crate::engine::{Dated, DatedRecord, Engine, Whom};
use crate::http::problem::Problem;
use crate::model::{Arch, Since};
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
    /// The records whose word it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<SaidView>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct SaidView {
    pub noun: String,
    pub name: String,
    /// That last changed it; none where that is older than the revisions that are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
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
    let reason = |why: crate::boot::Reason| reason(engine.dated(why));
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

fn reason(Dated { rule, text, records }: Dated) -> ReasonView {
    let said = |DatedRecord { noun, name, since }: DatedRecord| SaidView {
        noun: noun.to_string(),
        name,
        revision: if let Since::Revision(number) = since { Some(number) } else { None },
    };
    ReasonView { rule: rule.to_owned(), text, records: records.into_iter().map(said).collect() }
}

/// By which configuration all of this is so, and what made it.
async fn configuration(engine: &Engine) -> Result<SceneView, Problem> {
    let newest = engine.store.revisions(1).await?.into_iter().next();
    let reason = |line: crate::model::RevisionLine| ReasonView {
        rule: "revision".into(),
        text: format!("{} by {} at {}", line.what, line.by, line.at),
        records: Vec::new(),
    };
    let answer = format!("revision {}", newest.as_ref().map_or(0, |line| line.number));
    let why = newest.map(reason).into_iter().collect();
    Ok(SceneView { question: "configuration".into(), answer, why, without: Vec::new(), text: None })
}
