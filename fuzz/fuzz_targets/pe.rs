//! A file that is to be a boot loader, and a list of revoked hashes: both are read whole, whatever they are.

#![no_main]

use kickstand::loader::{authenticode, dbx, inspect, manifest, pe::Pe};
use kickstand::model::Loader;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static LOADERS: LazyLock<Vec<Loader>> = LazyLock::new(|| {
    manifest::catalogue(&[(manifest::NAME, include_str!("../../pxe/loaders.toml"))]).expect("it is built in")
});

fuzz_target!(|bytes: &[u8]| {
    let revoked = dbx::hashes(bytes).unwrap_or_default();
    if let Ok(pe) = Pe::parse(bytes) {
        for range in pe.sections.iter().chain(&pe.certificates).chain([&pe.headers, &pe.checksum]) {
            assert!(bytes.get(range.clone()).is_some(), "{range:?}");
        }
        authenticode::digest(bytes, &pe);
    }
    for loader in LOADERS.iter() {
        for file in &loader.files {
            if let Ok(seen) = inspect::inspect(loader, &file.name, bytes, &revoked) {
                inspect::objection(loader, &seen);
            }
        }
    }
});
