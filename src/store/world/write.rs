//! Writing the World, for `apply` and for what was read from the database. The indexes are kept here and nowhere else.

use super::super::sightings;
use super::{Seen, World};
use crate::model::*;
use foldhash::HashMap;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// How old a sighting's row may be.
const SIGHTING_SECS: u32 = 60;

impl World {
    pub(in super::super) fn put_machine(&mut self, machine: Machine) {
        self.drop_machine(machine.id);
        let id = machine.id;
        self.names.insert(machine.name.clone(), id);
        for interface in &machine.interfaces {
            self.macs.insert(interface.mac, id);
            self.ips.extend(interface.ip.map(|ip| (ip, interface.mac)));
            self.drop_sighting(interface.mac);
        }
        if let Some(boot) = machine.install.as_ref().and_then(|install| install.boot.as_ref()) {
            self.boots.insert(boot.token, id);
            self.reports.insert(boot.report, id);
        }
        self.credentials.extend(machine.credential.map(|hash| (hash, id)));
        self.newcomers += u64::from(machine.is_newcomer());
        self.machines.insert(id, Box::new(machine));
    }

    pub(in super::super) fn drop_machine(&mut self, id: MachineId) -> Option<Machine> {
        let machine = self.machines.remove(&id)?;
        self.newcomers -= u64::from(machine.is_newcomer());
        self.names.unlink(&machine.name, &id);
        for interface in &machine.interfaces {
            self.macs.unlink(&interface.mac, &id);
            // Its card, with its address, may be another's by now: a rollback or merged news put that one in first.
            let now = self.machine_with_mac(interface.mac).and_then(|other| other.interface(interface.mac));
            if let Some(ip) = interface.ip.filter(|ip| now.and_then(|card| card.ip) != Some(*ip)) {
                self.ips.unlink(&ip, &interface.mac);
            }
        }
        if let Some(boot) = machine.install.as_ref().and_then(|install| install.boot.as_ref()) {
            self.boots.unlink(&boot.token, &id);
            self.reports.unlink(&boot.report, &id);
        }
        if let Some(hash) = machine.credential {
            self.credentials.unlink(&hash, &id);
        }
        Some(*machine)
    }

    /// Changes a machine that is known, and its indexes with it.
    pub(in super::super) fn with_machine(&mut self, id: MachineId, change: impl FnOnce(&mut Machine)) {
        if let Some(mut machine) = self.drop_machine(id) {
            change(&mut machine);
            self.put_machine(machine);
        }
    }

    pub(in super::super) fn put_templates(&mut self, versions: Vec<TemplateVersion>) {
        self.templates.clear();
        versions.into_iter().for_each(|version| self.put_template(version));
    }

    pub(in super::super) fn put_template(&mut self, version: TemplateVersion) {
        let mut places = self.templates.remove(&version.name).unwrap_or_default();
        places.retain(|old| old.whence != version.whence);
        let name = version.name.clone();
        places.extend(Some(version).filter(|version| version.text.is_some()));
        if !places.is_empty() {
            self.templates.insert(name, places);
        }
    }

    pub(in super::super) fn put_lease(&mut self, lease: Lease) {
        if let Some(leases) = self.leases.get_mut(&lease.network) {
            leases.put(lease);
        } else {
            self.leases.entry(lease.network.clone()).or_default().put(lease);
        }
    }

    /// A lease that is not written.
    pub(in super::super) fn know_lease(&mut self, lease: Lease) {
        let leases = self.leases.entry(lease.network.clone()).or_default();
        let holder = lease.holder.clone();
        let row = leases.known.remove(&holder).unwrap_or_else(|| leases.by_holder.get(&holder).cloned());
        leases.put(lease);
        leases.known.insert(holder, row);
    }

    pub(in super::super) fn drop_lease(&mut self, network: &Name, holder: &Holder) {
        if let Some(leases) = self.leases.get_mut(network) {
            leases.remove(holder);
        }
    }

    /// Ends the lease on an address.
    pub(in super::super) fn release(&mut self, network: &Name, ip: Ipv4Addr, at: Time) {
        let holder = self.leases.get(network).and_then(|leases| leases.by_ip.get(&ip)).cloned();
        if let Some(holder) = holder {
            self.end_lease(network, &holder, at);
        }
    }

    /// Becomes what was read anew. What is only in memory stays, where nothing that is written speaks against it.
    pub(in super::super) fn renew(&mut self, mut all: World) {
        for (network, leases) in std::mem::take(&mut self.leases) {
            for lease in leases.known.keys().filter_map(|holder| leases.by_holder.get(holder)) {
                let extends = |row: &Lease| row.ip == lease.ip && row.ends_at < lease.ends_at;
                let same = all.lease(&network, &lease.holder).is_none_or(extends);
                let free = all.lease_at(&network, lease.ip).is_none_or(|row| row.holder == lease.holder);
                if same && free && all.networks.contains_key(&network) {
                    all.know_lease(lease.clone());
                }
            }
        }
        for seen in std::mem::take(&mut self.sightings).into_values() {
            all.put_sighting(seen.sighting, seen.kept_at);
        }
        for (check_in, written) in std::mem::take(&mut self.check_ins).into_values() {
            all.put_check_in(check_in, written);
        }
        *self = all;
    }

    /// What is older than what is known changes nothing.
    pub(in super::super) fn put_check_in(&mut self, check_in: CheckIn, written: bool) {
        match self.check_ins.get(&check_in.machine) {
            Some((known, _)) if known.at >= check_in.at => {}
            _ => drop(self.check_ins.insert(check_in.machine, (check_in, written))),
        }
    }

    /// In the order of their machines: two nodes never wait for each other crosswise.
    pub(in super::super) fn unwritten_check_ins(&self) -> Vec<CheckIn> {
        let mut news: Vec<_> =
            self.check_ins.values().filter(|(_, written)| !written).map(|(check_in, _)| check_in.clone()).collect();
        news.sort_by_key(|check_in| check_in.machine);
        news
    }

    /// Those of machines that are gone are forgotten with that.
    pub(in super::super) fn wrote_check_ins(&mut self, written: &[CheckIn]) {
        for one in written {
            if !self.machines.contains_key(&one.machine) {
                self.check_ins.remove(&one.machine);
            } else if let Some((_, is_written)) = self.check_ins.get_mut(&one.machine).filter(|(c, _)| c.at == one.at) {
                *is_written = true;
            }
        }
    }

    pub(in super::super) fn end_lease(&mut self, network: &Name, holder: &Holder, at: Time) {
        let lease = self.leases.get_mut(network).and_then(|leases| leases.by_holder.get_mut(holder));
        if let Some(lease) = lease {
            lease.ends_at = lease.ends_at.min(at);
        }
    }

    pub(in super::super) fn forget_card(&mut self, mac: Mac) {
        let networks: Vec<Name> = self.leases.keys().cloned().collect();
        networks.iter().for_each(|network| self.drop_lease(network, &mac.into()));
        self.drop_sighting(mac);
    }

    pub(in super::super) fn put_reservations(&mut self, reservations: impl IntoIterator<Item = Reservation>) {
        self.reservations.clear();
        self.marks.clear();
        reservations.into_iter().for_each(|kept| self.put_reservation(kept));
    }

    pub(in super::super) fn put_reservation(&mut self, kept: Reservation) {
        self.drop_reservation(kept.ip);
        self.marks.entry(kept.by.clone()).or_default().push(kept.ip);
        self.reservations.insert(kept.ip, kept);
    }

    pub(in super::super) fn drop_reservation(&mut self, ip: Ipv4Addr) {
        let Some(old) = self.reservations.remove(&ip) else { return };
        if let Some(ips) = self.marks.get_mut(&old.by) {
            ips.retain(|kept| *kept != ip);
            if ips.is_empty() {
                self.marks.remove(&old.by);
            }
        }
    }

    pub(in super::super) fn put_hold(&mut self, hold: Hold) {
        self.holds.insert(hold.ip, hold);
    }

    pub(in super::super) fn retain_holds(&mut self, keep: impl Fn(&Hold) -> bool) {
        self.holds.retain(|_, hold| keep(hold));
    }

    pub(in super::super) fn lift_hold(&mut self, ip: Ipv4Addr) {
        self.holds.remove(&ip);
    }

    pub(in super::super) fn put_networks(&mut self, networks: impl IntoIterator<Item = Network>) {
        self.networks = networks.into_iter().map(|network| (network.name.clone(), network)).collect();
        self.leases.retain(|name, _| self.networks.contains_key(name));
        self.holds.retain(|_, hold| self.networks.contains_key(&hold.network));
    }

    pub(in super::super) fn put_tombstone(&mut self, tombstone: Tombstone) {
        self.tombstones.insert(tombstone.mac, tombstone);
    }

    pub(in super::super) fn lift_tombstone(&mut self, mac: Mac) {
        self.tombstones.remove(&mac);
    }

    /// Who was heard and is not written down, or was long ago: who was heard more than once comes first.
    pub(in super::super) fn unkept_sightings(&self, limit: usize) -> Vec<Sighting> {
        let old = |seen: &&Seen| seen.kept_at.is_none_or(|at| seen.sighting.last_at.secs_since(at) >= SIGHTING_SECS);
        let mut news: Vec<_> = self.sightings.values().filter(old).map(|seen| &seen.sighting).collect();
        news.sort_by_key(|seen| (seen.first_at == seen.last_at, std::cmp::Reverse(seen.last_at), seen.mac));
        let mut news: Vec<_> = news.into_iter().take(limit).cloned().collect();
        // Two nodes write in the same order, and never wait for each other crosswise.
        news.sort_by_key(|seen| seen.mac);
        news
    }

    pub(in super::super) fn kept(&mut self, written: &[Sighting]) {
        for sighting in written {
            if let Some(seen) = self.sightings.get_mut(&sighting.mac) {
                seen.kept_at = Some(sighting.last_at);
            }
        }
    }

    /// `kept_at` is when its row was written, where it was.
    pub(in super::super) fn put_sighting(&mut self, mut sighting: Sighting, mut kept_at: Option<Time>) {
        if self.macs.contains_key(&sighting.mac) {
            return;
        }
        if let Some(seen) = self.drop_sighting(sighting.mac) {
            sighting.first_at = sighting.first_at.min(seen.sighting.first_at);
            kept_at = kept_at.max(seen.kept_at);
        } else if self.sightings.len() >= sightings::LIMIT {
            self.silent_for.pop_first().map(|(_, mac)| self.sightings.remove(&mac));
        }
        self.silent_for.insert((sighting.last_at, sighting.mac));
        self.sightings.insert(sighting.mac, Seen { sighting, kept_at });
    }

    fn drop_sighting(&mut self, mac: Mac) -> Option<Seen> {
        let seen = self.sightings.remove(&mac)?;
        self.silent_for.remove(&(seen.sighting.last_at, mac));
        Some(seen)
    }

    /// All that a machine brings.
    pub(super) fn clear_residents(&mut self) {
        self.names.clear();
        let ids: Vec<MachineId> = self.machines.keys().copied().collect();
        ids.into_iter().for_each(|id| drop(self.drop_machine(id)));
        self.leases.clear();
        self.sightings.clear();
        self.silent_for.clear();
    }

    /// To be called when the records themselves are as it left them. A number only goes up, whatever order news come in;
    /// of a record that is gone nobody asks.
    pub(in super::super) fn put_revision(&mut self, number: i64, of: impl IntoIterator<Item = RecordKey>) {
        self.revision = self.revision.max(number);
        if self.oldest == 0 {
            self.oldest = number;
        }
        for key in of {
            if self.has(&key) {
                let last = self.changed.entry(key).or_default();
                *last = number.max(*last);
            } else {
                self.changed.remove(&key);
            }
        }
    }

    #[cfg(test)]
    pub(in super::super) fn count_changed(&self) -> usize {
        self.changed.len()
    }

    /// What is older is forgotten.
    pub(in super::super) fn put_oldest_revision(&mut self, number: i64) {
        self.oldest = number;
        self.changed.retain(|_, changed| *changed >= number);
    }
}

/// Removes an index entry only where it still points to the one that leaves.
pub(super) trait Unlink<K, V> {
    fn unlink(&mut self, key: &K, value: &V);
}

impl<K: Eq + std::hash::Hash, V: PartialEq> Unlink<K, V> for HashMap<K, V> {
    fn unlink(&mut self, key: &K, value: &V) {
        if self.get(key) == Some(value) {
            self.remove(key);
        }
    }
}

impl<K: Ord, V: PartialEq> Unlink<K, V> for BTreeMap<K, V> {
    fn unlink(&mut self, key: &K, value: &V) {
        if self.get(key) == Some(value) {
            self.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::lifecycle;

    #[test]
    fn an_address_stays_with_the_machine_that_took_the_card_over() {
        let (mac, ip) = (Mac([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(10, 0, 0, 9));
        let machine = |id: u128| {
            let ids = [uuid::Uuid::from_u128(id), uuid::Uuid::from_u128(id + 100)];
            let mut machine = lifecycle::newcomer(mac, State::Ready, ids, Time(0));
            machine.interfaces.iter_mut().for_each(|card| card.ip = Some(ip));
            machine
        };
        let (old, new) = (machine(1), machine(2));
        let mut world = World::default();
        world.put_machine(new.clone());
        world.put_machine(old.clone());
        // As a rollback does it, and news that came together: the one that stays was put first.
        world.drop_machine(new.id);
        assert_eq!((world.reserved(ip), world.machine_with_mac(mac).map(|m| m.id)), (Some(mac), Some(old.id)));
        world.drop_machine(old.id);
        assert_eq!(world.reserved(ip), None);
    }
}
