//! What the plain nouns have in common: list, show, add, set and remove, written once.

use super::body::{Body, Named};
use super::template::{ComparisonView, compared};
use crate::engine::Engine;
use crate::http::auth::Who;
use crate::http::problem::Problem;
use crate::model::{Malformed, Record, Time};
use crate::store::{self, Change, Edit, World};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

/// How often a change is tried where others change the same record.
const TRIES: u32 = 20;

/// A noun that operators write down: how it is read, shown and kept.
pub trait Noun: Sized + Clone + Send + Sync + 'static {
    /// The word in messages and commands; its plural is the path.
    const WORD: &'static str;
    /// What tells its records apart: the last part of a path.
    type Key: FromStr<Err = Malformed> + Display + Clone + Send + Sync;
    /// What a POST brings.
    type Draft: DeserializeOwned + Send;
    /// What a PATCH brings: only what it gives changes.
    type Patch: DeserializeOwned + Clone + Send;
    /// What is shown.
    type View: Serialize;

    /// Completes a new record, or says which field stands in the way.
    fn draft(draft: Self::Draft, now: Time, world: &World) -> Result<Self, Problem>;
    fn patch(&mut self, patch: Self::Patch, world: &World);
    fn view(&self, world: &World) -> Self::View;
    fn key(&self) -> Self::Key;
    /// As the store compares it with what it holds.
    fn record(&self) -> Record;
    fn find<'a>(world: &'a World, key: &Self::Key) -> Option<&'a Self>;
    fn all(world: &World) -> Vec<&Self>;
    fn add(self) -> Edit;
    /// `was` is the key that it had.
    fn set(self, was: Self::Key) -> Edit;
    fn remove(key: Self::Key) -> Edit;
    /// What must be looked at outside the world before the record is kept.
    fn check(&self, _engine: &Engine) -> Result<(), Problem> {
        Ok(())
    }
}

/// The routes of a noun below its plural.
pub fn routes<N: Noun>() -> Router<Arc<Engine>> {
    Router::new()
        .route("/", get(list::<N>).post(add::<N>))
        .route("/{name}", get(one::<N>).patch(set::<N>).delete(remove::<N>))
}

async fn list<N: Noun>(State(engine): State<Arc<Engine>>) -> Json<Vec<N::View>> {
    let world = engine.store.world();
    Json(N::all(&world).into_iter().map(|record| record.view(&world)).collect())
}

async fn one<N: Noun>(State(engine): State<Arc<Engine>>, Named(key): Named<N::Key>) -> Result<Json<N::View>, Problem> {
    shown::<N>(&engine, &key).map(Json)
}

async fn add<N: Noun>(
    State(engine): State<Arc<Engine>>,
    who: Who,
    Body(draft): Body<N::Draft>,
) -> Result<(StatusCode, Json<N::View>), Problem> {
    let record = N::draft(draft, engine.now(), &engine.store.world())?;
    record.check(&engine)?;
    let key = record.key();
    engine.store.edit(record.add(), &who.0, engine.now()).await.map_err(store::Error::alone)?;
    Ok((StatusCode::CREATED, Json(shown::<N>(&engine, &key)?)))
}

async fn set<N: Noun>(
    State(engine): State<Arc<Engine>>,
    Named(was): Named<N::Key>,
    who: Who,
    Body(patch): Body<N::Patch>,
) -> Result<Json<N::View>, Problem> {
    // What is written is the whole record: one after the other here, and over what was read or not at all.
    let _alone = engine.changing().await;
    let mut tries = 1;
    loop {
        let old = known::<N>(&engine, &was)?;
        let (mut record, old) = (old.clone(), old.record());
        record.patch(patch.clone(), &engine.store.world());
        record.check(&engine)?;
        let key = record.key();
        match engine.store.edit_over(&old, record.set(was.clone()), &who.0, engine.now()).await {
            // Another server was faster, or the machine itself: the same is changed of what it left.
            Err(store::Error::Conflict) if tries < TRIES => engine.store.look(vec![Change::of(&old)]).await?,
            ended => return ended.map_err(Problem::from).and_then(|()| shown::<N>(&engine, &key).map(Json)),
        }
        tries += 1;
    }
}

async fn remove<N: Noun>(
    State(engine): State<Arc<Engine>>,
    Named(key): Named<N::Key>,
    who: Who,
) -> Result<StatusCode, Problem> {
    known::<N>(&engine, &key)?;
    engine.store.edit(N::remove(key), &who.0, engine.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What each change would do to machines, at the same paths below `/diff`.
pub fn diffs<N: Noun>() -> Router<Arc<Engine>> {
    Router::new()
        .route("/", post(diff_of_adding::<N>))
        .route("/{name}", patch(diff_of_setting::<N>).delete(diff_of_removing::<N>))
}

type Compared = Result<Json<ComparisonView>, Problem>;

async fn diff_of_adding<N: Noun>(State(engine): State<Arc<Engine>>, Body(draft): Body<N::Draft>) -> Compared {
    let record = N::draft(draft, engine.now(), &engine.store.world())?;
    Ok(Json(compared(engine.compare(record.add()).await?)))
}

async fn diff_of_setting<N: Noun>(
    State(engine): State<Arc<Engine>>,
    Named(was): Named<N::Key>,
    Body(patch): Body<N::Patch>,
) -> Compared {
    let mut record = known::<N>(&engine, &was)?;
    record.patch(patch, &engine.store.world());
    Ok(Json(compared(engine.compare(record.set(was)).await?)))
}

async fn diff_of_removing<N: Noun>(State(engine): State<Arc<Engine>>, Named(key): Named<N::Key>) -> Compared {
    known::<N>(&engine, &key)?;
    Ok(Json(compared(engine.compare(N::remove(key)).await?)))
}

/// The record as it is shown.
pub fn shown<N: Noun>(engine: &Engine, key: &N::Key) -> Result<N::View, Problem> {
    let world = engine.store.world();
    let record = N::find(&world, key).ok_or_else(|| Problem::missing(N::WORD, key))?;
    Ok(record.view(&world))
}

fn known<N: Noun>(engine: &Engine, key: &N::Key) -> Result<N, Problem> {
    N::find(&engine.store.world(), key).cloned().ok_or_else(|| Problem::missing(N::WORD, key))
}
