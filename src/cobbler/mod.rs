//! Cobbler's data folder, 2.8 to 3.3, as records of ours, and a report on every field that is no part of them.
//!
//! `folder` finds the files, `settings` reads YAML, `fields` says what becomes of each field, `wires` how cards are wired, `places` which
//! networks that takes, `texts` converts templates and snippets, and `plan` puts it together.

mod fields;
mod folder;
mod places;
mod plan;
mod settings;
mod texts;
mod wires;

pub use fields::{Fate, Field, KINDS, fate, fields};
pub use folder::{Folder, Item};
pub use plan::{Boot, Line, Plan, Server, What, plan};
pub use settings::yaml;

/// What can not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no Cobbler in {0}: name the folder that holds var/lib/cobbler, or a copy of /var/lib/cobbler")]
    NoCobbler(String),
    #[error("{place} can not be read: {why}")]
    Unread { place: String, why: String },
    #[error("{place} has {bytes} bytes, and {limit} are read")]
    TooLarge { place: String, bytes: u64, limit: u64 },
    #[error("{place} holds more than {limit} files")]
    TooMany { place: String, limit: usize },
}
