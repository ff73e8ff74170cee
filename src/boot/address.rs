//! Which address a client has: reserved, bound, remembered, wished for, or any that is free (RFC 2131 §4.3.1).

use super::offer::{Case, Found};
use super::pool::Binding;
use super::role::Standing;
use crate::model::*;
use std::borrow::Cow;
use std::net::Ipv4Addr;

impl Case<'_> {
    pub(super) fn address(&self, wants: Option<Ipv4Addr>) -> Result<Found, String> {
        let found = |ip, how| Ok(self.found(ip, false, Cow::Borrowed(how)));
        if let Some((ip, by)) = self.reservation() {
            return self.reserved(ip, &by);
        }
        let bound = self.facts.pool.of(&self.ask.holder);
        if let Some(Binding { ip, .. }) = bound.filter(|bound| self.keeps(*bound)) {
            return found(ip, "which it already has");
        }
        if let Some(ip) = wants.filter(|ip| self.is_open(*ip) && self.is_for_such(*ip)) {
            return found(ip, "which it asked for and which is free");
        }
        match self.free() {
            Some(ip) => found(ip, "free in the pool"),
            None => Err(self.none_is_free()),
        }
    }

    fn found(&self, ip: Ipv4Addr, reserved: bool, how: Cow<'static, str>) -> Found {
        let of = match self.facts.standing {
            Standing::Machine(machine) if reserved => Some((Noun::Machine, machine.name.to_string())),
            Standing::Reserved(kept) if reserved => Some((Noun::Reservation, kept.ip.to_string())),
            _ => None,
        };
        Found { place: self.place_of(ip), ip, reserved, how, of }
    }

    /// An address that is kept for it, and for whom that is.
    pub(super) fn reservation(&self) -> Option<(Ipv4Addr, String)> {
        let on_the_wire = |ip: &Ipv4Addr| self.facts.networks.iter().any(|network| network.can_hold(*ip));
        match self.facts.standing {
            Standing::Machine(machine) => {
                let card = self.ask.holder.mac()?;
                let ip = machine.interface(card)?.ip.filter(on_the_wire)?;
                Some((ip, card.to_string()))
            }
            Standing::Reserved(kept) => Some((kept.ip, kept.by.to_string())).filter(|(ip, _)| on_the_wire(ip)),
            _ => None,
        }
    }

    fn reserved(&self, ip: Ipv4Addr, by: &str) -> Result<Found, String> {
        if self.is_ours(ip) {
            return Err(format!("{ip} is reserved for {by}, but it is this server's own: give it another"));
        }
        if let Some((other, binding)) = self.facts.pool.holder(ip, self.now)
            && *other != self.ask.holder
            && binding.leased
        {
            let until = binding.until;
            return Err(format!(
                "{ip} is reserved for {by}, but {other} still has a lease of it until {until}: wait, or `kickstand lease release {ip}`"
            ));
        }
        if let Some(hold) = self.held(ip) {
            let (why, until) = (hold.why, hold.until);
            return Err(format!(
                "{ip} is reserved for {by}, but held until {until} ({why}): wait, or `kickstand lease release {ip}`"
            ));
        }
        if self.facts.pool.is_held(ip, self.now) {
            return Err(format!("{ip} is reserved for {by}, which found it in use by another host a moment ago"));
        }
        Ok(self.found(ip, true, format!("reserved for {by}").into()))
    }

    /// Whether a client may go on with what it has. A lease that runs stays, whoever its pool is for by now.
    fn keeps(&self, bound: Binding) -> bool {
        self.is_open(bound.ip) && (bound.until > self.now || self.is_for_such(bound.ip))
    }

    /// Pooled, on the wire, and nobody else's.
    fn is_open(&self, ip: Ipv4Addr) -> bool {
        let pool = self.facts.pool;
        let held = pool.holder(ip, self.now).is_some_and(|(other, _)| *other != self.ask.holder);
        !held
            && !pool.is_refused(ip, self.now)
            && self.network_of(ip).is_some_and(|network| self.is_usable(network, ip))
    }

    fn network_of(&self, ip: Ipv4Addr) -> Option<&Network> {
        self.facts.networks.iter().copied().find(|network| network.cidr.contains(ip))
    }

    /// Whether its pool serves clients of this standing.
    fn is_for_such(&self, ip: Ipv4Addr) -> bool {
        let Some(network) = self.network_of(ip) else { return false };
        let mut pools = network.pools.iter().filter(|pool| pool.span.contains(ip));
        pools.any(|pool| match pool.serves {
            Serves::All => true,
            Serves::Machines => self.is_machine(),
            Serves::Unknown => !self.is_machine(),
        })
    }

    fn is_usable(&self, network: &Network, ip: Ipv4Addr) -> bool {
        network.pooled(ip) && network.can_hold(ip) && !self.is_anothers(network, ip) && self.held(ip).is_none()
    }

    fn is_anothers(&self, network: &Network, ip: Ipv4Addr) -> bool {
        let records = self.facts.records;
        self.is_ours(ip)
            || Some(ip) == network.gateway
            || records.reserved(ip).is_some_and(|owner| Some(owner) != self.ask.holder.mac())
            || records.reservation_at(ip).is_some()
    }

    fn is_ours(&self, ip: Ipv4Addr) -> bool {
        ip == self.facts.here.ip || self.facts.ours.contains(&ip)
    }

    /// Why nobody (else) may be given this address now.
    fn held(&self, ip: Ipv4Addr) -> Option<&Hold> {
        let hold = self.facts.records.hold(ip).filter(|hold| hold.until > self.now)?;
        (hold.holder.as_ref() != Some(&self.ask.holder)).then_some(hold)
    }

    fn free(&self) -> Option<Ipv4Addr> {
        let (pool, machine) = (self.facts.pool, self.is_machine());
        let given = |network: &&&Network| !matches!(network.dhcp.placement, Placement::Off | Placement::Proxy);
        let free = |network: &Network| pool.free(&network.name, machine, &|ip| self.is_usable(network, ip), self.now);
        self.facts.networks.iter().filter(given).find_map(|network| free(network))
    }

    fn none_is_free(&self) -> String {
        let (holder, network) = (&self.ask.holder, &self.network.name);
        let served = self.facts.networks.iter().any(|n| self.facts.pool.serves(&n.name, self.is_machine()));
        let whom = if self.is_machine() { "machines" } else { "unknown MACs" };
        match served {
            true => format!(
                "no free address for {whom} in the pools of network {network}: widen them with `kickstand network set {network} --pool FIRST-LAST …` (all its pools)"
            ),
            false => format!(
                "{holder} has no reserved address and network {network} has no pool for {whom}: give it an address, or `kickstand network set {network} --pool FIRST-LAST`"
            ),
        }
    }
}
