//! What the tests of DHCP share: captured packets, a boring client, a network, and packets as text.

mod ask;
mod option;
mod packet;

use super::ask::Received;
use super::option::{Value, named};
use super::packet::{Packet, REQUEST};
use super::tlv::Options;
use crate::boot::Here;
use dhcproto::v4::{MessageType, OptionCode};
use std::net::Ipv4Addr;
use std::path::PathBuf;

const HERE: Here = Here { ip: Ipv4Addr::new(10, 9, 0, 2), http_port: 80 };
const TO_ALL: Received = Received { here: HERE.ip, unicast: false };
const TO_US: Received = Received { here: HERE.ip, unicast: true };
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
    fn with(mut self, code: OptionCode, value: impl Into<Vec<u8>>) -> Packet {
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
