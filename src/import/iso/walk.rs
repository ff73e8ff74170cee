//! Through all folders of a volume: each is read once, whatever it says of itself.

use super::record::{Record, in_block};
use super::volume::{self, Names, cut};
use super::{BLOCK, rock};
use crate::import::Error;
use crate::import::blocks::Blocks;
use crate::import::tree::{Entry, Listing, Span, joined};
use std::collections::HashSet;

/// A folder of 100,000 files takes some 15 MiB.
const LARGEST_FOLDER: u32 = 32 << 20;
/// Links and devices are counted, and as many as files are believed.
const MOST_ENTRIES: usize = 400_000;

/// Every file of the image, with the places of its bytes.
pub fn list(image: &dyn Blocks) -> Result<Listing, Error> {
    let volume = volume::find(image)?;
    let mut walk = Walk { image, names: volume.names, listing: Listing::default(), seen: HashSet::new(), entries: 0 };
    let mut folders = vec![(String::new(), volume.root.block, volume.root.size)];
    while let Some((path, block, size)) = folders.pop() {
        walk.folder(&path, block, size, &mut folders)?;
    }
    // Hard links share bytes; more than that is a bomb.
    if walk.listing.bytes() / 2 > image.size() {
        return Err(Error::unfit("the image", "declares files that are larger than itself: it is not to be trusted"));
    }
    Ok(walk.listing)
}

struct Walk<'a> {
    image: &'a dyn Blocks,
    names: Names,
    listing: Listing,
    /// Blocks of folders.
    seen: HashSet<u32>,
    entries: usize,
}

type Folders = Vec<(String, u32, u32)>;

/// A file whose last record did not come yet.
struct Unfinished {
    name: Vec<u8>,
    entry: Entry,
}

impl Walk<'_> {
    fn folder(&mut self, path: &str, block: u32, size: u32, folders: &mut Folders) -> Result<(), Error> {
        let shown = || format!("the folder {path:?} of the image");
        if !self.seen.insert(block) {
            return Err(Error::unfit(shown(), "lies inside of itself, or in two places"));
        }
        if size > LARGEST_FOLDER {
            return Err(Error::unfit(shown(), format!("declares {size} bytes of names: no distro has so many")));
        }
        let mut unfinished = None;
        for at in 0..u64::from(size).div_ceil(BLOCK) {
            let at = u64::from(block).saturating_add(at).saturating_mul(BLOCK);
            let bytes = self.image.bytes(at, BLOCK as usize).map_err(|_| cut(&format!("before {}", shown())))?;
            let (records, whole) = in_block(&bytes);
            if !whole {
                return Err(Error::unfit(shown(), "is damaged"));
            }
            for record in records.iter().filter(|record| !record.is_dot()) {
                self.record(path, record, &mut unfinished, folders)?;
            }
        }
        match unfinished {
            Some(_) => Err(Error::unfit(shown(), "ends in the middle of a file")),
            None => Ok(()),
        }
    }

    fn record(
        &mut self,
        folder: &str,
        record: &Record,
        unfinished: &mut Option<Unfinished>,
        folders: &mut Folders,
    ) -> Result<(), Error> {
        self.entries = self.entries.saturating_add(1);
        if self.entries > MOST_ENTRIES {
            return Err(Error::unfit("the image", "has more entries than any distro"));
        }
        let said = match self.names {
            Names::RockRidge { skip } => rock::said(self.image, record, skip)?,
            _ => rock::Said::default(),
        };
        match &said {
            _ if record.is_associated || said.is_moved => return Ok(()),
            said if said.is_link => {
                self.listing.links = self.listing.links.saturating_add(1);
                return Ok(());
            }
            said if said.is_device => {
                self.listing.devices = self.listing.devices.saturating_add(1);
                return Ok(());
            }
            _ => {}
        }
        let path = joined(folder, &self.name(record, &said)?)?;
        match (said.moved_to, record.is_folder) {
            (Some(block), _) => self.add_folder(path, block, self.own_size(block)?, folders),
            (None, true) => self.add_folder(path, record.block, record.size, folders),
            (None, false) => self.file(path, record, &said, unfinished),
        }
    }

    fn add_folder(&mut self, path: String, block: u32, size: u32, folders: &mut Folders) -> Result<(), Error> {
        self.listing.add_folder(path.clone())?;
        folders.push((path, block, size));
        Ok(())
    }

    /// What a folder says of itself in its first entry.
    fn own_size(&self, block: u32) -> Result<u32, Error> {
        let bytes = self.image.bytes(u64::from(block).saturating_mul(BLOCK), BLOCK as usize);
        let bytes = bytes.map_err(|_| cut("before a folder that was moved"))?;
        let own = Record::parse(&bytes).filter(|own| own.name == [0]);
        own.map(|own| own.size).ok_or_else(|| Error::unfit("the image", "names a moved folder that is none"))
    }

    fn file(
        &mut self,
        path: String,
        record: &Record,
        said: &rock::Said,
        unfinished: &mut Option<Unfinished>,
    ) -> Result<(), Error> {
        if let Some(how) = said.is_packed {
            return Err(Error::unfit(
                path,
                format!("is packed ({how}), which is not read here: mount the image and import the folder"),
            ));
        }
        if record.is_interleaved {
            return Err(Error::unfit(path, "is interleaved, which no distro is"));
        }
        let span = self.span(&path, record)?;
        let mut file = match unfinished.take() {
            Some(file) if file.name == record.name => file,
            Some(_) => return Err(Error::unfit(path, "stands in the middle of another file")),
            None => Unfinished { name: record.name.clone(), entry: Entry::default() },
        };
        file.entry.size = file.entry.size.saturating_add(span.length);
        file.entry.spans.push(span);
        match record.goes_on {
            true => *unfinished = Some(file),
            false => self.listing.add(path, file.entry)?,
        }
        Ok(())
    }

    fn span(&self, path: &str, record: &Record) -> Result<Span, Error> {
        let span = Span { at: u64::from(record.block).saturating_mul(BLOCK), length: u64::from(record.size) };
        let end = span.at.saturating_add(span.length);
        match span.length > 0 && end > self.image.size() {
            true => Err(cut(&format!("at {} of the {end} bytes that {path} needs", self.image.size()))),
            false => Ok(span),
        }
    }

    fn name(&self, record: &Record, said: &rock::Said) -> Result<String, Error> {
        let unreadable = || {
            Error::unfit(
                "the image",
                format!("has a name that is no text: {:?}", String::from_utf8_lossy(&record.name)),
            )
        };
        match (self.names, &said.name) {
            (Names::RockRidge { .. }, Some(name)) => String::from_utf8(name.clone()).map_err(|_| unreadable()),
            (Names::Joliet, _) => {
                let pairs = record.name.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                let name: Result<String, _> = char::decode_utf16(pairs).collect();
                Ok(without_version(&name.map_err(|_| unreadable())?).to_owned())
            }
            _ => {
                let name = std::str::from_utf8(&record.name).map_err(|_| unreadable())?;
                let name = without_version(name);
                // As Linux shows them.
                Ok(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
            }
        }
    }
}

fn without_version(name: &str) -> &str {
    match name.rsplit_once(';') {
        Some((name, version)) if version.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => name,
    }
}
