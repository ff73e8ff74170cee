//! Where a machine would boot, on paper: its card, its network and its address, the same for everybody who asks.

use super::{Engine, Error};
use crate::boot::{Here, Standing, role};
use crate::model::*;
use crate::store::World;
use std::net::Ipv4Addr;

/// One card of a machine, and where it is.
pub(super) struct Seat<'a> {
    pub mac: Mac,
    pub network: &'a Network,
    /// Its own, what it has leased, or the first that it might get. Where there is none, the network's own, which lies in no
    /// range: then only the machine and the network have a word.
    pub ip: Ipv4Addr,
}

impl Seat<'_> {
    pub fn has_address(&self) -> bool {
        self.ip != self.network.cidr.network()
    }
}

impl Engine {
    pub(super) fn seat<'a>(&self, world: &'a World, machine: &Machine) -> Result<Seat<'a>, Error> {
        let none = || Error::Invalid(format!("machine {} has no interface to boot from", machine.name));
        let card = machine.interfaces.first().ok_or_else(none)?;
        let network = self.network_of(world, card.mac, Standing::Machine(machine))?;
        let leased = || world.lease(&network.name, &card.mac.into()).map(|lease| lease.ip);
        let ip = card.ip.or_else(leased).or_else(|| pooled(network)).unwrap_or(network.cidr.network());
        Ok(Seat { mac: card.mac, network, ip })
    }

    /// The profile that speaks for it there.
    pub(super) fn speaker<'a>(
        &self,
        world: &'a World,
        machine: &'a Machine,
        seat: &Seat<'a>,
    ) -> Result<&'a Name, Error> {
        let (profile, why) = role::profile(Some(machine), seat.ip, &world.ranges, seat.network);
        profile.ok_or_else(|| match seat.has_address() {
            true => Error::Invalid(format!("machine {} has no profile: {}", machine.name, why.text)),
            false => Error::Invalid(format!("machine {0} has neither a profile nor an address, which could name one: `kickstand machine set {0} --profile NAME`", machine.name)),
        })
    }

    /// Us, as it would reach us: a server that shares the database may be the one that serves its network.
    pub(super) fn here_or_there(&self, network: &Network) -> Here {
        let first = || network.gateway.or_else(|| network.cidr.nth(1)).unwrap_or(network.cidr.ip());
        self.here(network).unwrap_or_else(|| self.here_as(first(), network))
    }
}

/// The first address that a pool gives to machines.
fn pooled(network: &Network) -> Option<Ipv4Addr> {
    let pools = network.pools.iter().filter(|pool| pool.serves != Serves::Unknown);
    let excluded = |ip: Ipv4Addr| network.dhcp.excluded.iter().find(|span| span.contains(ip));
    let usable = |span: Span| {
        let mut ip = span.first;
        // Past each excluded span in one step: pools are large.
        while let Some(skipped) = excluded(ip) {
            ip = u32::from(skipped.last).checked_add(1)?.into();
        }
        span.contains(ip).then_some(ip)
    };
    pools.filter_map(|pool| usable(pool.span)).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_of_a_pool_is_one_that_machines_get() {
        let mut network: Network = serde_json::from_value(serde_json::json!({
            "name": "lab", "cidr": "10.0.0.0/24", "gateway": null, "dns": [], "domain": null, "lease_secs": 600, "profile": null,
            "pools": ["10.0.0.10-10.0.0.20=unknown", "10.0.0.30-10.0.0.40"], "unknown": "ignore", "dhcp": {}, "variables": {},
        }))
        .unwrap();
        let first = |network: &Network| pooled(network).map(|ip| ip.to_string());
        assert_eq!(first(&network).as_deref(), Some("10.0.0.30"));
        network.dhcp.excluded =
            ["10.0.0.25-10.0.0.33", "10.0.0.34-10.0.0.35"].map(|span| span.parse().unwrap()).to_vec();
        assert_eq!(first(&network).as_deref(), Some("10.0.0.36"));
        network.dhcp.excluded = vec!["10.0.0.30-10.0.0.40".parse().unwrap()];
        assert_eq!(first(&network), None);
    }
}
