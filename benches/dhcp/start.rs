//! A server is started: how long until it answers, with 100,000 machines.

use crate::Lab;
use crate::report::{Bar, Report, percentile, say};
use crate::server::{Kind, Server};
use crate::stock::{self, Stock};
use anyhow::{Context, Result};
use std::time::{Duration, SystemTime};

const STOCK: Stock = Stock { machines: 100_000, leases: 0 };

/// The median of three, by turns.
pub fn run(lab: &Lab) -> Result<Report> {
    let (mut ours, mut kea) = (Vec::new(), Vec::new());
    for _ in 0..if lab.quick { 1 } else { 3 } {
        ours.push(start_secs(lab, Kind::Ours)?);
        kea.push(start_secs(lab, Kind::Kea)?);
    }
    let mut report = Report::default();
    report.add("start", percentile(&ours, 50), Some(percentile(&kea, 50)), "s", Bar::AtMost(2.0));
    Ok(report)
}

/// From the start of the process to its first OFFER.
fn start_secs(lab: &Lab, kind: Kind) -> Result<f64> {
    // What it reads at its start is written before the clock runs.
    let prepared = Server::prepare(lab, kind, STOCK)?;
    let first = crate::client::first_offer(lab, stock::machine(1).1, Duration::from_secs(60))?;
    // The client is a process, too: let it be there first.
    std::thread::sleep(Duration::from_millis(100));
    let at = SystemTime::now();
    let _server = prepared.launch()?;
    let answered = first.wait().with_context(|| format!("{kind} did not answer"))?;
    let secs = answered.duration_since(at)?.as_secs_f64();
    say(format!("start: {kind}: {secs:.2} s with {} machines", STOCK.machines));
    Ok(secs)
}
