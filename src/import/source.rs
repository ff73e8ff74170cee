//! What lies behind a path: a folder, an image, or one file.

use super::Error;
use super::blocks::{Blocks, Disk, Image};
use super::folder::Folder;
use super::iso;
use super::tree::{Entry, Listing, Span, Tree, joined};
use std::fs::File;
use std::path::Path;

/// A tree, and the image that it was read from where it is one.
pub struct Source {
    pub tree: Box<dyn Tree>,
    /// An image that may be kept whole: its name.
    pub image: Option<String>,
    /// Where a tree stays that is not copied whole.
    pub address: Option<String>,
}

pub fn open(path: &Path) -> Result<Source, Error> {
    let shown = path.display().to_string();
    let meta = path.metadata().map_err(Error::reading(&shown))?;
    if meta.is_dir() {
        return Ok(Source { tree: Box::new(Folder::read(path)?), image: None, address: None });
    }
    if !meta.is_file() {
        return Err(Error::unfit(shown, "is neither a folder nor a file"));
    }
    let disk = Disk::new(File::open(path).map_err(Error::reading(&shown))?).map_err(Error::reading(&shown))?;
    match iso::is_iso(&disk) {
        true => {
            let listing = iso::list(&disk).map_err(|error| of(&shown, error))?;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            Ok(Source { tree: Box::new(Image { origin: shown, blocks: Box::new(disk), listing, whole: name.clone() }), image: name, address: None })
        }
        false => alone(path, disk),
    }
}

/// One file, which is its own tree.
fn alone(path: &Path, disk: Disk) -> Result<Source, Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut listing = Listing::default();
    let size = disk.size();
    listing.add(joined("", &name)?, Entry { size, spans: vec![Span { at: 0, length: size }] })?;
    let origin = path.display().to_string();
    Ok(Source { tree: Box::new(Image { origin, blocks: Box::new(disk), listing, whole: None }), image: None, address: None })
}

/// An error of an image, with its name.
fn of(origin: &str, error: Error) -> Error {
    match error {
        Error::Unfit { what, why } => Error::Unfit { what: format!("{origin}: {what}"), why },
        other => other,
    }
}
