//! What koan asks for twice: `get_systems` of 5,000 machines, over a connection, until its last byte; and what it costs in memory.

#[path = "dhcp/report.rs"]
#[expect(dead_code, reason = "the other benches judge in other ways")]
mod report;
#[path = "agents/server.rs"]
mod server;

use anyhow::{Context, Result, ensure};
use kickstand::boot::lifecycle;
use kickstand::config::{Cobbler, Config, Https};
use kickstand::daemon::Running;
use kickstand::model::*;
use kickstand::store::Edit;
use report::{Bar, Report};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use uuid::Uuid;

const MACHINES: u32 = 5_000;
const TIMES: usize = 11;
const IP: Ipv4Addr = Ipv4Addr::new(127, 78, 0, 1);
const CALL: &str =
    "<?xml version='1.0'?>\n<methodCall>\n<methodName>get_systems</methodName>\n<params>\n</params>\n</methodCall>\n";

fn machine(n: u32) -> Machine {
    let [.., a, b, c] = n.to_be_bytes();
    let mac = Mac([0x52, 0x54, 0, a, b, c]);
    let now = std::time::SystemTime::now().into();
    let mut machine = lifecycle::newcomer(mac, State::Ready, [Uuid::now_v7(), Uuid::now_v7()], now);
    machine.name = format!("machine-{n}.example.org").parse().expect("a name");
    machine.interfaces[0].ip = Some(Ipv4Addr::from(0x0a01_0000 + n));
    machine
}

fn network() -> Network {
    Network {
        name: "lab".parse().expect("a name"),
        cidr: "10.0.0.0/8".parse().expect("a network"),
        gateway: None,
        dns: vec![],
        domain: None,
        pools: vec![],
        lease_secs: 3600,
        profile: None,
        unknown: Unknown::Ignore,
        variables: Default::default(),
        secrets: Default::default(),
        dhcp: Default::default(),
    }
}

async fn start(folder: &Path) -> Result<Running> {
    let https = Https { serve: false, ..Https::default() };
    let more = Config { https, cobbler: Cobbler { serve: true, ..Cobbler::default() }, ..Config::default() };
    let running = server::start(folder, IP, more).await?;
    let (store, now) = (&running.engine.store, running.engine.now());
    store.edit(Edit::AddNetwork(network()), "bench", now).await?;
    let all: Vec<_> = (0..MACHINES).map(machine).collect();
    store.edit(Edit::AddMachines(all), "bench", now).await?;
    Ok(running)
}

/// One call, read as it comes and kept nowhere: how long it took, and how large it was.
fn ask(server: SocketAddr) -> Result<(Duration, usize)> {
    let began = Instant::now();
    let mut stream = TcpStream::connect(server)?;
    let head = "POST /cobbler_api HTTP/1.1\r\nHost: k\r\nContent-Type: text/xml\r\nConnection: close\r\n";
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{CALL}", CALL.len()).as_bytes())?;
    let (mut buffer, mut size, mut last) = (vec![0; 64 * 1024], 0, Vec::new());
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        size += read;
        last.extend_from_slice(&buffer[read.saturating_sub(64)..read]);
        last.drain(..last.len().saturating_sub(64));
    }
    ensure!(String::from_utf8_lossy(&last).contains("</methodResponse>"), "the answer is not whole");
    Ok((began.elapsed(), size))
}

/// A line of /proc/self/status, in kilobytes.
fn status(name: &str) -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with(name)).context("the kernel tells it")?;
    Ok(line.split_whitespace().nth(1).context("a number")?.parse()?)
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let running = runtime.block_on(start(folder.path()))?;
    let server = running.http[0];
    let (_, size) = ask(server)?;
    // From here on the highest point counts anew.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = status("VmRSS")?;
    let mut times = (0..TIMES).map(|_| ask(server).map(|(took, _)| took)).collect::<Result<Vec<_>>>()?;
    let growth = (status("VmHWM")? - before).max(0.0) / 1024.0;
    times.sort();
    runtime.block_on(running.stop());
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let megabytes = size as f64 / 1e6;
    let mut report = Report::default();
    report.add("get_systems", times[TIMES / 2].as_secs_f64(), None, "s", Bar::AtMost(1.0));
    report.add("get_systems.slowest", times[TIMES - 1].as_secs_f64(), None, "s", Bar::AtMost(1.0));
    report.add("get_systems.size", megabytes, None, "MB", Bar::None);
    report.add("get_systems.memory", growth, None, "MiB more", Bar::AtMost(4.0));
    report.print();
    report.write()
}
