//! Files by HTTP, ours and nginx in one run: `cargo bench --bench files -- large small stalled answers`.
//!
//! `net` lays two namespaces, `server` starts one of the two servers on the same folder, `client` has curl, wrk and
//! those who take nothing; `dhcp/report` prints the table and writes target/bench.json. What the figures mean is in
//! docs/benchmarks.md.

mod answers;
#[path = "../dhcp/api.rs"]
#[allow(dead_code, reason = "the bench of DHCP asks more")]
mod api;
mod client;
mod net;
#[path = "../tftp/place.rs"]
mod place;
#[allow(dead_code, reason = "the bench of DHCP has more kinds of bars")]
#[path = "../dhcp/report.rs"]
mod report;
mod server;

use anyhow::{Context, Result, bail};
use client::{curl, wrk};
use net::Net;
use place::Place;
use report::{Bar, Report, percentile, say};
use server::{Kind, Server};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// Its name, and what measures it.
type Case = (&'static str, fn(&Lab) -> Result<Report>);

const CASES: &[Case] = &[("large", large), ("small", small), ("stalled", stalled), ("answers", answers::answers)];

/// How many small files there are: none of them is asked for again at once.
pub const SMALL_FILES: usize = 1000;
/// Who takes nothing.
const STALLED: usize = 2000;

/// Where everything happens.
pub struct Lab {
    pub net: Net,
    pub folder: PathBuf,
    /// Short runs, to see that all of it works.
    pub quick: bool,
}

impl Lab {
    fn lay() -> Result<Lab> {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-files");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).context("cannot empty the folder of the last run")?;
        }
        let quick = std::env::var("QUICK").is_ok_and(|value| value == "1");
        let lab = Lab { net: Net::lay()?, folder, quick };
        lab.write_files()?;
        Ok(lab)
    }

    fn write_files(&self) -> Result<()> {
        let files = self.folder.join("files");
        std::fs::create_dir_all(files.join("small"))?;
        let block: Vec<u8> = (0..1_000_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut large = File::create(files.join("large.img"))?;
        (0..self.large_mb()).try_for_each(|_| large.write_all(&block))?;
        (0..SMALL_FILES)
            .try_for_each(|number| std::fs::write(files.join(format!("small/{number}")), &block[..4096]))?;
        Ok(())
    }

    fn large_mb(&self) -> usize {
        if self.quick { 200 } else { 1000 }
    }

    fn rounds(&self) -> usize {
        if self.quick { 1 } else { 5 }
    }

    fn wrk_secs(&self) -> u32 {
        if self.quick { 2 } else { 6 }
    }
}

/// One file of 1 GB, which is in memory, to one client, on one processor with the server and on another. The servers take turns.
fn large(lab: &Lab) -> Result<Report> {
    let mut report = Report::default();
    for place in Place::BOTH {
        let (mut rates, mut costs) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for _ in 0..lab.rounds() {
            for (at, kind) in Kind::BOTH.into_iter().enumerate() {
                let (rate, cost_ms) = large_once(lab, kind, place)?;
                rates[at].push(rate);
                costs[at].push(cost_ms);
            }
        }
        let [ours, nginx] = rates.map(|all| percentile(&all, 50));
        let name = format!("files.large.{}", place.name());
        report.add(&name, ours, Some(nginx), "MB/s", Bar::RatioAtLeast(0.9));
        let [ours, nginx] = costs.map(|all| percentile(&all, 50));
        report.add(format!("{name}.cpu"), ours, Some(nginx), "ms", Bar::None);
    }
    Ok(report)
}

fn large_once(lab: &Lab, kind: Kind, place: Place) -> Result<(f64, f64)> {
    let server = place.server(|| Server::start(lab, kind))?;
    let curl = || place.clients(|| client::curl(lab));
    curl()?;
    let before = server.cpu()?;
    let rate = curl()?.max(curl()?);
    let cost_ms = (server.cpu()? - before).as_secs_f64() * 1e3 / 2.0;
    say(format!("large {}: {kind} {rate:.0} MB/s, {cost_ms:.0} ms of processor a time", place.name()));
    Ok((rate, cost_ms))
}

/// 1000 files of 4 KiB by 64 connections.
fn small(lab: &Lab) -> Result<Report> {
    let (mut rates, mut costs) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for round in 0..lab.rounds() {
        for (place, kind) in Kind::BOTH.into_iter().enumerate() {
            let server = Server::start(lab, kind)?;
            wrk(lab, 1)?;
            let before = server.cpu()?;
            let rate = wrk(lab, lab.wrk_secs())?;
            let cost_us = (server.cpu()? - before).as_secs_f64() * 1e6 / (rate * f64::from(lab.wrk_secs()));
            say(format!("small {round}: {kind} {rate:.0}/s, {cost_us:.1} µs of processor for each"));
            rates[place].push(rate);
            costs[place].push(cost_us);
        }
    }
    let mut report = Report::default();
    let [ours, nginx] = rates.map(|all| percentile(&all, 50));
    report.add("files.small", ours, Some(nginx), "requests/s", Bar::RatioAtLeast(0.9));
    let [ours, nginx] = costs.map(|all| percentile(&all, 50));
    report.add("files.small.cpu", ours, Some(nginx), "µs", Bar::None);
    Ok(report)
}

/// What good clients get while 2000 others hold a connection and take nothing: with them by without them.
fn stalled(lab: &Lab) -> Result<Report> {
    let server = Server::start(lab, Kind::Ours)?;
    let (mut larges, mut smalls) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut grown_mb = 0f64;
    curl(lab)?;
    wrk(lab, 1)?;
    for round in 0..lab.rounds() {
        let before = server.rss_mb()?;
        // By turns the first, so that a machine that becomes slower or faster is so to both.
        let both = [(0, STALLED), (1, 0)];
        for (place, count) in if round % 2 == 0 { both } else { [both[1], both[0]] } {
            let crowd = client::stalled(lab, count)?;
            larges[place].push(best_of_four(lab)?);
            smalls[place].push(wrk(lab, lab.wrk_secs())?);
            grown_mb = grown_mb.max(server.rss_mb()? - before);
            drop(crowd);
        }
        say(format!("stalled {round}: {larges:.0?} MB/s, {smalls:.0?} requests/s, {grown_mb:.1} MB more"));
    }
    let mut report = Report::default();
    let [with, without] = larges.map(|all| percentile(&all, 50));
    report.add("files.stalled.large", with, Some(without), "MB/s", Bar::RatioAtLeast(0.9));
    let [with, without] = smalls.map(|all| percentile(&all, 50));
    report.add("files.stalled.small", with, Some(without), "requests/s", Bar::RatioAtLeast(0.9));
    report.add("files.stalled.memory", grown_mb, None, "MB more", Bar::AtMost(64.0));
    Ok(report)
}

/// Where curl and the server come to run is chance, and one way in two is a tenth slower.
fn best_of_four(lab: &Lab) -> Result<f64> {
    (0..4).try_fold(0f64, |best, _| Ok(best.max(curl(lab)?)))
}

fn main() -> Result<()> {
    // cargo adds --bench.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some(("role", rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return client::role(rest);
    }
    if let Some(unknown) = words.iter().find(|word| !CASES.iter().any(|(name, _)| name == word)) {
        bail!("there is no case {unknown}: there are large, small, stalled and answers");
    }
    let lab = Lab::lay()?;
    let mut report = Report::default();
    for (name, run) in CASES.iter().filter(|(name, _)| words.is_empty() || words.iter().any(|word| word == name)) {
        report.extend(run(&lab).with_context(|| format!("the case {name}"))?);
    }
    report.print();
    report.write()
}
