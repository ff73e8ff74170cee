//! A machine's life: the only place that decides a state, and what makes install loops impossible.
//!
//! Two promises. An installer is served at most [`BOOTS`] times for each arming, whatever was reported, to firmware or
//! to a running system. And only an operator arms, a network that installs unknown machines, once, or a system whose
//! key permits it, when somebody on it asks.

use super::{Reason, Step};
use crate::model::*;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// How many boots of one arming are given the installer.
pub const BOOTS: u8 = 3;
/// A script that is asked for again within this time, before its answer file was, belongs to the same boot.
const SAME_BOOT_SECS: u32 = 30;
/// How often one boot may ask for its script again without being counted.
const REPEATS: u8 = 3;

/// How long a boot's token opens the answer file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// From the script until the answer file is fetched.
    pub unused_secs: u32,
    /// From then on: some installers fetch it twice.
    pub used_secs: u32,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Lifetimes { unused_secs: 3600, used_secs: 900 }
    }
}

/// What can happen to a machine.
#[derive(Debug, Clone, PartialEq)]
pub enum Moment {
    /// An operator takes in a discovered machine.
    Adopt,
    /// An operator wants it installed: at its next network boot, or by its running system alone.
    Arm { install: Uuid, inside_only: bool },
    /// An operator changed their mind.
    Disarm,
    /// Its metal was replaced: whatever the old one was doing is over.
    Replace,
    /// A network boot asks for its script, at its own address; or the running system, from inside, for what it starts.
    Boot { ticket: Ticket, profile: Name, inside: Option<Inside> },
    /// The running system is about to start its installer.
    Starts { way: Way },
    /// The old system is up again, or stayed: the boot that it took by itself came to nothing.
    Back,
    /// The answer file is fetched with the token of the current boot, which lives so long from then on.
    Answer { lives_secs: u32 },
    /// The installer runs.
    Started,
    /// The installer's last step.
    Done,
    /// The installer gave up.
    GaveUp { message: String },
    /// Somebody else came with the token.
    SecondClaimant { from: Ipv4Addr },
    /// The installed system spent its key.
    Register,
    /// A system that runs already comes in, with an operator's key.
    Join,
    /// It leaves: its record stays.
    Leave,
}

/// What one boot is handed: the hashes of its secrets, and the address that they are bound to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ticket {
    pub token: Hash,
    pub report: Hash,
    pub ip: Ipv4Addr,
    /// How long the token may lie unused.
    pub lives_secs: u32,
}

/// What follows: a step to commit, nothing new, or a refusal that says why.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    Step(Step),
    /// It was so already: repeating a request is harmless.
    Already,
    Refused(Reason),
}

/// The one transition table.
pub fn next(machine: &Machine, moment: Moment, now: Time) -> Next {
    let at = At { machine, now };
    match (machine.state, moment) {
        (State::Discovered, Moment::Adopt) => at.step(State::Ready, machine.install.clone()),
        (_, Moment::Adopt) => Next::Already,
        (_, Moment::Arm { install, inside_only }) => at.arm(install, inside_only),
        (State::Armed, Moment::Disarm) => at.step(at.before(), None),
        // Nobody can say how much of the old disk is left.
        (State::Installing, Moment::Disarm) => at.fail(),
        (_, Moment::Disarm) => Next::Already,
        (_, Moment::Replace) => at.step(State::Ready, None),
        (State::Armed | State::Installing, Moment::Boot { ticket, profile, inside }) => {
            at.boot(ticket, profile, inside)
        }
        (state, Moment::Boot { .. }) => at.refuse(format!("it is {state}, not armed")),
        (State::Armed, Moment::Starts { way }) => at.starts(way),
        (State::Armed | State::Installing | State::Failed, Moment::Back) if at.is_inside() => {
            at.step(at.before(), None)
        }
        // It fetched its answer file by its name, or booted from the network: its old system came up since.
        (State::Installing, Moment::Back) => at.step(at.before(), None),
        (_, Moment::Back) => Next::Already,
        (State::Armed | State::Installing, Moment::Answer { lives_secs }) => at.answer(lives_secs),
        (State::Armed | State::Installing, Moment::Started) => at.started(State::Installing),
        (State::Armed | State::Installing, Moment::Done) => at.started(State::Installed),
        (State::Installed | State::Registered, Moment::Started | Moment::Done) => Next::Already,
        (State::Armed | State::Installing, Moment::GaveUp { .. } | Moment::SecondClaimant { .. }) => at.fail(),
        (State::Failed, Moment::GaveUp { .. }) => Next::Already,
        // A key that its answer file carried may come before a `done` that was lost on the way.
        (State::Installing | State::Installed, Moment::Register) => at.step(State::Registered, machine.install.clone()),
        (State::Armed | State::Installing, Moment::Join | Moment::Leave) => {
            at.refuse(format!("it is {}, so another system may take its place any moment", machine.state))
        }
        (_, Moment::Join) => at.step(State::Registered, machine.install.clone()),
        (_, Moment::Leave) => at.step(State::Ready, None),
        (state, moment) => at.refuse(format!("it is {state}, which leaves no room for {moment:?}")),
    }
}

/// The record of a system that comes in with a key, and has none yet.
pub fn joined(mac: Mac, ids: [Uuid; 2], now: Time) -> Machine {
    newcomer(mac, State::Registered, ids, now)
}

/// The record of a machine that a network takes in by itself.
pub fn newcomer(mac: Mac, state: State, [id, install]: [Uuid; 2], now: Time) -> Machine {
    let arming = Install::new(install, now, State::Discovered);
    Machine {
        id: MachineId(id),
        name: mac.dashed().parse().expect("a MAC with dashes is a name"),
        interfaces: vec![Interface { mac, ip: None }],
        profile: None,
        keys: Names::default(),
        groups: Names::default(),
        arguments: String::new(),
        variables: Variables::new(),
        secrets: Secrets::default(),
        options: OptionSet::default(),
        loader: None,
        disk_boot: None,
        state,
        state_at: now,
        install: (state == State::Armed).then_some(arming),
        inventory: None,
        joined: Names::default(),
        credential: None,
        created_at: now,
        revision: 0,
    }
}

struct At<'a> {
    machine: &'a Machine,
    now: Time,
}

impl At<'_> {
    fn step(&self, state: State, install: Option<Install>) -> Next {
        let Machine { id, revision, .. } = *self.machine;
        Next::Step(Step { machine: id, from: revision, state, state_at: self.now, install })
    }

    fn refuse(&self, text: String) -> Next {
        Next::Refused(Reason::new("lifecycle", format!("machine {}: {text}", self.machine.name)))
    }

    fn before(&self) -> State {
        self.machine.install.as_ref().map_or(State::Ready, |i| i.before)
    }

    fn is_inside(&self) -> bool {
        self.machine.install.as_ref().is_some_and(|install| install.inside().is_some())
    }

    fn arm(&self, install: Uuid, inside_only: bool) -> Next {
        let before = if self.machine.state.installs() { self.before() } else { self.machine.state };
        self.step(State::Armed, Some(Install { inside_only, ..Install::new(install, self.now, before) }))
    }

    /// The script of this very boot, asked for once more: a few times, and never from the future of a clock
    /// that was set back.
    fn is_same(&self, boot: &Boot, ip: Ipv4Addr, inside: Option<&Inside>) -> bool {
        let fresh = boot.served_at <= self.now && self.now.secs_since(boot.served_at) < SAME_BOOT_SECS;
        let life = |inside: &Inside| inside.life;
        let same_life = boot.inside.as_deref().map(life) == inside.map(life);
        boot.answered_at.is_none() && boot.ip == ip && fresh && same_life && boot.repeats < REPEATS
    }

    fn boot(&self, ticket: Ticket, profile: Name, inside: Option<Inside>) -> Next {
        let Some(install) = &self.machine.install else { return self.refuse("it has no arming".into()) };
        if inside.is_none() && !self.machine.netboots() {
            return self.refuse("its running system starts the installer, not the network".into());
        }
        let same = install.boot.as_ref().filter(|boot| self.is_same(boot, ticket.ip, inside.as_ref()));
        if install.boots >= BOOTS && same.is_none() {
            return self.fail();
        }
        // A repeated request keeps the first one's moment, so that fast loops are counted too.
        let served_at = same.map_or(self.now, |boot| boot.served_at);
        let boot = Boot {
            token: ticket.token,
            report: ticket.report,
            ip: ticket.ip,
            served_at,
            expires_at: self.now.plus_secs(ticket.lives_secs),
            answered_at: None,
            reported_at: None,
            profile: Some(profile),
            repeats: same.map_or(0, |boot| boot.repeats.saturating_add(1)),
            inside: inside.map(Box::new),
        };
        let boots = install.boots.saturating_add(u8::from(same.is_none()));
        self.step(self.machine.state, Some(Install { boots, boot: Some(boot), ..install.clone() }))
    }

    fn starts(&self, way: Way) -> Next {
        match self.is_inside() {
            true => self.marked(State::Armed, |boot, _| boot.inside.iter_mut().for_each(|i| i.way = Some(way))),
            false => self.refuse("its running system took no boot".into()),
        }
    }

    fn answer(&self, lives_secs: u32) -> Next {
        self.marked(State::Installing, |boot, now| {
            if boot.answered_at.is_none() {
                (boot.answered_at, boot.expires_at) = (Some(now), now.plus_secs(lives_secs));
            }
        })
    }

    fn started(&self, state: State) -> Next {
        self.marked(state, |boot, now| boot.reported_at = boot.reported_at.or(Some(now)))
    }

    fn marked(&self, state: State, mark: impl Fn(&mut Boot, Time)) -> Next {
        let Some(install) = &self.machine.install else { return self.refuse("it has no arming".into()) };
        let mut marked = install.clone();
        marked.boot.iter_mut().for_each(|boot| mark(boot, self.now));
        if state == self.machine.state && marked == *install {
            return Next::Already;
        }
        self.step(state, Some(marked))
    }

    fn fail(&self) -> Next {
        self.step(State::Failed, self.machine.install.clone())
    }
}
