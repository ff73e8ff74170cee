//! What frames carry, as bytes: UDP in IPv4, ARP and ICMP echo, built and read with pnet's packet types.
//!
//! pnet checks the length of a fixed header once, in `new`; its payloads, which trust lengths off the wire
//! (libpnet#221), are not used: the bytes behind a header are cut here.

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

use crate::model::Mac;
use pnet::packet::Packet;
use pnet::packet::arp::{ArpHardwareTypes, ArpOperations, ArpPacket, MutableArpPacket};
use pnet::packet::ethernet::EtherTypes;
use pnet::packet::icmp::echo_reply::EchoReplyPacket;
use pnet::packet::icmp::echo_request::MutableEchoRequestPacket;
use pnet::packet::icmp::{self, IcmpPacket, IcmpTypes};
use pnet::packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols};
use pnet::packet::ipv4::{self, Ipv4Flags, Ipv4Packet, MutableIpv4Packet};
use pnet::packet::udp::{self, MutableUdpPacket, UdpPacket};
use pnet::util::MacAddr;
use std::net::{Ipv4Addr, SocketAddrV4};

const IPV4_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
/// Before the payload of a [`Datagram`].
const HEADER_BYTES: usize = IPV4_BYTES + UDP_BYTES;
/// What an Ethernet frame carries.
pub const PACKET_BYTES: usize = 1500;
/// ARP for IPv4 on Ethernet.
pub const ARP_BYTES: usize = 28;
/// An echo with 32 bytes of data: some packet filters drop one without any.
pub const ECHO_BYTES: usize = 40;

const TTL: u8 = 64;
/// What is not fragmented needs no identification (RFC 6864 §4.1).
const UNFRAGMENTED: u8 = Ipv4Flags::DontFragment;

/// UDP in IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// All of the packet, with both checksums; none when it is more than a frame carries.
    pub fn write<'b>(&self, buffer: &'b mut [u8; PACKET_BYTES]) -> Option<&'b [u8]> {
        let bytes = buffer.get_mut(..self.payload.len().checked_add(HEADER_BYTES)?)?;
        bytes.fill(0);
        let (ip, udp) = bytes.split_at_mut_checked(IPV4_BYTES)?;
        udp.get_mut(UDP_BYTES..)?.copy_from_slice(self.payload);
        self.write_udp(udp)?;
        self.write_ip(ip, udp.len())?;
        Some(bytes)
    }

    fn write_ip(&self, bytes: &mut [u8], body: usize) -> Option<()> {
        let mut ip = MutableIpv4Packet::new(bytes)?;
        ip.set_version(4);
        ip.set_header_length(5);
        ip.set_total_length(u16::try_from(body.checked_add(IPV4_BYTES)?).ok()?);
        ip.set_flags(UNFRAGMENTED);
        ip.set_ttl(TTL);
        ip.set_next_level_protocol(IpNextHeaderProtocols::Udp);
        ip.set_source(*self.from.ip());
        ip.set_destination(*self.to.ip());
        let sum = ipv4::checksum(&ip.to_immutable());
        ip.set_checksum(sum);
        Some(())
    }

    /// The payload stands in its place: `ipv4_checksum_adv`, which takes one from elsewhere, forgets its last byte
    /// when the length is odd (pnet 0.35).
    fn write_udp(&self, bytes: &mut [u8]) -> Option<()> {
        let length = u16::try_from(bytes.len()).ok()?;
        let mut udp = MutableUdpPacket::new(bytes)?;
        udp.set_source(self.from.port());
        udp.set_destination(self.to.port());
        udp.set_length(length);
        let sum = udp::ipv4_checksum(&udp.to_immutable(), self.from.ip(), self.to.ip());
        // Zero would say that there is none (RFC 768).
        udp.set_checksum(if sum == 0 { u16::MAX } else { sum });
        Some(())
    }

    /// Reads a packet; none when it is not UDP in one piece, or cut off.
    ///
    /// Checksums are not looked at: a sender on the same host leaves them to a card that is never asked.
    pub fn read(packet: &'a [u8]) -> Option<Datagram<'a>> {
        let (ip, body) = unwrap_ipv4(packet, IpNextHeaderProtocols::Udp)?;
        let udp = UdpPacket::new(body)?;
        Some(Datagram {
            from: SocketAddrV4::new(ip.get_source(), udp.get_source()),
            to: SocketAddrV4::new(ip.get_destination(), udp.get_destination()),
            payload: body.get(UDP_BYTES..usize::from(udp.get_length()))?,
        })
    }
}

/// The header and what it says is behind it: frames are padded, and may be cut off.
fn unwrap_ipv4(packet: &[u8], protocol: IpNextHeaderProtocol) -> Option<(Ipv4Packet<'_>, &[u8])> {
    let ip = Ipv4Packet::new(packet)?;
    let fragment = ip.get_fragment_offset() != 0 || ip.get_flags() & Ipv4Flags::MoreFragments != 0;
    if ip.get_version() != 4 || fragment || ip.get_next_level_protocol() != protocol {
        return None;
    }
    let header = usize::from(ip.get_header_length()).checked_mul(4).filter(|bytes| *bytes >= IPV4_BYTES)?;
    let body = packet.get(header..usize::from(ip.get_total_length()))?;
    Some((ip, body))
}

/// The question whether anybody has `ip`, from nobody's address: it changes no cache (RFC 5227 §2.1.1).
pub fn arp_probe(mac: Mac, ip: Ipv4Addr) -> Option<[u8; ARP_BYTES]> {
    let mut bytes = [0; ARP_BYTES];
    let mut arp = MutableArpPacket::new(&mut bytes)?;
    arp.set_hardware_type(ArpHardwareTypes::Ethernet);
    arp.set_protocol_type(EtherTypes::Ipv4);
    arp.set_hw_addr_len(6);
    arp.set_proto_addr_len(4);
    arp.set_operation(ArpOperations::Request);
    arp.set_sender_hw_addr(mac.0.into());
    arp.set_sender_proto_addr(Ipv4Addr::UNSPECIFIED);
    arp.set_target_hw_addr(MacAddr::zero());
    arp.set_target_proto_addr(ip);
    Some(bytes)
}

/// Who says that which address is its own: any ARP packet does, but for probes.
///
/// A probe of somebody else is no claim, though RFC 5227 §2.1.1 counts it for hosts: a second server that looks
/// after the same addresses probes them as well.
pub fn arp_claim(bytes: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let arp = ArpPacket::new(bytes)?;
    let kind = (arp.get_hardware_type(), arp.get_protocol_type(), arp.get_hw_addr_len(), arp.get_proto_addr_len());
    let (ip, mac) = (arp.get_sender_proto_addr(), Mac(arp.get_sender_hw_addr().octets()));
    let known = kind == (ArpHardwareTypes::Ethernet, EtherTypes::Ipv4, 6, 4);
    (known && !ip.is_unspecified()).then_some((ip, mac))
}

/// A ping; `identifier` comes back with the answer.
pub fn echo(identifier: u16) -> Option<[u8; ECHO_BYTES]> {
    let mut bytes = [0; ECHO_BYTES];
    let mut echo = MutableEchoRequestPacket::new(&mut bytes)?;
    echo.set_icmp_type(IcmpTypes::EchoRequest);
    echo.set_identifier(identifier);
    let sum = icmp::checksum(&IcmpPacket::new(echo.packet())?);
    echo.set_checksum(sum);
    Some(bytes)
}

/// Who answered a ping of ours. The packet comes with its IPv4 header, as raw sockets give it.
pub fn echo_reply(packet: &[u8], identifier: u16) -> Option<Ipv4Addr> {
    let (ip, body) = unwrap_ipv4(packet, IpNextHeaderProtocols::Icmp)?;
    let echo = EchoReplyPacket::new(body)?;
    let ours = echo.get_icmp_type() == IcmpTypes::EchoReply && echo.get_identifier() == identifier;
    ours.then(|| ip.get_source())
}
