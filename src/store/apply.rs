//! Brings the World to what was just committed, straight from the data of the change: nothing is read again.

use super::edit::Edit;
use super::{World, revisions, servers};
use crate::boot::Effect;
use crate::model::*;

impl World {
    pub(super) fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Bind { lease, .. } => self.bind(lease),
            Effect::Know(lease) => self.know_lease(lease),
            Effect::Unbind { network, holder, at } => {
                // One that began later is another lease.
                if self.lease(&network, &holder).is_some_and(|lease| lease.starts_at <= at) {
                    self.end_lease(&network, &holder, at);
                }
            }
            Effect::Avoid(hold) => self.put_hold(hold),
            Effect::Enlist(machine) => self.put_machine(*machine),
            Effect::Step(step) => self.with_machine(step.machine, |machine| {
                machine.state = step.state;
                machine.state_at = step.state_at;
                machine.install = step.install;
                machine.revision = step.from + 1;
            }),
            Effect::Inventory { machine, inventory } => {
                self.with_machine(machine, |machine| machine.inventory = Some(inventory));
            }
            Effect::Register(new) => {
                self.count_uses(&new.counted, 1);
                self.count_uses(&new.freed, -1);
                self.with_machine(new.machine, |machine| {
                    machine.credential = Some(new.credential);
                    (machine.joined, machine.groups) = (new.joined, new.groups);
                    machine.profile = new.profile.or(machine.profile.take());
                });
            }
            Effect::Leave { machine, joined, .. } => {
                self.count_uses(&joined, -1);
                self.with_machine(machine, |machine| {
                    (machine.credential, machine.joined) = (None, Names::default());
                });
            }
            Effect::Keep { .. } | Effect::LetGo { .. } | Effect::Lead(_) => {}
            Effect::Still { .. } | Effect::Mint(_) | Effect::See(_) | Effect::Hear(_) | Effect::Tell(_) => {}
        }
    }

    fn count_uses(&mut self, keys: &Names, more: i32) {
        for name in keys {
            if let Some(key) = self.keys.get_mut(name) {
                key.used = key.used.saturating_add_signed(more);
            }
        }
    }

    /// As its row: what was promised later stays.
    fn bind(&mut self, mut lease: Lease) {
        if let Some(known) = self
            .lease(&lease.network, &lease.holder)
            .filter(|known| known.ip == lease.ip && known.starts_at > lease.starts_at)
        {
            (lease.starts_at, lease.ends_at) = (known.starts_at, known.ends_at);
        }
        self.put_lease(lease);
    }

    /// Makes a record what it shall be again.
    pub(super) fn restore(&mut self, turn: Turn, at: Time) {
        match (turn.before, turn.after) {
            (_, Some(Record::Machine(wish))) => self.restore_machine(wish, at),
            (Some(Record::Machine(wish)), None) => drop(self.drop_machine(wish.id)),
            (_, Some(Record::Options(options))) => self.options = options,
            (before, Some(record)) => {
                putting(record, before.is_some()).into_iter().for_each(|e| self.apply_edit(e, at))
            }
            (Some(record), None) => removing(record).into_iter().for_each(|edit| self.apply_edit(edit, at)),
            (None, None) => {}
        }
    }

    fn restore_machine(&mut self, wish: Wish, at: Time) {
        wish.interfaces.iter().for_each(|card| self.lift_tombstone(card.mac));
        let machine = match self.drop_machine(wish.id) {
            Some(known) => Ok(wish.onto(Machine { revision: known.revision + 1, ..known })),
            None => revisions::restored(wish, at),
        };
        machine.into_iter().for_each(|machine| self.put_machine(machine));
    }

    pub(super) fn apply_edit(&mut self, edit: Edit, at: Time) {
        match edit {
            Edit::AddNetwork(network) | Edit::SetNetwork(network) => {
                self.networks.insert(network.name.clone(), network);
            }
            Edit::RemoveNetwork(name) => {
                let rest = std::mem::take(&mut self.networks);
                self.put_networks(rest.into_values().filter(|network| network.name != name));
            }
            Edit::AddRange(range) | Edit::SetRange(range) => {
                self.ranges.retain(|old| old.name != range.name);
                self.ranges.push(range);
                self.ranges.sort_by(|a, b| a.name.cmp(&b.name));
            }
            Edit::RemoveRange(name) => self.ranges.retain(|range| range.name != name),
            Edit::AddClass(class) | Edit::SetClass(class) => drop(self.classes.insert(class.name.clone(), class)),
            Edit::RemoveClass(name) => drop(self.classes.remove(&name)),
            Edit::AddReservation(kept) => self.put_reservation(kept),
            Edit::SetReservation { was, reservation } => {
                self.drop_reservation(was);
                self.put_reservation(reservation);
            }
            Edit::RemoveReservation(ip) => self.drop_reservation(ip),
            Edit::SetOptions(patch) => self.options.patch(patch),
            Edit::Announce(addresses) => {
                self.servers = servers::with(std::mem::take(&mut self.servers), &addresses, at)
            }
            Edit::AddDistro(distro) | Edit::SetDistro(distro) => {
                self.distros.insert(distro.name.clone(), distro);
            }
            Edit::RemoveDistro(name) => drop(self.distros.remove(&name)),
            Edit::AddProfile(profile) | Edit::SetProfile(profile) => {
                self.profiles.insert(profile.name.clone(), profile);
            }
            Edit::RemoveProfile(name) => drop(self.profiles.remove(&name)),
            Edit::AddKey(key) => {
                let users = self.machines().filter(|machine| machine.joined.contains(&key.name)).count();
                let used = key.used.max(u32::try_from(users).unwrap_or(u32::MAX));
                self.keys.insert(key.name.clone(), ActivationKey { used, join: None, ..key });
            }
            Edit::SetKey(key) => {
                if let Some(old) = self.keys.get_mut(&key.name) {
                    *old = key.lived_as(old);
                }
            }
            Edit::RemoveKey(name) => drop(self.keys.remove(&name)),
            Edit::JoinBy { name, secret } => {
                self.keys.get_mut(&name).into_iter().for_each(|key| key.join = secret);
            }
            Edit::AddToken { name, hash, at } => drop(self.tokens.insert(hash, (name, at))),
            // Read where it is asked for, once at each start.
            Edit::KeepCa(_) | Edit::AcceptCa { .. } => {}
            // Its number is the database's word: the outcome brings it.
            Edit::SetTemplate { .. } => {}
            // What it restores is the database's word, too.
            Edit::RollBack(_) => {}
            Edit::Many(all) => all.into_iter().for_each(|edit| self.apply_edit(edit, at)),
            Edit::RemoveToken(name) => self.tokens.retain(|_, (other, _)| *other != name),
            Edit::ForgetCard(mac) => self.lift_tombstone(mac),
            Edit::ReleaseLease { network, ip } => {
                self.release(&network, ip, at);
                self.lift_hold(ip);
            }
            edit => self.apply_machine_edit(edit),
        }
    }

    fn apply_machine_edit(&mut self, edit: Edit) {
        match edit {
            Edit::AddMachines(machines) => {
                for machine in machines {
                    machine.interfaces.iter().for_each(|interface| self.lift_tombstone(interface.mac));
                    self.put_machine(machine);
                }
            }
            Edit::SetMachine(new) => {
                new.interfaces.iter().for_each(|interface| self.lift_tombstone(interface.mac));
                self.with_machine(new.id, |machine| {
                    // Since when it is there is nobody's word.
                    let wish = Wish { created_at: machine.created_at, ..Wish::of(&new) };
                    *machine = wish.onto(Machine { revision: new.revision + 1, ..machine.clone() });
                });
            }
            Edit::RemoveMachine(name) => {
                let id = self.machine_named(&name).map(|machine| machine.id);
                if let Some(gone) = id.and_then(|id| self.drop_machine(id)) {
                    self.count_uses(&gone.joined, -1);
                }
            }
            Edit::Replace { machine, from, old, new, at, state, install } => {
                self.forget_card(old);
                self.forget_card(new);
                self.lift_tombstone(new);
                self.put_tombstone(Tombstone { mac: old, machine, replaced_by: new, at });
                self.with_machine(machine, |machine| {
                    machine.interfaces.iter_mut().filter(|i| i.mac == old).for_each(|i| i.mac = new);
                    (machine.state, machine.state_at, machine.install) = (state, at, install);
                    (machine.credential, machine.revision) = (None, from + 1);
                });
            }
            _ => unreachable!("apply_edit handles the other nouns"),
        }
    }
}

/// The edit that makes such a record, or makes it so.
fn putting(record: Record, is_there: bool) -> Option<Edit> {
    Some(match record {
        Record::Network(network) => Edit::SetNetwork(network),
        Record::Range(range) => Edit::SetRange(range),
        Record::Class(class) => Edit::SetClass(class),
        Record::Reservation(kept) => Edit::AddReservation(kept),
        Record::Distro(distro) => Edit::SetDistro(distro),
        Record::Profile(profile) => Edit::SetProfile(profile),
        Record::Key(key) if is_there => Edit::SetKey(key),
        Record::Key(key) => Edit::AddKey(key),
        Record::Options(_) | Record::Machine(_) | Record::Template(_) => return None,
    })
}

fn removing(record: Record) -> Option<Edit> {
    Some(match record {
        Record::Network(network) => Edit::RemoveNetwork(network.name),
        Record::Range(range) => Edit::RemoveRange(range.name),
        Record::Class(class) => Edit::RemoveClass(class.name),
        Record::Reservation(kept) => Edit::RemoveReservation(kept.ip),
        Record::Distro(distro) => Edit::RemoveDistro(distro.name),
        Record::Profile(profile) => Edit::RemoveProfile(profile.name),
        Record::Key(key) => Edit::RemoveKey(key.name),
        Record::Options(_) | Record::Machine(_) | Record::Template(_) => return None,
    })
}
