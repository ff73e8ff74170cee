//! Who is rehearsed: machines by a selector or made-up newcomers, each with its firmware and its way to the server.

use super::Error;
use super::firmware::Firmware;
use super::loss::Loss;
use crate::boot::role;
use crate::boot::said::Said;
use crate::model::*;
use crate::store::World;
use std::collections::HashMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// A client of the rehearsal.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The machine's name, or the MAC of a newcomer.
    pub name: String,
    pub mac: Mac,
    pub uuid: [u8; 16],
    pub part: Part,
    pub network: Name,
    /// Where its packets go.
    pub door: SocketAddr,
    /// Through whom.
    pub relay: Option<Ipv4Addr>,
}

/// What a client is to be.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub firmware: Firmware,
    pub machine: Option<MachineId>,
    /// Anything but an install is a failure.
    pub installs: bool,
    /// The largest window and block of TFTP, where quirks say so.
    pub bears: (Option<u16>, Option<u16>),
}

/// What firmware does that no RFC asks for, and that servers must bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Plain,
    /// Each question twice.
    Twice,
    /// A byte of rubbish behind a file's name.
    Rubbish,
    /// A slash before it.
    Slash,
}

impl Actor {
    /// Always the same for one client: half of them have none.
    pub fn manner(&self) -> Manner {
        match self.uuid {
            [0..=42, ..] => Manner::Twice,
            [43..=85, ..] => Manner::Rubbish,
            [86..=127, ..] => Manner::Slash,
            _ => Manner::Plain,
        }
    }
}

/// Which machines.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector(Vec<Term>);

#[derive(Debug, Clone, PartialEq)]
enum Term {
    /// A machine's name, with `*` for any letters and `?` for one.
    Name(String),
    Profile(Name),
    Network(Name),
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let term = |word: &str| match word.split_once('=') {
            None if word.is_empty() => Err("a name is missing: write it like web-*,db1".to_owned()),
            None => Ok(Term::Name(word.to_owned())),
            Some(("profile", name)) => name.parse().map(Term::Profile).map_err(|e: Malformed| e.to_string()),
            Some(("network", name)) => name.parse().map(Term::Network).map_err(|e: Malformed| e.to_string()),
            Some((other, _)) => Err(format!("{other}= selects nothing: profile=NAME and network=NAME do")),
        };
        text.split(',').map(|word| term(word.trim())).collect::<Result<_, _>>().map(Selector)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.iter().map(|term| match term {
            Term::Name(name) => name.clone(),
            Term::Profile(name) => format!("profile={name}"),
            Term::Network(name) => format!("network={name}"),
        });
        f.write_str(&words.collect::<Vec<_>>().join(","))
    }
}

impl Selector {
    fn takes(&self, machine: &Machine, home: Option<&Network>, profile: Option<&Name>) -> bool {
        self.0.iter().any(|term| match term {
            Term::Name(pattern) => is_like(machine.name.as_str(), pattern),
            Term::Profile(name) => profile == Some(name),
            Term::Network(name) => home.is_some_and(|network| network.name == *name),
        })
    }
}

/// Whether a name is of a pattern with `*` and `?`. Names are ASCII.
fn is_like(name: &str, pattern: &str) -> bool {
    let (name, pattern) = (name.as_bytes(), pattern.as_bytes());
    // Each star takes as little as it can; a later one makes an earlier one's choice final.
    let (mut at, mut next, mut star) = (0, 0, None);
    while at < name.len() {
        match pattern.get(next) {
            Some(b'*') => {
                star = Some((next, at));
                next += 1;
            }
            Some(c) if *c == b'?' || Some(c) == name.get(at) => (at, next) = (at + 1, next + 1),
            _ => {
                let Some((back, taken)) = star else { return false };
                star = Some((back, taken + 1));
                (at, next) = (taken + 1, back + 1);
            }
        }
    }
    pattern.iter().skip(next).all(|c| *c == b'*')
}

/// What is known of where machines are: made once for all of them.
pub struct Homes<'a> {
    world: &'a World,
    by_lease: HashMap<Mac, &'a Name>,
    /// Where there is only one.
    only: Option<&'a Network>,
}

impl<'a> Homes<'a> {
    pub fn of(world: &'a World) -> Homes<'a> {
        let leases = world.leases().filter_map(|lease| Some((lease.holder.mac()?, &lease.network)));
        let sightings = world.sightings().map(|seen| (seen.mac, &seen.network));
        let mut served = world.networks.values();
        let only = served.next().filter(|_| served.next().is_none());
        Homes { world, by_lease: sightings.chain(leases).collect(), only }
    }

    /// The network that a machine boots from: that of its address, its lease, or the only one.
    pub fn network(&self, machine: &Machine) -> Option<&'a Network> {
        let card = machine.interfaces.first()?;
        let known = || self.world.networks.get(*self.by_lease.get(&card.mac)?);
        card.ip.and_then(|ip| self.world.network_of(ip)).or_else(known).or(self.only)
    }

    pub fn profile(&self, machine: &'a Machine) -> Option<&'a Name> {
        let ip = machine.interfaces.first().and_then(|card| card.ip).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let network = self.network(machine)?;
        role::profile(Some(machine), ip, &self.world.ranges, network).0
    }

    /// All that a selector takes; the error says that it takes none.
    pub fn select(&self, selector: Option<&Selector>) -> Result<Vec<&'a Machine>, Error> {
        let takes = |machine: &&Machine| {
            selector.is_none_or(|s| s.takes(machine, self.network(machine), self.profile(machine)))
        };
        let taken: Vec<_> = self.world.machines().filter(takes).collect();
        match (taken.is_empty(), selector) {
            (false, _) => Ok(taken),
            (true, None) => Err(Error::NoMachines),
            (true, Some(selector)) => Err(Error::NoneOf(selector.to_string())),
        }
    }

    /// As what a machine asks: what its loader or its inventory says, else one of the mixture, always the same.
    pub fn firmware(&self, machine: &Machine, shelf: &Shelf, mixture: &[Firmware]) -> Firmware {
        let by_loader = self.loaders(machine).into_iter().find_map(|name| {
            let loader = &shelf.loader(name.as_str())?.loader;
            Firmware::ALL.iter().copied().find(|firmware| loader.runs_on(firmware.arch()))
        });
        by_loader.or_else(|| of_inventory(machine)).unwrap_or_else(|| {
            let chance =
                Loss::new(0.0, 0, number(machine.interfaces.first().map_or(Mac([0; 6]), |card| card.mac))).next();
            let at = (chance % mixture.len().max(1) as u64) as usize;
            mixture.get(at).copied().unwrap_or(Firmware::Bios)
        })
    }

    /// The loaders that somebody named, the nearest word first.
    fn loaders(&self, machine: &Machine) -> Vec<&Name> {
        let chain = self.world.machine(machine.id).and_then(|machine| self.profile(machine));
        let chain = Said::profiles(chain, &self.world.profiles);
        let own = self.world.machine(machine.id).and_then(|machine| machine.loader.as_ref());
        let distro = chain.iter().find_map(|profile| profile.distro.as_ref());
        let of_distro = distro.and_then(|name| self.world.distros.get(name)?.loader.as_ref());
        own.into_iter().chain(chain.iter().filter_map(|profile| profile.loader.as_ref())).chain(of_distro).collect()
    }
}

fn of_inventory(machine: &Machine) -> Option<Firmware> {
    let inventory = machine.inventory.as_ref()?;
    let said = |what| inventory.get(what).and_then(|value| value.as_str());
    match (said("firmware")?, said("architecture")) {
        ("uefi", Some("aarch64")) => Some(Firmware::Arm64),
        ("uefi", _) => Some(Firmware::Uefi),
        ("bios", _) => Some(Firmware::Bios),
        _ => None,
    }
}

pub fn number(mac: Mac) -> u64 {
    mac.0.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The identity of a mainboard, as option 97 tells it: the same at each rehearsal.
pub fn uuid(mac: Mac) -> [u8; 16] {
    let mut chance = Loss::new(0.0, 97, number(mac));
    let mut uuid = [0; 16];
    uuid.iter_mut().for_each(|byte| *byte = chance.next() as u8);
    uuid
}

/// MACs that nobody has: locally administered, and none of them known.
pub fn newcomers(world: &World) -> impl Iterator<Item = Mac> {
    let made = (0u32..1 << 24).map(|number| {
        let [_, a, b, c] = number.to_be_bytes();
        Mac([0x02, 0x4b, 0x52, a, b, c])
    });
    let is_free = |mac: &Mac| {
        world.machine_with_mac(*mac).is_none() && world.tombstone(*mac).is_none() && world.sighting(*mac).is_none()
    };
    made.filter(is_free)
}

/// Where newcomers may turn up: networks with a range that names a profile, else all that have a pool.
pub fn grounds(world: &World) -> Vec<&Network> {
    let pooled: Vec<_> = world.networks.values().filter(|network| !network.pools.is_empty()).collect();
    let is_ranged = |network: &&&Network| world.ranges.iter().any(|range| range.network == network.name);
    let ranged: Vec<_> = pooled.iter().filter(is_ranged).copied().collect();
    if ranged.is_empty() { pooled } else { ranged }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_selector_reads_as_it_is_written() {
        let text = "web-*,db1,profile=web,network=lab";
        assert_eq!(text.parse::<Selector>().unwrap().to_string(), text);
        for (bad, words) in [("a,,b", "missing"), ("rack=7", "profile=NAME"), ("profile=A B", "a name")] {
            assert!(bad.parse::<Selector>().unwrap_err().contains(words), "{bad}");
        }
    }

    #[test]
    fn stars_take_any_letters_and_question_marks_one() {
        for (name, pattern) in [("web-1", "web-*"), ("web-1", "*"), ("web-1", "w*b-?"), ("aab", "*ab"), ("a", "a*")] {
            assert!(is_like(name, pattern), "{name} {pattern}");
        }
        for (name, pattern) in [("web-1", "web"), ("web-1", "?"), ("web-1", "*-2"), ("", "?"), ("db", "web-*")] {
            assert!(!is_like(name, pattern), "{name} {pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_like_itself_and_like_any_piece_between_stars(name in "[a-z0-9-]{1,12}", at in 0usize..12) {
            prop_assert!(is_like(&name, &name));
            let (head, tail) = name.split_at(at.min(name.len()));
            for pattern in [format!("{head}*"), format!("*{tail}"), format!("{head}*{tail}")] {
                prop_assert!(is_like(&name, &pattern), "{}", pattern);
            }
            let longer = format!("{name}?");
            prop_assert!(!is_like(&name, &longer));
        }
    }
}
