//! Sightings, MACs that no record holds: `/api/v1/sightings`.

use crate::engine::Engine;
use crate::model::{Mac, Name, Sighting, Time};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize)]
pub struct SightingView {
    pub mac: Mac,
    pub network: Name,
    /// In the words of the trade, `x86-64 UEFI`; none before a boot ROM spoke.
    pub firmware: Option<String>,
    pub vendor: String,
    pub uuid: Option<String>,
    pub first_at: Time,
    pub last_at: Time,
}

pub async fn list(State(engine): State<Arc<Engine>>) -> Json<Vec<SightingView>> {
    let world = engine.store.world();
    let mut sightings: Vec<_> = world.sightings().map(view).collect();
    sightings.sort_by_key(|sighting| std::cmp::Reverse(sighting.last_at));
    Json(sightings)
}

fn view(sighting: &Sighting) -> SightingView {
    let Sighting { mac, network, arch, vendor, uuid, first_at, last_at } = sighting.clone();
    SightingView { mac, network, firmware: arch.map(|a| a.to_string()), vendor, uuid, first_at, last_at }
}
