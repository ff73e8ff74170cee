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
    /// On the disk before anything else is. There is one note: what an older one tells of is taken away first.
    pub fn begin(system: &System, way: Way) -> Result<Attempt, String> {
        if let Some(older) = Attempt::noted(system) {
            let what = format!("what an earlier attempt by {} left can not be taken away", older.way);
            older.undo(system).map_err(|cause| format!("{what}: {cause}"))?;
        }
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
        Attempt::noted(system).filter(|attempt| attempt.boot_id != system.boot_id())
    }

    /// Of whatever life.
    pub fn noted(system: &System) -> Option<Attempt> {
        serde_json::from_str(&system.text(PLACE)).ok()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::Places;

    #[test]
    fn what_an_older_attempt_left_is_taken_away_before_its_note_is_written_over() {
        let root = tempfile::tempdir().unwrap();
        let places = Places::below(root.path());
        let system = System { root: root.path().to_owned(), path: "/nowhere".into(), is_root: true, places };
        let noted = || serde_json::from_str::<Attempt>(&system.text(PLACE)).unwrap().way;
        let first = Attempt::begin(&system, Way::Kexec).unwrap();
        fs::create_dir_all(&first.folder).unwrap();
        Attempt::begin(&system, Way::Grub).unwrap();
        assert!(!first.folder.exists(), "also of the same life: it was interrupted");
        assert_eq!(noted(), Way::Grub);

        Attempt::begin(&system, Way::Kexec).unwrap();
        fs::create_dir_all(system.at("/sys/kernel")).unwrap();
        fs::write(system.at("/sys/kernel/kexec_loaded"), "1").unwrap();
        let error = Attempt::begin(&system, Way::Grub).unwrap_err();
        assert!(error.contains("by kexec") && error.contains("there is no program kexec"), "{error}");
        assert_eq!(noted(), Way::Kexec, "what could not be taken away is not forgotten");
    }
}
