//! Whose signature a checksum file has, in it or beside it.

use super::Error;
use super::openpgp::{Keyring, Seal, armor};
use super::tree::{self, Tree};

/// Debian and Ubuntu, openSUSE, Debian's images, and the rest.
const ENDINGS: &[&str] = &["gpg", "asc", "sign", "sig"];

/// What a checksum file is worth.
pub struct Sealed {
    /// Of a text that carries its signature, what was signed.
    pub text: String,
    pub is_good: bool,
    pub sentence: Option<String>,
}

pub fn seal(tree: &dyn Tree, path: &str, bytes: &[u8], keyring: &Keyring) -> Result<Sealed, Error> {
    if let Some(clear) = armor::clear(bytes) {
        let seal = keyring.clear(&clear);
        return judged(path, clear.text, Some(seal));
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    for ending in ENDINGS {
        if let Some(signature) = tree::bytes(tree, &format!("{path}.{ending}"))? {
            return judged(path, text, Some(keyring.detached(bytes, &signature)));
        }
    }
    judged(path, text, None)
}

fn judged(path: &str, text: String, seal: Option<Seal>) -> Result<Sealed, Error> {
    let sentence = match &seal {
        None => None,
        Some(Seal::Good { by }) => Some(format!("{path} is signed by {by}")),
        Some(Seal::Unknown { ids }) if ids.is_empty() => {
            Some(format!("the signature of {path} was not checked: it is of a kind that is not read here"))
        }
        Some(Seal::Unknown { ids }) => {
            let ids = ids.join(", ");
            Some(format!("the signature of {path} was not checked: no keyring has the key {ids} (--keyring names one)"))
        }
        Some(Seal::Bad { by }) => return Err(Error::Signature { file: path.to_owned(), by: by.clone() }),
    };
    Ok(Sealed { text, is_good: matches!(seal, Some(Seal::Good { .. })), sentence })
}
