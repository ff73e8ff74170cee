//! How many four-way exchanges a second a server sustains, with a site's worth of records behind it.
//!
//! Each rate is tried on a server that was started anew, with clients that it has never seen: so no rate
//! profits from what an earlier one left behind, and every ACK is a binding to be kept.

use crate::Lab;
use crate::ours::Counters;
use crate::perfdhcp::{self, Run};
use crate::report::{Bar, Report, say};
use crate::server::{Kind, Server};
use crate::stock::SITE;
use anyhow::Result;

/// More lost than this is not sustained.
const LOST_PERCENT: f64 = 1.0;
const FIRST_RATE: f64 = 4000.0;
/// A server that does not sustain this sustains nothing.
const LEAST_RATE: f64 = 100.0;
/// From one rate to the next, until one is not sustained; then the gap is halved until it is this small.
const STEP: f64 = 1.5;
const GAP: f64 = 1.04;
const QUICK_GAP: f64 = 1.2;
/// What of the offered rate must be acknowledged: perfdhcp may offer less than it was told to.
const ENOUGH: f64 = 0.97;
/// How much more than it sustains an overloaded server is offered.
const OVERLOAD: f64 = 1.5;

pub fn run(lab: &Lab) -> Result<Report> {
    let mut all = [Kind::Ours, Kind::Kea, Kind::Responder].map(Climb::new);
    // By turns: what else this machine does meanwhile is shared fairly.
    while !all.iter().all(|climb| climb.is_done(lab)) {
        for climb in all.iter_mut().filter(|climb| !climb.is_done(lab)) {
            climb.go_on(lab)?;
        }
    }
    let [ours, kea, responder] = all;
    let (sustained, overloaded) = (ours.best.acks_per_sec, ours.overloaded(lab)?);
    let mut report = Report::default();
    report.add("exchanges", sustained, Some(kea.best.acks_per_sec), "ACKs/s", Bar::RatioAtLeast(2.0));
    report.add("exchanges.responder", sustained, Some(responder.best.acks_per_sec), "ACKs/s", Bar::RatioAtLeast(0.8));
    report.add("exchanges.overloaded", overloaded, Some(kea.overloaded(lab)?), "ACKs/s", Bar::None);
    report.add("exchanges.cpu", ours.best.cpu_us, Some(kea.best.cpu_us), "us/exchange", Bar::None);
    let bare_us = responder.best.cpu_us;
    report.add("exchanges.cpu.responder", ours.best.cpu_us, Some(bare_us), "us/exchange", Bar::None);
    if let Some(acks_per_commit) = ours.best.acks_per_commit {
        report.add("exchanges.acks_per_commit", acks_per_commit, None, "ACKs", Bar::None);
    }
    Ok(report)
}

/// The way to the highest rate that a server sustains.
struct Climb {
    kind: Kind,
    /// The highest rate that it sustained, and the lowest that it did not.
    low: f64,
    high: f64,
    rate: f64,
    missed: bool,
    best: Step,
}

impl Climb {
    fn new(kind: Kind) -> Climb {
        Climb { kind, low: 0.0, high: f64::INFINITY, rate: FIRST_RATE, missed: false, best: Step::default() }
    }

    fn is_done(&self, lab: &Lab) -> bool {
        let gap = if lab.quick { QUICK_GAP } else { GAP };
        self.rate < LEAST_RATE || self.high / self.low <= gap
    }

    fn go_on(&mut self, lab: &Lab) -> Result<()> {
        let step = step(lab, self.kind, self.rate)?;
        if step.lost_percent < LOST_PERCENT && step.acks_per_sec > self.rate * ENOUGH {
            (self.low, self.best) = (self.rate, step);
        } else if !self.missed {
            // A second chance: these machines have other things to do as well.
            self.missed = true;
            return Ok(());
        } else {
            self.high = self.rate;
        }
        self.missed = false;
        self.rate = match (self.low, self.high) {
            (0.0, high) => high / STEP,
            (low, f64::INFINITY) => low * STEP,
            (low, high) => (low * high).sqrt(),
        };
        Ok(())
    }

    /// ACKs a second when it is offered half as much again as what it does not sustain.
    fn overloaded(&self, lab: &Lab) -> Result<f64> {
        Ok(step(lab, self.kind, self.high * OVERLOAD)?.acks_per_sec)
    }
}

/// One rate, tried once.
#[derive(Debug, Default)]
struct Step {
    acks_per_sec: f64,
    lost_percent: f64,
    /// What an exchange costs the server's process.
    cpu_us: f64,
    /// Ours alone tells.
    acks_per_commit: Option<f64>,
}

fn step(lab: &Lab, kind: Kind, rate: f64) -> Result<Step> {
    let mut server = Server::start(lab, kind, SITE)?;
    // Caches and page tables are filled by others.
    perfdhcp::exchanges(lab, 1, 500, 1)?;
    let (cpu, before) = (server.cpu()?, counters(&server));
    let Run { acks, acks_per_sec, lost_percent } =
        perfdhcp::exchanges(lab, 2, rate as u32, if lab.quick { 2 } else { 5 })?;
    server.check()?;
    say(format!("exchanges: {kind}: offered {rate:.0}/s: {acks_per_sec:.0} ACKs/s, {lost_percent:.2} % lost"));
    let cpu_us = (server.cpu()? - cpu).as_secs_f64() * 1e6 / acks as f64;
    let meanwhile = before.zip(counters(&server));
    let acks_per_commit = meanwhile.map(|(old, new)| (new.acks - old.acks) / (new.commits - old.commits));
    Ok(Step { acks_per_sec, lost_percent, cpu_us, acks_per_commit })
}

fn counters(server: &Server) -> Option<Counters> {
    (server.kind == Kind::Ours).then(|| Counters::of(server).ok()).flatten()
}
