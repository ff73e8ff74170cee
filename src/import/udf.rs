//! UDF 1.02 to 2.01 as images have it: one plain partition, folders, and files in pieces (ECMA-167, OSTA UDF).

use super::Error;
use super::blocks::Blocks;
use super::tree::{Entry, Listing, Span, joined};
use std::collections::HashSet;

const BLOCK: u64 = 2048;
const ANCHOR: u64 = 256;
/// Descriptors of a volume: images have six.
const MOST_DESCRIPTORS: u64 = 64;
const LARGEST_FOLDER: u64 = 32 << 20;
const MOST_ENTRIES: usize = 400_000;

/// The kinds of descriptors.
const PARTITION: u16 = 5;
const LOGICAL_VOLUME: u16 = 6;
const END: u16 = 8;
const FILE_SET: u16 = 256;
const IDENTIFIER: u16 = 257;
const FILE: u16 = 261;
const EXTENDED_FILE: u16 = 266;

pub fn is_udf(image: &dyn Blocks) -> bool {
    let is_mark =
        |sector: u64| image.bytes(sector * BLOCK + 1, 5).is_ok_and(|mark| mark == b"NSR02" || mark == b"NSR03");
    (16..32).any(is_mark)
}

/// Every file of the image, with the places of its bytes.
pub fn list(image: &dyn Blocks) -> Result<Listing, Error> {
    let volume = Volume::find(image)?;
    let mut listing = Listing::default();
    let mut seen = HashSet::new();
    let mut entries = 0_usize;
    let mut folders = vec![(String::new(), volume.root)];
    while let Some((path, block)) = folders.pop() {
        if !seen.insert(block) {
            return Err(unfit(format!("has the folder {path:?} inside of itself, or in two places")));
        }
        let folder = volume.node(block)?;
        for (name, child) in names(&volume.content(&folder)?)? {
            entries = entries.saturating_add(1);
            if entries > MOST_ENTRIES {
                return Err(unfit("has more entries than any distro"));
            }
            let path = joined(&path, &name)?;
            let node = volume.node(child)?;
            match node.kind {
                4 => {
                    listing.add_folder(path.clone())?;
                    folders.push((path, child));
                }
                5 | 0 => listing.add(path, volume.entry(node)?)?,
                12 => listing.links = listing.links.saturating_add(1),
                _ => listing.devices = listing.devices.saturating_add(1),
            }
        }
    }
    match listing.bytes() / 2 > image.size() {
        true => Err(unfit("declares files that are larger than itself: it is not to be trusted")),
        false => Ok(listing),
    }
}

fn unfit(why: impl Into<String>) -> Error {
    Error::unfit("the image", why)
}

fn damaged() -> Error {
    unfit("is damaged, or did not arrive whole: fetch it again")
}

struct Volume<'a> {
    image: &'a dyn Blocks,
    /// The first block of the partition.
    start: u64,
    root: u32,
}

/// A file or a folder.
struct Node {
    kind: u8,
    size: u64,
    content: Content,
}

enum Content {
    Inline(Span),
    Spans(Vec<Span>),
}

impl<'a> Volume<'a> {
    fn find(image: &'a dyn Blocks) -> Result<Self, Error> {
        let anchor =
            image.bytes(ANCHOR * BLOCK, 512).ok().filter(|anchor| tag(anchor) == Some(2)).ok_or_else(damaged)?;
        let first = u64::from(u32_at(&anchor, 20).ok_or_else(damaged)?);
        let (mut start, mut set) = (None, None);
        for at in 0..MOST_DESCRIPTORS {
            let block = block(image, first.saturating_add(at))?;
            match tag(&block) {
                Some(PARTITION) => start = u32_at(&block, 188).map(u64::from),
                Some(LOGICAL_VOLUME) => set = Some(file_set(&block)?),
                Some(END) | None => break,
                Some(_) => {}
            }
        }
        let (start, set) = start.zip(set).ok_or_else(damaged)?;
        let set = block(image, start.saturating_add(u64::from(set)))?;
        let root = u32_at(&set, 404).filter(|_| tag(&set) == Some(FILE_SET)).ok_or_else(damaged)?;
        Ok(Volume { image, start, root })
    }

    fn node(&self, block_number: u32) -> Result<Node, Error> {
        let place = self.start.saturating_add(u64::from(block_number));
        let block = block(self.image, place)?;
        let head = match tag(&block) {
            Some(FILE) => 168,
            Some(EXTENDED_FILE) => 208,
            _ => return Err(damaged()),
        };
        let parts = || {
            Some((
                *block.get(27)?,
                u16_at(&block, 34)?,
                u64_at(&block, 56)?,
                u32_at(&block, head)?,
                u32_at(&block, head + 4)?,
            ))
        };
        let (kind, flags, size, skip, length) = parts().ok_or_else(damaged)?;
        let start = (head + 8).checked_add(skip as usize).ok_or_else(damaged)?;
        let end = start.checked_add(length as usize).ok_or_else(damaged)?;
        let places = block.get(start..end).ok_or_else(damaged)?;
        let content = match flags & 7 {
            0 => Content::Spans(self.spans(places, 8)?),
            1 => Content::Spans(self.spans(places, 16)?),
            3 => {
                let at = place.saturating_mul(BLOCK).saturating_add(start as u64);
                Content::Inline(Span { at, length: u64::from(length) })
            }
            _ => return Err(unfit("has files that are kept in a way that is not read here")),
        };
        Ok(Node { kind, size, content })
    }

    fn spans(&self, places: &[u8], width: usize) -> Result<Vec<Span>, Error> {
        let mut spans = Vec::new();
        for place in places.chunks_exact(width) {
            let (length, block) = u32_at(place, 0).zip(u32_at(place, 4)).ok_or_else(damaged)?;
            if length == 0 {
                break;
            }
            if length >> 30 != 0 {
                return Err(unfit(
                    "has files with holes, or in more pieces than are read here: mount it and import the folder",
                ));
            }
            let at = self.start.saturating_add(u64::from(block)).saturating_mul(BLOCK);
            spans.push(Span { at, length: u64::from(length) });
        }
        Ok(spans)
    }

    fn entry(&self, node: Node) -> Result<Entry, Error> {
        let spans = match node.content {
            Content::Inline(span) => vec![span],
            Content::Spans(spans) => spans,
        };
        let mut left = node.size;
        let mut kept = Vec::new();
        for span in spans {
            let length = span.length.min(left);
            left = left.saturating_sub(length);
            if length > 0 && span.at.saturating_add(length) > self.image.size() {
                return Err(damaged());
            }
            kept.push(Span { length, ..span });
        }
        match left {
            0 => Ok(Entry { size: node.size, spans: kept }),
            _ => Err(damaged()),
        }
    }

    fn content(&self, folder: &Node) -> Result<Vec<u8>, Error> {
        if folder.kind != 4 || folder.size > LARGEST_FOLDER {
            return Err(unfit("has a folder that is none, or that is larger than any"));
        }
        let spans = match &folder.content {
            Content::Inline(span) => vec![*span],
            Content::Spans(spans) => spans.clone(),
        };
        let mut bytes = Vec::new();
        for span in spans {
            let left = folder.size.saturating_sub(bytes.len() as u64);
            let length = usize::try_from(span.length.min(left)).map_err(|_| damaged())?;
            bytes.extend(self.image.bytes(span.at, length).map_err(|_| damaged())?);
        }
        Ok(bytes)
    }
}

/// The names of a folder, with the blocks of what they stand for.
fn names(mut bytes: &[u8]) -> Result<Vec<(String, u32)>, Error> {
    const DELETED: u8 = 4;
    const PARENT: u8 = 8;
    let mut names = Vec::new();
    while bytes.len() >= 38 {
        let parts = || {
            let (kind, width) = (*bytes.get(18)?, usize::from(*bytes.get(19)?));
            let start = usize::from(u16_at(bytes, 36)?).checked_add(38)?;
            let end = start.checked_add(width)?;
            Some((kind, u32_at(bytes, 24)?, bytes.get(start..end)?, end.checked_next_multiple_of(4)?))
        };
        let (kind, block, name, length) = parts().filter(|_| tag(bytes) == Some(IDENTIFIER)).ok_or_else(damaged)?;
        if kind & (DELETED | PARENT) == 0 {
            names.push((text(name).ok_or_else(damaged)?, block));
        }
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(names)
}

/// In bytes or in UTF-16, as the first byte says.
fn text(name: &[u8]) -> Option<String> {
    let (kind, name) = name.split_first()?;
    match kind {
        8 => Some(name.iter().map(|byte| char::from(*byte)).collect()),
        16 => {
            let pairs = name.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(pairs).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

/// The block of the file set, where the volume is one plain partition.
fn file_set(block: &[u8]) -> Result<u32, Error> {
    let parts = || Some((u32_at(block, 212)?, u32_at(block, 268)?, *block.get(440)?, u32_at(block, 252)?));
    match parts().ok_or_else(damaged)? {
        (2048, 1, 1, set) => Ok(set),
        _ => Err(unfit("is UDF of a kind that is not read here: mount it and import the folder")),
    }
}

fn block(image: &dyn Blocks, number: u64) -> Result<Vec<u8>, Error> {
    image.bytes(number.saturating_mul(BLOCK), BLOCK as usize).map_err(|_| damaged())
}

/// The kind of a descriptor whose head is whole.
fn tag(bytes: &[u8]) -> Option<u16> {
    let head = bytes.get(..16)?;
    let sum = head.iter().enumerate().filter(|(at, _)| *at != 4).fold(0_u8, |sum, (_, byte)| sum.wrapping_add(*byte));
    (head.get(4) == Some(&sum)).then(|| u16_at(head, 0)).flatten().filter(|kind| *kind != 0)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}
