//! What a datagram asks, which ones are never answered, and which name a file name stands for.

use super::packet::{self, Malformed, Packet, Read, code};
use super::{Refusal, Request};
use std::net::SocketAddr;

/// Echo, daytime, quotd, chargen, DNS, DHCP, TFTP and NTP answer whatever they are sent: a forged request from there
/// would start a loop between them and us ("Loop DoS", 2024). No client asks from port 0.
const NEVER_ANSWERED: [u16; 9] = [0, 7, 13, 17, 19, 53, 67, 69, 123];
const MAX_NAME: usize = 255;

#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    Read(Read),
    Answer(Packet),
    Silence(&'static str),
}

/// A datagram at a listening port.
pub fn judge(from: SocketAddr, bytes: &[u8]) -> Judged {
    if let Some(why) = unanswerable(from, bytes) {
        return Judged::Silence(why);
    }
    match Packet::parse(bytes) {
        Ok(Packet::Read(read)) => Judged::Read(read),
        Ok(Packet::Write) => Judged::Answer(Packet::error(code::DENIED, "this server only reads")),
        Ok(_) => Judged::Answer(unknown_transfer()),
        Err(Malformed::Name) => Judged::Answer(Packet::error(code::ILLEGAL, "a file name without an end")),
        Err(Malformed::Short | Malformed::Operation(_)) => Judged::Silence("not TFTP"),
    }
}

/// The shortest packet that belongs to a transfer.
const MIN_PACKET: usize = 4;

/// A datagram at a transfer's port, from someone who is not its client (RFC 1350 §4): the transfer goes on.
pub fn judge_stranger(from: SocketAddr, bytes: &[u8]) -> Option<Packet> {
    if bytes.len() < MIN_PACKET {
        return None;
    }
    unanswerable(from, bytes).is_none().then(unknown_transfer)
}

fn unknown_transfer() -> Packet {
    Packet::error(code::UNKNOWN_TRANSFER, "unknown transfer")
}

fn unanswerable(from: SocketAddr, bytes: &[u8]) -> Option<&'static str> {
    if NEVER_ANSWERED.contains(&from.port()) {
        return Some("from the port of a service that would answer back");
    }
    packet::is_error(bytes).then_some("an error is not answered")
}

/// Who asks for what, with the name as the catalogue has it.
pub fn request(read: &Read, client: SocketAddr, local: SocketAddr) -> Result<Request, Refusal> {
    Ok(Request { name: normalise(&read.name)?, client, local: local.ip() })
}

/// Names are keys of a catalogue, not paths: `..` could not leave anything, and is refused all the same.
///
/// A NUL or 0xFF at the end comes from DHCP option 67 (netboot.xyz#1198, insomniacslk/dhcp#286), backslashes and drive
/// letters from Windows loaders, odd bytes from shim (shim#696), which goes on when it is told quickly.
pub fn normalise(raw: &[u8]) -> Result<String, Refusal> {
    let end = raw.iter().rposition(|byte| !matches!(byte, 0 | 0xff)).map_or(0, |last| last.saturating_add(1));
    let text = std::str::from_utf8(raw.get(..end).unwrap_or_default());
    let text = text.map_err(|_| not_found("not a text"))?.replace('\\', "/");
    let parts: Vec<&str> = text.split('/').filter(|part| !is_noise(part)).collect();
    if parts.contains(&"..") {
        return Err(Refusal::Denied("a name cannot contain ..".into()));
    }
    let name = parts.join("/");
    match name.len() {
        0 => Err(not_found("no file name")),
        1..=MAX_NAME if !name.contains(char::is_control) => Ok(name),
        _ => Err(not_found("no file has such a name")),
    }
}

fn not_found(why: &str) -> Refusal {
    Refusal::NotFound(why.into())
}

/// What firmware adds to a name without meaning anything by it: `C:/boot//./x` is `boot/x`.
fn is_noise(part: &str) -> bool {
    matches!(part.as_bytes(), [] | [b'.']) || matches!(part.as_bytes(), [drive, b':'] if drive.is_ascii_alphabetic())
}
