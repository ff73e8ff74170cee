//! What the plain nouns have in common: list, show, add, set and remove, written once.

use super::body::{Body, Named};
use crate::engine::Engine;
use crate::http::auth::Who;
use crate::http::problem::Problem;
use crate::model::{Name, Time};
use crate::store::{self, Edit, World};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A noun that operators write down: how it is read, shown and kept.
pub trait Noun: Sized + Clone + Send + Sync + 'static {
    /// The word in messages and commands; its plural is the path.
    const WORD: &'static str;
    /// What a POST brings.
    type Draft: DeserializeOwned + Send;
    /// What a PATCH brings: only what it gives changes.
    type Patch: DeserializeOwned + Send;
    /// What is shown.
    type View: Serialize;

    /// Completes a new record, or says which field stands in the way.
    fn draft(draft: Self::Draft, now: Time, world: &World) -> Result<Self, Problem>;
    fn patch(&mut self, patch: Self::Patch);
    fn view(&self, world: &World) -> Self::View;
    fn name(&self) -> &Name;
    fn find<'a>(world: &'a World, name: &Name) -> Option<&'a Self>;
    fn all(world: &World) -> Vec<&Self>;
    fn add(self) -> Edit;
    fn set(self) -> Edit;
    fn remove(name: Name) -> Edit;
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

async fn one<N: Noun>(State(engine): State<Arc<Engine>>, Named(name): Named<Name>) -> Result<Json<N::View>, Problem> {
    shown::<N>(&engine, &name).map(Json)
}

async fn add<N: Noun>(
    State(engine): State<Arc<Engine>>,
    who: Who,
    Body(draft): Body<N::Draft>,
) -> Result<(StatusCode, Json<N::View>), Problem> {
    let record = N::draft(draft, engine.now(), &engine.store.world())?;
    record.check(&engine)?;
    let name = record.name().clone();
    engine.store.edit(record.add(), &who.0, engine.now()).await.map_err(store::Error::alone)?;
    Ok((StatusCode::CREATED, Json(shown::<N>(&engine, &name)?)))
}

async fn set<N: Noun>(
    State(engine): State<Arc<Engine>>,
    Named(name): Named<Name>,
    who: Who,
    Body(patch): Body<N::Patch>,
) -> Result<Json<N::View>, Problem> {
    let mut record = known::<N>(&engine, &name)?;
    record.patch(patch);
    record.check(&engine)?;
    engine.store.edit(record.set(), &who.0, engine.now()).await?;
    shown::<N>(&engine, &name).map(Json)
}

async fn remove<N: Noun>(
    State(engine): State<Arc<Engine>>,
    Named(name): Named<Name>,
    who: Who,
) -> Result<StatusCode, Problem> {
    known::<N>(&engine, &name)?;
    engine.store.edit(N::remove(name), &who.0, engine.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The record as it is shown.
pub fn shown<N: Noun>(engine: &Engine, name: &Name) -> Result<N::View, Problem> {
    let world = engine.store.world();
    let record = N::find(&world, name).ok_or_else(|| Problem::missing(N::WORD, name))?;
    Ok(record.view(&world))
}

fn known<N: Noun>(engine: &Engine, name: &Name) -> Result<N, Problem> {
    N::find(&engine.store.world(), name).cloned().ok_or_else(|| Problem::missing(N::WORD, name))
}
