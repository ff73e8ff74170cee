//! How the appliance is: `/api/v1/status`.

use crate::engine::Engine;
use crate::model::{State as MachineState, Time};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize)]
pub struct StatusView {
    pub version: String,
    pub started_at: Time,
    pub now: Time,
    /// The addresses that machines reach it at.
    pub addresses: Vec<Ipv4Addr>,
    pub networks: usize,
    /// How many machines are in which state.
    pub machines: BTreeMap<MachineState, usize>,
}

pub async fn show(State(engine): State<Arc<Engine>>) -> Json<StatusView> {
    let world = engine.store.world();
    let mut machines = BTreeMap::new();
    world.machines().for_each(|machine| *machines.entry(machine.state).or_default() += 1);
    Json(StatusView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: engine.started_at,
        now: engine.now(),
        addresses: engine.addresses(),
        networks: world.networks.len(),
        machines,
    })
}
