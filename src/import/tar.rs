//! Tar archives: their files with their places, as netboot.tar.gz has them.

use super::Error;
use super::blocks::Blocks;
use super::tree::{Entry, Listing, Span, plain};

const BLOCK: u64 = 512;
/// A name of its own record, and the records of pax.
const LONGEST_EXTRA: u64 = 64 << 10;

pub fn is_tar(image: &dyn Blocks) -> bool {
    image.bytes(257, 5).is_ok_and(|magic| magic == b"ustar")
}

/// Every file of the archive.
pub fn list(image: &dyn Blocks) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    let (mut at, mut name, mut size) = (0_u64, None, None);
    while at.saturating_add(BLOCK) <= image.size() {
        let head = image.bytes(at, BLOCK as usize).map_err(Error::reading("the archive"))?;
        if head.iter().all(|byte| *byte == 0) {
            return Ok(listing);
        }
        let declared = head.get(124..136).and_then(number).ok_or_else(damaged)?;
        let length = size.take().unwrap_or(declared);
        let start = at.saturating_add(BLOCK);
        let end = start.checked_add(length).filter(|end| *end <= image.size()).ok_or_else(cut)?;
        let extra = || -> Result<Vec<u8>, Error> {
            match length <= LONGEST_EXTRA {
                true => image.bytes(start, length as usize).map_err(Error::reading("the archive")),
                false => Err(damaged()),
            }
        };
        match head.get(156) {
            Some(b'L') => name = Some(text(&extra()?)),
            Some(b'x') => (name, size) = pax(&extra()?, name),
            Some(kind) => entry(&mut listing, *kind, name.take().unwrap_or_else(|| own_name(&head)), start, length)?,
            None => return Err(damaged()),
        }
        at = end.div_ceil(BLOCK).saturating_mul(BLOCK);
    }
    Err(cut())
}

fn entry(listing: &mut Listing, kind: u8, name: String, at: u64, length: u64) -> Result<(), Error> {
    match kind {
        b'0' | 0 | b'7' => {
            let outside = || {
                Error::unfit(format!("the name {name:?}"), "leads out of its folder: this archive is not to be trusted")
            };
            let path = plain(&name).ok_or_else(outside)?;
            listing.add_folders_above(&path)?;
            listing.add(path, Entry { size: length, spans: vec![Span { at, length }] })
        }
        b'1' | b'2' => {
            listing.links = listing.links.saturating_add(1);
            Ok(())
        }
        b'3' | b'4' | b'6' => {
            listing.devices = listing.devices.saturating_add(1);
            Ok(())
        }
        // Folders come with their files; of the rest nothing is known.
        _ => Ok(()),
    }
}

/// In octal digits, or from 8 GiB on in binary.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let start = u64::from(first & 0x7f);
        return rest.iter().try_fold(start, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte)));
    }
    let digits = text(field);
    match digits.trim() {
        "" => Some(0),
        digits => u64::from_str_radix(digits, 8).ok(),
    }
}

/// Up to the first NUL.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

fn own_name(head: &[u8]) -> String {
    let (prefix, name) =
        (head.get(345..500).map(text).unwrap_or_default(), head.get(..100).map(text).unwrap_or_default());
    let is_posix = head.get(257..263) == Some(b"ustar\0");
    if is_posix && !prefix.is_empty() { format!("{prefix}/{name}") } else { name }
}

/// `30 path=a/b\n`: the length counts itself.
fn pax(bytes: &[u8], mut name: Option<String>) -> (Option<String>, Option<u64>) {
    let mut size = None;
    let text = String::from_utf8_lossy(bytes);
    for record in text.split('\n') {
        let pair = record.split_once(' ').and_then(|(_, pair)| pair.split_once('='));
        match pair {
            Some(("path", value)) => name = Some(value.to_owned()),
            Some(("size", value)) => size = value.parse().ok(),
            _ => {}
        }
    }
    (name, size)
}

fn damaged() -> Error {
    Error::unfit("the archive", "is damaged: fetch it again")
}

fn cut() -> Error {
    Error::unfit("the archive", "ends in the middle: it did not arrive whole, fetch it again")
}
