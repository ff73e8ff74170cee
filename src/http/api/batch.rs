//! Many machines at once, all or nothing: `POST /api/v1/machines/batch`.

use super::body::{self, Body};
use super::machine::{MachineDraft, MachineView};
use super::noun::{Noun, shown};
use crate::engine::Engine;
use crate::http::auth::Who;
use crate::http::problem::{Kind, Problem};
use crate::model::{Machine, Time};
use crate::store::{Edit, World};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

pub async fn add(
    State(engine): State<Arc<Engine>>,
    who: Who,
    Body(values): Body<Vec<Value>>,
) -> Result<(StatusCode, Json<Vec<MachineView>>), Problem> {
    let machines = machines(values, engine.now(), &engine.store.world())?;
    let names: Vec<_> = machines.iter().map(|machine| machine.name.clone()).collect();
    engine.store.edit(Edit::AddMachines(machines), &who.0, engine.now()).await?;
    let views = names.iter().map(|name| shown::<Machine>(&engine, name)).collect::<Result<_, _>>()?;
    Ok((StatusCode::CREATED, Json(views)))
}

/// Every machine, or everything that is wrong with any of them. The store has the last word on clashes;
/// here they are found all at once.
fn machines(values: Vec<Value>, now: Time, world: &World) -> Result<Vec<Machine>, Problem> {
    let read = |value| body::read::<MachineDraft>(value).and_then(|draft| Machine::draft(draft, now, world));
    let mut seen = Seen { world, by_value: HashMap::new() };
    let (mut machines, mut problems) = (Vec::new(), Vec::new());
    for (index, value) in values.into_iter().enumerate() {
        match read(value).and_then(|machine| seen.take(&machine, index).map(|()| machine)) {
            Ok(machine) => machines.push(machine),
            Err(problem) => problems.push(problem.at(index)),
        }
    }
    if problems.is_empty() { Ok(machines) } else { Err(Problem::batch(problems)) }
}

/// What is taken: by the records that are there, and by those of this batch.
struct Seen<'a> {
    world: &'a World,
    by_value: HashMap<String, (usize, String)>,
}

impl Seen<'_> {
    fn take(&mut self, machine: &Machine, index: usize) -> Result<(), Problem> {
        let cards = &machine.interfaces;
        let macs = cards.iter().map(|card| ("mac", "MAC", card.mac.to_string()));
        let ips = cards.iter().filter_map(|card| Some(("ip", "address", card.ip?.to_string())));
        let name = ("name", "name", machine.name.to_string());
        for (field, what, value) in std::iter::once(name).chain(macs).chain(ips) {
            if let Some(holder) = self.holder(field, &value) {
                let text = format!("{field}: the {what} {value} is {holder}");
                return Err(Problem { field: Some(field.into()), ..Problem::new(Kind::Conflict, text) });
            }
            self.by_value.insert(format!("{field} {value}"), (index, machine.name.to_string()));
        }
        Ok(())
    }

    fn holder(&self, field: &str, value: &str) -> Option<String> {
        if let Some((_, name)) = self.by_value.get(&format!("{field} {value}")) {
            return Some(format!("that of {name} in this very batch, too"));
        }
        let world = self.world;
        let machine = match field {
            "name" => world.machine_named(&value.parse().ok()?)?,
            "mac" => world.machine_with_mac(value.parse().ok()?)?,
            _ => world.machine_with_mac(world.reserved(value.parse().ok()?)?)?,
        };
        Some(match field {
            "name" => "taken already".to_owned(),
            _ => format!("that of machine {}", machine.name),
        })
    }
}
