//! The descriptors at the head of an image: where its root folder is, and which of its names are the best.

use super::record::Record;
use super::{BLOCK, rock, u16_at};
use crate::import::Error;
use crate::import::blocks::Blocks;

const FIRST: u64 = 16;
/// Images have three to five.
const MOST: u64 = 64;

/// How the names of a volume are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Long, with links and modes; so many bytes stand before what is said of a file.
    RockRidge { skip: usize },
    /// UTF-16, 64 letters and more.
    Joliet,
    /// `VMLINUZ.;1`.
    Plain,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub names: Names,
    pub root: Record,
}

pub fn is_iso(image: &dyn Blocks) -> bool {
    image.bytes(FIRST * BLOCK + 1, 5).is_ok_and(|bytes| bytes == b"CD001")
}

/// Rock Ridge before Joliet before plain names.
pub fn find(image: &dyn Blocks) -> Result<Volume, Error> {
    let (mut primary, mut joliet) = (None, None);
    for sector in FIRST..FIRST + MOST {
        let block = image.bytes(sector * BLOCK, BLOCK as usize).map_err(|_| cut("before its descriptors are over"))?;
        match (block.first(), block.get(1..6)) {
            (Some(255), _) => break,
            (Some(1), Some(b"CD001")) => primary = primary.or(Some(root(&block)?)),
            (Some(2), Some(b"CD001")) if is_joliet(&block) => joliet = joliet.or(Some(root(&block)?)),
            (Some(_), Some(b"CD001")) => {}
            _ => break,
        }
    }
    let primary = primary.ok_or_else(|| Error::unfit("the image", "has no primary volume: it is no ISO 9660"))?;
    match (rock::skip(image, &primary)?, joliet) {
        (Some(skip), _) => Ok(Volume { names: Names::RockRidge { skip }, root: primary }),
        (None, Some(root)) => Ok(Volume { names: Names::Joliet, root }),
        (None, None) => Ok(Volume { names: Names::Plain, root: primary }),
    }
}

fn root(block: &[u8]) -> Result<Record, Error> {
    if u16_at(block, 128).map(u64::from) != Some(BLOCK) {
        return Err(Error::unfit("the image", "has blocks of another size than 2048 bytes: no distro is shipped so"));
    }
    let root = block.get(156..190).and_then(Record::parse);
    root.ok_or_else(|| Error::unfit("the image", "has no root folder"))
}

fn is_joliet(block: &[u8]) -> bool {
    matches!(block.get(88..91), Some(b"%/@" | b"%/C" | b"%/E"))
}

pub fn cut(when: &str) -> Error {
    Error::unfit("the image", format!("ends {when}: it did not arrive whole, fetch it again"))
}
