//! Limits on what a tree may cost, and on what is believed of the sizes that it or its server says.

use super::repositories::{package, packed, put, repository};
use crate::import::Error;
use crate::import::checks::Claims;
use crate::import::folder::Folder;
use crate::import::openpgp::Keyring;
use crate::import::repository::xml::{Event, Xml};
use crate::import::repository::{Chain, debian, unpack};
use crate::import::take::Order;
use crate::import::tree::{Found, Listing, Tree};
use std::collections::BTreeSet;
use std::io::Read;

#[test]
fn of_a_long_text_or_line_so_much_is_kept_as_lists_need() {
    let long = "a".repeat(100_000);
    let text = format!("<a>{long}</a>");
    let mut xml = Xml::new("it", text.as_bytes());
    assert_eq!([xml.event().unwrap(), xml.event().unwrap()], [Some(Event::Start), Some(Event::End)]);
    assert_eq!(xml.text().map(|text| text.len()), Some(4096));
    let mut kept = Vec::new();
    let list = format!("Filename: {long}\nSize: 7\n");
    debian::packages("it", &mut list.as_bytes(), &mut |package| {
        kept.extend(package.map(|package| (package.path.len(), package.size)));
        Ok(())
    })
    .unwrap();
    assert_eq!(kept, [(4096 - "Filename: ".len(), Some(7))]);
}

#[test]
fn all_lists_of_a_tree_together_are_bounded() {
    let scene = tempfile::tempdir().unwrap();
    for folder in ["a/", "b/", "c/"] {
        put(scene.path(), &format!("{folder}a.rpm"), b"a");
        repository(scene.path(), folder, ".gz", &[package("a.rpm", b"a")]);
    }
    let (tree, keyring) = (Folder::read(scene.path()).unwrap(), Keyring::default());
    let listing = tree.listing().unwrap();
    // Each list has some 15,000 bytes.
    for (left, is_enough) in [(60_000, true), (40_000, false)] {
        let mut claims = Claims::gather(&tree, &BTreeSet::new(), &keyring).unwrap();
        let mut chain = Chain::new(&tree, &mut claims, &keyring);
        chain.left = left;
        let outcome = chain.all(listing).map_err(|error| error.to_string());
        assert_eq!(outcome.is_ok(), is_enough, "{outcome:?}");
        assert!(outcome.is_ok() || outcome.is_err_and(|error| error.contains("larger than any distro's")));
    }
}

#[test]
fn what_unpacks_without_end_is_cut_off() {
    let bomb = packed(".gz", &vec![b'\n'; 4 << 20]);
    let mut bytes = bomb.as_slice();
    let unpacked = unpack::unpacked("Packages.gz", &mut bytes).unwrap();
    let mut bounded = unpack::Bounded::new(unpacked, 1 << 20);
    let error = debian::packages("it", &mut bounded, &mut |_| Ok(())).unwrap_err().to_string();
    assert!(error.contains("larger than any distro's"), "{error}");
}

#[test]
fn an_xz_that_wants_more_memory_than_it_may_have_is_refused() {
    let mut xz = packed(".xz", b"Filename: a\n");
    // The dictionary's size, in the head of the first block: 4 GiB less one byte.
    assert_eq!(&xz[12..16], [2, 0, 0x21, 1]);
    xz[16] = 40;
    let sum = crc32(&xz[12..20]);
    xz[20..24].copy_from_slice(&sum.to_le_bytes());
    let mut bytes = xz.as_slice();
    let error = unpack::unpacked("a.xz", &mut bytes).unwrap().read(&mut [0; 9]).unwrap_err().to_string();
    assert!(error.contains("memory"), "{error}");
}

#[test]
fn a_frame_of_zstandard_that_wants_more_memory_than_it_may_have_is_refused() {
    // One block of one byte, and what its window is said to have: 1 KiB, 32 MiB, 64 MiB.
    for (window, is_fine) in [(0, true), (15 << 3, true), (16 << 3, false)] {
        let frame = [0x28, 0xB5, 0x2F, 0xFD, 0, window, 9, 0, 0, b'a'];
        let (mut bytes, mut text) = (&frame[..], String::new());
        let outcome = unpack::unpacked("a.zst", &mut bytes).unwrap().read_to_string(&mut text);
        assert_eq!((outcome.is_ok(), text.as_str()), if is_fine { (true, "a") } else { (false, "") }, "{outcome:?}");
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

/// A server with one file, of which it says what it likes.
struct Lying {
    said: Option<u64>,
    given: &'static [u8],
}

impl Tree for Lying {
    fn origin(&self) -> &str {
        "http://lying.example/"
    }

    fn listing(&self) -> Option<&Listing> {
        None
    }

    fn find(&self, _: &str) -> Result<Option<Found>, Error> {
        Ok(Some(Found { size: self.said }))
    }

    fn names(&self, _: &str) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    fn open(&self, _: &str) -> Result<Box<dyn Read + '_>, Error> {
        Ok(Box::new(self.given))
    }
}

#[test]
fn a_file_is_as_large_as_was_said_and_no_larger_than_may_be_where_nobody_says_it() {
    for (said, refused) in [
        (Some(4), None),
        (Some(5), Some("ended after 4 of 5 bytes")),
        (Some(3), Some("larger than was said")),
        (None, Some("4 bytes are needed and 3 are allowed")),
    ] {
        let tree = Lying { said, given: b"true" };
        let limit = if said.is_some() { 9 } else { 3 };
        let claims = Claims::default();
        let order = Order { tree: &tree, files: vec!["a".into()], claims: &claims, limit, limit_why: "--max-size" };
        let outcome = order.carry_out(None, &mut |_| ()).map_err(|error| error.to_string());
        match refused {
            Some(why) => assert!(outcome.as_ref().is_err_and(|error| error.contains(why)), "{said:?}: {outcome:?}"),
            None => assert_eq!(outcome.map(|taken| taken.bytes), Ok(4)),
        }
    }
}
