//! The vault: seals secret variables with a key that is not in the database, and opens them.
//!
//! [`key`] reads the key's file, or makes it at the first start. A vault without the right key is locked: it says why.

mod key;

pub use key::{Found, Place, make};

use crate::model::{Owner, Sealed, Secret};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of XChaCha20-Poly1305's nonce: so many that random ones never meet.
const NONCE: usize = 24;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("secret variables are locked: {0}")]
    Locked(String),
    #[error(
        "the secret {name} of {owner} does not open: it was sealed elsewhere, or changed in the database; set it again"
    )]
    Foreign { owner: Owner, name: String },
    #[error("the system gives no random bytes: {0}")]
    NoRandomness(String),
}

/// 256 random bits. Wiped when they go.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    pub fn new(bytes: [u8; 32]) -> Key {
        Key(Zeroizing::new(bytes))
    }

    /// One that was nowhere before.
    pub fn fresh() -> Result<Key, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).map_err(|error| Error::NoRandomness(error.to_string()))?;
        Ok(Key(bytes))
    }

    /// Tells keys apart and tells nothing of them.
    pub fn fingerprint(&self) -> String {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*self.0).expect("HMAC takes a key of any length");
        mac.update(b"kickstand: the key of secret variables");
        hex::encode(mac.finalize().into_bytes())
    }
}

/// Holds the key, or says why there is none.
pub struct Vault(Result<Key, String>);

impl Vault {
    pub fn with(key: Key) -> Vault {
        Vault(Ok(key))
    }

    pub fn locked(why: impl Into<String>) -> Vault {
        Vault(Err(why.into()))
    }

    /// Why nothing can be sealed or opened; none where all is well.
    pub fn why_locked(&self) -> Option<&str> {
        self.0.as_ref().err().map(String::as_str)
    }

    fn cipher(&self) -> Result<XChaCha20Poly1305, Error> {
        let key = self.0.as_ref().map_err(|why| Error::Locked(why.clone()))?;
        Ok(XChaCha20Poly1305::new((&*key.0).into()))
    }

    pub fn seal(&self, owner: &Owner, name: &str, secret: &Secret) -> Result<Sealed, Error> {
        let cipher = self.cipher()?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| Error::NoRandomness(error.to_string()))?;
        let (msg, aad) = (secret.expose().as_bytes(), bound(owner, name));
        let text = cipher.encrypt(&XNonce::from(nonce), Payload { msg, aad: &aad });
        // Only a text of more than 256 GiB is too long.
        let text = text.map_err(|_| Error::Foreign { owner: owner.clone(), name: name.to_owned() })?;
        Ok(Sealed([&nonce[..], &text].concat()))
    }

    pub fn open(&self, owner: &Owner, name: &str, sealed: &Sealed) -> Result<Secret, Error> {
        let cipher = self.cipher()?;
        let foreign = || Error::Foreign { owner: owner.clone(), name: name.to_owned() };
        let (nonce, msg) = sealed.0.split_first_chunk::<NONCE>().ok_or_else(foreign)?;
        let payload = Payload { msg, aad: &bound(owner, name) };
        let text = cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| foreign())?;
        String::from_utf8(text).map(Secret::new).map_err(|_| foreign())
    }
}

/// What a sealed value belongs to, so that it opens nowhere else. No name holds a NUL.
fn bound(owner: &Owner, name: &str) -> Vec<u8> {
    format!("kickstand secret 1\0{owner}\0{name}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn owner(text: &str) -> Owner {
        Owner::Profile(text.parse().unwrap())
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_in_its_own_place_alone(text in ".*", at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let vault = Vault::with(Key::new([7; 32]));
            let (web, secret) = (owner("web"), Secret::new(text));
            let sealed = vault.seal(&web, "a", &secret).unwrap();
            prop_assert_eq!(vault.open(&web, "a", &sealed).unwrap(), secret);
            for (other, name) in [(owner("db"), "a"), (web.clone(), "b"), (Owner::Distro("web".parse().unwrap()), "a")] {
                let foreign = matches!(vault.open(&other, name, &sealed), Err(Error::Foreign { .. }));
                prop_assert!(foreign);
            }
            prop_assert!(Vault::with(Key::new([8; 32])).open(&web, "a", &sealed).is_err());
            let mut bent = sealed.clone();
            let at = at.index(bent.0.len());
            bent.0[at] ^= 1 << bit;
            prop_assert!(vault.open(&web, "a", &bent).is_err(), "byte {} was changed", at);
            let mut cut = sealed.clone();
            cut.0.truncate(at);
            prop_assert!(vault.open(&web, "a", &cut).is_err());
        }
    }

    #[test]
    fn two_seals_of_the_same_are_different_and_a_locked_vault_says_why() {
        let vault = Vault::with(Key::new([7; 32]));
        let seal = || vault.seal(&owner("web"), "a", &Secret::new("x")).unwrap();
        let (one, two) = (seal(), seal());
        assert_ne!(one, two);
        let locked = Vault::locked("the key is lost");
        let error = locked.open(&owner("web"), "a", &one).unwrap_err();
        assert_eq!(error.to_string(), "secret variables are locked: the key is lost");
        assert!(locked.seal(&owner("web"), "a", &Secret::new("x")).is_err());
    }
}
