//! What records must be to each other: read and compared inside the transaction that writes them.

use super::check_dhcp::{housed, options, reserved_card, service};
use super::sql::{Conn, Statement, sql};
use super::{Error, networks, profiles, ranges, reservations};
use crate::model::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;

/// Refuses to remove what others speak of. The statement asks who does.
pub async fn unused(db: &mut Conn, noun: &'static str, name: &Name, users: Statement) -> Result<(), Error> {
    match users.text(name).row(db).await? {
        Some(row) => Err(Error::InUse { noun, name: name.to_string(), by: row.text("holder")? }),
        None => Ok(()),
    }
}

pub async fn exists(db: &mut Conn, noun: &'static str, name: Option<&Name>, question: Statement) -> Result<(), Error> {
    let Some(name) = name else { return Ok(()) };
    question.text(name).row(db).await?.map(drop).ok_or_else(|| Error::missing(noun, name))
}

async fn profile_exists(db: &mut Conn, name: Option<&Name>) -> Result<(), Error> {
    exists(db, "profile", name, sql("SELECT name FROM profiles WHERE name = $1")).await
}

/// Networks by themselves and beside the others.
pub async fn networks(db: &mut Conn, list: &[&Network]) -> Result<(), Error> {
    let others = networks::all(db).await?;
    for network in list {
        layout(network)?;
        service(network)?;
        options(&network.dhcp.options, &format!("network {}", network.name))?;
        if let Some(other) = others.iter().find(|o| o.name != network.name && meet(o, network)) {
            return Err(Error::contradiction(format!(
                "network {} ({}) overlaps network {} ({}): give each its own addresses",
                network.name, network.cidr, other.name, other.cidr
            )));
        }
        profile_exists(db, network.profile.as_ref()).await?;
    }
    Ok(())
}

fn meet(a: &Network, b: &Network) -> bool {
    a.cidr.contains(b.cidr.network()) || b.cidr.contains(a.cidr.network())
}

/// Clients that renew every half of it would do nothing else below this.
const SHORTEST_LEASE_SECS: u32 = 60;

fn layout(network: &Network) -> Result<(), Error> {
    let Network { name, cidr, .. } = network;
    if cidr.prefix() > 30 {
        let text = format!("{cidr} holds no hosts: write network {name} with its prefix, such as 10.0.0.0/24");
        return Err(Error::contradiction(text));
    }
    if cidr.network().is_multicast() {
        return Err(Error::contradiction(format!(
            "{cidr} of network {name} is multicast: no host has such an address"
        )));
    }
    lease_secs(network.lease_secs, &format!("leases on network {name}"))?;
    if let Some(gateway) = network.gateway.filter(|ip| !network.can_hold(*ip)) {
        let text = format!("gateway {gateway} of network {name} is no host's address in {cidr}: name one that is");
        return Err(Error::contradiction(text));
    }
    for (index, pool) in network.pools.iter().enumerate() {
        if !network.can_hold(pool.span.first) || !network.can_hold(pool.span.last) {
            let text = format!("pool {pool} of network {name} reaches outside the hosts of {cidr}: make it smaller");
            return Err(Error::contradiction(text));
        }
        if let Some(other) = network.pools[..index].iter().find(|other| other.span.meets(pool.span)) {
            let text = format!("pools {other} and {pool} of network {name} overlap: write them as one");
            return Err(Error::contradiction(text));
        }
    }
    Ok(())
}

pub fn lease_secs(secs: u32, what: &str) -> Result<(), Error> {
    // The largest number means for ever (RFC 2131 §3.3): an address that never comes back.
    if (SHORTEST_LEASE_SECS..u32::MAX).contains(&secs) {
        return Ok(());
    }
    let text = format!("{what} of {secs} s: give them {SHORTEST_LEASE_SECS} s or more, and an end");
    Err(Error::contradiction(text))
}

/// After networks changed: whether all that lives on them still fits.
pub async fn residents(db: &mut Conn, networks: &[&Network]) -> Result<(), Error> {
    let named = |name: &Name| networks.iter().find(|network| network.name == *name);
    for range in ranges::all(db).await? {
        named(&range.network).map_or(Ok(()), |network| inside(&range, network))?;
    }
    for kept in reservations::all(db).await? {
        named(&kept.network).map_or(Ok(()), |network| housed(&kept, network)).map_err(|error| {
            let ip = kept.ip;
            Error::contradiction(format!("reservation {ip} would lose its place: {error}; move or remove it first"))
        })?;
    }
    let around = Around::read(db).await?;
    for (machine, ip) in reserved(db).await? {
        around.address(ip).map_err(|error| {
            Error::contradiction(format!("machine {machine} would lose its place: {error}; move or remove it first"))
        })?;
    }
    Ok(())
}

async fn reserved(db: &mut Conn) -> Result<Vec<(String, Ipv4Addr)>, Error> {
    let select = "SELECT machines.name, interfaces.ip FROM interfaces JOIN machines ON machines.id = interfaces.machine
        WHERE interfaces.ip IS NOT NULL ORDER BY machines.name";
    sql(select).rows(db).await?.iter().map(|row| Ok((row.text("name")?, row.get("ip")?))).collect()
}

/// Whether a network can be removed.
pub async fn nothing_lives_on(db: &mut Conn, name: &Name) -> Result<(), Error> {
    let users = sql("SELECT 'range ' || name AS holder FROM ranges WHERE network = $1
        UNION ALL SELECT 'class ' || name FROM classes WHERE network = $1
        UNION ALL SELECT 'reservation ' || ip FROM reservations WHERE network = $1 LIMIT 1");
    unused(db, "network", name, users).await?;
    let networks = networks::all(db).await?;
    let Some(network) = networks.iter().find(|n| n.name == *name) else { return Ok(()) };
    let resident = reserved(db).await?.into_iter().find(|(_, ip)| network.cidr.contains(*ip));
    let Some((machine, ip)) = resident else { return Ok(()) };
    Err(Error::InUse { noun: "network", name: name.to_string(), by: format!("machine {machine} ({ip})") })
}

pub async fn ranges(db: &mut Conn, list: &[&Range]) -> Result<(), Error> {
    let (networks, others) = (networks::all(db).await?, ranges::all(db).await?);
    for range in list {
        options(&range.options, &format!("range {}", range.name))?;
        let network = networks.iter().find(|n| n.name == range.network);
        inside(range, network.ok_or_else(|| Error::missing("network", &range.network))?)?;
        let mut others = others.iter().filter(|other| other.name != range.name && other.network == range.network);
        if let Some(other) = others.find(|other| other.span.contradicts(range.span)) {
            return Err(Error::contradiction(format!(
                "range {} ({}) overlaps range {} ({}) and neither holds the other, so nobody could say which one \
                 speaks: nest them, or set them apart",
                range.name, range.span, other.name, other.span
            )));
        }
        profile_exists(db, Some(&range.profile)).await?;
    }
    Ok(())
}

fn inside(range: &Range, network: &Network) -> Result<(), Error> {
    if network.cidr.contains(range.span.first) && network.cidr.contains(range.span.last) {
        return Ok(());
    }
    Err(Error::contradiction(format!(
        "range {} ({}) reaches outside network {} ({}): make it smaller, or name another network",
        range.name, range.span, network.name, network.cidr
    )))
}

/// What profiles speak of is there, and their parents end somewhere.
pub async fn profiles(db: &mut Conn, list: &[&Profile]) -> Result<(), Error> {
    let all = profiles::all(db).await?;
    let both = all.iter().chain(list.iter().copied());
    let parents: BTreeMap<&Name, Option<&Name>> = both.map(|p| (&p.name, p.parent.as_ref())).collect();
    for profile in list {
        options(&profile.options, &format!("profile {}", profile.name))?;
        exists(db, "distro", profile.distro.as_ref(), sql("SELECT name FROM distros WHERE name = $1")).await?;
        for key in &profile.keys {
            exists(db, "key", Some(key), sql("SELECT name FROM activation_keys WHERE name = $1")).await?;
        }
        chain_ends(&profile.name, &parents)?;
    }
    Ok(())
}

/// Their profiles are there, and of those that speak for who names none there is one, without an end to its uses.
pub async fn keys(db: &mut Conn, list: &[&ActivationKey]) -> Result<(), Error> {
    for key in list {
        profile_exists(db, key.profile.as_ref()).await?;
        if !key.is_default {
            continue;
        }
        if key.usage_limit.is_some() {
            let text = format!(
                "key {0} can not be the default one with a limit: whoever is installed last would stay outside; `kickstand key set {0} --limit \"\"`",
                key.name
            );
            return Err(Error::contradiction(text));
        }
        let other = sql("SELECT name FROM activation_keys WHERE is_default = 1 AND name <> $1").text(&key.name);
        if let Some(row) = other.row(db).await? {
            let other = row.text("name")?;
            let text =
                format!("key {other} is the default one already: `kickstand key set {other} --default false` first");
            return Err(Error::contradiction(text));
        }
    }
    Ok(())
}

fn chain_ends(profile: &Name, parents: &BTreeMap<&Name, Option<&Name>>) -> Result<(), Error> {
    let mut chain = vec![profile];
    while let Some(parent) = parents.get(chain[chain.len() - 1]).ok_or_else(|| missing_parent(&chain))? {
        if chain.contains(parent) {
            chain.push(parent);
            let chain: Vec<&str> = chain.iter().map(|name| name.as_str()).collect();
            let text = format!("profiles inherit in a circle ({}): give one of them another parent", chain.join(" → "));
            return Err(Error::contradiction(text));
        }
        chain.push(parent);
    }
    Ok(())
}

fn missing_parent(chain: &[&Name]) -> Error {
    Error::missing("profile", chain[chain.len() - 1])
}

/// Whether the name that a machine is to have is its own already, or nobody's.
pub async fn name_is_free(db: &mut Conn, machine: &Machine) -> Result<(), Error> {
    let select = "SELECT name FROM machines WHERE name = $1 AND id <> $2";
    match sql(select).text(&machine.name).text(machine.id).row(db).await? {
        Some(_) => Err(Error::duplicate("name", &machine.name, format!("machine {}", machine.name))),
        None => Ok(()),
    }
}

/// What machines are checked against: read once, however many there are.
pub struct Around {
    networks: Vec<Network>,
    profiles: HashSet<Name>,
    keys: HashSet<Name>,
    reservations: HashMap<Ipv4Addr, Reservation>,
    reserved_cards: HashMap<Mac, Ipv4Addr>,
}

impl Around {
    pub async fn read(db: &mut Conn) -> Result<Self, Error> {
        let profiles = sql("SELECT name FROM profiles").rows(db).await?;
        let keys = sql("SELECT name FROM activation_keys").rows(db).await?;
        let reservations = reservations::all(db).await?;
        let card = |kept: &Reservation| match kept.by {
            Mark::Mac(mac) => Some((mac, kept.ip)),
            _ => None,
        };
        Ok(Around {
            networks: networks::all(db).await?,
            profiles: profiles.iter().map(|row| row.get("name")).collect::<Result<_, _>>()?,
            keys: keys.iter().map(|row| row.get("name")).collect::<Result<_, _>>()?,
            reserved_cards: reservations.iter().filter_map(card).collect(),
            reservations: reservations.into_iter().map(|kept| (kept.ip, kept)).collect(),
        })
    }

    pub fn check(&self, machine: &Machine) -> Result<(), Error> {
        if let Some(profile) = machine.profile.as_ref().filter(|name| !self.profiles.contains(name)) {
            return Err(Error::missing("profile", profile));
        }
        if let Some(key) = machine.keys.iter().find(|name| !self.keys.contains(*name)) {
            return Err(Error::missing("key", key));
        }
        options(&machine.options, &format!("machine {}", machine.name))?;
        let kept = |interface: &Interface| self.reservations.get(self.reserved_cards.get(&interface.mac)?);
        if let Some(kept) = machine.interfaces.iter().find_map(kept) {
            return Err(reserved_card(kept));
        }
        machine.interfaces.iter().filter_map(|interface| interface.ip).try_for_each(|ip| self.address(ip))
    }

    /// Whether a machine can have this address.
    fn address(&self, ip: Ipv4Addr) -> Result<(), Error> {
        if let Some(kept) = self.reservations.get(&ip) {
            return Err(Error::duplicate("address", ip, format!("the reservation for {}", kept.by)));
        }
        let Some(network) = self.networks.iter().find(|network| network.cidr.contains(ip)) else {
            let all: Vec<String> = self.networks.iter().map(|n| format!("{} {}", n.name, n.cidr)).collect();
            let all = if all.is_empty() { "there are none yet".into() } else { all.join(", ") };
            let text = format!("address {ip} lies in no network ({all}): choose another, or add its network");
            return Err(Error::contradiction(text));
        };
        let taken = if network.gateway == Some(ip) {
            "the gateway"
        } else if !network.can_hold(ip) {
            "the network's own or its broadcast address"
        } else {
            return Ok(());
        };
        Err(Error::contradiction(format!(
            "address {ip} is {taken} of network {} ({}): choose another",
            network.name, network.cidr
        )))
    }
}
