//! Configurations on paper: what operators said, as it is and as a change would make it, with one machine in it at a time.

use super::World;
use crate::model::*;
use crate::store::Edit;
use std::collections::BTreeMap;

/// One configuration, and what it says of machines where that is not what their records say.
#[derive(Debug, Default)]
pub struct Paper {
    pub world: World,
    /// None: it is not there.
    wishes: BTreeMap<MachineId, Option<Wish>>,
    /// Nothing is written here but wishes.
    of_machines: bool,
}

/// A machine with all that a boot of it asks for: a copy, so that no lock is held while it is played.
#[derive(Debug, Clone)]
pub struct Resident {
    pub machine: Machine,
    leases: Vec<Lease>,
    sighting: Option<Sighting>,
}

impl World {
    /// What operators said of everything but machines.
    pub fn paper(&self) -> Paper {
        let mut world = World {
            networks: self.networks.clone(),
            ranges: self.ranges.clone(),
            distros: self.distros.clone(),
            profiles: self.profiles.clone(),
            keys: self.keys.clone(),
            classes: self.classes.clone(),
            options: self.options.clone(),
            servers: self.servers.clone(),
            ..World::default()
        };
        world.put_reservations(self.reservations().cloned());
        Paper { world, wishes: BTreeMap::new(), of_machines: false }
    }

    pub fn resident(&self, id: MachineId) -> Option<Resident> {
        let machine = self.machine(id)?.clone();
        let lease = |card: &Interface, network: &Name| self.lease(network, &card.mac.into()).cloned();
        let of_card = |card| self.networks.keys().filter_map(move |network| lease(card, network));
        let leases = machine.interfaces.iter().flat_map(of_card).collect();
        let sighting = machine.interfaces.first().and_then(|card| self.sighting(card.mac)).cloned();
        Some(Resident { machine, leases, sighting })
    }
}

impl Paper {
    /// Makes a change that is sealed and otherwise as an operator wrote it; nothing is checked.
    pub fn write(&mut self, edit: Edit, at: Time) {
        match edit {
            Edit::AddMachines(machines) => {
                let added = machines.iter().map(|machine| (machine.id, Some(Wish::of(machine))));
                self.wishes.extend(added);
                self.of_machines = true;
            }
            Edit::SetMachine(machine) => {
                self.wishes.insert(machine.id, Some(Wish::of(&machine)));
                self.of_machines = true;
            }
            Edit::RemoveMachine(_) => {}
            Edit::Many(all) => all.into_iter().for_each(|edit| self.write(edit, at)),
            edit => self.world.apply_edit(edit, at),
        }
    }

    /// That it is not there.
    pub fn strike(&mut self, machine: MachineId) {
        self.wishes.insert(machine, None);
        self.of_machines = true;
    }

    /// The machines that it brings.
    pub fn newcomers(&self, there: &World) -> impl Iterator<Item = &Name> {
        let new = self.wishes.iter().filter(|(id, _)| there.machine(**id).is_none());
        new.filter_map(|(_, wish)| wish.as_ref().map(|wish| &wish.name))
    }

    /// Whether the change may have to do with a machine.
    pub fn may_touch(&self, machine: MachineId) -> bool {
        !self.of_machines || self.wishes.contains_key(&machine)
    }

    /// Restores a record.
    pub fn restore(&mut self, turn: Turn, at: Time) {
        match (turn.before, turn.after) {
            (_, Some(Record::Machine(wish))) => drop(self.wishes.insert(wish.id, Some(wish))),
            (Some(Record::Machine(wish)), None) => drop(self.wishes.insert(wish.id, None)),
            (before, after) => self.world.restore(Turn::new(before, after), at),
        }
    }

    /// Puts a machine in the place of the last one, as this configuration has it; none where it is not in it.
    pub fn seat(&mut self, resident: &Resident) -> Option<Machine> {
        self.world.clear_residents();
        let machine = match self.wishes.get(&resident.machine.id) {
            Some(None) => return None,
            Some(Some(wish)) => wish.clone().onto(resident.machine.clone()),
            None => resident.machine.clone(),
        };
        resident.sighting.iter().for_each(|seen| self.world.put_sighting(seen.clone(), None));
        self.world.put_machine(machine.clone());
        for lease in &resident.leases {
            if self.world.networks.contains_key(&lease.network) {
                self.world.put_lease(lease.clone());
            }
        }
        Some(machine)
    }
}
