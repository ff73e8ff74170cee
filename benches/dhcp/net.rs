//! Two network namespaces joined by a cable: the server's and the clients'.

use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::process::Command;

/// The network that is served, and both ends of the cable in it. The clients' end plays a relay.
pub const CIDR: &str = "10.64.0.0/12";
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 1);
pub const CLIENTS: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 2);
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 3);
pub const DNS: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 4);
/// The interface has the same name at both ends.
pub const INTERFACE: &str = "bench0";

const SERVER_SPACE: &str = "kickstand-bench-server";
const CLIENT_SPACE: &str = "kickstand-bench-clients";

/// How many bytes a socket holds that asks for no more. perfdhcp asks for none, and loses answers of every server
/// with the usual 208 KiB as soon as a hundred come at once: what is lost there says nothing of who sent it.
const SOCKET_BYTES: &str = "8388608";
const SOCKET_SETTING: &str = "/proc/sys/net/core/rmem_default";

/// The namespaces, for as long as this lives.
pub struct Net {
    socket_bytes: String,
}

impl Net {
    /// What a run left behind that was cut short is taken away first.
    pub fn lay() -> Result<Net> {
        let root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        ensure!(root, "this lays network namespaces: run it as root");
        Net::take_away();
        let net = Net { socket_bytes: std::fs::read_to_string(SOCKET_SETTING)? };
        std::fs::write(SOCKET_SETTING, SOCKET_BYTES).context("cannot set the size of sockets")?;
        for space in [SERVER_SPACE, CLIENT_SPACE] {
            ip(&["netns", "add", space])?;
        }
        ip(&[
            "link",
            "add",
            INTERFACE,
            "netns",
            SERVER_SPACE,
            "type",
            "veth",
            "peer",
            INTERFACE,
            "netns",
            CLIENT_SPACE,
        ])?;
        for (space, address) in [(SERVER_SPACE, SERVER), (CLIENT_SPACE, CLIENTS)] {
            let prefix = CIDR.split_once('/').map_or("32", |(_, prefix)| prefix);
            ip(&["-n", space, "address", "add", &format!("{address}/{prefix}"), "dev", INTERFACE])?;
            ip(&["-n", space, "link", "set", "lo", "up"])?;
            ip(&["-n", space, "link", "set", INTERFACE, "up"])?;
        }
        Ok(net)
    }

    /// A command that will run beside the server. Its process is the program itself.
    pub fn beside_server(&self, program: impl AsRef<OsStr>) -> Command {
        inside(SERVER_SPACE, program)
    }

    pub fn beside_clients(&self, program: impl AsRef<OsStr>) -> Command {
        inside(CLIENT_SPACE, program)
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
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = std::fs::write(SOCKET_SETTING, &self.socket_bytes);
        Net::take_away();
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
