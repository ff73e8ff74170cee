//! Whether what lies in a loader's folder is what was imported.

use crate::model::{Digest, Loader, LoaderFile};
use std::fs;
use std::path::Path;

/// What became of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    NotImported,
    Good,
    Gone,
    Changed,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::NotImported => "not imported",
            State::Good => "imported",
            State::Gone => "gone",
            State::Changed => "changed since",
        }
    }
}

/// Reads the file again: only bytes with the remembered hash are good.
pub fn state(folder: &Path, loader: &Loader, file: &LoaderFile) -> State {
    let Some(imported) = &file.imported else { return State::NotImported };
    match fs::read(folder.join(loader.name.as_str()).join(&file.name)) {
        Ok(bytes) if Digest::of(&bytes) == imported.sha256 => State::Good,
        Ok(_) => State::Changed,
        Err(_) => State::Gone,
    }
}

/// A loader in a few words: whether it can boot a machine, and if not, what is in the way.
pub fn summary(folder: &Path, loader: &Loader) -> String {
    if loader.files.is_empty() {
        return "needs no files".into();
    }
    if loader.files.iter().all(|file| file.imported.is_none()) {
        return State::NotImported.word().into();
    }
    let bad = loader.files.iter().filter_map(|file| match state(folder, loader, file) {
        State::Good => None,
        State::NotImported if file.optional => None,
        State::NotImported => Some(format!("lacks {}", file.name)),
        other => Some(format!("{} {}", file.name, other.word())),
    });
    let bad: Vec<String> = bad.collect();
    if bad.is_empty() { State::Good.word().into() } else { bad.join(", ") }
}
