//! A tree that somebody hands in: images, archives, checksum files, pages, keys and signatures, whatever they are.

#![no_main]

use kickstand::import::openpgp::{Keyring, armor};
use kickstand::import::remote::{address::Address, page};
use kickstand::import::tree::Listing;
use kickstand::import::{checks, iso, tar, udf};
use libfuzzer_sys::fuzz_target;

/// Descriptors begin here; what is before would only make inputs larger.
const HEAD: usize = 16 * 2048;
const ANCHOR: usize = 256 * 2048;

fn inside(listing: &Listing, size: usize) {
    for span in listing.files.values().flat_map(|entry| &entry.spans) {
        assert!(span.length == 0 || span.at + span.length <= size as u64, "{span:?}");
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    let behind = |head: usize| [vec![0; head], bytes.to_vec()].concat();
    match kind % 6 {
        0 => {
            let image = behind(HEAD);
            iso::list(&image.as_slice()).iter().for_each(|listing| inside(listing, image.len()));
        }
        1 => {
            let image = behind(ANCHOR);
            udf::list(&image.as_slice()).iter().for_each(|listing| inside(listing, image.len()));
        }
        2 => tar::list(&bytes).iter().for_each(|listing| inside(listing, bytes.len())),
        3 => {
            let text = String::from_utf8_lossy(bytes);
            for read in [checks::sums, checks::treeinfo, checks::content, checks::release] {
                read(&text);
            }
        }
        4 => {
            let text = String::from_utf8_lossy(bytes);
            page::names(&text, "/a/");
            let _ = Address::parse(&text).map(|address| address.below("a").redirected(&text).is_ok());
        }
        _ => {
            let (key, signature) = bytes.split_at(bytes.len() / 2);
            let mut keyring = Keyring::default();
            keyring.add(key);
            keyring.detached(b"text", signature);
            armor::clear(bytes).map(|clear| keyring.clear(&clear));
        }
    }
});
