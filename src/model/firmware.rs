//! Who asks: the processor architecture of option 93 and the program that sent the packet.

use super::{Mac, Malformed, words};
use std::fmt;
use std::str::FromStr;

/// Option 93, by its IANA number. RFC 4578 printed 7 and 9 the wrong way round, so both are x86-64 UEFI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Arch(pub u16);

/// The registry "Processor Architecture Types", with the words of the trade.
const NAMES: &[(u16, &str)] = &[
    (0x00, "BIOS"),
    (0x01, "NEC PC-98"),
    (0x02, "Itanium"),
    (0x03, "DEC Alpha"),
    (0x04, "Arc x86"),
    (0x05, "Intel Lean Client"),
    (0x06, "x86 UEFI"),
    (0x07, "x86-64 UEFI"),
    (0x08, "XScale UEFI"),
    (0x09, "x86-64 UEFI"),
    (0x0a, "arm32 UEFI"),
    (0x0b, "arm64 UEFI"),
    (0x0c, "PowerPC Open Firmware"),
    (0x0d, "PowerPC ePAPR"),
    (0x0e, "POWER OPAL"),
    (0x0f, "x86 UEFI HTTP"),
    (0x10, "x86-64 UEFI HTTP"),
    (0x11, "EBC UEFI HTTP"),
    (0x12, "arm32 UEFI HTTP"),
    (0x13, "arm64 UEFI HTTP"),
    (0x14, "BIOS HTTP"),
    (0x15, "arm32 U-Boot"),
    (0x16, "arm64 U-Boot"),
    (0x17, "arm32 U-Boot HTTP"),
    (0x18, "arm64 U-Boot HTTP"),
    (0x19, "riscv32 UEFI"),
    (0x1a, "riscv32 UEFI HTTP"),
    (0x1b, "riscv64 UEFI"),
    (0x1c, "riscv64 UEFI HTTP"),
    (0x1d, "riscv128 UEFI"),
    (0x1e, "riscv128 UEFI HTTP"),
    (0x1f, "s390 basic"),
    (0x20, "s390 extended"),
    (0x21, "MIPS32 UEFI"),
    (0x22, "MIPS64 UEFI"),
    (0x23, "Sunway32 UEFI"),
    (0x24, "Sunway64 UEFI"),
    (0x25, "loongarch32 UEFI"),
    (0x26, "loongarch32 UEFI HTTP"),
    (0x27, "loongarch64 UEFI"),
    (0x28, "loongarch64 UEFI HTTP"),
    (0x29, "Raspberry Pi"),
];

impl Arch {
    pub const BIOS: Arch = Arch(0x00);
    pub const RASPBERRY_PI: Arch = Arch(0x29);
    pub const ARM64_UEFI: Arch = Arch(0x0b);
    pub const X64_UEFI: Arch = Arch(0x07);
    pub const X64_UEFI_HTTP: Arch = Arch(0x10);

    pub fn is_x64_uefi(self) -> bool {
        matches!(self.0, 0x07 | 0x09 | 0x10)
    }

    /// Firmware that boots by HTTP and asks as `HTTPClient`.
    pub fn is_http(self) -> bool {
        matches!(self.0, 0x0f..=0x14 | 0x17 | 0x18 | 0x1a | 0x1c | 0x1e | 0x26 | 0x28)
    }

    pub fn is_bios(self) -> bool {
        matches!(self.0, 0x00 | 0x14)
    }
}

/// The words for those that people ask about.
const WORDS: &[(&str, u16)] =
    &[("bios", 0x00), ("uefi", 0x07), ("uefi-http", 0x10), ("arm64", 0x0b), ("arm64-http", 0x13), ("u-boot", 0x16)];

impl FromStr for Arch {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let word = WORDS.iter().find(|(word, _)| *word == text).map(|(_, code)| *code);
        let number = || match text.strip_prefix("0x") {
            Some(digits) => u16::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        let wanted = "an architecture (one of bios, uefi, uefi-http, arm64, arm64-http, u-boot, or its number of option 93, like 0x0b)";
        word.or_else(number).map(Arch).ok_or_else(|| Malformed::new(text, wanted))
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(code, _)| *code == self.0) {
            Some((_, name)) => f.pad(name),
            None => f.pad(&format!("architecture 0x{:02x}", self.0)),
        }
    }
}

words! {
    /// The program behind a DHCP packet.
    Program, "one of rom, http, ipxe, system" {
        /// A PXE boot ROM: wants a file by TFTP.
        Rom = "rom",
        /// UEFI HTTP boot: wants a URL.
        Http = "http",
        /// iPXE: wants a script.
        Ipxe = "ipxe",
        /// An operating system: wants an address and nothing to boot.
        System = "system",
    }
}

/// Who is asking, as far as a packet tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    pub program: Program,
    pub arch: Option<Arch>,
}

impl Client {
    /// The ROM of a Raspberry Pi says that it is a BIOS (raspberrypi/firmware#1699, rpi-eeprom#1928).
    pub fn on(self, card: Option<Mac>) -> Client {
        let says_bios = self.program == Program::Rom && self.arch == Some(Arch::BIOS);
        match says_bios && card.is_some_and(Mac::is_raspberry_pi) {
            true => Client { arch: Some(Arch::RASPBERRY_PI), ..self },
            false => self,
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = match self.program {
            Program::Rom => "boot ROM",
            Program::Http => "HTTP boot",
            Program::Ipxe => "iPXE",
            Program::System => return f.write_str("operating system"),
        };
        match self.arch {
            Some(arch) => write!(f, "{program}, {arch}"),
            None => f.write_str(program),
        }
    }
}
