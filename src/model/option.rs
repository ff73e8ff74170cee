//! The OPTIONS table: the name, code and type of every DHCP option that operators set or firmware sends, and
//! sets of options as records carry them.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

use super::{Malformed, Name};
use ipnetwork::Ipv4Network;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::{fmt, str::FromStr};

/// A row: a new option is one more of these.
pub struct Row {
    pub code: u8,
    pub name: &'static str,
    pub kind: Kind,
}

/// How the bytes of an option are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Flag,
    U8,
    U16,
    U16s,
    U32,
    I32,
    Ip,
    Ips,
    IpPairs,
    Text,
    /// Domain names, as on the wire of DNS (RFC 1035 §3.1).
    Names,
    /// Destination and router (RFC 3442).
    Routes,
    Bytes,
}

/// What an option says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Flag(bool),
    U8(u8),
    U16(u16),
    U16s(Vec<u16>),
    U32(u32),
    I32(i32),
    Ip(Ipv4Addr),
    Ips(Vec<Ipv4Addr>),
    IpPairs(Vec<(Ipv4Addr, Ipv4Addr)>),
    Text(String),
    Names(Vec<Name>),
    Routes(Vec<(Ipv4Network, Ipv4Addr)>),
    Bytes(Vec<u8>),
}

/// What operators may set.
pub fn settable() -> impl Iterator<Item = &'static Row> {
    OPTIONS.iter().filter(|row| !OURS.contains(&row.code))
}

/// The row of a code.
pub fn named(code: u8) -> Option<&'static Row> {
    OPTIONS.iter().find(|row| row.code == code)
}

/// What a stranger wrote, fit for a log and a page: ASCII that prints, at most `cap` of it.
pub fn printable(bytes: &[u8], cap: usize) -> String {
    let letter = |b: &u8| if b.is_ascii_graphic() || *b == b' ' { char::from(*b) } else { '?' };
    let text: String = trim_nul(bytes).iter().take(cap).map(letter).collect();
    text.trim().to_owned()
}

fn trim_nul(mut bytes: &[u8]) -> &[u8] {
    while let [head @ .., 0] = bytes {
        bytes = head;
    }
    bytes
}

impl From<Value> for Vec<u8> {
    fn from(value: Value) -> Vec<u8> {
        match value {
            Value::Flag(flag) => vec![u8::from(flag)],
            Value::U8(n) => vec![n],
            Value::U16(n) => n.to_be_bytes().to_vec(),
            Value::U16s(all) => all.into_iter().flat_map(u16::to_be_bytes).collect(),
            Value::U32(n) => n.to_be_bytes().to_vec(),
            Value::I32(n) => n.to_be_bytes().to_vec(),
            Value::Ip(ip) => ip.octets().to_vec(),
            Value::Ips(all) => all.iter().flat_map(Ipv4Addr::octets).collect(),
            Value::IpPairs(all) => all.iter().flat_map(|(a, b)| [a.octets(), b.octets()]).flatten().collect(),
            Value::Text(text) => text.into_bytes(),
            Value::Names(all) => all.iter().flat_map(labels).collect(),
            Value::Routes(all) => all.iter().flat_map(route).collect(),
            Value::Bytes(bytes) => bytes,
        }
    }
}

/// A `Name` has at most 63 bytes, so every label fits; no compression, which some clients can not read.
fn labels(name: &Name) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.as_str().split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

/// Only the octets of the destination that its mask covers are sent.
fn route((to, router): &(Ipv4Network, Ipv4Addr)) -> Vec<u8> {
    let octets = to.network().octets();
    let significant = usize::from(to.prefix().div_ceil(8));
    let mut out = vec![to.prefix()];
    out.extend(octets.iter().take(significant));
    out.extend(router.octets());
    out
}

impl Kind {
    /// None: these bytes are not of this kind.
    pub fn read(self, bytes: &[u8]) -> Option<Value> {
        Some(match self {
            Kind::Flag => Value::Flag(u8::from_be_bytes(bytes.try_into().ok()?) != 0),
            Kind::U8 => Value::U8(u8::from_be_bytes(bytes.try_into().ok()?)),
            Kind::U16 => Value::U16(u16::from_be_bytes(bytes.try_into().ok()?)),
            Kind::U16s => Value::U16s(each(bytes)?.into_iter().map(u16::from_be_bytes).collect()),
            Kind::U32 => Value::U32(u32::from_be_bytes(bytes.try_into().ok()?)),
            Kind::I32 => Value::I32(i32::from_be_bytes(bytes.try_into().ok()?)),
            Kind::Ip => Value::Ip(<[u8; 4]>::try_from(bytes).ok()?.into()),
            Kind::Ips => Value::Ips(each::<4>(bytes)?.into_iter().map(Ipv4Addr::from).collect()),
            Kind::IpPairs => Value::IpPairs(each(bytes)?.into_iter().map(pair).collect()),
            Kind::Text => Value::Text(String::from_utf8(trim_nul(bytes).to_vec()).ok()?),
            Kind::Names => Value::Names(names(bytes)?),
            Kind::Routes => Value::Routes(routes(bytes)?),
            Kind::Bytes => Value::Bytes(bytes.to_vec()),
        })
    }
}

fn each<const N: usize>(bytes: &[u8]) -> Option<Vec<[u8; N]>> {
    let (all, rest) = bytes.as_chunks();
    (rest.is_empty() && !all.is_empty()).then(|| all.to_vec())
}

fn pair([a, b, c, d, e, f, g, h]: [u8; 8]) -> (Ipv4Addr, Ipv4Addr) {
    (Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h))
}

fn names(mut bytes: &[u8]) -> Option<Vec<Name>> {
    let mut all = Vec::new();
    let mut text: Vec<&str> = Vec::new();
    while let Some((&len, rest)) = bytes.split_first() {
        let (label, rest) = rest.split_at_checked(usize::from(len))?;
        match len {
            0 => all.push(std::mem::take(&mut text).join(".").parse().ok()?),
            _ => text.push(std::str::from_utf8(label).ok()?),
        }
        bytes = rest;
    }
    (text.is_empty() && !all.is_empty()).then_some(all)
}

fn routes(mut bytes: &[u8]) -> Option<Vec<(Ipv4Network, Ipv4Addr)>> {
    let mut all = Vec::new();
    while let Some((&prefix, rest)) = bytes.split_first() {
        let (significant, rest) = rest.split_at_checked(usize::from(prefix.div_ceil(8)))?;
        let (router, rest) = rest.split_first_chunk::<4>()?;
        let mut octets = [0; 4];
        octets.iter_mut().zip(significant).for_each(|(to, from)| *to = *from);
        all.push((Ipv4Network::new(octets.into(), prefix).ok()?, Ipv4Addr::from(*router)));
        bytes = rest;
    }
    (!all.is_empty()).then_some(all)
}

impl Kind {
    /// How an operator writes it.
    pub fn wanted(self) -> &'static str {
        match self {
            Kind::Flag => "true or false",
            Kind::U8 => "a number from 0 to 255",
            Kind::U16 => "a number from 0 to 65535",
            Kind::U16s => "numbers from 0 to 65535, with commas between them",
            Kind::U32 => "a number from 0 to 4294967295",
            Kind::I32 => "a number from -2147483648 to 2147483647",
            Kind::Ip => "an IPv4 address",
            Kind::Ips => "IPv4 addresses, with commas between them",
            Kind::IpPairs => "pairs of IPv4 addresses (write them like 10.0.0.0 10.0.0.1, 10.0.1.0 10.0.0.1)",
            Kind::Text => "text of at least one character",
            Kind::Names => "domain names, with commas between them",
            Kind::Routes => "routes (write them like 10.1.0.0/16 10.0.0.1, 0.0.0.0/0 10.0.0.1)",
            Kind::Bytes => "bytes in hex, such as 0x01ff, or text in double quotes",
        }
    }

    /// Reads what an operator wrote.
    pub fn parse(self, text: &str) -> Result<Value, Malformed> {
        let text = text.trim();
        self.parse_as(text).ok_or_else(|| Malformed::new(text, self.wanted()))
    }

    fn parse_as(self, text: &str) -> Option<Value> {
        Some(match self {
            Kind::Flag => Value::Flag(text.parse().ok()?),
            Kind::U8 => Value::U8(text.parse().ok()?),
            Kind::U16 => Value::U16(text.parse().ok()?),
            Kind::U16s => Value::U16s(list(text)?),
            Kind::U32 => Value::U32(text.parse().ok()?),
            Kind::I32 => Value::I32(text.parse().ok()?),
            Kind::Ip => Value::Ip(text.parse().ok()?),
            Kind::Ips => Value::Ips(list(text)?),
            Kind::IpPairs => Value::IpPairs(pairs(text)?),
            Kind::Text => Some(Value::Text(text.to_owned())).filter(|_| !text.is_empty())?,
            Kind::Names => Value::Names(list(text)?),
            Kind::Routes => Value::Routes(pairs(text)?),
            Kind::Bytes => Value::Bytes(bytes(text)?),
        })
    }
}

fn list<T: FromStr>(text: &str) -> Option<Vec<T>> {
    text.split(',').map(|one| one.trim().parse().ok()).collect()
}

fn pairs<A: FromStr, B: FromStr>(text: &str) -> Option<Vec<(A, B)>> {
    let pair = |one: &str| {
        let (a, b) = one.trim().split_once(' ')?;
        Some((a.parse().ok()?, b.trim().parse().ok()?))
    };
    text.split(',').map(pair).collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) => Some(text.as_bytes().to_vec()),
        None => hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok(),
    }
}

/// As an operator writes it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::U8(n) => write!(f, "{n}"),
            Value::U16(n) => write!(f, "{n}"),
            Value::U32(n) => write!(f, "{n}"),
            Value::I32(n) => write!(f, "{n}"),
            Value::Ip(ip) => write!(f, "{ip}"),
            Value::Text(text) => f.write_str(text),
            Value::U16s(all) => commas(f, all.iter()),
            Value::Ips(all) => commas(f, all.iter()),
            Value::Names(all) => commas(f, all.iter()),
            Value::IpPairs(all) => commas(f, all.iter().map(|(a, b)| format!("{a} {b}"))),
            Value::Routes(all) => commas(f, all.iter().map(|(a, b)| format!("{a} {b}"))),
            Value::Bytes(bytes) => write!(f, "0x{}", hex::encode(bytes)),
        }
    }
}

fn commas(f: &mut fmt::Formatter<'_>, all: impl Iterator<Item = impl fmt::Display>) -> fmt::Result {
    for (index, one) in all.enumerate() {
        write!(f, "{}{one}", if index == 0 { "" } else { ", " })?;
    }
    Ok(())
}

/// Options that a record gives to clients, as bytes of the wire by their code.
///
/// In JSON, in the database and on the command line: `{"ntp-servers": "10.0.0.1, 10.0.0.2", "224": "0x0102"}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OptionSet(BTreeMap<u8, Vec<u8>>);

impl OptionSet {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, code: u8) -> Option<&[u8]> {
        self.0.get(&code).map(Vec::as_slice)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.0.iter().map(|(code, bytes)| (*code, bytes.as_slice()))
    }

    /// Takes over all that a more specific set says.
    pub fn overlay(&mut self, specific: &OptionSet) {
        self.0.extend(specific.0.iter().map(|(code, bytes)| (*code, bytes.clone())));
    }

    /// Reads one option, by its name or its number, and puts it in.
    pub fn put(&mut self, option: &str, value: &str) -> Result<(), Malformed> {
        let code = code(option)?;
        let kind = named(code).map_or(Kind::Bytes, |row| row.kind);
        self.0.insert(code, kind.parse(value)?.into());
        Ok(())
    }

    /// Takes one out; tells whether it was there.
    pub fn remove(&mut self, option: &str) -> Result<bool, Malformed> {
        Ok(self.0.remove(&code(option)?).is_some())
    }

    /// Lays a change over it: a value sets an option, none takes it out, the others stay.
    pub fn patch(&mut self, patch: OptionPatch) {
        for (code, value) in patch.0 {
            match value {
                Some(bytes) => drop(self.0.insert(code, bytes)),
                None => drop(self.0.remove(&code)),
            }
        }
    }

    /// Each as an operator writes it.
    pub fn written(&self) -> BTreeMap<String, String> {
        self.iter().map(|(code, bytes)| (option_name(code), option_text(code, bytes))).collect()
    }
}

/// A change of some options, as it is written: `{"ntp-servers": "10.0.0.1", "224": null}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OptionPatch(BTreeMap<u8, Option<Vec<u8>>>);

impl From<OptionPatch> for OptionSet {
    fn from(patch: OptionPatch) -> OptionSet {
        let mut set = OptionSet::default();
        set.patch(patch);
        set
    }
}

impl OptionPatch {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads one option, by its name or its number; without a value it is to be taken out. What is said twice
    /// is refused: one of the two would be lost.
    pub fn put(&mut self, option: &str, value: Option<&str>) -> Result<(), Malformed> {
        let code = code(option)?;
        let kind = named(code).map_or(Kind::Bytes, |row| row.kind);
        let value = value.map(|text| kind.parse(text)).transpose()?.map(Vec::from);
        match self.0.insert(code, value) {
            Some(_) => {
                Err(Malformed::new(option, "an option that is given once (write several values into one, with commas)"))
            }
            None => Ok(()),
        }
    }
}

impl serde::Serialize for OptionPatch {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let written = |(code, value): (&u8, &Option<Vec<u8>>)| {
            (option_name(*code), value.as_ref().map(|bytes| option_text(*code, bytes)))
        };
        s.collect_map(self.0.iter().map(written))
    }
}

impl<'de> serde::Deserialize<'de> for OptionPatch {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut patch = OptionPatch::default();
        for (option, value) in BTreeMap::<String, Option<String>>::deserialize(d)? {
            patch.put(&option, value.as_deref()).map_err(serde::de::Error::custom)?;
        }
        Ok(patch)
    }
}

/// The name of an option, or its number where it has none.
pub fn option_name(code: u8) -> String {
    named(code).map_or_else(|| code.to_string(), |row| row.name.to_owned())
}

/// The value of an option as an operator writes it; bytes that are not of its kind as hex.
pub fn option_text(code: u8, bytes: &[u8]) -> String {
    let value = named(code).and_then(|row| row.kind.read(bytes));
    value.unwrap_or_else(|| Value::Bytes(bytes.to_vec())).to_string()
}

/// What this server says by itself, and never an operator: padding, the lease with its timers, and the dialogue.
const OURS: &[u8] = &[0, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 77, 80, 81, 82, 90, 91, 93, 94, 97, 118, 255];

fn code(option: &str) -> Result<u8, Malformed> {
    const WANTED: &str = "the name or number of an option that can be set (`kickstand option list` names them)";
    let row = OPTIONS.iter().find(|row| row.name == option).map(|row| row.code);
    let code = row.or_else(|| option.parse().ok()).ok_or_else(|| Malformed::new(option, WANTED))?;
    if OURS.contains(&code) {
        return Err(Malformed::new(option, WANTED));
    }
    Ok(code)
}

impl serde::Serialize for OptionSet {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.written().serialize(s)
    }
}

impl<'de> serde::Deserialize<'de> for OptionSet {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut set = OptionSet::default();
        for (option, value) in BTreeMap::<String, String>::deserialize(d)? {
            let put = set.put(&option, &value);
            put.map_err(|error| serde::de::Error::custom(format!("option {option}: {error}")))?;
        }
        Ok(set)
    }
}

/// RFC 2132 and what came after it, under the names that Kea's manual uses for them.
#[rustfmt::skip]
pub const OPTIONS: &[Row] = &[
    Row { code: 1, name: "subnet-mask", kind: Kind::Ip },
    Row { code: 2, name: "time-offset", kind: Kind::I32 },
    Row { code: 3, name: "routers", kind: Kind::Ips },
    Row { code: 4, name: "time-servers", kind: Kind::Ips },
    Row { code: 5, name: "name-servers", kind: Kind::Ips },
    Row { code: 6, name: "domain-name-servers", kind: Kind::Ips },
    Row { code: 7, name: "log-servers", kind: Kind::Ips },
    Row { code: 8, name: "cookie-servers", kind: Kind::Ips },
    Row { code: 9, name: "lpr-servers", kind: Kind::Ips },
    Row { code: 10, name: "impress-servers", kind: Kind::Ips },
    Row { code: 11, name: "resource-location-servers", kind: Kind::Ips },
    Row { code: 12, name: "host-name", kind: Kind::Text },
    Row { code: 13, name: "boot-size", kind: Kind::U16 },
    Row { code: 14, name: "merit-dump", kind: Kind::Text },
    Row { code: 15, name: "domain-name", kind: Kind::Text },
    Row { code: 16, name: "swap-server", kind: Kind::Ip },
    Row { code: 17, name: "root-path", kind: Kind::Text },
    Row { code: 18, name: "extensions-path", kind: Kind::Text },
    Row { code: 19, name: "ip-forwarding", kind: Kind::Flag },
    Row { code: 20, name: "non-local-source-routing", kind: Kind::Flag },
    Row { code: 21, name: "policy-filter", kind: Kind::IpPairs },
    Row { code: 22, name: "max-dgram-reassembly", kind: Kind::U16 },
    Row { code: 23, name: "default-ip-ttl", kind: Kind::U8 },
    Row { code: 24, name: "path-mtu-aging-timeout", kind: Kind::U32 },
    Row { code: 25, name: "path-mtu-plateau-table", kind: Kind::U16s },
    Row { code: 26, name: "interface-mtu", kind: Kind::U16 },
    Row { code: 27, name: "all-subnets-local", kind: Kind::Flag },
    Row { code: 28, name: "broadcast-address", kind: Kind::Ip },
    Row { code: 29, name: "perform-mask-discovery", kind: Kind::Flag },
    Row { code: 30, name: "mask-supplier", kind: Kind::Flag },
    Row { code: 31, name: "router-discovery", kind: Kind::Flag },
    Row { code: 32, name: "router-solicitation-address", kind: Kind::Ip },
    Row { code: 33, name: "static-routes", kind: Kind::IpPairs },
    Row { code: 34, name: "trailer-encapsulation", kind: Kind::Flag },
    Row { code: 35, name: "arp-cache-timeout", kind: Kind::U32 },
    Row { code: 36, name: "ieee802-3-encapsulation", kind: Kind::Flag },
    Row { code: 37, name: "default-tcp-ttl", kind: Kind::U8 },
    Row { code: 38, name: "tcp-keepalive-interval", kind: Kind::U32 },
    Row { code: 39, name: "tcp-keepalive-garbage", kind: Kind::Flag },
    Row { code: 40, name: "nis-domain", kind: Kind::Text },
    Row { code: 41, name: "nis-servers", kind: Kind::Ips },
    Row { code: 42, name: "ntp-servers", kind: Kind::Ips },
    Row { code: 43, name: "vendor-encapsulated-options", kind: Kind::Bytes },
    Row { code: 44, name: "netbios-name-servers", kind: Kind::Ips },
    Row { code: 45, name: "netbios-dd-server", kind: Kind::Ips },
    Row { code: 46, name: "netbios-node-type", kind: Kind::U8 },
    Row { code: 47, name: "netbios-scope", kind: Kind::Text },
    Row { code: 48, name: "font-servers", kind: Kind::Ips },
    Row { code: 49, name: "x-display-manager", kind: Kind::Ips },
    Row { code: 50, name: "dhcp-requested-address", kind: Kind::Ip },
    Row { code: 51, name: "dhcp-lease-time", kind: Kind::U32 },
    Row { code: 52, name: "dhcp-option-overload", kind: Kind::U8 },
    Row { code: 53, name: "dhcp-message-type", kind: Kind::U8 },
    Row { code: 54, name: "dhcp-server-identifier", kind: Kind::Ip },
    Row { code: 55, name: "dhcp-parameter-request-list", kind: Kind::Bytes },
    Row { code: 56, name: "dhcp-message", kind: Kind::Text },
    Row { code: 57, name: "dhcp-max-message-size", kind: Kind::U16 },
    Row { code: 58, name: "dhcp-renewal-time", kind: Kind::U32 },
    Row { code: 59, name: "dhcp-rebinding-time", kind: Kind::U32 },
    Row { code: 60, name: "vendor-class-identifier", kind: Kind::Text },
    Row { code: 61, name: "dhcp-client-identifier", kind: Kind::Bytes },
    Row { code: 62, name: "nwip-domain-name", kind: Kind::Text },
    Row { code: 63, name: "nwip-suboptions", kind: Kind::Bytes },
    Row { code: 64, name: "nisplus-domain-name", kind: Kind::Text },
    Row { code: 65, name: "nisplus-servers", kind: Kind::Ips },
    Row { code: 66, name: "tftp-server-name", kind: Kind::Text },
    Row { code: 67, name: "boot-file-name", kind: Kind::Text },
    Row { code: 68, name: "mobile-ip-home-agent", kind: Kind::Ips },
    Row { code: 69, name: "smtp-server", kind: Kind::Ips },
    Row { code: 70, name: "pop-server", kind: Kind::Ips },
    Row { code: 71, name: "nntp-server", kind: Kind::Ips },
    Row { code: 72, name: "www-server", kind: Kind::Ips },
    Row { code: 73, name: "finger-server", kind: Kind::Ips },
    Row { code: 74, name: "irc-server", kind: Kind::Ips },
    Row { code: 75, name: "streettalk-server", kind: Kind::Ips },
    Row { code: 76, name: "streettalk-directory-assistance-server", kind: Kind::Ips },
    Row { code: 77, name: "user-class", kind: Kind::Bytes },
    Row { code: 78, name: "slp-directory-agent", kind: Kind::Bytes },
    Row { code: 79, name: "slp-service-scope", kind: Kind::Bytes },
    Row { code: 80, name: "rapid-commit", kind: Kind::Bytes },
    Row { code: 81, name: "fqdn", kind: Kind::Bytes },
    Row { code: 82, name: "dhcp-agent-options", kind: Kind::Bytes },
    Row { code: 85, name: "nds-servers", kind: Kind::Ips },
    Row { code: 86, name: "nds-tree-name", kind: Kind::Text },
    Row { code: 87, name: "nds-context", kind: Kind::Text },
    Row { code: 88, name: "bcms-controller-names", kind: Kind::Names },
    Row { code: 89, name: "bcms-controller-address", kind: Kind::Ips },
    Row { code: 90, name: "authenticate", kind: Kind::Bytes },
    Row { code: 91, name: "client-last-transaction-time", kind: Kind::U32 },
    Row { code: 92, name: "associated-ip", kind: Kind::Ips },
    Row { code: 93, name: "client-system", kind: Kind::U16s },
    Row { code: 94, name: "client-ndi", kind: Kind::Bytes },
    Row { code: 97, name: "uuid-guid", kind: Kind::Bytes },
    Row { code: 98, name: "uap-servers", kind: Kind::Text },
    Row { code: 99, name: "geoconf-civic", kind: Kind::Bytes },
    Row { code: 100, name: "pcode", kind: Kind::Text },
    Row { code: 101, name: "tcode", kind: Kind::Text },
    Row { code: 108, name: "v6-only-preferred", kind: Kind::U32 },
    Row { code: 112, name: "netinfo-server-address", kind: Kind::Ips },
    Row { code: 113, name: "netinfo-server-tag", kind: Kind::Text },
    Row { code: 114, name: "v4-captive-portal", kind: Kind::Text },
    Row { code: 116, name: "auto-config", kind: Kind::U8 },
    Row { code: 117, name: "name-service-search", kind: Kind::U16s },
    Row { code: 118, name: "subnet-selection", kind: Kind::Ip },
    Row { code: 119, name: "domain-search", kind: Kind::Names },
    Row { code: 120, name: "sip-servers", kind: Kind::Bytes },
    Row { code: 121, name: "classless-static-route", kind: Kind::Routes },
    Row { code: 122, name: "cablelabs-client-configuration", kind: Kind::Bytes },
    Row { code: 123, name: "geoconf", kind: Kind::Bytes },
    Row { code: 124, name: "vivco-suboptions", kind: Kind::Bytes },
    Row { code: 125, name: "vivso-suboptions", kind: Kind::Bytes },
    Row { code: 136, name: "pana-agent", kind: Kind::Ips },
    Row { code: 137, name: "v4-lost", kind: Kind::Names },
    Row { code: 138, name: "capwap-ac-v4", kind: Kind::Ips },
    Row { code: 139, name: "mos-ip-address", kind: Kind::Bytes },
    Row { code: 140, name: "mos-fqdn", kind: Kind::Bytes },
    Row { code: 141, name: "sip-ua-cs-domains", kind: Kind::Names },
    Row { code: 142, name: "andsf-address", kind: Kind::Ips },
    Row { code: 143, name: "v4-sztp-redirect", kind: Kind::Bytes },
    Row { code: 146, name: "rdnss-selection", kind: Kind::Bytes },
    Row { code: 150, name: "tftp-server-address", kind: Kind::Ips },
    Row { code: 159, name: "v4-portparams", kind: Kind::Bytes },
    Row { code: 161, name: "v4-mud-url", kind: Kind::Text },
    Row { code: 162, name: "v4-dnr", kind: Kind::Bytes },
    Row { code: 175, name: "ipxe", kind: Kind::Bytes },
    Row { code: 208, name: "pxelinux-magic", kind: Kind::Bytes },
    Row { code: 209, name: "pxelinux-config-file", kind: Kind::Text },
    Row { code: 210, name: "pxelinux-path-prefix", kind: Kind::Text },
    Row { code: 211, name: "pxelinux-reboot-time", kind: Kind::U32 },
    Row { code: 212, name: "option-6rd", kind: Kind::Bytes },
    Row { code: 213, name: "v4-access-domain", kind: Kind::Bytes },
    Row { code: 249, name: "ms-classless-static-routes", kind: Kind::Routes },
    Row { code: 252, name: "wpad", kind: Kind::Text },
];
