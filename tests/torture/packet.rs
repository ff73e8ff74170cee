//! As much of DHCP as a client needs, written apart from the server's own.

use kickstand::model::Mac;
use std::net::Ipv4Addr;

pub const DISCOVER: u8 = 1;
pub const OFFER: u8 = 2;
pub const REQUEST: u8 = 3;
pub const DECLINE: u8 = 4;
pub const ACK: u8 = 5;
pub const NAK: u8 = 6;
pub const RELEASE: u8 = 7;

const MAGIC: [u8; 4] = [99, 130, 83, 99];
const NOWHERE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// What a client sends.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub kind: u8,
    pub xid: u32,
    pub mac: Mac,
    /// The address that it uses.
    pub ciaddr: Ipv4Addr,
    /// The relay that forwards it.
    pub giaddr: Ipv4Addr,
    /// Option 50.
    pub wanted: Option<Ipv4Addr>,
    /// Option 54.
    pub server: Option<Ipv4Addr>,
    /// A boot ROM for this architecture (option 93) asks.
    pub rom: Option<u16>,
}

pub const BIOS: u16 = 0;
pub const UEFI: u16 = 7;

impl Sent {
    pub fn new(kind: u8, xid: u32, mac: Mac) -> Sent {
        Sent { kind, xid, mac, ciaddr: NOWHERE, giaddr: NOWHERE, wanted: None, server: None, rom: None }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![1, 1, 6, u8::from(!self.giaddr.is_unspecified())];
        bytes.extend(self.xid.to_be_bytes());
        bytes.extend([0, 0, 0x80, 0]);
        for ip in [self.ciaddr, NOWHERE, NOWHERE, self.giaddr] {
            bytes.extend(ip.octets());
        }
        bytes.extend(self.mac.0);
        bytes.resize(236, 0);
        bytes.extend(MAGIC);
        bytes.extend([53, 1, self.kind]);
        for (code, ip) in [(50, self.wanted), (54, self.server)] {
            if let Some(ip) = ip {
                bytes.extend([code, 4]);
                bytes.extend(ip.octets());
            }
        }
        if let Some([high, low]) = self.rom.map(u16::to_be_bytes) {
            bytes.extend([60, 9]);
            bytes.extend(b"PXEClient");
            bytes.extend([93, 2, high, low]);
        }
        bytes.extend([55, 3, 1, 3, 51, 255]);
        bytes
    }
}

/// What a server said.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub kind: u8,
    pub xid: u32,
    pub mac: Mac,
    pub ip: Ipv4Addr,
    pub server: Ipv4Addr,
    pub lease_secs: u32,
    /// The boot file, from the header.
    pub file: String,
    pub options: Vec<(u8, Vec<u8>)>,
}

impl Said {
    pub fn read(bytes: &[u8]) -> Option<Said> {
        let ip = |at: usize| Some(Ipv4Addr::from(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?)));
        if bytes.first() != Some(&2) || bytes.get(236..240) != Some(&MAGIC) {
            return None;
        }
        let options = options(bytes.get(240..)?);
        let find = |wanted| options.iter().find(|(code, _)| *code == wanted).map(|(_, value)| value.as_slice());
        let number = |code| find(code).and_then(|value| value.try_into().ok()).map(u32::from_be_bytes);
        Some(Said {
            kind: *find(53)?.first()?,
            xid: u32::from_be_bytes(bytes.get(4..8)?.try_into().ok()?),
            mac: Mac(bytes.get(28..34)?.try_into().ok()?),
            ip: ip(16)?,
            server: number(54).map_or(NOWHERE, Ipv4Addr::from),
            lease_secs: number(51).unwrap_or(0),
            file: bytes.get(108..236)?.iter().take_while(|b| **b != 0).map(|b| char::from(*b)).collect(),
            options,
        })
    }
}

fn options(mut rest: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some((&code, tail)) = rest.split_first().filter(|(code, _)| **code != 255) {
        rest = tail;
        if code == 0 {
            continue;
        }
        let Some((&len, tail)) = tail.split_first() else { break };
        let Some((value, tail)) = tail.split_at_checked(len.into()) else { break };
        all.push((code, value.to_vec()));
        rest = tail;
    }
    all
}
