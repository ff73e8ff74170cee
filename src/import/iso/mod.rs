//! ISO 9660 as distros are shipped: Rock Ridge, Joliet or plain names, files in several extents, of an image that may lie.
//!
//! [`volume`] finds the volume and its kind of names, [`record`] reads one entry of a folder, [`rock`] what Rock Ridge says
//! of it, [`walk`] goes through all folders and lists the files with their places.

pub mod record;
pub mod rock;
pub mod volume;
pub mod walk;

pub use volume::is_iso;
pub use walk::list;

/// The only block size that images have; nothing else is read.
pub const BLOCK: u64 = 2048;

/// A little-endian number in a slice; what is not there is none.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}
