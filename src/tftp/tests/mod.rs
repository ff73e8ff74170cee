//! What firmware, strangers and lossy networks do to the TFTP server.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]

mod cache;
mod clients;
mod desk;
mod lanes;
mod loopback;
mod network;
mod packet;
mod request;
mod rig;
mod talk;
mod transfer;

use super::packet::{Packet, Read};
use bytes::Bytes;

/// A read request as firmware sends it.
fn read(name: &str, options: &[(&str, &str)]) -> Read {
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Read { name: name.as_bytes().to_vec(), is_netascii: false, options }
}

fn encoded(packet: &Packet) -> Vec<u8> {
    let mut out = Vec::new();
    packet.encode(&mut out);
    out
}

/// Bytes in which no block looks like another one.
fn content(size: usize) -> Bytes {
    (0..size).map(|at| (at.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}
