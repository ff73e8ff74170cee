//! The hash that a signature of Secure Boot is made for, and that dbx forbids: the file without what signing changes.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::pe::Pe;
use crate::model::Digest;
use sha2::{Digest as _, Sha256};
use std::ops::Range;

/// SHA-256 as firmware takes it: headers without checksum and directory entry, sections in the order of the file,
/// and what lies behind them but the signatures themselves.
pub fn digest(bytes: &[u8], pe: &Pe<'_>) -> Digest {
    let mut hash = Sha256::new();
    let mut add = |range: Range<usize>| hash.update(bytes.get(range).unwrap_or_default());
    add(0..pe.checksum.start);
    match &pe.certificate_entry {
        Some(entry) => {
            add(pe.checksum.end..entry.start);
            add(entry.end..pe.headers.end);
        }
        None => add(pe.checksum.end..pe.headers.end),
    }
    pe.sections.iter().cloned().for_each(&mut add);
    add(rest(bytes.len(), pe));
    Digest(hash.finalize().into())
}

/// Where firmware takes the rest to be: behind the sum of what was hashed, gaps or not.
fn rest(length: usize, pe: &Pe<'_>) -> Range<usize> {
    let hashed = pe.sections.iter().fold(pe.headers.len(), |sum, section| sum.saturating_add(section.len()));
    hashed..length.saturating_sub(pe.certificates.as_ref().map_or(0, Range::len))
}
