//! The peer: Kea with memfile, two threads and the same stock, and nothing switched on that would slow it down.

use crate::Lab;
use crate::net::{CIDR, DNS, GATEWAY, INTERFACE};
use crate::stock::{self, LEASE_SECS, POOL, Stock};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufWriter, Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

pub fn command(lab: &Lab, folder: &Path, stock: Stock) -> Result<Command> {
    write_config(folder, stock, None)?;
    write_leases(folder, stock)?;
    let mut command = lab.net.beside_server("kea-dhcp4");
    command.arg("-c").arg(folder.join("kea.json"));
    command.env("KEA_PIDFILE_DIR", folder).env("KEA_LOCKFILE_DIR", folder);
    Ok(command)
}

/// `moved` is a machine with another address than its own.
pub fn write_config(folder: &Path, stock: Stock, moved: Option<(u32, Ipv4Addr)>) -> Result<()> {
    let reservations: Vec<Value> = (0..stock.machines).map(|number| reservation(number, moved)).collect();
    let subnet = json!({
        "id": 1, "subnet": CIDR,
        "pools": [{"pool": format!("{}-{}", POOL.0, POOL.1)}],
        // No address of the pool is reserved, so Kea need not look.
        "reservations-global": false, "reservations-in-subnet": true, "reservations-out-of-pool": true,
        "reservations": reservations,
        "option-data": [
            {"name": "routers", "data": GATEWAY.to_string()},
            {"name": "domain-name-servers", "data": DNS.to_string()},
        ],
    });
    let settings = json!({"Dhcp4": {
        // All clients come through a relay: plain sockets do, and cost less than raw ones.
        "interfaces-config": {"interfaces": [INTERFACE], "dhcp-socket-type": "udp"},
        "multi-threading": {"enable-multi-threading": true, "thread-pool-size": 2, "packet-queue-size": 64},
        "lease-database": {"type": "memfile", "persist": true, "name": folder.join("leases.csv"), "lfc-interval": 0},
        "sanity-checks": {"lease-checks": "none"},
        "valid-lifetime": LEASE_SECS, "renew-timer": LEASE_SECS / 2, "rebind-timer": LEASE_SECS / 8 * 7,
        "control-socket": {"socket-type": "unix", "socket-name": folder.join("kea.sock")},
        "subnet4": [subnet],
        "loggers": [{"name": "kea-dhcp4", "severity": "WARN", "output_options": [{"output": "stderr"}]}],
    }});
    Ok(fs::write(folder.join("kea.json"), settings.to_string())?)
}

fn reservation(number: u32, moved: Option<(u32, Ipv4Addr)>) -> Value {
    let (name, mac, own) = stock::machine(number);
    let ip = moved.filter(|(other, _)| *other == number).map_or(own, |(_, ip)| ip);
    json!({"hw-address": mac.to_string(), "ip-address": ip, "hostname": name})
}

fn write_leases(folder: &Path, stock: Stock) -> Result<()> {
    let mut file = BufWriter::new(fs::File::create(folder.join("leases.csv"))?);
    let columns =
        "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context";
    writeln!(file, "{columns}")?;
    let expire = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + u64::from(LEASE_SECS);
    for (mac, ip) in (0..stock.leases).map(stock::lease) {
        writeln!(file, "{ip},{mac},,{LEASE_SECS},{expire},1,0,0,,0,")?;
    }
    Ok(file.flush()?)
}

/// Lets it read its settings again: without an extra that is paid for, it has no other way to change a record.
pub fn reload(folder: &Path) -> Result<()> {
    let mut stream = UnixStream::connect(folder.join("kea.sock"))?;
    stream.write_all(br#"{"command": "config-reload"}"#)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let answer: Value = serde_json::from_str(&answer)?;
    ensure!(answer["result"] == 0, "config-reload: {answer}");
    Ok(())
}
