//! The installer's question: which answer file. Its token is the only key to it, and to those that stand beside it.

use super::lifecycle::{self, Moment, Next};
use super::{Ask, Decision, Effect, Reason, Tale};
use crate::model::*;
use std::net::Ipv4Addr;

#[derive(Debug, Clone, PartialEq)]
pub struct AutoinstallAsk {
    pub token: Hash,
    pub from: Ipv4Addr,
}

/// What must be known to give away an answer file.
pub struct AutoinstallFacts<'a> {
    /// The machine whose current boot has this token.
    pub machine: Option<&'a Machine>,
    /// Who has the address now that the boot's token is bound to.
    pub lease: Option<&'a Lease>,
    /// What is asked for; none where its installer has no such file.
    pub file: Option<&'a str>,
    /// The key that the answer file would carry, if the profile names an activation key.
    pub key: Option<InstallKey>,
    /// How long the token lives from its first use.
    pub lives_secs: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AutoinstallReply {
    Answer {
        machine: MachineId,
    },
    /// Unknown, ended, foreign: all the same from outside.
    NotFound,
}

impl Ask for AutoinstallAsk {
    type Facts<'a> = AutoinstallFacts<'a>;
    type Reply = AutoinstallReply;

    fn decide(&self, facts: AutoinstallFacts<'_>, now: Time) -> Decision<AutoinstallReply> {
        let not_found = |text: String| Decision::new(AutoinstallReply::NotFound, vec![Reason::new("token", text)]);
        let Some((machine, boot)) = facts.machine.and_then(|m| Some((m, m.install.as_ref()?.boot.as_ref()?))) else {
            return not_found("no boot that is under way has this token".into());
        };
        if boot.expires_at <= now || boot.reported_at.is_some() {
            // Who finds it later, on a command line or in a log, stops nothing any more.
            let kind = if boot.ip == self.from { Kind::Refused } else { Kind::Alarm };
            let text = format!("the token of this boot of {} is used up, and came from {}", machine.name, self.from);
            return not_found(text.clone()).with(Effect::Tell(self.tale(machine, kind, text, now)));
        }
        if boot.ip != self.from {
            return self.second_claimant(machine, boot, now);
        }
        if !self.still_has(machine, boot, facts.lease, now) {
            let text = format!("{} asked with its token from {}, which it has no longer", machine.name, self.from);
            return not_found(text.clone()).with(Effect::Tell(self.tale(machine, Kind::Alarm, text, now)));
        }
        let Some(file) = facts.file else { return not_found("its installer has no such file".into()) };
        match lifecycle::next(machine, Moment::Answer { lives_secs: facts.lives_secs }, now) {
            Next::Refused(why) => not_found(why.text),
            next => self.answer((machine, file), next, facts.key, now),
        }
    }
}

impl AutoinstallAsk {
    /// Whether the address is the machine's still. One that its running system had by itself was never leased: then it
    /// is enough that nobody else has it.
    fn still_has(&self, machine: &Machine, boot: &Boot, lease: Option<&Lease>, now: Time) -> bool {
        let leased = lease.filter(|lease| boot.inside.is_none() || lease.ends_at > now);
        match leased {
            None => boot.inside.is_some(),
            Some(lease) => lease.holder.mac().is_some_and(|mac| machine.has(mac)),
        }
    }

    /// What is told of the secrets that an answer file really carries: it is recorded before the file goes out.
    pub fn released(&self, machine: &Machine, secrets: &[String], now: Time) -> Option<Effect> {
        if secrets.is_empty() {
            return None;
        }
        let text = format!("answer file of {} given to {} with {}", machine.name, self.from, secrets.join(", "));
        Some(Effect::Tell(self.tale(machine, Kind::Secret, text, now)))
    }

    fn answer(
        &self,
        (machine, file): (&Machine, &str),
        next: Next,
        key: Option<InstallKey>,
        now: Time,
    ) -> Decision<AutoinstallReply> {
        let carries = key.as_ref().map_or("no key".to_owned(), |k| format!("a single-use key of {}", k.keys));
        let text = format!("{file} of {}, which carries {carries}", machine.name);
        let mut decision = Decision::new(
            AutoinstallReply::Answer { machine: machine.id },
            vec![Reason::new("token", format!("of the current boot of {}", machine.name))],
        );
        // A second fetch changes nothing, but a report or another boot may come before it is written.
        decision = decision.with(match next {
            Next::Step(step) => Effect::Step(step),
            _ => Effect::Still { machine: machine.id, revision: machine.revision },
        });
        decision.effects.extend(key.map(Effect::Mint));
        decision.with(Effect::Tell(self.tale(machine, Kind::Answer, text, now)))
    }

    fn second_claimant(&self, machine: &Machine, boot: &Boot, now: Time) -> Decision<AutoinstallReply> {
        let text = format!(
            "the answer file of {} was asked for with its token from {}, but the token is bound to {}: the install is frozen; find out who that was, then `kickstand machine arm {}`",
            machine.name, self.from, boot.ip, machine.name
        );
        let mut decision = Decision::new(AutoinstallReply::NotFound, vec![Reason::new("token", text.clone())]);
        if let Next::Step(step) = lifecycle::next(machine, Moment::SecondClaimant { from: self.from }, now) {
            decision = decision.with(Effect::Step(step));
        }
        decision.with(Effect::Tell(self.tale(machine, Kind::Alarm, text, now)))
    }

    fn tale(&self, machine: &Machine, kind: Kind, text: String, now: Time) -> Tale {
        Tale::new(now, kind, text).of(machine.id).from(self.from)
    }
}
