//! A system that announces itself, as clients of Cobbler do: is a record made of it, and what does that say?

use super::{Records, lifecycle};
use crate::model::*;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// So many that nobody has taken in: a flood of announcements makes no more records.
const MOST_NEW: u64 = 1000;
const MOST_CARDS: usize = 64;

/// What a system says of itself.
#[derive(Debug, Clone, Default)]
pub struct Announced {
    pub name: String,
    pub profile: String,
    pub hostname: String,
    pub cards: Vec<Card>,
}

#[derive(Debug, Clone, Default)]
pub struct Card {
    pub name: String,
    pub mac: String,
    pub ip: String,
    pub is_bridge: bool,
}

/// What must be known to make a record of it.
pub struct AnnounceFacts<'a> {
    /// Whether the settings let systems announce themselves.
    pub is_open: bool,
    pub from: Ipv4Addr,
    /// Whether a network of ours holds the address that it speaks from.
    pub is_on_net: bool,
    /// What is leased of that address.
    pub lease: Option<&'a Lease>,
    pub records: &'a dyn Records,
    /// Whether a name is a machine's already.
    pub is_taken: &'a dyn Fn(&Name) -> bool,
    /// Whether a card is, or was, a machine's.
    pub is_known: &'a dyn Fn(Mac) -> bool,
    /// For the record.
    pub ids: [Uuid; 2],
}

/// Why no record is made: said in the words that such clients look for.
#[derive(Debug, Clone, PartialEq)]
pub enum No {
    Closed,
    Nameless,
    NoProfile,
    NoCards,
    ManyCards,
    NameTaken,
    HostnameTaken,
    WithPrefix,
    NoMac { card: String },
    MacTaken(Mac),
    IpTaken(Ipv4Addr),
    Other(String),
}

impl Announced {
    /// A record that boots nothing until an operator takes it in.
    pub fn record(&self, facts: &AnnounceFacts<'_>, now: Time) -> Result<Machine, No> {
        self.is_complete(facts)?;
        let name: Name = self.name.to_ascii_lowercase().parse().map_err(other)?;
        if name.is_reserved() || (facts.is_taken)(&name) {
            return Err(No::NameTaken);
        }
        let hostname = self.hostname.to_ascii_lowercase().parse().ok();
        if hostname.is_some_and(|hostname| (facts.is_taken)(&hostname)) {
            return Err(No::HostnameTaken);
        }
        let mut interfaces = Vec::new();
        for card in &self.cards {
            interfaces.extend(card.interface(facts, now)?.filter(|_| !card.is_bridge));
        }
        let first = interfaces.first().ok_or(No::NoCards)?;
        let profile: Name = self.profile.parse().map_err(other)?;
        if !facts.records.profiles().contains_key(&profile) {
            return Err(No::Other(format!("there is no profile {profile}")));
        }
        if facts.records.newcomers() >= MOST_NEW {
            return Err(No::Other(format!("{MOST_NEW} new systems wait for an operator already")));
        }
        let blank = lifecycle::newcomer(first.mac, State::Discovered, facts.ids, now);
        Ok(Machine { name, profile: Some(profile), interfaces, ..blank })
    }

    fn is_complete(&self, facts: &AnnounceFacts<'_>) -> Result<(), No> {
        let lacks = [
            (!facts.is_open, No::Closed),
            (self.name.is_empty(), No::Nameless),
            (self.profile.is_empty(), No::NoProfile),
            (self.cards.is_empty(), No::NoCards),
            (self.cards.len() >= MOST_CARDS, No::ManyCards),
        ];
        lacks.into_iter().find(|(lacks, _)| *lacks).map_or(Ok(()), |(_, no)| Err(no))
    }
}

impl Card {
    /// None: a card that has no address of its own, such as the loopback.
    fn interface(&self, facts: &AnnounceFacts<'_>, now: Time) -> Result<Option<Interface>, No> {
        if self.ip.contains('/') {
            return Err(No::WithPrefix);
        }
        let mac: Mac = match self.mac.as_str() {
            "" => return Err(No::NoMac { card: self.name.chars().filter(|c| !c.is_control()).take(32).collect() }),
            "?" => return Ok(None),
            mac => mac.parse().map_err(other)?,
        };
        if (facts.is_known)(mac) {
            return Err(No::MacTaken(mac));
        }
        let ip = self.ip()?;
        if let Some(taken) = ip.filter(|ip| facts.records.reserved(*ip).is_some_and(|other| other != mac)) {
            return Err(No::IpTaken(taken));
        }
        // An address that it does not speak from is only a claim, and would be kept from its owner.
        let lease = facts.lease.filter(|lease| lease.ends_at > now);
        let leased_to_others = lease.is_some_and(|lease| lease.holder.mac() != Some(mac));
        let ip = ip.filter(|ip| *ip == facts.from && facts.is_on_net && !leased_to_others);
        Ok(Some(Interface { mac, ip }))
    }

    fn ip(&self) -> Result<Option<Ipv4Addr>, No> {
        let none = || No::Other(format!("{:?} is no IPv4 address", self.ip.chars().take(64).collect::<String>()));
        match self.ip.as_str() {
            "" | "?" => Ok(None),
            ip => ip.parse().map(Some).map_err(|_| none()),
        }
    }
}

fn other(error: Malformed) -> No {
    No::Other(error.to_string())
}
