//! Leases, what DHCP clients were told: `/api/v1/leases`, page by page; one address and all that is known of it.

use super::body::{Asked, Named};
use super::event::{self, EventView};
use crate::engine::Engine;
use crate::http::auth::Who;
use crate::http::problem::{Kind, Problem};
use crate::model::{HoldWhy, Holder, Lease, Mac, Malformed, Mark, Name, Time};
use crate::store::{Edit, EventFilter, World};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::Arc;

const USUAL_LIMIT: usize = 1000;
const LARGEST_LIMIT: usize = 10_000;
/// How many events of its holder an address is shown with.
const EVENTS: usize = 10;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseQuery {
    /// On this network.
    pub network: Option<Name>,
    /// Of this MAC, whatever its network.
    pub mac: Option<Mac>,
    /// Those that have not ended.
    #[serde(default)]
    pub active: bool,
    /// Only addresses after this one: the last of the page before.
    pub after: Option<Ipv4Addr>,
    /// The first so many; 1000 by default.
    pub limit: Option<usize>,
}

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

/// An address, whoever has it.
#[derive(Debug, Serialize, Deserialize)]
pub struct AddressView {
    pub ip: Ipv4Addr,
    pub network: Name,
    /// The last one that was given for it.
    pub lease: Option<LeaseView>,
    pub reserved: Option<ReservedView>,
    /// A pool holds it, and nothing excludes it.
    pub pooled: bool,
    pub hold: Option<HoldView>,
    /// The last events of its holder.
    pub events: Vec<EventView>,
}

/// For whom an address is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ReservedView {
    Machine { machine: Name, mac: Mac },
    Mark { by: Mark, description: String },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct HoldView {
    pub until: Time,
    pub why: HoldWhy,
    /// Who may use it all the same.
    pub holder: Option<Holder>,
    /// How often in a row.
    pub times: u32,
    /// Not over yet.
    pub active: bool,
}

/// In the order of their addresses. Only the leases of the page are copied while the writer waits.
pub async fn list(
    State(engine): State<Arc<Engine>>,
    Asked(query): Asked<LeaseQuery>,
) -> Result<Json<Vec<LeaseView>>, Problem> {
    let (world, now) = (engine.store.world(), engine.now());
    if let Some(network) = query.network.as_ref().filter(|name| !world.networks.contains_key(*name)) {
        return Err(Problem::missing("network", network));
    }
    Ok(Json(page(&world, &query, now).into_iter().map(|lease| view(lease, &world, now)).collect()))
}

fn page<'a>(world: &'a World, query: &LeaseQuery, now: Time) -> Vec<&'a Lease> {
    let networks = world.networks.keys().filter(|name| query.network.as_ref().is_none_or(|only| only == *name));
    let fits =
        |lease: &&Lease| (!query.active || lease.ends_at > now) && query.after.is_none_or(|after| lease.ip > after);
    let mut found: Vec<&Lease> = match query.mac {
        Some(mac) => networks.filter_map(|name| world.lease(name, &mac.into())).filter(fits).collect(),
        None => networks.flat_map(|name| world.leases_on(name)).filter(fits).collect(),
    };
    let limit = query.limit.unwrap_or(USUAL_LIMIT).min(LARGEST_LIMIT);
    if limit < found.len() {
        found.select_nth_unstable_by_key(limit, |lease| lease.ip);
        found.truncate(limit);
    }
    found.sort_unstable_by_key(|lease| lease.ip);
    found
}

fn view(lease: &Lease, world: &World, now: Time) -> LeaseView {
    let Lease { network, holder, ip, starts_at, ends_at, hostname } = lease.clone();
    let mac = holder.mac();
    let machine = mac.and_then(|mac| world.machine_with_mac(mac)).map(|machine| machine.name.clone());
    LeaseView { network, ip, mac, holder, machine, hostname, starts_at, ends_at, active: ends_at > now }
}

/// An address in a path.
pub struct Address(Ipv4Addr);

impl FromStr for Address {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        text.parse().map(Address).map_err(|_| Malformed::new(text, "an IPv4 address (write it like 10.0.0.12)"))
    }
}

pub async fn show(
    State(engine): State<Arc<Engine>>,
    Named(Address(ip)): Named<Address>,
) -> Result<Json<AddressView>, Problem> {
    let mut address = address(&engine, ip)?;
    let reserved = match &address.reserved {
        Some(ReservedView::Machine { mac, .. }) => Some(*mac),
        _ => None,
    };
    if let Some(mac) = address.lease.as_ref().map_or(reserved, |lease| lease.mac) {
        let filter = EventFilter { mac: Some(mac), limit: EVENTS, ..EventFilter::default() };
        let events = engine.store.events(&filter).await?;
        let world = engine.store.world();
        address.events = events.iter().map(|event| event::view(event, &world)).collect();
    }
    Ok(Json(address))
}

fn address(engine: &Engine, ip: Ipv4Addr) -> Result<AddressView, Problem> {
    let (world, now) = (engine.store.world(), engine.now());
    let network = world.network_of(ip).ok_or_else(|| {
        let text = format!("no network holds {ip}: `kickstand network list` shows those that there are");
        Problem::new(Kind::Missing, text)
    })?;
    Ok(AddressView {
        ip,
        network: network.name.clone(),
        lease: world.lease_at(&network.name, ip).map(|lease| view(lease, &world, now)),
        reserved: reserved(&world, ip),
        pooled: network.pooled(ip) && network.can_hold(ip),
        hold: world.hold(ip).map(|hold| HoldView {
            until: hold.until,
            why: hold.why,
            holder: hold.holder.clone(),
            times: hold.times,
            active: hold.until > now,
        }),
        events: Vec::new(),
    })
}

fn reserved(world: &World, ip: Ipv4Addr) -> Option<ReservedView> {
    let machine = || {
        let mac = world.reserved(ip)?;
        Some(ReservedView::Machine { machine: world.machine_with_mac(mac)?.name.clone(), mac })
    };
    let mark = || {
        let kept = world.reservation_at(ip)?;
        Some(ReservedView::Mark { by: kept.by.clone(), description: kept.description.clone() })
    };
    machine().or_else(mark)
}

/// Ends the lease of an address, and lifts its hold: it may be given to anybody from then on.
pub async fn release(
    State(engine): State<Arc<Engine>>,
    Named(Address(ip)): Named<Address>,
    who: Who,
) -> Result<StatusCode, Problem> {
    let AddressView { network, lease, hold, .. } = address(&engine, ip)?;
    if !lease.is_some_and(|lease| lease.active) && !hold.is_some_and(|hold| hold.active) {
        let text = format!("{ip} is neither leased nor held: there is nothing to release");
        return Err(Problem::new(Kind::Missing, text));
    }
    engine.store.edit(Edit::ReleaseLease { network, ip }, &who.0, engine.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
