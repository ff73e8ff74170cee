//! Packets one after the other (RFC 9580 §4).

/// A packet's kind and its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    pub tag: u8,
    pub body: &'a [u8],
}

pub const SIGNATURE: u8 = 2;
pub const KEY: u8 = 6;
pub const USER: u8 = 13;
pub const SUBKEY: u8 = 14;

/// Up to the first that can not be read.
pub fn all(mut bytes: &[u8]) -> Vec<Packet<'_>> {
    let mut packets = Vec::new();
    while let Some((packet, rest)) = first(bytes) {
        packets.push(packet);
        bytes = rest;
    }
    packets
}

fn first(bytes: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let (head, rest) = bytes.split_first()?;
    if head & 0x80 == 0 {
        return None;
    }
    let (tag, length, rest) = match head & 0x40 {
        0 => {
            let (length, rest) = old_length(head & 3, rest)?;
            (head >> 2 & 0x0f, length, rest)
        }
        _ => {
            let (length, rest) = length(rest)?;
            (head & 0x3f, length, rest)
        }
    };
    Some((Packet { tag, body: rest.get(..length)? }, rest.get(length..)?))
}

fn old_length(kind: u8, rest: &[u8]) -> Option<(usize, &[u8])> {
    let width = match kind {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => return Some((rest.len(), rest)),
    };
    let length = rest.get(..width)?.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    Some((length, rest.get(width..)?))
}

/// Of a packet or a subpacket. Partial lengths are for streams, which keys and signatures are not.
pub fn length(rest: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = rest.split_first()?;
    match first {
        0..=191 => Some((usize::from(*first), rest)),
        192..=223 => {
            let (second, rest) = rest.split_first()?;
            let high = usize::from(*first).checked_sub(192)?;
            Some(((high << 8).checked_add(usize::from(*second))?.checked_add(192)?, rest))
        }
        255 => {
            let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?);
            Some((usize::try_from(length).ok()?, rest.get(4..)?))
        }
        _ => None,
    }
}

/// A number with its count of bits before it.
pub fn mpi(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let bits = u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?);
    let end = usize::from(bits).div_ceil(8).checked_add(2)?;
    Some((bytes.get(2..end)?, bytes.get(end..)?))
}
