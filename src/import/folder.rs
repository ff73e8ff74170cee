//! A folder of this host as a tree: links are counted, and neither followed nor written.

use super::Error;
use super::tree::{Entry, Found, Listing, Tree, joined};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub struct Folder {
    origin: String,
    path: PathBuf,
    listing: Listing,
}

impl Folder {
    pub fn read(path: &Path) -> Result<Folder, Error> {
        let mut listing = Listing::default();
        let mut folders = vec![(path.to_owned(), String::new())];
        while let Some((folder, below)) = folders.pop() {
            let shown = folder.display().to_string();
            for entry in std::fs::read_dir(&folder).map_err(Error::reading(&shown))? {
                let entry = entry.map_err(Error::reading(&shown))?;
                let name = entry.file_name();
                let name = name.to_str().ok_or_else(|| Error::unfit(shown.clone(), "has a name that is no UTF-8"))?;
                let below = joined(&below, name)?;
                let meta = entry.path().symlink_metadata().map_err(Error::reading(&shown))?;
                match meta.file_type() {
                    kind if kind.is_dir() => {
                        listing.add_folder(below.clone())?;
                        folders.push((entry.path(), below));
                    }
                    kind if kind.is_file() => {
                        listing.add(below, Entry { size: meta.len(), spans: Vec::new() })?;
                    }
                    kind if kind.is_symlink() => listing.links = listing.links.saturating_add(1),
                    _ => listing.devices = listing.devices.saturating_add(1),
                }
            }
        }
        Ok(Folder { origin: path.display().to_string(), path: path.to_owned(), listing })
    }
}

impl Tree for Folder {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn listing(&self) -> Option<&Listing> {
        Some(&self.listing)
    }

    fn find(&self, path: &str) -> Result<Option<Found>, Error> {
        Ok(self.listing.files.get(path).map(|entry| Found { size: Some(entry.size) }))
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        Ok(self.listing.names(folder))
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, Error> {
        if !self.listing.files.contains_key(path) {
            return Err(Error::NotThere { path: path.into(), origin: self.origin.clone() });
        }
        Ok(Box::new(opened(&self.path, path).map_err(Error::reading(path))?))
    }
}

/// A folder of which only names are asked for that are known: what else lies there is nobody's concern.
pub struct Flat {
    origin: String,
    path: PathBuf,
}

impl Flat {
    pub fn new(path: &Path) -> Flat {
        Flat { origin: path.display().to_string(), path: path.to_owned() }
    }
}

impl Tree for Flat {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn listing(&self) -> Option<&Listing> {
        None
    }

    fn find(&self, path: &str) -> Result<Option<Found>, Error> {
        let meta = self.path.join(path).symlink_metadata().ok().filter(|meta| meta.is_file());
        Ok(meta.map(|meta| Found { size: Some(meta.len()) }))
    }

    fn names(&self, _folder: &str) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, Error> {
        Ok(Box::new(opened(&self.path, path).map_err(Error::reading(path))?))
    }
}

/// Whoever puts a link in the place of a file meanwhile gains nothing.
fn opened(folder: &Path, path: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let folder = openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let file = File::from(openat2(folder, path, flags, Mode::empty(), how)?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no longer a plain file")),
    }
}
