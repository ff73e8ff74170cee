//! A DHCP packet: the BOOTP header of RFC 2131 §2 and its options, from bytes and to bytes.

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

use super::tlv::Options;
use crate::model::Mac;
use dhcproto::v4::OptionCode;
use std::net::Ipv4Addr;

pub const REQUEST: u8 = 1;
pub const REPLY: u8 = 2;
/// In `flags`: the client can not yet take unicast.
pub const BROADCAST: u16 = 0x8000;

const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// The one kind of hardware whose address does not fit: some of its clients say 20 instead of 0 (RFC 4390 §2.1,
/// xcat#7418). They are told apart by option 61.
const INFINIBAND: u8 = 32;
/// What is shorter is dropped by some relays and clients (RFC 1542 §2.1, opnsense#7744, Technitium#1025).
const PADDED_BYTES: usize = 300;
/// An Ethernet frame without the headers of IP and UDP.
pub const WIRE_BYTES: usize = 1472;

/// No card or relay sends more, and what waits for its turn must not fill the memory: the rest is not read.
const MOST_BYTES: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub op: u8,
    pub htype: u8,
    pub hlen: u8,
    pub hops: u8,
    pub xid: u32,
    pub secs: u16,
    pub flags: u16,
    pub ciaddr: Ipv4Addr,
    pub yiaddr: Ipv4Addr,
    pub siaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub chaddr: [u8; 16],
    pub sname: [u8; 64],
    pub file: [u8; 128],
    pub options: Options,
}

/// Why some bytes are no DHCP packet of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("{0} bytes are too short for a DHCP packet")]
    Short(usize),
    #[error("op is {0}: not a request of a client")]
    NotARequest(u8),
    #[error("op is {0}: not a reply of a server")]
    NotAReply(u8),
    #[error("a hardware address of {0} bytes: more than the 16 there is room for")]
    HardwareLength(u8),
    #[error("the magic cookie of DHCP is missing")]
    Cookie,
}

impl Packet {
    /// A question of a card that has no address yet.
    pub fn question(mac: Mac, options: Options) -> Packet {
        let mut chaddr = [0; 16];
        chaddr.iter_mut().zip(mac.0).for_each(|(to, from)| *to = from);
        Packet {
            op: REQUEST,
            htype: 1,
            hlen: 6,
            hops: 0,
            xid: 0,
            secs: 0,
            flags: 0,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            chaddr,
            sname: [0; 64],
            file: [0; 128],
            options,
        }
    }

    pub fn parse(bytes: &[u8]) -> Result<Packet, Malformed> {
        match Packet::parse_any(bytes)? {
            Packet { op, .. } if op != REQUEST => Err(Malformed::NotARequest(op)),
            packet => Ok(packet),
        }
    }

    /// What a server says. Only other servers are heard so.
    pub fn parse_reply(bytes: &[u8]) -> Result<Packet, Malformed> {
        match Packet::parse_any(bytes)? {
            Packet { op, .. } if op != REPLY => Err(Malformed::NotAReply(op)),
            packet => Ok(packet),
        }
    }

    fn parse_any(bytes: &[u8]) -> Result<Packet, Malformed> {
        let bytes = bytes.get(..MOST_BYTES).unwrap_or(bytes);
        match Packet::read(bytes).ok_or(Malformed::Short(bytes.len()))?? {
            Packet { hlen, htype, .. } if hlen > 16 && htype != INFINIBAND => Err(Malformed::HardwareLength(hlen)),
            packet => Ok(packet),
        }
    }

    /// None: the bytes end within the header.
    fn read(mut rest: &[u8]) -> Option<Result<Packet, Malformed>> {
        let [op, htype, hlen, hops] = take(&mut rest)?;
        let mut packet = Packet {
            op,
            htype,
            hlen,
            hops,
            xid: u32::from_be_bytes(take(&mut rest)?),
            secs: u16::from_be_bytes(take(&mut rest)?),
            flags: u16::from_be_bytes(take(&mut rest)?),
            ciaddr: take::<4>(&mut rest)?.into(),
            yiaddr: take::<4>(&mut rest)?.into(),
            siaddr: take::<4>(&mut rest)?.into(),
            giaddr: take::<4>(&mut rest)?.into(),
            chaddr: take(&mut rest)?,
            sname: take(&mut rest)?,
            file: take(&mut rest)?,
            options: Options::default(),
        };
        if take(&mut rest)? != COOKIE {
            return Some(Err(Malformed::Cookie));
        }
        packet.read_options(rest);
        Some(Ok(packet))
    }

    /// Option 52 says that `file` (1), `sname` (2) or both go on with options (RFC 2131 §4.1).
    fn read_options(&mut self, field: &[u8]) {
        self.options.read(field);
        let [overload] = self.options.first(OptionCode::OptionOverload).unwrap_or_default();
        if overload & 1 != 0 {
            self.options.read(&self.file);
        }
        if overload & 2 != 0 {
            self.options.read(&self.sname);
        }
    }

    /// At most `cap` bytes: what is needed least goes first, and None says that not even the rest fits.
    ///
    /// Option 82 comes on top, as the relay takes it out before the client sees the packet, but never over
    /// what a frame carries. Never overloads `sname` and `file`: shim and U-Boot read them as they are.
    pub fn encode(&self, cap: usize) -> Option<Vec<u8>> {
        let cap = cap.saturating_add(self.options.relay_bytes()).min(WIRE_BYTES);
        let mut bytes = self.write(&self.options);
        if bytes.len() > cap {
            let mut options = self.options.clone();
            while bytes.len() > cap {
                options.drop_least_needed()?;
                bytes = self.write(&options);
            }
        }
        Some(bytes)
    }

    fn write(&self, options: &Options) -> Vec<u8> {
        let mut out = Vec::with_capacity(PADDED_BYTES.saturating_mul(2));
        out.extend([self.op, self.htype, self.hlen, self.hops]);
        out.extend(self.xid.to_be_bytes());
        out.extend(self.secs.to_be_bytes());
        out.extend(self.flags.to_be_bytes());
        for ip in [self.ciaddr, self.yiaddr, self.siaddr, self.giaddr] {
            out.extend(ip.octets());
        }
        out.extend_from_slice(&self.chaddr);
        out.extend_from_slice(&self.sname);
        out.extend_from_slice(&self.file);
        out.extend(COOKIE);
        options.write(&mut out);
        out.resize(out.len().max(PADDED_BYTES), 0);
        out
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}
