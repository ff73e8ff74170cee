//! Two network namespaces joined by a cable: the server's and the clients', who have many addresses.

use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::process::Command;

pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 65, 0, 1);
/// Of the server in the machines' network, which is behind the clients' namespace.
pub const MACHINES_SERVER: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 1);
/// All of 10.66.128.0/17 is theirs, without one address on an interface.
pub const MACHINES: Ipv4Addr = Ipv4Addr::new(10, 66, 128, 0);
/// Those that stall; good clients have the first of them as well.
pub const CLIENTS: u8 = 64;

const SERVER_SPACE: &str = "kickstand-files-server";
const CLIENT_SPACE: &str = "kickstand-files-clients";
const INTERFACE: &str = "files0";

pub fn client(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 65, 1, number.saturating_add(1))
}

/// The namespaces, for as long as this lives.
pub struct Net;

impl Net {
    /// What a run left behind that was cut short is taken away first.
    pub fn lay() -> Result<Net> {
        let root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        ensure!(root, "this lays network namespaces: run it as root");
        take_away();
        for space in [SERVER_SPACE, CLIENT_SPACE] {
            ip(&["netns", "add", space])?;
        }
        let cable = ["link", "add", INTERFACE, "netns", SERVER_SPACE, "type", "veth", "peer", INTERFACE, "netns"];
        ip(&[&cable[..], &[CLIENT_SPACE]].concat())?;
        let address = |space: &str, ip_address: Ipv4Addr| {
            ip(&["-n", space, "address", "add", &format!("{ip_address}/16"), "dev", INTERFACE])
        };
        address(SERVER_SPACE, SERVER)?;
        (0..CLIENTS).try_for_each(|number| address(CLIENT_SPACE, client(number)))?;
        for space in [SERVER_SPACE, CLIENT_SPACE] {
            ip(&["-n", space, "link", "set", "lo", "up"])?;
            ip(&["-n", space, "link", "set", INTERFACE, "up"])?;
        }
        let (server, first) = (SERVER.to_string(), client(0).to_string());
        let machines = format!("{MACHINES}/17");
        ip(&["-n", SERVER_SPACE, "address", "add", &format!("{MACHINES_SERVER}/32"), "dev", INTERFACE])?;
        ip(&["-n", SERVER_SPACE, "route", "add", &machines, "via", &first])?;
        ip(&["-n", CLIENT_SPACE, "route", "add", "local", &machines, "dev", "lo"])?;
        ip(&["-n", CLIENT_SPACE, "route", "add", &MACHINES_SERVER.to_string(), "via", &server])?;
        Ok(Net)
    }

    /// A command that will run beside the server. Its process is the program itself.
    pub fn beside_server(&self, program: impl AsRef<OsStr>) -> Command {
        inside(SERVER_SPACE, program)
    }

    pub fn beside_clients(&self, program: impl AsRef<OsStr>) -> Command {
        inside(CLIENT_SPACE, program)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        take_away();
    }
}

fn take_away() {
    for space in [SERVER_SPACE, CLIENT_SPACE] {
        let Ok(pids) = Command::new("ip").args(["netns", "pids", space]).output() else { continue };
        for pid in String::from_utf8_lossy(&pids.stdout).split_whitespace() {
            let _ = Command::new("kill").args(["-KILL", pid]).status();
        }
        let _ = Command::new("ip").args(["netns", "delete", space]).output();
    }
}

fn inside(space: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", space]).arg(program);
    command
}

fn ip(args: &[&str]) -> Result<()> {
    let done = Command::new("ip").args(args).output().context("cannot run `ip`: install iproute2")?;
    ensure!(done.status.success(), "ip {}: {}", args.join(" "), String::from_utf8_lossy(&done.stderr).trim());
    Ok(())
}
