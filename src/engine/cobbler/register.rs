//! Systems that announce themselves: a record in state discovered, which boots nothing until an operator takes it in.

use crate::boot::{Records, Tale, lifecycle};
use crate::compat::cobbler::wording;
use crate::engine::{Engine, Error};
use crate::model::*;
use crate::store::{self, Edit, World};
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

impl Engine {
    /// The inner error is a refusal, in Cobbler's words.
    pub async fn announce(&self, said: &Announced, from: Ipv4Addr) -> Result<Result<Name, String>, Error> {
        let _alone = self.changing().await;
        let machine = match self.announced(said, from) {
            Ok(machine) => machine,
            Err(text) => {
                self.tell_of(
                    from,
                    Tale::new(self.now(), Kind::Refused, format!("a system at {from} was not registered: {text}")),
                );
                return Ok(Err(text));
            }
        };
        let (id, name) = (machine.id, machine.name.clone());
        let by = format!("cobbler-register at {from}");
        match self.store.edit(Edit::AddMachines(vec![machine]), &by, self.now()).await.map_err(store::Error::alone) {
            Ok(()) => {}
            Err(error @ (store::Error::Duplicate { .. } | store::Error::Contradiction { .. })) => {
                return Ok(Err(error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
        let text = format!("{name} announced itself and is discovered: `kickstand machine adopt` takes it in");
        self.tell(Tale::new(self.now(), Kind::State, text).of(id).from(from));
        Ok(Ok(name))
    }

    fn announced(&self, said: &Announced, from: Ipv4Addr) -> Result<Machine, String> {
        let world = self.store.world();
        let refused = |text: &str| Err(text.to_owned());
        if self.cobbler().is_none_or(|cobbler| !cobbler.settings.register) {
            return refused(wording::REGISTRATION_OFF);
        }
        let complete = [
            (said.name.is_empty(), wording::NO_NAME),
            (said.profile.is_empty(), wording::NO_PROFILE),
            (said.cards.is_empty(), wording::NO_INTERFACES),
            (said.cards.len() >= MOST_CARDS, wording::MANY_INTERFACES),
        ];
        if let Some((_, text)) = complete.into_iter().find(|(lacks, _)| *lacks) {
            return refused(text);
        }
        let name: Name = said.name.to_ascii_lowercase().parse().map_err(|error: Malformed| error.to_string())?;
        if world.machine_named(&name).is_some() {
            return refused(wording::NAME_CONFLICTS);
        }
        let hostname = said.hostname.to_ascii_lowercase().parse().ok();
        if hostname.is_some_and(|hostname| world.machine_named(&hostname).is_some()) {
            return refused(wording::HOSTNAME_CONFLICTS);
        }
        let mut cards = Vec::new();
        for card in &said.cards {
            cards.extend(self.card(&world, card, from)?.filter(|_| !card.is_bridge));
        }
        let Some(first) = cards.first() else { return refused(wording::NO_INTERFACES) };
        let profile: Name = said.profile.parse().map_err(|error: Malformed| error.to_string())?;
        if !world.profiles.contains_key(&profile) {
            return Err(format!("there is no profile {profile}"));
        }
        if world.newcomers() >= MOST_NEW {
            return Err(format!("{MOST_NEW} new systems wait for an operator already"));
        }
        let blank = lifecycle::newcomer(first.mac, State::Discovered, [Uuid::now_v7(), Uuid::now_v7()], self.now());
        Ok(Machine { name, profile: Some(profile), interfaces: cards, ..blank })
    }

    /// None: a card that has no address of its own, such as the loopback.
    fn card(&self, world: &World, card: &Card, from: Ipv4Addr) -> Result<Option<Interface>, String> {
        if card.ip.contains('/') {
            return Err(wording::NO_CIDR.to_owned());
        }
        if card.mac.is_empty() {
            let shown: String = card.name.chars().filter(|c| !c.is_control()).take(32).collect();
            return Err(wording::missing_mac(&shown));
        }
        if card.mac == "?" {
            return Ok(None);
        }
        let mac: Mac = card.mac.parse().map_err(|error: Malformed| error.to_string())?;
        if world.machine_with_mac(mac).is_some() || world.tombstone(mac).is_some() {
            return Err(wording::mac_conflict(&mac.to_string()));
        }
        let ip = match card.ip.as_str() {
            "" | "?" => None,
            ip => Some(
                ip.parse::<Ipv4Addr>()
                    .map_err(|_| format!("{:?} is no IPv4 address", ip.chars().take(64).collect::<String>()))?,
            ),
        };
        if let Some(taken) = ip.filter(|ip| world.reserved(*ip).is_some_and(|other| other != mac)) {
            return Err(wording::ip_conflict(&taken.to_string()));
        }
        // An address that it does not speak from is only a claim, and would be kept from its owner.
        let leased_to_others = |ip: Ipv4Addr| {
            let lease = world.network_of(ip).and_then(|network| world.lease_at(&network.name, ip));
            lease.is_some_and(|lease| lease.ends_at > self.now() && lease.holder.mac() != Some(mac))
        };
        let ip = ip.filter(|ip| *ip == from && world.network_of(*ip).is_some() && !leased_to_others(*ip));
        Ok(Some(Interface { mac, ip }))
    }
}
