//! Our own server: its settings, a database with the stock in it, and its counters.

use crate::Lab;
use crate::net::{CIDR, CLIENTS, DNS, GATEWAY, INTERFACE};
use crate::report::say;
use crate::stock::{self, LEASE_SECS, POOL, Stock};
use crate::{api, server::Server};
use anyhow::{Context, Result, ensure};
use kickstand::boot::Effect;
use kickstand::model::{Lease, Name, Time};
use kickstand::store::Store;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

const NETWORK: &str = "bench";

pub fn command(lab: &Lab, folder: &Path, stock: Stock) -> Result<Command> {
    let database = lab.folder.join(format!("stock-{}-{}.db", stock.machines, stock.leases));
    if !database.exists() {
        say(format!("kickstand: writing {} machines and {} leases", stock.machines, stock.leases));
        let blank = lab.folder.join("blank");
        let _ = fs::remove_dir_all(&blank);
        fs::create_dir_all(&blank)?;
        add_records(lab, &blank, stock)?;
        add_leases(&blank, stock)?;
        fs::rename(database_in(&blank), &database)?;
    }
    fs::copy(&database, database_in(folder))?;
    serve(lab, folder)
}

fn database_in(folder: &Path) -> PathBuf {
    folder.join("kickstand.db")
}

pub fn socket(folder: &Path) -> PathBuf {
    folder.join("kickstand.sock")
}

/// Like any server, with a log that tells what is odd only: Kea's does the same.
fn serve(lab: &Lab, folder: &Path) -> Result<Command> {
    let settings = format!(
        "[database]\nurl = \"sqlite://{}\"\n[server]\nsocket = \"{}\"\n[dhcp]\ninterfaces = [\"{INTERFACE}\"]\n[log]\nlevel = \"warn\"\n",
        database_in(folder).display(),
        socket(folder).display(),
    );
    let path = folder.join("kickstand.toml");
    fs::write(&path, settings)?;
    let mut command = lab.net.beside_server(env!("CARGO_BIN_EXE_kickstand"));
    command.args(["serve", "--config"]).arg(path);
    Ok(command)
}

/// The network and the machines, as an operator writes them down.
fn add_records(lab: &Lab, folder: &Path, stock: Stock) -> Result<()> {
    let log = fs::File::create(folder.join("log"))?;
    let server = Ended(serve(lab, folder)?.stdin(Stdio::null()).stderr(log).spawn()?);
    wait_for(&socket(folder))?;
    let pool = format!("{}-{}", POOL.0, POOL.1);
    let (gateway, dns, relay) = (GATEWAY.to_string(), DNS.to_string(), CLIENTS.to_string());
    cli(folder, &["network", "add", NETWORK, "--cidr", CIDR, "--gateway", &gateway, "--dns", &dns])?;
    let lease_secs = LEASE_SECS.to_string();
    let rest = ["--pool", &pool, "--unknown", "show", "--lease-secs", &lease_secs, "--relay", &relay];
    cli(folder, &[&["network", "set", NETWORK][..], &rest].concat())?;
    let machines: Vec<Value> = (0..stock.machines).map(draft).collect();
    api::ask(&socket(folder), "POST", "machines/batch", &Value::Array(machines))?;
    drop(server);
    Ok(())
}

fn draft(number: u32) -> Value {
    let (name, mac, ip) = stock::machine(number);
    json!({"name": name, "interfaces": [{"mac": mac.to_string(), "ip": ip}]})
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(socket: &Path) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(10);
    while api::get(socket, "/api/v1/status").is_err() {
        ensure!(Instant::now() < end, "kickstand does not listen on {}", socket.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn cli(folder: &Path, args: &[&str]) -> Result<()> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kickstand"));
    let done = command.arg("--socket").arg(socket(folder)).args(args).env_remove("KICKSTAND_SERVER").output()?;
    ensure!(done.status.success(), "kickstand {}: {}", args.join(" "), String::from_utf8_lossy(&done.stderr).trim());
    Ok(())
}

/// Leases have no door but DHCP itself: the store takes them as it takes those of the wire.
fn add_leases(folder: &Path, stock: Stock) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let store = Store::open(&format!("sqlite://{}", database_in(folder).display())).await?;
        let network: Name = NETWORK.parse()?;
        let now = Time::from(SystemTime::now());
        let numbers: Vec<u32> = (0..stock.leases).collect();
        for some in numbers.chunks(1000) {
            let bind = |number: &u32| Effect::Bind { lease: lease(*number, &network, now), was: None };
            store.record(some.iter().map(bind).collect()).await?;
        }
        store.close().await;
        Ok(())
    })
}

fn lease(number: u32, network: &Name, now: Time) -> Lease {
    let (mac, ip) = stock::lease(number);
    let ends_at = now.plus_secs(LEASE_SECS);
    Lease { network: network.clone(), holder: mac.into(), ip, starts_at: now, ends_at, hostname: None }
}

/// What our server has counted since its start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    pub commits: f64,
    pub acks: f64,
}

impl Counters {
    pub fn of(server: &Server) -> Result<Counters> {
        let text = api::get(&socket(&server.folder), "/metrics")?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().parse().ok()).with_context(|| format!("/metrics has no {name}"))
        };
        Ok(Counters {
            commits: value("kickstand_store_commits_total ")?,
            acks: value("kickstand_dhcp_replies_total{reply=\"ack\"} ")?,
        })
    }
}
