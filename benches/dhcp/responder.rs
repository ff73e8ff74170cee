//! A server that decides nothing: the ceiling of everything that can be measured here.
//!
//! It reads no more of a packet than a reply needs, makes the address out of the MAC, and remembers nothing. What it
//! tells is what the servers tell: perfdhcp's work for an answer grows with its options, and is the ceiling's greater part.

use crate::Lab;
use crate::net::{DNS, GATEWAY, SERVER};
use crate::stock::{LEASE_SECS, POOL};
use anyhow::Result;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;

const OPTIONS: usize = 240;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const SHORTEST: usize = 300;
const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;

pub fn command(lab: &Lab) -> Result<Command> {
    let mut command = lab.net.beside_server(std::env::current_exe()?);
    command.args(["role", "responder"]);
    Ok(command)
}

pub fn serve() -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 67))?;
    // As ours has it: what comes while it is not scheduled must not be lost.
    socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20)?;
    let mut buffer = [0; 1500];
    loop {
        let (size, from) = socket.recv_from(&mut buffer)?;
        if let Some(size) = answer(&mut buffer, size) {
            socket.send_to(&buffer[..size], from)?;
        }
    }
}

/// Turns a question into its answer where it lies; none for anything but a DISCOVER or a REQUEST.
fn answer(packet: &mut [u8], size: usize) -> Option<usize> {
    if size <= OPTIONS || packet[0] != 1 || packet[236..OPTIONS] != COOKIE {
        return None;
    }
    let kind = match message_type(&packet[OPTIONS..size])? {
        DISCOVER => OFFER,
        REQUEST => ACK,
        _ => return None,
    };
    packet[0] = 2;
    let address = address(&packet[28..34]).octets();
    let mut id = [1; 7];
    id[1..].copy_from_slice(&packet[28..34]);
    packet[16..20].copy_from_slice(&address);
    let mut end = OPTIONS;
    let mut put = |code: u8, value: &[u8]| {
        packet[end..end + 2].copy_from_slice(&[code, value.len() as u8]);
        packet[end + 2..end + 2 + value.len()].copy_from_slice(value);
        end += 2 + value.len();
    };
    put(53, &[kind]);
    put(54, &SERVER.octets());
    put(51, &LEASE_SECS.to_be_bytes());
    put(58, &(LEASE_SECS / 2).to_be_bytes());
    put(59, &(LEASE_SECS - LEASE_SECS / 8).to_be_bytes());
    put(1, &[255, 240, 0, 0]);
    put(3, &GATEWAY.octets());
    put(6, &DNS.octets());
    put(28, &[10, 79, 255, 255]);
    put(61, &id);
    packet[end] = 255;
    let size = (end + 1).max(SHORTEST);
    packet[end + 1..size].fill(0);
    Some(size)
}

fn message_type(mut options: &[u8]) -> Option<u8> {
    loop {
        match options {
            [0, rest @ ..] => options = rest,
            [53, 1, kind, ..] => return Some(*kind),
            [255, ..] => return None,
            [_, len, rest @ ..] => options = rest.get(usize::from(*len)..)?,
            _ => return None,
        }
    }
}

/// One address of the pool for each of the clients of a run.
fn address(mac: &[u8]) -> Ipv4Addr {
    let number = mac.iter().skip(3).fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
    Ipv4Addr::from(u32::from(POOL.0) + number % 0x7_ffff)
}
