//! The running system's questions: is there anything for me to do, may I install myself anew, and what became of it.

use super::lifecycle::{self, BOOTS, Moment, Next, Ticket};
use super::role;
use super::script::Hindrance;
use super::{Ask, Decision, Effect, Reason, Tale};
use crate::model::*;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// How soon a system that checked in comes again.
pub const AGAIN_SECS: u32 = 900;

/// What a system tells that has the credential of a machine: it is heard, and may have come back.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckInAsk {
    pub from: Ipv4Addr,
    /// The boot id of its kernel.
    pub life: Uuid,
    pub up_secs: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Nothing,
    Reinstall,
}

impl Ask for CheckInAsk {
    type Facts<'a> = &'a Machine;
    type Reply = Wish;

    fn decide(&self, machine: &Machine, now: Time) -> Decision<Wish> {
        let booted_at = Time(now.0.saturating_sub(i64::from(self.up_secs).saturating_mul(1_000_000)));
        self.wish(machine, booted_at, now).with(Effect::Hear(CheckIn {
            machine: machine.id,
            at: now,
            booted_at,
            ip: self.from,
        }))
    }
}

impl CheckInAsk {
    fn wish(&self, machine: &Machine, booted_at: Time, now: Time) -> Decision<Wish> {
        let Some(install) = &machine.install else { return nothing("no arming") };
        match (&install.boot, install.inside()) {
            (None, _) if install.inside_only && machine.state == State::Armed => Decision::new(
                Wish::Reinstall,
                vec![Reason::new("arming", "its running system is to start the installer")],
            ),
            (Some(boot), Some(inside)) => self.came_back(machine, boot, inside, now),
            // Nobody told its life. What was up when the answer file went out may only have read it; what came up since was on the disk.
            (Some(Boot { answered_at: Some(answered), .. }), None)
                if machine.state == State::Installing && booted_at > *answered =>
            {
                let text = unfinished(machine);
                back(machine, nothing(&text), text, self.from, now)
            }
            _ => nothing("nothing that its running system could do"),
        }
    }

    fn came_back(&self, machine: &Machine, boot: &Boot, inside: &Inside, now: Time) -> Decision<Wish> {
        let n = &machine.name;
        let restarted = inside.life != self.life;
        let started = inside.way.map(|way| format!("it was started by {way}, "));
        let text = match (boot.answered_at, started) {
            _ if !restarted && (boot.answered_at.is_some() || boot.expires_at > now) => {
                return nothing("its installer may still be started");
            }
            (Some(_), _) => unfinished(machine),
            (None, Some(started)) if restarted => {
                format!("the new kernel never reported: {started}{n} is back on its old system")
            }
            (None, None) if restarted => {
                format!("{n} was restarted before its installer was started, into its old system")
            }
            (None, _) => format!("the installer of {n} was never started: it is still on its old system"),
        };
        back(machine, nothing(&text), text, self.from, now)
    }
}

/// May this system install itself anew, and with what?
#[derive(Debug, Clone, PartialEq)]
pub struct ReinstallAsk {
    pub from: Ipv4Addr,
    pub life: Uuid,
    /// Its card that leads here.
    pub mac: Mac,
    pub profile: Option<Name>,
    pub carried: Option<Carried>,
}

/// What must be known to let it.
pub struct ReinstallFacts<'a> {
    /// Whose credential it has.
    pub machine: &'a Machine,
    /// Where its installer will be: the network of the card's own address, or of the one that asks.
    pub network: Option<&'a Network>,
    /// What the card has leased there.
    pub lease: Option<&'a Lease>,
    /// A key of the machine's that lets its system do so unasked.
    pub permitted_by: Option<&'a Name>,
    pub profiles: &'a BTreeMap<Name, Profile>,
    pub ranges: &'a [Range],
    pub hindrance: Option<Hindrance>,
    /// For an arming, where its key lets it arm itself.
    pub install: Uuid,
    /// Freshly made secrets, hashed: for the request's address.
    pub ticket: Ticket,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ReinstallReply {
    /// The installer of this profile, which will have this address on this card.
    Start {
        machine: MachineId,
        profile: Name,
        at: (Mac, Ipv4Addr),
    },
    /// So it may, once its record names that profile.
    Rename {
        machine: MachineId,
        profile: Name,
    },
    Refused(String),
}

impl Ask for ReinstallAsk {
    type Facts<'a> = ReinstallFacts<'a>;
    type Reply = ReinstallReply;

    fn decide(&self, facts: ReinstallFacts<'_>, now: Time) -> Decision<ReinstallReply> {
        let machine = facts.machine;
        let told = (|| {
            if let Some(hindrance) = facts.hindrance {
                return Err(hindrance.reason().text);
            }
            let network = self.network(&facts)?;
            let (armed, by) = self.armed(&facts, now)?;
            // Before its record is given another profile: what is refused changes nothing.
            let ip = self.seat(&facts, network, now)?;
            if let Some(profile) = self.other_profile(&facts, by)? {
                let reply = ReinstallReply::Rename { machine: machine.id, profile: profile.clone() };
                return Ok(Decision::new(reply, vec![Reason::new("profile", format!("{profile}, as asked for"))]));
            }
            let (profile, named) = role::profile(Some(machine), ip, facts.ranges, network);
            let profile = profile.ok_or_else(|| format!("its profile is {}", named.text))?;
            let inside = Inside { mac: self.mac, life: self.life, way: None, carried: self.carried.clone() };
            let moment =
                Moment::Boot { ticket: Ticket { ip, ..facts.ticket }, profile: profile.clone(), inside: Some(inside) };
            match lifecycle::next(&armed, moment, now) {
                Next::Step(step) if step.state == State::Failed => Ok(self.too_often(machine, step, now)),
                Next::Step(step) => Ok(self.start(machine, (profile, named), (ip, by), step, now)),
                Next::Refused(why) => Err(why.text),
                Next::Already => Err("nothing to start".into()),
            }
        })();
        told.unwrap_or_else(|text| self.refused(machine, text, now))
    }
}

impl ReinstallAsk {
    fn network<'a>(&self, facts: &ReinstallFacts<'a>) -> Result<&'a Network, String> {
        let (n, mac) = (&facts.machine.name, self.mac);
        let network = facts.network.ok_or_else(|| {
            format!(
                "{} is on no network of this server: `kickstand network add NAME --cidr CIDR` one that holds it; `--dhcp off` leaves its addresses to others",
                self.from
            )
        })?;
        match facts.machine.has(mac) {
            true => Ok(network),
            false => {
                Err(format!("{mac} is no card of {n}: `kickstand machine set {n} --interface {mac}` if it is meant"))
            }
        }
    }

    /// The machine as armed by an operator, or by a key of its; and by which.
    fn armed<'a>(&self, facts: &ReinstallFacts<'a>, now: Time) -> Result<(Machine, Option<&'a Name>), String> {
        let (machine, n) = (facts.machine, &facts.machine.name);
        if machine.state.installs() {
            return Ok((machine.clone(), None));
        }
        let Some(key) = facts.permitted_by else {
            return Err(format!(
                "{n} is {}, not armed: `kickstand machine reinstall {n}` on the server allows it, or a key that it joined with (`kickstand key set KEY --reinstalls true`)",
                machine.state
            ));
        };
        match lifecycle::next(machine, Moment::Arm { install: facts.install, inside_only: true }, now) {
            Next::Step(step) => {
                Ok((Machine { state: step.state, install: step.install, ..machine.clone() }, Some(key)))
            }
            Next::Already => Ok((machine.clone(), Some(key))),
            Next::Refused(why) => Err(why.text),
        }
    }

    /// The profile that its record is to name from now on. Whoever is root on it will see what that carries: an
    /// arming is for the profile that it was made with, only a key leaves the choice.
    fn other_profile<'a>(&'a self, facts: &ReinstallFacts<'_>, by: Option<&Name>) -> Result<Option<&'a Name>, String> {
        let (machine, n) = (facts.machine, &facts.machine.name);
        let Some(wanted) = self.profile.as_ref().filter(|wanted| machine.profile.as_ref() != Some(wanted)) else {
            return Ok(None);
        };
        if !facts.profiles.contains_key(wanted) {
            return Err(format!("there is no profile {wanted}: `kickstand profile list` shows what there is"));
        }
        match by.or(facts.permitted_by) {
            Some(_) => Ok(Some(wanted)),
            None => Err(format!(
                "{n} is not armed for profile {wanted}: `kickstand machine reinstall {n} --profile {wanted}`"
            )),
        }
    }

    /// The address that its installer will have.
    fn seat(&self, facts: &ReinstallFacts<'_>, network: &Network, now: Time) -> Result<Ipv4Addr, String> {
        if let Some(carried) = &self.carried {
            return fits(carried, self.from).map(|()| self.from);
        }
        if let Some(own) = facts.machine.interface(self.mac).and_then(|card| card.ip) {
            return Ok(own);
        }
        if let Some(lease) = facts.lease.filter(|lease| lease.ends_at > now) {
            return Ok(lease.ip);
        }
        match network.dhcp.placement {
            // Whoever gives addresses there gave this one, too.
            Placement::Proxy | Placement::Off => Ok(self.from),
            Placement::Full | Placement::Relayed => Err(format!(
                "{} was not leased here, and the installer would get another: `kickstand-agent reinstall --keep-network` takes it along, or `kickstand machine set {} --ip {}`",
                self.from, facts.machine.name, self.from
            )),
        }
    }

    fn start(
        &self,
        machine: &Machine,
        (profile, named): (&Name, Reason),
        (ip, by): (Ipv4Addr, Option<&Name>),
        step: super::Step,
        now: Time,
    ) -> Decision<ReinstallReply> {
        let boots = step.install.as_ref().map_or(0, |install| install.boots);
        let text = format!("installer of profile {profile}, boot {boots} of at most {BOOTS}, for its running system");
        let reply = ReinstallReply::Start { machine: machine.id, profile: profile.clone(), at: (self.mac, ip) };
        let mut decision = Decision::new(reply, vec![named, Reason::new("reinstall", text.clone())]);
        decision = decision.with(Effect::Step(step));
        if let Some(key) = by {
            let text = format!("armed by its own system: activation key {key} permits it");
            decision = decision.with(Effect::Tell(self.tale(machine, Kind::State, text, now)));
        }
        decision.with(Effect::Tell(self.tale(machine, Kind::Script, text, now)))
    }

    fn too_often(&self, machine: &Machine, step: super::Step, now: Time) -> Decision<ReinstallReply> {
        let n = &machine.name;
        let text = format!(
            "machine {n} was given the installer {BOOTS} times and did not finish: failed; look at its console, then `kickstand machine reinstall {n}`"
        );
        Decision::new(ReinstallReply::Refused(text.clone()), vec![Reason::new("lifecycle", text.clone())])
            .with(Effect::Step(step))
            .with(Effect::Tell(self.tale(machine, Kind::State, text, now)))
    }

    fn refused(&self, machine: &Machine, text: String, now: Time) -> Decision<ReinstallReply> {
        let told = format!("its running system may not be installed anew: {text}");
        Decision::new(ReinstallReply::Refused(text.clone()), vec![Reason::new("reinstall", text)])
            .with(Effect::Tell(self.tale(machine, Kind::Refused, told, now)))
    }

    fn tale(&self, machine: &Machine, kind: Kind, text: String, now: Time) -> Tale {
        Tale::new(now, kind, text).of(machine.id).by(self.mac).from(self.from)
    }
}

/// What a running system says of its network comes from its root: what can not be so is not put on a kernel's line.
fn fits(carried: &Carried, from: Ipv4Addr) -> Result<(), String> {
    let Carried { ip, prefix, gateway, dns } = carried;
    if *ip != from {
        return Err(format!(
            "it has {ip} and asks from {from}: what is between them changes addresses, its network can not be kept"
        ));
    }
    let net = ipnetwork::Ipv4Network::new(*ip, *prefix).ok().filter(|net| net.prefix() > 0);
    let net = net.ok_or_else(|| format!("{ip}/{prefix} is no address with its prefix"))?;
    if let Some(gateway) = gateway.filter(|gateway| !net.contains(*gateway) || gateway == ip) {
        return Err(format!("gateway {gateway} is not on {net}"));
    }
    match dns.iter().find(|dns| dns.is_loopback() || dns.is_unspecified() || dns.is_multicast()) {
        Some(dns) => Err(format!("{dns} is no name server that others can ask")),
        None if dns.len() > 3 => Err("more than three name servers".into()),
        None => Ok(()),
    }
}

/// Told just before the installer is started, or instead.
#[derive(Debug, Clone, PartialEq)]
pub struct StartsAsk {
    pub from: Ipv4Addr,
    pub life: Uuid,
    /// How it is started; or why it is not, and nothing has changed.
    pub way: Result<Way, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartsReply {
    Taken,
    /// This boot is not, or no longer, under way: it must not be started.
    Over,
}

impl Ask for StartsAsk {
    type Facts<'a> = &'a Machine;
    type Reply = StartsReply;

    fn decide(&self, machine: &Machine, now: Time) -> Decision<StartsReply> {
        let over = |text: String| Decision::new(StartsReply::Over, vec![Reason::new("reinstall", text)]);
        let boot = machine.install.as_ref().and_then(|install| install.boot.as_ref());
        let ours = |boot: &&Boot| boot.inside.as_ref().is_some_and(|inside| inside.life == self.life);
        let waits = |boot: &&Boot| boot.answered_at.is_none() && machine.state == State::Armed;
        let taken = Decision::new(StartsReply::Taken, vec![Reason::new("reinstall", "its running system's own word")]);
        // It could not even ask for a boot: the next check-in would only wish for it again.
        let is_wished = machine.state == State::Armed
            && machine.install.as_ref().is_some_and(|i| i.inside_only && i.boot.is_none());
        if let (Err(why), true) = (&self.way, is_wished) {
            return ended(machine, Moment::Disarm, taken, not_started(why), (self.from, now));
        }
        let Some(boot) = boot.filter(ours).filter(waits) else {
            return over(format!("{} has no boot that this system took and did not start", machine.name));
        };
        match &self.way {
            Err(why) => back(machine, taken, not_started(why), self.from, now),
            Ok(_) if boot.expires_at <= now => over(format!("the token of this boot of {} is over", machine.name)),
            Ok(way) => match lifecycle::next(machine, Moment::Starts { way: *way }, now) {
                Next::Refused(why) => over(why.text),
                Next::Already => taken,
                Next::Step(step) => {
                    let text = format!("its running system starts the installer by {way}");
                    let tale = Tale::new(now, Kind::State, text).of(machine.id).from(self.from);
                    taken.with(Effect::Step(step)).with(Effect::Tell(tale))
                }
            },
        }
    }
}

fn unfinished(machine: &Machine) -> String {
    format!("its installer fetched the answer file and did not finish: {} is back on its old system", machine.name)
}

fn not_started(why: &str) -> String {
    format!("its running system did not start the installer, and changed nothing: {why}")
}

fn nothing(text: &str) -> Decision<Wish> {
    Decision::new(Wish::Nothing, vec![Reason::new("arming", text)])
}

/// The boot that it took came to nothing.
fn back<R>(machine: &Machine, decision: Decision<R>, text: String, from: Ipv4Addr, now: Time) -> Decision<R> {
    ended(machine, Moment::Back, decision, text, (from, now))
}

/// The arming is over, and the machine what it was before.
fn ended<R>(
    machine: &Machine,
    moment: Moment,
    decision: Decision<R>,
    text: String,
    (from, now): (Ipv4Addr, Time),
) -> Decision<R> {
    match lifecycle::next(machine, moment, now) {
        Next::Step(step) => {
            let text = format!("{text}; it is {} again, and no longer armed", step.state);
            let tale = Tale::new(now, Kind::State, text).of(machine.id).from(from);
            decision.with(Effect::Step(step)).with(Effect::Tell(tale))
        }
        Next::Already | Next::Refused(_) => decision,
    }
}
