//! One virtual client: its card, its clock, and what it remembers of its way. How it asks lies in `dhcp`, `tftp` and `life`.

use super::cast::Actor;
use super::loss::Loss;
use super::stage::Stage;
use crate::model::Time;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant, SystemTime};

/// The legs of the way from power-on to the registered system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leg {
    Address,
    Loader,
    Script,
    Kernel,
    Answer,
    Report,
    Disk,
    Registration,
    /// No leg of the way: the client itself broke down.
    Itself,
}

impl Leg {
    /// Those that take time.
    pub const ALL: &'static [Leg] =
        &[Leg::Address, Leg::Loader, Leg::Script, Leg::Kernel, Leg::Answer, Leg::Report, Leg::Disk, Leg::Registration];

    pub fn word(self) -> &'static str {
        match self {
            Leg::Address => "address",
            Leg::Loader => "loader",
            Leg::Script => "script",
            Leg::Kernel => "kernel",
            Leg::Answer => "answer",
            Leg::Report => "report",
            Leg::Disk => "own disk",
            Leg::Registration => "registration",
            Leg::Itself => "rehearsal",
        }
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Where a client got stuck, and what was said.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub step: Leg,
    pub text: String,
    /// Nobody answered: whoever is switched on again may have more luck.
    pub silent: bool,
}

impl Fault {
    pub fn new(step: Leg, text: impl Into<String>) -> Fault {
        Fault { step, text: text.into(), silent: false }
    }

    pub fn silence(step: Leg, text: impl Into<String>) -> Fault {
        Fault { step, text: text.into(), silent: true }
    }
}

/// A client that is switched on.
pub struct Client<'a> {
    pub actor: &'a Actor,
    pub stage: &'a Stage,
    pub loss: Loss,
    /// Packets that it had to send again.
    pub repeats: u64,
    pub laps: Vec<(Leg, Duration)>,
    /// What was said before this moment is not why it fails now.
    pub since: Time,
    pub ip: Ipv4Addr,
    /// The loader that it was given.
    pub loader: Option<String>,
}

impl<'a> Client<'a> {
    pub fn new(actor: &'a Actor, stage: &'a Stage, loss: Loss) -> Client<'a> {
        let (laps, ip) = (Vec::new(), Ipv4Addr::UNSPECIFIED);
        Client { actor, stage, loss, repeats: 0, laps, since: Time(0), ip, loader: None }
    }

    /// Remembers how long a step took that was taken.
    pub fn took(&mut self, step: Leg, since: Instant) {
        self.laps.push((step, since.elapsed()));
        self.heard_enough();
    }

    /// Whatever was said until now led to nothing.
    pub fn heard_enough(&mut self) {
        self.since = SystemTime::now().into();
    }
}
