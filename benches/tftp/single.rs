//! How fast one client gets 100 MB in blocks of 1468 bytes, for each window, on one processor with the server and on another.

use crate::Lab;
use crate::client::{self, Fetched};
use crate::place::Place;
use crate::report::{Bar, Report, percentile, say};
use crate::servers::{Kind, Server};
use anyhow::Result;

const WINDOWS: [u16; 3] = [1, 16, 64];
const KINDS: [Kind; 4] = [Kind::Ours, Kind::Bare, Kind::Hpa, Kind::AsyncTftp];
/// By turns, so that a slow minute of the machine is everybody's.
const ROUNDS: usize = 5;

/// What each server did, window by window and round by round.
type Runs = Vec<(Kind, Vec<Fetched>)>;

pub fn run(lab: &Lab) -> Result<Report> {
    let mut report = Report::default();
    for place in Place::BOTH {
        let mut runs: Runs = KINDS.iter().map(|kind| (*kind, Vec::new())).collect();
        for _ in 0..if lab.quick { 1 } else { ROUNDS } {
            for (kind, fetched) in &mut runs {
                fetch_all(lab, *kind, place, fetched)?;
            }
        }
        compare(&runs, place, &mut report);
    }
    Ok(report)
}

fn fetch_all(lab: &Lab, kind: Kind, place: Place, fetched: &mut Vec<Fetched>) -> Result<()> {
    let server = Server::start(lab, kind, place)?;
    // Ours reads a file into memory for the first who asks; a rack of machines has many who ask.
    client::fetch(lab, 64)?;
    for window in WINDOWS {
        let one = place.clients(|| client::fetch(lab, window))?;
        let (rate, agreed) = (one.mb_per_sec, one.window);
        say(format!("{}: {kind:?}: window {window} (agreed {agreed}): {rate:.0} MB/s", place.name()));
        fetched.push(one);
    }
    drop(server);
    Ok(())
}

fn compare(runs: &Runs, place: Place, report: &mut Report) {
    let middle = |kind: usize, window: usize| {
        let own: Vec<_> =
            runs.get(kind).map_or(&[][..], |(_, all)| all).iter().skip(window).step_by(WINDOWS.len()).collect();
        let rates: Vec<f64> = own.iter().map(|one| one.mb_per_sec).collect();
        (percentile(&rates, 50), own.first().map_or(0, |one| one.window))
    };
    for (at, window) in WINDOWS.iter().enumerate() {
        let (ours, bare, hpa, crate_) = (middle(0, at), middle(1, at), middle(2, at), middle(3, at));
        let bar = if *window == 1 { Bar::RatioAtLeast(1.0) } else { Bar::RatioAtLeast(1.5) };
        let name = |peer, agreed| format!("tftp.{}.{peer}.window{window}-{}:{agreed}", place.name(), ours.1);
        report.add(name("bare", bare.1), ours.0, Some(bare.0), "MB/s", Bar::RatioAtLeast(0.8));
        report.add(name("hpa", hpa.1), ours.0, Some(hpa.0), "MB/s", bar);
        report.add(name("async-tftp", crate_.1), ours.0, Some(crate_.0), "MB/s", Bar::None);
    }
}
