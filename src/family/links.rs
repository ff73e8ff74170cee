//! The files that tell an installed system how it is wired: systemd-networkd's, NetworkManager's, ifupdown's, cloud-init's.

use super::network::{Address, Wiring};
use crate::model::Mac;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn file(path: String, text: String) -> Value {
    json!({"path": path, "text": text})
}

/// systemd-networkd (image, Flatcar). Cards are told by the MAC that they were made with: a bond gives all the same.
pub fn networkd(wiring: &Wiring) -> Vec<Value> {
    if wiring.is_plain() {
        return vec![];
    }
    let place = |name: &str| format!("/etc/systemd/network/10-kickstand-{name}");
    let matches = |mac| format!("[Match]\nPermanentMACAddress={mac}\n\n[Network]\n");
    let mut files = Vec::new();
    let members = wiring.bond.iter().flat_map(|bond| bond.members.iter().map(move |mac| (*mac, bond)));
    for (mac, bond) in members {
        let text = format!("{}Bond={}\n", matches(mac), bond.name);
        files.push(file(place(&format!("{}.network", wiring.card(mac))), text));
    }
    if let Some(bond) = &wiring.bond {
        let text =
            format!("[NetDev]\nName={}\nKind=bond\n\n[Bond]\nMode={}\nMIIMonitorSec=100ms\n", bond.name, bond.mode);
        files.push(file(place(&format!("{}.netdev", bond.name)), text));
    }
    if let Some(id) = wiring.vlan {
        let text = format!("[NetDev]\nName={}\nKind=vlan\n\n[VLAN]\nId={id}\n", wiring.link());
        files.push(file(place(&format!("{}.netdev", wiring.link())), text));
        let head = match &wiring.bond {
            Some(bond) => format!("[Match]\nName={}\n\n[Network]\n", bond.name),
            None => matches(wiring.mac),
        };
        let text = format!("{head}VLAN={}\nLinkLocalAddressing=no\n", wiring.link());
        files.push(file(place(&format!("{}.network", wiring.carrier())), text));
    }
    let head = match wiring.is_bare() {
        true => matches(wiring.mac),
        false => format!("[Match]\nName={}\n\n[Network]\n", wiring.link()),
    };
    let text = format!("{head}{}", wiring.address.as_ref().map_or("DHCP=yes\n".into(), networkd_address));
    files.push(file(place(&format!("{}.network", wiring.link())), text));
    for card in &wiring.further {
        let text = format!("{}Address={}/{}\n", matches(card.mac), card.ip, card.prefix);
        files.push(file(place(&format!("{}.network", wiring.card(card.mac))), text));
    }
    files
}

fn networkd_address(address: &Address) -> String {
    let mut text = format!("Address={}/{}\n", address.ip, address.prefix);
    address.gateway.iter().for_each(|gateway| text += &format!("Gateway={gateway}\n"));
    address.dns.iter().for_each(|dns| text += &format!("DNS={dns}\n"));
    address.domain.iter().for_each(|domain| text += &format!("Domains={domain}\n"));
    text
}

/// NetworkManager (Fedora CoreOS). Its daemon reads only files that nobody else may.
pub fn keyfiles(wiring: &Wiring) -> Vec<Value> {
    if wiring.is_plain() {
        return vec![];
    }
    let mut files = Vec::new();
    let mut keyfile = |name: &str, text: String| {
        files.push(file(format!("/etc/NetworkManager/system-connections/{name}.nmconnection"), text));
    };
    let head = |name: &str, kind: &str| format!("[connection]\nid={name}\ntype={kind}\n");
    let ip = wiring.address.as_ref().map_or("\n[ipv4]\nmethod=auto\n".into(), keyfile_address);
    const NO_IP: &str = "\n[ipv4]\nmethod=disabled\n\n[ipv6]\nmethod=disabled\n";
    if let Some(bond) = &wiring.bond {
        for mac in &bond.members {
            let name = wiring.card(*mac);
            let text = format!(
                "{}master={}\nslave-type=bond\n\n[ethernet]\nmac-address={mac}\n",
                head(&name, "ethernet"),
                bond.name
            );
            keyfile(&name, text);
        }
        let rest = if wiring.vlan.is_some() { NO_IP } else { &ip };
        let text = format!(
            "{}interface-name={name}\n\n[bond]\nmode={}\nmiimon=100\n{rest}",
            head(&bond.name, "bond"),
            bond.mode,
            name = bond.name
        );
        keyfile(&bond.name, text);
    }
    let nic = wiring.card(wiring.mac);
    if wiring.bond.is_none() {
        let rest = if wiring.vlan.is_some() { NO_IP } else { &ip };
        keyfile(&nic, format!("{}\n[ethernet]\nmac-address={}\n{rest}", head(&nic, "ethernet"), wiring.mac));
    }
    if let Some(id) = wiring.vlan {
        let link = wiring.link();
        // Its parent is a bond by name, or a card by its MAC.
        let parent = wiring.bond.as_ref().map_or_else(String::new, |bond| format!("parent={}\n", bond.name));
        let mac =
            if wiring.bond.is_none() { format!("\n[ethernet]\nmac-address={}\n", wiring.mac) } else { String::new() };
        keyfile(
            &link,
            format!("{}interface-name={link}\n{mac}\n[vlan]\nflags=1\nid={id}\n{parent}{ip}", head(&link, "vlan")),
        );
    }
    for card in &wiring.further {
        let name = wiring.card(card.mac);
        let ip = format!("\n[ipv4]\nmethod=manual\naddress1={}/{}\nnever-default=true\n", card.ip, card.prefix);
        keyfile(&name, format!("{}\n[ethernet]\nmac-address={}\n{ip}", head(&name, "ethernet"), card.mac));
    }
    files
}

fn keyfile_address(address: &Address) -> String {
    let mut text = format!("\n[ipv4]\nmethod=manual\naddress1={}/{}", address.ip, address.prefix);
    address.gateway.iter().for_each(|gateway| text += &format!(",{gateway}"));
    text.push('\n');
    if !address.dns.is_empty() {
        text.push_str("dns=");
        address.dns.iter().for_each(|dns| text += &format!("{dns};"));
        text.push('\n');
    }
    address.domain.iter().for_each(|domain| text += &format!("dns-search={domain};\n"));
    text
}

/// ifupdown (debian, fai), which knows links by name alone: udev gives the cards theirs.
pub fn interfaces(wiring: &Wiring) -> Vec<Value> {
    if wiring.is_plain() {
        return vec![];
    }
    let mut files = Vec::new();
    for (name, mac) in wiring.cards() {
        let text = format!("[Match]\nPermanentMACAddress={mac}\n\n[Link]\nName={name}\n");
        files.push(file(format!("/etc/systemd/network/10-kickstand-{name}.link"), text));
    }
    let mut text = String::from("auto lo\niface lo inet loopback\n");
    if let Some(bond) = &wiring.bond {
        let members: Vec<_> = bond.members.iter().map(|mac| wiring.card(*mac)).collect();
        let options =
            format!("    bond-slaves {}\n    bond-mode {}\n    bond-miimon 100\n", members.join(" "), bond.mode);
        match wiring.vlan {
            Some(_) => text += &stanza(&bond.name, "manual", &options),
            None => text += &stanza_with_address(wiring, &options),
        }
    }
    if wiring.vlan.is_some() {
        text += &stanza_with_address(wiring, &format!("    vlan-raw-device {}\n", wiring.carrier()));
    }
    if wiring.is_bare() {
        text += &stanza_with_address(wiring, "");
    }
    for card in &wiring.further {
        text += &stanza(&wiring.card(card.mac), "static", &format!("    address {}/{}\n", card.ip, card.prefix));
    }
    files.push(file("/etc/network/interfaces".into(), text));
    if let Some(address) = wiring.address.as_ref().filter(|address| !address.dns.is_empty()) {
        let mut text = String::new();
        address.domain.iter().for_each(|domain| text += &format!("search {domain}\n"));
        address.dns.iter().for_each(|dns| text += &format!("nameserver {dns}\n"));
        files.push(file("/etc/resolv.conf".into(), text));
    }
    files
}

fn stanza(link: &str, method: &str, options: &str) -> String {
    format!("\nauto {link}\niface {link} inet {method}\n{options}")
}

fn stanza_with_address(wiring: &Wiring, options: &str) -> String {
    let Some(address) = &wiring.address else { return stanza(&wiring.link(), "dhcp", options) };
    let mut text = format!("    address {}/{}\n", address.ip, address.prefix);
    address.gateway.iter().for_each(|gateway| text += &format!("    gateway {gateway}\n"));
    let dns: Vec<_> = address.dns.iter().map(ToString::to_string).collect();
    if !dns.is_empty() {
        text += &format!("    dns-nameservers {}\n", dns.join(" "));
    }
    address.domain.iter().for_each(|domain| text += &format!("    dns-search {domain}\n"));
    stanza(&wiring.link(), "static", &format!("{text}{options}"))
}

/// cloud-init's network configuration, version 2: it makes the files of whoever is there. Each card is told by its MAC
/// and gets its name, since ifupdown knows no other way.
pub fn netplan(wiring: &Wiring) -> Value {
    let card = |(name, mac): (String, Mac)| {
        let mut card = json!({"match": {"macaddress": mac}, "set-name": name});
        if let Some(further) = wiring.further.iter().find(|further| further.mac == mac) {
            card["addresses"] = json!([format!("{}/{}", further.ip, further.prefix)]);
        }
        (name, card)
    };
    let mut ethernets: BTreeMap<_, _> = wiring.cards().into_iter().map(card).collect();
    let mut bonds = BTreeMap::new();
    if let Some(bond) = &wiring.bond {
        let members: Vec<_> = bond.members.iter().map(|mac| wiring.card(*mac)).collect();
        let parameters = json!({"mode": bond.mode, "mii-monitor-interval": 100});
        bonds.insert(bond.name.clone(), json!({"interfaces": members, "parameters": parameters}));
    }
    let mut vlans = BTreeMap::new();
    if let Some(id) = wiring.vlan {
        vlans.insert(wiring.link(), json!({"id": id, "link": wiring.carrier()}));
    }
    let link = wiring.link();
    let found = [&mut vlans, &mut bonds, &mut ethernets].into_iter().find_map(|all| all.get_mut(&link));
    if let (Some(link), Value::Object(address)) = (found.and_then(Value::as_object_mut), netplan_address(wiring)) {
        link.extend(address);
    }
    let mut all = json!({"version": 2, "ethernets": ethernets});
    for (kind, links) in [("bonds", bonds), ("vlans", vlans)] {
        if !links.is_empty() {
            all[kind] = json!(links);
        }
    }
    all
}

fn netplan_address(wiring: &Wiring) -> Value {
    let Some(address) = &wiring.address else { return json!({"dhcp4": true}) };
    let mut all = json!({"addresses": [format!("{}/{}", address.ip, address.prefix)]});
    if let Some(gateway) = address.gateway {
        all["routes"] = json!([{"to": "0.0.0.0/0", "via": gateway}]);
    }
    let search: Vec<_> = address.domain.iter().collect();
    if !address.dns.is_empty() {
        all["nameservers"] = json!({"addresses": address.dns, "search": search});
    }
    all
}
