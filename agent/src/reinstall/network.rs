//! The card that leads to the server, and its settings: what an installer shall have, too.

use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket};

use crate::kit::Carried;
use crate::system::System;

/// How many name servers a resolver asks.
const NAME_SERVERS: usize = 3;

#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    pub name: String,
    pub mac: String,
    /// With its prefix.
    pub address: String,
}

/// By the route that the kernel takes to it: nothing is sent.
pub fn card(system: &System, server: &str) -> Result<Card, String> {
    let own = own_address(server).map_err(|cause| format!("no way to {server}: {cause}"))?;
    let lines = system.run("ip", &["-oneline", "-4", "address", "show"])?;
    let found = lines.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (name, address) = (words.next()?, words.nth(1)?);
        (address.split('/').next()? == own.to_string()).then(|| (name.to_owned(), address.to_owned()))
    });
    let (name, address) = found.ok_or_else(|| format!("no card has {own}, by which {server} is reached"))?;
    let mac = system.line(&format!("/sys/class/net/{name}/address"));
    match mac.len() {
        17 => Ok(Card { name, mac, address }),
        _ => Err(format!("{name}, by which {server} is reached, has no MAC")),
    }
}

fn own_address(server: &str) -> std::io::Result<Ipv4Addr> {
    let (scheme, rest) = server.split_once("://").unwrap_or(("http", server));
    let host = rest.split('/').next().unwrap_or_default();
    let host = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:{}", if scheme == "https" { 443 } else { 80 })
    };
    let no_ipv4 = || std::io::Error::other("it has no IPv4 address");
    let there = host.to_socket_addrs()?.find(|at| at.is_ipv4()).ok_or_else(no_ipv4)?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(there)?;
    match socket.local_addr()?.ip() {
        IpAddr::V4(ip) => Ok(ip),
        IpAddr::V6(_) => Err(no_ipv4()),
    }
}

/// Its address, the router by that card, and the name servers that others can ask as well.
pub fn carried(system: &System, card: &Card) -> Result<Carried, String> {
    let routes = system.run("ip", &["-4", "route", "show", "default", "dev", &card.name])?;
    let mut words = routes.lines().next().unwrap_or_default().split_whitespace();
    let gateway = words.find(|word| *word == "via").and_then(|_| words.next()).map(str::to_owned);
    // A resolver of its own hides them behind itself, and says there whom it asks.
    let of_resolved = system.text("/run/systemd/resolve/resolv.conf");
    let resolv = if of_resolved.is_empty() { system.text("/etc/resolv.conf") } else { of_resolved };
    let dns = resolv
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse::<Ipv4Addr>().ok())
        .filter(|ip| !ip.is_loopback())
        .take(NAME_SERVERS)
        .map(|ip| ip.to_string());
    Ok(Carried { address: card.address.clone(), gateway, dns: dns.collect() })
}
