//! Networking on a kernel's command line, in the words of each initrd: dracut, klibc, netcfg, linuxrc.

use super::Trip;
use super::network::Address;

/// dracut (redhat, agama, ignition, fai). With VLAN or bond the cards get names by their MACs; otherwise BOOTIF picks one.
pub fn dracut(trip: &Trip<'_>) -> Vec<String> {
    let wiring = trip.wiring;
    let bootif = format!("BOOTIF=01-{}", trip.mac.dashed());
    if wiring.is_bare() {
        let mut all = match &wiring.address {
            None => vec!["ip=dhcp".into()],
            Some(address) => static_ip(trip, address, "", ""),
        };
        all.push(bootif);
        return all;
    }
    let named = |(name, mac)| format!("ifname={name}:{mac}");
    let mut all: Vec<String> = wiring.cards().into_iter().map(named).collect();
    if let Some(bond) = &wiring.bond {
        let members: Vec<_> = bond.members.iter().map(|mac| wiring.card(*mac)).collect();
        all.push(format!("bond={}:{}:mode={},miimon=100", bond.name, members.join(","), bond.mode));
    }
    if wiring.vlan.is_some() {
        all.push(format!("vlan={}:{}", wiring.link(), wiring.carrier()));
    }
    match &wiring.address {
        None => all.push(format!("ip={}:dhcp", wiring.link())),
        Some(address) => all.extend(static_ip(trip, address, &wiring.link(), "")),
    }
    all
}

/// The initramfs of Debian and Ubuntu (image, ubuntu). It knows no bond and no VLAN: it speaks untagged, over one card.
pub fn klibc(trip: &Trip<'_>) -> Vec<String> {
    let mut all = match &trip.wiring.address {
        None => vec!["ip=dhcp".into()],
        Some(address) => {
            let dns = address.dns.first().map(|dns| format!(":{dns}")).unwrap_or_default();
            static_ip(trip, address, "", &dns).into_iter().take(1).collect()
        }
    };
    all.push(format!("BOOTIF=01-{}", trip.mac.dashed()));
    all
}

/// debian-installer, which asks for an address before it fetches the preseed file. It knows no bond.
pub fn netcfg(trip: &Trip<'_>) -> Vec<String> {
    let mut all = vec!["interface=auto".into(), format!("BOOTIF=01-{}", trip.mac.dashed())];
    all.extend(trip.wiring.vlan.map(|id| format!("netcfg/vlan_id={id}")));
    // A network may have neither router nor name server: it would ask, and wait for somebody to answer.
    all.push("netcfg/no_default_route=true".into());
    let Some(address) = &trip.wiring.address else {
        all.push("netcfg/get_nameservers=".into());
        return all;
    };
    all.extend([
        "netcfg/disable_autoconfig=true".into(),
        format!("netcfg/get_ipaddress={}", address.ip),
        format!("netcfg/get_netmask={}", address.netmask),
        format!("netcfg/get_gateway={}", address.gateway.map(|gw| gw.to_string()).unwrap_or_default()),
    ]);
    let dns: Vec<_> = address.dns.iter().map(ToString::to_string).collect();
    // Several are split at blanks, and a blank takes quotes that not every loader keeps: the installed system has them all.
    all.extend(dns.first().map(|first| format!("netcfg/get_nameservers={first}")));
    all.push("netcfg/confirm_static=true".into());
    all
}

/// linuxrc (suse). It knows no bond.
pub fn linuxrc(trip: &Trip<'_>) -> Vec<String> {
    let mut all = vec![format!("BOOTIF=01-{}", trip.mac.dashed()), format!("hostname={}", trip.name)];
    all.extend(trip.wiring.vlan.map(|id| format!("vlanid={id}")));
    let Some(address) = &trip.wiring.address else {
        all.push("netsetup=dhcp".into());
        return all;
    };
    all.push(format!("hostip={}/{}", address.ip, address.prefix));
    all.extend(address.gateway.map(|gateway| format!("gateway={gateway}")));
    let dns: Vec<_> = address.dns.iter().map(ToString::to_string).collect();
    all.extend((!dns.is_empty()).then(|| format!("nameserver={}", dns.join(","))));
    all.extend(address.domain.as_ref().map(|domain| format!("domain={domain}")));
    all
}

/// ESXi's installer: behind `kernelopt=` in boot.cfg. Its kickstart knows no bond.
pub fn esxi(trip: &Trip<'_>) -> Vec<String> {
    let mut all = vec![format!("netdevice={}", trip.mac)];
    all.extend(trip.wiring.vlan.map(|id| format!("vlanid={id}")));
    let Some(address) = &trip.wiring.address else {
        all.push("bootproto=dhcp".into());
        return all;
    };
    all.extend([format!("ip={}", address.ip), format!("netmask={}", address.netmask)]);
    all.extend(address.gateway.map(|gateway| format!("gateway={gateway}")));
    all.extend(address.dns.first().map(|dns| format!("nameserver={dns}")));
    all
}

/// `ip=` with each of its fields, then the name servers.
fn static_ip(trip: &Trip<'_>, address: &Address, link: &str, tail: &str) -> Vec<String> {
    let gateway = address.gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
    let ip = format!("ip={}::{gateway}:{}:{}:{link}:none{tail}", address.ip, address.netmask, trip.name);
    std::iter::once(ip).chain(address.dns.iter().map(|dns| format!("nameserver={dns}"))).collect()
}
