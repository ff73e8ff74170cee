//! The first question, by DHCP: which address, and which first program.

use super::loader::{self, First};
use super::names::Here;
use super::pool::Pool;
use super::role::{self, Role, Standing};
use super::{Ask, Decision, Effect, Reason, Tale};
use crate::model::*;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// How long an offered address is kept for the client that was offered it.
pub const HOLD_SECS: u32 = 60;
/// How long an address that a client found in use is given to nobody.
const AVOID_SECS: u32 = 600;

#[derive(Debug, Clone, PartialEq)]
pub struct OfferAsk {
    pub message: Message,
    pub mac: Mac,
    pub client: Client,
    /// Option 60, printable.
    pub vendor: String,
    /// Option 97, as on the wire.
    pub uuid: Option<String>,
    /// Option 12, printable.
    pub hostname: Option<String>,
}

/// What a client says, told apart as RFC 2131 §4.3 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    Discover {
        wants: Option<Ipv4Addr>,
    },
    /// REQUEST that answers an offer: `server` is whose.
    Select {
        server: Ipv4Addr,
        ip: Ipv4Addr,
    },
    /// REQUEST of a client that remembers its address.
    Reboot {
        ip: Ipv4Addr,
    },
    /// REQUEST of a client that uses its address, to us or to anybody.
    Renew {
        ip: Ipv4Addr,
    },
    Rebind {
        ip: Ipv4Addr,
    },
    Decline {
        ip: Ipv4Addr,
    },
    Release {
        ip: Ipv4Addr,
    },
    Inform {
        ip: Ipv4Addr,
    },
}

/// What must be known to answer a DHCP packet.
pub struct OfferFacts<'a> {
    pub network: &'a Network,
    /// Our address on that network: the server identifier and the start of every URL.
    pub here: Here,
    pub standing: Standing<'a>,
    /// For the profile that an unknown machine would be armed with.
    pub ranges: &'a [Range],
    pub pool: &'a Pool,
    /// Whose reservation an address is.
    pub reserved: &'a dyn Fn(Ipv4Addr) -> Option<Mac>,
    /// How many records packets have made that nobody has taken in yet.
    pub newcomers: &'a dyn Fn() -> u64,
    /// For a record that this packet may create: its id and that of its arming.
    pub fresh: [Uuid; 2],
}

#[derive(Debug, Clone, PartialEq)]
pub enum OfferReply {
    Silence,
    Nak(String),
    Offer(Grant),
    Ack(Grant),
    /// To INFORM: options, no lease.
    Informed(Grant),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    pub ip: Ipv4Addr,
    pub lease_secs: u32,
    pub first: First,
    /// The machine's name: installers take it for their own.
    pub hostname: Option<Name>,
}

impl Ask for OfferAsk {
    type Facts<'a> = OfferFacts<'a>;
    type Reply = OfferReply;

    fn decide(&self, facts: OfferFacts<'_>, now: Time) -> Decision<OfferReply> {
        let (role, why) = role::role(facts.standing, facts.network);
        let case = Case { ask: self, facts, now, role };
        match role {
            Role::Nothing => case.silence_of_a_stranger(why),
            _ => case.answer(why),
        }
    }
}

struct Case<'a> {
    ask: &'a OfferAsk,
    facts: OfferFacts<'a>,
    now: Time,
    role: Role,
}

impl Case<'_> {
    fn answer(&self, why: Reason) -> Decision<OfferReply> {
        match self.ask.message {
            Message::Discover { wants } => self.offer(wants, why),
            Message::Select { server, .. } if server != self.facts.here.ip => {
                let text = format!("the client took the offer of {server}");
                self.silence("server", text, vec![Effect::LetGo { mac: self.ask.mac }])
            }
            Message::Select { ip, .. } => self.settle(ip, true, why),
            Message::Reboot { ip } => self.settle(ip, false, why),
            Message::Renew { ip } | Message::Rebind { ip } => self.settle(ip, false, why),
            Message::Decline { ip } => self.declined(ip),
            Message::Release { ip } => self.released(ip),
            Message::Inform { ip } => self.informed(ip, why),
        }
    }

    /// A retired card or a MAC that this network ignores.
    fn silence_of_a_stranger(&self, why: Reason) -> Decision<OfferReply> {
        let tale = match self.facts.standing {
            Standing::Retired(t) => {
                let text =
                    format!("the replaced card {} is on network {}: {}", t.mac, self.facts.network.name, why.text);
                self.tale(Kind::Alarm, text).of(t.machine)
            }
            _ => self.tale(Kind::Silence, why.to_string()),
        };
        let mut decision = Decision::new(OfferReply::Silence, vec![why]).with(Effect::Tell(tale));
        if matches!(self.facts.standing, Standing::Unknown) {
            decision.effects.push(self.sighting());
        }
        decision
    }

    fn offer(&self, wants: Option<Ipv4Addr>, why: Reason) -> Decision<OfferReply> {
        let (ip, rule) = match self.address(wants) {
            Ok(found) => found,
            Err(text) => return self.silence("address", text, vec![]),
        };
        let (grant, first) = match self.grant(ip) {
            Ok(grant) => grant,
            Err(text) => return self.refused(text),
        };
        let until = self.now.plus_secs(HOLD_SECS);
        let tale = self.tale(Kind::Offer, format!("{ip} offered to {}", self.ask.client)).from(ip);
        let mut decision = Decision::new(OfferReply::Offer(grant), vec![why, rule, first]);
        // A lease that still runs says more than an offer.
        if self.facts.pool.of(self.ask.mac).is_none_or(|b| b.ip != ip || b.until < until) {
            decision.effects.push(Effect::Hold { mac: self.ask.mac, ip, until });
        }
        decision.effects.extend(self.seen());
        decision.with(Effect::Tell(tale))
    }

    /// A REQUEST: the client names an address, and it is its own or it is not.
    fn settle(&self, asked: Ipv4Addr, selecting: bool, why: Reason) -> Decision<OfferReply> {
        if !self.facts.network.cidr.contains(asked) {
            return self.nak(format!("{asked} is not on network {}", self.facts.network.name));
        }
        let known = self.reservation().is_some() || self.facts.pool.of(self.ask.mac).is_some();
        if !known && !selecting {
            return self.silence("address", format!("no lease of {} is known", self.ask.mac), vec![]);
        }
        match self.address(Some(asked)) {
            Ok((ip, rule)) if ip == asked => self.ack(ip, vec![why, rule]),
            Ok((ip, rule)) => self.nak(format!("{asked} is not this client's, {ip} is ({})", rule.text)),
            Err(text) => self.nak(text),
        }
    }

    fn ack(&self, ip: Ipv4Addr, mut why: Vec<Reason>) -> Decision<OfferReply> {
        let (grant, first) = match self.grant(ip) {
            Ok(grant) => grant,
            Err(text) => return self.refused(text),
        };
        let told = match &grant.first {
            First::Nothing if self.ask.client.program == Program::System => String::new(),
            _ => format!(", {}: {}", first.rule, first.text),
        };
        why.push(first);
        let lease = self.lease(ip, grant.lease_secs);
        let tale = self.tale(Kind::Lease, format!("{ip} for {}{told}", self.ask.client)).from(ip);
        let mut decision =
            Decision::new(OfferReply::Ack(grant), why).with(Effect::Bind(lease)).with(Effect::Tell(tale));
        let newcomer = self.newcomer(ip).map(|state| self.enlist(ip, state));
        decision.effects.extend(newcomer.unwrap_or_default());
        if self.role == Role::Disk && matches!(self.ask.client.program, Program::Rom | Program::Http) {
            let tale = self.tale(Kind::Local, "sent to its own disk").from(ip);
            decision = decision.with(Effect::Tell(tale));
        }
        decision
    }

    fn informed(&self, ip: Ipv4Addr, why: Reason) -> Decision<OfferReply> {
        match self.grant(ip) {
            Ok((grant, first)) => Decision::new(OfferReply::Informed(grant), vec![why, first]),
            Err(text) => self.refused(text),
        }
    }

    fn declined(&self, ip: Ipv4Addr) -> Decision<OfferReply> {
        if self.facts.pool.of(self.ask.mac).is_none_or(|b| b.ip != ip) {
            return self.silence("address", format!("{} declined {ip}, which it was not given", self.ask.mac), vec![]);
        }
        let text = format!("{} found {ip} in use by another host: look for one with a fixed address", self.ask.mac);
        let until = self.now.plus_secs(AVOID_SECS);
        Decision::new(OfferReply::Silence, vec![Reason::new("address", text.clone())])
            .with(Effect::Unbind { network: self.facts.network.name.clone(), mac: self.ask.mac, at: self.now })
            .with(Effect::Avoid { ip, until })
            .with(Effect::Tell(self.tale(Kind::Alarm, text).from(ip)))
    }

    fn released(&self, ip: Ipv4Addr) -> Decision<OfferReply> {
        if self.facts.pool.of(self.ask.mac).is_none_or(|b| b.ip != ip) {
            return self.silence("address", format!("{} released {ip}, which it does not have", self.ask.mac), vec![]);
        }
        let unbind = Effect::Unbind { network: self.facts.network.name.clone(), mac: self.ask.mac, at: self.now };
        let tale = self.tale(Kind::Lease, format!("{ip} released")).from(ip);
        Decision::new(OfferReply::Silence, vec![Reason::new("address", format!("{ip} released"))])
            .with(unbind)
            .with(Effect::Tell(tale))
    }

    /// Which address this client has here: reserved, bound, remembered, wished for, or any that is free.
    fn address(&self, wants: Option<Ipv4Addr>) -> Result<(Ipv4Addr, Reason), String> {
        let found = |ip, text: String| Ok((ip, Reason::new("address", text)));
        let (network, pool, mac) = (self.facts.network, self.facts.pool, self.ask.mac);
        if let Some(ip) = self.reservation() {
            if ip == self.facts.here.ip {
                return Err(format!(
                    "{ip} is reserved for {mac}, but it is this server's own: give the machine another"
                ));
            }
            return match pool.holder(ip, self.now) {
                Some((other, binding)) if other != mac && binding.leased => Err(format!(
                    "{ip} is reserved for {mac}, but {other} still has a lease of it until {}",
                    binding.until
                )),
                _ => found(ip, format!("{ip}, reserved for {mac}")),
            };
        }
        if let Some(binding) = pool.of(mac).filter(|b| self.is_open(b.ip)) {
            return found(binding.ip, format!("{}, which it already has", binding.ip));
        }
        if let Some(ip) = wants.filter(|ip| self.is_open(*ip)) {
            return found(ip, format!("{ip}, which it asked for and which is free"));
        }
        match pool.free(network, &|ip| self.is_anothers(ip), self.now) {
            Some(ip) => found(ip, format!("{ip}, free in the pool")),
            None if network.pools.is_empty() => Err(format!(
                "{mac} has no reserved address and network {n} has no pool: give the machine an address, or `kickstand network set {n} --pool FIRST-LAST`",
                n = network.name
            )),
            None => Err(format!(
                "no free address in the pool of network {n}: widen it with `kickstand network set {n} --pool FIRST-LAST …` (all its pools)",
                n = network.name
            )),
        }
    }

    /// Pooled, on the network, and nobody else's.
    fn is_open(&self, ip: Ipv4Addr) -> bool {
        let (network, pool) = (self.facts.network, self.facts.pool);
        let held = pool.holder(ip, self.now).is_some_and(|(other, _)| other != self.ask.mac);
        network.pooled(ip) && network.can_hold(ip) && !held && !self.is_anothers(ip) && !pool.is_declined(ip, self.now)
    }

    fn is_anothers(&self, ip: Ipv4Addr) -> bool {
        ip == self.facts.here.ip
            || Some(ip) == self.facts.network.gateway
            || (self.facts.reserved)(ip).is_some_and(|owner| owner != self.ask.mac)
    }

    fn reservation(&self) -> Option<Ipv4Addr> {
        let Standing::Machine(machine) = self.facts.standing else { return None };
        machine.interface(self.ask.mac)?.ip.filter(|ip| self.facts.network.can_hold(*ip))
    }

    fn grant(&self, ip: Ipv4Addr) -> Result<(Grant, Reason), String> {
        let role = match self.role {
            Role::Install if self.profile(ip).is_none() => Role::Disk,
            role => role,
        };
        let (first, why) = loader::first(self.ask.client, role, self.ask.mac, self.facts.here);
        let hostname = match self.facts.standing {
            Standing::Machine(machine) => Some(machine.name.clone()),
            _ => None,
        };
        Ok((Grant { ip, lease_secs: self.facts.network.lease_secs, first: first?, hostname }, why))
    }

    fn profile(&self, ip: Ipv4Addr) -> Option<&Name> {
        let machine = match self.facts.standing {
            Standing::Machine(machine) => Some(machine),
            _ => None,
        };
        role::profile(machine, ip, self.facts.ranges, self.facts.network).0
    }

    fn lease(&self, ip: Ipv4Addr, secs: u32) -> Lease {
        Lease {
            network: self.facts.network.name.clone(),
            mac: self.ask.mac,
            ip,
            starts_at: self.now,
            ends_at: self.now.plus_secs(secs),
            hostname: self.ask.hostname.clone(),
        }
    }

    /// The record of a machine that this network takes in by itself, once it holds an address. Only a
    /// machine that boots from the network is armed: a running system that asks for an address is not.
    fn newcomer(&self, ip: Ipv4Addr) -> Option<State> {
        let netboots = self.ask.client.program != Program::System;
        match (self.facts.standing, self.facts.network.unknown) {
            (Standing::Unknown, Unknown::Install) if netboots && self.profile(ip).is_some() => Some(State::Armed),
            (Standing::Unknown, Unknown::Install | Unknown::Discover) => Some(State::Discovered),
            _ => None,
        }
    }

    /// A flood of invented MACs makes no more records than the pools have addresses.
    fn enlist(&self, ip: Ipv4Addr, state: State) -> Vec<Effect> {
        let room: u64 = self.facts.network.pools.iter().map(|pool| pool.size()).sum();
        if (self.facts.newcomers)() >= room {
            let text = format!(
                "network {} has {room} new machines that nobody has taken in, and makes no more records: `kickstand machine adopt` or `remove` them",
                self.facts.network.name
            );
            return vec![Effect::Tell(Tale::new(self.now, Kind::Alarm, text))];
        }
        let machine = super::lifecycle::newcomer(self.ask.mac, state, self.facts.fresh, self.now);
        let text = format!("{} was seen for the first time and is {}", machine.name, machine.state);
        let tale = self.tale(Kind::State, text).of(machine.id).from(ip);
        vec![Effect::Enlist(Box::new(machine)), Effect::Tell(tale)]
    }

    fn nak(&self, text: String) -> Decision<OfferReply> {
        let tale = self.tale(Kind::Nak, text.clone());
        Decision::new(OfferReply::Nak(text.clone()), vec![Reason::new("address", text)]).with(Effect::Tell(tale))
    }

    fn refused(&self, text: String) -> Decision<OfferReply> {
        let tale = self.tale(Kind::Refused, text.clone());
        Decision::new(OfferReply::Silence, vec![Reason::new("first program", text)]).with(Effect::Tell(tale))
    }

    fn silence(&self, rule: &'static str, text: String, effects: Vec<Effect>) -> Decision<OfferReply> {
        let tale = self.tale(Kind::Silence, text.clone());
        let mut decision = Decision::new(OfferReply::Silence, vec![Reason::new(rule, text)]);
        decision.effects = effects;
        decision.with(Effect::Tell(tale))
    }

    fn tale(&self, kind: Kind, text: impl Into<String>) -> Tale {
        let tale = Tale::new(self.now, kind, text).by(self.ask.mac);
        match self.facts.standing {
            Standing::Machine(machine) => tale.of(machine.id),
            _ => tale,
        }
    }

    fn seen(&self) -> Option<Effect> {
        matches!(self.facts.standing, Standing::Unknown).then(|| self.sighting())
    }

    fn sighting(&self) -> Effect {
        Effect::See(Sighting {
            mac: self.ask.mac,
            network: self.facts.network.name.clone(),
            arch: self.ask.client.arch,
            vendor: self.ask.vendor.clone(),
            uuid: self.ask.uuid.clone(),
            first_at: self.now,
            last_at: self.now,
        })
    }
}
