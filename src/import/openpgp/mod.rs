//! OpenPGP signatures as distros make them, checked against keyrings: RSA and Ed25519 over SHA-2, nothing older.
//!
//! [`armor`] undoes the text form, [`packet`] splits bytes, [`signature`] reads one signature and the bytes that it is of,
//! [`key`] certificates with their subkeys, [`keyring`] asks them all. The mathematics is that of `ring`.

pub mod armor;
pub mod key;
pub mod keyring;
pub mod packet;
pub mod signature;

pub use keyring::{Keyring, Seal};
