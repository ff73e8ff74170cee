//! How a machine is wired: its address, VLAN, bond and serial console, from its record and the well-known variables.

use crate::model::{Carried, Mac, Machine, Name, Network, Variables};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// The names of the well-known variables, each checked here.
pub const VARIABLES: [&str; 4] = ["addressing", "serial_console", "vlan", "bond"];

/// Linux cuts names of links at 15 bytes, and a VLAN on a bond appends up to five.
const NAME_BYTES: usize = 10;

const MODES: [&str; 7] =
    ["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"];

/// What is known of a machine's place.
pub struct Place<'a> {
    pub machine: &'a Machine,
    /// The card that boots.
    pub mac: Mac,
    pub network: &'a Network,
    /// The machine's other cards that have an address.
    pub further: &'a [Card],
}

/// Another card of a machine, which only the installed system uses.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    pub mac: Mac,
    pub ip: Ipv4Addr,
    pub prefix: u8,
    pub netmask: Ipv4Addr,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Wiring {
    pub mac: Mac,
    /// None: by DHCP.
    pub address: Option<Address>,
    pub vlan: Option<u16>,
    pub bond: Option<Bond>,
    /// As a kernel is told behind `console=`.
    pub serial: Option<String>,
    pub further: Vec<Card>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Address {
    pub ip: Ipv4Addr,
    pub prefix: u8,
    pub netmask: Ipv4Addr,
    pub gateway: Option<Ipv4Addr>,
    pub dns: Vec<Ipv4Addr>,
    pub domain: Option<Name>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Bond {
    pub name: String,
    pub members: Vec<Mac>,
    pub mode: String,
}

impl Wiring {
    /// The error names the variable, and says how it is written.
    pub fn read(place: &Place<'_>, variables: &Variables) -> Result<Wiring, String> {
        let of = |name: &str| variables.get(name).filter(|value| !is_empty(value));
        let bond = of("bond").map(|value| bond(place.mac, value)).transpose()?;
        // What a bond holds has no address of its own.
        let is_alone = |card: &&Card| bond.as_ref().is_none_or(|bond| !bond.members.contains(&card.mac));
        Ok(Wiring {
            mac: place.mac,
            address: of("addressing").map_or(Ok(None), |value| address(place, value))?,
            vlan: of("vlan").map(vlan).transpose()?,
            serial: of("serial_console").map(serial).transpose()?,
            further: place.further.iter().filter(is_alone).cloned().collect(),
            bond,
        })
    }

    /// The same with the address that its running system has, whatever `addressing` says.
    pub fn carried(place: &Place<'_>, variables: &Variables, carried: &Carried) -> Result<Wiring, String> {
        let Carried { ip, prefix, gateway, dns } = carried.clone();
        let net = ipnetwork::Ipv4Network::new(ip, prefix).map_err(|error| error.to_string())?;
        let address = Address { ip, prefix, netmask: net.mask(), gateway, dns, domain: place.network.domain.clone() };
        let mut others = variables.clone();
        others.remove("addressing");
        Ok(Wiring { address: Some(address), ..Wiring::read(place, &others)? })
    }

    /// All cards that need a name of their own: the one that boots, the bond's others, the further ones.
    pub fn cards(&self) -> Vec<(String, Mac)> {
        let mut all = vec![self.mac];
        let others = self.bond.iter().flat_map(|bond| &bond.members).chain(self.further.iter().map(|card| &card.mac));
        others.for_each(|mac| {
            if !all.contains(mac) {
                all.push(*mac);
            }
        });
        all.into_iter().enumerate().map(|(number, mac)| (format!("nic{number}"), mac)).collect()
    }

    pub fn card(&self, mac: Mac) -> String {
        self.cards().into_iter().find(|(_, of)| *of == mac).map(|(name, _)| name).unwrap_or_default()
    }

    /// What lies under the VLAN: the bond, or the card that boots.
    pub fn carrier(&self) -> String {
        self.bond.as_ref().map_or_else(|| self.card(self.mac), |bond| bond.name.clone())
    }

    /// What has the address.
    pub fn link(&self) -> String {
        self.vlan.map_or_else(|| self.carrier(), |id| format!("{}.{id}", self.carrier()))
    }

    /// One card with an address from DHCP: what every installer does when it is told nothing.
    pub fn is_plain(&self) -> bool {
        self.address.is_none() && self.is_bare() && self.further.is_empty()
    }

    /// Neither VLAN nor bond: no installer needs a card's name.
    pub fn is_bare(&self) -> bool {
        self.vlan.is_none() && self.bond.is_none()
    }

    /// As templates see it, under the name `wiring`.
    pub fn facts(&self) -> Value {
        let card = |mac: &Mac| json!({"name": self.card(*mac), "mac": mac});
        let further = |card: &Card| json!({"name": self.card(card.mac), "mac": card.mac, "ip": card.ip, "prefix": card.prefix, "netmask": card.netmask});
        let bond = |bond: &Bond| json!({"name": bond.name, "mode": bond.mode, "members": bond.members.iter().map(card).collect::<Vec<_>>()});
        let address = |a: &Address| json!({"ip": a.ip, "prefix": a.prefix, "netmask": a.netmask, "gateway": a.gateway, "dns": a.dns, "domain": a.domain});
        json!({
            "mac": self.mac,
            "address": self.address.as_ref().map(address),
            "vlan": self.vlan,
            "bond": self.bond.as_ref().map(bond),
            "serial": self.serial.as_deref().unwrap_or_default(),
            "cards": self.cards().iter().map(|(name, mac)| json!({"name": name, "mac": mac})).collect::<Vec<_>>(),
            "further": self.further.iter().map(further).collect::<Vec<_>>(),
            "carrier": self.carrier(),
            "link": self.link(),
            "is_plain": self.is_plain(),
            "is_bare": self.is_bare(),
            "networkd": super::links::networkd(self),
            "keyfiles": super::links::keyfiles(self),
            "interfaces": super::links::interfaces(self),
            "netplan": super::links::netplan(self),
        })
    }
}

/// What a record says to leave a variable to its default.
fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false)) || value.as_str().is_some_and(|text| text.is_empty())
}

fn wrong(name: &str, value: &Value, wanted: &str) -> String {
    format!("variable {name}: {value} is not {wanted}")
}

fn address(place: &Place<'_>, value: &Value) -> Result<Option<Address>, String> {
    match value.as_str() {
        Some("dhcp") => return Ok(None),
        Some("static") => {}
        _ => return Err(wrong("addressing", value, "dhcp or static")),
    }
    let Place { machine, mac, network, .. } = place;
    let Some(ip) = machine.interface(*mac).and_then(|card| card.ip) else {
        return Err(format!(
            "variable addressing: static needs an address of its own, and {mac} has none: `kickstand machine set {} --ip ADDRESS`",
            machine.name
        ));
    };
    Ok(Some(Address {
        ip,
        prefix: network.cidr.prefix(),
        netmask: network.cidr.mask(),
        gateway: network.gateway,
        dns: network.dns.clone(),
        domain: network.domain.clone(),
    }))
}

fn vlan(value: &Value) -> Result<u16, String> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let fits = number.filter(|number| (1..=4094).contains(number)).and_then(|number| u16::try_from(number).ok());
    fits.ok_or_else(|| wrong("vlan", value, "a number from 1 to 4094"))
}

/// `ttyS0,115200n8`: a kernel takes nothing else there, and no blank may end the word.
fn serial(value: &Value) -> Result<String, String> {
    let text = value.as_str().unwrap_or_default();
    let (port, speed) = text.split_once(',').unwrap_or((text, "115200n8"));
    let number = ["ttyS", "ttyAMA", "ttyUSB", "ttyPS", "hvc", "xvc"].iter().find_map(|kind| port.strip_prefix(kind));
    let is_port = number.is_some_and(|n| !n.is_empty() && n.len() < 3 && n.bytes().all(|b| b.is_ascii_digit()));
    let rest = speed.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_speed = speed.len() > rest.len() && matches!(rest, "" | "n8" | "n7" | "e7" | "e8" | "o7" | "o8" | "n8r");
    match is_port && is_speed && speed.len() < 12 {
        true => Ok(text.to_owned()),
        false => Err(wrong("serial_console", value, "a port and its speed, such as ttyS0,115200n8")),
    }
}

fn bond(boots: Mac, value: &Value) -> Result<Bond, String> {
    let refused = |why: &str| {
        format!("variable bond: {why}: write {{\"name\":\"bond0\",\"members\":[MAC,…],\"mode\":\"802.3ad\"}}")
    };
    let fields = value.as_object().ok_or_else(|| refused("it is no object"))?;
    if let Some(other) = fields.keys().find(|key| !["name", "members", "mode"].contains(&key.as_str())) {
        return Err(refused(&format!("it has no field {other:?}")));
    }
    let text = |field: &str, usual: &'static str| fields.get(field).map_or(Some(usual), Value::as_str);
    let fits = |name: &&str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.len() <= NAME_BYTES && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(inner)
    };
    let name = text("name", "bond0").filter(fits).filter(|name| !name.starts_with("nic"));
    let name = name.ok_or_else(|| refused("its name must be 1 to 10 of a-z, 0-9 and _, and not begin with nic"))?;
    let mode = text("mode", "802.3ad").filter(|mode| MODES.contains(mode));
    let mode = mode.ok_or_else(|| refused(&format!("its mode must be one of {}", MODES.join(", "))))?;
    let written = fields.get("members").and_then(Value::as_array).ok_or_else(|| refused("its members are no list"))?;
    let mut members: Vec<Mac> = Vec::new();
    for member in written {
        let mac = member.as_str().and_then(|text| text.parse().ok());
        members.push(mac.ok_or_else(|| refused(&format!("its member {member} is no MAC")))?);
    }
    let twice = members.iter().enumerate().find(|(at, mac)| members.iter().take(*at).any(|other| other == *mac));
    if let Some((_, mac)) = twice {
        return Err(refused(&format!("its member {mac} is there twice")));
    }
    if !members.contains(&boots) {
        return Err(refused(&format!("{boots}, the card that boots, is none of its members")));
    }
    Ok(Bond { name: name.to_owned(), members, mode: mode.to_owned() })
}
