//! A tree on a server that is taken with its packages: [`learn`](super::learn) found out which files it has, and read the lists once.

use super::Remote;
use super::address::Address;
use super::client::Client;
use crate::import::Error;
use crate::import::tree::{Found, Listing, Readers, Tree};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

pub struct Mirror {
    pub(super) remote: Remote,
    pub(super) top: Address,
    pub(super) listing: Listing,
    pub(super) sizes: Arc<Sizes>,
    /// What was read to find out the rest: it is not fetched twice.
    pub(super) kept: Arc<BTreeMap<String, File>>,
}

/// None: the server does not say it.
pub(super) type Sizes = BTreeMap<String, Option<u64>>;

impl Tree for Mirror {
    fn origin(&self) -> &str {
        self.remote.origin()
    }

    fn listing(&self) -> Option<&Listing> {
        Some(&self.listing)
    }

    fn find(&self, path: &str) -> Result<Option<Found>, Error> {
        Ok(self.sizes.get(path).map(|size| Found { size: *size }))
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        Ok(self.listing.names(folder))
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, Error> {
        match self.kept.get(path) {
            Some(file) => again(file).map_err(Error::reading(path)),
            None => self.remote.open(path),
        }
    }

    fn readers(&self) -> Option<Box<Readers>> {
        let (top, sizes, kept) = (self.top.clone(), self.sizes.clone(), self.kept.clone());
        Some(Box::new(move || {
            let remote = Remote::new(Client::new()?, top.clone());
            let (listing, top) = (Listing::default(), top.clone());
            Ok(Box::new(Mirror { remote, top, listing, sizes: sizes.clone(), kept: kept.clone() }))
        }))
    }
}

/// A kept file from its first byte, for whoever asks, at whatever place others read.
pub(super) fn again(file: &File) -> io::Result<Box<dyn Read>> {
    Ok(Box::new(Again { file: file.try_clone()?, at: 0 }))
}

struct Again {
    file: File,
    at: u64,
}

impl Read for Again {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}
