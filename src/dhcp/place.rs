//! Where a packet belongs: its network, and our address there.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

use super::packet::Packet;
use super::relay;
use crate::model::{Name, Network};
use crate::store::World;
use dhcproto::v4::OptionCode;
use std::net::Ipv4Addr;

/// What the socket knows of a packet.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Our addresses on the interface that it came in by.
    pub ours: &'a [Ipv4Addr],
    pub from: Ipv4Addr,
    /// Only relays, and clients that one of them leads to, are heard there.
    pub relays_only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub network: Name,
    pub link: Name,
    /// Our address for this client: on its network where we have one there.
    pub here: Ipv4Addr,
    /// What its relay or switch says of the circuit is believed.
    pub believed: bool,
    /// It comes from behind a relay, with it or, as renewals do, without it.
    pub relayed: bool,
}

/// Why a packet belongs nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Nowhere {
    #[error("no network holds an address of this interface")]
    NoNetwork,
    #[error("no network holds {0}, for which its relay asks")]
    NoRelayedNetwork(Ipv4Addr),
    #[error(
        "network {network} does not know relay {relay}: `kickstand network set {network} --relay {relay}` if it is yours"
    )]
    StrangeRelay { relay: Ipv4Addr, network: KnownName },
    #[error("no relay forwarded it, and only relays are answered at this address")]
    NotRelayed,
    #[error("the client selects {0}, which is no network of this wire")]
    NotOnThisWire(Ipv4Addr),
    #[error("it was forwarded by more than 16 relays: they go round in a ring")]
    Ring,
}

/// A name that fits into an error without a heap: names have at most 63 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownName {
    bytes: [u8; 63],
    len: u8,
}

impl From<&Name> for KnownName {
    fn from(name: &Name) -> Self {
        let mut bytes = [0; 63];
        bytes.iter_mut().zip(name.as_str().bytes()).for_each(|(to, from)| *to = from);
        KnownName { bytes, len: u8::try_from(name.as_str().len()).unwrap_or(63) }
    }
}

impl std::fmt::Display for KnownName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        f.write_str(std::str::from_utf8(bytes).unwrap_or_default())
    }
}

const HOPS: u8 = 16;

pub fn place(packet: &Packet, arrival: Arrival<'_>, world: &World) -> Result<Place, Nowhere> {
    if packet.hops > HOPS {
        return Err(Nowhere::Ring);
    }
    let network = match packet.giaddr {
        Ipv4Addr::UNSPECIFIED => direct(packet, arrival, world)?,
        relay => relayed(packet, relay, world)?,
    };
    let wire = || world.networks.values().filter(|other| other.link() == network.link());
    let on_it = |ip: &&Ipv4Addr| network.cidr.contains(**ip);
    let beside_it = |ip: &&Ipv4Addr| wire().any(|other| other.cidr.contains(**ip));
    let here = arrival.ours.iter().find(on_it).or_else(|| arrival.ours.iter().find(beside_it));
    let here = *here.or_else(|| arrival.ours.first()).ok_or(Nowhere::NoNetwork)?;
    let believed = !packet.giaddr.is_unspecified() || network.dhcp.snooping;
    let relayed = !packet.giaddr.is_unspecified() || remote(packet, arrival, world).is_some();
    Ok(Place { network: network.name.clone(), link: network.link().clone(), here, believed, relayed })
}

/// Server identifiers that mean us besides: our other addresses, and what the relay overrides ours with.
pub fn also(packet: &Packet, arrival: Arrival<'_>) -> Vec<Ipv4Addr> {
    let relayed = !packet.giaddr.is_unspecified();
    let overridden = relay::server_override(&packet.options).filter(|_| relayed);
    arrival.ours.iter().copied().chain(overridden).collect()
}

/// Link selection (RFC 3527), then the client's own subnet selection (RFC 3011), then the relay's address.
fn relayed<'a>(packet: &Packet, relay: Ipv4Addr, world: &'a World) -> Result<&'a Network, Nowhere> {
    let options = &packet.options;
    let asked = relay::link_selection(options).or_else(|| options.ip(OptionCode::SubnetSelection));
    let subnet = asked.unwrap_or(relay);
    let network = world.network_of(subnet).ok_or(Nowhere::NoRelayedNetwork(subnet))?;
    match network.believes(relay) {
        true => Ok(network),
        false => Err(Nowhere::StrangeRelay { relay, network: (&network.name).into() }),
    }
}

/// The network of a client that a relay led to us, and that writes to us alone.
fn remote<'a>(packet: &Packet, arrival: Arrival<'_>, world: &'a World) -> Option<&'a Network> {
    let network = world.network_of(packet.ciaddr).filter(|network| !network.dhcp.relays.is_empty())?;
    // On a wire of our own anybody's broadcast would look like that.
    let near = arrival.ours.iter().any(|ip| network.cidr.contains(*ip)) && !arrival.relays_only;
    (arrival.from == packet.ciaddr && !near).then_some(network)
}

/// The network of the interface. A client behind a relay renews without it (RFC 2131 §4.3.2): its own
/// address tells. On a shared wire a client may choose among its networks.
fn direct<'a>(packet: &Packet, arrival: Arrival<'_>, world: &'a World) -> Result<&'a Network, Nowhere> {
    if let Some(network) = remote(packet, arrival, world) {
        return Ok(network);
    }
    if arrival.relays_only {
        return Err(Nowhere::NotRelayed);
    }
    let own = arrival.ours.iter().find_map(|ip| world.network_of(*ip)).ok_or(Nowhere::NoNetwork)?;
    let Some(subnet) = packet.options.ip(OptionCode::SubnetSelection) else { return Ok(own) };
    let chosen = world.network_of(subnet).filter(|network| network.link() == own.link());
    chosen.ok_or(Nowhere::NotOnThisWire(subnet))
}
