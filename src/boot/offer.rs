//! The first question, by DHCP: which address, and which first program.
//!
//! The table of RFC 2131 §4.3 is [`Case::answer`]; `address` says which address a client has, `told` with which
//! options, `proxy` what is said beside another DHCP server.

use super::loader::{Choosing, First};
use super::names::Here;
use super::pool::Pool;
use super::records::Records;
use super::role::{self, Role, Standing};
use super::said::Said;
use super::{Ask, Decision, Effect, Reason, Tale, Words, told};
use crate::model::*;
use std::borrow::Cow;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// How long an offered address is kept for the client that was offered it.
pub const KEEP_SECS: u32 = 60;
/// And for one that nobody knows: a flood of them must not keep the pool.
const KEEP_UNKNOWN_SECS: u32 = 20;
#[derive(Debug, Clone, PartialEq)]
pub struct OfferAsk {
    pub message: Message,
    pub holder: Holder,
    pub client: Client,
    /// Option 60, printable.
    pub vendor: String,
    /// Option 77, each printable.
    pub user_classes: Vec<String>,
    /// Option 97, as on the wire.
    pub uuid: Option<String>,
    /// Option 12, printable.
    pub hostname: Option<String>,
    /// Option 61, as on the wire.
    pub client_id: Option<Box<[u8]>>,
    /// The circuit-id of option 82, from a relay or switch that is believed.
    pub circuit: Option<Box<[u8]>>,
    /// A relay forwarded it, or it comes from an address to which one leads.
    pub relayed: bool,
}

impl OfferAsk {
    pub fn traits(&self) -> Traits<'_> {
        Traits {
            client: self.client,
            vendor: &self.vendor,
            user_classes: &self.user_classes,
            mac: self.holder.mac(),
            circuit: self.circuit.as_deref(),
        }
    }
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
    /// To the boot server's own port, 4011, from a client that has its address from somebody else.
    Boot {
        ip: Option<Ipv4Addr>,
    },
}

/// What must be known to answer a DHCP packet.
pub struct OfferFacts<'a> {
    /// The networks on the client's wire; the first is the one that its packet belongs to.
    pub networks: &'a [&'a Network],
    /// Our address for that client: the server identifier and the start of every URL.
    pub here: Here,
    /// Our other addresses there: nobody gets one of them.
    pub ours: &'a [Ipv4Addr],
    pub standing: Standing<'a>,
    pub records: &'a dyn Records,
    pub pool: &'a Pool,
    pub shelf: &'a Shelf,
    /// Since when the database is lost: nothing new can be promised.
    pub lost_since: Option<Time>,
    /// For a record that this packet may create: its id and that of its arming.
    pub fresh: &'a dyn Fn() -> [Uuid; 2],
}

#[derive(Debug, Clone, PartialEq)]
pub enum OfferReply {
    Silence,
    Nak(String),
    Offer(Grant),
    Ack(Grant),
    /// To INFORM: options, no lease.
    Informed(Grant),
    /// Beside another server, as an OFFER: a program to boot, no address.
    Proxy(Grant),
    /// The same as an ACK, to the boot server's own port.
    ProxyAck(Grant),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// Which of the facts' networks it is on.
    pub place: usize,
    pub ip: Ipv4Addr,
    pub lease_secs: u32,
    pub first: First,
    /// Whether a NUL ends the texts of options 66 and 67.
    pub nul: bool,
    /// The machine's name: installers take it for their own.
    pub hostname: Option<Name>,
    /// What operators set, most specific first.
    pub options: OptionSet,
}

impl Ask for OfferAsk {
    type Facts<'a> = OfferFacts<'a>;
    type Reply = OfferReply;

    fn decide(&self, facts: OfferFacts<'_>, now: Time) -> Decision<OfferReply> {
        let Some(network) = facts.networks.first().copied() else {
            return Decision::new(OfferReply::Silence, vec![Reason::new("network", "on no network of ours")]);
        };
        let (role, why) = match role::role(facts.standing, network) {
            (Role::Install, _) if facts.lost_since.is_some() => {
                (Role::Disk, Reason::new("database", "lost: no installer can be served, so its own disk"))
            }
            role => role,
        };
        let case = Case { ask: self, facts, network, now, role };
        match (role, network.dhcp.placement) {
            (_, Placement::Off) => case.absent("this server is off there"),
            (_, Placement::Relayed) if !self.relayed && !case.goes_on() => {
                case.absent("only what relays forward is answered there")
            }
            (Role::Nothing, _) => case.silence_of_a_stranger(why),
            (_, Placement::Proxy) => case.beside_another(why),
            (_, Placement::Full | Placement::Relayed) => case.answer(why),
        }
    }
}

pub(super) struct Case<'a> {
    pub ask: &'a OfferAsk,
    pub facts: OfferFacts<'a>,
    pub network: &'a Network,
    pub now: Time,
    pub role: Role,
}

impl Case<'_> {
    fn answer(&self, why: Reason) -> Decision<OfferReply> {
        match self.ask.message {
            Message::Discover { wants } => self.offer(wants, why),
            Message::Select { server, .. } if server != self.facts.here.ip => {
                let text = format!("the client took the offer of {server}");
                self.silence("server", text, vec![Effect::LetGo { holder: self.ask.holder.clone() }])
            }
            Message::Select { ip, .. } => self.settle(ip, true, why),
            Message::Reboot { ip } | Message::Renew { ip } | Message::Rebind { ip } => self.settle(ip, false, why),
            Message::Decline { ip } => self.declined(ip),
            Message::Release { ip } => self.released(ip),
            Message::Inform { ip } => self.informed(ip, why),
            Message::Boot { .. } => self.absent("the boot server's port is for networks with another DHCP server"),
        }
    }

    /// Whether the client uses or returns what it has from us: then it writes without its relay (RFC 2131
    /// §4.3.2), and nothing else of it tells that one led it here.
    fn goes_on(&self) -> bool {
        let (Message::Renew { ip } | Message::Release { ip }) = self.ask.message else { return false };
        self.facts.pool.of(&self.ask.holder).is_some_and(|had| had.leased && had.ip == ip)
    }

    fn absent(&self, why: &str) -> Decision<OfferReply> {
        self.silence("placement", format!("network {}: {why}", self.network.name), vec![])
    }

    /// A retired card or a MAC that this network ignores.
    fn silence_of_a_stranger(&self, why: Reason) -> Decision<OfferReply> {
        let tale = match self.facts.standing {
            Standing::Retired(t) => {
                let text = format!("the replaced card {} is on network {}: {}", t.mac, self.network.name, why.text);
                self.tale(Kind::Alarm, text).of(t.machine)
            }
            _ => self.tale(Kind::Silence, why.to_string()),
        };
        let mut decision = Decision::new(OfferReply::Silence, vec![why]).with(Effect::Tell(tale));
        decision.effects.extend(self.seen());
        decision
    }

    fn offer(&self, wants: Option<Ipv4Addr>, why: Reason) -> Decision<OfferReply> {
        let found = match self.address(wants) {
            Ok(found) => found,
            Err(text) => return self.silence("address", text, self.seen().into_iter().collect()),
        };
        if let Some(lost) = self.no_new_promise(found.reserved) {
            return lost;
        }
        let (grant, first) = match self.grant(found.place, found.ip) {
            Ok(grant) => grant,
            Err(text) => return self.refused(text),
        };
        let ip = found.ip;
        let until = self.now.plus_secs(self.keep_secs(grant.lease_secs));
        let tale =
            self.tale(Kind::Offer, format!("{} offered to {} ({})", Dotted(ip), self.ask.client, found.how)).from(ip);
        let mut decision = Decision::new(OfferReply::Offer(grant), vec![why, found.why(), first]);
        // A lease that still runs says more than an offer.
        if self.facts.pool.of(&self.ask.holder).is_none_or(|b| b.ip != ip || b.until < until) {
            decision.effects.push(Effect::Keep { holder: self.ask.holder.clone(), ip, until });
        }
        decision.effects.extend(self.seen());
        decision.with(Effect::Tell(tale))
    }

    /// A Raspberry Pi takes an offer without a word and boots with it (raspberrypi/firmware#1699, #1303).
    fn keep_secs(&self, lease_secs: u32) -> u32 {
        match self.is_machine() {
            true if self.ask.holder.mac().is_some_and(Mac::is_raspberry_pi) => lease_secs,
            true => KEEP_SECS,
            false => KEEP_UNKNOWN_SECS,
        }
    }

    /// Without a database only a reserved address can be offered: nobody else was promised it.
    fn no_new_promise(&self, reserved: bool) -> Option<Decision<OfferReply>> {
        self.facts.lost_since.filter(|_| !reserved)?;
        Some(self.silence("database", "lost: no lease can be written, so nothing new is promised".into(), vec![]))
    }

    /// A REQUEST: the client names an address, and it is its own or it is not.
    fn settle(&self, asked: Ipv4Addr, selecting: bool, why: Reason) -> Decision<OfferReply> {
        if !self.facts.networks.iter().any(|network| network.cidr.contains(asked)) {
            return self.nak(format!("{asked} is not on network {}", self.network.name));
        }
        let known = self.reservation().is_some() || self.facts.pool.of(&self.ask.holder).is_some();
        if !known && !selecting {
            if self.facts.lost_since.is_some() {
                return self.lost_silence();
            }
            let text = format!("no lease of {} is known", self.ask.holder);
            return if self.network.dhcp.authoritative {
                self.nak(text)
            } else {
                self.silence("address", text, vec![])
            };
        }
        match self.address(Some(asked)) {
            Ok(found) if found.ip == asked => self.ack(found, why),
            // What another node has written since can not be known: no word is better than a wrong one.
            _ if self.facts.lost_since.is_some() => self.lost_silence(),
            Ok(found) => self.nak(format!("{asked} is not this client's, {} is ({})", found.ip, found.why().text)),
            Err(text) => self.nak(text),
        }
    }

    fn lost_silence(&self) -> Decision<OfferReply> {
        self.silence("database", "lost: this lease is not known to be written".into(), vec![])
    }

    fn ack(&self, found: Found, why: Reason) -> Decision<OfferReply> {
        let Found { place, ip, reserved, ref how, .. } = found;
        let (mut grant, first) = match self.grant(place, ip) {
            Ok(grant) => grant,
            Err(text) => return self.refused(text),
        };
        if let Some(lost_since) = self.facts.lost_since {
            match self.still_promised(ip, reserved, lost_since, grant.lease_secs) {
                Some(secs) => grant.lease_secs = secs,
                None => return self.lost_silence(),
            }
        }
        let told = match &grant.first {
            First::Nothing if self.ask.client.program == Program::System => String::new(),
            _ => format!(", {}: {}", first.rule, first.text),
        };
        let lease = self.lease(place, ip, grant.lease_secs);
        let tale = self.tale(Kind::Lease, format!("{} for {} ({how}){told}", Dotted(ip), self.ask.client)).from(ip);
        let mut decision = Decision::new(OfferReply::Ack(grant), vec![why, found.why(), first]);
        decision.effects = self.bind(lease, reserved);
        decision.effects.push(Effect::Tell(tale));
        if self.facts.lost_since.is_none() {
            decision.effects.extend(self.newcomer(ip).map(|state| self.enlist(ip, state)).unwrap_or_default());
        }
        if self.role == Role::Disk && matches!(self.ask.client.program, Program::Rom | Program::Http) {
            let tale = self.tale(Kind::Local, "sent to its own disk").from(ip);
            decision = decision.with(Effect::Tell(tale));
        }
        decision
    }

    /// How long a client may go on using its address while nothing can be written: until the end that is
    /// written, or, where it is reserved, no longer than a change of the reservation on another node waits.
    fn still_promised(&self, ip: Ipv4Addr, reserved: bool, lost_since: Time, lease_secs: u32) -> Option<u32> {
        let written = |network: &&Network| self.facts.records.lease(&network.name, &self.ask.holder);
        let written = self.facts.networks.iter().find_map(written).filter(|lease| lease.ip == ip);
        let uses = matches!(self.ask.message, Message::Renew { .. } | Message::Rebind { .. });
        let end = match written {
            Some(_) if reserved => lost_since.plus_secs(lease_secs),
            Some(lease) if uses => lease.ends_at,
            _ => return None,
        };
        Some(end.secs_since(self.now).min(lease_secs)).filter(|secs| *secs > 0)
    }

    /// A reserved address needs no second write: the record is the promise, and a change of it waits for
    /// the last possible lease.
    fn bind(&self, lease: Lease, reserved: bool) -> Vec<Effect> {
        let binding = self.facts.pool.of(&self.ask.holder);
        let known = |network: &&Network| self.facts.records.lease(&network.name, &self.ask.holder);
        let written: Vec<_> = self.facts.networks.iter().filter_map(known).collect();
        let renews = written.iter().any(|old| old.ip == lease.ip && old.network == lease.network);
        let lost = self.facts.lost_since.is_some();
        if reserved && (lost || (renews && binding.is_some_and(|b| b.leased))) {
            return vec![Effect::Know(lease)];
        }
        // The client is told what is left of the lease that is written.
        if lost {
            return Vec::new();
        }
        // One machine, one address: what it had on another network of the same wire ends.
        let moved = written.iter().filter(|old| old.network != lease.network && old.ends_at > self.now);
        let mut effects: Vec<_> = moved.map(|old| self.unbind(old.network.clone())).collect();
        let was = written.iter().find(|old| old.network == lease.network).map(|old| old.ip);
        effects.push(Effect::Bind { lease, was });
        effects
    }

    fn informed(&self, ip: Ipv4Addr, why: Reason) -> Decision<OfferReply> {
        match self.grant(self.place_of(ip), ip) {
            Ok((grant, first)) => {
                let tale =
                    self.tale(Kind::Lease, format!("options told to {ip}, which asked for nothing else")).from(ip);
                Decision::new(OfferReply::Informed(grant), vec![why, first]).with(Effect::Tell(tale))
            }
            Err(text) => self.refused(text),
        }
    }

    /// It is quarantined for longer each time, and somebody is told: two hosts use one address.
    pub(super) fn unbind(&self, network: Name) -> Effect {
        Effect::Unbind { network, holder: self.ask.holder.clone(), at: self.now }
    }

    /// Which of the wire's networks holds an address; the first where none does.
    pub(super) fn place_of(&self, ip: Ipv4Addr) -> usize {
        self.facts.networks.iter().position(|network| network.cidr.contains(ip)).unwrap_or(0)
    }

    pub(super) fn is_machine(&self) -> bool {
        matches!(self.facts.standing, Standing::Machine(_) | Standing::Reserved(_))
    }

    pub(super) fn grant(&self, place: usize, ip: Ipv4Addr) -> Result<(Grant, Reason), String> {
        let network = self.facts.networks.get(place).copied().unwrap_or(self.network);
        let role = match self.role {
            Role::Install if self.profile(ip).is_none() => Role::Disk,
            role => role,
        };
        let (first, nul, why) = self.first(network, ip, role)?;
        let hostname = match self.facts.standing {
            Standing::Machine(machine) => Some(machine.name.clone()),
            _ => None,
        };
        let lease_secs = if self.is_machine() { network.lease_secs } else { network.unknown_lease_secs() };
        let options = told::options(self, network, ip);
        Ok((Grant { place, ip, lease_secs, first, nul, hostname, options }, why))
    }

    /// What runs first, whether a NUL ends its name, and why.
    fn first(&self, network: &Network, ip: Ipv4Addr, role: Role) -> Result<(First, bool, Reason), String> {
        let client = self.ask.client;
        if client.program == Program::System {
            return Ok((First::Nothing, true, Reason::new("first program", "none: an operating system asks")));
        }
        let (machine, records, shelf) = (self.machine(), self.facts.records, self.facts.shelf);
        let profiles = Said::profiles(self.profile(ip), records.profiles());
        let distro = profiles.iter().find_map(|profile| profile.distro.as_ref()).filter(|_| role == Role::Install);
        let distro = distro.and_then(|name| records.distros().get(name));
        let mac = self.ask.holder.mac();
        let quirks = Said::quirks(shelf, Some(&self.ask.traits()), mac, machine);
        let said = Said { machine, profiles, distro, quirks, network };
        let nul = said.nul();
        let (first, why) = Choosing { client, role, mac, here: self.facts.here, shelf, said }.first();
        Ok((first?, nul, why))
    }

    pub(super) fn machine(&self) -> Option<&Machine> {
        match self.facts.standing {
            Standing::Machine(machine) => Some(machine),
            _ => None,
        }
    }

    pub(super) fn profile(&self, ip: Ipv4Addr) -> Option<&Name> {
        let network = self.facts.networks.get(self.place_of(ip)).copied().unwrap_or(self.network);
        role::profile(self.machine(), ip, self.facts.records.ranges(), network).0
    }

    pub(super) fn lease(&self, place: usize, ip: Ipv4Addr, secs: u32) -> Lease {
        Lease {
            network: self.facts.networks.get(place).copied().unwrap_or(self.network).name.clone(),
            holder: self.ask.holder.clone(),
            ip,
            starts_at: self.now,
            ends_at: self.now.plus_secs(secs),
            hostname: self.ask.hostname.clone(),
        }
    }

    fn nak(&self, text: String) -> Decision<OfferReply> {
        let tale = self.tale(Kind::Nak, text.clone());
        Decision::new(OfferReply::Nak(text.clone()), vec![Reason::new("address", text)]).with(Effect::Tell(tale))
    }

    pub(super) fn refused(&self, text: String) -> Decision<OfferReply> {
        let tale = self.tale(Kind::Refused, text.clone());
        Decision::new(OfferReply::Silence, vec![Reason::new("first program", text)]).with(Effect::Tell(tale))
    }

    pub(super) fn silence(&self, rule: &'static str, text: String, effects: Vec<Effect>) -> Decision<OfferReply> {
        let tale = self.tale(Kind::Silence, text.clone());
        let mut decision = Decision::new(OfferReply::Silence, vec![Reason::new(rule, text)]);
        decision.effects = effects;
        decision.with(Effect::Tell(tale))
    }

    pub(super) fn tale(&self, kind: Kind, text: impl Into<String>) -> Tale {
        // Who has no MAC is named in the text: nothing else tells whose line it is.
        let text = match &self.ask.holder {
            Holder::Card(_) => text.into(),
            holder => format!("{holder}: {}", text.into()),
        };
        let mut tale = Tale::new(self.now, kind, text);
        tale.mac = self.ask.holder.mac();
        match self.facts.standing {
            Standing::Machine(machine) => tale.of(machine.id),
            _ => tale,
        }
    }
}

/// An address that a client may have.
pub(super) struct Found {
    pub place: usize,
    pub ip: Ipv4Addr,
    /// By a record: nobody else was or will be promised it.
    pub reserved: bool,
    /// Why this one: what stands behind the address.
    pub how: Cow<'static, str>,
    /// The record that says so.
    pub of: Option<(Noun, String)>,
}

impl Found {
    fn why(&self) -> Reason {
        let text = Words::from(format!("{}, {}", Dotted(self.ip), self.how));
        Reason::new("address", self.of.iter().fold(text, |text, (noun, name)| text.naming(*noun, name)))
    }
}
