//! What the tests of DHCP share: captured packets, a boring client, a network, and packets as text.

mod advert;
mod ask;
mod frame;
mod hostile;
mod option;
mod packet;
mod reply;
mod rogue;
mod wire;

use super::ask::Received;
use super::option::{Value, named};
use super::packet::{Packet, REQUEST};
use super::tlv::Options;
use crate::boot::Here;
use crate::boot::loader::First;
use crate::boot::offer::Grant;
use crate::model::{Dhcp, Network, OptionSet, Unknown};
use dhcproto::v4::{MessageType, OptionCode};
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;

const HERE: Here = Here { ip: Ipv4Addr::new(10, 9, 0, 2), http_port: 80, https_port: None, pinned: None };
const IP: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 15);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 3);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 254);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/packets")
}

fn read_hex(path: PathBuf) -> Vec<u8> {
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// A packet of tests/packets/.
fn captured(name: &str) -> Packet {
    Packet::parse(&read_hex(folder().join(format!("{name}.hex")))).unwrap()
}

/// All packets of tests/packets/, as bytes.
fn all_captured() -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let all: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "hex")).map(read_hex).collect();
    assert!(all.len() >= 9, "the captured packets are gone");
    all
}

/// What an operating system sends: no option but the message type and what the test adds.
fn system(kind: MessageType) -> Packet {
    let mut packet = Packet {
        op: REQUEST,
        htype: 1,
        hlen: 6,
        hops: 0,
        xid: 0x1234_5678,
        secs: 0,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        chaddr: [0x52, 0x54, 0, 0x12, 0x34, 0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        sname: [0; 64],
        file: [0; 128],
        options: Options::default(),
    };
    packet.options.set(OptionCode::MessageType, [u8::from(kind)]);
    packet
}

impl Packet {
    fn with(mut self, code: OptionCode, value: impl AsRef<[u8]>) -> Packet {
        self.options.set(code, value);
        self
    }

    fn using(mut self, ip: Ipv4Addr) -> Packet {
        self.ciaddr = ip;
        self
    }

    fn through(mut self, relay: Ipv4Addr) -> Packet {
        self.giaddr = relay;
        self
    }
}

fn network() -> Network {
    Network {
        name: "lab".parse().unwrap(),
        cidr: "10.9.0.0/24".parse().unwrap(),
        gateway: Some("10.9.0.1".parse().unwrap()),
        dns: vec!["10.9.0.2".parse().unwrap(), "10.9.0.3".parse().unwrap()],
        domain: Some("lab.example".parse().unwrap()),
        pools: vec![],
        lease_secs: 3600,
        profile: None,
        unknown: Unknown::Ignore,
        variables: Default::default(),
        secrets: Default::default(),
        dhcp: Dhcp::default(),
    }
}

/// It came to everybody.
fn to_all() -> Received<'static> {
    Received { here: HERE.ip, also: &[], unicast: false, believed: false, boot_port: false, relayed: false }
}

/// It came to our address.
fn to_us() -> Received<'static> {
    Received { unicast: true, ..to_all() }
}

fn granted(first: First) -> Grant {
    Grant { place: 0, ip: IP, lease_secs: 3600, first, nul: true, hostname: None, options: OptionSet::default() }
}

/// The part of a packet behind its header and cookie, read without the code that is tested.
fn tail(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = &bytes[240..];
    let mut all = vec![];
    while rest[0] != 255 {
        let len = usize::from(rest[1]);
        all.push((rest[0], rest[2..2 + len].to_vec()));
        rest = &rest[2 + len..];
    }
    assert!(rest[1..].iter().all(|b| *b == 0), "only pads follow END");
    all
}

/// A packet for a person: header fields that say something, then options by name, in the order of the wire.
fn dump(bytes: &[u8]) -> String {
    let ip = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
    let text = |field: &[u8]| String::from_utf8_lossy(field).trim_end_matches('\0').to_owned();
    let mut out = format!("{} bytes, op {}, flags {:02x}{:02x}\n", bytes.len(), bytes[0], bytes[10], bytes[11]);
    for (name, at) in [("ciaddr", 12), ("yiaddr", 16), ("siaddr", 20), ("giaddr", 24)] {
        writeln!(out, "{name} {}", ip(at)).unwrap();
    }
    writeln!(out, "sname  {:?}\nfile   {:?}", text(&bytes[44..108]), text(&bytes[108..236])).unwrap();
    for (code, value) in tail(bytes) {
        let row = named(code).unwrap_or_else(|| panic!("option {code} is not in the table"));
        let said = match row.kind.read(&value) {
            Some(Value::Text(_)) => format!("{:?}", String::from_utf8(value).unwrap()),
            Some(Value::Bytes(bytes)) => hex::encode(bytes),
            Some(other) => format!("{other:?}"),
            None => format!("{} is not {:?}", hex::encode(value), row.kind),
        };
        writeln!(out, "{code:3} {} {said}", row.name).unwrap();
    }
    out
}
