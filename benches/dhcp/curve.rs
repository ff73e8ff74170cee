//! What one exchange costs the server's processor, with ever more machines in its records.

use crate::Lab;
use crate::perfdhcp;
use crate::report::{Bar, Report, say};
use crate::server::{Kind, Server};
use crate::stock::Stock;
use anyhow::{Result, ensure};

const SIZES: [(u32, &str); 3] = [(1_000, "1k"), (10_000, "10k"), (100_000, "100k")];
/// Modest: no server here queues at this rate.
const RATE: u32 = 4000;
/// A hundred times as many machines may cost the caches something, and nothing else.
const GROWTH: f64 = 1.3;

pub fn run(lab: &Lab) -> Result<Report> {
    let mut report = Report::default();
    let mut ours = Vec::new();
    for (machines, name) in SIZES {
        let cost = cost_us(lab, Kind::Ours, machines)?;
        let kea = cost_us(lab, Kind::Kea, machines)?;
        report.add(format!("curve.{name}"), cost, Some(kea), "us/exchange", Bar::None);
        ours.push(cost);
    }
    if let [first, .., last] = ours.as_slice() {
        report.add("curve.growth", last / first, None, "100k / 1k", Bar::AtMost(GROWTH));
    }
    Ok(report)
}

/// Of clients that are new, with as many leases as machines in the memory.
fn cost_us(lab: &Lab, kind: Kind, machines: u32) -> Result<f64> {
    let secs = if lab.quick { 3 } else { 8 };
    let mut server = Server::start(lab, kind, Stock { machines, leases: machines })?;
    perfdhcp::exchanges(lab, 1, RATE, 2)?;
    let before = server.cpu()?;
    let run = perfdhcp::exchanges(lab, 2, RATE, secs)?;
    server.check()?;
    ensure!(run.acks > 0, "{kind} acknowledged nothing");
    let cost = (server.cpu()? - before).as_secs_f64() * 1e6 / run.acks as f64;
    say(format!("curve: {kind}: {cost:.0} us of processor for an exchange, {machines} machines"));
    Ok(cost)
}
