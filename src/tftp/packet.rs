//! TFTP packets: bytes to packet and back (RFC 1350, options RFC 2347), whatever the bytes are.

use bytes::Bytes;

/// The error codes that we send (RFC 1350 §5).
pub mod code {
    pub const OTHER: u16 = 0;
    pub const NOT_FOUND: u16 = 1;
    pub const DENIED: u16 = 2;
    pub const ILLEGAL: u16 = 4;
    pub const UNKNOWN_TRANSFER: u16 = 5;
}

const READ: u16 = 1;
const WRITE: u16 = 2;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OPTION_ACK: u16 = 6;

/// More than any client sends; the rest is not looked at.
const MAX_OPTIONS: usize = 16;
/// An error text is for one line of a timeline, or of a firmware's screen.
const MAX_TEXT: usize = 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    Read(Read),
    /// Kept without its content: writing is always refused.
    Write,
    Data {
        block: u16,
        payload: Bytes,
    },
    Ack(u16),
    Error {
        code: u16,
        message: String,
    },
    OptionAck(Vec<(String, String)>),
}

/// A read request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// As it was sent: firmware adds bytes that are not text.
    pub name: Vec<u8>,
    /// Lines are wanted as `\r\n` (RFC 1350 §1). Any other mode is octet.
    pub is_netascii: bool,
    /// As they were spelled, in the order in which they came.
    pub options: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("shorter than its header")]
    Short,
    #[error("no such operation")]
    Operation(u16),
    #[error("a read request whose file name has no end")]
    Name,
}

impl Packet {
    pub fn parse(bytes: &[u8]) -> Result<Packet, Malformed> {
        let (operation, rest) = number(bytes)?;
        match operation {
            READ => parse_read(rest).map(Packet::Read),
            WRITE => Ok(Packet::Write),
            DATA => number(rest).map(|(block, data)| Packet::Data { block, payload: Bytes::copy_from_slice(data) }),
            ACK => number(rest).map(|(block, _)| Packet::Ack(block)),
            ERROR => number(rest).map(|(code, text)| Packet::Error { code, message: message(text) }),
            OPTION_ACK => Ok(Packet::OptionAck(options(rest))),
            other => Err(Malformed::Operation(other)),
        }
    }

    /// Replaces what `out` holds, so that one buffer serves a whole transfer.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        match self {
            Packet::Read(read) => {
                put_numbers(out, &[READ]);
                put_text(out, &read.name);
                put_text(out, if read.is_netascii { b"netascii" } else { b"octet" });
                put_options(out, &read.options);
            }
            Packet::Write => put_numbers(out, &[WRITE]),
            Packet::Data { block, payload } => {
                put_numbers(out, &[DATA, *block]);
                out.extend_from_slice(payload);
            }
            Packet::Ack(block) => put_numbers(out, &[ACK, *block]),
            Packet::Error { code, message } => {
                put_numbers(out, &[ERROR, *code]);
                put_text(out, message.as_bytes());
            }
            Packet::OptionAck(options) => {
                put_numbers(out, &[OPTION_ACK]);
                put_options(out, options);
            }
        }
    }

    pub fn error(code: u16, text: &str) -> Packet {
        Packet::Error { code, message: message(text.as_bytes()) }
    }
}

/// True for an ERROR, whole or broken: those are never answered, so that two servers cannot keep each other busy.
pub fn is_error(bytes: &[u8]) -> bool {
    matches!(number(bytes), Ok((ERROR, _)))
}

fn number(bytes: &[u8]) -> Result<(u16, &[u8]), Malformed> {
    let (head, rest) = bytes.split_first_chunk().ok_or(Malformed::Short)?;
    Ok((u16::from_be_bytes(*head), rest))
}

/// After the name, empty texts are passed over until the mode: some firmware sends the file name of DHCP option 67
/// with the NUL that ends it, and then its own. A last option without an end is left out.
fn parse_read(mut rest: &[u8]) -> Result<Read, Malformed> {
    let name = text(&mut rest).ok_or(Malformed::Name)?.to_vec();
    let mode = std::iter::from_fn(|| text(&mut rest)).find(|mode| !mode.is_empty());
    let is_netascii = mode.is_some_and(|mode| mode.eq_ignore_ascii_case(b"netascii"));
    Ok(Read { name, is_netascii, options: options(rest) })
}

fn options(mut rest: &[u8]) -> Vec<(String, String)> {
    let pair = || Some((lossy(text(&mut rest)?), lossy(text(&mut rest)?)));
    std::iter::from_fn(pair).take(MAX_OPTIONS).collect()
}

/// Takes what stands before the next NUL.
fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == 0)?;
    let (text, tail) = rest.split_at_checked(end)?;
    *rest = tail.get(1..).unwrap_or_default();
    Some(text)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One short line, whatever a client put there: it is shown in logs and in the timeline.
fn message(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(line).chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

fn put_numbers(out: &mut Vec<u8>, numbers: &[u16]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    out.push(0);
}

fn put_options(out: &mut Vec<u8>, options: &[(String, String)]) {
    for (name, value) in options {
        put_text(out, name.as_bytes());
        put_text(out, value.as_bytes());
    }
}
