//! The World: what packets need to know, in memory, as of the last commit. Pure: no database, no clock.

use super::sightings;
use crate::boot::{Records, Standing};
use crate::model::*;
use foldhash::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

#[derive(Debug, Default)]
pub struct World {
    pub networks: BTreeMap<Name, Network>,
    pub ranges: Vec<Range>,
    pub distros: BTreeMap<Name, Distro>,
    pub profiles: BTreeMap<Name, Profile>,
    pub keys: BTreeMap<Name, ActivationKey>,
    pub tokens: HashMap<Hash, (Name, Time)>,
    pub classes: BTreeMap<Name, Class>,
    /// Options for everybody that nothing closer says otherwise.
    pub options: OptionSet,
    /// Where this server and those that share its database are, and when each last said so.
    pub servers: BTreeMap<Ipv4Addr, Time>,
    /// The last version of each template's name and place.
    templates: BTreeMap<String, Vec<TemplateVersion>>,
    reservations: BTreeMap<Ipv4Addr, Reservation>,
    marks: HashMap<Mark, Vec<Ipv4Addr>>,
    /// Each in a place of its own: the map grows by moving what is in it.
    machines: HashMap<MachineId, Box<Machine>>,
    names: BTreeMap<Name, MachineId>,
    macs: HashMap<Mac, MachineId>,
    ips: HashMap<Ipv4Addr, Mac>,
    boots: HashMap<Hash, MachineId>,
    reports: HashMap<Hash, MachineId>,
    credentials: HashMap<Hash, MachineId>,
    leases: HashMap<Name, Leases>,
    holds: HashMap<Ipv4Addr, Hold>,
    tombstones: HashMap<Mac, Tombstone>,
    sightings: HashMap<Mac, Seen>,
    /// By when they were last heard.
    silent_for: BTreeSet<(Time, Mac)>,
    /// How many machines are as a packet has made them.
    newcomers: u64,
}

#[derive(Debug, Default)]
struct Leases {
    by_holder: HashMap<Holder, Lease>,
    by_ip: HashMap<Ipv4Addr, Holder>,
    /// Those that no row says, or not all of; and what the row says, where there is one.
    known: HashMap<Holder, Option<Lease>>,
}

#[derive(Debug)]
struct Seen {
    sighting: Sighting,
    /// When its row was last written, which is more seldom than it is heard.
    kept_at: Option<Time>,
}

/// How old a sighting's row may be.
const SIGHTING_SECS: u32 = 60;

impl Records for World {
    fn reserved(&self, ip: Ipv4Addr) -> Option<Mac> {
        World::reserved(self, ip)
    }

    fn reservation(&self, network: &Name, mark: &Mark) -> Option<&Reservation> {
        World::reservation(self, network, mark)
    }

    fn reservation_at(&self, ip: Ipv4Addr) -> Option<&Reservation> {
        World::reservation_at(self, ip)
    }

    fn hold(&self, ip: Ipv4Addr) -> Option<&Hold> {
        World::hold(self, ip)
    }

    fn lease(&self, network: &Name, holder: &Holder) -> Option<&Lease> {
        let leases = self.leases.get(network)?;
        match leases.known.get(holder) {
            Some(row) => row.as_ref(),
            None => leases.by_holder.get(holder),
        }
    }

    fn newcomers(&self) -> u64 {
        self.newcomers
    }

    fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    fn profiles(&self) -> &BTreeMap<Name, Profile> {
        &self.profiles
    }

    fn distros(&self) -> &BTreeMap<Name, Distro> {
        &self.distros
    }

    fn classes(&self) -> &BTreeMap<Name, Class> {
        &self.classes
    }

    fn options(&self) -> &OptionSet {
        &self.options
    }
}

impl World {
    pub fn machine(&self, id: MachineId) -> Option<&Machine> {
        self.machines.get(&id).map(Box::as_ref)
    }

    pub fn machine_named(&self, name: &Name) -> Option<&Machine> {
        self.machine(*self.names.get(name)?)
    }

    pub fn machine_with_mac(&self, mac: Mac) -> Option<&Machine> {
        self.machine(*self.macs.get(&mac)?)
    }

    /// The machine whose current boot has this token, which opens its answer file.
    pub fn machine_with_token(&self, token: Hash) -> Option<&Machine> {
        self.machine(*self.boots.get(&token)?)
    }

    /// The machine whose current boot has this report URL.
    pub fn machine_with_report(&self, report: Hash) -> Option<&Machine> {
        self.machine(*self.reports.get(&report)?)
    }

    pub fn machine_with_credential(&self, credential: Hash) -> Option<&Machine> {
        self.machine(*self.credentials.get(&credential)?)
    }

    /// In the order of their names.
    pub fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.names.values().filter_map(|id| self.machine(*id))
    }

    /// What operators wrote of a template: the last version of each place that has one.
    pub fn templates_named(&self, name: &str) -> &[TemplateVersion] {
        self.templates.get(name).map_or(&[], Vec::as_slice)
    }

    /// The same of all, in the order of their names.
    pub fn templates(&self) -> impl Iterator<Item = &TemplateVersion> {
        self.templates.values().flatten()
    }

    pub fn standing(&self, mac: Mac) -> Standing<'_> {
        let machine = self.machine_with_mac(mac).map(Standing::Machine);
        machine.or_else(|| self.tombstone(mac).map(Standing::Retired)).unwrap_or(Standing::Unknown)
    }

    /// The address that is kept for such clients on a network.
    pub fn reservation(&self, network: &Name, mark: &Mark) -> Option<&Reservation> {
        let ips = self.marks.get(mark)?.iter();
        ips.filter_map(|ip| self.reservations.get(ip)).find(|kept| kept.network == *network)
    }

    pub fn reservation_at(&self, ip: Ipv4Addr) -> Option<&Reservation> {
        self.reservations.get(&ip)
    }

    /// In the order of their addresses.
    pub fn reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.reservations.values()
    }

    /// Whose card a record gives this address to.
    pub fn reserved(&self, ip: Ipv4Addr) -> Option<Mac> {
        self.ips.get(&ip).copied()
    }

    /// The smallest network that holds an address.
    pub fn network_of(&self, ip: Ipv4Addr) -> Option<&Network> {
        self.networks.values().filter(|network| network.cidr.contains(ip)).max_by_key(|network| network.cidr.prefix())
    }

    pub fn lease(&self, network: &Name, holder: &Holder) -> Option<&Lease> {
        self.leases.get(network)?.by_holder.get(holder)
    }

    pub fn lease_at(&self, network: &Name, ip: Ipv4Addr) -> Option<&Lease> {
        let leases = self.leases.get(network)?;
        leases.by_holder.get(leases.by_ip.get(&ip)?)
    }

    /// Over ones too: how often in a row is remembered.
    pub fn hold(&self, ip: Ipv4Addr) -> Option<&Hold> {
        self.holds.get(&ip)
    }

    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.values()
    }

    /// The networks on the wire of this one, which comes first.
    pub fn wire<'a>(&'a self, network: &'a Network) -> Vec<&'a Network> {
        let others = self.networks.values().filter(|n| n.link() == network.link() && n.name != network.name);
        std::iter::once(network).chain(others).collect()
    }

    pub fn leases_on(&self, network: &Name) -> impl Iterator<Item = &Lease> {
        self.leases.get(network).into_iter().flat_map(|leases| leases.by_holder.values())
    }

    /// What is known of a client on a wire: by its card, or by a reservation.
    pub fn standing_of(
        &self,
        wire: &[&Network],
        holder: &Holder,
        id: Option<&[u8]>,
        circuit: Option<&[u8]>,
    ) -> Standing<'_> {
        match holder.mac().map(|mac| self.standing(mac)) {
            None | Some(Standing::Unknown) if !self.reservations.is_empty() => {
                let marks = [
                    holder.mac().map(Mark::Mac),
                    id.map(|id| Mark::Id(id.into())),
                    circuit.map(|c| Mark::Circuit(c.into())),
                ];
                let kept = |mark: Mark| wire.iter().find_map(|network| self.reservation(&network.name, &mark));
                let kept = marks.into_iter().flatten().find_map(kept);
                // Who renews writes to us alone, without the relay that says its circuit: its lease tells.
                let by_lease = || wire.iter().find_map(|network| self.lease(&network.name, holder));
                let sat_there =
                    || self.reservations.get(&by_lease()?.ip).filter(|kept| matches!(kept.by, Mark::Circuit(_)));
                let kept = kept.or_else(|| circuit.is_none().then(sat_there).flatten());
                kept.map_or(Standing::Unknown, Standing::Reserved)
            }
            standing => standing.unwrap_or(Standing::Unknown),
        }
    }

    /// Ended ones too: a client that comes back gets its address again.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values().flat_map(|leases| leases.by_holder.values())
    }

    pub fn tombstone(&self, mac: Mac) -> Option<&Tombstone> {
        self.tombstones.get(&mac)
    }

    pub fn sighting(&self, mac: Mac) -> Option<&Sighting> {
        self.sightings.get(&mac).map(|seen| &seen.sighting)
    }

    pub fn sightings(&self) -> impl Iterator<Item = &Sighting> {
        self.sightings.values().map(|seen| &seen.sighting)
    }
}

/// Writing, for `apply` and for what was read from the database. The indexes are kept here and nowhere else.
impl World {
    pub(super) fn put_machine(&mut self, machine: Machine) {
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

    pub(super) fn drop_machine(&mut self, id: MachineId) -> Option<Machine> {
        let machine = self.machines.remove(&id)?;
        self.newcomers -= u64::from(machine.is_newcomer());
        self.names.unlink(&machine.name, &id);
        for interface in &machine.interfaces {
            self.macs.unlink(&interface.mac, &id);
            if let Some(ip) = interface.ip {
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
    pub(super) fn with_machine(&mut self, id: MachineId, change: impl FnOnce(&mut Machine)) {
        if let Some(mut machine) = self.drop_machine(id) {
            change(&mut machine);
            self.put_machine(machine);
        }
    }

    pub(super) fn put_templates(&mut self, versions: Vec<TemplateVersion>) {
        self.templates.clear();
        versions.into_iter().for_each(|version| self.put_template(version));
    }

    pub(super) fn put_template(&mut self, version: TemplateVersion) {
        let mut places = self.templates.remove(&version.name).unwrap_or_default();
        places.retain(|old| old.whence != version.whence);
        let name = version.name.clone();
        places.extend(Some(version).filter(|version| version.text.is_some()));
        if !places.is_empty() {
            self.templates.insert(name, places);
        }
    }

    pub(super) fn put_lease(&mut self, lease: Lease) {
        if let Some(leases) = self.leases.get_mut(&lease.network) {
            leases.put(lease);
        } else {
            self.leases.entry(lease.network.clone()).or_default().put(lease);
        }
    }

    /// A lease that is not written.
    pub(super) fn know_lease(&mut self, lease: Lease) {
        let leases = self.leases.entry(lease.network.clone()).or_default();
        let holder = lease.holder.clone();
        let row = leases.known.remove(&holder).unwrap_or_else(|| leases.by_holder.get(&holder).cloned());
        leases.put(lease);
        leases.known.insert(holder, row);
    }

    pub(super) fn drop_lease(&mut self, network: &Name, holder: &Holder) {
        if let Some(leases) = self.leases.get_mut(network) {
            leases.remove(holder);
        }
    }

    /// Ends the lease on an address.
    pub(super) fn release(&mut self, network: &Name, ip: Ipv4Addr, at: Time) {
        let holder = self.leases.get(network).and_then(|leases| leases.by_ip.get(&ip)).cloned();
        if let Some(holder) = holder {
            self.end_lease(network, &holder, at);
        }
    }

    /// Becomes what was read anew. What is only in memory stays, where nothing that is written speaks against it.
    pub(super) fn renew(&mut self, mut all: World) {
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
        *self = all;
    }

    pub(super) fn end_lease(&mut self, network: &Name, holder: &Holder, at: Time) {
        let lease = self.leases.get_mut(network).and_then(|leases| leases.by_holder.get_mut(holder));
        if let Some(lease) = lease {
            lease.ends_at = lease.ends_at.min(at);
        }
    }

    pub(super) fn forget_card(&mut self, mac: Mac) {
        let networks: Vec<Name> = self.leases.keys().cloned().collect();
        networks.iter().for_each(|network| self.drop_lease(network, &mac.into()));
        self.drop_sighting(mac);
    }

    pub(super) fn put_reservations(&mut self, reservations: impl IntoIterator<Item = Reservation>) {
        self.reservations.clear();
        self.marks.clear();
        reservations.into_iter().for_each(|kept| self.put_reservation(kept));
    }

    pub(super) fn put_reservation(&mut self, kept: Reservation) {
        self.drop_reservation(kept.ip);
        self.marks.entry(kept.by.clone()).or_default().push(kept.ip);
        self.reservations.insert(kept.ip, kept);
    }

    pub(super) fn drop_reservation(&mut self, ip: Ipv4Addr) {
        let Some(old) = self.reservations.remove(&ip) else { return };
        if let Some(ips) = self.marks.get_mut(&old.by) {
            ips.retain(|kept| *kept != ip);
            if ips.is_empty() {
                self.marks.remove(&old.by);
            }
        }
    }

    pub(super) fn put_hold(&mut self, hold: Hold) {
        self.holds.insert(hold.ip, hold);
    }

    pub(super) fn retain_holds(&mut self, keep: impl Fn(&Hold) -> bool) {
        self.holds.retain(|_, hold| keep(hold));
    }

    pub(super) fn lift_hold(&mut self, ip: Ipv4Addr) {
        self.holds.remove(&ip);
    }

    pub(super) fn put_networks(&mut self, networks: impl IntoIterator<Item = Network>) {
        self.networks = networks.into_iter().map(|network| (network.name.clone(), network)).collect();
        self.leases.retain(|name, _| self.networks.contains_key(name));
        self.holds.retain(|_, hold| self.networks.contains_key(&hold.network));
    }

    pub(super) fn put_tombstone(&mut self, tombstone: Tombstone) {
        self.tombstones.insert(tombstone.mac, tombstone);
    }

    pub(super) fn lift_tombstone(&mut self, mac: Mac) {
        self.tombstones.remove(&mac);
    }

    /// Who was heard and is not written down, or was long ago: who was heard more than once comes first.
    pub(super) fn unkept_sightings(&self, limit: usize) -> Vec<Sighting> {
        let old = |seen: &&Seen| seen.kept_at.is_none_or(|at| seen.sighting.last_at.secs_since(at) >= SIGHTING_SECS);
        let mut news: Vec<_> = self.sightings.values().filter(old).map(|seen| &seen.sighting).collect();
        news.sort_by_key(|seen| (seen.first_at == seen.last_at, std::cmp::Reverse(seen.last_at), seen.mac));
        let mut news: Vec<_> = news.into_iter().take(limit).cloned().collect();
        // Two nodes write in the same order, and never wait for each other crosswise.
        news.sort_by_key(|seen| seen.mac);
        news
    }

    pub(super) fn kept(&mut self, written: &[Sighting]) {
        for sighting in written {
            if let Some(seen) = self.sightings.get_mut(&sighting.mac) {
                seen.kept_at = Some(sighting.last_at);
            }
        }
    }

    /// `kept_at` is when its row was written, where it was.
    pub(super) fn put_sighting(&mut self, mut sighting: Sighting, mut kept_at: Option<Time>) {
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
}

impl Leases {
    fn put(&mut self, lease: Lease) {
        self.known.remove(&lease.holder);
        if let Some(known) = self.by_holder.get_mut(&lease.holder) {
            if known.ip == lease.ip {
                *known = lease;
                return;
            }
            self.by_ip.unlink(&known.ip, &lease.holder);
        }
        if let Some(previous) = self.by_ip.insert(lease.ip, lease.holder.clone()) {
            self.by_holder.remove(&previous);
            self.known.remove(&previous);
        }
        self.by_holder.insert(lease.holder.clone(), lease);
    }

    fn remove(&mut self, holder: &Holder) {
        self.known.remove(holder);
        if let Some(old) = self.by_holder.remove(holder) {
            self.by_ip.unlink(&old.ip, holder);
        }
    }
}

/// Removes an index entry only where it still points to the one that leaves.
trait Unlink<K, V> {
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
