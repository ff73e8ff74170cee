//! Who has which address on one wire: the memory of the task that owns its pools.

use super::Effect;
use crate::model::*;
use foldhash::HashMap;
use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;

/// How long it is believed that nobody uses an address that answered no probe.
const PROVEN_SECS: u32 = 600;
/// How long an address that is to be held is not given away before its hold is written.
const HELD_SECS: u32 = 30;
/// How many addresses of each pool are kept that a probe found free.
const STOCK: usize = 64;

/// Offers and leases of one wire. Ended ones are remembered, so that a client gets its address again.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    by_holder: HashMap<Holder, Binding>,
    by_ip: HashMap<Ipv4Addr, Holder>,
    shelves: Vec<Shelf>,
    /// Where a node begins: two on one wire should not give away the same address first.
    seed: u32,
    /// Addresses that the store refused, until the news of their holder came.
    refused: HashMap<Ipv4Addr, Time>,
    /// Addresses that nobody gets, before that is written.
    held: HashMap<Ipv4Addr, Time>,
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
    /// The place of the first address that is given away.
    start: u32,
    /// So many from there on are given away, but for those that were given back.
    fresh: u32,
    returned: BTreeSet<Ipv4Addr>,
    /// Given ones, by the end of their lease.
    given: BTreeSet<(Time, Ipv4Addr)>,
    /// Free ones that answered no probe, and when that was.
    stock: VecDeque<(Ipv4Addr, Time)>,
}

impl Pool {
    pub fn seeded(seed: u32) -> Pool {
        Pool { seed, ..Pool::default() }
    }

    pub fn of(&self, holder: &Holder) -> Option<Binding> {
        self.by_holder.get(holder).copied()
    }

    /// Who holds this address now.
    pub fn holder(&self, ip: Ipv4Addr, now: Time) -> Option<(&Holder, Binding)> {
        let holder = self.by_ip.get(&ip)?;
        let binding = self.of(holder)?;
        (binding.until > now).then_some((holder, binding))
    }

    /// Who holds it or held it last.
    pub fn last_holder(&self, ip: Ipv4Addr) -> Option<&Holder> {
        self.by_ip.get(&ip)
    }

    pub fn is_refused(&self, ip: Ipv4Addr, now: Time) -> bool {
        self.refused.get(&ip).is_some_and(|until| *until > now) || self.is_held(ip, now)
    }

    pub fn is_held(&self, ip: Ipv4Addr, now: Time) -> bool {
        self.held.get(&ip).is_some_and(|until| *until > now)
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

    /// How many addresses are in stock, for each pool.
    pub fn stock(&self) -> impl Iterator<Item = (&Name, usize)> {
        self.shelves.iter().map(|shelf| (&shelf.network, shelf.stock.len()))
    }

    /// Applies what is memory's; everything else is the store's.
    pub fn apply(&mut self, effect: &Effect, now: Time) {
        match effect {
            // Offered again what it had, a client keeps its place in the order of those who come back.
            Effect::Keep { holder, ip, until } => {
                let leased = self.of(holder).is_some_and(|had| had.ip == *ip && had.leased);
                self.bind(holder.clone(), Binding { ip: *ip, until: *until, leased });
            }
            Effect::Bind { lease, .. } | Effect::Know(lease) => self.take(lease),
            Effect::LetGo { holder } if self.of(holder).is_some_and(|b| !b.leased) => self.forget(holder),
            Effect::Unbind { holder, at, .. } => {
                if let Some(binding) = self.of(holder) {
                    self.bind(holder.clone(), Binding { until: *at, ..binding });
                }
            }
            // The records hold it once it is written; nobody may be faster.
            Effect::Avoid(hold) => drop(self.held.insert(hold.ip, now.plus_secs(HELD_SECS).min(hold.until))),
            _ => {}
        }
    }

    /// What a lease says. Its address is its holder's again, if it was refused for want of that news.
    pub fn take(&mut self, lease: &Lease) {
        self.refused.remove(&lease.ip);
        self.bind(lease.holder.clone(), Binding { ip: lease.ip, until: lease.ends_at, leased: true });
    }

    /// The store refused to give this address away.
    pub fn refuse(&mut self, ip: Ipv4Addr, until: Time) {
        self.refused.insert(ip, until);
    }

    /// As if it had never been heard.
    pub fn forget(&mut self, holder: &Holder) {
        let Some(old) = self.by_holder.remove(holder) else { return };
        if self.by_ip.get(&old.ip) == Some(holder) {
            self.by_ip.remove(&old.ip);
        }
        if let Some(shelf) = self.shelf(old.ip) {
            shelf.given.remove(&(old.until, old.ip));
            if shelf.place(old.ip) < shelf.fresh {
                shelf.returned.insert(old.ip);
            }
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
            shelf.returned.remove(&binding.ip);
            shelf.stock.retain(|(kept, _)| *kept != binding.ip);
        }
    }

    fn shelf(&mut self, ip: Ipv4Addr) -> Option<&mut Shelf> {
        self.shelves.iter_mut().find(|shelf| shelf.pool.span.contains(ip))
    }

    /// Takes over the pools of a wire's networks as they are now; what clients hold stays as it is.
    pub fn lay_out<'a>(&mut self, networks: impl IntoIterator<Item = &'a Network>) {
        let seed = self.seed;
        let stock: Vec<_> = self.shelves.iter().flat_map(|shelf| shelf.stock.iter().copied()).collect();
        let shelves =
            networks.into_iter().flat_map(|network| network.pools.iter().map(|pool| Shelf::of(network, *pool, seed)));
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
            let past = shelf.ahead().take_while(|ip| done(*ip)).count();
            shelf.fresh = shelf.fresh.saturating_add(u32::try_from(past).unwrap_or(u32::MAX));
        }
    }

    /// Forgets offers that are over, and begins each pool's search anew: addresses may have become free.
    pub fn sweep(&mut self, now: Time) {
        let over = self.by_holder.iter().filter(|(_, b)| !b.leased && b.until <= now).map(|(h, _)| h.clone());
        let over: Vec<Holder> = over.collect();
        over.iter().for_each(|holder| self.forget(holder));
        self.refused.retain(|_, until| *until > now);
        self.held.retain(|_, until| *until > now);
        self.shelves.iter_mut().for_each(Shelf::begin_anew);
    }
}

impl Shelf {
    fn of(network: &Network, pool: Pooled, seed: u32) -> Shelf {
        let size = u32::try_from(pool.span.size()).unwrap_or(u32::MAX);
        Shelf {
            network: network.name.clone(),
            pool,
            start: seed % size.max(1),
            fresh: 0,
            returned: BTreeSet::new(),
            given: BTreeSet::new(),
            stock: VecDeque::new(),
        }
    }

    fn is_for(&self, machine: bool) -> bool {
        match self.pool.serves {
            Serves::All => true,
            Serves::Machines => machine,
            Serves::Unknown => !machine,
        }
    }

    fn place(&self, ip: Ipv4Addr) -> u32 {
        let place = u32::from(ip).saturating_sub(u32::from(self.pool.span.first));
        place.checked_sub(self.start).unwrap_or_else(|| place.saturating_add(self.size() - self.start))
    }

    fn size(&self) -> u32 {
        u32::try_from(self.pool.span.size()).unwrap_or(u32::MAX)
    }

    /// What nobody was given, as far as is known without a search.
    fn fresh(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.returned.iter().copied().chain(self.ahead())
    }

    fn ahead(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let (first, start, size) = (u32::from(self.pool.span.first), self.start, self.size());
        let place = move |n: u32| if n < size - start { start + n } else { n - (size - start) };
        (self.fresh..size).map(move |n| Ipv4Addr::from(first.saturating_add(place(n))))
    }

    fn begin_anew(&mut self) {
        self.fresh = 0;
        self.returned.clear();
    }

    fn ended(&self, now: Time) -> impl Iterator<Item = (Time, Ipv4Addr)> + '_ {
        self.given.iter().copied().take_while(move |(until, _)| *until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_000_000);

    fn network(pools: &[&str]) -> Network {
        Network {
            name: "lab".parse().unwrap(),
            cidr: "10.0.0.0/16".parse().unwrap(),
            gateway: None,
            dns: vec![],
            domain: None,
            pools: pools.iter().map(|pool| pool.parse().unwrap()).collect(),
            lease_secs: 600,
            profile: None,
            unknown: Unknown::Show,
            variables: Default::default(),
            secrets: Default::default(),
            dhcp: Dhcp::default(),
        }
    }

    fn laid_out(pools: &[&str]) -> Pool {
        let mut pool = Pool::default();
        pool.lay_out([&network(pools)]);
        pool
    }

    fn client(n: u8) -> Holder {
        Mac([0x52, 0x54, 0, 0, 0, n]).into()
    }

    fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn free(pool: &Pool, machine: bool) -> Option<Ipv4Addr> {
        pool.free(&"lab".parse().unwrap(), machine, &|_| true, NOW)
    }

    fn keep(pool: &mut Pool, n: u8, last: u8, secs: u32) {
        pool.apply(&Effect::Keep { holder: client(n), ip: ip(last), until: NOW.plus_secs(secs) }, NOW);
    }

    fn ended(n: u8, last: u8, ago: i64) -> Lease {
        let ends_at = Time(NOW.0 - ago * 1_000_000);
        let network = "lab".parse().unwrap();
        Lease { network, holder: client(n), ip: ip(last), starts_at: ends_at, ends_at, hostname: None }
    }

    #[test]
    fn never_given_comes_before_given_back_before_ended_longest_ago() {
        let mut pool = laid_out(&["10.0.0.1-10.0.0.4"]);
        pool.take(&ended(1, 1, 50));
        pool.take(&ended(2, 2, 500));
        keep(&mut pool, 3, 3, 60);
        pool.move_on(&|_, _| true);
        assert_eq!(free(&pool, true), Some(ip(4)));
        keep(&mut pool, 4, 4, 60);
        pool.move_on(&|_, _| true);
        assert_eq!(free(&pool, true), Some(ip(2)), "of the ended ones the oldest");
        pool.apply(&Effect::LetGo { holder: client(3) }, NOW);
        assert_eq!(free(&pool, true), Some(ip(3)), "an offer that was not taken is as good as new");
        keep(&mut pool, 5, 3, 60);
        pool.take(&ended(6, 2, -60));
        pool.take(&ended(7, 1, -60));
        assert_eq!(free(&pool, true), None);
    }

    #[test]
    fn a_pool_serves_only_whom_it_is_for() {
        let pool = laid_out(&["10.0.0.1-10.0.0.1=unknown", "10.0.0.2-10.0.0.2=machines"]);
        assert_eq!((free(&pool, true), free(&pool, false)), (Some(ip(2)), Some(ip(1))));
        let all = laid_out(&["10.0.0.1-10.0.0.1"]);
        assert_eq!(free(&all, true), free(&all, false));
    }

    #[test]
    fn proven_addresses_come_first_and_only_while_they_are_believed() {
        let mut pool = laid_out(&["10.0.0.1-10.0.0.9"]);
        assert_eq!(pool.unproven(&|_, _| true, NOW)[0].1.len(), 9);
        pool.proven(ip(7), NOW);
        assert_eq!(free(&pool, true), Some(ip(7)));
        assert!(!pool.unproven(&|_, _| true, NOW)[0].1.contains(&ip(7)));
        let later = NOW.plus_secs(PROVEN_SECS);
        assert_eq!(pool.free(&"lab".parse().unwrap(), true, &|_| true, later), Some(ip(1)));
        keep(&mut pool, 1, 7, 60);
        assert_eq!(free(&pool, true), Some(ip(1)), "what was given is in stock no more");
        pool.proven(ip(7), NOW);
        assert_eq!(free(&pool, true), Some(ip(1)), "nor is what somebody holds");
    }

    #[test]
    fn a_reload_keeps_offers_unless_something_written_speaks_against_them() {
        let mut old = laid_out(&["10.0.0.1-10.0.0.9"]);
        keep(&mut old, 1, 1, 60);
        keep(&mut old, 2, 2, 60);
        let mut new = laid_out(&["10.0.0.1-10.0.0.9"]);
        new.take(&ended(9, 2, -60));
        new.keep_offers(&old, NOW);
        assert_eq!(new.of(&client(1)).map(|b| b.ip), Some(ip(1)));
        assert_eq!(new.of(&client(2)), None);
    }

    #[test]
    fn an_offer_that_is_not_taken_does_not_make_the_earlier_lease_forgotten() {
        let mut pool = laid_out(&["10.0.0.1-10.0.0.9"]);
        pool.take(&ended(1, 5, 50));
        keep(&mut pool, 1, 5, 1);
        pool.apply(&Effect::LetGo { holder: client(1) }, NOW);
        pool.sweep(NOW.plus_secs(60));
        assert_eq!(pool.of(&client(1)).map(|b| b.ip), Some(ip(5)));
        assert_eq!(pool.holder(ip(5), NOW.plus_secs(60)), None, "though anybody may have it by now");
    }

    #[test]
    fn what_an_offer_kept_is_free_again_after_the_sweep() {
        let mut pool = laid_out(&["10.0.0.1-10.0.0.1"]);
        keep(&mut pool, 1, 1, 0);
        pool.move_on(&|_, _| true);
        pool.sweep(NOW);
        assert_eq!((pool.of(&client(1)), free(&pool, true)), (None, Some(ip(1))));
    }

    #[test]
    fn a_declined_address_is_nobody_s_before_that_is_written() {
        let mut pool = laid_out(&["10.0.0.1-10.0.0.1"]);
        keep(&mut pool, 1, 1, 60);
        let (network, until) = ("lab".parse().unwrap(), NOW.plus_secs(600));
        let hold = Hold { network, ip: ip(1), until, why: HoldWhy::Declined, holder: None, times: 1 };
        let unbind = Effect::Unbind { network: "lab".parse().unwrap(), holder: client(1), at: NOW };
        [unbind, Effect::Avoid(hold)].iter().for_each(|effect| pool.apply(effect, NOW));
        assert_eq!((free(&pool, true), pool.is_held(ip(1), NOW)), (None, true));
    }

    #[test]
    fn what_was_refused_is_its_holder_s_when_the_news_of_it_comes() {
        let mut pool = laid_out(&["10.0.0.1-10.0.0.1"]);
        pool.refuse(ip(1), NOW.plus_secs(5));
        pool.take(&ended(1, 1, -60));
        assert!(!pool.is_refused(ip(1), NOW), "its holder goes on with it");
    }

    #[test]
    fn a_search_does_not_begin_at_the_first_address_again() {
        let mut pool = laid_out(&["10.0.0.0-10.0.255.255"]);
        for n in 0..50_000u32 {
            let [.., a, b, c] = n.to_be_bytes();
            let holder = Holder::Card(Mac([0x52, 0x54, 0, a, b, c]));
            let ip = Ipv4Addr::from(0x0a00_0000 + n);
            pool.apply(&Effect::Keep { holder, ip, until: NOW.plus_secs(60) }, NOW);
        }
        pool.move_on(&|_, _| true);
        let looked = std::cell::Cell::new(0);
        let found = pool.free(
            &"lab".parse().unwrap(),
            true,
            &|_| {
                looked.set(looked.get() + 1);
                true
            },
            NOW,
        );
        assert_eq!((found, looked.get(), pool.shelves[0].fresh), (Some(Ipv4Addr::from(0x0a00_c350)), 1, 50_000));
        // A renewal, and an address that changes hands, send nobody back to the beginning.
        pool.take(&ended(1, 9, -60));
        pool.move_on(&|_, _| true);
        assert_eq!(pool.shelves[0].fresh, 50_000);
    }

    #[test]
    fn nodes_begin_at_different_addresses_and_reach_them_all() {
        let mut pool = Pool::seeded(7);
        pool.lay_out([&network(&["10.0.0.0-10.0.0.4"])]);
        let mut order = Vec::new();
        while let Some(next) = free(&pool, true) {
            let last = next.octets()[3];
            order.push(last);
            keep(&mut pool, last + 1, last, 60);
            pool.move_on(&|_, _| true);
        }
        assert_eq!(order, [2, 3, 4, 0, 1]);
        pool.apply(&Effect::LetGo { holder: client(1) }, NOW);
        assert_eq!(free(&pool, true), Some(ip(0)));
    }
}
