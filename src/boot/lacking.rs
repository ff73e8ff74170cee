//! The same boot without one of the words that it was decided on: what each of them is for.

use super::Standing;
use super::paper::{self, PaperFacts};
use super::recipe;
use super::records::Records;
use super::said::Said;
use crate::model::*;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The records of a boot with one word taken out.
pub struct Lacking<'a> {
    base: &'a dyn Records,
    /// The word, and whose it is.
    pub what: String,
    machine: Option<Machine>,
    unreserved: bool,
    network: Option<Network>,
    ranges: Option<Vec<Range>>,
    profiles: Option<BTreeMap<Name, Profile>>,
    distros: Option<BTreeMap<Name, Distro>>,
    shelf: Option<Shelf>,
}

/// One for each word that may have counted in a boot that leads to this address and profile.
pub fn lacking<'a>(
    facts: &PaperFacts<'a>,
    (mac, arch): (Mac, Arch),
    ip: Option<Ipv4Addr>,
    profile: Option<&Name>,
) -> Vec<Lacking<'a>> {
    let mut all = Vec::new();
    match facts.standing {
        Standing::Machine(machine) => of_machine(facts, machine, mac, &mut all),
        Standing::Reserved(kept) => {
            let what = format!("the reservation of {} for {}", kept.ip, kept.by);
            all.push(Lacking { unreserved: true, ..Lacking::of(facts, what) });
        }
        Standing::Retired(_) | Standing::Unknown => {}
    }
    all.extend(ip.iter().flat_map(|ip| of_ranges(facts, *ip)));
    of_network(facts, &mut all);
    let chain = profile.and_then(|name| recipe::chain(name, facts.records.profiles()).ok()).unwrap_or_default();
    chain.iter().for_each(|profile| of_profile(facts, (&chain, profile), &mut all));
    let distro = chain.iter().find_map(|profile| facts.records.distros().get(profile.distro.as_ref()?));
    all.extend(distro.and_then(|distro| of_distro(facts, distro)));
    let ask = paper::discover(mac, paper::client(mac, arch));
    let machine = if let Standing::Machine(machine) = facts.standing { Some(machine) } else { None };
    let quirks = Said::quirks(facts.shelf, Some(&ask.traits()), Some(mac), machine);
    all.extend(quirks.into_iter().map(|quirk| without_quirk(facts, quirk)));
    all
}

impl<'a> Lacking<'a> {
    fn of(facts: &PaperFacts<'a>, what: String) -> Lacking<'a> {
        Lacking {
            base: facts.records,
            what,
            machine: None,
            unreserved: false,
            network: None,
            ranges: None,
            profiles: None,
            distros: None,
            shelf: None,
        }
    }

    pub fn networks<'b>(&'b self, facts: &PaperFacts<'b>) -> Vec<&'b Network> {
        let changed = |there: &&Network| self.network.as_ref().filter(|network| network.name == there.name);
        facts.networks.iter().map(|there| changed(there).unwrap_or(*there)).collect()
    }

    /// What the boot is played with, on these networks.
    pub fn facts<'b>(&'b self, networks: &'b [&'b Network], facts: &PaperFacts<'b>) -> PaperFacts<'b> {
        let standing = match (&self.machine, self.unreserved) {
            (Some(machine), _) => Standing::Machine(machine),
            (None, true) => Standing::Unknown,
            (None, false) => facts.standing,
        };
        let network = self.network.as_ref().unwrap_or(facts.network);
        let shelf = self.shelf.as_ref().unwrap_or(facts.shelf);
        PaperFacts { networks, network, standing, records: self, shelf, ..*facts }
    }
}

fn of_machine<'a>(facts: &PaperFacts<'a>, machine: &Machine, mac: Mac, all: &mut Vec<Lacking<'a>>) {
    let name = &machine.name;
    let mut without = |word: Option<String>, take: &dyn Fn(&mut Machine)| {
        let Some(word) = word else { return };
        let mut machine = machine.clone();
        take(&mut machine);
        all.push(Lacking { machine: Some(machine), ..Lacking::of(facts, format!("{word} of machine {name}")) });
    };
    without(machine.netboots().then(|| "the arming".into()), &|m| {
        (m.state, m.install) = (State::Ready, None);
    });
    without(machine.interface(mac).and_then(|card| Some(format!("address {}", card.ip?))), &|m| {
        m.interfaces.iter_mut().filter(|card| card.mac == mac).for_each(|card| card.ip = None);
    });
    without(named("profile", &machine.profile), &|m| m.profile = None);
    without(named("loader", &machine.loader), &|m| m.loader = None);
    without(named("way to the disk", &machine.disk_boot), &|m| m.disk_boot = None);
    without(stack(&machine.keys), &|m| m.keys = Names::default());
}

fn named(what: &str, value: &Option<impl std::fmt::Display>) -> Option<String> {
    value.as_ref().map(|value| format!("{what} {value}"))
}

fn stack(keys: &Names) -> Option<String> {
    match keys.as_slice() {
        [] => None,
        [one] => Some(format!("key {one}")),
        _ => Some(format!("keys {keys}")),
    }
}

fn of_ranges<'a>(facts: &PaperFacts<'a>, ip: Ipv4Addr) -> Vec<Lacking<'a>> {
    let ranges = facts.records.ranges();
    let inside = ranges.iter().filter(|range| range.network == facts.network.name && range.span.contains(ip));
    let without = |gone: &Range| {
        let rest = ranges.iter().filter(|range| range.name != gone.name).cloned().collect();
        Lacking { ranges: Some(rest), ..Lacking::of(facts, format!("range {}", gone.name)) }
    };
    inside.map(without).collect()
}

fn of_network<'a>(facts: &PaperFacts<'a>, all: &mut Vec<Lacking<'a>>) {
    let network = facts.network;
    let mut without = |word: Option<String>, take: &dyn Fn(&mut Network)| {
        let Some(word) = word else { return };
        let mut changed = network.clone();
        take(&mut changed);
        let what = format!("{word} of network {}", network.name);
        all.push(Lacking { network: Some(changed), ..Lacking::of(facts, what) });
    };
    without(named("profile", &network.profile), &|n| n.profile = None);
    without(named("loader", &network.dhcp.loader), &|n| n.dhcp.loader = None);
    without(named("way to the disk", &network.dhcp.disk_boot), &|n| n.dhcp.disk_boot = None);
}

/// Of the other profiles only those of the chain are looked at.
fn of_profile<'a>(facts: &PaperFacts<'a>, (chain, profile): (&[&Profile], &Profile), all: &mut Vec<Lacking<'a>>) {
    let mut without = |word: Option<String>, take: &dyn Fn(&mut Profile)| {
        let Some(word) = word else { return };
        let mut profiles: BTreeMap<_, _> = chain.iter().map(|p| (p.name.clone(), (*p).clone())).collect();
        profiles.get_mut(&profile.name).into_iter().for_each(take);
        let what = format!("{word} of profile {}", profile.name);
        all.push(Lacking { profiles: Some(profiles), ..Lacking::of(facts, what) });
    };
    without(named("distro", &profile.distro), &|p| p.distro = None);
    without(named("template", &profile.template), &|p| p.template = None);
    without(stack(&profile.keys), &|p| p.keys = Names::default());
    without(named("loader", &profile.loader), &|p| p.loader = None);
    without(named("way to the disk", &profile.disk_boot), &|p| p.disk_boot = None);
}

fn of_distro<'a>(facts: &PaperFacts<'a>, distro: &Distro) -> Option<Lacking<'a>> {
    let what = format!("loader {} of distro {}", distro.loader.as_ref()?, distro.name);
    let distros = BTreeMap::from([(distro.name.clone(), Distro { loader: None, ..distro.clone() })]);
    Some(Lacking { distros: Some(distros), ..Lacking::of(facts, what) })
}

fn without_quirk<'a>(facts: &PaperFacts<'a>, gone: &Quirk) -> Lacking<'a> {
    let mut shelf = facts.shelf.clone();
    shelf.quirks.retain(|quirk| quirk.name != gone.name);
    Lacking { shelf: Some(shelf), ..Lacking::of(facts, format!("quirk {}", gone.name)) }
}

impl Records for Lacking<'_> {
    fn reserved(&self, ip: Ipv4Addr) -> Option<Mac> {
        self.base.reserved(ip)
    }

    fn reservation(&self, network: &Name, mark: &Mark) -> Option<&Reservation> {
        self.base.reservation(network, mark).filter(|_| !self.unreserved)
    }

    fn reservation_at(&self, ip: Ipv4Addr) -> Option<&Reservation> {
        self.base.reservation_at(ip)
    }

    fn hold(&self, ip: Ipv4Addr) -> Option<&Hold> {
        self.base.hold(ip)
    }

    fn lease(&self, network: &Name, holder: &Holder) -> Option<&Lease> {
        self.base.lease(network, holder)
    }

    fn newcomers(&self) -> u64 {
        self.base.newcomers()
    }

    fn ranges(&self) -> &[Range] {
        self.ranges.as_deref().unwrap_or_else(|| self.base.ranges())
    }

    fn profiles(&self) -> &BTreeMap<Name, Profile> {
        self.profiles.as_ref().unwrap_or_else(|| self.base.profiles())
    }

    fn keys(&self) -> &BTreeMap<Name, ActivationKey> {
        self.base.keys()
    }

    fn distros(&self) -> &BTreeMap<Name, Distro> {
        self.distros.as_ref().unwrap_or_else(|| self.base.distros())
    }

    fn classes(&self) -> &BTreeMap<Name, Class> {
        self.base.classes()
    }

    fn options(&self) -> &OptionSet {
        self.base.options()
    }
}
