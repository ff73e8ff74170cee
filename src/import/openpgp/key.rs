//! A certificate: its key, the subkeys that it vouches for, and whom it belongs to.

use super::packet::{self, KEY, Packet, SIGNATURE, SUBKEY, USER, mpi};
use super::signature::{BACK, BINDING, Hash, REVOKED, SUBKEY_REVOKED, Signature};
use ring::signature::{self as verify, RsaPublicKeyComponents, UnparsedPublicKey};

/// The object identifier of Ed25519 in keys of its first form.
const ED25519: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Numbers {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Signatures are two numbers.
    OldEd25519(Vec<u8>),
    /// Signatures are 64 bytes.
    Ed25519(Vec<u8>),
}

/// A key that may have signed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: [u8; 8],
    /// Of the certificate.
    pub user: String,
    pub is_revoked: bool,
    numbers: Numbers,
    /// As hashes take it.
    framed: Vec<u8>,
}

impl Key {
    /// None: of another version, or of a kind that is not read here.
    fn parse(body: &[u8]) -> Option<Key> {
        let (4, algorithm) = (*body.first()?, *body.get(5)?) else { return None };
        let rest = body.get(6..)?;
        let numbers = match algorithm {
            1 | 3 => {
                let (n, rest) = mpi(rest)?;
                let (e, _) = mpi(rest)?;
                Numbers::Rsa { n: n.to_vec(), e: e.to_vec() }
            }
            22 => {
                let (length, rest) = rest.split_first()?;
                let (oid, rest) = (rest.get(..usize::from(*length))?, rest.get(usize::from(*length)..)?);
                let (point, _) = mpi(rest)?;
                let point = point.strip_prefix(&[0x40]).filter(|_| oid == ED25519)?;
                Numbers::OldEd25519(point.to_vec())
            }
            27 => Numbers::Ed25519(rest.get(..32)?.to_vec()),
            _ => return None,
        };
        let framed = [&[0x99], &u16::try_from(body.len()).ok()?.to_be_bytes()[..], body].concat();
        let fingerprint = Hash::Sha1.digest(&framed);
        let id = fingerprint.get(12..)?.try_into().ok()?;
        Some(Key { id, user: String::new(), is_revoked: false, numbers, framed })
    }

    /// Whether this key made this signature of these bytes.
    pub fn made(&self, signature: &Signature, of: &[u8]) -> bool {
        let message = signature.message(of);
        match (&self.numbers, signature.algorithm) {
            (Numbers::Rsa { n, e }, 1 | 3) => {
                let how = match signature.hash {
                    Hash::Sha1 => &verify::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
                    Hash::Sha256 => &verify::RSA_PKCS1_2048_8192_SHA256,
                    Hash::Sha384 => &verify::RSA_PKCS1_2048_8192_SHA384,
                    Hash::Sha512 => &verify::RSA_PKCS1_2048_8192_SHA512,
                };
                let Some((value, _)) = mpi(&signature.value) else { return false };
                // As long as the key: a number's leading zeros are not written.
                let Some(missing) = n.len().checked_sub(value.len()) else { return false };
                let value = [vec![0; missing], value.to_vec()].concat();
                RsaPublicKeyComponents { n, e }.verify(how, &message, &value).is_ok()
            }
            (Numbers::OldEd25519(point), 22) => {
                let digest = signature.hash.digest(&message);
                signature.halves().is_some_and(|value| ed25519(point, &digest, &value))
            }
            (Numbers::Ed25519(point), 27) => ed25519(point, &signature.hash.digest(&message), &signature.value),
            _ => false,
        }
    }
}

fn ed25519(point: &[u8], digest: &[u8], value: &[u8]) -> bool {
    UnparsedPublicKey::new(&verify::ED25519, point).verify(digest, value).is_ok()
}

/// All keys of a keyring that may sign, each certificate's own first.
pub fn keys(bytes: &[u8]) -> Vec<Key> {
    let mut all = Vec::new();
    let packets = packet::all(bytes);
    let starts: Vec<usize> =
        packets.iter().enumerate().filter(|(_, packet)| packet.tag == KEY).map(|(at, _)| at).collect();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index.saturating_add(1)).copied().unwrap_or(packets.len());
        all.extend(certificate(packets.get(*start..end).unwrap_or_default()));
    }
    all
}

fn certificate(packets: &[Packet<'_>]) -> Vec<Key> {
    let Some(mut primary) = packets.first().and_then(|packet| Key::parse(packet.body)) else { return Vec::new() };
    let user = packets.iter().find(|packet| packet.tag == USER);
    primary.user = user.map(|user| printable(&String::from_utf8_lossy(user.body))).unwrap_or_default();
    let mut subkeys: Vec<(Key, bool)> = Vec::new();
    for packet in packets.iter().skip(1) {
        match packet.tag {
            SUBKEY => match Key::parse(packet.body) {
                Some(key) => subkeys.push((Key { user: primary.user.clone(), ..key }, false)),
                // Its signatures must not count for the one before.
                None => subkeys.push((primary.clone(), false)),
            },
            SIGNATURE => {
                let Some(signature) = Signature::parse(packet.body) else { continue };
                let revokes = signature.kind == REVOKED && primary.made(&signature, &primary.framed);
                primary.is_revoked |= revokes;
                if let Some((subkey, is_bound)) = subkeys.last_mut() {
                    bind(&primary, subkey, is_bound, &signature);
                }
            }
            _ => {}
        }
    }
    let revoked = primary.is_revoked;
    let bound = subkeys.into_iter().filter(|(key, is_bound)| *is_bound && key.id != primary.id).map(|(key, _)| key);
    let mut keys: Vec<Key> = bound.map(|key| Key { is_revoked: key.is_revoked || revoked, ..key }).collect();
    keys.insert(0, primary);
    keys
}

/// A subkey signs when its certificate says so, and it agrees itself.
fn bind(primary: &Key, subkey: &mut Key, is_bound: &mut bool, signature: &Signature) {
    let both = [primary.framed.clone(), subkey.framed.clone()].concat();
    if !primary.made(signature, &both) {
        return;
    }
    match signature.kind {
        SUBKEY_REVOKED => subkey.is_revoked = true,
        BINDING if signature.may_sign => {
            let back = signature.embedded.as_deref().and_then(Signature::parse);
            *is_bound |= back.is_some_and(|back| back.kind == BACK && subkey.made(&back, &both));
        }
        _ => {}
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
