//! How the appliance is: `/api/v1/status`.

use crate::engine::Engine;
use crate::model::{State as MachineState, Time};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize)]
pub struct StatusView {
    pub version: String,
    pub started_at: Time,
    pub now: Time,
    /// The addresses that machines reach it at.
    pub addresses: Vec<Ipv4Addr>,
    pub files: FilesView,
    pub networks: usize,
    /// How many machines are in which state.
    pub machines: BTreeMap<MachineState, usize>,
}

/// The folder of files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FilesView {
    pub path: PathBuf,
    /// Its device and inode, which are the same by whatever path the folder is reached; none while it is not there.
    pub id: Option<String>,
}

impl FilesView {
    pub fn of(path: &Path) -> FilesView {
        let id = std::fs::metadata(path).ok().map(|meta| format!("{}:{}", meta.dev(), meta.ino()));
        FilesView { path: path.to_owned(), id }
    }
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
        files: FilesView::of(&engine.files),
        networks: world.networks.len(),
        machines,
    })
}
