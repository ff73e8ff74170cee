//! What DHCP's settings must be to each other and to machines: for `check`, inside the same transaction.

use super::sql::{Conn, sql};
use super::{Error, check, machines, networks, reservations, tombstones};
use crate::model::*;
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// Whoever believes more than this believes anybody.
const SHORTEST_RELAY_PREFIX: u8 = 8;

/// How it is served by DHCP.
pub fn service(network: &Network) -> Result<(), Error> {
    let Network { name, cidr, dhcp, .. } = network;
    if let Some(secs) = dhcp.unknown_lease_secs {
        check::lease_secs(secs, &format!("leases of unknown MACs on network {name}"))?;
    }
    if let Some(span) = dhcp.excluded.iter().find(|s| !cidr.contains(s.first) || !cidr.contains(s.last)) {
        let text = format!("excluded {span} of network {name} reaches outside {cidr}: make it smaller");
        return Err(Error::contradiction(text));
    }
    if let Some(relay) = dhcp.relays.iter().find(|relay| !is_a_relay(relay)) {
        let text = format!(
            "relay {relay} of network {name} is no host's address, or believes half the world: name the relays that are yours"
        );
        return Err(Error::contradiction(text));
    }
    if dhcp.placement == Placement::Relayed && dhcp.relays.is_empty() {
        let text = format!(
            "network {name} answers only what relays forward, and believes none: `kickstand network set {name} --dhcp relayed --relay ADDRESS`"
        );
        return Err(Error::contradiction(text));
    }
    Ok(())
}

fn is_a_relay(relay: &ipnetwork::Ipv4Network) -> bool {
    let ip = relay.network();
    relay.prefix() >= SHORTEST_RELAY_PREFIX && !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast()
}

/// So much of one option fits beside all that a client needs.
const OPTION_BYTES: usize = 1024;

pub fn options(set: &OptionSet, of: &str) -> Result<(), Error> {
    match set.iter().find(|(_, bytes)| bytes.len() > OPTION_BYTES) {
        Some((code, bytes)) => Err(Error::contradiction(format!(
            "option {} of {of} has {} bytes, and a packet has room for {OPTION_BYTES}: make it shorter",
            option::option_name(code),
            bytes.len()
        ))),
        None => Ok(()),
    }
}

pub async fn class(db: &mut Conn, class: &Class) -> Result<(), Error> {
    options(&class.options, &format!("class {}", class.name))?;
    check::exists(db, "network", class.network.as_ref(), sql("SELECT name FROM networks WHERE name = $1")).await
}

/// Reservations beside machines and other reservations, each with the address that it moves from or lies at already.
pub async fn reservations(db: &mut Conn, list: &[(&Reservation, Option<Ipv4Addr>)]) -> Result<(), Error> {
    let around = Around::read(db, list).await?;
    list.iter().try_for_each(|(kept, was)| around.check(kept, *was))
}

/// What is there of the addresses and marks of reservations: read once, however many there are.
struct Around {
    networks: Vec<Network>,
    reservations: HashMap<Ipv4Addr, Reservation>,
    marks: HashMap<Mark, Vec<Ipv4Addr>>,
    machines: HashMap<Ipv4Addr, String>,
    cards: HashMap<Mac, String>,
    retired: HashMap<Mac, Tombstone>,
}

impl Around {
    async fn read(db: &mut Conn, list: &[(&Reservation, Option<Ipv4Addr>)]) -> Result<Self, Error> {
        let macs = list.iter().filter_map(|(kept, _)| if let Mark::Mac(mac) = kept.by { Some(mac) } else { None });
        let (macs, ips): (Vec<Mac>, Vec<Ipv4Addr>) = (macs.collect(), list.iter().map(|(kept, _)| kept.ip).collect());
        let (mut machines, mut cards) = (HashMap::new(), HashMap::new());
        for (name, card) in machines::with_cards(db, &macs, &ips).await? {
            machines.extend(card.ip.map(|ip| (ip, name.clone())));
            cards.insert(card.mac, name);
        }
        let marks = list.iter().map(|(kept, _)| &kept.by);
        let found = reservations::like(db, &ips, marks).await?;
        let mut marks: HashMap<Mark, Vec<Ipv4Addr>> = HashMap::new();
        found.iter().for_each(|kept| marks.entry(kept.by.clone()).or_default().push(kept.ip));
        let reservations = found.into_iter().map(|kept| (kept.ip, kept)).collect();
        let retired = tombstones::some(db, macs.iter()).await?.into_iter().map(|card| (card.mac, card)).collect();
        Ok(Around { networks: networks::all(db).await?, reservations, marks, machines, cards, retired })
    }

    fn check(&self, kept: &Reservation, was: Option<Ipv4Addr>) -> Result<(), Error> {
        let network = self.networks.iter().find(|network| network.name == kept.network);
        housed(kept, network.ok_or_else(|| Error::missing("network", &kept.network))?)?;
        let ip = kept.ip;
        if let Some(machine) = self.machines.get(&ip) {
            return Err(Error::duplicate("address", ip, format!("machine {machine}")));
        }
        if let Some(other) = self.reservations.get(&ip).filter(|_| was != Some(ip)) {
            return Err(Error::duplicate("address", ip, format!("the reservation for {}", other.by)));
        }
        let mut same = self.marks.get(&kept.by).into_iter().flatten().filter_map(|ip| self.reservations.get(ip));
        if let Some(other) = same.find(|other| other.network == kept.network && was != Some(other.ip)) {
            let holder = format!("the reservation of {} on the same network {}", other.ip, other.network);
            return Err(Error::duplicate("mark", &kept.by, holder));
        }
        match kept.by {
            Mark::Mac(mac) => self.no_machine_s(mac, ip),
            _ => Ok(()),
        }
    }

    /// A machine's record is the place for its address.
    fn no_machine_s(&self, mac: Mac, ip: Ipv4Addr) -> Result<(), Error> {
        if let Some(machine) = self.cards.get(&mac) {
            return Err(Error::contradiction(format!(
                "{mac} is a card of machine {machine}, whose record gives it its address: `kickstand machine set {machine} --ip {ip}`"
            )));
        }
        match self.retired.get(&mac) {
            Some(retired) => Err(Error::contradiction(format!(
                "{mac} was replaced by {} and gets no address again: if it is meant, `kickstand machine forget {mac}` first",
                retired.replaced_by
            ))),
            None => Ok(()),
        }
    }
}

/// An address that its network can give to a host.
pub fn housed(kept: &Reservation, network: &Network) -> Result<(), Error> {
    let Reservation { ip, by, .. } = kept;
    let taken = match () {
        () if !network.cidr.contains(*ip) => "outside",
        () if network.gateway == Some(*ip) => "the gateway of",
        () if !network.can_hold(*ip) => "the own or the broadcast address of",
        () => return Ok(()),
    };
    Err(Error::contradiction(format!(
        "address {ip}, to be reserved for {by}, is {taken} network {} ({}): choose another",
        network.name, network.cidr
    )))
}

/// Whether a card may come into a machine's record: its address stands in one place only.
pub async fn no_reservation(db: &mut Conn, mac: Mac) -> Result<(), Error> {
    match reservations::marked(db, &Mark::Mac(mac)).await?.first() {
        Some(kept) => Err(reserved_card(kept)),
        None => Ok(()),
    }
}

pub fn reserved_card(kept: &Reservation) -> Error {
    Error::contradiction(format!(
        "{} has the reservation {}: `kickstand reservation remove {}` first, then give the machine that address",
        kept.by, kept.ip, kept.ip
    ))
}
