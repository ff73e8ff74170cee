//! Where this host answers: the doors of DHCP, the addresses of TFTP and HTTP, and the networks that interfaces bring along.

use crate::config::Config;
use crate::dhcp::server::{BOOT_PORT, Door, interface_addresses};
use crate::model::{Dhcp, Name, Network, Secrets, Unknown, Variables};
use crate::store::{Edit, Store};
use anyhow::{Result, bail};
use ipnetwork::Ipv4Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Where DHCP is answered.
pub(super) fn doors(config: &Config) -> Result<Vec<Door>> {
    let dhcp = &config.dhcp;
    if let Some(address) = dhcp.address {
        if !dhcp.interfaces.is_empty() {
            bail!("[dhcp] names an address, which is for tests, and interfaces as well: keep one of them");
        }
        return Ok(vec![Door::Address(address)]);
    }
    if !dhcp.serve {
        return Ok(Vec::new());
    }
    if dhcp.interfaces.is_empty() && dhcp.relay_addresses.is_empty() {
        bail!(
            "no network interface to serve: name one with `kickstand serve --interface NAME`, or under [dhcp] in {}",
            crate::config::DEFAULT_PATH
        );
    }
    let known = pnet::datalink::interfaces();
    for name in &dhcp.interfaces {
        if !known.iter().any(|i| i.name == *name) {
            let names: Vec<_> = known.iter().filter(|i| !i.is_loopback()).map(|i| i.name.clone()).collect();
            bail!("there is no network interface {name}: this host has {}", names.join(", "));
        }
    }
    let interface = |port| {
        move |name: &String| Door::Interface { name: name.clone(), port, shared: dhcp.share_port || port == BOOT_PORT }
    };
    let relays = dhcp.relay_addresses.iter().map(|ip| Door::Relays { ip: *ip, port: dhcp.port });
    let boot_port = (dhcp.port == DHCP_PORT).then_some(BOOT_PORT);
    let boot_servers = boot_port.into_iter().flat_map(|port| dhcp.interfaces.iter().map(interface(port)));
    Ok(dhcp.interfaces.iter().map(interface(dhcp.port)).chain(relays).chain(boot_servers).collect())
}

/// Where other ports are tried, the boot server's own is left alone.
const DHCP_PORT: u16 = 67;

/// Where TFTP and HTTP are served: the addresses that machines on the served interfaces can reach.
pub(super) fn listen(config: &Config, doors: &[Door]) -> Result<Vec<Ipv4Addr>> {
    if config.listen.iter().any(IpAddr::is_unspecified) {
        bail!(
            "[server] listen can not be 0.0.0.0 or ::, since machines must be answered from the address that they asked; name each address"
        );
    }
    let named: Vec<_> = config.listen.iter().filter_map(v4).collect();
    if !named.is_empty() {
        return Ok(named);
    }
    let mut found: Vec<_> = doors.iter().flat_map(|door| door.addresses().unwrap_or_default()).collect();
    found.sort_unstable();
    found.dedup();
    if found.is_empty() && doors.is_empty() {
        bail!(
            "[dhcp] serve is false, so no interface tells where to serve TFTP and HTTP: name addresses in [server] listen"
        );
    }
    if found.is_empty() {
        bail!(
            "{} has no IPv4 address: give it one, such as `ip addr add 10.0.0.1/24 dev NAME`",
            config.dhcp.interfaces.join(", ")
        );
    }
    Ok(found)
}

fn v4(ip: &IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(*ip),
        IpAddr::V6(_) => None,
    }
}

/// Where TFTP is served besides. A link-local address is one on each link: the interface that has it tells which.
pub(super) fn listen_v6(config: &Config) -> Result<Vec<SocketAddr>> {
    let at = |ip: &Ipv6Addr| {
        let links = if ip.is_unicast_link_local() { links_of(*ip) } else { vec![0] };
        match links.as_slice() {
            [link] => Ok(SocketAddrV6::new(*ip, config.tftp_port, 0, *link).into()),
            [] => bail!("[server] listen names {ip}, which no interface of this host has (`ip -6 addr` shows them)"),
            _ => bail!("[server] listen names {ip}, which several interfaces have: give one of them another address"),
        }
    };
    let named = config.listen.iter().filter_map(|ip| match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => Some(ip),
    });
    let is_local = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let has_links = !config.dhcp.interfaces.is_empty() || config.listen.iter().any(is_local);
    if let Some(ip) = named.clone().next().filter(|_| !has_links) {
        bail!(
            "[server] listen names {ip}, but by IPv6 only neighbours on a served interface are answered, and none is named: \
             name it in [dhcp] interfaces, or its link-local address (`ip -6 addr`) in [server] listen"
        );
    }
    named.map(at).collect()
}

fn links_of(ip: Ipv6Addr) -> Vec<u32> {
    let has = |i: &pnet::datalink::NetworkInterface| i.ips.iter().any(|net| net.ip() == IpAddr::V6(ip));
    pnet::datalink::interfaces().into_iter().filter(has).map(|i| i.index).collect()
}

/// An interface whose network nobody wrote down is taken as it is: an address, no pool, silence for strangers.
pub(super) async fn own_networks(store: &Store, config: &Config) -> Result<()> {
    for interface in &config.dhcp.interfaces {
        let known =
            interface_addresses(interface).unwrap_or_default().iter().any(|ip| store.world().network_of(*ip).is_some());
        let Some(network) = (!known).then(|| own_network(interface)).flatten() else { continue };
        tracing::info!(network.name = %network.name, "{} of interface {interface} is a network from now on", network.cidr);
        store.edit(Edit::AddNetwork(network), "serve", std::time::SystemTime::now().into()).await?;
    }
    Ok(())
}

fn own_network(interface: &str) -> Option<Network> {
    let ips = pnet::datalink::interfaces().into_iter().find(|i| i.name == interface)?.ips;
    let (ip, prefix) = ips.into_iter().find_map(|net| match net.ip() {
        IpAddr::V4(ip) => Some((ip, net.prefix())),
        IpAddr::V6(_) => None,
    })?;
    let cidr = Ipv4Network::new(ip, prefix).ok()?;
    Some(Network {
        name: interface.to_lowercase().parse::<Name>().ok()?,
        cidr: Ipv4Network::new(cidr.network(), prefix).ok()?,
        gateway: None,
        dns: Vec::new(),
        domain: None,
        pools: Vec::new(),
        lease_secs: Network::LEASE_SECS,
        profile: None,
        unknown: Unknown::Ignore,
        dhcp: Dhcp::default(),
        variables: Variables::new(),
        secrets: Secrets::default(),
    })
}

/// The kernel's numbers of the served interfaces, and of those whose link-local addresses are named.
pub(super) fn link_numbers(config: &Config, tftp: &[SocketAddr]) -> Vec<u32> {
    let is_served = |i: &pnet::datalink::NetworkInterface| config.dhcp.interfaces.contains(&i.name);
    let served = pnet::datalink::interfaces().into_iter().filter(is_served).map(|i| i.index);
    let named = tftp.iter().filter_map(|at| match at {
        SocketAddr::V6(at) if at.scope_id() != 0 => Some(at.scope_id()),
        _ => None,
    });
    served.chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_link_local_addresses_are_served_without_an_interface() {
        let v6 = |ip: &str, link| SocketAddrV6::new(ip.parse().unwrap(), 69, 0, link).into();
        let tftp = [([10, 0, 0, 1], 69).into(), v6("fe80::1", 7), v6("2001:db8::1", 0)];
        assert_eq!(link_numbers(&Config::default(), &tftp), [7]);
    }

    #[test]
    fn an_address_at_which_nobody_would_be_answered_is_refused() {
        let listen = |ips: &[&str], interfaces: &[&str]| {
            let listen = ips.iter().map(|ip| ip.parse().unwrap()).collect();
            let mut config = Config { listen, ..Config::default() };
            config.dhcp.interfaces = interfaces.iter().map(|name| (*name).to_owned()).collect();
            listen_v6(&config).map_err(|error| error.to_string())
        };
        assert!(listen(&["10.0.0.1", "2001:db8::1"], &[]).unwrap_err().contains("only neighbours"));
        assert_eq!(listen(&["2001:db8::1"], &["eth9"]).unwrap().len(), 1);
        assert_eq!(listen(&["10.0.0.1"], &[]).unwrap().len(), 0);
    }
}
