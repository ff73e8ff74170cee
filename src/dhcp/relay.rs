//! Option 82: what a relay says of a packet. It goes back as it came; here it is only read.

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
use dhcproto::v4::OptionCode;
use std::net::Ipv4Addr;

const CIRCUIT: u8 = 1;
/// RFC 3527: the client's network, where the relay's own address is not on it.
const LINK_SELECTION: u8 = 5;
/// RFC 5107: the server identifier that the client is to be told, so that renewals come through the relay.
const SERVER_OVERRIDE: u8 = 11;
/// RFC 8357: the relay listens on a port of its own.
const SOURCE_PORT: u8 = 19;

pub fn circuit(options: &Options) -> Option<&[u8]> {
    part(options, CIRCUIT).filter(|circuit| !circuit.is_empty())
}

pub fn link_selection(options: &Options) -> Option<Ipv4Addr> {
    ip(options, LINK_SELECTION)
}

pub fn server_override(options: &Options) -> Option<Ipv4Addr> {
    ip(options, SERVER_OVERRIDE)
}

pub fn has_source_port(options: &Options) -> bool {
    part(options, SOURCE_PORT).is_some()
}

fn ip(options: &Options, code: u8) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = part(options, code)?.try_into().ok()?;
    Some(octets.into()).filter(|ip: &Ipv4Addr| !ip.is_unspecified())
}

/// Sub-options know neither padding nor an end (RFC 3046 §2.0); of several the first counts.
fn part(options: &Options, wanted: u8) -> Option<&[u8]> {
    let mut rest = options.get(OptionCode::RelayAgentInformation)?;
    while let Some((&code, tail)) = rest.split_first() {
        let (&len, tail) = tail.split_first()?;
        let (value, tail) = tail.split_at_checked(usize::from(len))?;
        if code == wanted {
            return Some(value);
        }
        rest = tail;
    }
    None
}
