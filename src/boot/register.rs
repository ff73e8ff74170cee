//! The installed system's only question: may I register with this key.

use super::keys::{self, Comer, Grant};
use super::lifecycle::{self, Moment, Next};
use super::{Ask, Decision, Effect, Reason, Spent, Tale};
use crate::model::*;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

#[derive(Debug, Clone, PartialEq)]
pub struct RegisterAsk {
    pub key: Hash,
    pub from: Ipv4Addr,
    pub inventory: serde_json::Value,
    /// The hash of the credential that the system has chosen.
    pub credential: Hash,
}

/// What must be known to let a system register.
pub struct RegisterFacts<'a> {
    /// The single-use key with this hash.
    pub install_key: Option<&'a InstallKey>,
    /// The operators' keys, of which it was derived from some.
    pub keys: &'a BTreeMap<Name, ActivationKey>,
    pub machine: Option<&'a Machine>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RegisterReply {
    Welcome {
        machine: MachineId,
        name: Name,
        packages: Vec<Package>,
    },
    /// The text is for the operator's events.
    Refused(String),
    /// Who showed the right keys may read why.
    Told(String),
}

impl Ask for RegisterAsk {
    type Facts<'a> = RegisterFacts<'a>;
    type Reply = RegisterReply;

    fn decide(&self, facts: RegisterFacts<'_>, now: Time) -> Decision<RegisterReply> {
        let (Some(key), Some(machine)) = (facts.install_key, facts.machine) else {
            return self.refused(None, Kind::Refused, "this key is not known here".into(), now);
        };
        if key.spent_at.is_some() && machine.credential == Some(self.credential) {
            let why = Reason::new("key", "spent by this very system, whose answer was lost on the way");
            let packages = keys::packages(&machine.joined, facts.keys);
            let reply = RegisterReply::Welcome { machine: machine.id, name: machine.name.clone(), packages };
            return Decision::new(reply, vec![why]);
        }
        if let Some((kind, text)) = self.refusal(key, machine, now) {
            return self.refused(Some(machine), kind, text, now);
        }
        let comer = Comer { machine: Some(machine), from: Some(self.from) };
        let grant = match keys::grant(&key.keys, facts.keys, comer, now) {
            Ok(grant) => grant,
            Err(why) => return self.refused(Some(machine), Kind::Refused, why.text, now),
        };
        match lifecycle::next(machine, Moment::Register, now) {
            Next::Refused(why) => self.refused(Some(machine), Kind::Refused, why.text, now),
            Next::Already => self.refused(Some(machine), Kind::Alarm, "it is registered already".into(), now),
            Next::Step(step) => self.welcome(machine, (key, grant), step, now),
        }
    }
}

impl RegisterAsk {
    fn refusal(&self, key: &InstallKey, machine: &Machine, now: Time) -> Option<(Kind, String)> {
        if let Some(at) = key.spent_at {
            let text = format!("the key of {} was spent at {at} and came again: look who has it", machine.name);
            return Some((Kind::Alarm, text));
        }
        if machine.state == State::Registered {
            let text = format!("{} is registered, and another key of its came: look who has it", machine.name);
            return Some((Kind::Alarm, text));
        }
        if machine.install.as_ref().is_none_or(|install| install.id != key.install) {
            return Some((Kind::Refused, format!("the key belongs to an earlier install of {}", machine.name)));
        }
        if key.expires_at <= now {
            let text = format!(
                "the key of {n} expired at {}: `kickstand machine arm {n}` makes a new one",
                key.expires_at,
                n = machine.name
            );
            return Some((Kind::Refused, text));
        }
        None
    }

    fn welcome(
        &self,
        machine: &Machine,
        (key, grant): (&InstallKey, Grant),
        step: super::Step,
        now: Time,
    ) -> Decision<RegisterReply> {
        let text = format!("{} registered as {} with a key of {}, now spent", machine.name, machine.id, key.keys);
        let spends = Some(Spent::Install(key.hash));
        let packages = grant.packages.clone();
        let reply = RegisterReply::Welcome { machine: machine.id, name: machine.name.clone(), packages };
        Decision::new(reply, vec![Reason::new("key", text.clone())])
            .with(Effect::Step(step))
            .with(Effect::Register(Box::new(grant.registration(machine, spends, self.credential, now))))
            .with(Effect::Inventory { machine: machine.id, inventory: self.inventory.clone() })
            .with(Effect::Tell(Tale::new(now, Kind::Registered, text).of(machine.id).from(self.from)))
    }

    fn refused(&self, machine: Option<&Machine>, kind: Kind, text: String, now: Time) -> Decision<RegisterReply> {
        let mut tale = Tale::new(now, kind, format!("registration refused: {text}")).from(self.from);
        tale.machine = machine.map(|m| m.id);
        Decision::new(RegisterReply::Refused(text.clone()), vec![Reason::new("key", text)]).with(Effect::Tell(tale))
    }
}
