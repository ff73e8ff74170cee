//! What is not counted but looked up when a metric is asked for: how full the pools are, whether the database answers.

use super::Engine;
use crate::metrics::Now;
use crate::model::{Name, Network, State, Time};
use crate::store::{Counters, World};
use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How full a network's pools are. Every address of `size` is counted once: leased, else reserved, else held, else free.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fill {
    pub size: u64,
    pub leased: u64,
    /// Kept for a machine or a reservation that does not use it now.
    pub reserved: u64,
    /// Given to nobody for a while.
    pub held: u64,
    pub free: u64,
}

/// In one walk over the records of the network: no lease is copied.
pub fn fill(world: &World, network: &Network, now: Time) -> Fill {
    let given = |ip: &Ipv4Addr| network.pooled(*ip) && network.can_hold(*ip);
    let active = world.leases_on(&network.name).filter(|lease| lease.ends_at > now).map(|lease| lease.ip);
    let leased: HashSet<Ipv4Addr> = active.filter(given).collect();
    let of_machines = world.machines().flat_map(|machine| &machine.interfaces).filter_map(|card| card.ip);
    let kept = of_machines.chain(world.reservations().map(|kept| kept.ip)).chain(network.gateway);
    let reserved: HashSet<Ipv4Addr> = kept.filter(|ip| given(ip) && !leased.contains(ip)).collect();
    let holds = world.holds().filter(|hold| hold.network == network.name && hold.until > now).map(|hold| hold.ip);
    let held = holds.filter(|ip| given(ip) && !leased.contains(ip) && !reserved.contains(ip)).count();
    let [leased, reserved, held] = [leased.len(), reserved.len(), held].map(|n| u64::try_from(n).unwrap_or(u64::MAX));
    let size = size(network);
    let free = size.saturating_sub(leased).saturating_sub(reserved).saturating_sub(held);
    Fill { size, leased, reserved, held, free }
}

/// How many addresses the pools can give: those that are excluded, and the network's own, are none of them.
fn size(network: &Network) -> u64 {
    let mut none: Vec<_> = network.dhcp.excluded.iter().map(|span| (span.first, span.last)).collect();
    if network.cidr.prefix() < 31 {
        none.extend([network.cidr.network(), network.cidr.broadcast()].map(|ip| (ip, ip)));
    }
    none.sort_unstable();
    let all = network.pools.iter().map(|pool| {
        let (first, last) = (u64::from(u32::from(pool.span.first)), u64::from(u32::from(pool.span.last)));
        // The next address that may be given.
        let (mut next, mut count) = (first, 0u64);
        for (from, to) in &none {
            let (from, to) = (u64::from(u32::from(*from)), u64::from(u32::from(*to)));
            count = count.saturating_add(from.min(last.saturating_add(1)).saturating_sub(next));
            next = next.max(to.saturating_add(1));
        }
        count.saturating_add(last.saturating_add(1).saturating_sub(next))
    });
    all.sum()
}

impl Engine {
    /// All metrics, as text.
    pub fn metrics_text(&self) -> Result<String, std::fmt::Error> {
        let lost = u64::from(self.store.lost_since().is_some());
        let mut all = vec![
            Now::gauge("database_lost", "1 while the database does not answer").with(Vec::new(), lost),
            self.captured(),
        ];
        all.extend(self.written());
        {
            let world = self.store.world();
            all.extend([pools(&world, self), machines(&world)]);
        }
        self.metrics.text(all)
    }

    fn written(&self) -> [Now; 4] {
        let Counters { commits, jobs, leases, refused } = self.store.counters();
        let row = |name, help, count: &AtomicU64| Now::counter(name, help).with(Vec::new(), count.load(Relaxed));
        [
            row("store_commits", "Transactions that were committed", commits),
            row("store_decisions", "Decisions and edits that they held", jobs),
            row("store_leases", "Leases that were written", leases),
            row(
                "store_refused",
                "Decisions and edits that were refused, or that a lost database did not take",
                refused,
            ),
        ]
    }

    fn captured(&self) -> Now {
        let mut now = Now::gauge("capture_bytes", "Memory of the last DHCP packets of each machine");
        for (of, bytes) in ["machines", "strangers"].into_iter().zip(self.captures.bytes()) {
            now.put(vec![("of", of.to_owned())], u64::try_from(bytes).unwrap_or(u64::MAX));
        }
        now
    }
}

fn pools(world: &World, engine: &Engine) -> Now {
    let moment = engine.now();
    let mut now = Now::gauge("pool_addresses", "Addresses of the pools; stock are free ones that answered no probe");
    for network in world.networks.values() {
        let Fill { size, leased, reserved, held, free } = fill(world, network, moment);
        let stock = engine.metrics.stock(network.name.as_str());
        let all = [
            ("size", size),
            ("leased", leased),
            ("reserved", reserved),
            ("held", held),
            ("free", free),
            ("stock", stock),
        ];
        all.iter().for_each(|(state, count)| now.put(labels(&network.name, state), *count));
    }
    now
}

fn labels(network: &Name, state: &str) -> Vec<(&'static str, String)> {
    vec![("network", network.to_string()), ("state", state.to_owned())]
}

fn machines(world: &World) -> Now {
    let mut now = Now::gauge("machines", "Machines, by their state");
    let mut counts = [0; State::ALL.len()];
    // Once round all: packets wait for whoever reads the World for long.
    for machine in world.machines() {
        let place = State::ALL.iter().position(|state| *state == machine.state);
        place.and_then(|place| counts.get_mut(place)).into_iter().for_each(|count| *count += 1);
    }
    State::ALL.iter().zip(counts).for_each(|(state, count)| now.put(vec![("state", state.to_string())], count));
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dhcp, Unknown};

    fn network(cidr: &str, pools: &[&str], excluded: &[&str]) -> Network {
        Network {
            name: "lab".parse().unwrap(),
            cidr: cidr.parse().unwrap(),
            gateway: None,
            dns: Vec::new(),
            domain: None,
            pools: pools.iter().map(|text| text.parse().unwrap()).collect(),
            lease_secs: 3600,
            profile: None,
            unknown: Unknown::Ignore,
            variables: Default::default(),
            secrets: Default::default(),
            dhcp: Dhcp { excluded: excluded.iter().map(|text| text.parse().unwrap()).collect(), ..Dhcp::default() },
        }
    }

    #[test]
    fn the_size_of_the_pools_is_what_a_count_of_all_addresses_finds() {
        for (cidr, pools, excluded) in [
            ("10.0.0.0/24", &["10.0.0.100-10.0.0.199"][..], &[][..]),
            ("10.0.0.0/24", &["10.0.0.0-10.0.0.255"], &[]),
            ("10.0.0.0/24", &["10.0.0.10-10.0.0.19", "10.0.0.30-10.0.0.39=unknown"], &["10.0.0.15-10.0.0.33"]),
            ("10.0.0.0/24", &["10.0.0.0-10.0.0.9"], &["10.0.0.2-10.0.0.6", "10.0.0.4-10.0.0.5", "10.0.0.9-10.0.0.20"]),
            ("10.0.0.0/24", &["10.0.0.10-10.0.0.19"], &["10.0.0.1-10.0.0.200"]),
            ("10.0.0.0/24", &[], &["10.0.0.1-10.0.0.200"]),
            ("255.255.255.0/24", &["255.255.255.0-255.255.255.255"], &["255.255.255.250-255.255.255.255"]),
        ] {
            let network = network(cidr, pools, excluded);
            let spans = network.pools.iter().flat_map(|pool| pool.span.addresses());
            let counted = spans.filter(|ip| network.pooled(*ip) && network.can_hold(*ip)).count();
            assert_eq!(size(&network), counted as u64, "{cidr} {pools:?} {excluded:?}");
        }
    }
}
