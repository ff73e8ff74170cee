//! A registered system leaves: its record stays, its credential opens nothing, and the uses of its keys are free.

use super::lifecycle::{self, Moment, Next};
use super::{Ask, Decision, Effect, Reason, Tale};
use crate::model::*;
use std::net::Ipv4Addr;

#[derive(Debug, Clone, PartialEq)]
pub struct LeaveAsk {
    pub from: Ipv4Addr,
    /// The hash of its credential.
    pub credential: Hash,
}

#[derive(Debug, Clone, PartialEq)]
pub enum LeaveReply {
    Left,
    /// With what to do first.
    Refused(String),
}

impl Ask for LeaveAsk {
    /// Whose credential it is.
    type Facts<'a> = &'a Machine;
    type Reply = LeaveReply;

    fn decide(&self, machine: &Machine, now: Time) -> Decision<LeaveReply> {
        let name = &machine.name;
        match lifecycle::next(machine, Moment::Leave, now) {
            Next::Already => Decision::new(LeaveReply::Left, vec![Reason::new("lifecycle", "it left already")]),
            Next::Refused(why) => {
                let text = format!("{}: `kickstand machine disarm {name}` on the server first", why.text);
                Decision::new(LeaveReply::Refused(text), vec![why])
            }
            Next::Step(step) => {
                let text = format!("{name} is no longer registered: its system left");
                let leave =
                    Effect::Leave { machine: machine.id, credential: self.credential, joined: machine.joined.clone() };
                Decision::new(LeaveReply::Left, vec![Reason::new("credential", text.clone())])
                    .with(Effect::Step(step))
                    .with(leave)
                    .with(Effect::Tell(Tale::new(now, Kind::Registered, text).of(machine.id).from(self.from)))
            }
        }
    }
}
