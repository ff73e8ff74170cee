//! Which networks the addresses of the data take, where the server has none that holds them.

use super::wires::Card;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// A network by its address and the length of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    pub first: Ipv4Addr,
    pub prefix: u8,
}

impl Cidr {
    pub fn of(ip: Ipv4Addr, prefix: u8) -> Cidr {
        let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(prefix))).unwrap_or(0);
        Cidr { first: Ipv4Addr::from(u32::from(ip) & mask), prefix }
    }

    pub fn holds(self, ip: Ipv4Addr) -> bool {
        Cidr::of(ip, self.prefix).first == self.first
    }

    fn meets(self, other: Cidr) -> bool {
        self.holds(other.first) || other.holds(self.first)
    }

    /// An address that a host can have.
    pub fn can_hold(self, ip: Ipv4Addr) -> bool {
        let last = Ipv4Addr::from(
            u32::from(self.first) | !u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(self.prefix))).unwrap_or(0),
        );
        self.holds(ip) && ip != self.first && ip != last
    }
}

#[derive(Debug, Default)]
pub struct Places {
    there: Vec<Cidr>,
    new: BTreeMap<Cidr, Of>,
}

#[derive(Debug, Default)]
struct Of {
    gateways: BTreeMap<Ipv4Addr, usize>,
    dns: Vec<Ipv4Addr>,
    machines: usize,
}

impl Places {
    pub fn of(there: &[(Ipv4Addr, u8)]) -> Places {
        let there = there.iter().map(|(first, prefix)| Cidr { first: *first, prefix: *prefix }).collect();
        Places { there, new: BTreeMap::new() }
    }

    /// Whether the card can keep its address, and what is to be said of that.
    pub fn take(&mut self, card: &Card, dns: &[Ipv4Addr]) -> Result<Option<String>, String> {
        let Some(ip) = card.ip else { return Ok(None) };
        if let Some(there) = self.there.iter().find(|there| there.holds(ip)) {
            return match there.can_hold(ip) {
                true => Ok(None),
                false => Err(format!("{ip} is no host's address in {}/{}: it has none now", there.first, there.prefix)),
            };
        }
        let known = self.new.keys().find(|known| known.holds(ip)).copied();
        let remark = (card.prefix.is_none() && known.is_none()).then(|| format!("{ip} has no netmask: /24 is taken"));
        let own = Cidr::of(ip, card.prefix.unwrap_or(24));
        let cidr = match known {
            Some(known) if known.prefix <= own.prefix => known,
            _ => own,
        };
        if cidr.prefix > 30 || cidr.prefix < 8 || !cidr.can_hold(ip) {
            return Err(format!("{ip}/{} is no host's address of a network: it has none now", cidr.prefix));
        }
        if let Some(there) = self.there.iter().find(|there| there.meets(cidr)) {
            return Err(format!(
                "{}/{} overlaps the server's {}/{}: {ip} is left out",
                cidr.first, cidr.prefix, there.first, there.prefix
            ));
        }
        // The wider takes in the narrower: one wire has one netmask.
        let within: Vec<Cidr> = self.new.keys().filter(|other| other.meets(cidr) && **other != cidr).copied().collect();
        let mut of = self.new.remove(&cidr).unwrap_or_default();
        for other in within {
            let old = self.new.remove(&other).unwrap_or_default();
            of.machines = of.machines.saturating_add(old.machines);
            old.gateways.into_iter().for_each(|(ip, count)| {
                let kept = of.gateways.entry(ip).or_default();
                *kept = kept.saturating_add(count)
            });
            of.dns = if of.dns.is_empty() { old.dns } else { of.dns };
        }
        of.machines = of.machines.saturating_add(1);
        if let Some(gateway) = card.gateway.filter(|gateway| cidr.can_hold(*gateway)) {
            let count = of.gateways.entry(gateway).or_default();
            *count = count.saturating_add(1);
        }
        if of.dns.is_empty() {
            of.dns = dns.to_vec();
        }
        self.new.insert(cidr, of);
        Ok(remark)
    }

    /// Their records, with DHCP switched off, and what each is for.
    pub fn records(&self, taken: &BTreeSet<String>) -> Vec<(Value, String)> {
        let record = |(cidr, of): (&Cidr, &Of)| {
            let mut name = format!("cobbler-{}-{}", cidr.first, cidr.prefix).replace('.', "-");
            while taken.contains(&name) {
                name.push_str("-new");
            }
            let gateway = of.gateways.iter().max_by_key(|(_, count)| **count).map(|(ip, _)| *ip);
            let told = format!(
                "{}/{} of {} addresses, DHCP off: `kickstand network set {name} --dhcp full` serves it",
                cidr.first, cidr.prefix, of.machines
            );
            let record = json!({
                "name": name, "cidr": format!("{}/{}", cidr.first, cidr.prefix), "gateway": gateway, "dns": of.dns,
                "dhcp": {"placement": "off"},
            });
            (record, told)
        };
        self.new.iter().map(record).collect()
    }
}
