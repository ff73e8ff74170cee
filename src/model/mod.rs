//! The nouns: plain data that every other module speaks of, and nothing that acts.
//!
//! A **network** has pools (addresses for machines without one of their own) and **ranges** (addresses
//! that name a profile). A **machine** has interfaces; its MAC gives an address, its address a
//! **profile**, the profile a **distro**. A **key** lets an installed system register.
//!
//! A machine's life, which only `boot/lifecycle.rs` moves along:
//!
//! ```text
//!  discovered ──adopt──▶ ready ──arm──▶ armed ──answer file──▶ installing ──done──▶ installed ──key──▶ registered
//!                                         │                        │                    │                  │
//!        what it was before ◀──disarm─────┴────────────────────────┤                    └──────arm─────────┤
//!                                                                  ▼                                       ▼
//!                            failed ◀── too many boots, a second claimant, the installer's own word      armed
//! ```
//!
//! Any state but armed and installing boots its own disk; `arm` leads from every state to armed; `replace`
//! from every state to ready. A system that runs already joins from any state but those two, and leaves to ready.

mod class;
mod disk;
mod dotted;
mod event;
mod firmware;
mod holder;
mod image;
mod key;
mod lease;
mod loader;
mod mac;
mod machine;
mod name;
mod names;
mod network;
pub mod option;
mod profile;
mod quirk;
mod reservation;
mod revision;
mod secret;
mod shelf;
mod template;
mod time;
mod variable;

pub use class::{Class, MacPrefix, Match, Traits};
pub use disk::DiskBoot;
pub use dotted::Dotted;
pub use event::{Event, Kind};
pub use firmware::{Arch, Client, Program};
pub use holder::Holder;
pub use image::{ImageFile, ImageKind, Packer};
pub use key::{ActivationKey, InstallKey, Package, Reactivation};
pub use lease::{Lease, Sighting};
pub use loader::{By, Digest, Imported, Language, Loader, LoaderFile, Target};
pub use mac::Mac;
pub use machine::{Boot, Carried, CheckIn, Inside, Install, Interface, Machine, MachineId, State, Tombstone, Way};
pub use name::Name;
pub use names::Names;
pub use network::{Dhcp, Network, Placement, Pooled, Range, Serves, Span, Unknown};
pub use option::{OptionPatch, OptionSet};
pub use profile::{Distro, Family, Profile};
pub use quirk::{Marks, Quirk};
pub use reservation::{Hold, HoldWhy, Mark, Reservation};
pub use revision::{Noun, Record, RecordKey, Revision, RevisionLine, Since, Text, Turn, Wish};
pub use secret::{Hash, Sealed, Secret, Secrets, wipe};
pub use shelf::{Shelf, Shelved};
pub use template::{Place, TemplateVersion, Whence};
pub use time::Time;
pub use variable::{Owner, Variables, Varied, is_secret};

/// What a text could not be read as, and how it should look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct Malformed {
    pub text: String,
    pub wanted: &'static str,
}

impl Malformed {
    pub fn new(text: impl Into<String>, wanted: &'static str) -> Self {
        Malformed { text: text.into(), wanted }
    }
}

/// Serialises a type as its text, and reads it back with `FromStr`.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
use serde_as_text;

/// An enum whose variants have one lower-case word each, the same in SQL, JSON, CLI and logs.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $wanted:literal { $($(#[$vm:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vm])* $variant),+ }
        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
            pub fn word(self) -> &'static str { match self { $($name::$variant => $word),+ } }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.word()) }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::model::Malformed;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($word => Ok($name::$variant),)+ _ => Err($crate::model::Malformed::new(text, $wanted)) }
            }
        }
        $crate::model::serde_as_text!($name);
    };
}
use words;
