//! How a running system starts its installer: one file for each way, one row for each question that all answer.

mod bootnext;
mod grub;
mod grubby;
mod kexec;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::stage::Staged;
use crate::system::System;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    Kexec,
    Grubby,
    Grub,
    Bootnext,
}

/// In the order in which they are tried: the first changes nothing that lasts, the last is the firmware's own.
pub const WAYS: [Way; 4] = [Way::Kexec, Way::Grubby, Way::Grub, Way::Bootnext];

/// How the prepared installer is then started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    /// By the kernel that runs.
    Kexec,
    /// By the firmware.
    Restart,
}

impl Way {
    pub fn word(self) -> &'static str {
        match self {
            Way::Kexec => "kexec",
            Way::Grubby => "grubby",
            Way::Grub => "grub",
            Way::Bootnext => "bootnext",
        }
    }

    /// Why it can not be taken here, as far as can be seen before anything is asked for.
    pub fn lacks(self, system: &System) -> Option<String> {
        match self {
            Way::Kexec => kexec::lacks(system),
            Way::Grubby => grubby::lacks(system),
            Way::Grub => grub::lacks(system),
            Way::Bootnext => bootnext::lacks(system),
        }
    }

    /// Where its kernel and initrd must lie.
    pub fn folder(self, system: &System) -> Result<PathBuf, String> {
        match self {
            Way::Kexec => Ok(system.at("/var/lib/kickstand/reinstall")),
            Way::Grubby | Way::Grub => Ok(system.at("/boot/kickstand")),
            Way::Bootnext => bootnext::folder(system),
        }
    }

    /// Everything but the start itself.
    pub fn prepare(self, system: &System, staged: &Staged) -> Result<Jump, String> {
        match self {
            Way::Kexec => kexec::prepare(system, staged),
            Way::Grubby => grubby::prepare(system, staged),
            Way::Grub => grub::prepare(system, staged),
            Way::Bootnext => bootnext::prepare(system, staged),
        }
    }

    /// Takes away what it prepared, or was about to when it was interrupted; not the files.
    pub fn undo(self, system: &System) -> Result<(), String> {
        match self {
            Way::Kexec => kexec::undo(system),
            Way::Grubby => grubby::undo(system),
            Way::Grub => grub::undo(system),
            Way::Bootnext => bootnext::undo(system),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Way, String> {
        let words = WAYS.map(Way::word).join(", ");
        WAYS.into_iter().find(|way| way.word() == text).ok_or_else(|| format!("{text} is no way: one of {words}"))
    }
}

/// What boot menus show for a moment.
const TITLE: &str = "Reinstall once by Kickstand";

/// Whether a program for UEFI carries a signature: its table of certificates is not empty. Whose it is, the loader knows.
fn is_signed(kernel: &Path) -> bool {
    let bytes = fs::read(kernel).unwrap_or_default();
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?) as usize);
    (|| {
        let header = number(0x3c)?;
        bytes.get(header..header.checked_add(4)?).filter(|magic| magic == b"PE\0\0")?;
        // Behind the signature and the file header (20 bytes): PE32+ has its directories at 112, and this is the fifth.
        number(header.checked_add(24 + 112 + 4 * 8 + 4)?)
    })()
    .is_some_and(|size| size > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_a_table_of_certificates_is_not_signed() {
        let folder = tempfile::tempdir().unwrap();
        let mut kernel = vec![0u8; 512];
        kernel[..2].copy_from_slice(b"MZ");
        kernel[0x3c] = 0x80;
        kernel[0x80..0x84].copy_from_slice(b"PE\0\0");
        let at = folder.path().join("k");
        let signed = |bytes: &[u8]| {
            fs::write(&at, bytes).unwrap();
            is_signed(&at)
        };
        assert!(!signed(&kernel));
        kernel[0x80 + 24 + 112 + 36] = 8;
        assert!(signed(&kernel));
        assert!(!signed(&kernel[..0x90]) && !signed(b"MZ") && !signed(b""));
        kernel[0x3c..0x40].copy_from_slice(&[0xff; 4]);
        assert!(!signed(&kernel));
    }

    #[test]
    fn every_way_reads_as_it_is_written() {
        for way in WAYS {
            assert_eq!(way.word().parse(), Ok(way));
            assert_eq!(serde_json::to_string(&way).unwrap(), format!("\"{way}\""));
        }
        assert!("usb".parse::<Way>().unwrap_err().contains("kexec, grubby, grub, bootnext"));
    }
}
