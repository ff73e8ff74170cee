//! From the decision to the packet that tells it, and where that packet goes.

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

use super::ask::{self, IPXE};
use super::option::{Kind, Value, printable};
use super::packet::{BROADCAST, Packet, REPLY};
use super::relay;
use super::tlv::Options;
use crate::boot::Here;
use crate::boot::loader::First;
use crate::boot::offer::{Grant, OfferReply};
use crate::metrics::Reply;
use crate::model::{Mac, Network, Program};
use dhcproto::v4::{MessageType, OptionCode};
use std::net::Ipv4Addr;

/// The smallest datagram that every client takes (RFC 2131 §2), and what of it IP and UDP need.
const DATAGRAM_BYTES: u16 = 576;
const HEADER_BYTES: u16 = 28;
const REASON_CHARS: usize = 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub bytes: Vec<u8>,
    /// Our address, which it is sent from.
    pub from: Ipv4Addr,
    pub reply: Reply,
    pub to: Destination,
    /// A router advertisement goes with it: see [`super::advert`].
    pub advertise: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Port 68 of everybody on the network.
    Broadcast,
    /// Port 68 of a client that uses its address.
    Unicast(Ipv4Addr),
    /// Port 68 of a client that has no address yet: in a frame to its card.
    Card { mac: Mac, ip: Ipv4Addr },
    /// Port 67 of the relay, or the one that it asked from (RFC 8357).
    Relay { ip: Ipv4Addr, own_port: bool },
    /// Where the question came from.
    Sender,
}

/// The same builder for OFFER and ACK: EDK2 reads the boot file out of the ACK (gravity#912).
///
/// None for silence, and for an answer that not even a frame could hold (a relay's option 82 of a kilobyte).
pub fn reply(request: &Packet, reply: &OfferReply, networks: &[&Network], here: Here) -> Option<Outgoing> {
    let network = |grant: &Grant| networks.get(grant.place).or_else(|| networks.first()).copied();
    let with = |kind, grant: &Grant| Some(answer(request, kind, grant, network(grant)?, here));
    let packet = match reply {
        OfferReply::Silence => return None,
        OfferReply::Nak(why) => refusal(request, why, here),
        OfferReply::Offer(grant) => leased(with(MessageType::Offer, grant)?, grant),
        OfferReply::Ack(grant) => leased(with(MessageType::Ack, grant)?, grant),
        OfferReply::Informed(grant) => with(MessageType::Ack, grant)?,
        OfferReply::Proxy(grant) => boot_only(request, MessageType::Offer, grant, here),
        OfferReply::ProxyAck(grant) => boot_only(request, MessageType::Ack, grant, here),
    };
    let to = match reply {
        OfferReply::Nak(_) => not_to_client(request),
        OfferReply::ProxyAck(_) => Destination::Sender,
        _ => destination(request, &packet, networks),
    };
    let advertise = advertises(request, networks);
    Some(Outgoing { bytes: packet.encode(cap(&request.options))?, reply: reply.into(), from: here.ip, to, advertise })
}

/// To what boots, on our own wire: an operating system asks routers itself, and no relay forwards one.
fn advertises(request: &Packet, networks: &[&Network]) -> bool {
    let wanted = networks.iter().any(|network| network.dhcp.advertise);
    wanted && request.giaddr.is_unspecified() && ask::client(&request.options).program != Program::System
}

/// RFC 2131 §4.1. An address of another network is not written to, whoever says to have it.
fn destination(request: &Packet, reply: &Packet, networks: &[&Network]) -> Destination {
    let ours = |ip: Ipv4Addr| networks.iter().any(|network| network.can_hold(ip));
    let mac = Mac(*request.chaddr.first_chunk().unwrap_or(&[0; 6]));
    let takes_frames = request.flags & BROADCAST == 0 && request.hlen == 6 && mac.is_usable();
    match request.giaddr {
        Ipv4Addr::UNSPECIFIED if ours(request.ciaddr) => Destination::Unicast(request.ciaddr),
        Ipv4Addr::UNSPECIFIED if takes_frames && !reply.yiaddr.is_unspecified() => {
            Destination::Card { mac, ip: reply.yiaddr }
        }
        _ => not_to_client(request),
    }
}

fn not_to_client(request: &Packet) -> Destination {
    match request.giaddr {
        Ipv4Addr::UNSPECIFIED => Destination::Broadcast,
        ip => Destination::Relay { ip, own_port: relay::has_source_port(&request.options) },
    }
}

/// Option 57 counts a whole datagram (RFC 2132 §9.10). OVMF's 65280 is no harm: a frame limits it again.
fn cap(options: &Options) -> usize {
    let datagram = options.first(OptionCode::MaxMessageSize).map_or(DATAGRAM_BYTES, u16::from_be_bytes);
    usize::from(datagram.max(DATAGRAM_BYTES).saturating_sub(HEADER_BYTES))
}

/// What every reply has: the header, who speaks, and what the client and its relay sent to be sent back.
fn head(request: &Packet, kind: MessageType, here: Here) -> Packet {
    let mut packet = Packet {
        op: REPLY,
        hops: 0,
        secs: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        sname: [0; 64],
        file: [0; 128],
        options: Options::default(),
        ..*request
    };
    packet.options.set(OptionCode::MessageType, [u8::from(kind)]);
    let server = relay::server_override(&request.options).filter(|_| !request.giaddr.is_unspecified());
    packet.options.set(OptionCode::ServerIdentifier, server.unwrap_or(here.ip).octets());
    // RFC 6842 and RFC 3046 §2.2: byte for byte, and only what was there.
    echo(request, OptionCode::ClientIdentifier, &mut packet.options);
    echo(request, OptionCode::RelayAgentInformation, &mut packet.options);
    packet
}

fn echo(request: &Packet, code: OptionCode, options: &mut Options) {
    if let Some(bytes) = request.options.get(code) {
        options.set(code, bytes);
    }
}

/// The relay is told to broadcast it: a client that must not use its address can not be reached by it.
fn refusal(request: &Packet, why: &str, here: Here) -> Packet {
    let mut packet = head(request, MessageType::Nak, here);
    if !request.giaddr.is_unspecified() {
        packet.flags |= BROADCAST;
    }
    packet.options.set(OptionCode::Message, printable(why.as_bytes(), REASON_CHARS));
    packet
}

fn answer(request: &Packet, kind: MessageType, grant: &Grant, network: &Network, here: Here) -> Packet {
    let mut packet = head(request, kind, here);
    if kind != MessageType::Offer {
        packet.ciaddr = request.ciaddr;
    }
    set_network(&mut packet.options, network, ask::client(&request.options).program);
    if let Some(name) = &grant.hostname {
        packet.options.set(OptionCode::Hostname, name.as_str());
    }
    set_boot(&mut packet, request, grant, here);
    // RFC 3011 §2: who selected a subnet throws away an answer that does not say so.
    echo(request, OptionCode::SubnetSelection, &mut packet.options);
    grant.options.iter().for_each(|(code, value)| packet.options.set(code, value));
    if let Some(wanted) = wanted(request) {
        packet.options.keep(|code| wanted.contains(&code) || MUST.contains(&code));
    }
    ROUTES.iter().for_each(|code| lead_out(*code, &mut packet.options));
    packet
}

/// The codes that a client asks for; none where it asks for nothing.
fn wanted(request: &Packet) -> Option<&[u8]> {
    request.options.get(OptionCode::ParameterRequestList).filter(|list| !list.is_empty())
}

/// Classless routes, and what Microsoft's clients take for them.
const ROUTES: &[u8] = &[121, 249];

/// Who takes routes ignores option 3 (RFC 3442), so the way out is one of them unless an operator wrote another.
fn lead_out(code: u8, options: &mut Options) {
    let (Some(bytes), Some(gateway)) = (options.get(code), options.ip(OptionCode::Router)) else { return };
    let Some(Value::Routes(routes)) = Kind::Routes.read(bytes) else { return };
    if routes.iter().all(|(to, _)| to.prefix() > 0) {
        let with_default = [bytes, &[0], &gateway.octets()].concat();
        options.set(code, with_default);
    }
}

/// What a client gets without asking: the dialogue, the lease, its network, its boot program (many that
/// need 66 and 67 do not ask for them, see dnsmasq's rfc2131.c), and the echoes.
const MUST: &[u8] = &[1, 3, 28, 43, 51, 53, 54, 58, 59, 60, 61, 66, 67, 82, 97, 118, 150, IPXE];

/// Beside another server: no address and nothing of the network.
fn boot_only(request: &Packet, kind: MessageType, grant: &Grant, here: Here) -> Packet {
    let mut packet = head(request, kind, here);
    packet.ciaddr = request.ciaddr;
    set_boot(&mut packet, request, grant, here);
    packet
}

fn set_boot(packet: &mut Packet, request: &Packet, grant: &Grant, here: Here) {
    echo(request, OptionCode::ClientMachineIdentifier, &mut packet.options);
    if ask::ipxe(&request.options).is_some() {
        packet.options.set(IPXE, NO_PXEDHCP);
    }
    let program = ask::client(&request.options).program;
    match &grant.first {
        // Neither a file nor the word PXE: a ROM takes it for "no boot file" and goes on to its disk.
        First::Nothing => {}
        First::Tftp(name) | First::Url(name) => name_program(packet, program, (name, grant.nul), here),
        First::Server => name_server(packet, grant.nul, here),
    }
    // Cisco's way to say where TFTP is: to who asks for it.
    if matches!(grant.first, First::Tftp(_) | First::Server)
        && wanted(request).is_some_and(|list| list.contains(&TFTP_SERVERS))
    {
        packet.options.set(TFTP_SERVERS, here.ip.octets());
    }
}

const TFTP_SERVERS: u8 = 150;

/// In option 175: iPXE is not to wait two seconds for a proxyDHCP server (its `dhcp.h`).
const NO_PXEDHCP: [u8; 3] = [0xb0, 1, 1];

/// T1 and T2 in the OFFER as well: HP JetDirect wants them (dnsmasq's rfc2131.c).
fn leased(mut packet: Packet, grant: &Grant) -> Packet {
    let secs = grant.lease_secs;
    packet.yiaddr = grant.ip;
    packet.options.set(OptionCode::AddressLeaseTime, secs.to_be_bytes());
    let times = [(OptionCode::Renewal, secs / 2), (OptionCode::Rebinding, secs.saturating_sub(secs / 8))];
    for (code, secs) in times {
        // An operator may have set their own.
        if packet.options.get(code).is_none() {
            packet.options.set(code, secs.to_be_bytes());
        }
    }
    packet
}

fn set_network(options: &mut Options, network: &Network, program: Program) {
    options.set(OptionCode::SubnetMask, network.cidr.mask().octets());
    if let Some(gateway) = network.gateway {
        options.set(OptionCode::Router, gateway.octets());
    }
    // Our URLs hold addresses, and a name server stops GRUB 2.06 at HTTP boot: its `net_default` variables stay empty.
    if !network.dns.is_empty() && program != Program::Http {
        options.set(OptionCode::DomainNameServer, network.dns.iter().flat_map(|ip| ip.octets()).collect::<Vec<u8>>());
    }
    if let Some(domain) = &network.domain {
        options.set(OptionCode::DomainName, domain.as_str());
    }
    if network.cidr.prefix() < 31 {
        options.set(OptionCode::BroadcastAddr, network.cidr.broadcast().octets());
    }
}

/// In the header and in options: shim and U-Boot read only the one, other firmware only the other.
fn name_program(packet: &mut Packet, program: Program, (name, nul): (&str, bool), here: Here) {
    name_server(packet, nul, here);
    fill(&mut packet.file, name);
    packet.options.set(OptionCode::BootfileName, ended(name, nul));
    let class = match program {
        Program::Rom | Program::Ipxe => "PXEClient",
        Program::Http => "HTTPClient",
        Program::System => return,
    };
    packet.options.set(OptionCode::ClassIdentifier, class);
    if program == Program::Rom {
        packet.options.set(OptionCode::VendorExtensions, USE_BOOTFILE);
    }
}

fn name_server(packet: &mut Packet, nul: bool, here: Here) {
    let server = here.ip.to_string();
    packet.siaddr = here.ip;
    fill(&mut packet.sname, &server);
    packet.options.set(OptionCode::TFTPServerName, ended(&server, nul));
}

/// With a NUL, as dnsmasq has it: some firmware reads on until it finds one, and some takes it for a letter.
fn ended(text: &str, nul: bool) -> String {
    if nul { format!("{text}\0") } else { text.to_owned() }
}

/// PXE discovery control (6), bit 3: take the file, ask nobody else. Without it UEFI asks again on
/// port 4011 and stalls (EDK2's `PxeBcParseDhcp4Packet`); UEFI HTTP boot must never see it.
const USE_BOOTFILE: [u8; 4] = [6, 1, 8, 255];

/// Empty where text and NUL do not fit: the option still has it.
fn fill<const N: usize>(field: &mut [u8; N], text: &str) {
    if text.len() < N {
        field.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    }
}
