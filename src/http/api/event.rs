//! What happened: `/api/v1/events`, with a long poll for those who follow.

use super::body::Asked;
use crate::engine::Engine;
use crate::http::problem::Problem;
use crate::model::{Event, Kind, Mac, MachineId, Name, Time};
use crate::store::{EventFilter, World};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// A client that waits longer asks again: no connection lies idle for ever.
const LONGEST_WAIT_MS: u64 = 60_000;
const USUAL_LIMIT: usize = 100;
const LARGEST_LIMIT: usize = 10_000;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Events of this machine.
    pub machine: Option<Name>,
    /// Events of this MAC.
    pub mac: Option<Mac>,
    pub kind: Option<Kind>,
    /// Only what came after the event with this id.
    pub after: Option<Uuid>,
    /// The last so many; 100 by default.
    pub limit: Option<usize>,
    /// Wait so long for an event if there is none yet.
    pub wait_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventView {
    pub id: Uuid,
    pub at: Time,
    pub kind: Kind,
    /// Its name, while the record is there.
    pub machine: Option<Name>,
    pub machine_id: Option<MachineId>,
    pub mac: Option<Mac>,
    pub ip: Option<Ipv4Addr>,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// The configuration's, by which it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
}

pub async fn list(
    State(engine): State<Arc<Engine>>,
    Asked(query): Asked<EventQuery>,
) -> Result<Json<Vec<EventView>>, Problem> {
    let wait_ms = query.wait_ms.unwrap_or(0).min(LONGEST_WAIT_MS);
    let deadline = Instant::now() + Duration::from_millis(wait_ms);
    let filter = filter(query, &engine.store.world())?;
    // Listen first, look second: nothing can slip in between.
    let mut feed = engine.store.feed();
    loop {
        let events = engine.store.events(&filter).await?;
        if !events.is_empty() || Instant::now() >= deadline {
            let world = engine.store.world();
            return Ok(Json(events.iter().map(|event| view(event, &world)).collect()));
        }
        match timeout_at(deadline, feed.recv()).await {
            Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => {}
            Ok(Err(RecvError::Closed)) => return Ok(Json(Vec::new())),
        }
    }
}

fn filter(query: EventQuery, world: &World) -> Result<EventFilter, Problem> {
    let EventQuery { machine, mac, kind, after, limit, wait_ms: _ } = query;
    let known = |name: Name| world.machine_named(&name).map(|m| m.id).ok_or_else(|| Problem::missing("machine", name));
    let machine = machine.map(known).transpose()?;
    let limit = limit.unwrap_or(USUAL_LIMIT).min(LARGEST_LIMIT);
    Ok(EventFilter { machine, mac, kinds: kind.into_iter().collect(), after, since: None, limit })
}

pub fn view(event: &Event, world: &World) -> EventView {
    let Event { id, at, kind, machine, mac, ip, text, percent, revision } = event.clone();
    let name = machine.and_then(|id| world.machine(id)).map(|machine| machine.name.clone());
    EventView { id, at, kind, machine: name, machine_id: machine, mac, ip, text, percent, revision }
}
