//! Who has which address on one wire: the memory of the task that owns its pools.

use super::Effect;
use crate::model::*;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::Ipv4Addr;

/// How long it is believed that nobody uses an address that answered no probe.
const PROVEN_SECS: u32 = 600;
/// How many addresses of each pool are kept that a probe found free.
const STOCK: usize = 64;

/// Offers and leases of one wire. Ended ones are remembered, so that a client gets its address again.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    by_holder: HashMap<Holder, Binding>,
    by_ip: HashMap<Ipv4Addr, Holder>,
    shelves: Vec<Shelf>,
    /// Addresses that the store refused, until the news of their holder came.
    refused: HashMap<Ipv4Addr, Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    pub ip: Ipv4Addr,
    pub until: Time,
    /// An acknowledged lease, not only an offer.
    pub leased: bool,
}

/// One pool's addresses, in the order in which they are given away: no search grows with their number.
#[derive(Debug, Clone)]
struct Shelf {
    network: Name,
    pool: Pooled,
    /// Before it, no address was never given.
    fresh: u32,
    /// Given ones, by the end of their lease.
    given: BTreeSet<(Time, Ipv4Addr)>,
    /// Free ones that answered no probe, and when that was.
    stock: VecDeque<(Ipv4Addr, Time)>,
}

impl Pool {
    pub fn of(&self, holder: &Holder) -> Option<Binding> {
        self.by_holder.get(holder).copied()
    }

    /// Who holds this address now.
    pub fn holder(&self, ip: Ipv4Addr, now: Time) -> Option<(&Holder, Binding)> {
        let holder = self.by_ip.get(&ip)?;
        let binding = self.of(holder)?;
        (binding.until > now).then_some((holder, binding))
    }

    pub fn is_refused(&self, ip: Ipv4Addr, now: Time) -> bool {
        self.refused.get(&ip).is_some_and(|until| *until > now)
    }

    /// Whether addresses of this network that serve such clients lie here at all.
    pub fn serves(&self, network: &Name, machine: bool) -> bool {
        self.shelves.iter().any(|shelf| shelf.network == *network && shelf.is_for(machine))
    }

    /// An address that nobody holds: one that a probe found free, else one that was never given, else the
    /// one whose lease ended longest ago.
    pub fn free(
        &self,
        network: &Name,
        machine: bool,
        usable: &dyn Fn(Ipv4Addr) -> bool,
        now: Time,
    ) -> Option<Ipv4Addr> {
        let shelves = || self.shelves.iter().filter(|shelf| shelf.network == *network && shelf.is_for(machine));
        let usable = |ip: &Ipv4Addr| self.holder(*ip, now).is_none() && !self.is_refused(*ip, now) && usable(*ip);
        let proven = |at: &Time| now.secs_since(*at) < PROVEN_SECS;
        let stocked = shelves().flat_map(|s| &s.stock).filter(|(_, at)| proven(at)).map(|(ip, _)| *ip).find(usable);
        let fresh = || shelves().flat_map(Shelf::fresh).find(|ip| !self.by_ip.contains_key(ip) && usable(ip));
        let ended = || shelves().filter_map(|shelf| shelf.ended(now).find(|(_, ip)| usable(ip))).min();
        stocked.or_else(fresh).or_else(|| ended().map(|(_, ip)| ip))
    }

    /// Which addresses are worth a probe, so that every pool keeps a stock of proven ones.
    pub fn unproven(&self, usable: &dyn Fn(&Name, Ipv4Addr) -> bool, now: Time) -> Vec<(Name, Vec<Ipv4Addr>)> {
        let mut wanted = Vec::new();
        for shelf in &self.shelves {
            let good: Vec<_> = shelf.stock.iter().filter(|(_, at)| now.secs_since(*at) < PROVEN_SECS / 2).collect();
            let free = |ip: &Ipv4Addr| {
                self.holder(*ip, now).is_none()
                    && usable(&shelf.network, *ip)
                    && good.iter().all(|(kept, _)| kept != ip)
            };
            let never = shelf.fresh().filter(|ip| !self.by_ip.contains_key(ip));
            let ended = shelf.ended(now).map(|(_, ip)| ip);
            // A pool that is nearly all used up is not searched to its end.
            let found = never.take(4 * STOCK).chain(ended.take(4 * STOCK)).filter(free);
            let found: Vec<_> = found.take(STOCK.saturating_sub(good.len())).collect();
            if !found.is_empty() {
                wanted.push((shelf.network.clone(), found));
            }
        }
        wanted
    }

    /// A probe found that nobody uses it.
    pub fn proven(&mut self, ip: Ipv4Addr, now: Time) {
        let free = self.holder(ip, now).is_none();
        if let Some(shelf) = self.shelves.iter_mut().find(|shelf| shelf.pool.span.contains(ip)).filter(|_| free) {
            shelf.stock.retain(|(kept, at)| *kept != ip && now.secs_since(*at) < PROVEN_SECS);
            shelf.stock.push_back((ip, now));
            if shelf.stock.len() > STOCK {
                shelf.stock.pop_front();
            }
        }
    }

    /// Applies what is memory's; everything else is the store's.
    pub fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Keep { holder, ip, until } => {
                self.bind(holder.clone(), Binding { ip: *ip, until: *until, leased: false });
            }
            Effect::Bind { lease, .. } | Effect::Know(lease) => self.take(lease),
            Effect::LetGo { holder } if self.of(holder).is_some_and(|b| !b.leased) => self.forget(holder),
            Effect::Unbind { holder, at, .. } => {
                if let Some(binding) = self.of(holder) {
                    self.bind(holder.clone(), Binding { until: *at, ..binding });
                }
            }
            _ => {}
        }
    }

    /// What a lease says.
    pub fn take(&mut self, lease: &Lease) {
        self.bind(lease.holder.clone(), Binding { ip: lease.ip, until: lease.ends_at, leased: true });
    }

    /// The store refused to give this address away.
    pub fn refuse(&mut self, ip: Ipv4Addr, until: Time) {
        self.refused.insert(ip, until);
    }

    pub fn forget(&mut self, holder: &Holder) {
        let Some(old) = self.by_holder.remove(holder) else { return };
        if self.by_ip.get(&old.ip) == Some(holder) {
            self.by_ip.remove(&old.ip);
        }
        if let Some(shelf) = self.shelf(old.ip) {
            shelf.given.remove(&(old.until, old.ip));
            shelf.fresh = shelf.fresh.min(shelf.place(old.ip));
        }
    }

    fn bind(&mut self, holder: Holder, binding: Binding) {
        self.forget(&holder);
        let previous = self.by_ip.get(&binding.ip).cloned();
        previous.iter().for_each(|previous| self.forget(previous));
        self.by_ip.insert(binding.ip, holder.clone());
        self.by_holder.insert(holder, binding);
        if let Some(shelf) = self.shelf(binding.ip) {
            shelf.given.insert((binding.until, binding.ip));
            shelf.stock.retain(|(kept, _)| *kept != binding.ip);
        }
    }

    fn shelf(&mut self, ip: Ipv4Addr) -> Option<&mut Shelf> {
        self.shelves.iter_mut().find(|shelf| shelf.pool.span.contains(ip))
    }

    /// Takes over the pools of a wire's networks as they are now; what clients hold stays as it is.
    pub fn lay_out<'a>(&mut self, networks: impl IntoIterator<Item = &'a Network>) {
        let stock: Vec<_> = self.shelves.iter().flat_map(|shelf| shelf.stock.iter().copied()).collect();
        let shelves =
            networks.into_iter().flat_map(|network| network.pools.iter().map(|pool| Shelf::of(network, *pool)));
        self.shelves = shelves.collect();
        let given: Vec<_> = self.by_holder.values().map(|binding| (binding.until, binding.ip)).collect();
        for (until, ip) in given {
            self.shelf(ip).map(|shelf| shelf.given.insert((until, ip)));
        }
        for (ip, at) in stock {
            self.shelf(ip).into_iter().for_each(|shelf| shelf.stock.push_back((ip, at)));
        }
    }

    /// Takes over the offers of an older memory, where nothing that is written speaks against them.
    pub fn keep_offers(&mut self, older: &Pool, now: Time) {
        let offers = older.by_holder.iter().filter(|(_, b)| !b.leased && b.until > now);
        for (holder, binding) in offers {
            let stands = self.of(holder).is_none_or(|known| known.until <= now || known.ip == binding.ip);
            if stands && self.holder(binding.ip, now).is_none() {
                self.bind(holder.clone(), *binding);
            }
        }
        older.shelves.iter().flat_map(|shelf| &shelf.stock).for_each(|(ip, at)| self.proven(*ip, *at));
    }

    /// Moves past what can not be given for the first time, so that nobody searches there again.
    pub fn move_on(&mut self, usable: &dyn Fn(&Name, Ipv4Addr) -> bool) {
        for shelf in &mut self.shelves {
            let done = |ip: Ipv4Addr| self.by_ip.contains_key(&ip) || !usable(&shelf.network, ip);
            let past = shelf.fresh().take_while(|ip| done(*ip)).count();
            shelf.fresh = shelf.fresh.saturating_add(u32::try_from(past).unwrap_or(u32::MAX));
        }
    }

    /// Forgets offers that are over, and begins each pool's search anew: addresses may have become free.
    pub fn sweep(&mut self, now: Time) {
        let over = self.by_holder.iter().filter(|(_, b)| !b.leased && b.until <= now).map(|(h, _)| h.clone());
        let over: Vec<Holder> = over.collect();
        over.iter().for_each(|holder| self.forget(holder));
        self.refused.retain(|_, until| *until > now);
        self.shelves.iter_mut().for_each(|shelf| shelf.fresh = 0);
    }
}

impl Shelf {
    fn of(network: &Network, pool: Pooled) -> Shelf {
        Shelf { network: network.name.clone(), pool, fresh: 0, given: BTreeSet::new(), stock: VecDeque::new() }
    }

    fn is_for(&self, machine: bool) -> bool {
        match self.pool.serves {
            Serves::All => true,
            Serves::Machines => machine,
            Serves::Unknown => !machine,
        }
    }

    fn place(&self, ip: Ipv4Addr) -> u32 {
        u32::from(ip).saturating_sub(u32::from(self.pool.span.first))
    }

    fn fresh(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let first = u32::from(self.pool.span.first).saturating_add(self.fresh);
        (first..=u32::from(self.pool.span.last)).map(Ipv4Addr::from)
    }

    fn ended(&self, now: Time) -> impl Iterator<Item = (Time, Ipv4Addr)> + '_ {
        self.given.iter().copied().take_while(move |(until, _)| *until <= now)
    }
}
