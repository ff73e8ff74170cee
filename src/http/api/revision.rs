//! The revisions of the configuration, and the way back: `/api/v1/revisions`.

use super::body::Asked;
use super::template::{ComparisonView, compared};
use crate::engine::Engine;
use crate::http::auth::Who;
use crate::http::problem::{Kind, Problem};
use crate::model::{Noun, Record, RevisionLine, Secrets, TemplateVersion, Time, Turn};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const USUAL_LIMIT: usize = 20;
const LARGEST_LIMIT: usize = 10_000;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionQuery {
    /// The last so many; 20 by default.
    pub limit: Option<usize>,
}

/// A revision in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RevisionView {
    pub revision: i64,
    pub at: Time,
    pub by: String,
    pub what: String,
    /// How many records it changed.
    pub records: usize,
}

/// One revision, with what it changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RevisionCard {
    pub revision: i64,
    pub at: Time,
    pub by: String,
    pub what: String,
    pub changes: Vec<TurnView>,
}

/// One record, before and after: null where it is not there. Of secrets, whether they are others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnView {
    pub noun: Noun,
    pub name: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What a rollback did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RollbackView {
    /// The new revision; null where nothing was done.
    pub revision: Option<i64>,
    /// The newest revision when it was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    pub changes: Vec<TurnView>,
    /// What it does not touch, and why.
    pub left: Vec<String>,
    /// What it means for machines, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machines: Option<ComparisonView>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackQuery {
    #[serde(default)]
    pub dry_run: bool,
    /// The newest revision that is known of: with a later one it is refused.
    pub from: Option<i64>,
}

pub async fn list(
    State(engine): State<Arc<Engine>>,
    Asked(query): Asked<RevisionQuery>,
) -> Result<Json<Vec<RevisionView>>, Problem> {
    let limit = query.limit.unwrap_or(USUAL_LIMIT).min(LARGEST_LIMIT);
    Ok(Json(engine.store.revisions(limit).await?.into_iter().map(view).collect()))
}

pub async fn show(
    State(engine): State<Arc<Engine>>,
    Path(number): Path<String>,
) -> Result<Json<RevisionCard>, Problem> {
    let (revision, texts) = engine.revision(read(&number)?).await?;
    let changes = revision.turns.iter().map(|turn| turn_view(turn, &texts)).collect();
    let (at, by, what) = (revision.at, revision.by, revision.what);
    Ok(Json(RevisionCard { revision: revision.number, at, by, what, changes }))
}

/// Asked with `dry_run`, it changes nothing.
pub async fn roll_back(
    State(engine): State<Arc<Engine>>,
    Path(number): Path<String>,
    Asked(query): Asked<RollbackQuery>,
    who: Who,
) -> Result<Json<RollbackView>, Problem> {
    let to = read(&number)?;
    let (revision, from, plan, machines) = match query.dry_run {
        true => {
            let (plan, comparison) = engine.compare_rollback(to).await?;
            (None, Some(plan.from), Arc::new(plan), Some(compared(comparison)))
        }
        false => {
            let (revision, plan) = engine.roll_back(to, query.from, &who.0).await?;
            (Some(revision), None, plan, None)
        }
    };
    let changes = plan.turns.iter().map(|turn| turn_view(turn, &[])).collect();
    Ok(Json(RollbackView { revision, from, changes, left: plan.left.clone(), machines }))
}

fn read(number: &str) -> Result<i64, Problem> {
    let missing = || format!("{number:?} is no revision: `kickstand revision list` shows those that there are");
    number.parse().map_err(|_| Problem::new(Kind::Missing, missing()))
}

fn view(line: RevisionLine) -> RevisionView {
    let RevisionLine { number, at, by, what, records } = line;
    RevisionView { revision: number, at, by, what, records: records.len() }
}

fn turn_view(turn: &Turn, texts: &[TemplateVersion]) -> TurnView {
    let named = turn.after.as_ref().or(turn.before.as_ref());
    let noun = named.map_or(Noun::Options, |record| record.key().0);
    let before = turn.before.clone().map(|record| shown(record, None, texts));
    let after = turn.after.clone().map(|record| shown(record, turn.before.clone(), texts));
    TurnView { noun, name: turn.name(), before, after }
}

/// As JSON, with a word in the place of each secret: another one where it is not what it was.
fn shown(mut record: Record, before: Option<Record>, texts: &[TemplateVersion]) -> Value {
    let value = serde_json::to_value(&record).unwrap_or_default();
    let mut inner = match value {
        Value::Object(tagged) => tagged.into_iter().next().map(|(_, inner)| inner).unwrap_or_default(),
        other => other,
    };
    let Value::Object(fields) = &mut inner else { return inner };
    if let Some((_, secrets)) = record.varied_mut() {
        let mut before = before;
        let was = before.as_mut().and_then(Record::varied_mut).map(|(_, secrets)| &*secrets);
        if secrets.names().next().is_some() {
            fields.insert("secrets".into(), Value::Object(words(secrets, was)));
        }
    }
    if let Record::Template(of) = &record {
        let text = texts.iter().find(|version| version.name == of.name && version.version == of.version);
        fields.extend(text.and_then(|version| Some(("text".to_owned(), json!(version.text.as_ref()?)))));
    }
    inner
}

fn words(secrets: &Secrets, was: Option<&Secrets>) -> Map<String, Value> {
    let word = |name: &String| {
        let another = was.is_some_and(|was| was.sealed().get(name) != secrets.sealed().get(name));
        (name.clone(), json!(if another { "(secret, set anew)" } else { "(secret)" }))
    };
    secrets.names().map(word).collect()
}
