//! Small EFI programs, with what a test wants in them.

pub const X64: u16 = 0x8664;
pub const ARM64: u16 = 0xaa64;

/// Where the parts of an image lie.
pub const HEADER: usize = 0x80;
pub const OPTIONAL: usize = HEADER + 24;
pub const CHECKSUM: usize = OPTIONAL + 64;
pub const ENTRY: usize = OPTIONAL + 112 + 32;
pub const HEADERS: usize = 0x400;
pub const TEXT: usize = HEADERS;
pub const SBAT: usize = 0x600;
pub const BEHIND: usize = 0x800;

/// A PE32+ program with a .text section, a .sbat section and signatures as wanted.
pub fn image(machine: u16, sbat: Option<&str>, signature: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0u8; BEHIND];
    put(&mut bytes, 0, b"MZ");
    put(&mut bytes, 0x3c, &(HEADER as u32).to_le_bytes());
    put(&mut bytes, HEADER, b"PE\0\0");
    put(&mut bytes, HEADER + 4, &machine.to_le_bytes());
    put(&mut bytes, HEADER + 6, &2u16.to_le_bytes());
    put(&mut bytes, HEADER + 20, &240u16.to_le_bytes());
    put(&mut bytes, OPTIONAL, &0x20bu16.to_le_bytes());
    put(&mut bytes, OPTIONAL + 60, &(HEADERS as u32).to_le_bytes());
    put(&mut bytes, OPTIONAL + 108, &16u32.to_le_bytes());
    section(&mut bytes, 0, b".text\0\0\0", 0x1ff, 0x200, TEXT);
    let (name, text) = sbat.map_or((b".data\0\0\0", ""), |text| (b".sbat\0\0\0", text));
    section(&mut bytes, 1, name, text.len() as u32, 0x200, SBAT);
    put(&mut bytes, TEXT, b"code");
    put(&mut bytes, SBAT, text.as_bytes());
    if !signature.is_empty() {
        put(&mut bytes, ENTRY, &(BEHIND as u32).to_le_bytes());
        put(&mut bytes, ENTRY + 4, &(signature.len() as u32).to_le_bytes());
        bytes.extend_from_slice(signature);
    }
    bytes
}

/// A shim or GRUB of today.
pub fn signed(machine: u16) -> Vec<u8> {
    image(machine, Some("sbat,1,SBAT Version\nshim,4,UEFI shim\nshim.debian,1,Debian\n"), b"signature")
}

fn section(bytes: &mut [u8], at: usize, name: &[u8; 8], length: u32, raw: u32, from: usize) {
    let header = OPTIONAL + 240 + 40 * at;
    put(bytes, header, name);
    put(bytes, header + 8, &length.to_le_bytes());
    put(bytes, header + 16, &raw.to_le_bytes());
    put(bytes, header + 20, &(from as u32).to_le_bytes());
}

pub fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}
