//! What an operator does with a machine: arm, disarm, reinstall, adopt, replace.

use super::body::{Body, Named};
use super::machine::{MachineView, not_reserved};
use super::noun::shown;
use crate::engine::Engine;
use crate::http::auth::Who;
use crate::http::problem::Problem;
use crate::model::{Mac, Machine, Name};
use crate::store::Edit;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A MAC that was seen, to become a record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adoption {
    pub mac: Mac,
    /// By default the MAC with dashes, or the name that it was recorded under.
    pub name: Option<Name>,
}

/// New metal for a record; without `old`, the machine's only card is meant.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    pub mac: Mac,
    pub old: Option<Mac>,
    #[serde(default)]
    pub arm: bool,
}

/// Which profile it names from then on; by default the one that it has.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reinstallation {
    #[serde(default)]
    pub profile: Option<Name>,
}

type Shown = Result<Json<MachineView>, Problem>;

pub async fn arm(State(engine): State<Arc<Engine>>, Named(name): Named<Name>, who: Who) -> Shown {
    engine.arm(&name, &who.0).await?;
    shown::<Machine>(&engine, &name).map(Json)
}

pub async fn disarm(State(engine): State<Arc<Engine>>, Named(name): Named<Name>, who: Who) -> Shown {
    engine.disarm(&name, &who.0).await?;
    shown::<Machine>(&engine, &name).map(Json)
}

pub async fn reinstall(
    State(engine): State<Arc<Engine>>,
    Named(name): Named<Name>,
    who: Who,
    Body(Reinstallation { profile }): Body<Reinstallation>,
) -> Shown {
    engine.reinstall_machine(&name, profile, &who.0).await?;
    shown::<Machine>(&engine, &name).map(Json)
}

pub async fn replace(
    State(engine): State<Arc<Engine>>,
    Named(name): Named<Name>,
    who: Who,
    Body(Replacement { mac, old, arm }): Body<Replacement>,
) -> Shown {
    engine.replace(&name, old, mac, arm, &who.0).await?;
    shown::<Machine>(&engine, &name).map(Json)
}

/// A card that was replaced may have a role again.
pub async fn forget(
    State(engine): State<Arc<Engine>>,
    Named(mac): Named<Mac>,
    who: Who,
) -> Result<StatusCode, Problem> {
    engine.store.edit(Edit::ForgetCard(mac), &who.0, engine.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn adopt(
    State(engine): State<Arc<Engine>>,
    who: Who,
    Body(Adoption { mac, name }): Body<Adoption>,
) -> Result<(StatusCode, Json<MachineView>), Problem> {
    name.as_ref().map_or(Ok(()), not_reserved)?;
    let name = engine.adopt(mac, name, &who.0).await?;
    Ok((StatusCode::CREATED, Json(shown::<Machine>(&engine, &name)?)))
}
