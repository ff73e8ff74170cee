//! What an option can say: from the wire and to it, from an operator's words and to them.

use crate::model::{Malformed, Name};
use ipnetwork::Ipv4Network;
use std::net::Ipv4Addr;
use std::{fmt, str::FromStr};

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
