//! What the installer's reports change: how far it is, that it is done, that it gave up.

use super::lifecycle::{self, Moment, Next};
use super::{Ask, Decision, Effect, Reason, Tale};
use crate::model::*;
use std::net::Ipv4Addr;

#[derive(Debug, Clone, PartialEq)]
pub struct ReportAsk {
    /// Of the report URL, which only the answer file carries.
    pub report: Hash,
    pub from: Ipv4Addr,
    pub stage: Stage,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    Started,
    Inventory(serde_json::Value),
    Progress { percent: u8, message: String },
    Done,
    Failed { message: String },
}

/// What must be known to believe a report.
pub struct ReportFacts<'a> {
    /// The machine whose current boot has this report URL.
    pub machine: Option<&'a Machine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportReply {
    Taken,
    NotFound,
}

impl Ask for ReportAsk {
    type Facts<'a> = ReportFacts<'a>;
    type Reply = ReportReply;

    fn decide(&self, facts: ReportFacts<'_>, now: Time) -> Decision<ReportReply> {
        let bound = |m: &Machine| m.install.as_ref().and_then(|i| i.boot.as_ref()).is_some_and(|b| b.ip == self.from);
        let Some(machine) = facts.machine.filter(|m| bound(m)) else {
            return refused("no boot that is under way has this report URL and this address");
        };
        match &self.stage {
            Stage::Started => self.moved(machine, Moment::Started, Kind::State, "the installer runs".into(), now),
            Stage::Done => self.moved(machine, Moment::Done, Kind::State, "installed".into(), now),
            Stage::Failed { message } => {
                let text = format!("the installer gave up: {message}");
                self.moved(machine, Moment::GaveUp { message: message.clone() }, Kind::State, text, now)
            }
            Stage::Progress { percent, message } => self.progress(machine, *percent, message, now),
            Stage::Inventory(_) if !machine.state.installs() => refused("the machine is not installing"),
            Stage::Inventory(inventory) => {
                let effect = Effect::Inventory { machine: machine.id, inventory: inventory.clone() };
                first(machine, taken("inventory kept"), now).with(effect)
            }
        }
    }
}

/// The same of an installer that knows nothing but its machine's name: believed of one whose answer file was
/// fetched, from the address that it was given to.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedReportAsk {
    pub from: Ipv4Addr,
    pub stage: Stage,
}

impl Ask for NamedReportAsk {
    type Facts<'a> = &'a Machine;
    type Reply = ReportReply;

    fn decide(&self, machine: &Machine, now: Time) -> Decision<ReportReply> {
        let Some(boot) = answered_at(machine, self.from) else {
            let text = format!("{}: {} reported for it, and its installer does not run there", machine.name, self.from);
            let tale = Tale::new(now, Kind::Refused, text.clone()).of(machine.id).from(self.from);
            return refused(&text).with(Effect::Tell(tale));
        };
        let ask = ReportAsk { report: boot.report, from: self.from, stage: self.stage.clone() };
        ask.decide(ReportFacts { machine: Some(machine) }, now)
    }
}

/// The boot whose answer file was given to this address.
fn answered_at(machine: &Machine, from: Ipv4Addr) -> Option<&Boot> {
    let boot = machine.install.as_ref()?.boot.as_ref()?;
    (boot.ip == from && boot.answered_at.is_some()).then_some(boot)
}

/// Whether its installer runs at this address: its answer file was fetched there, and it has not ended.
pub fn installs_at(machine: &Machine, from: Ipv4Addr) -> bool {
    machine.state == State::Installing && answered_at(machine, from).is_some()
}

impl ReportAsk {
    fn moved(&self, machine: &Machine, moment: Moment, kind: Kind, text: String, now: Time) -> Decision<ReportReply> {
        match lifecycle::next(machine, moment, now) {
            Next::Already => taken("known already"),
            Next::Refused(why) => refused(&why.text),
            Next::Step(step) => {
                taken(&text).with(Effect::Step(step)).with(Effect::Tell(self.tale(machine, kind, text, now)))
            }
        }
    }

    fn progress(&self, machine: &Machine, percent: u8, message: &str, now: Time) -> Decision<ReportReply> {
        if !machine.state.installs() {
            return refused("the machine is not installing");
        }
        let mut tale = self.tale(machine, Kind::Progress, message.to_owned(), now);
        tale.percent = Some(percent.min(100));
        first(machine, taken("progress"), now).with(Effect::Tell(tale))
    }

    fn tale(&self, machine: &Machine, kind: Kind, text: String, now: Time) -> Tale {
        Tale::new(now, kind, text).of(machine.id).from(self.from)
    }
}

/// Whatever an installer reports, with its first word the answer file is closed.
fn first(machine: &Machine, decision: Decision<ReportReply>, now: Time) -> Decision<ReportReply> {
    match lifecycle::next(machine, Moment::Started, now) {
        Next::Step(step) => decision.with(Effect::Step(step)),
        _ => decision,
    }
}

fn taken(text: &str) -> Decision<ReportReply> {
    Decision::new(ReportReply::Taken, vec![Reason::new("report", text)])
}

fn refused(text: &str) -> Decision<ReportReply> {
    Decision::new(ReportReply::NotFound, vec![Reason::new("report", text)])
}
