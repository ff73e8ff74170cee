//! The World: what packets need to know, in memory, as of the last commit. Pure: no database, no clock.

//!
//! `write` brings it to what was committed, `leases` are those of one network, `paper` is what a change would make of it.

mod leases;
mod paper;
mod write;

pub use paper::{Paper, Resident};

use crate::boot::{Effect, Records, Standing};
use crate::model::*;
use foldhash::HashMap;
use leases::Leases;
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
    /// And whether a row says so.
    check_ins: HashMap<MachineId, (CheckIn, bool)>,
    /// By when they were last heard.
    silent_for: BTreeSet<(Time, Mac)>,
    /// How many machines are as a packet has made them.
    newcomers: u64,
    /// The configuration's number.
    revision: i64,
    /// The oldest one that is kept; 0 before the first.
    oldest: i64,
    /// Which revision last changed each record that is there, as far back as they are kept.
    changed: HashMap<RecordKey, i64>,
}

#[derive(Debug)]
struct Seen {
    sighting: Sighting,
    /// When its row was last written, which is more seldom than it is heard.
    kept_at: Option<Time>,
}

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

    fn keys(&self) -> &BTreeMap<Name, ActivationKey> {
        &self.keys
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

    /// When a machine's system was last heard.
    pub fn check_in(&self, id: MachineId) -> Option<&CheckIn> {
        self.check_ins.get(&id).map(|(check_in, _)| check_in)
    }

    /// The number of the configuration: every change of it counts one up.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// When a record that is there was last changed: a machine by its name, others by what tells them apart.
    pub fn last_changed(&self, noun: Noun, name: &str) -> Option<Since> {
        let key = match noun {
            Noun::Machine => self.machine_named(&name.parse().ok()?)?.id.to_string(),
            _ => name.to_owned(),
        };
        let key = RecordKey(noun, key);
        let since =
            || self.changed.get(&key).map_or(Since::Before(self.oldest.max(1)), |number| Since::Revision(*number));
        self.has(&key).then(since)
    }

    /// Whether a record is there.
    fn has(&self, RecordKey(noun, key): &RecordKey) -> bool {
        let name = || key.parse::<Name>().ok();
        match noun {
            Noun::Network => name().is_some_and(|name| self.networks.contains_key(&name)),
            Noun::Range => self.ranges.iter().any(|range| range.name.as_str() == key),
            Noun::Class => name().is_some_and(|name| self.classes.contains_key(&name)),
            Noun::Reservation => key.parse().is_ok_and(|ip| self.reservations.contains_key(&ip)),
            Noun::Options => true,
            Noun::Distro => name().is_some_and(|name| self.distros.contains_key(&name)),
            Noun::Profile => name().is_some_and(|name| self.profiles.contains_key(&name)),
            Noun::Key => name().is_some_and(|name| self.keys.contains_key(&name)),
            Noun::Machine => key.parse().is_ok_and(|id: MachineId| self.machines.contains_key(&id)),
            Noun::Template => self.templates().any(|version| Record::Template(Text::of(version)).key().1 == *key),
        }
    }

    /// Says of each tale by which configuration it was decided.
    pub fn stamp(&self, effects: &mut [Effect]) {
        for effect in effects {
            if let Effect::Tell(tale) = effect {
                tale.revision.get_or_insert(self.revision);
            }
        }
    }
}
