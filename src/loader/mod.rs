//! Boot loaders: where their files come from, what they are, and which bytes of them are served.
//!
//! [`manifest`] is the catalogue, `loaders.toml` to and fro. [`import`] takes files into it: [`source`] and [`package`] say
//! where they are from, [`inspect`] and [`pe`] read them, [`revoked`] and [`dbx`] know whom Secure Boot refuses ([`authenticode`] is
//! the hash that it goes by), and [`staged`] puts all of them into place or none. [`place`] says where they lie, and [`state`] compares afterwards.

pub mod authenticode;
pub mod dbx;
pub mod import;
pub mod inspect;
pub mod manifest;
pub mod package;
pub mod pe;
pub mod place;
pub mod revoked;
pub mod source;
pub mod staged;
pub mod state;

#[cfg(test)]
mod tests;
