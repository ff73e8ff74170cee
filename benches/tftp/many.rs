//! How fast 512 clients get a file each that ask for it in the same moment: a rack that was switched on.

use crate::Lab;
use crate::crowd::{self, Rush};
use crate::place::Place;
use crate::report::{Bar, Report, percentile, say};
use crate::servers::{Kind, Server};
use anyhow::Result;

const CLIENTS: u32 = 512;
/// What firmware asks for: nothing, or four.
const WINDOWS: [u16; 2] = [1, 4];
const ROUNDS: usize = 3;

pub fn run(lab: &Lab) -> Result<Report> {
    let mut report = Report::default();
    for window in WINDOWS {
        let (mut ours, mut hpa, mut bare) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..if lab.quick { 1 } else { ROUNDS } {
            ours.push(rush(lab, Kind::Ours, window)?);
            hpa.push(rush(lab, Kind::Hpa, window)?);
            bare.push(rush(lab, Kind::BareMany, window)?);
        }
        let middle = |all: &[Rush]| percentile(&all.iter().map(|one| one.mb_per_sec).collect::<Vec<_>>(), 50);
        let agreed = |all: &[Rush]| all.first().map_or(0, |one| one.window);
        let name = |peer: &str, all: &[Rush]| {
            format!("tftp.{CLIENTS}.{peer}.window{window}-{}:{}", agreed(&ours), agreed(all))
        };
        report.add(name("bare", &bare), middle(&ours), Some(middle(&bare)), "MB/s", Bar::RatioAtLeast(0.8));
        report.add(name("hpa", &hpa), middle(&ours), Some(middle(&hpa)), "MB/s", Bar::RatioAtLeast(1.0));
    }
    Ok(report)
}

fn rush(lab: &Lab, kind: Kind, window: u16) -> Result<Rush> {
    let server = Server::start(lab, kind, Place::Apart)?;
    let rush = Place::Apart.clients(|| crowd::rush(lab, CLIENTS, window))?;
    say(format!(
        "{CLIENTS} clients: {kind:?}: window {window} (agreed {}): {:.0} MB/s, {} repeats",
        rush.window, rush.mb_per_sec, rush.repeats
    ));
    drop(server);
    Ok(rush)
}
