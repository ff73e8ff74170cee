//! Where a loader's files lie: the one rule for what is served, what `loader list` says and what `check` misses.

use crate::model::{Language, Loader, LoaderFile};
use std::path::{Path, PathBuf};

/// What was imported lies in its loader's own folder. What was not is taken by its name alone, as the package `ipxe` leaves
/// it: but only of iPXE and PXELINUX, whose names are their own. Every shim is `shimx64.efi`.
pub fn of(folders: &[PathBuf], loader: &Loader, file: &LoaderFile) -> Option<PathBuf> {
    let in_folder = |dir: &PathBuf| match (&file.imported, loader.language) {
        (Some(_), _) => Some(dir.join(loader.name.as_str()).join(&file.name)),
        (None, Language::Ipxe | Language::Pxelinux) => Some(dir.join(&file.name)),
        (None, _) => None,
    };
    folders.iter().filter_map(in_folder).find(|path: &PathBuf| Path::is_file(path))
}

/// Whether all that it needs can be served.
pub fn is_there(folders: &[PathBuf], loader: &Loader) -> bool {
    loader.files.iter().all(|file| file.optional || of(folders, loader, file).is_some())
}
