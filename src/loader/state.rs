//! Whether what lies in a loader's folder is what was imported.

use super::place;
use crate::model::{Digest, Loader, LoaderFile};
use std::fs;
use std::path::PathBuf;

/// What became of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    NotImported,
    /// Taken by its name alone: nothing is known that it could be compared with.
    Lying,
    Good,
    Gone,
    Changed,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::NotImported => "not imported",
            State::Lying => "served, not compared",
            State::Good => "imported",
            State::Gone => "gone",
            State::Changed => "changed since",
        }
    }
}

/// Reads the file again: only bytes with the remembered hash are good.
pub fn state(folders: &[PathBuf], loader: &Loader, file: &LoaderFile) -> State {
    let path = place::of(folders, loader, file);
    match (&file.imported, path.map(fs::read)) {
        (None, None) => State::NotImported,
        (None, Some(_)) => State::Lying,
        (Some(imported), Some(Ok(bytes))) if Digest::of(&bytes) == imported.sha256 => State::Good,
        (Some(_), Some(Ok(_))) => State::Changed,
        (Some(_), _) => State::Gone,
    }
}

/// A loader in a few words: whether it can boot a machine, and if not, what is in the way.
pub fn summary(folders: &[PathBuf], loader: &Loader) -> String {
    if loader.files.is_empty() {
        return "needs no files".into();
    }
    let states: Vec<_> = loader.files.iter().map(|file| (file, state(folders, loader, file))).collect();
    if states.iter().all(|(file, _)| file.imported.is_none()) && !place::is_there(folders, loader) {
        return State::NotImported.word().into();
    }
    let bad = states.iter().filter_map(|(file, state)| match state {
        State::Good | State::Lying => None,
        State::NotImported if file.optional => None,
        State::NotImported => Some(format!("lacks {}", file.name)),
        other => Some(format!("{} {}", file.name, other.word())),
    });
    let bad: Vec<String> = bad.collect();
    let lying = states.iter().any(|(_, state)| *state == State::Lying);
    match (bad.is_empty(), lying) {
        (false, _) => bad.join(", "),
        (true, true) => State::Lying.word().into(),
        (true, false) => State::Good.word().into(),
    }
}
