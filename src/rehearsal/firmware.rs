//! Which firmware a virtual client has: what it says of itself, and how it reads files.

use crate::model::{Arch, By, Language, Program, Shelf};
use std::fmt;
use std::str::FromStr;

/// One kind of firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Firmware {
    Bios,
    Uefi,
    /// UEFI that boots by HTTP.
    UefiHttp,
    /// A BIOS whose card carries iPXE itself.
    Ipxe,
    Arm64,
    UBoot,
}

/// What DHCP is asked as: the firmware changes its voice on the way to the installed system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    Rom,
    Ipxe,
    System,
}

/// How a program reads by TFTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habit {
    pub blksize: u16,
    pub windowsize: u16,
    /// Asks for the size first, gives that transfer up, and asks again.
    pub looks_first: bool,
}

impl Firmware {
    pub const ALL: &'static [Firmware] =
        &[Firmware::Bios, Firmware::Uefi, Firmware::UefiHttp, Firmware::Ipxe, Firmware::Arm64, Firmware::UBoot];

    pub fn word(self) -> &'static str {
        match self {
            Firmware::Bios => "bios",
            Firmware::Uefi => "uefi",
            Firmware::UefiHttp => "uefi-http",
            Firmware::Ipxe => "ipxe",
            Firmware::Arm64 => "arm64",
            Firmware::UBoot => "u-boot",
        }
    }

    pub fn arch(self) -> Arch {
        match self {
            Firmware::Bios | Firmware::Ipxe => Arch::BIOS,
            Firmware::Uefi => Arch::X64_UEFI,
            Firmware::UefiHttp => Arch::X64_UEFI_HTTP,
            Firmware::Arm64 => Arch::ARM64_UEFI,
            Firmware::UBoot => Arch(0x16),
        }
    }

    pub fn is_uefi(self) -> bool {
        matches!(self, Firmware::Uefi | Firmware::UefiHttp | Firmware::Arm64)
    }

    /// As which program the server takes it.
    pub fn program(self) -> Program {
        match self {
            Firmware::UefiHttp => Program::Http,
            Firmware::Ipxe => Program::Ipxe,
            _ => Program::Rom,
        }
    }

    /// Option 60.
    pub fn vendor(self) -> String {
        let Arch(arch) = self.arch();
        let kind = if self == Firmware::UefiHttp { "HTTPClient" } else { "PXEClient" };
        let undi = if self.is_uefi() { 3000 } else { 2001 };
        format!("{kind}:Arch:{arch:05}:UNDI:{undi:06}")
    }

    /// How its own program reads by TFTP.
    pub fn habit(self) -> Habit {
        match self {
            Firmware::Bios | Firmware::Ipxe => Habit { blksize: 1456, windowsize: 1, looks_first: true },
            Firmware::Uefi | Firmware::UefiHttp | Firmware::Arm64 => {
                Habit { blksize: 1468, windowsize: 4, looks_first: true }
            }
            Firmware::UBoot => Habit { blksize: 1468, windowsize: 1, looks_first: false },
        }
    }

    /// Those that what is on the shelf can boot, and the card with iPXE, which needs nothing of it.
    pub fn mixture(shelf: &Shelf) -> Vec<Firmware> {
        let boots = |firmware: &Firmware| match firmware {
            Firmware::Ipxe => true,
            // It needs no file, so it would be in every mixture.
            Firmware::UBoot => false,
            firmware => shelf.loaders.iter().any(|row| {
                let by = if *firmware == Firmware::UefiHttp { By::Http } else { By::Tftp };
                row.there && row.loader.runs_on(firmware.arch()) && row.loader.by.contains(&by)
            }),
        };
        let mixture: Vec<_> = Self::ALL.iter().filter(|firmware| boots(firmware)).copied().collect();
        match mixture.as_slice() {
            // What is missing is to be told.
            [Firmware::Ipxe] => vec![Firmware::Bios, Firmware::Uefi, Firmware::Ipxe],
            _ => mixture,
        }
    }
}

/// How a loader reads by TFTP, once it runs.
pub fn habit_of(language: Language) -> Habit {
    match language {
        Language::Ipxe => Habit { blksize: 1432, windowsize: 1, looks_first: false },
        Language::Grub | Language::Efi => Habit { blksize: 1024, windowsize: 1, looks_first: false },
        Language::Pxelinux => Habit { blksize: 1408, windowsize: 1, looks_first: false },
        Language::Extlinux => Firmware::UBoot.habit(),
    }
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Firmware {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = || Self::ALL.iter().map(|firmware| firmware.word()).collect::<Vec<_>>().join(", ");
        let found = Self::ALL.iter().find(|firmware| firmware.word() == text).copied();
        found.ok_or_else(|| format!("{text:?} is no firmware (one of {})", words()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Loader, LoaderFile, Shelved, Target};

    fn shelved(name: &str, target: Target, by: &[By], there: bool) -> Shelved {
        let file = LoaderFile { name: "a".into(), package: None, path: None, optional: false, imported: None };
        let loader = Loader {
            name: name.parse().unwrap(),
            language: Language::Ipxe,
            arch: vec![target],
            by: by.to_vec(),
            first: Some("a".into()),
            secure: None,
            files: vec![file],
        };
        Shelved { loader, there }
    }

    #[test]
    fn the_mixture_is_what_the_shelf_can_boot() {
        let mixture = |loaders| Firmware::mixture(&Shelf { loaders, quirks: Vec::new() });
        let x64 = shelved("x", Target::X64, &[By::Tftp], true);
        assert_eq!(mixture(vec![x64.clone()]), [Firmware::Uefi, Firmware::Ipxe]);
        let both = shelved("x", Target::X64, &[By::Tftp, By::Http], true);
        assert_eq!(mixture(vec![both]), [Firmware::Uefi, Firmware::UefiHttp, Firmware::Ipxe]);
        let away = Shelved { there: false, ..x64 };
        assert_eq!(mixture(vec![away]), [Firmware::Bios, Firmware::Uefi, Firmware::Ipxe], "what is missing shows");
    }

    #[test]
    fn a_word_reads_back() {
        for firmware in Firmware::ALL {
            assert_eq!(firmware.word().parse(), Ok(*firmware));
        }
        assert!("coreboot".parse::<Firmware>().unwrap_err().contains("one of bios, uefi"));
    }
}
