//! All keys that are trusted here, and what they say of a signature.

use super::armor;
use super::key::{self, Key};
use super::packet::{self, SIGNATURE};
use super::signature::{BINARY, Hash, Signature, TEXT};
use crate::import::Error;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where packages of Debian put theirs.
pub const USUAL: &str = "/usr/share/keyrings";
const ENDINGS: &[&str] = &["gpg", "pgp", "asc"];
/// All of Debian's developers take 30 MiB; the keys of its archives 100 kB.
const LARGEST: u64 = 8 << 20;

#[derive(Debug, Default)]
pub struct Keyring {
    keys: Vec<Key>,
    /// An operator named them, so something must be signed by them.
    pub is_demanded: bool,
}

/// What a signature is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    Good {
        by: String,
    },
    /// Made by keys that nobody here knows.
    Unknown {
        ids: Vec<String>,
    },
    /// A known key is named, and did not make it.
    Bad {
        by: String,
    },
}

impl Keyring {
    /// Those that are named; without any the usual folder's.
    pub fn read(named: &[PathBuf]) -> Result<Keyring, Error> {
        let mut keyring = Keyring { keys: Vec::new(), is_demanded: !named.is_empty() };
        for path in named {
            let keys = key::keys(&armor::packets(&bytes(path)?));
            if keys.is_empty() {
                let why = "holds no key that is read here: export it with `gpg --export`, RSA or Ed25519";
                return Err(Error::unfit(path.display().to_string(), why));
            }
            keyring.keys.extend(keys);
        }
        if named.is_empty() {
            usual().iter().filter_map(|path| bytes(path).ok()).for_each(|bytes| keyring.add(&bytes));
        }
        Ok(keyring)
    }

    pub fn add(&mut self, bytes: &[u8]) {
        self.keys.extend(key::keys(&armor::packets(bytes)));
    }

    /// A signature in a file of its own.
    pub fn detached(&self, of: &[u8], signature: &[u8]) -> Seal {
        self.judge(&armor::packets(signature), |kind| match kind {
            BINARY => Some(of.to_vec()),
            TEXT => Some(String::from_utf8_lossy(of).replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()),
            _ => None,
        })
    }

    /// A signature behind its text.
    pub fn clear(&self, clear: &armor::Clear) -> Seal {
        self.judge(&clear.signature, |kind| matches!(kind, BINARY | TEXT).then(|| armor::canonical(&clear.text)))
    }

    /// One good signature is enough, and one that is wrong is too much.
    fn judge(&self, packets: &[u8], message: impl Fn(u8) -> Option<Vec<u8>>) -> Seal {
        let (mut good, mut ids) = (None, Vec::new());
        for packet in packet::all(packets).iter().filter(|packet| packet.tag == SIGNATURE) {
            let read = Signature::parse(packet.body).filter(|signature| signature.hash != Hash::Sha1);
            let Some(signature) = read else { continue };
            let id = signature.issuer.unwrap_or_default();
            let Some(of) = message(signature.kind) else { continue };
            let known: Vec<&Key> = self.keys.iter().filter(|key| key.id == id && !key.is_revoked).collect();
            match known.iter().find(|key| key.made(&signature, &of)) {
                Some(key) => good = Some(format!("{} ({})", key.user, hex::encode_upper(id))),
                None if known.is_empty() => ids.push(hex::encode_upper(id)),
                None => return Seal::Bad { by: format!("{} ({})", known[0].user, hex::encode_upper(id)) },
            }
        }
        match good {
            Some(by) => Seal::Good { by },
            None => Seal::Unknown { ids },
        }
    }
}

/// Keys that were withdrawn are kept there, too, under such a name.
fn usual() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(USUAL).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_keyring(path)).collect();
    paths.sort();
    paths
}

fn is_keyring(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) && !name.contains("removed")
}

fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let shown = path.display().to_string();
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(Error::reading(&shown))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(Error::reading(&shown))?;
    match bytes.len() as u64 > LARGEST {
        true => Err(Error::unfit(shown, "is larger than 8 MiB: name a smaller keyring")),
        false => Ok(bytes),
    }
}
