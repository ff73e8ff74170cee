//! Many machines at once, all or nothing: `POST /api/v1/machines/batch`.

use super::body::{self, Body};
use super::machine::{InterfaceDraft, MachineDraft, MachineView};
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
    let mut seen = Seen { world, by_value: HashMap::new() };
    let (mut machines, mut problems) = (Vec::new(), Vec::new());
    for (index, value) in values.into_iter().enumerate() {
        match machine(value, now, &mut seen) {
            Ok(machine) => machines.push(machine),
            Err(several) => problems.extend(several.into_iter().map(|problem| problem.at(index))),
        }
    }
    if problems.is_empty() { Ok(machines) } else { Err(Problem::batch(problems)) }
}

fn machine(value: Value, now: Time, seen: &mut Seen<'_>) -> Result<Machine, Vec<Problem>> {
    let draft = body::read::<MachineDraft>(value.clone()).map_err(|problem| all(&value, problem))?;
    let machine = Machine::draft(draft, now, seen.world).map_err(|problem| vec![problem])?;
    seen.take(&machine).map_err(|problem| vec![problem])?;
    Ok(machine)
}

/// Everything about one machine that can not be read; `first` where that is all that can be said.
fn all(value: &Value, first: Problem) -> Vec<Problem> {
    let cards = value.get("interfaces").and_then(Value::as_array).into_iter().flatten();
    let of_cards: Vec<_> = cards.flat_map(body::complaints::<InterfaceDraft>).collect();
    let own = body::complaints::<MachineDraft>(value).into_iter();
    let own = own.filter(|problem| of_cards.is_empty() || problem.field.as_deref() != Some("interfaces"));
    let all: Vec<_> = own.chain(of_cards.clone()).collect();
    if all.is_empty() { vec![first] } else { all }
}

/// What is taken: by the records that are there, and by those of this batch.
struct Seen<'a> {
    world: &'a World,
    /// `mac 52:…` → the name of the machine of this batch that has it.
    by_value: HashMap<String, String>,
}

impl Seen<'_> {
    fn take(&mut self, machine: &Machine) -> Result<(), Problem> {
        let cards = &machine.interfaces;
        let macs = cards.iter().map(|card| ("mac", "MAC", card.mac.to_string()));
        let ips = cards.iter().filter_map(|card| Some(("ip", "address", card.ip?.to_string())));
        let name = ("name", "name", machine.name.to_string());
        for (field, what, value) in std::iter::once(name).chain(macs).chain(ips) {
            if let Some(holder) = self.holder(field, &value) {
                let text = format!("{field}: the {what} {value} is {holder}");
                return Err(Problem { field: Some(field.into()), ..Problem::new(Kind::Conflict, text) });
            }
            self.by_value.insert(format!("{field} {value}"), machine.name.to_string());
        }
        Ok(())
    }

    fn holder(&self, field: &str, value: &str) -> Option<String> {
        if let Some(name) = self.by_value.get(&format!("{field} {value}")) {
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
