//! Templates and their versions: `/api/v1/templates`. Names have slashes, so what is done with one stands before its name.

use super::body::{Asked, Body};
use crate::engine::{Comparison, Engine, From, InUse};
use crate::http::auth::Who;
use crate::http::problem::Problem;
use crate::model::{Name, TemplateVersion, Time, Whence};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A text to store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateText {
    pub text: String,
}

/// A text to compare with; none, what there would be without the stored one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateChange {
    pub text: Option<String>,
}

/// Which version is meant.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateNumber {
    pub version: Option<i64>,
}

/// The version to go back to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollBack {
    pub version: i64,
}

/// A template in use, or a version of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemplateView {
    pub name: String,
    /// `built in`, `stored`, `file`, or `last good` where the file is broken.
    pub from: String,
    /// None where it is built in.
    pub version: Option<i64>,
    pub at: Option<Time>,
    pub by: Option<String>,
    pub bytes: usize,
    /// Left out in lists, and where a version says that it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The text that is built in under this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_in: Option<String>,
}

/// What a change would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonView {
    /// How many machines get something else.
    pub machines: usize,
    /// Of so many.
    #[serde(default)]
    pub of: usize,
    /// Their names.
    #[serde(default)]
    pub touched: Vec<Name>,
    /// Texts that would not render any more, or that their installer would not take.
    pub broken: Vec<BrokenView>,
    pub changes: Vec<GroupView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BrokenView {
    pub machine: Name,
    pub what: String,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupView {
    pub machines: Vec<Name>,
    pub what: String,
    /// That of the first machine.
    pub diff: String,
}

type Shown = Result<Json<TemplateView>, Problem>;

pub async fn list(State(engine): State<Arc<Engine>>) -> Json<Vec<TemplateView>> {
    let views = engine.templates().into_iter().map(in_use);
    Json(views.map(|view| TemplateView { text: None, ..view }).collect())
}

pub async fn show(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    Asked(TemplateNumber { version }): Asked<TemplateNumber>,
) -> Shown {
    let Some(number) = version else {
        let view = in_use(engine.template(&name)?);
        let built_in = engine.assets.shipped(&view.name).map(str::to_owned);
        return Ok(Json(TemplateView { built_in, ..view }));
    };
    Ok(Json(of_version(engine.template_version(&name, number).await?)))
}

pub async fn set(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    who: Who,
    Body(TemplateText { text }): Body<TemplateText>,
) -> Shown {
    Ok(Json(in_use(engine.set_template(&name, text, &who.0).await?)))
}

pub async fn remove(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    who: Who,
) -> Result<StatusCode, Problem> {
    engine.remove_template(&name, &who.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn history(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
) -> Result<Json<Vec<TemplateView>>, Problem> {
    let views = engine.template_history(&name).await?.into_iter().map(of_version);
    Ok(Json(views.map(|view| TemplateView { text: None, ..view }).collect()))
}

pub async fn roll_back(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    who: Who,
    Body(RollBack { version }): Body<RollBack>,
) -> Shown {
    Ok(Json(in_use(engine.roll_back_template(&name, version, &who.0).await?)))
}

pub async fn diff(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    Body(TemplateChange { text }): Body<TemplateChange>,
) -> Result<Json<ComparisonView>, Problem> {
    Ok(Json(compared(engine.compare_template(&name, text).await?)))
}

pub fn compared(comparison: Comparison) -> ComparisonView {
    let Comparison { touched, of, broken, groups } = comparison;
    let broken = broken.into_iter().map(|b| BrokenView { machine: b.machine, what: b.what, why: b.why });
    let changes = groups.into_iter().map(|g| GroupView { machines: g.machines, what: g.what, diff: g.diff });
    let (broken, changes) = (broken.collect(), changes.collect());
    ComparisonView { machines: touched.len(), of, touched, broken, changes }
}

fn in_use(template: InUse) -> TemplateView {
    let InUse { name, text, from, version } = template;
    let from = match from {
        From::File => "file",
        From::LastGood => "last good",
        From::Api => "stored",
        From::Shipped => "built in",
    };
    TemplateView {
        name,
        from: from.into(),
        version: version.as_ref().map(|version| version.version),
        at: version.as_ref().map(|version| version.at),
        by: version.map(|version| version.by),
        bytes: text.len(),
        text: Some(text),
        built_in: None,
    }
}

fn of_version(version: TemplateVersion) -> TemplateView {
    let TemplateVersion { name, version, text, at, by, whence } = version;
    let from = match (&whence, &text) {
        (_, None) => "removed",
        (Whence::Api, _) => "stored",
        (Whence::File(_), _) => "file",
    };
    let bytes = text.as_ref().map_or(0, String::len);
    TemplateView {
        name,
        from: from.into(),
        version: Some(version),
        at: Some(at),
        by: Some(by),
        bytes,
        text,
        built_in: None,
    }
}
