//! The header of an EFI program: what it runs on, where its signature is, and what its .sbat section says.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::ops::Range;

/// A PE32 or PE32+ image, as far as Secure Boot looks at it. Every range lies inside the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pe<'a> {
    pub machine: u16,
    /// The four bytes of CheckSum, which no signature covers.
    pub checksum: Range<usize>,
    /// The entry of the certificate table in the data directory, if the directory reaches that far.
    pub certificate_entry: Option<Range<usize>>,
    /// The signatures; none: the image is not signed.
    pub certificates: Option<Range<usize>>,
    /// Headers and section headers.
    pub headers: Range<usize>,
    /// What is in the file of each section, in the order of the file.
    pub sections: Vec<Range<usize>>,
    /// The text of the .sbat section, up to its first NUL.
    pub sbat: Option<&'a str>,
}

/// Why bytes are not an EFI program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("is not an EFI program")]
    NotPe,
    #[error("is an EFI program that is cut off or broken: {0} lies outside the file")]
    Outside(&'static str),
    #[error("is an EFI program whose .sbat section is not text")]
    Sbat,
}

/// Section headers that are read: an image has about ten.
const MOST_SECTIONS: u16 = 96;

impl<'a> Pe<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Pe<'a>, Error> {
        if bytes.get(..2) != Some(b"MZ") {
            return Err(Error::NotPe);
        }
        let start = long(bytes, 0x3c).ok_or(Error::NotPe)?;
        let coff = start.checked_add(4).ok_or(Error::NotPe)?;
        if bytes.get(start..coff) != Some(b"PE\0\0") {
            return Err(Error::NotPe);
        }
        Pe::after(bytes, coff).ok_or(Error::Outside("its header"))?
    }

    /// `None` when a field lies outside the file.
    fn after(bytes: &'a [u8], coff: usize) -> Option<Result<Pe<'a>, Error>> {
        let machine = short(bytes, coff)?;
        let count = short(bytes, coff.checked_add(2)?)?.min(MOST_SECTIONS);
        let optional = coff.checked_add(20)?;
        let size = usize::from(short(bytes, coff.checked_add(16)?)?);
        let directory = optional.checked_add(match short(bytes, optional)? {
            0x10b => 96,
            0x20b => 112,
            _ => return Some(Err(Error::NotPe)),
        })?;
        let checksum = span(bytes, optional.checked_add(64)?, 4)?;
        let headers = span(bytes, 0, long(bytes, optional.checked_add(60)?)?)?;
        let entry = match long(bytes, directory.checked_sub(4)?)? {
            entries if entries > 4 => Some(span(bytes, directory.checked_add(32)?, 8)?),
            _ => None,
        };
        let certificates = match &entry {
            Some(at) => match (long(bytes, at.start)?, long(bytes, at.start.checked_add(4)?)?) {
                (0, _) | (_, 0) => None,
                (from, length) => Some(span(bytes, from, length)?),
            },
            None => None,
        };
        let found = sections(bytes, optional.checked_add(size)?, count)?;
        let sbat = match found.iter().find(|section| &section.name == b".sbat\0\0\0") {
            Some(section) => match text(bytes.get(section.file.clone())?, section.length) {
                Ok(text) => Some(text),
                Err(error) => return Some(Err(error)),
            },
            None => None,
        };
        let mut sections: Vec<_> = found.into_iter().map(|section| section.file).filter(|r| !r.is_empty()).collect();
        sections.sort_by_key(|range| range.start);
        Some(Ok(Pe { machine, checksum, certificate_entry: entry, certificates, headers, sections, sbat }))
    }
}

struct Section {
    name: [u8; 8],
    /// What is used of the bytes in the file.
    length: usize,
    file: Range<usize>,
}

fn sections(bytes: &[u8], mut at: usize, count: u16) -> Option<Vec<Section>> {
    let mut found = Vec::new();
    for _ in 0..count {
        let header = bytes.get(span(bytes, at, 40)?)?;
        let (length, raw) = (long(header, 8)?, long(header, 16)?);
        let file = if raw == 0 { 0..0 } else { span(bytes, long(header, 20)?, raw)? };
        found.push(Section { name: header.get(..8)?.try_into().ok()?, length, file });
        at = at.checked_add(40)?;
    }
    Some(found)
}

/// The section is padded: its text ends before its bytes in the file do.
fn text(bytes: &[u8], length: usize) -> Result<&str, Error> {
    let used = bytes.get(..length).unwrap_or(bytes);
    let used = used.split(|byte| *byte == 0).next().unwrap_or_default();
    std::str::from_utf8(used).map_err(|_| Error::Sbat)
}

fn span(bytes: &[u8], from: usize, length: usize) -> Option<Range<usize>> {
    let range = from..from.checked_add(length)?;
    bytes.get(range.clone()).map(|_| range)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let found = bytes.get(span(bytes, at, 2)?)?;
    Some(u16::from_le_bytes(found.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(span(bytes, at, 4)?)?;
    usize::try_from(u32::from_le_bytes(found.try_into().ok()?)).ok()
}
