//! Packets as a classic pcap file, with the headers of Ethernet, IP and UDP that sockets do not show; and back.

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

use super::{Direction, Note};
use crate::model::{Mac, Time};
use pnet::packet::ethernet::{EtherTypes, EthernetPacket, MutableEthernetPacket};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::{self, Ipv4Packet, MutableIpv4Packet};
use pnet::packet::udp::{self, MutableUdpPacket, UdpPacket};
use pnet::util::MacAddr;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Microseconds, in the byte order of whoever wrote it.
const MAGIC: u32 = 0xa1b2_c3d4;
const VERSION: [u16; 2] = [2, 4];
const LONGEST: u32 = 65_535;
const ETHERNET: u32 = 1;
/// Of the file, and of each packet in it.
const FILE_BYTES: usize = 24;
const RECORD_BYTES: usize = 16;

const ETHERNET_BYTES: usize = 14;
const IPV4_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const HEADER_BYTES: usize = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES;

/// Ours in such a file: locally administered, since sockets do not tell which card it was.
const OURS: MacAddr = MacAddr(0x02, b'k', b'i', b'c', b'k', 0);

/// A file of this MAC's packets.
pub fn write(mac: Mac, notes: &[Note]) -> Vec<u8> {
    let frames = notes.iter().filter_map(|note| Some((note.at, note.length, frame(mac, note)?)));
    file(frames.map(|(at, length, frame)| Record { at, length: length.saturating_add(HEADER_BYTES), frame }))
}

/// A frame with its time; `length` is what it had before it was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub at: Time,
    pub length: usize,
    pub frame: Vec<u8>,
}

pub fn file(records: impl IntoIterator<Item = Record>) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(MAGIC.to_le_bytes());
    VERSION.iter().for_each(|part| out.extend(part.to_le_bytes()));
    [0, 0, LONGEST, ETHERNET].iter().for_each(|word: &u32| out.extend(word.to_le_bytes()));
    for Record { at, length, frame } in records {
        let (secs, micros) = (at.0.div_euclid(1_000_000), at.0.rem_euclid(1_000_000));
        let words = [secs.try_into().ok(), micros.try_into().ok(), frame.len().try_into().ok(), length.try_into().ok()];
        words.iter().for_each(|word: &Option<u32>| out.extend(word.unwrap_or(u32::MAX).to_le_bytes()));
        out.extend(frame);
    }
    out
}

/// None: this is no file as [`file()`] writes it.
pub fn records(bytes: &[u8]) -> Option<Vec<Record>> {
    let (head, mut rest) = bytes.split_at_checked(FILE_BYTES)?;
    (head.first_chunk() == Some(&MAGIC.to_le_bytes())).then_some(())?;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (head, tail) = rest.split_at_checked(RECORD_BYTES)?;
        let (words, _) = head.as_chunks::<4>();
        let [secs, micros, kept, length] = <[[u8; 4]; 4]>::try_from(words).ok()?.map(u32::from_le_bytes);
        let (frame, tail) = tail.split_at_checked(usize::try_from(kept).ok()?)?;
        let at = Time(i64::from(secs).saturating_mul(1_000_000).saturating_add(i64::from(micros)));
        records.push(Record { at, length: usize::try_from(length).ok()?, frame: frame.to_vec() });
        rest = tail;
    }
    Some(records)
}

/// What a frame of ours holds; none for any other frame.
pub fn read(record: &Record) -> Option<Note> {
    let ethernet = EthernetPacket::new(&record.frame)?;
    let (ip, body) = record.frame.get(ETHERNET_BYTES..)?.split_at_checked(IPV4_BYTES)?;
    let (udp, payload) = body.split_at_checked(UDP_BYTES)?;
    let (ip, udp) = (Ipv4Packet::new(ip)?, UdpPacket::new(udp)?);
    let is_udp = ip.get_next_level_protocol() == IpNextHeaderProtocols::Udp;
    (ethernet.get_ethertype() == EtherTypes::Ipv4 && ip.get_header_length() == 5 && is_udp).then(|| Note {
        at: record.at,
        direction: if ethernet.get_source() == OURS { Direction::Out } else { Direction::In },
        from: SocketAddrV4::new(ip.get_source(), udp.get_source()),
        to: SocketAddrV4::new(ip.get_destination(), udp.get_destination()),
        payload: payload.into(),
        length: record.length.saturating_sub(HEADER_BYTES),
    })
}

fn frame(mac: Mac, note: &Note) -> Option<Vec<u8>> {
    let mut bytes = vec![0; HEADER_BYTES.checked_add(note.payload.len())?];
    let (ethernet, rest) = bytes.split_at_mut_checked(ETHERNET_BYTES)?;
    let (ip, udp) = rest.split_at_mut_checked(IPV4_BYTES)?;
    udp.get_mut(UDP_BYTES..)?.copy_from_slice(&note.payload);
    write_udp(udp, note)?;
    write_ip(ip, note)?;
    write_ethernet(ethernet, mac, note)?;
    Some(bytes)
}

fn write_ethernet(bytes: &mut [u8], Mac([a, b, c, d, e, f]): Mac, note: &Note) -> Option<()> {
    let client = MacAddr(a, b, c, d, e, f);
    let (from, to) = match note.direction {
        Direction::In => (client, OURS),
        Direction::Out => (OURS, client),
    };
    let mut ethernet = MutableEthernetPacket::new(bytes)?;
    ethernet.set_source(from);
    ethernet.set_destination(if *note.to.ip() == Ipv4Addr::BROADCAST { MacAddr::broadcast() } else { to });
    ethernet.set_ethertype(EtherTypes::Ipv4);
    Some(())
}

fn write_ip(bytes: &mut [u8], note: &Note) -> Option<()> {
    let mut ip = MutableIpv4Packet::new(bytes)?;
    ip.set_version(4);
    ip.set_header_length(5);
    ip.set_total_length(note.length.checked_add(IPV4_BYTES + UDP_BYTES)?.try_into().ok()?);
    ip.set_ttl(64);
    ip.set_next_level_protocol(IpNextHeaderProtocols::Udp);
    ip.set_source(*note.from.ip());
    ip.set_destination(*note.to.ip());
    let sum = ipv4::checksum(&ip.to_immutable());
    ip.set_checksum(sum);
    Some(())
}

/// Without a checksum where the end is missing: 0 means that there is none (RFC 768).
fn write_udp(bytes: &mut [u8], note: &Note) -> Option<()> {
    let mut udp = MutableUdpPacket::new(bytes)?;
    udp.set_source(note.from.port());
    udp.set_destination(note.to.port());
    udp.set_length(note.length.checked_add(UDP_BYTES)?.try_into().ok()?);
    if note.length == note.payload.len() {
        let sum = udp::ipv4_checksum(&udp.to_immutable(), note.from.ip(), note.to.ip());
        udp.set_checksum(if sum == 0 { u16::MAX } else { sum });
    }
    Some(())
}
