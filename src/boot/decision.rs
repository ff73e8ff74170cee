//! What a decision is made of: a reply, the effects to apply, and why.

use crate::model::*;
use std::fmt;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// One question that a machine can ask.
pub trait Ask {
    /// What must be known to answer: borrowed, and only what this question needs.
    type Facts<'a>;
    type Reply;

    /// Pure: the same question, facts and moment give the same decision.
    fn decide(&self, facts: Self::Facts<'_>, now: Time) -> Decision<Self::Reply>;
}

#[derive(Debug, Clone, PartialEq)]
pub struct Decision<R> {
    pub reply: R,
    /// To be applied, all or none, before the reply goes out.
    pub effects: Vec<Effect>,
    pub why: Vec<Reason>,
}

impl<R> Decision<R> {
    pub fn new(reply: R, why: Vec<Reason>) -> Self {
        Decision { reply, effects: Vec::new(), why }
    }

    pub fn with(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }
}

/// One rule that applied: its name, and what it said of this case.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    pub rule: &'static str,
    pub text: String,
    /// The records whose word it is, as the text names them.
    pub of: Vec<Mention>,
}

impl Reason {
    pub fn new(rule: &'static str, said: impl Into<Words>) -> Self {
        let Words { text, of } = said.into();
        Reason { rule, text, of }
    }
}

/// A record that a text names: by its name, a reservation by its address.
#[derive(Debug, Clone, PartialEq)]
pub struct Mention {
    /// Where in the text its name ends.
    pub end: usize,
    pub noun: Noun,
    pub name: String,
}

/// A text, and the records that it names: who asks `why` is told when each was last changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Words {
    pub text: String,
    pub of: Vec<Mention>,
}

impl Words {
    /// The noun and the name of a record.
    pub fn record(noun: Noun, name: impl std::fmt::Display) -> Self {
        Words::from(format!("{noun} {name}")).naming(noun, name)
    }

    /// What the text says so far names this record at its end.
    pub fn naming(mut self, noun: Noun, name: impl ToString) -> Self {
        self.of.push(Mention { end: self.text.len(), noun, name: name.to_string() });
        self
    }

    pub fn then(mut self, more: impl Into<Words>) -> Self {
        let (Words { text, of }, before) = (more.into(), self.text.len());
        self.text += &text;
        self.of.extend(of.into_iter().map(|mention| Mention { end: before + mention.end, ..mention }));
        self
    }
}

impl From<String> for Words {
    fn from(text: String) -> Words {
        Words { text, of: Vec::new() }
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Words {
        text.to_owned().into()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.text)
    }
}

/// A change to the world, as data: the pool's owner applies what is memory's, the store what must last.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Keep an address for a client that was offered it. Memory only.
    Keep { holder: Holder, ip: Ipv4Addr, until: Time },
    /// Forget an offer that the client did not take. Memory only.
    LetGo { holder: Holder },
    /// Give this address to nobody (else) for a while.
    Avoid(Hold),
    /// A client is told that the address is its own. `was` is the address that it was known to have: where
    /// another node knows better, this one has lost.
    Bind { lease: Lease, was: Option<Ipv4Addr> },
    /// A lease that the store need not write: its address is reserved, or another server gave it. Memory only.
    Know(Lease),
    /// A lease ends before its time; the address may be remembered, but is free.
    Unbind { network: Name, holder: Holder, at: Time },
    /// A MAC without a record was heard. Bounded memory, and a row for `machine adopt`.
    See(Sighting),
    /// A system checked in. Memory, and a row by and by.
    Hear(CheckIn),
    /// Make a record of a machine that announced itself.
    Enlist(Box<Machine>),
    /// Move a machine along its life: only if its revision is still `from`.
    Step(Step),
    /// Nothing may have changed this machine since it was read at this revision.
    Still { machine: MachineId, revision: i64 },
    /// An answer file carries this key.
    Mint(InstallKey),
    /// Keep what an installer found its machine to be.
    Inventory { machine: MachineId, inventory: serde_json::Value },
    /// Spend the key, count the activation keys, set the credential: one transaction, refused as a whole.
    Register(Box<Registration>),
    /// Keep the key that leads a system back to its record; an earlier one that nobody used opens nothing any more.
    Lead(Reactivation),
    /// The system that has this credential is no longer registered; the uses of its keys are free.
    Leave { machine: MachineId, credential: Hash, joined: Names },
    /// Write a line of history.
    Tell(Tale),
}

impl Effect {
    /// Whether a client must not be answered before it is written.
    pub fn is_promise(&self) -> bool {
        !matches!(
            self,
            Effect::Keep { .. }
                | Effect::LetGo { .. }
                | Effect::Know(_)
                | Effect::See(_)
                | Effect::Hear(_)
                | Effect::Tell(_)
        )
    }
}

/// A system that comes in: what of it is true from then on.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    pub machine: MachineId,
    pub credential: Hash,
    pub at: Time,
    /// The single-use key that it spends, where it came with one.
    pub spends: Option<Spent>,
    /// The activation keys whose use is counted: refused where one of them allows no more.
    pub counted: Names,
    /// Those that it joined with before, and which count it no more.
    pub freed: Names,
    /// All keys that count it from now on.
    pub joined: Names,
    pub groups: Names,
    /// Where a key gave it one.
    pub profile: Option<Name>,
}

/// A single-use key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spent {
    /// The one that an answer file carried.
    Install(Hash),
    /// The one that leads a system back to its record.
    Reactivation(Hash),
}

/// A compare-and-set of a machine's life.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub machine: MachineId,
    pub from: i64,
    pub state: State,
    pub state_at: Time,
    pub install: Option<Install>,
}

/// An event before it has an id.
#[derive(Debug, Clone, PartialEq)]
pub struct Tale {
    pub at: Time,
    pub kind: Kind,
    pub machine: Option<MachineId>,
    pub mac: Option<Mac>,
    pub ip: Option<Ipv4Addr>,
    pub text: String,
    pub percent: Option<u8>,
    /// The configuration's that it was decided by; who does not say so leaves it to the store.
    pub revision: Option<i64>,
}

impl Tale {
    pub fn new(at: Time, kind: Kind, text: impl Into<String>) -> Self {
        Tale { at, kind, machine: None, mac: None, ip: None, text: text.into(), percent: None, revision: None }
    }

    pub fn of(mut self, machine: MachineId) -> Self {
        self.machine = Some(machine);
        self
    }

    pub fn by(mut self, mac: Mac) -> Self {
        self.mac = Some(mac);
        self
    }

    pub fn from(mut self, ip: Ipv4Addr) -> Self {
        self.ip = Some(ip);
        self
    }

    /// Gives the event its id.
    pub fn named(self, id: Uuid) -> Event {
        let Tale { at, kind, machine, mac, ip, text, percent, revision } = self;
        Event { id, at, kind, machine, mac, ip, text, percent, revision }
    }
}
