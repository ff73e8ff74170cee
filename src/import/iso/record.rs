//! One entry of a folder (ECMA-119 §9.1).

use super::u32_at;

const FOLDER: u8 = 2;
const ASSOCIATED: u8 = 4;
const GOES_ON: u8 = 0x80;
/// Before the name.
const HEAD: usize = 33;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The first block of its bytes.
    pub block: u32,
    pub size: u32,
    pub is_folder: bool,
    /// The other fork of a Macintosh file.
    pub is_associated: bool,
    /// Another record of the same name follows, with more of its bytes.
    pub goes_on: bool,
    /// In pieces with gaps between them, which nobody makes any more.
    pub is_interleaved: bool,
    pub name: Vec<u8>,
    /// What Rock Ridge has its place in.
    pub system_use: Vec<u8>,
}

impl Record {
    /// The bytes of one record, as many as its first byte says.
    pub fn parse(bytes: &[u8]) -> Option<Record> {
        let length = usize::from(*bytes.first()?);
        let bytes = bytes.get(..length)?;
        let flags = *bytes.get(25)?;
        let name_length = usize::from(*bytes.get(32)?);
        let name_end = HEAD.checked_add(name_length)?;
        let name = bytes.get(HEAD..name_end)?.to_vec();
        // A name of an even length has a byte behind it.
        let system_use = bytes.get(name_end.checked_add(usize::from(name_length % 2 == 0))?..).unwrap_or_default();
        Some(Record {
            block: u32_at(bytes, 2)?.checked_add(u32::from(*bytes.get(1)?))?,
            size: u32_at(bytes, 10)?,
            is_folder: flags & FOLDER != 0,
            is_associated: flags & ASSOCIATED != 0,
            goes_on: flags & GOES_ON != 0,
            is_interleaved: *bytes.get(26)? != 0 || *bytes.get(27)? != 0,
            name,
            system_use: system_use.to_vec(),
        })
    }

    /// The folder itself, or the one above.
    pub fn is_dot(&self) -> bool {
        matches!(self.name.as_slice(), [0 | 1])
    }
}

/// The records of one block; the second is false where the block holds something else.
pub fn in_block(block: &[u8]) -> (Vec<Record>, bool) {
    let (mut records, mut rest) = (Vec::new(), block);
    while let Some(length) = rest.first().copied().map(usize::from).filter(|length| *length > 0) {
        let Some(record) = Record::parse(rest) else { return (records, false) };
        records.push(record);
        rest = rest.get(length..).unwrap_or_default();
    }
    (records, true)
}
