//! A system that Kickstand did not install: may it join with these keys, and whose record is it?

use super::keys::{self, Comer, Grant};
use super::lifecycle::{self, Moment, Next};
use super::register::RegisterReply;
use super::{Ask, Decision, Effect, Reason, Spent, Tale};
use crate::model::*;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// What every refusal says that a stranger may read: who tries keys learns nothing.
const UNKNOWN: &str = "this key is not known here";

#[derive(Debug, Clone, PartialEq)]
pub struct JoinAsk {
    /// The secrets of activation keys, each with the name that it came under.
    pub keys: Vec<(Name, Hash)>,
    /// Keys that lead back to a record.
    pub reactivations: Vec<Hash>,
    pub from: Ipv4Addr,
    /// What it wishes to be called, if its record is new: refused where that is taken.
    pub name: Option<Name>,
    /// It asked for one that can be none: this, made safe to show.
    pub no_name: Option<String>,
    /// What it calls itself.
    pub hostname: String,
    /// Of its real cards, the one that it speaks by first.
    pub macs: Vec<Mac>,
    pub inventory: serde_json::Value,
    /// The hash of the credential that the system has chosen.
    pub credential: Hash,
}

/// What must be known to let a system join.
pub struct JoinFacts<'a> {
    pub keys: &'a BTreeMap<Name, ActivationKey>,
    /// The machine that has this credential.
    pub known: Option<&'a Machine>,
    /// The records with one of its cards, each once.
    pub same_cards: Vec<&'a Machine>,
    /// What its reactivation key is, where that is known, and whose record it leads back to.
    pub reactivation: Option<(Reactivation, Option<&'a Machine>)>,
    /// Whether a name is a machine's already.
    pub is_taken: Box<dyn Fn(&Name) -> bool + 'a>,
    /// Why no record can be made with a card, where that is so.
    pub in_the_way: Box<dyn Fn() -> Option<String> + 'a>,
    /// For a new record.
    pub ids: [Uuid; 2],
}

/// Why somebody stays outside.
struct No {
    kind: Kind,
    text: String,
    /// Whether its keys were the right ones: then it may read why.
    is_told: bool,
}

impl No {
    fn new(text: impl Into<String>) -> No {
        No { kind: Kind::Refused, text: text.into(), is_told: true }
    }

    fn silent(text: impl Into<String>) -> No {
        No { is_told: false, ..No::new(text) }
    }

    fn alarm(text: impl Into<String>) -> No {
        No { kind: Kind::Alarm, ..No::new(text) }
    }
}

/// Whose record it is.
enum Record<'a> {
    Back(&'a Machine, Spent),
    Known(&'a Machine),
    New,
}

impl Ask for JoinAsk {
    type Facts<'a> = JoinFacts<'a>;
    type Reply = RegisterReply;

    fn decide(&self, facts: JoinFacts<'_>, now: Time) -> Decision<RegisterReply> {
        if let Some(machine) = facts.known {
            let why = Reason::new("credential", "the very system that joined, whose answer was lost on the way");
            let packages = keys::packages(&machine.joined, facts.keys);
            let reply = RegisterReply::Welcome { machine: machine.id, name: machine.name.clone(), packages };
            return Decision::new(reply, vec![why]);
        }
        let record = self.proven(&facts).and_then(|()| self.nameable()).and_then(|()| self.record(&facts, now));
        let record = match record {
            Ok(record) => record,
            Err(no) => return self.refused(&facts, no, now),
        };
        let joined = match record {
            Record::Back(machine, spent) => self.known(&facts, machine, Some(spent), now),
            Record::Known(machine) => self.known(&facts, machine, None, now),
            Record::New => self.new_record(&facts, now),
        };
        joined.unwrap_or_else(|no| self.refused(&facts, no, now))
    }
}

impl JoinAsk {
    fn stack(&self) -> Names {
        self.keys.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Whether each secret is the right one. What is not does not say which.
    fn proven(&self, facts: &JoinFacts<'_>) -> Result<(), No> {
        for (name, hash) in &self.keys {
            let key = facts.keys.get(name);
            match key.map(|key| key.join) {
                None => return Err(No::silent(format!("activation key {name} does not exist"))),
                Some(None) => {
                    let text =
                        format!("activation key {name} lets nobody in from outside: `kickstand key join {name}`");
                    return Err(No::silent(text));
                }
                Some(Some(own)) if own != *hash => {
                    return Err(No::silent(format!("activation key {name} came with a wrong secret")));
                }
                _ => {}
            }
        }
        match (self.reactivations.as_slice(), &facts.reactivation) {
            ([], _) if self.keys.is_empty() => Err(No::silent(UNKNOWN)),
            ([_, _, ..], _) => Err(No::silent("more than one reactivation key: a system has one record")),
            ([_], None) => Err(No::silent("the reactivation key is not known here")),
            _ => Ok(()),
        }
    }

    fn nameable(&self) -> Result<(), No> {
        let Some(name) = &self.no_name else { return Ok(()) };
        Err(No::new(format!(
            "{name:?} is no name: 1 to 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first"
        )))
    }

    fn record<'a>(&self, facts: &JoinFacts<'a>, now: Time) -> Result<Record<'a>, No> {
        if let Some((key, machine)) = &facts.reactivation {
            return self.back(key, *machine, facts, now);
        }
        let Some(first) = self.macs.first() else {
            return Err(No::new("it shows no network card by which it could be known again"));
        };
        match facts.same_cards.as_slice() {
            [] => Ok(Record::New),
            [machine] => self.own(machine).map(Record::Known),
            [one, other, ..] => Err(No::alarm(format!(
                "{first} and its other cards are in two records, {} and {}: remove them from one of these",
                one.name, other.name
            ))),
        }
    }

    fn back<'a>(
        &self,
        key: &Reactivation,
        machine: Option<&'a Machine>,
        facts: &JoinFacts<'a>,
        now: Time,
    ) -> Result<Record<'a>, No> {
        let Some(machine) = machine else { return Err(No::silent("the record of this reactivation key is gone")) };
        let name = &machine.name;
        if let Some(at) = key.spent_at {
            let text = format!("the reactivation key of {name} was spent at {at} and came again: look who has it");
            return Err(No { is_told: false, ..No::alarm(text) });
        }
        if key.expires_at <= now {
            let text = format!(
                "the reactivation key of {name} expired at {}: `kickstand key reactivate {name}` makes a new one",
                key.expires_at
            );
            return Err(No::new(text));
        }
        if let Some(other) = facts.same_cards.iter().find(|other| other.id != machine.id) {
            let text = format!(
                "the key leads back to {name}, and a card of this system is in the record of {}: remove it there first",
                other.name
            );
            return Err(No::alarm(text));
        }
        Ok(Record::Back(machine, Spent::Reactivation(key.hash)))
    }

    /// A record with its card, which nobody speaks for.
    fn own<'a>(&self, machine: &'a Machine) -> Result<&'a Machine, No> {
        if machine.credential.is_none() {
            return Ok(machine);
        }
        Err(No::alarm(format!(
            "{n} is registered already, by a system with the same card: `kickstand key reactivate {n}` gives a key if that is this one",
            n = machine.name
        )))
    }

    fn grant(&self, facts: &JoinFacts<'_>, machine: Option<&Machine>, now: Time) -> Result<Grant, No> {
        let comer = Comer { machine, from: Some(self.from) };
        keys::grant(&self.stack(), facts.keys, comer, now).map_err(|why| No::new(why.text))
    }

    fn known(
        &self,
        facts: &JoinFacts<'_>,
        machine: &Machine,
        spent: Option<Spent>,
        now: Time,
    ) -> Result<Decision<RegisterReply>, No> {
        let grant = self.grant(facts, Some(machine), now)?;
        let step = match lifecycle::next(machine, Moment::Join, now) {
            Next::Step(step) => step,
            Next::Already => return Err(No::alarm(format!("{} is registered already", machine.name))),
            Next::Refused(why) => {
                let text =
                    format!("{n} can not join: {}; `kickstand machine disarm {n}` first", why.text, n = machine.name);
                return Err(No::new(text));
            }
        };
        let returned = if spent.is_some() { "returned to its record" } else { "joined its record" };
        let mut decision = self.welcome(machine, &grant, spent, returned, now);
        decision.effects.insert(0, Effect::Step(step));
        Ok(decision)
    }

    fn new_record(&self, facts: &JoinFacts<'_>, now: Time) -> Result<Decision<RegisterReply>, No> {
        if let Some(why) = (facts.in_the_way)() {
            return Err(No::new(why));
        }
        let grant = self.grant(facts, None, now)?;
        let first = self.macs.first().ok_or_else(|| No::new("it shows no network card"))?;
        let mut machine = lifecycle::joined(*first, facts.ids, now);
        machine.interfaces = self.macs.iter().map(|mac| Interface { mac: *mac, ip: None }).collect();
        machine.name = self.called(facts, &machine.name)?;
        let mut decision = self.welcome(&machine, &grant, None, "joined as a new machine", now);
        decision.effects.insert(0, Effect::Enlist(Box::new(machine)));
        Ok(decision)
    }

    /// The name of a new record: the one that was asked for, its own, or its card's.
    fn called(&self, facts: &JoinFacts<'_>, card: &Name) -> Result<Name, No> {
        if let Some(name) = &self.name {
            return match (facts.is_taken)(name) {
                true => Err(No::new(format!("the name {name} is another machine's: choose one, or leave --name out"))),
                false => Ok(name.clone()),
            };
        }
        let own = self.hostname.to_ascii_lowercase().parse::<Name>().ok();
        let free = own.filter(|name| !name.as_str().starts_with("localhost") && !(facts.is_taken)(name));
        Ok(free.unwrap_or_else(|| card.clone()))
    }

    fn welcome(
        &self,
        machine: &Machine,
        grant: &Grant,
        spent: Option<Spent>,
        how: &str,
        now: Time,
    ) -> Decision<RegisterReply> {
        let (id, name) = (machine.id, machine.name.clone());
        let with = match (spent, self.keys.is_empty()) {
            (Some(_), true) => "a reactivation key, now spent".to_owned(),
            (Some(_), false) => format!("a reactivation key, now spent, and {}", grant.keys),
            (None, _) => grant.keys.to_string(),
        };
        let foreign: Vec<_> = self.macs.iter().filter(|mac| !machine.has(**mac)).map(ToString::to_string).collect();
        let foreign = match foreign.as_slice() {
            [] => String::new(),
            cards => format!(
                "; {} not in its record: `kickstand machine replace {name} --mac MAC` writes new metal down",
                cards.join(", ")
            ),
        };
        let text = format!("{name} {how} as {id}, with {with}{foreign}");
        let registration = grant.registration(machine, spent, self.credential, now);
        let packages = grant.packages.clone();
        Decision::new(RegisterReply::Welcome { machine: id, name, packages }, vec![Reason::new("key", text.clone())])
            .with(Effect::Register(Box::new(registration)))
            .with(Effect::Inventory { machine: id, inventory: self.inventory.clone() })
            .with(Effect::Tell(Tale::new(now, Kind::Registered, text).of(id).from(self.from)))
    }

    fn refused(&self, facts: &JoinFacts<'_>, no: No, now: Time) -> Decision<RegisterReply> {
        let No { kind, text, is_told } = no;
        let mut tale = Tale::new(now, kind, format!("a system that would join is refused: {text}")).from(self.from);
        let back = facts.reactivation.as_ref().and_then(|(_, machine)| *machine);
        tale.machine = back.or(facts.same_cards.first().copied()).map(|machine| machine.id);
        tale.mac = self.macs.first().copied();
        let why = vec![Reason::new("key", text.clone())];
        let reply = if is_told { RegisterReply::Told(text) } else { RegisterReply::Refused(text) };
        Decision::new(reply, why).with(Effect::Tell(tale))
    }
}
