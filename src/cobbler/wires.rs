//! A system's cards: which MACs and addresses it has, and what of bonds and VLANs our own templates can be told.

use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;

/// What comes of them.
#[derive(Debug, Default)]
pub struct Wires {
    /// The one that boots first.
    pub cards: Vec<Card>,
    /// `interfaces`: all that Cobbler says, with numbers of cards where the record has MAC and address.
    pub told: Map<String, Value>,
    pub variables: Map<String, Value>,
    pub remarks: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Card {
    pub nic: String,
    pub mac: String,
    pub ip: Option<Ipv4Addr>,
    pub prefix: Option<u8>,
    pub gateway: Option<Ipv4Addr>,
}

pub fn text<'v>(of: &'v Value, key: &str) -> &'v str {
    of.get(key)
        .and_then(Value::as_str)
        .map(str::trim)
        .filter(|text| *text != "~" && *text != "<<inherit>>")
        .unwrap_or_default()
}

fn is_true(of: &Value, key: &str) -> bool {
    match of.get(key) {
        Some(Value::Bool(is)) => *is,
        Some(Value::String(text)) => matches!(text.as_str(), "1" | "true" | "True" | "yes" | "y"),
        Some(Value::Number(number)) => number.as_i64() == Some(1),
        _ => false,
    }
}

fn kind(of: &Value) -> String {
    let kind = text(of, "interface_type").to_ascii_lowercase();
    // 2.8's older word.
    if kind.is_empty() { text(of, "bonding").to_ascii_lowercase() } else { kind }
}

fn master(of: &Value) -> &str {
    match text(of, "interface_master") {
        "" => text(of, "bonding_master"),
        master => master,
    }
}

pub fn prefix(netmask: &str) -> Option<u8> {
    if let Ok(bits) = netmask.parse::<u8>() {
        return (bits <= 32).then_some(bits);
    }
    let bits = u32::from(netmask.parse::<Ipv4Addr>().ok()?);
    let count = bits.leading_ones();
    (bits.count_ones() == count).then(|| u8::try_from(count).unwrap_or(32))
}

/// Whether a name is that of a VLAN of another card: `eth0.100`.
fn vlan(nic: &str) -> Option<(&str, &str)> {
    nic.rsplit_once('.')
        .filter(|(base, id)| !base.is_empty() && id.parse::<u16>().is_ok_and(|id| (1..4095).contains(&id)))
}

pub fn wires(interfaces: &Map<String, Value>, gateway: &str, for_esxi: bool) -> Wires {
    let mut wires = Wires::default();
    let is_card = |nic: &str, of: &Value| {
        !text(of, "mac_address").is_empty()
            && !matches!(kind(of).as_str(), "bmc" | "bond" | "master" | "bridge")
            && vlan(nic).is_none()
    };
    let mut physical: Vec<(&String, &Value)> = interfaces.iter().filter(|(nic, of)| is_card(nic, of)).collect();
    // Of Cobbler the management interface speaks for the system.
    physical.sort_by_key(|(nic, of)| (!is_true(of, "management"), (*nic).clone()));
    for (nic, of) in &physical {
        let ip = text(of, "ip_address");
        let card = Card {
            nic: (*nic).clone(),
            mac: text(of, "mac_address").to_ascii_lowercase().replace('-', ":"),
            ip: address(&mut wires.remarks, nic, ip),
            prefix: mask(&mut wires.remarks, nic, of, !ip.is_empty()),
            gateway: text(of, "if_gateway").parse().ok().or_else(|| gateway.parse().ok()),
        };
        wires.cards.push(card);
    }
    let number = |wires: &Wires, nic: &str| wires.cards.iter().position(|card| card.nic == nic);
    let mut address_of: Vec<(String, usize)> = Vec::new();
    for (nic, of) in interfaces {
        let kind = kind(of);
        if kind == "bmc" {
            wires
                .remarks
                .push(format!("{nic} is a management controller's: it is kept in the variable interfaces alone"));
            continue;
        }
        let slaves: Vec<usize> = wires
            .cards
            .iter()
            .enumerate()
            .filter(|(_, card)| interfaces.get(&card.nic).is_some_and(|slave| master(slave) == nic))
            .map(|(index, _)| index)
            .collect();
        if matches!(kind.as_str(), "bond" | "master") {
            bond(&mut wires, nic, of, &slaves, for_esxi);
        }
        let carrier = match (kind.as_str(), vlan(nic)) {
            ("bond" | "master" | "bridge", None) => slaves.first().copied(),
            (_, Some((base, _))) => number(&wires, base).or_else(|| {
                let slave = |card: &Card| interfaces.get(&card.nic).is_some_and(|slave| master(slave) == base);
                wires.cards.iter().position(slave)
            }),
            _ => None,
        };
        let ip = text(of, "ip_address");
        if let (Some((_, id)), Some(_), false) = (vlan(nic), carrier, ip.is_empty()) {
            let old = wires.variables.insert("vlan".into(), json!(id.parse::<u16>().unwrap_or(1)));
            if old.is_some() {
                wires
                    .remarks
                    .push(format!("{nic}: one VLAN is told to the appliance's own templates, and there are more"));
            }
        }
        if kind == "bridge" {
            wires.remarks.push(format!("{nic} is a bridge: converted templates set it up, the appliance's own do not"));
        }
        if let (Some(at), false) = (carrier, ip.is_empty()) {
            let is_free = wires.cards.get(at).is_some_and(|card| card.ip.is_none());
            let ip = address(&mut wires.remarks, nic, ip);
            let prefix = mask(&mut wires.remarks, nic, of, ip.is_some());
            match wires.cards.get_mut(at).filter(|_| is_free) {
                Some(card) => {
                    (card.ip, card.prefix) = (ip, prefix);
                    card.gateway = text(of, "if_gateway").parse().ok().or_else(|| gateway.parse().ok());
                    address_of.push((nic.clone(), at));
                }
                None => wires.remarks.push(format!(
                    "{nic}: its address is kept in the variable interfaces alone: its card has one already"
                )),
            }
        }
    }
    let boots = wires.cards.first().map(|card| card.nic.clone()).unwrap_or_default();
    let speaks: Vec<&str> =
        std::iter::once(boots.as_str()).chain(address_of.iter().map(|(nic, _)| nic.as_str())).collect();
    let fixed = speaks
        .iter()
        .any(|nic| interfaces.get(*nic).is_some_and(|of| is_true(of, "static") && !text(of, "ip_address").is_empty()));
    if fixed {
        wires.variables.insert("addressing".into(), json!("static"));
    }
    wires.told = interfaces.iter().map(|(nic, of)| (nic.clone(), said(&wires, &address_of, nic, of))).collect();
    wires
}

fn address(remarks: &mut Vec<String>, nic: &str, ip: &str) -> Option<Ipv4Addr> {
    let read = ip.split('/').next().unwrap_or_default().parse().ok();
    if read.is_none() && !ip.is_empty() {
        remarks.push(format!("{nic}: {ip:?} is no IPv4 address, so its card has none"));
    }
    read
}

fn mask(remarks: &mut Vec<String>, nic: &str, of: &Value, wanted: bool) -> Option<u8> {
    let netmask = match text(of, "netmask") {
        "" => text(of, "subnet"),
        netmask => netmask,
    };
    let by_ip = text(of, "ip_address").split_once('/').and_then(|(_, bits)| prefix(bits));
    let read = prefix(netmask).or(by_ip);
    if read.is_none() && wanted && !netmask.is_empty() {
        remarks.push(format!("{nic}: {netmask:?} is no netmask"));
    }
    read
}

/// Modes by their numbers.
const MODES: [&str; 7] =
    ["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"];

fn bond(wires: &mut Wires, nic: &str, of: &Value, slaves: &[usize], for_esxi: bool) {
    let opts = text(of, "bonding_opts");
    let said = opts.split_whitespace().find_map(|opt| opt.strip_prefix("mode=")).unwrap_or("0");
    let mode = said
        .parse::<usize>()
        .ok()
        .and_then(|number| MODES.get(number).copied())
        .or(MODES.into_iter().find(|mode| *mode == said));
    let members: Vec<&str> =
        slaves.iter().filter_map(|at| wires.cards.get(*at)).map(|card| card.mac.as_str()).collect();
    let (Some(mode), true, false) = (mode, members.len() > 1, for_esxi) else {
        wires.remarks.push(format!(
            "{nic}: this bond ({opts:?}, {} members) is told to converted templates alone",
            members.len()
        ));
        return;
    };
    if opts.split_whitespace().any(|opt| !opt.starts_with("mode=") && opt != "miimon=100") {
        wires.remarks.push(format!("{nic}: of {opts:?} the appliance's own templates are told the mode alone"));
    }
    let bond = json!({"name": nic, "members": members, "mode": mode});
    if wires.variables.insert("bond".into(), bond).is_some() {
        wires.remarks.push(format!("{nic}: one bond is told to the appliance's own templates, and there are more"));
    }
}

/// What Cobbler says of one, with numbers in the place of what the record has: a replaced card is right here, too.
fn said(wires: &Wires, address_of: &[(String, usize)], nic: &str, of: &Value) -> Value {
    let mut all = of.as_object().cloned().unwrap_or_default();
    all.retain(|_, value| value != "~" && value != "<<inherit>>");
    if let Some(at) = wires.cards.iter().position(|card| card.nic == nic) {
        all.remove("mac_address");
        all.insert("card".into(), json!(at.saturating_add(1)));
        let is_own = !address_of.iter().any(|(_, of)| *of == at);
        if is_own && wires.cards.get(at).is_some_and(|card| card.ip.is_some()) {
            all.remove("ip_address");
            all.insert("address_of".into(), json!(at.saturating_add(1)));
        }
    }
    if let Some((_, at)) = address_of.iter().find(|(of, _)| of == nic) {
        all.remove("ip_address");
        all.insert("address_of".into(), json!(at.saturating_add(1)));
    }
    Value::Object(all)
}
