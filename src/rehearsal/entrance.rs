//! By which way each client's packets reach the second server, and who has none.

use super::cast::{self, Actor, Homes, Part};
use super::firmware::Firmware;
use super::report::Told;
use super::stage::Stage;
use super::{Error, Who, Wish};
use crate::boot::said::{self, Said};
use crate::model::*;
use crate::store::World;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

/// Who plays, and who can not and why.
pub fn cast_of(
    world: &World,
    stage: &Stage,
    wish: &Wish,
    armed: &BTreeSet<MachineId>,
) -> Result<(Vec<Actor>, Vec<Told>), Error> {
    let shelf = stage.engine.shelf();
    let mixture = if wish.firmware.is_empty() { Firmware::mixture(&shelf) } else { wish.firmware.clone() };
    let homes = Homes::of(world);
    let mut entrance = Entrance { stage, shelf: &shelf, actors: Vec::new(), absent: Vec::new() };
    match wish.who {
        Who::Machines(_) => {
            for machine in armed.iter().filter_map(|id| world.machine(*id)) {
                let number = machine.interfaces.first().map_or(0, |card| cast::number(card.mac));
                let firmware = match wish.firmware.is_empty() {
                    true => homes.firmware(machine, &shelf, &mixture),
                    false => pick(&mixture, number),
                };
                entrance.machine(machine, homes.network(machine), firmware);
            }
        }
        Who::Newcomers(count) => {
            let grounds = cast::grounds(world);
            if grounds.is_empty() {
                return Err(Error::NoPools);
            }
            for ((mac, home), number) in cast::newcomers(world).zip(grounds.iter().cycle()).zip(0..).take(count) {
                entrance.newcomer(mac, home, pick(&mixture, number));
            }
        }
    }
    Ok((entrance.actors, entrance.absent))
}

struct Entrance<'a> {
    stage: &'a Stage,
    shelf: &'a Shelf,
    actors: Vec<Actor>,
    absent: Vec<Told>,
}

impl Entrance<'_> {
    fn machine(&mut self, machine: &Machine, home: Option<&Network>, firmware: Firmware) {
        let name = machine.name.to_string();
        let Some(mac) = machine.interfaces.first().map(|card| card.mac) else {
            return self.absent.push(Told::absent(name, "it has no interface to boot from".into()));
        };
        let (installs, bears) = (true, said::transfer_caps(&Said::quirks(self.shelf, None, Some(mac), Some(machine))));
        self.enter(name, mac, home, Part { firmware, machine: Some(machine.id), installs, bears });
    }

    fn newcomer(&mut self, mac: Mac, home: &Network, firmware: Firmware) {
        let (installs, bears) = (home.unknown == Unknown::Install, (None, None));
        self.enter(mac.to_string(), mac, Some(home), Part { firmware, machine: None, installs, bears });
    }

    fn enter(&mut self, name: String, mac: Mac, home: Option<&Network>, part: Part) {
        let lost = || {
            format!(
                "nobody can say from which network {mac} boots: it has no address, no lease and was not heard yet; give it an address"
            )
        };
        match home.ok_or_else(lost).and_then(|home| way(self.stage, home)) {
            Ok((door, relay, network)) => {
                self.actors.push(Actor { name, mac, uuid: cast::uuid(mac), part, network, door, relay });
            }
            Err(text) => self.absent.push(Told::absent(name, text)),
        }
    }
}

fn pick(mixture: &[Firmware], number: u64) -> Firmware {
    let at = (number % mixture.len().max(1) as u64) as usize;
    mixture.get(at).copied().unwrap_or(Firmware::Bios)
}

/// How packets of this network reach the server; the error is why they do not.
fn way(stage: &Stage, home: &Network) -> Result<(SocketAddr, Option<Ipv4Addr>, Name), String> {
    let world = stage.engine.store.world();
    let name = home.name.clone();
    let gone = || format!("network {name} is gone");
    let network = world.networks.get(&name).ok_or_else(gone)?;
    match network.dhcp.placement {
        Placement::Proxy => {
            return Err(format!(
                "network {name} is served beside another DHCP server (--dhcp proxy), which a rehearsal does not play"
            ));
        }
        Placement::Off => {
            return Err(format!("network {name} is not served: `kickstand network set {name} --dhcp full`"));
        }
        Placement::Full | Placement::Relayed => {}
    }
    let ours = stage.engine.addresses();
    let wire = world.wire(network);
    let on_wire = wire.iter().find_map(|network| ours.iter().find(|ip| network.cidr.contains(**ip)));
    let direct = on_wire.filter(|_| network.dhcp.placement == Placement::Full);
    let relay = || network.gateway.or_else(|| network.cidr.iter().find(|ip| network.can_hold(*ip)));
    let (ip, relay) = match direct {
        Some(ip) => (*ip, None),
        None if !network.dhcp.relays.is_empty() => (*on_wire.or(ours.first()).ok_or_else(gone)?, relay()),
        None => {
            return Err(format!(
                "no interface of this server has an address on network {name} ({}): give it one, and name it in kickstand.toml, or name its relay",
                home.cidr
            ));
        }
    };
    stage.dhcp(ip).map(|door| (door, relay, name.clone())).ok_or_else(gone)
}
