//! A boot loader of the catalogue: what it runs on, what it reads, and which files it is made of.

use super::{Arch, Malformed, Name, Time, serde_as_text, words};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

words! {
    /// Which scripts a loader reads.
    Language, "a loader's language (one of ipxe, grub, pxelinux, extlinux, efi)" {
        Ipxe = "ipxe",
        Grub = "grub",
        Pxelinux = "pxelinux",
        /// U-Boot, which reads PXELINUX's files and needs no program of ours.
        Extlinux = "extlinux",
        /// Any other EFI program: it reads nothing of ours.
        Efi = "efi",
    }
}

words! {
    /// What a loader reads its next files by.
    By, "tftp or http" {
        Tftp = "tftp",
        Http = "http",
    }
}

words! {
    /// What a loader was built for.
    Target, "what a loader runs on (one of bios, x86, x64, arm32, arm64, riscv64, loongarch64, u-boot)" {
        Bios = "bios",
        X86 = "x86",
        X64 = "x64",
        Arm32 = "arm32",
        Arm64 = "arm64",
        Riscv64 = "riscv64",
        Loongarch64 = "loongarch64",
        /// U-Boot of 32 and 64 bits.
        UBoot = "u-boot",
    }
}

impl Target {
    /// The codes of option 93 under which such firmware asks.
    pub fn archs(self) -> &'static [Arch] {
        match self {
            Target::Bios => &[Arch(0x00), Arch(0x14)],
            Target::X86 => &[Arch(0x06), Arch(0x0f)],
            Target::X64 => &[Arch(0x07), Arch(0x09), Arch(0x10)],
            Target::Arm32 => &[Arch(0x0a), Arch(0x12)],
            Target::Arm64 => &[Arch(0x0b), Arch(0x13)],
            Target::Riscv64 => &[Arch(0x1b), Arch(0x1c)],
            Target::Loongarch64 => &[Arch(0x27), Arch(0x28)],
            Target::UBoot => &[Arch(0x15), Arch(0x16), Arch(0x17), Arch(0x18)],
        }
    }

    /// The `Machine` of a PE header that such firmware runs; none where programs are no PE files.
    pub fn pe_machine(self) -> Option<u16> {
        match self {
            Target::Bios | Target::UBoot => None,
            Target::X86 => Some(0x014c),
            Target::X64 => Some(0x8664),
            Target::Arm32 => Some(0x01c2),
            Target::Arm64 => Some(0xaa64),
            Target::Riscv64 => Some(0x5064),
            Target::Loongarch64 => Some(0x6264),
        }
    }
}

/// SHA-256 of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        use sha2::Digest as _;
        Digest(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl FromStr for Digest {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Digest).ok_or_else(|| Malformed::new(text, "a SHA-256 (64 hexadecimal digits)"))
    }
}

serde_as_text!(Digest);

/// A row of `pxe/loaders.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loader {
    /// What `--loader` takes, and the folder of its files on the wire.
    pub name: Name,
    pub language: Language,
    pub arch: Vec<Target>,
    /// The signed GRUB of Debian, say, has no HTTP.
    pub by: Vec<By>,
    /// The file that DHCP names; none for U-Boot, which asks for its script itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Whose key signed it; none: Secure Boot must be off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure: Option<String>,
    #[serde(default, rename = "file")]
    pub files: Vec<LoaderFile>,
}

impl Loader {
    pub fn file(&self, name: &str) -> Option<&LoaderFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Whether firmware that asks under this code can run it.
    pub fn runs_on(&self, arch: Arch) -> bool {
        self.arch.iter().any(|target| target.archs().contains(&arch))
    }
}

/// One file of a loader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoaderFile {
    pub name: String,
    /// The package that holds it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Where the package puts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The loader boots without it: MOK manager and fallback, say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
}

/// What import found: only these bytes are served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    pub sha256: Digest,
    pub size: u64,
    /// `package version`, or the path that it was copied from.
    pub origin: String,
    pub imported_at: Time,
    /// `component,generation` of its .sbat section.
    #[serde(default)]
    pub sbat: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_belongs_to_one_target_and_a_word_reads_back() {
        let codes: Vec<Arch> = Target::ALL.iter().flat_map(|target| target.archs()).copied().collect();
        for (at, code) in codes.iter().enumerate() {
            assert!(!codes.iter().take(at).any(|other| other == code), "{code} twice");
        }
        for target in Target::ALL {
            assert_eq!(target.word().parse::<Target>().as_ref(), Ok(target));
        }
    }

    #[test]
    fn what_was_imported_is_as_flat_as_its_file() {
        let digest = Digest([7; 32]);
        let imported = Imported {
            sha256: digest,
            size: 9,
            origin: "ipxe 1".into(),
            imported_at: Time::from_secs(0),
            sbat: vec!["grub,5".into()],
        };
        let mut file =
            LoaderFile { name: "a.efi".into(), package: None, path: None, optional: false, imported: Some(imported) };
        let json = serde_json::to_value(&file).unwrap();
        assert_eq!(json["sha256"], digest.to_string());
        assert_eq!(serde_json::from_value::<LoaderFile>(json).unwrap(), file);
        file.imported = None;
        let json = serde_json::to_value(&file).unwrap();
        assert_eq!(json, serde_json::json!({"name": "a.efi"}));
        assert_eq!(serde_json::from_value::<LoaderFile>(json).unwrap(), file);
    }
}
