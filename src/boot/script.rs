//! The question after the address: which kernel, with which arguments. iPXE, GRUB, PXELINUX and U-Boot ask it for their script.

use super::lifecycle::{self, Moment, Next, Ticket};
use super::role::{self, Standing};
use super::said::Said;
use super::{Ask, Decision, Effect, Reason, Tale, Words, disk};
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
    pub hindrance: Option<Hindrance>,
    /// Freshly made secrets, hashed: used only if the installer is served.
    pub ticket: Ticket,
}

/// What keeps this server from serving any installer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// The database is lost: nothing can be kept.
    Database,
    /// The CA that machines know is lost: they would be told of another, or of none.
    Ca,
}

impl Hindrance {
    pub(super) fn reason(self) -> Reason {
        match self {
            Hindrance::Database => Reason::new("database", "lost: no installer can be served"),
            Hindrance::Ca => Reason::new("ca", "lost: no installer can be served, `kickstand ca show` says what to do"),
        }
    }
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

/// What must be known to give the same script again.
pub struct AgainFacts<'a> {
    /// Whose boot the script's token belongs to.
    pub machine: Option<&'a Machine>,
    /// Of the address that asks.
    pub lease: Option<&'a Lease>,
    pub lost: bool,
}

/// Whether an answer file waits for this token at this address, and nobody fetched it yet: then a repeated question is
/// not another boot.
pub fn may_repeat(token: Hash, from: Ipv4Addr, facts: &AgainFacts<'_>, now: Time) -> bool {
    let Some(machine) = facts.machine.filter(|machine| machine.netboots() && !facts.lost) else { return false };
    let boot = machine.install.as_ref().and_then(|install| install.boot.as_ref());
    let waits = boot.is_some_and(|boot| boot.token == token && boot.ip == from && boot.answered_at.is_none());
    waits && facts.lease.is_some_and(|lease| lease.ip == from && lease.ends_at > now)
}

impl Ask for ScriptAsk {
    type Facts<'a> = ScriptFacts<'a>;
    type Reply = ScriptReply;

    fn decide(&self, facts: ScriptFacts<'_>, now: Time) -> Decision<ScriptReply> {
        match facts.standing {
            Standing::Machine(machine) if machine.netboots() => match facts.hindrance {
                Some(hindrance) => self.disk(machine, &facts, hindrance.reason(), now),
                None => self.install(machine, &facts, now),
            },
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
        let moment = Moment::Boot { ticket: facts.ticket, profile: profile.clone(), inside: None };
        match lifecycle::next(machine, moment, now) {
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
        reasons.extend(named.map(|by| Reason::new("own disk", Words::from(format!("by {way}, ")).then(by))));
        Decision::new(ScriptReply::Disk { way }, reasons).with(Effect::Tell(tale))
    }

    /// The way to the disk, and on whose word.
    fn way(&self, machine: Option<&Machine>, facts: &ScriptFacts<'_>) -> (DiskBoot, Option<Words>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::lifecycle;
    use uuid::Uuid;

    const NOW: Time = Time::from_secs(1000);
    const TOKEN: Hash = Hash([1; 32]);
    const IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);

    fn installing() -> (Machine, Lease) {
        let mac: Mac = "52:54:00:00:00:01".parse().unwrap();
        let mut machine = lifecycle::newcomer(mac, State::Armed, [Uuid::nil(); 2], NOW);
        let boot = Boot {
            token: TOKEN,
            report: Hash([2; 32]),
            ip: IP,
            served_at: NOW,
            expires_at: NOW.plus_secs(600),
            answered_at: None,
            reported_at: None,
            profile: None,
            repeats: 0,
            inside: None,
        };
        machine.install = Some(Install { boots: 1, boot: Some(boot), ..Install::new(Uuid::nil(), NOW, State::Ready) });
        let network = "lab".parse().unwrap();
        let (holder, ends_at) = (mac.into(), NOW.plus_secs(60));
        (machine, Lease { network, holder, ip: IP, starts_at: NOW, ends_at, hostname: None })
    }

    #[test]
    fn the_same_script_is_given_again_only_while_its_boot_waits() {
        let (machine, lease) = installing();
        let may = |machine: &Machine, lease: Option<&Lease>, lost, from, now| {
            may_repeat(TOKEN, from, &AgainFacts { machine: Some(machine), lease, lost }, now)
        };
        assert!(may(&machine, Some(&lease), false, IP, NOW));
        assert!(!may(&machine, Some(&lease), true, IP, NOW), "the database is lost");
        assert!(!may(&machine, None, false, IP, NOW), "the lease is gone");
        assert!(!may(&machine, Some(&lease), false, IP, NOW.plus_secs(61)), "or over");
        assert!(!may(&machine, Some(&lease), false, Ipv4Addr::new(10, 0, 0, 11), NOW), "another asks");
        let failed = Machine { state: State::Failed, ..machine.clone() };
        assert!(!may(&failed, Some(&lease), false, IP, NOW), "it was given up");
        let mut answered = machine.clone();
        let boot = answered.install.as_mut().and_then(|install| install.boot.as_mut()).unwrap();
        boot.answered_at = Some(NOW);
        assert!(!may(&answered, Some(&lease), false, IP, NOW), "its answer file was fetched");
        assert!(!may_repeat(
            Hash([9; 32]),
            IP,
            &AgainFacts { machine: Some(&machine), lease: Some(&lease), lost: false },
            NOW
        ));
    }
}
