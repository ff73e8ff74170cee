//! From a packet to the question: what the client says (RFC 2131 §4.3) and who it is.

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

use super::option::printable;
use super::packet::Packet;
use super::relay;
use super::tlv::Options;
use crate::boot::offer::{Message, OfferAsk};
use crate::model::{Arch, Client, Holder, Mac, Program};
use dhcproto::v4::{MessageType, OptionCode};
use std::net::Ipv4Addr;

const VENDOR_CHARS: usize = 64;
const HOSTNAME_CHARS: usize = 63;
/// A type and a UUID are 17; nobody needs more of what pretends to be one.
const UUID_BYTES: usize = 32;

/// What the packet itself does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// Our address for the network that the packet belongs to.
    pub here: Ipv4Addr,
    /// Server identifiers that mean us as well: our other addresses, and what a relay overrides it with.
    pub also: &'a [Ipv4Addr],
    /// It was sent to that address, not to everybody.
    pub unicast: bool,
    /// What its relay or switch says of the circuit is believed.
    pub believed: bool,
    /// It came to the boot server's own port, 4011.
    pub boot_port: bool,
    /// It comes from behind a relay.
    pub relayed: bool,
}

impl Received<'_> {
    fn means_us(&self, server: Ipv4Addr) -> bool {
        server == self.here || self.also.contains(&server)
    }
}

/// Why a packet is no question to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    #[error("plain BOOTP: option 53 is missing")]
    Bootp,
    #[error("message type {0} is not one that a client sends to a server")]
    Message(u8),
    #[error("the hardware address is not one that a network card can have")]
    HardwareAddress,
    #[error("meant for the server {0}")]
    OtherServer(Ipv4Addr),
    #[error("{0} without an address")]
    NoAddress(&'static str),
}

pub fn ask(packet: &Packet, received: &Received<'_>) -> Result<OfferAsk, Ignored> {
    let id = packet.options.get(OptionCode::ClientIdentifier).filter(|id| !id.is_empty());
    let message = message(packet, received)?;
    let holder = holder(packet, id).ok_or(Ignored::HardwareAddress)?;
    let client = client(&packet.options).on(holder.mac());
    Ok(OfferAsk {
        message,
        holder,
        client,
        vendor: text(&packet.options, OptionCode::ClassIdentifier, VENDOR_CHARS).unwrap_or_default(),
        user_classes: user_classes(&packet.options),
        uuid: uuid(&packet.options),
        hostname: text(&packet.options, OptionCode::Hostname, HOSTNAME_CHARS),
        client_id: id.map(Into::into),
        circuit: received.believed.then(|| relay::circuit(&packet.options)).flatten().map(Into::into),
        relayed: received.relayed,
    })
}

fn message(packet: &Packet, received: &Received<'_>) -> Result<Message, Ignored> {
    let options = &packet.options;
    let wants = options.ip(OptionCode::RequestedIpAddress);
    let has = Some(packet.ciaddr).filter(|ip| !ip.is_unspecified());
    let [kind] = options.first(OptionCode::MessageType).ok_or(Ignored::Bootp)?;
    match MessageType::from(kind) {
        MessageType::Discover | MessageType::Request | MessageType::Inform if received.boot_port => {
            Ok(Message::Boot { ip: has.or(wants) })
        }
        MessageType::Discover => Ok(Message::Discover { wants }),
        MessageType::Request => request(packet, wants, has, received).ok_or(Ignored::NoAddress("REQUEST")),
        MessageType::Decline => {
            let ip = wants.ok_or(Ignored::NoAddress("DECLINE"))?;
            for_us(options, received).map(|()| Message::Decline { ip })
        }
        MessageType::Release => {
            let ip = has.ok_or(Ignored::NoAddress("RELEASE"))?;
            for_us(options, received).map(|()| Message::Release { ip })
        }
        MessageType::Inform => has.map(|ip| Message::Inform { ip }).ok_or(Ignored::NoAddress("INFORM")),
        _ => Err(Ignored::Message(kind)),
    }
}

/// A client that uses its address may name the server or the address again, against RFC 2131 §4.3.6:
/// only both together say that it chooses. What came through a relay was a broadcast at first.
fn request(
    packet: &Packet,
    wants: Option<Ipv4Addr>,
    has: Option<Ipv4Addr>,
    received: &Received<'_>,
) -> Option<Message> {
    let server = packet.options.ip(OptionCode::ServerIdentifier);
    let unicast = received.unicast && packet.giaddr.is_unspecified();
    match (server, wants, has) {
        (Some(server), Some(ip), _) => {
            let server = if received.means_us(server) { received.here } else { server };
            Some(Message::Select { server, ip })
        }
        (_, _, Some(ip)) if unicast => Some(Message::Renew { ip }),
        (_, _, Some(ip)) => Some(Message::Rebind { ip }),
        (None, Some(ip), None) => Some(Message::Reboot { ip }),
        (_, None, None) => None,
    }
}

/// A server identifier is a must here, and its absence is forgiven.
fn for_us(options: &Options, received: &Received<'_>) -> Result<(), Ignored> {
    match options.ip(OptionCode::ServerIdentifier) {
        Some(server) if !received.means_us(server) => Err(Ignored::OtherServer(server)),
        _ => Ok(()),
    }
}

/// The key of everything: option 61 changes from ROM to iPXE to installer to system, the MAC does not.
/// Only where it is none that a card can have, option 61 tells clients apart: InfiniBand sends hlen 0 (RFC 4390).
fn holder(packet: &Packet, id: Option<&[u8]>) -> Option<Holder> {
    const LONGEST: usize = 255;
    let mac = Mac(*packet.chaddr.first_chunk()?);
    if packet.hlen == 6 && mac.is_usable() {
        return Some(Holder::Card(mac));
    }
    id.filter(|id| id.len() <= LONGEST).map(|id| Holder::Id(id.into()))
}

const CLASS_CHARS: usize = 64;

/// In the list that RFC 3004 wants, or the text alone.
fn user_classes(options: &Options) -> Vec<String> {
    let Some(bytes) = options.get(OptionCode::UserClass) else { return Vec::new() };
    let all = classes(bytes).filter(|all| !all.is_empty()).unwrap_or_else(|| vec![bytes]);
    all.into_iter().map(|class| printable(class, CLASS_CHARS)).collect()
}

/// Who it is. An iPXE that can not fetch by HTTP is no better than a ROM: it gets an iPXE that can.
pub(super) fn client(options: &Options) -> Client {
    let vendor = options.get(OptionCode::ClassIdentifier).unwrap_or_default();
    let program = match ipxe(options) {
        Some(Ipxe { http: true }) => Program::Ipxe,
        Some(Ipxe { http: false }) => Program::Rom,
        None if vendor.starts_with(b"HTTPClient") => Program::Http,
        None if vendor.starts_with(b"PXEClient") => Program::Rom,
        None => Program::System,
    };
    Client { program, arch: arch(options, vendor) }
}

/// The program iPXE, whatever else it says it is.
pub(super) struct Ipxe {
    http: bool,
}

/// By its user class, or by the features that it lists in option 175.
pub(super) fn ipxe(options: &Options) -> Option<Ipxe> {
    const HTTP: u8 = 0x13;
    let own = options.get(IPXE).map(Options::scan).unwrap_or_default();
    let mut features = own.iter().filter(|(code, _)| (0x10..=0x29).contains(code)).peekable();
    let lists = features.peek().is_some();
    let class = options.get(OptionCode::UserClass).is_some_and(is_ipxe_class);
    (class || lists).then(|| Ipxe { http: !lists || features.any(|(code, _)| code == HTTP) })
}

/// Encapsulated options of iPXE (its `dhcp.h` and `features.h`).
pub(super) const IPXE: u8 = 175;

/// iPXE sends its name as it is, not in the list that RFC 3004 wants (captured; baremetal-operator#446).
fn is_ipxe_class(bytes: &[u8]) -> bool {
    bytes == b"iPXE" || classes(bytes).is_some_and(|all| all.contains(&b"iPXE".as_slice()))
}

/// RFC 3004: each class behind its length, and nothing left over.
fn classes(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut all = Vec::new();
    while let Some((&len, rest)) = bytes.split_first() {
        let (class, rest) = rest.split_at_checked(usize::from(len))?;
        all.push(class);
        bytes = rest;
    }
    Some(all)
}

/// Option 93 is a list. Where it is missing or says nothing that is known, option 60 tells the same.
fn arch(options: &Options, vendor: &[u8]) -> Option<Arch> {
    let (list, _) = options.get(OptionCode::ClientSystemArchitecture).unwrap_or_default().as_chunks();
    let mut all = list.iter().map(|n| Arch(u16::from_be_bytes(*n)));
    let first = all.clone().next();
    all.find(is_known).or_else(|| vendor_arch(vendor)).or(first)
}

/// Numbers that IANA has given away.
fn is_known(arch: &Arch) -> bool {
    arch.0 <= 0x29
}

/// The 7 of `PXEClient:Arch:00007:UNDI:003000`.
fn vendor_arch(vendor: &[u8]) -> Option<Arch> {
    let mut parts = std::str::from_utf8(vendor).ok()?.split(':');
    parts.find(|part| *part == "Arch")?;
    parts.next()?.parse().ok().map(Arch)
}

/// In hex, in the order of the wire: the first three fields are little-endian there and not in dmidecode.
fn uuid(options: &Options) -> Option<String> {
    let bytes = options.get(OptionCode::ClientMachineIdentifier)?;
    let uuid = match bytes {
        [0, uuid @ ..] if uuid.len() == 16 => uuid,
        other => other.get(..UUID_BYTES).unwrap_or(other),
    };
    Some(hex::encode(uuid)).filter(|text| !text.is_empty())
}

fn text(options: &Options, code: OptionCode, cap: usize) -> Option<String> {
    Some(printable(options.get(code)?, cap)).filter(|text| !text.is_empty())
}
