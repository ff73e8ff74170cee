//! The shelf: the boot loaders that there are, and the quirks that choose among them.

use super::{Loader, Quirk};

/// As the files of `pxe/` say it now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shelf {
    pub loaders: Vec<Shelved>,
    /// The operator's rows first.
    pub quirks: Vec<Quirk>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Shelved {
    pub loader: Loader,
    /// Whether the files that it needs can be served.
    pub there: bool,
}

impl Shelf {
    pub fn loader(&self, name: &str) -> Option<&Shelved> {
        self.loaders.iter().find(|row| row.loader.name.as_str() == name)
    }

    /// The first loader that has a file of this name: how names without a folder are read.
    pub fn with_file(&self, file: &str) -> Option<&Loader> {
        self.loaders.iter().map(|row| &row.loader).find(|loader| loader.file(file).is_some())
    }
}
