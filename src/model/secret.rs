//! Secrets: a text that no log can print, and the hash that is all the database keeps of it.

use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

use super::{Malformed, serde_as_text};

/// A token, key or credential. It has no `Display`; `Debug` shows nothing; `expose` is the one way out.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let shown = format!("{:?} {:?}", Secret::new("hunter2"), Secret::new("hunter2").hash());
        assert_eq!(shown, "Secret(…) Hash(…)");
    }
}
