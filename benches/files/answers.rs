//! Answer files: each request is another machine's first fetch, with its token, and is written down before it is answered.
//!
//! The machines are written down through the API, as an operator does it, and put in the middle of their installs through
//! the store: what DHCP and the boot script would have done is measured elsewhere.

use crate::net::{MACHINES, MACHINES_SERVER};
use crate::report::{Bar, Report, percentile, say};
use crate::server::{Kind, Server};
use crate::{Lab, api};
use anyhow::{Context, Result, ensure};
use kickstand::boot::{Effect, Step};
use kickstand::model::*;
use kickstand::store::Store;
use serde_json::{Value, json};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

/// How many ask at the same time.
const TOGETHER: usize = 512;
/// The bar is told for so many in one batch.
const BATCH: usize = 10_000;
/// What nginx has to give for every token.
const SAME: &str = "answer/same";

/// Rate of first fetches, beside nginx with the same bytes from a file; and how long it takes to add the machines.
pub fn answers(lab: &Lab) -> Result<Report> {
    let (stock, batch_secs) = prepare(lab)?;
    let tokens = lab.folder.join("tokens");
    let mut rates = [Vec::new(), Vec::new()];
    for round in 0..lab.rounds() {
        let ours = run(lab, Kind::Ours, Some(&stock), &tokens)?;
        let nginx = run(lab, Kind::Nginx, None, &tokens)?;
        say(format!("answers {round}: kickstand {ours:.0}/s, nginx {nginx:.0}/s"));
        rates[0].push(ours);
        rates[1].push(nginx);
    }
    let mut report = Report::default();
    let [ours, nginx] = rates.map(|all| percentile(&all, 50));
    report.add("answers.first", ours, Some(nginx), "requests/s", Bar::RatioAtLeast(0.25));
    report.add("batch.machines", batch_secs, None, "s for 10,000", Bar::AtMost(5.0));
    Ok(report)
}

fn run(lab: &Lab, kind: Kind, stock: Option<&Path>, tokens: &Path) -> Result<f64> {
    let _server = Server::start_with(lab, kind, stock)?;
    let mut command = lab.net.beside_clients(std::env::current_exe()?);
    let done = command.args(["role", "installers"]).arg(tokens).arg(lab.folder.join(SAME)).output()?;
    ensure!(done.status.success(), "{kind}: {}", String::from_utf8_lossy(&done.stderr).trim());
    Ok(String::from_utf8_lossy(&done.stdout).trim().parse()?)
}

/// A folder with a database in which that many machines wait for their answer file, and how long 10,000 took to add.
fn prepare(lab: &Lab) -> Result<(PathBuf, f64)> {
    for name in ["alma-9/vmlinuz", "alma-9/initrd.img", "agent/kickstand-agent"] {
        let path = lab.folder.join("files").join(name);
        fs::create_dir_all(path.parent().context("a file in a folder")?)?;
        fs::write(path, "x")?;
    }
    let count = if lab.quick { BATCH } else { 3 * BATCH };
    let batch_secs;
    {
        let server = Server::start_with(lab, Kind::Ours, None)?;
        let socket = server.folder.join("kickstand.sock");
        add_records(&socket)?;
        let list = |from: usize| Value::Array((from..from + BATCH).map(draft).collect());
        let began = Instant::now();
        api::ask(&socket, "POST", "machines/batch", &list(0))?;
        batch_secs = began.elapsed().as_secs_f64();
        say(format!("answers: {BATCH} machines added in {batch_secs:.2} s"));
        (1..count / BATCH)
            .try_for_each(|at| api::ask(&socket, "POST", "machines/batch", &list(at * BATCH)).map(|_| ()))?;
    }
    let stock = lab.folder.join("stock");
    fs::rename(lab.folder.join(Kind::Ours.to_string()), &stock)?;
    tokio::runtime::Runtime::new()?.block_on(boot_all(lab, &stock))?;
    Ok((stock, batch_secs))
}

fn add_records(socket: &Path) -> Result<()> {
    let tree = "tree=http://mirror.example/alma/9/BaseOS";
    let cidr = "10.66.0.0/16";
    let commands: [&[&str]; 4] = [
        &["network", "add", "bench", "--cidr", cidr, "--gateway", "10.66.0.1", "--dns", "10.66.0.1"],
        &["key", "add", "web"],
        &[
            "distro",
            "add",
            "alma-9",
            "--family",
            "redhat",
            "--kernel",
            "alma-9/vmlinuz",
            "--initrd",
            "alma-9/initrd.img",
            "--var",
            tree,
        ],
        &[
            "profile",
            "add",
            "web",
            "--distro",
            "alma-9",
            "--key",
            "web",
            "--var",
            "packages=[\"vim\",\"tmux\"]",
            "--secret",
            "root_password_hash=$6$salt$hash",
        ],
    ];
    for args in commands {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kickstand"));
        let done = command.arg("--socket").arg(socket).args(args).env_remove("KICKSTAND_SERVER").output()?;
        ensure!(
            done.status.success(),
            "kickstand {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&done.stderr).trim()
        );
    }
    Ok(())
}

fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(MACHINES).saturating_add(number as u32 + 1))
}

fn card(number: usize) -> Mac {
    let [_, b, c, d] = (number as u32).to_be_bytes();
    Mac([0x52, 0x54, 1, b, c, d])
}

fn draft(number: usize) -> Value {
    let card = json!({"mac": card(number).to_string(), "ip": address(number)});
    json!({"name": format!("m{number}"), "profile": "web", "interfaces": [card]})
}

/// Each of them has its lease and its script, and a token of its own.
async fn boot_all(lab: &Lab, stock: &Path) -> Result<()> {
    let store = Store::open(&format!("sqlite://{}/kickstand.db", stock.display())).await?;
    let now = Time::from(SystemTime::now());
    let machines: Vec<Machine> = store.world().machines().cloned().collect();
    let mut tokens = String::new();
    for some in machines.chunks(1000) {
        let mut effects = Vec::new();
        for machine in some {
            let card = machine.interfaces.first().context("each has a card")?;
            let ip = card.ip.context("each has an address")?;
            let token = kickstand::engine::fresh_secret().map_err(|e| anyhow::anyhow!("{e}"))?;
            tokens += &format!("{ip} {}\n", token.expose());
            effects.extend(booted(machine, (card.mac, ip), token.hash(), now));
        }
        store.record(effects).await?;
    }
    store.close().await;
    Ok(fs::write(lab.folder.join("tokens"), tokens)?)
}

fn booted(machine: &Machine, (mac, ip): (Mac, Ipv4Addr), token: Hash, now: Time) -> [Effect; 2] {
    let ends_at = now.plus_secs(86_400);
    let network: Name = "bench".parse().unwrap_or_else(|_| unreachable!("a name"));
    let lease = Lease { network, holder: mac.into(), ip, starts_at: now, ends_at, hostname: None };
    let report = Secret::new(format!("report of {}", machine.name)).hash();
    let boot = Boot {
        token,
        report,
        ip,
        served_at: now,
        expires_at: ends_at,
        answered_at: None,
        reported_at: None,
        profile: machine.profile.clone(),
        repeats: 0,
        inside: None,
    };
    let install = Install { boots: 1, boot: Some(boot), ..Install::new(uuid::Uuid::now_v7(), now, State::Ready) };
    let step = Step {
        machine: machine.id,
        from: machine.revision,
        state: State::Armed,
        state_at: now,
        install: Some(install),
    };
    [Effect::Bind { lease, was: None }, Effect::Step(step)]
}

/// The other half of [`run`]: all tokens, each from its own address; what was given is kept for the next server.
pub fn print_rate(tokens: &str, same: &str) -> Result<()> {
    let text = fs::read_to_string(tokens)?;
    let all: Vec<(Ipv4Addr, String)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(ip, token)| Ok((ip.parse()?, token.to_owned())))
        .collect::<Result<_>>()?;
    let first = same_bytes(same);
    let threads = 2;
    let (all, next) = (Arc::new(all), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    let done: Vec<Result<Vec<u8>>> = std::thread::scope(|scope| {
        let run = || {
            let (all, next) = (all.clone(), next.clone());
            move || {
                tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(fetch_all(
                    all,
                    next,
                    TOGETHER / threads,
                ))
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run())).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a client panicked"))))
            .collect()
    });
    let rate = all.len() as f64 / began.elapsed().as_secs_f64();
    for body in done {
        let body = body?;
        if let Some(bytes) = first {
            ensure!(body.len().abs_diff(bytes) < 64, "{} bytes instead of about {bytes}", body.len());
        } else {
            fs::create_dir_all(Path::new(same).parent().context("a file in a folder")?)?;
            fs::write(same, body)?;
        }
    }
    println!("{rate}");
    Ok(())
}

fn same_bytes(same: &str) -> Option<usize> {
    fs::metadata(same).ok().map(|file| file.len() as usize)
}

/// The last answer is given back.
async fn fetch_all(all: Arc<Vec<(Ipv4Addr, String)>>, next: Arc<AtomicUsize>, together: usize) -> Result<Vec<u8>> {
    let local = tokio::task::LocalSet::new();
    let fetch = async |all: Arc<Vec<(Ipv4Addr, String)>>, next: Arc<AtomicUsize>| -> Result<Vec<u8>> {
        let mut last = Vec::new();
        while let Some((ip, token)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            last = tokio::time::timeout(Duration::from_secs(20), fetch(*ip, token))
                .await
                .context("no answer in 20 s")??;
        }
        Ok(last)
    };
    local
        .run_until(async {
            let tasks: Vec<_> =
                (0..together).map(|_| tokio::task::spawn_local(fetch(all.clone(), next.clone()))).collect();
            let mut last = Vec::new();
            for task in tasks {
                let body = task.await??;
                last = if body.is_empty() { last } else { body };
            }
            Ok(last)
        })
        .await
}

/// One connection, one request.
async fn fetch(from: Ipv4Addr, token: &str) -> Result<Vec<u8>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let mut stream = socket.connect(SocketAddr::from((MACHINES_SERVER, 80))).await?;
    let ask = format!("GET /answer/{token} HTTP/1.1\r\nHost: {MACHINES_SERVER}\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await?;
    let mut answer = Vec::with_capacity(16_384);
    stream.read_to_end(&mut answer).await?;
    ensure!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "{from}: {}",
        String::from_utf8_lossy(answer.get(..200).unwrap_or(&answer))
    );
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").context("an answer without a head")?;
    Ok(answer.split_off(head + 4))
}
