//! What a server occupies with a site's worth of records, and after it has served 50,000 clients more.

use crate::Lab;
use crate::perfdhcp;
use crate::report::{Bar, Report, say};
use crate::server::{Kind, Server};
use crate::stock::SITE;
use anyhow::Result;

/// Slow enough for all, and long enough that every client was there.
const RATE: u32 = 2500;
const SECS: u32 = 24;

pub fn run(lab: &Lab) -> Result<Report> {
    let (ours, kea) = (occupied(lab, Kind::Ours)?, occupied(lab, Kind::Kea)?);
    let mut report = Report::default();
    report.add("memory", ours.0, Some(kea.0), "MB", Bar::AtMost(200.0));
    report.add("memory.after_load", ours.1, Some(kea.1), "MB", Bar::AtMost(200.0));
    Ok(report)
}

fn occupied(lab: &Lab, kind: Kind) -> Result<(f64, f64)> {
    let mut server = Server::start(lab, kind, SITE)?;
    let fresh = server.rss_mb()?;
    let run = perfdhcp::exchanges(lab, 1, RATE, if lab.quick { 4 } else { SECS })?;
    server.check()?;
    let after = server.rss_mb()?;
    say(format!("memory: {kind}: {fresh:.0} MB, {after:.0} MB after {} ACKs", run.acks));
    Ok((fresh, after))
}
