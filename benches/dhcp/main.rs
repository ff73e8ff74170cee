//! DHCP on the wire, ours and a peer in one run: `cargo bench --bench dhcp -- exchanges avalanche …`.
//!
//! A server lives in one network namespace and its clients in another (`net`); never are two servers up at
//! once. `stock` is what each of them knows before it is asked anything; `ours`, `kea` and `responder` start
//! one with it. Each question has a file: [`exchanges`], [`avalanche`], [`change`], [`start`], [`memory`],
//! [`curve`]. `report` prints the table and writes target/bench.json. What the figures mean is in
//! docs/benchmarks.md.
//!
//! This program starts itself inside the namespaces for the parts that need a socket there: see [`role`].

mod api;
mod avalanche;
mod change;
mod client;
mod curve;
mod exchanges;
mod kea;
mod memory;
mod net;
mod ours;
mod perfdhcp;
mod report;
mod responder;
mod server;
mod start;
mod stock;

use anyhow::{Context, Result, bail};
use net::Net;
use report::Report;

/// Its name, and what measures it.
type Case = (&'static str, fn(&Lab) -> Result<Report>);

const CASES: &[Case] = &[
    ("exchanges", exchanges::run),
    ("avalanche", avalanche::run),
    ("change", change::run),
    ("start", start::run),
    ("memory", memory::run),
    ("curve", curve::run),
];

/// Where everything happens.
pub struct Lab {
    pub net: Net,
    pub folder: std::path::PathBuf,
    /// Short runs, to see that all of it works.
    pub quick: bool,
}

impl Lab {
    fn lay() -> Result<Lab> {
        let busy_percent = busy_percent()?;
        if busy_percent > 10.0 {
            report::say(format!(
                "other programs use {busy_percent:.0} % of this machine: the figures will not be right"
            ));
        }
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-dhcp");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).context("cannot empty the folder of the last run")?;
        }
        std::fs::create_dir_all(&folder)?;
        let quick = std::env::var("QUICK").is_ok_and(|value| value == "1");
        Ok(Lab { net: Net::lay()?, folder, quick })
    }
}

/// How much of the processors others use, looked at for a second.
fn busy_percent() -> Result<f64> {
    let times = || -> Result<(f64, f64)> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        let times = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
        let times = times.map(str::parse::<f64>).collect::<Result<Vec<_>, _>>()?;
        // The fourth and fifth are idle time, the latter with a disk at work.
        Ok((times.iter().sum(), times.iter().skip(3).take(2).sum()))
    };
    let before = times()?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    let after = times()?;
    let (all, idle) = (after.0 - before.0, after.1 - before.1);
    Ok((all - idle) / all * 100.0)
}

fn main() -> Result<()> {
    // cargo adds --bench.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some(("role", rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return role(rest);
    }
    let cases = chosen(&words)?;
    let lab = Lab::lay()?;
    let mut report = Report::default();
    for (name, run) in cases {
        report.extend(run(&lab).with_context(|| format!("the case {name}"))?);
    }
    report.print();
    report.write()
}

fn chosen(words: &[String]) -> Result<Vec<Case>> {
    let names = || CASES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = words.iter().find(|word| !CASES.iter().any(|(name, _)| name == word)) {
        bail!("there is no case {unknown}: there are {}", names());
    }
    Ok(CASES.iter().filter(|(name, _)| words.is_empty() || words.iter().any(|word| word == name)).copied().collect())
}

/// The parts that run inside a namespace.
fn role(words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["responder"] => responder::serve(),
        ["first-offer", mac, patience_ms] => client::print_first_offer(mac.parse()?, patience_ms.parse()?),
        ["change", rest @ ..] => change::measure(rest),
        other => bail!("no such role: {other:?}"),
    }
}
