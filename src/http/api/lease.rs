//! Leases, what DHCP clients were told: `/api/v1/leases`.

use crate::engine::Engine;
use crate::model::{Holder, Lease, Mac, Name, Time};
use crate::store::World;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize)]
pub struct LeaseView {
    pub network: Name,
    pub ip: Ipv4Addr,
    /// None for a client that is known by its identifier only.
    pub mac: Option<Mac>,
    /// Its MAC, or `id:` and its client identifier in hex.
    pub holder: Holder,
    pub machine: Option<Name>,
    pub hostname: Option<String>,
    pub starts_at: Time,
    pub ends_at: Time,
    /// Not ended yet.
    pub active: bool,
}

pub async fn list(State(engine): State<Arc<Engine>>) -> Json<Vec<LeaseView>> {
    let (world, now) = (engine.store.world(), engine.now());
    let mut leases: Vec<_> = world.leases().map(|lease| view(lease, &world, now)).collect();
    leases.sort_by(|a, b| (&a.network, a.ip).cmp(&(&b.network, b.ip)));
    Json(leases)
}

fn view(lease: &Lease, world: &World, now: Time) -> LeaseView {
    let Lease { network, holder, ip, starts_at, ends_at, hostname } = lease.clone();
    let mac = holder.mac();
    let machine = mac.and_then(|mac| world.machine_with_mac(mac)).map(|machine| machine.name.clone());
    LeaseView { network, ip, mac, holder, machine, hostname, starts_at, ends_at, active: ends_at > now }
}
