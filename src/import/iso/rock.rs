//! What Rock Ridge says of an entry: its name, what kind of file it is, and where a folder went that lay too deep.

use super::record::{Record, in_block};
use super::volume::cut;
use super::{BLOCK, u32_at};
use crate::import::Error;
use crate::import::blocks::Blocks;

/// How often what is said may go on elsewhere, and how much of it there may be.
const MOST_PLACES: usize = 16;
const LONGEST_NAME: usize = 1024;

/// The head of each field: two letters, its length, a version.
const HEAD: usize = 4;
const NAME_IS_DOT: u8 = 2 | 4;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    pub name: Option<Vec<u8>>,
    pub is_link: bool,
    /// A device, a pipe, a socket.
    pub is_device: bool,
    /// The block of the folder that stands for this entry.
    pub moved_to: Option<u32>,
    /// A folder that another entry stands for.
    pub is_moved: bool,
    /// Its bytes are kept in a way that is not read here, in a word.
    pub is_packed: Option<&'static str>,
}

/// How many bytes to skip, where the volume has Rock Ridge at all: the root folder's own entry says so (SUSP §5.3).
pub fn skip(image: &dyn Blocks, root: &Record) -> Result<Option<usize>, Error> {
    let block =
        image.bytes(u64::from(root.block) * BLOCK, BLOCK as usize).map_err(|_| cut("before its root folder"))?;
    let (records, _) = in_block(&block);
    let own = records.first().filter(|record| record.name == [0]);
    let says = own.and_then(|own| own.system_use.get(..7));
    let [b'S', b'P', 7, _, 0xbe, 0xef, skip] = says.unwrap_or_default() else { return Ok(None) };
    Ok(Some(usize::from(*skip)))
}

pub fn said(image: &dyn Blocks, record: &Record, skip: usize) -> Result<Said, Error> {
    let mut said = Said::default();
    let mut part = record.system_use.get(skip..).unwrap_or_default().to_vec();
    for _ in 0..MOST_PLACES {
        let Some((block, offset, length)) = fields(&part, &mut said)? else { return Ok(said) };
        if u64::from(offset).saturating_add(u64::from(length)) > BLOCK {
            return Err(Error::unfit("the image", "has a name that goes on beyond its block"));
        }
        let at = u64::from(block).saturating_mul(BLOCK).saturating_add(u64::from(offset));
        part = image.bytes(at, length as usize).map_err(|_| cut("before one of its names"))?;
    }
    Err(Error::unfit("the image", "has a name that goes on in a circle"))
}

/// Reads the fields of one place; gives the next place, if there is one.
fn fields(mut part: &[u8], said: &mut Said) -> Result<Option<(u32, u32, u32)>, Error> {
    let mut next = None;
    while let Some(length) = part.get(2).copied().map(usize::from).filter(|length| *length >= HEAD) {
        let Some(field) = part.get(..length) else { break };
        match field.get(..2) {
            Some(b"NM") => name(field, said)?,
            Some(b"PX") => kind(field, said),
            Some(b"SL") => said.is_link = true,
            Some(b"PN") => said.is_device = true,
            Some(b"CL") => said.moved_to = u32_at(field, HEAD),
            Some(b"RE") => said.is_moved = true,
            Some(b"ZF") => said.is_packed = Some("zisofs"),
            Some(b"SF") => said.is_packed = Some("sparse"),
            Some(b"CE") => next = place(field),
            Some(b"ST") => break,
            _ => {}
        }
        part = part.get(length..).unwrap_or_default();
    }
    Ok(next)
}

fn place(field: &[u8]) -> Option<(u32, u32, u32)> {
    Some((u32_at(field, 4)?, u32_at(field, 12)?, u32_at(field, 20)?))
}

fn name(field: &[u8], said: &mut Said) -> Result<(), Error> {
    let Some((flags, part)) = field.get(HEAD..).and_then(|rest| rest.split_first()) else { return Ok(()) };
    if flags & NAME_IS_DOT != 0 {
        return Ok(());
    }
    let name = said.name.get_or_insert_default();
    name.extend_from_slice(part);
    match name.len() > LONGEST_NAME {
        true => Err(Error::unfit("the image", "has a name of more than 255 bytes")),
        false => Ok(()),
    }
}

fn kind(field: &[u8], said: &mut Said) {
    match u32_at(field, HEAD).map(|mode| mode & 0o170_000) {
        Some(0o120_000) => said.is_link = true,
        Some(0o010_000 | 0o020_000 | 0o060_000 | 0o140_000) => said.is_device = true,
        _ => {}
    }
}
