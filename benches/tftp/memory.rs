//! What our server occupies while 10,000 clients are in the middle of 100 MB.

use crate::Lab;
use crate::crowd::Held;
use crate::place::Place;
use crate::report::{Bar, Report, say};
use crate::servers::{Kind, Server};
use anyhow::{Result, ensure};
use std::time::Duration;

const CLIENTS: u32 = 10_000;
const QUICK_CLIENTS: u32 = 1000;
const WATCHED: u32 = 10;

pub fn run(lab: &Lab) -> Result<Report> {
    let server = Server::start(lab, Kind::Ours, Place::Apart)?;
    let before = server.rss_mb()?;
    let clients = if lab.quick { QUICK_CLIENTS } else { CLIENTS };
    let mut held = Place::Apart.clients(|| Held::start(lab, clients))?;
    let mut most: f64 = 0.0;
    for _ in 0..WATCHED {
        std::thread::sleep(Duration::from_secs(1));
        most = most.max(server.rss_mb()?);
    }
    ensure!(held.is_running()?, "the slow clients ended");
    say(format!("memory: {before:.0} MB before, {most:.0} MB with {clients} transfers"));
    let mut report = Report::default();
    let bar = if lab.quick { Bar::None } else { Bar::AtMost(300.0) };
    report.add("tftp.memory", most, None, "MB", bar);
    Ok(report)
}
