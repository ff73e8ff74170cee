//! A revocation list of firmware: the hashes in a dbx file.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use crate::model::Digest;

/// EFI_CERT_SHA256_GUID, c1c41626-504c-4092-aca9-41f936934328, as it stands in a file.
const SHA256: [u8; 16] =
    [0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28];
/// EFI_CERT_TYPE_PKCS7_GUID, 4aafd29d-68df-49ee-8aa9-347d375665a7: it marks the header of an update.
const PKCS7: [u8; 16] =
    [0x9d, 0xd2, 0xaf, 0x4a, 0xdf, 0x68, 0xee, 0x49, 0x8a, 0xa9, 0x34, 0x7d, 0x37, 0x56, 0x65, 0xa7];
/// Type, list size, header size and signature size.
const LIST_HEADER: usize = 28;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a dbx: no EFI_SIGNATURE_LIST at byte {at} (give dbxupdate.bin, or the variable's file in efivarfs)")]
pub struct Error {
    at: usize,
}

/// The hashes of a file: signature lists, bare, behind the header of an update, or behind a variable's attributes.
pub fn hashes(bytes: &[u8]) -> Result<Vec<Digest>, Error> {
    let start = start(bytes).unwrap_or(0);
    let mut rest = bytes.get(start..).unwrap_or_default();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let at = bytes.len().saturating_sub(rest.len());
        let (list, behind) = list(rest).ok_or(Error { at })?;
        found.extend(list);
        rest = behind;
    }
    match bytes.is_empty() {
        true => Err(Error { at: 0 }),
        false => Ok(found),
    }
}

/// Behind 16 bytes of time and a WIN_CERTIFICATE; or behind the 4 bytes of attributes that efivarfs puts first.
fn start(bytes: &[u8]) -> Option<usize> {
    if bytes.get(24..40) == Some(&PKCS7) {
        return long(bytes, 16)?.checked_add(16);
    }
    let bare = list(bytes).is_some();
    let behind_attributes = bytes.get(4..).and_then(list).is_some();
    (!bare && behind_attributes).then_some(4)
}

/// The hashes of the first list, if it is one of hashes, and what follows it.
fn list(bytes: &[u8]) -> Option<(Vec<Digest>, &[u8])> {
    let (size, header) = (long(bytes, 16)?, long(bytes, 20)?);
    let entry = long(bytes, 24)?;
    let body = bytes.get(LIST_HEADER.checked_add(header)?..size)?;
    if entry < 16 || body.len().checked_rem(entry)? != 0 {
        return None;
    }
    let behind = bytes.get(size..)?;
    if bytes.get(..16)? != SHA256 {
        return Some((Vec::new(), behind));
    }
    let hashes = body.chunks_exact(entry).map(|signature| signature.get(16..)?.try_into().ok().map(Digest));
    Some((hashes.collect::<Option<Vec<_>>>()?, behind))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(found.try_into().ok()?)).ok()
}
