//! What an attempt leaves on the running system: written down before it is made, taken away when the old system is up again.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ways::Way;
use crate::system::System;

const PLACE: &str = "/var/lib/kickstand/reinstall.json";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub boot_id: String,
    pub way: Way,
    /// Where kernel and initrd lie: nothing else does.
    pub folder: PathBuf,
}

impl Attempt {
    /// On the disk before anything else is.
    pub fn begin(system: &System, way: Way) -> Result<Attempt, String> {
        let attempt = Attempt { boot_id: system.boot_id(), way, folder: way.folder(system)? };
        let place = system.at(PLACE);
        let text = serde_json::to_string(&attempt).map_err(|cause| cause.to_string())?;
        let folder = place.parent().unwrap_or(&place).to_owned();
        let write = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&place)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::File::open(&folder)?.sync_all()
        };
        write().map_err(|cause: std::io::Error| format!("cannot write {}: {cause}", place.display()))?;
        Ok(attempt)
    }

    /// Of an earlier life of this system: its installer never ran, or did not finish.
    pub fn left(system: &System) -> Option<Attempt> {
        let attempt: Attempt = serde_json::from_str(&system.text(PLACE)).ok()?;
        (attempt.boot_id != system.boot_id()).then_some(attempt)
    }

    /// Everything that it made; the note of it last, so that what could not be taken away is tried again.
    pub fn undo(&self, system: &System) -> Result<(), String> {
        self.way.undo(system)?;
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(|cause| format!("{}: {cause}", self.folder.display()))?;
        }
        fs::remove_file(system.at(PLACE)).map_err(|cause| format!("{PLACE}: {cause}"))
    }
}
