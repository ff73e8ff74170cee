//! The loaders of Debian, where `lab/loaders.sh` has fetched them.

use super::loader;
use crate::loader::inspect::{Trust, inspect};
use crate::loader::pe::Pe;
use crate::loader::{authenticode, pe};
use std::path::{Path, PathBuf};

/// Nothing where they are not: this is the one test that wants downloads.
fn unpacked(path: &str) -> Option<Vec<u8>> {
    let cache = std::env::var_os("KICKSTAND_CACHE").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".demo/cache"));
    let file = cache.join("loaders/root").join(path.trim_start_matches('/'));
    let bytes = std::fs::read(&file).ok();
    if bytes.is_none() {
        eprintln!("skipped: there is no {}: lab/loaders.sh fetches it", file.display());
    }
    bytes
}

#[test]
fn debians_programs_are_what_they_say_and_were_signed_for_our_hash() {
    for name in ["debian-12-secure", "debian-12-arm64"] {
        let loader = loader(name);
        for file in &loader.files {
            let Some(bytes) = unpacked(file.path.as_ref().unwrap()) else { continue };
            let seen = inspect(&loader, &file.name, &bytes, &[]).unwrap();
            assert_eq!(seen.trust, Trust::Signed, "{}", file.name);
            assert!(!seen.sbat.is_empty(), "{}", file.name);
            let pe = Pe::parse(&bytes).unwrap();
            let signed_for = authenticode::digest(&bytes, &pe);
            let signatures = &bytes[pe.certificates.clone().unwrap()];
            let found = signatures.windows(32).any(|digest| digest == signed_for.0);
            assert!(found, "{}: its signature is for another hash than {signed_for}", file.name);
        }
    }
}

#[test]
fn debians_ipxe_is_not_signed() {
    let Ok(bytes) = std::fs::read("/usr/lib/ipxe/snponly.efi") else {
        eprintln!("skipped: the package ipxe is not installed");
        return;
    };
    let seen = inspect(&loader("ipxe-x64"), "snponly.efi", &bytes, &[]).unwrap();
    assert_eq!(seen.trust, Trust::Unsigned);
    let undionly = std::fs::read("/usr/lib/ipxe/undionly.kpxe").unwrap();
    assert_eq!(Pe::parse(&undionly), Err(pe::Error::NotPe));
}
