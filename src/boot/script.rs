//! The question after the address: which kernel, with which arguments. iPXE, GRUB, PXELINUX and U-Boot ask it for their script.

use super::lifecycle::{self, Moment, Next, Ticket};
use super::role::{self, Standing};
use super::said::Said;
use super::{Ask, Decision, Effect, Reason, Tale, disk};
use crate::model::*;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

#[derive(Debug, Clone, PartialEq)]
pub struct ScriptAsk {
    /// The MAC of the script's URL.
    pub mac: Mac,
    /// The address that the request came from.
    pub from: Ipv4Addr,
    /// Of the loader that asks.
    pub language: Language,
}

/// What must be known to choose a script.
pub struct ScriptFacts<'a> {
    pub standing: Standing<'a>,
    /// The network that holds `from`.
    pub network: &'a Network,
    /// What this MAC has leased there.
    pub lease: Option<&'a Lease>,
    pub ranges: &'a [Range],
    pub profiles: &'a BTreeMap<Name, Profile>,
    pub shelf: &'a Shelf,
    /// The database is lost: nothing can be kept, so no installer is served.
    pub lost: bool,
    /// Freshly made secrets, hashed: used only if the installer is served.
    pub ticket: Ticket,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ScriptReply {
    /// The installer of this profile, with the fresh token.
    /// `way` is for when it can not be made after all.
    Install { machine: MachineId, profile: Name, way: DiskBoot },
    /// The machine's own disk, this way.
    Disk { way: DiskBoot },
    /// Say on the console that nobody here knows this MAC, then its own disk.
    Show { way: DiskBoot },
    /// The same answer that a name which does not exist gets.
    NotFound,
}

impl Ask for ScriptAsk {
    type Facts<'a> = ScriptFacts<'a>;
    type Reply = ScriptReply;

    fn decide(&self, facts: ScriptFacts<'_>, now: Time) -> Decision<ScriptReply> {
        match facts.standing {
            Standing::Machine(machine) if machine.state.installs() && facts.lost => {
                self.disk(machine, &facts, Reason::new("database", "lost: no installer can be served"), now)
            }
            Standing::Machine(machine) if machine.state.installs() => self.install(machine, &facts, now),
            Standing::Machine(machine) => {
                let (_, why) = role::role(facts.standing, facts.network);
                self.disk(machine, &facts, why, now)
            }
            Standing::Unknown if facts.network.unknown == Unknown::Show && self.has(facts.lease, now) => {
                let (_, why) = role::role(facts.standing, facts.network);
                let tale = Tale::new(now, Kind::Local, "told that nobody knows it, then sent to its own disk");
                let (way, _) = self.way(None, &facts);
                Decision::new(ScriptReply::Show { way }, vec![why])
                    .with(Effect::Tell(tale.by(self.mac).from(self.from)))
            }
            _ => {
                let (_, why) = role::role(facts.standing, facts.network);
                Decision::new(ScriptReply::NotFound, vec![why])
            }
        }
    }
}

impl ScriptAsk {
    /// Whether the request comes from the address that its MAC has leased.
    fn has(&self, lease: Option<&Lease>, now: Time) -> bool {
        lease.is_some_and(|lease| lease.ip == self.from && lease.ends_at > now)
    }

    fn install(&self, machine: &Machine, facts: &ScriptFacts<'_>, now: Time) -> Decision<ScriptReply> {
        if !self.has(facts.lease, now) {
            return self.stranger(machine, facts.lease, now);
        }
        let (profile, named) = role::profile(Some(machine), self.from, facts.ranges, facts.network);
        let Some(profile) = profile else { return self.disk(machine, facts, named, now) };
        match lifecycle::next(machine, Moment::Boot { ticket: facts.ticket, profile: profile.clone() }, now) {
            Next::Step(step) if step.state == State::Failed => self.too_often(machine, facts, step, now),
            Next::Step(step) => {
                let boots = step.install.as_ref().map_or(0, |i| i.boots);
                let text = format!("installer of profile {profile}, boot {boots} of at most {}", lifecycle::BOOTS);
                let (way, _) = self.way(Some(machine), facts);
                let reply = ScriptReply::Install { machine: machine.id, profile: profile.clone(), way };
                Decision::new(reply, vec![named, Reason::new("script", text.clone())])
                    .with(Effect::Step(step))
                    .with(Effect::Tell(self.tale(machine, Kind::Script, text, now)))
            }
            Next::Refused(why) => self.disk(machine, facts, why, now),
            Next::Already => self.disk(machine, facts, Reason::new("lifecycle", "nothing to serve"), now),
        }
    }

    /// The token goes to the address that the machine leased, and to no other.
    fn stranger(&self, machine: &Machine, lease: Option<&Lease>, now: Time) -> Decision<ScriptReply> {
        let leased = lease.map_or("none".to_owned(), |lease| lease.ip.to_string());
        let text = format!(
            "the script of armed machine {} was asked for from {}, which is not its leased address ({leased})",
            machine.name, self.from
        );
        Decision::new(ScriptReply::NotFound, vec![Reason::new("address", text.clone())]).with(Effect::Tell(self.tale(
            machine,
            Kind::Alarm,
            text,
            now,
        )))
    }

    fn too_often(
        &self,
        machine: &Machine,
        facts: &ScriptFacts<'_>,
        step: super::Step,
        now: Time,
    ) -> Decision<ScriptReply> {
        let text = format!(
            "machine {} was given the installer {} times and did not finish: failed, sent to its own disk; look at its console, then `kickstand machine arm {}`",
            machine.name,
            lifecycle::BOOTS,
            machine.name
        );
        let (way, _) = self.way(Some(machine), facts);
        Decision::new(ScriptReply::Disk { way }, vec![Reason::new("lifecycle", text.clone())])
            .with(Effect::Step(step))
            .with(Effect::Tell(self.tale(machine, Kind::State, text, now)))
    }

    fn disk(&self, machine: &Machine, facts: &ScriptFacts<'_>, why: Reason, now: Time) -> Decision<ScriptReply> {
        let tale = self.tale(machine, Kind::Local, format!("sent to its own disk ({})", why.text), now);
        let (way, named) = self.way(Some(machine), facts);
        let mut reasons = vec![why];
        reasons.extend(named.map(|by| Reason::new("own disk", format!("by {way}, {by}"))));
        Decision::new(ScriptReply::Disk { way }, reasons).with(Effect::Tell(tale))
    }

    /// The way to the disk, and on whose word.
    fn way(&self, machine: Option<&Machine>, facts: &ScriptFacts<'_>) -> (DiskBoot, Option<String>) {
        let (profile, _) = role::profile(machine, self.from, facts.ranges, facts.network);
        let profiles = Said::profiles(profile, facts.profiles);
        let quirks = Said::quirks(facts.shelf, None, Some(self.mac), machine);
        let said = Said { machine, profiles, distro: None, quirks, network: facts.network };
        disk::scripted(&said, self.language)
    }

    fn tale(&self, machine: &Machine, kind: Kind, text: String, now: Time) -> Tale {
        Tale::new(now, kind, text).of(machine.id).by(self.mac).from(self.from)
    }
}
