//! The answer to a boot ROM, field by field, for who asks why: made by the code that makes the packet.

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

use super::ask::IPXE;
use super::option::printable;
use super::packet::Packet;
use super::reply::reply;
use super::tlv::Options;
use crate::boot::Here;
use crate::boot::offer::OfferReply;
use crate::model::option::{option_name, option_text};
use crate::model::{Client, Mac, Network, Program};
use dhcproto::v4::{MessageType, OptionCode};

/// What ROMs, UEFI and iPXE ask for, all in one.
const WANTED: [u8; 17] = [1, 3, 6, 12, 15, 42, 43, 54, 60, 66, 67, 119, 121, 150, 175, 203, 209];
const CHARS: usize = 255;

/// Header and options of what a client would be sent; None is silence.
pub fn spell(client: Client, mac: Mac, told: &OfferReply, networks: &[&Network], here: Here) -> Option<String> {
    let outgoing = reply(&discover(client, mac), told, networks, here)?;
    let packet = Packet::parse_reply(&outgoing.bytes).ok()?;
    let addresses = [("yiaddr", packet.yiaddr), ("siaddr", packet.siaddr)].into_iter();
    let addresses = addresses.filter(|(_, ip)| !ip.is_unspecified()).map(|(name, ip)| format!("{name} = {ip}\n"));
    let texts = [("sname", packet.sname.as_slice()), ("file", packet.file.as_slice())].into_iter();
    let texts = texts.map(|(name, bytes)| (name, printable(bytes, CHARS))).filter(|(_, text)| !text.is_empty());
    let texts = texts.map(|(name, text)| format!("{name} = {text}\n"));
    let options = packet.options.iter().map(|(code, bytes)| format!("option {code}: {}\n", option(code, bytes)));
    Some(addresses.chain(texts).chain(options).collect())
}

fn option(code: u8, bytes: &[u8]) -> String {
    let text = match code {
        53 => bytes.first().map(|kind| format!("{:?}", MessageType::from(*kind)).to_uppercase()).unwrap_or_default(),
        60 | 66 | 67 => printable(bytes, CHARS),
        code => option_text(code, bytes),
    };
    format!("{} = {text}", option_name(code))
}

fn discover(client: Client, mac: Mac) -> Packet {
    let mut options = Options::default();
    options.set(OptionCode::MessageType, [u8::from(MessageType::Discover)]);
    options.set(OptionCode::ParameterRequestList, WANTED);
    let class = match client.program {
        Program::Rom | Program::Ipxe => "PXEClient",
        Program::Http => "HTTPClient",
        Program::System => "",
    };
    options.set(OptionCode::ClassIdentifier, class);
    if client.program == Program::Ipxe {
        options.set(OptionCode::UserClass, "iPXE");
        options.set(IPXE, []);
    }
    if let Some(arch) = client.arch {
        options.set(OptionCode::ClientSystemArchitecture, arch.0.to_be_bytes());
    }
    Packet::question(mac, options)
}
