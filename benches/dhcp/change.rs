//! A record is changed: how long until a machine is told of it, among 50,000.

use crate::client::Client;
use crate::report::{Bar, Report, percentile, say};
use crate::server::{Kind, Server};
use crate::stock::{self, SITE};
use crate::{Lab, api, kea, ours};
use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

/// From the request, and from its answer, until the machine holds an OFFER with the new address.
#[derive(Debug, Default)]
struct Delays {
    request_ms: Vec<f64>,
    answer_ms: Vec<f64>,
}

pub fn run(lab: &Lab) -> Result<Report> {
    let changes = if lab.quick { (10, 1) } else { (50, 5) };
    let (ours, kea) = (delays(lab, Kind::Ours, changes.0)?, delays(lab, Kind::Kea, changes.1)?);
    let mut report = Report::default();
    for percent in [50, 99] {
        let row = |of: fn(&Delays) -> &Vec<f64>| (percentile(of(&ours), percent), percentile(of(&kea), percent));
        let (request, answer) = (row(|delays| &delays.request_ms), row(|delays| &delays.answer_ms));
        report.add(format!("change.request.p{percent}"), request.0, Some(request.1), "ms", Bar::AtMost(10.0));
        report.add(format!("change.answer.p{percent}"), answer.0, Some(answer.1), "ms", Bar::AtMost(10.0));
    }
    Ok(report)
}

fn delays(lab: &Lab, kind: Kind, count: u32) -> Result<Delays> {
    let server = Server::start(lab, kind, SITE)?;
    let mut command = lab.net.beside_clients(std::env::current_exe()?);
    command.args(["role", "change", &kind.to_string()]).arg(&server.folder).arg(count.to_string());
    let done = command.output()?;
    ensure!(done.status.success(), "{kind}: {}", String::from_utf8_lossy(&done.stderr));
    let pairs: Vec<(f64, f64)> = serde_json::from_slice(&done.stdout)?;
    let (request_ms, answer_ms) = pairs.into_iter().unzip();
    let delays = Delays { request_ms, answer_ms };
    say(format!("change: {kind}: {:.1} ms from the request, median of {count}", percentile(&delays.request_ms, 50)));
    Ok(delays)
}

/// The part inside the clients' namespace, where one process asks both for the change and for the address.
pub fn measure(words: &[&str]) -> Result<()> {
    let [kind, folder, count] = words else { bail!("change KIND FOLDER COUNT") };
    let change = if *kind == Kind::Ours.to_string() { change_ours } else { change_kea };
    let mut client = Client::new()?;
    let mut delays = Vec::new();
    for turn in 0..count.parse::<u32>()? {
        // Far from each other, and each machine once.
        let number = turn * 977 % SITE.machines;
        delays.push(one(&mut client, number, |ip| change(Path::new(folder), number, ip))?);
    }
    println!("{}", json!(delays));
    Ok(())
}

/// `change` returns when it began.
fn one(client: &mut Client, number: u32, change: impl Fn(Ipv4Addr) -> Result<Instant>) -> Result<(f64, f64)> {
    let (_, mac, old) = stock::machine(number);
    let new = stock::other_address(number);
    let patience = Duration::from_secs(2);
    ensure!(client.discover(mac, patience)? == Some(old), "{mac} is not offered {old} before the change");
    let requested = change(new)?;
    let answered = Instant::now();
    for _ in 0..100 {
        if client.discover(mac, patience)? == Some(new) {
            let ms = |since: Instant| since.elapsed().as_secs_f64() * 1e3;
            return Ok((ms(requested), ms(answered)));
        }
    }
    bail!("{mac} is not offered {new} after the change")
}

fn change_ours(folder: &Path, number: u32, ip: Ipv4Addr) -> Result<Instant> {
    let (name, mac, _) = stock::machine(number);
    let patch = json!({"interfaces": [{"mac": mac.to_string(), "ip": ip}]});
    let requested = Instant::now();
    api::ask(&ours::socket(folder), "PATCH", &format!("machines/{name}"), &patch)?;
    Ok(requested)
}

fn change_kea(folder: &Path, number: u32, ip: Ipv4Addr) -> Result<Instant> {
    kea::write_config(folder, SITE, Some((number, ip)))?;
    let requested = Instant::now();
    kea::reload(folder).context("kea did not take the change")?;
    Ok(requested)
}
