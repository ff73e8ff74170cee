//! What an import leaves in the folder of its distro: a small file that says what was taken, and from where.

use super::Error;
use rustix::fs::{Mode, OFlags, open};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Its name there. It begins with a dot as `.treeinfo` does; no distro has one of this name.
pub const NAME: &str = ".kickstand.json";

/// The service's account may write in it, and whoever imports reads it.
const LARGEST: u64 = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The SHA-256 of the sums of all files: the same tree has the same id.
    pub id: String,
    pub source: String,
    pub files: usize,
    pub bytes: u64,
    /// In the words of the import.
    pub verified: String,
    /// Names of those that the import set: another tree may have no use for them.
    #[serde(default)]
    pub variables: Vec<String>,
}

impl Record {
    /// None: no folder is there, or no import made it.
    pub fn read(folder: &Path) -> Option<Record> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(open(folder.join(NAME), flags, Mode::empty()).ok()?);
        let mut text = String::new();
        file.take(LARGEST).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(NAME);
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        std::fs::write(&path, text).map_err(Error::writing(&path))
    }
}
