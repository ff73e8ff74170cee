//! What import sees in a file: headers, hashes, and whether it fits its loader.

use super::image::*;
use super::{digest, loader};
use crate::loader::authenticode;
use crate::loader::inspect::{Trust, inspect, objection};
use crate::loader::pe::{Error, Pe};
use crate::model::Digest;
use proptest::prelude::*;

#[test]
fn a_header_tells_machine_sections_and_signature() {
    let bytes = signed(ARM64);
    let pe = Pe::parse(&bytes).unwrap();
    assert_eq!(pe.machine, ARM64);
    assert_eq!(pe.sbat.unwrap().lines().count(), 3);
    assert_eq!(pe.certificates, Some(BEHIND..BEHIND + 9));
    assert_eq!((pe.headers, pe.sections), (0..HEADERS, vec![TEXT..SBAT, SBAT..BEHIND]));
    let plain = image(X64, None, b"");
    let pe = Pe::parse(&plain).unwrap();
    assert_eq!((pe.machine, pe.sbat, pe.certificates), (X64, None, None));
}

#[test]
fn what_is_no_program_or_half_of_one_is_an_error() {
    assert_eq!(Pe::parse(b""), Err(Error::NotPe));
    assert_eq!(Pe::parse(b"\x7fELF and so on"), Err(Error::NotPe));
    let whole = signed(X64);
    for length in 0..whole.len() {
        assert!(Pe::parse(&whole[..length]).is_err(), "{length}");
    }
    let mut far = whole.clone();
    put(&mut far, ENTRY, &u32::MAX.to_le_bytes());
    assert_eq!(Pe::parse(&far), Err(Error::Outside("its header")));
    let mut other = whole;
    put(&mut other, OPTIONAL, &0x107u16.to_le_bytes());
    assert_eq!(Pe::parse(&other), Err(Error::NotPe));
}

#[test]
fn a_signature_covers_all_but_itself_and_the_checksum() {
    let bytes = signed(X64);
    let of = |bytes: &[u8]| authenticode::digest(bytes, &Pe::parse(bytes).unwrap());
    let by_hand = [&bytes[..CHECKSUM], &bytes[CHECKSUM + 4..ENTRY], &bytes[ENTRY + 8..BEHIND]].concat();
    assert_eq!(of(&bytes), Digest::of(&by_hand));
    let changed = |at: usize| {
        let mut other = bytes.clone();
        other[at] ^= 1;
        of(&other) != of(&bytes)
    };
    let free = [CHECKSUM, CHECKSUM + 3, BEHIND, BEHIND + 8];
    assert!(free.iter().all(|at| !changed(*at)));
    assert!([2, TEXT, TEXT + 4, SBAT, BEHIND - 1].iter().all(|at| changed(*at)));
}

proptest! {
    /// Whatever is wrong in a file, reading it ends, and every range that comes of it lies inside.
    #[test]
    fn broken_headers_do_no_harm(changes in prop::collection::vec((0usize..BEHIND, any::<u8>()), 0..12)) {
        let mut bytes = signed(X64);
        changes.iter().for_each(|(at, byte)| bytes[*at] = *byte);
        if let Ok(pe) = Pe::parse(&bytes) {
            let ranges = pe.sections.iter().chain(&pe.certificates).chain([&pe.headers, &pe.checksum]);
            for range in ranges {
                prop_assert!(bytes.get(range.clone()).is_some(), "{range:?}");
            }
            authenticode::digest(&bytes, &pe);
        }
    }
}

fn trust(loader_name: &str, file: &str, bytes: &[u8]) -> Result<Trust, String> {
    inspect(&loader(loader_name), file, bytes, &[]).map(|seen| seen.trust)
}

#[test]
fn a_program_must_run_where_its_loader_does() {
    let x64 = signed(X64);
    assert_eq!(trust("debian-12-secure", "shimx64.efi", &x64), Ok(Trust::Signed));
    let error = trust("debian-12-arm64", "grubaa64.efi", &x64).unwrap_err();
    assert_eq!(error, "is for x64, and debian-12-arm64 is for arm64");
    let error = trust("pxelinux", "pxelinux.0", &x64).unwrap_err();
    assert_eq!(error, "is an EFI program, and bios runs none");
    assert_eq!(trust("ipxe-x64", "snponly.efi", b"\xeb\x3c a BIOS program").unwrap_err(), "is not an EFI program");
    assert_eq!(trust("pxelinux", "pxelinux.0", b"\xea\x24 a BIOS program"), Ok(Trust::Unseen));
    assert_eq!(trust("pxelinux", "pxelinux.0", b"").unwrap_err(), "is empty");
    assert!(trust("ipxe-x64", "snponly.efi", &x64[..BEHIND - 1]).unwrap_err().contains("cut off"));
}

#[test]
fn secure_boot_judges_by_signature_generation_and_hash() {
    let secure = loader("debian-12-secure");
    let see = |bytes: &[u8], dbx: &[Digest]| inspect(&secure, "grubx64.efi", bytes, dbx).unwrap();
    let fresh = image(X64, Some("sbat,1\ngrub,5\ngrub.debian,5\n"), b"signature");
    assert_eq!(see(&fresh, &[]).trust, Trust::Signed);
    assert_eq!(objection(&secure, &see(&fresh, &[digest(1)])), None);
    let revoked = |bytes: &[u8], dbx: &[Digest], why: &str| {
        let objection = objection(&secure, &see(bytes, dbx)).unwrap();
        assert!(objection.contains(why), "{objection}");
    };
    let hash = authenticode::digest(&fresh, &Pe::parse(&fresh).unwrap());
    revoked(&fresh, &[digest(1), hash], "its hash is in the dbx");
    let old = image(X64, Some("sbat,1\ngrub,3\ngrub.debian,4\n"), b"signature");
    revoked(&old, &[], "below level 2024040900 (grub 3, needs 4)");
    revoked(&image(X64, None, b"signature"), &[], "no .sbat section");
    revoked(&image(X64, None, b""), &[], "is not signed, and debian-12-secure is for Secure Boot");
    let open = loader("ipxe-x64");
    let seen = inspect(&open, "snponly.efi", &image(X64, None, b""), &[]).unwrap();
    assert_eq!((objection(&open, &seen), seen.trust), (None, Trust::Unsigned));
}

#[test]
fn a_sbat_section_that_is_not_one_is_an_error() {
    let error = trust("debian-12-secure", "grubx64.efi", &image(X64, Some("sbat,1\ngrub,five\n"), b"s")).unwrap_err();
    assert_eq!(error, "its .sbat section has a line without a generation: \"grub,five\"");
    let mut bytes = signed(X64);
    bytes[SBAT] = 0xff;
    assert!(trust("debian-12-secure", "grubx64.efi", &bytes).unwrap_err().contains("is not text"));
}
