//! A hall is switched on: how long until each of 5,000 machines has its lease.

use crate::Lab;
use crate::perfdhcp;
use crate::report::{Bar, Report, percentile, say};
use crate::server::{Kind, Server};
use crate::stock::SITE;
use anyhow::Result;

const MACHINES: u32 = 5000;

/// The median of three, by turns.
pub fn run(lab: &Lab) -> Result<Report> {
    let (mut ours, mut kea) = (Vec::new(), Vec::new());
    for _ in 0..if lab.quick { 1 } else { 3 } {
        ours.push(avalanche_secs(lab, Kind::Ours)?);
        kea.push(avalanche_secs(lab, Kind::Kea)?);
    }
    let mut report = Report::default();
    report.add("avalanche", percentile(&ours, 50), Some(percentile(&kea, 50)), "s", Bar::RatioAtMost(0.5));
    Ok(report)
}

fn avalanche_secs(lab: &Lab, kind: Kind) -> Result<f64> {
    let mut server = Server::start(lab, kind, SITE)?;
    let secs = perfdhcp::avalanche_secs(lab, 1, MACHINES)?;
    server.check()?;
    say(format!("avalanche: {kind}: {MACHINES} machines in {secs:.1} s"));
    Ok(secs)
}
