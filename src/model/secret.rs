//! Secrets: a text that no log can print, the hash that is all the database keeps of a token, and secret variables.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::{fmt, str::FromStr};
use zeroize::Zeroize;

use super::{Malformed, serde_as_text};

/// A token, key, credential or password. It has no `Display` and no `Serialize`; `Debug` shows nothing; `expose` is the
/// one way out. Its memory is wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one place that must write it on the wire.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> Hash {
        Hash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// SHA-256 of a 256-bit random secret: found by equality, useless to a thief of the database.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(…)")
    }
}

impl FromStr for Hash {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bytes = hex::decode(text).ok().and_then(|b| b.try_into().ok());
        bytes.map(Hash).ok_or_else(|| Malformed::new("…", "a SHA-256 in hexadecimal"))
    }
}

serde_as_text!(Hash);

/// A secret as it lies in the database and in memory: only the vault opens it. No `Serialize`: it has no way to the API.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// The secret variables of one record: those that a request has just given, until the store seals them, and the sealed.
/// What is inside is JSON text, since a variable may be more than text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Secrets {
    fresh: BTreeMap<String, Secret>,
    sealed: BTreeMap<String, Sealed>,
}

impl Secrets {
    pub fn of_sealed(sealed: BTreeMap<String, Sealed>) -> Self {
        Secrets { fresh: BTreeMap::new(), sealed }
    }

    pub fn put(&mut self, name: &str, value: serde_json::Value) {
        self.sealed.remove(name);
        self.fresh.insert(name.to_owned(), Secret::new(value.to_string()));
        wipe(value);
    }

    pub fn remove(&mut self, name: &str) {
        self.sealed.remove(name);
        self.fresh.remove(name);
    }

    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.sealed.keys().chain(self.fresh.keys())
    }

    pub fn sealed(&self) -> &BTreeMap<String, Sealed> {
        &self.sealed
    }

    /// Seals what is fresh; what can not be sealed stays as it is.
    pub fn seal<E>(&mut self, seal: impl Fn(&str, &Secret) -> Result<Sealed, E>) -> Result<(), E> {
        while let Some((name, secret)) = self.fresh.pop_first() {
            self.sealed.insert(name.clone(), seal(&name, &secret)?);
        }
        Ok(())
    }
}

/// Overwrites the texts of a value before its memory is given back.
pub fn wipe(value: serde_json::Value) {
    match value {
        serde_json::Value::String(mut text) => text.zeroize(),
        serde_json::Value::Array(all) => all.into_iter().for_each(wipe),
        serde_json::Value::Object(all) => all.into_iter().for_each(|(_, value)| wipe(value)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let mut secrets = Secrets::default();
        secrets.put("a", "hunter2".into());
        let shown = format!("{:?} {:?} {secrets:?}", Secret::new("hunter2"), Secret::new("hunter2").hash());
        assert!(shown.starts_with("Secret(…) Hash(…) ") && !shown.contains("hunter2"), "{shown}");
        secrets.seal(|_, secret| Ok::<_, ()>(Sealed(secret.expose().as_bytes().to_vec()))).unwrap();
        let shown = format!("{secrets:?}");
        assert!(shown.contains("Sealed(…)") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(secrets.names().collect::<Vec<_>>(), ["a"]);
    }
}
