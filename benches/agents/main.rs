//! Agents at the real server on SQLite: `cargo bench --bench agents -- registrations`. Each answer is on the disk before it is given.

#[path = "../dhcp/report.rs"]
#[expect(dead_code, reason = "the other benches judge in other ways")]
mod report;

mod checkins;
mod server;

use anyhow::{Context, Result, bail, ensure};
use kickstand::config::{Config, Https};
use kickstand::daemon::Running;
use kickstand::model::*;
use kickstand::store::Edit;
use report::{Bar, Report, percentile, say};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

const IP: Ipv4Addr = Ipv4Addr::new(127, 79, 0, 1);
/// How many ask at the same time.
const TOGETHER: usize = 64;

type Case = (&'static str, fn() -> Result<Report>);

const CASES: &[Case] = &[("registrations", registrations), ("check-ins", checkins::check_ins)];

fn main() -> Result<()> {
    if let Some(done) = checkins::is_client() {
        return done;
    }
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let Some(other) = asked.iter().find(|word| CASES.iter().all(|(name, _)| name != word)) {
        bail!("no such case: {other}");
    }
    let mut all = Report::default();
    for (name, case) in CASES {
        if asked.is_empty() || asked.iter().any(|word| word == name) {
            all.extend(case()?);
        }
    }
    all.print();
    all.write()
}

async fn start(folder: &Path) -> Result<Running> {
    start_with(folder, Https { serve: false, ..Https::default() }).await
}

async fn start_with(folder: &Path, https: Https) -> Result<Running> {
    server::start(folder, IP, Config { https, ..Config::default() }).await
}

/// Systems that join with a stack of two keys, of which one has a limit, each with 20 interfaces' worth of inventory: new
/// records, then the same systems returning to theirs after they left.
fn registrations() -> Result<Report> {
    let quick = std::env::var("QUICK").is_ok_and(|value| value == "1");
    let (count, rounds) = if quick { (500, 1) } else { (5_000, 5) };
    let (mut new, mut known) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // On a real disk: that a commit is durable is what is measured.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let running = runtime.block_on(start(folder.path()))?;
        let keys = runtime.block_on(keys(&running, count))?;
        let server = *running.http.first().context("it listens")?;
        new.push(join_all(server, &keys, count)?);
        for number in 0..count {
            post(server, "/agent/unregister", &format!("Authorization: Bearer {}\r\n", credential(number)), "{}")?;
        }
        known.push(join_all(server, &keys, count)?);
        let world = running.engine.store.world().machines().filter(|machine| machine.credential.is_some()).count();
        ensure!(world == count as usize, "{world} of {count} are registered");
        runtime.block_on(running.stop());
        say(format!("registrations {round}: {:.2} ms new, {:.2} ms known", new[new.len() - 1], known[known.len() - 1]));
    }
    let mut report = Report::default();
    report.add("registrations.new", percentile(&new, 50), None, "ms for one", Bar::AtMost(2.0));
    report.add("registrations.known", percentile(&known, 50), None, "ms for one", Bar::AtMost(2.0));
    Ok(report)
}

async fn keys(running: &Running, count: u32) -> Result<String> {
    let engine = &running.engine;
    let mut all = Vec::new();
    for (name, usage_limit) in [("base", None), ("web", Some(count))] {
        let name: Name = name.parse()?;
        let groups = vec![name.clone(), "all".parse()?];
        let key = ActivationKey { usage_limit, groups, ..ActivationKey::new(name.clone()) };
        engine.store.edit(Edit::AddKey(key), "bench", engine.now()).await?;
        all.push(engine.join_by(&name, "bench").await?.expose().to_owned());
    }
    Ok(all.join(","))
}

/// Milliseconds for each, all of them together.
fn join_all(server: SocketAddr, keys: &str, count: u32) -> Result<f64> {
    let next = AtomicU32::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let join = || -> Result<()> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                post(server, "/agent/register", "", &system(number, keys))?;
            }
        };
        let all: Vec<_> = (0..TOGETHER).map(|_| scope.spawn(join)).collect();
        all.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a system panicked"))?)
    })?;
    Ok(began.elapsed().as_secs_f64() * 1000.0 / f64::from(count))
}

fn credential(number: u32) -> String {
    format!("{number:064x}")
}

fn system(number: u32, keys: &str) -> String {
    let [_, a, b, c] = number.to_be_bytes();
    let card = |at: u8| {
        serde_json::json!({"name": format!("eth{at}"), "mac": format!("52:54:{at:02x}:{a:02x}:{b:02x}:{c:02x}"),
            "addresses": ["10.0.0.1/24", "fe80::1/64"], "physical": at < 2})
    };
    let inventory = serde_json::json!({
        "hostname": format!("host-{number}"), "os": "Debian GNU/Linux 12 (bookworm)", "kernel": "6.1.0-40-amd64",
        "cpus": 64, "memory_bytes": 549_755_813_888u64, "interfaces": (0..20).map(card).collect::<Vec<_>>(),
    });
    serde_json::json!({"key": keys, "credential": credential(number), "inventory": inventory}).to_string()
}

/// A connection for each, as agents have it.
fn post(server: SocketAddr, path: &str, headers: &str, body: &str) -> Result<()> {
    let mut stream = TcpStream::connect(server)?;
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Type: application/json\r\n");
    write!(stream, "{head}{headers}Content-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split_whitespace().nth(1).unwrap_or_default();
    ensure!(status.starts_with('2'), "{path}: {answer}");
    Ok(())
}
