//! Who has which address on one network: the memory of the task that owns its pool.

use super::Effect;
use crate::model::*;
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// Offers and leases of one network. Ended ones are remembered, so that a client gets its address again.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    by_mac: HashMap<Mac, Binding>,
    by_ip: HashMap<Ipv4Addr, Mac>,
    /// Addresses that a client found in use.
    declined: HashMap<Ipv4Addr, Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    pub ip: Ipv4Addr,
    pub until: Time,
    /// An acknowledged lease, not only an offer.
    pub leased: bool,
}

impl Pool {
    pub fn of(&self, mac: Mac) -> Option<Binding> {
        self.by_mac.get(&mac).copied()
    }

    /// Who holds this address now.
    pub fn holder(&self, ip: Ipv4Addr, now: Time) -> Option<(Mac, Binding)> {
        let mac = *self.by_ip.get(&ip)?;
        let binding = self.of(mac)?;
        (binding.until > now).then_some((mac, binding))
    }

    pub fn is_declined(&self, ip: Ipv4Addr, now: Time) -> bool {
        self.declined.get(&ip).is_some_and(|until| *until > now)
    }

    /// An address that nobody holds: one that nobody remembers first, else the one that ended longest ago.
    pub fn free(&self, network: &Network, taken: &dyn Fn(Ipv4Addr) -> bool, now: Time) -> Option<Ipv4Addr> {
        let usable = |ip: &Ipv4Addr| network.can_hold(*ip) && !taken(*ip) && !self.is_declined(*ip, now);
        let addresses = || network.pools.iter().flat_map(|pool| pool.addresses());
        let fresh = addresses().find(|ip| !self.by_ip.contains_key(ip) && usable(ip));
        fresh.or_else(|| {
            let ended = addresses().filter(|ip| self.holder(*ip, now).is_none() && usable(ip));
            ended.min_by_key(|ip| self.by_ip.get(ip).and_then(|mac| self.of(*mac)).map(|b| b.until))
        })
    }

    /// Applies what is memory's; everything else is the store's.
    pub fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Hold { mac, ip, until } => self.bind(*mac, Binding { ip: *ip, until: *until, leased: false }),
            Effect::Bind(lease) => self.bind(lease.mac, Binding { ip: lease.ip, until: lease.ends_at, leased: true }),
            Effect::LetGo { mac } if self.of(*mac).is_some_and(|b| !b.leased) => self.forget(*mac),
            Effect::Unbind { mac, at, .. } => {
                if let Some(binding) = self.by_mac.get_mut(mac) {
                    binding.until = *at;
                }
            }
            Effect::Avoid { ip, until } => {
                self.declined.insert(*ip, *until);
            }
            _ => {}
        }
    }

    pub fn forget(&mut self, mac: Mac) {
        if let Some(old) = self.by_mac.remove(&mac)
            && self.by_ip.get(&old.ip) == Some(&mac)
        {
            self.by_ip.remove(&old.ip);
        }
    }

    fn bind(&mut self, mac: Mac, binding: Binding) {
        self.forget(mac);
        if let Some(previous) = self.by_ip.insert(binding.ip, mac) {
            self.by_mac.remove(&previous);
        }
        self.by_mac.insert(mac, binding);
    }

    /// Forgets offers and quarantines that are over: what keeps this memory bounded.
    pub fn sweep(&mut self, now: Time) {
        let over: Vec<Mac> = self.by_mac.iter().filter(|(_, b)| !b.leased && b.until <= now).map(|(m, _)| *m).collect();
        over.into_iter().for_each(|mac| self.forget(mac));
        self.declined.retain(|_, until| *until > now);
    }
}
