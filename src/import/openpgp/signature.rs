//! One signature of version 4: who made it, of what kind it is, and the bytes that it is of (RFC 9580 §5.2).

use super::packet::{length, mpi};
use ring::digest;

pub const BINARY: u8 = 0x00;
pub const TEXT: u8 = 0x01;
pub const BINDING: u8 = 0x18;
pub const BACK: u8 = 0x19;
pub const REVOKED: u8 = 0x20;
pub const SUBKEY_REVOKED: u8 = 0x28;

/// What a key was made for; signing is the second bit.
const FLAGS: u8 = 27;
const ISSUER: u8 = 16;
const FINGERPRINT: u8 = 33;
const EMBEDDED: u8 = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// Good for no text; old keys bind their subkeys with it.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of(number: u8) -> Option<Hash> {
        match number {
            2 => Some(Hash::Sha1),
            8 => Some(Hash::Sha256),
            9 => Some(Hash::Sha384),
            10 => Some(Hash::Sha512),
            _ => None,
        }
    }

    pub fn digest(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes).as_ref().to_vec()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub kind: u8,
    pub algorithm: u8,
    pub hash: Hash,
    /// The last eight bytes of the fingerprint of the key that made it.
    pub issuer: Option<[u8; 8]>,
    /// Whether the key that it binds may sign.
    pub may_sign: bool,
    /// The subkey's own word, within the one that binds it.
    pub embedded: Option<Vec<u8>>,
    /// Hashed behind what is signed.
    trailer: Vec<u8>,
    /// Numbers, or 64 bytes of Ed25519.
    pub value: Vec<u8>,
}

impl Signature {
    /// None: of another version, or of a hash that nothing should be signed with.
    pub fn parse(body: &[u8]) -> Option<Signature> {
        let [4, kind, algorithm, hash] = *body.get(..4)? else { return None };
        let (hashed, rest) = part(body.get(4..)?)?;
        let (open, rest) = part(rest)?;
        let mut signature = Signature {
            kind,
            algorithm,
            hash: Hash::of(hash)?,
            issuer: None,
            may_sign: false,
            embedded: None,
            trailer: Vec::new(),
            // Two bytes of the hash, for those in a hurry.
            value: rest.get(2..)?.to_vec(),
        };
        // Who made it may stand in the open: a wrong one makes no signature right.
        signature.read(open, false)?;
        signature.read(hashed, true)?;
        let head = body.get(..hashed.len().checked_add(6)?)?;
        signature.trailer = [head, &[4, 0xff], &u32::try_from(head.len()).ok()?.to_be_bytes()].concat();
        Some(signature)
    }

    fn read(&mut self, mut bytes: &[u8], is_signed: bool) -> Option<()> {
        while !bytes.is_empty() {
            let (count, rest) = length(bytes)?;
            let (field, after) = (rest.get(..count)?, rest.get(count..)?);
            let (kind, value) = field.split_first()?;
            match (kind & 0x7f, is_signed) {
                (ISSUER, _) => self.issuer = value.try_into().ok(),
                (FINGERPRINT, _) if value.first() == Some(&4) => self.issuer = value.get(13..21)?.try_into().ok(),
                (FLAGS, true) => self.may_sign = value.first().is_some_and(|flags| flags & 2 != 0),
                (EMBEDDED, _) => self.embedded = Some(value.to_vec()),
                // What must be understood and is not.
                (_, true) if kind & 0x80 != 0 && !matches!(kind & 0x7f, 2 | 3 | 9 | 11 | 21 | 22 | 25 | 30) => {
                    return None;
                }
                _ => {}
            }
            bytes = after;
        }
        Some(())
    }

    /// The bytes whose hash was signed.
    pub fn message(&self, of: &[u8]) -> Vec<u8> {
        [of, &self.trailer].concat()
    }

    /// The two halves of an Ed25519 signature that is written as two numbers.
    pub fn halves(&self) -> Option<Vec<u8>> {
        let (r, rest) = mpi(&self.value)?;
        let (s, _) = mpi(rest)?;
        let padded = |half: &[u8]| Some([vec![0; 32_usize.checked_sub(half.len())?], half.to_vec()].concat());
        Some([padded(r)?, padded(s)?].concat())
    }
}

/// A count of two bytes, and as many bytes.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let count = usize::from(u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?));
    let end = count.checked_add(2)?;
    Some((bytes.get(2..end)?, bytes.get(end..)?))
}
