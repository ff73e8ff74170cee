//! What lies behind a path or an address: a folder, an image, an archive, one file, or a server's folder.

use super::Error;
use super::blocks::{Blocks, Disk, Image};
use super::checks::Claims;
use super::folder::{Flat, Folder};
use super::marks::recognise;
use super::openpgp::Keyring;
use super::remote::Remote;
use super::remote::address::Address;
use super::remote::client::Client;
use super::remote::learn::Learning;
use super::stage::Room;
use super::take::{Gauge, sums};
use super::tree::{Entry, Listing, Span, Tree, joined, missing};
use super::{iso, tar, udf};
use crate::model::ImageFile;
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// What a server gives as one file, by its ending; images beside.
const FILES: &[&str] = &[".iso", ".tgz"];
const CHUNK: usize = 1 << 20;

/// A tree, and what is known of it.
pub struct Source {
    pub tree: Box<dyn Tree>,
    /// Where in it the installer's tree lies; empty: it is the tree.
    pub folder: String,
    /// An image that may be kept whole: its name.
    pub image: Option<String>,
    /// Where a tree stays that is not copied whole.
    pub address: Option<String>,
    /// What lies beside it says this of the whole image or archive, and it is true.
    pub seal: Option<Seal>,
}

impl Source {
    fn new(tree: impl Tree + 'static) -> Source {
        Source { tree: Box::new(tree), folder: String::new(), image: None, address: None, seal: None }
    }
}

/// A whole image that was compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// `SHA256SUMS (sha256)`.
    pub by: Vec<String>,
    /// By more than MD5.
    pub is_strong: bool,
    pub is_signed: bool,
    pub signatures: Vec<String>,
}

/// What opening needs: a place for what is fetched, whom to trust, how much may be taken, whom to tell.
pub struct Opening<'a> {
    pub room: &'a Room,
    pub keyring: &'a Keyring,
    pub limit: u64,
    pub limit_why: &'static str,
    /// Take a server's folder with its packages.
    pub mirror: bool,
    pub tell: &'a mut dyn FnMut(&'static str, &Gauge),
}

impl Opening<'_> {
    pub fn open(&mut self, origin: &str) -> Result<Source, Error> {
        if self.mirror && (!Address::is_meant(origin) || FILES.iter().any(|ending| origin.ends_with(ending))) {
            let why = "is taken whole anyway: --mirror is for the address of a folder with a tree";
            return Err(Error::unfit(origin, why));
        }
        match Address::is_meant(origin) {
            true => self.remote(&Address::parse(origin)?),
            false => self.local(Path::new(origin)),
        }
    }

    fn local(&mut self, path: &Path) -> Result<Source, Error> {
        let shown = path.display().to_string();
        let meta = path.metadata().map_err(Error::reading(&shown))?;
        if meta.is_dir() {
            return Ok(Source::new(Folder::read(path)?));
        }
        if !meta.is_file() {
            return Err(Error::unfit(shown, "is neither a folder nor a file"));
        }
        let whole = std::path::absolute(path).map_err(Error::reading(&shown))?;
        let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = Flat::new(whole.parent().unwrap_or(&whole));
        let file = File::open(path).map_err(Error::reading(&shown))?;
        self.file(&beside, &name, shown, file)
    }

    fn remote(&mut self, address: &Address) -> Result<Source, Error> {
        let client = Client::new()?;
        let (folder, name) = address.split();
        if self.mirror {
            let learning = Learning { room: self.room, keyring: self.keyring, tell: &mut *self.tell };
            let (tree, folder) = learning.mirror(address)?;
            return Ok(Source { folder, ..Source::new(tree) });
        }
        if FILES.iter().any(|ending| name.ends_with(ending)) || ImageFile::of(&name).is_some() {
            let beside = Remote::new(client, folder);
            let file = self.fetched(&beside, &name)?;
            return self.file(&beside, &name, address.to_string(), file);
        }
        let tree = Remote::new(client, address.clone());
        let address = Some(tree.origin().trim_end_matches('/').to_owned());
        Ok(Source { address, ..Source::new(tree) })
    }

    /// A file of a server, on this disk for as long as it is open.
    fn fetched(&mut self, beside: &dyn Tree, name: &str) -> Result<File, Error> {
        let found = beside.find(name)?;
        let found = found.ok_or_else(|| missing(beside, name))?;
        let mut reader = beside.open(name)?;
        let gauge = Gauge { all_bytes: found.size, all_files: 1, ..Gauge::default() };
        let file = self.copied(&mut *reader, name, gauge, "fetching")?;
        let size = file.metadata().map_err(Error::reading(name))?.len();
        match found.size.filter(|whole| *whole != size) {
            Some(whole) => Err(Error::unfit(name, format!("ended after {size} of {whole} bytes"))),
            None => Ok(file),
        }
    }

    fn copied(
        &mut self,
        reader: &mut dyn Read,
        what: &str,
        mut gauge: Gauge,
        phase: &'static str,
    ) -> Result<File, Error> {
        let mut file = self.room.scratch()?;
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = reader.read(&mut buffer).map_err(Error::reading(what))?;
            let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { return Ok(file) };
            gauge.bytes = gauge.bytes.saturating_add(count as u64);
            if gauge.bytes > self.limit {
                return Err(Error::TooLarge { needed: gauge.bytes, limit: self.limit, why: self.limit_why });
            }
            file.write_all(part).map_err(Error::writing(what.as_ref()))?;
            (self.tell)(phase, &gauge);
        }
    }

    fn file(&mut self, beside: &dyn Tree, name: &str, origin: String, file: File) -> Result<Source, Error> {
        let name = &joined("", name)?;
        let disk = Disk::new(file).map_err(Error::reading(&origin))?;
        let seal = self.seal(beside, name, &disk)?;
        let (tree, image) = self.tree(name, origin, disk)?;
        Ok(Source { tree, folder: String::new(), image, address: None, seal })
    }

    /// Compares the whole with what lies beside it, where that speaks of it.
    fn seal(&mut self, beside: &dyn Tree, name: &str, disk: &Disk) -> Result<Option<Seal>, Error> {
        let claims = Claims::beside(beside, name, self.keyring)?;
        let wanted: Vec<_> = claims.algorithms(name).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        let mut gauge = Gauge { all_bytes: Some(disk.size()), all_files: 1, ..Gauge::default() };
        let mut tell = |count: u64| {
            gauge.bytes = gauge.bytes.saturating_add(count);
            (self.tell)("comparing the image", &gauge);
        };
        let sums = sums(&mut disk.reader(), name, wanted, &mut tell)?;
        claims.compare(name, &sums)?;
        let by = claims.told_by([&name.to_owned()]);
        Ok(Some(Seal {
            by,
            is_strong: claims.is_strong(name),
            is_signed: claims.is_sealed(name),
            signatures: claims.signatures,
        }))
    }

    fn tree(&mut self, name: &str, origin: String, disk: Disk) -> Result<(Box<dyn Tree>, Option<String>), Error> {
        let named = |error| of(&origin, error);
        let listing = match () {
            () if iso::is_iso(&disk) => iso::list(&disk).map_err(named)?,
            () if udf::is_udf(&disk) => udf::list(&disk).map_err(named)?,
            () => return self.archive(name, origin, disk).map(|tree| (tree, None)),
        };
        let (blocks, image) = (Box::new(disk), Some(name.to_owned()));
        Ok((Box::new(Image { origin, blocks, listing, whole: image.clone() }), image))
    }

    /// An archive of an installer; any other file is taken as it is.
    fn archive(&mut self, name: &str, origin: String, disk: Disk) -> Result<Box<dyn Tree>, Error> {
        let is_gzip = name.ends_with(".tar.gz") || name.ends_with(".tgz");
        let unpacked = match is_gzip {
            true => {
                let gauge = Gauge { all_files: 1, ..Gauge::default() };
                let file = self.copied(&mut GzDecoder::new(disk.reader()), name, gauge, "unpacking")?;
                Some(Disk::new(file).map_err(Error::reading(name))?)
            }
            false => None,
        };
        let archive = unpacked.as_ref().unwrap_or(&disk);
        if tar::is_tar(archive) {
            let listing = tar::list(archive).map_err(|error| of(&origin, error))?;
            let blocks = Box::new(unpacked.map_or_else(|| disk.again(), Ok).map_err(Error::reading(name))?);
            let tree = Image { origin: origin.clone(), blocks, listing, whole: None };
            if recognise(&tree)?.is_some_and(|found| found.family != "image") {
                return Ok(Box::new(tree));
            }
        }
        let mut listing = Listing::default();
        let size = disk.size();
        listing.add(joined("", name)?, Entry { size, spans: vec![Span { at: 0, length: size }] })?;
        Ok(Box::new(Image { origin, blocks: Box::new(disk), listing, whole: None }))
    }
}

/// An error of an image, with its name.
fn of(origin: &str, error: Error) -> Error {
    match error {
        Error::Unfit { what, why } => Error::Unfit { what: format!("{origin}: {what}"), why },
        other => other,
    }
}
