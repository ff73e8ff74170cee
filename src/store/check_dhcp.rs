//! What DHCP's settings must be to each other and to machines: for `check`, inside the same transaction.

use super::sql::{Conn, sql};
use super::{Error, check, machines, networks, reservations, tombstones};
use crate::model::*;
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

/// A reservation beside machines and other reservations; `was` is the address that it moves from.
pub async fn reservation(db: &mut Conn, kept: &Reservation, was: Option<Ipv4Addr>) -> Result<(), Error> {
    let networks = networks::all(db).await?;
    let network = networks.iter().find(|network| network.name == kept.network);
    housed(kept, network.ok_or_else(|| Error::missing("network", &kept.network))?)?;
    let ip = kept.ip;
    if let Some((machine, _)) = check::reserved(db).await?.into_iter().find(|(_, other)| *other == ip) {
        return Err(Error::duplicate("address", ip, format!("machine {machine}")));
    }
    if let Some(other) = reservations::one(db, ip).await?.filter(|_| was != Some(ip)) {
        return Err(Error::duplicate("address", ip, format!("the reservation for {}", other.by)));
    }
    let same = reservations::marked(db, &kept.by).await?;
    if let Some(other) = same.iter().find(|other| other.network == kept.network && was != Some(other.ip)) {
        let holder = format!("the reservation of {} on the same network {}", other.ip, other.network);
        return Err(Error::duplicate("mark", &kept.by, holder));
    }
    match kept.by {
        Mark::Mac(mac) => no_machine_s(db, mac, ip).await,
        _ => Ok(()),
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

/// A machine's record is the place for its address.
async fn no_machine_s(db: &mut Conn, mac: Mac, ip: Ipv4Addr) -> Result<(), Error> {
    if let Some(machine) = machines::named_by(db, mac).await? {
        return Err(Error::contradiction(format!(
            "{mac} is a card of machine {machine}, whose record gives it its address: `kickstand machine set {machine} --ip {ip}`"
        )));
    }
    match tombstones::one(db, mac).await? {
        Some(retired) => Err(Error::contradiction(format!(
            "{mac} was replaced by {} and gets no address again: if it is meant, `kickstand machine forget {mac}` first",
            retired.replaced_by
        ))),
        None => Ok(()),
    }
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
