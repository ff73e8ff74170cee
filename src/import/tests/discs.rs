//! UDF as genisoimage writes it, and as nobody should believe it.

use crate::import::tree::Listing;
use crate::import::udf;
use proptest::prelude::*;
use std::process::Command;
use std::sync::LazyLock;

/// A bridge: the same files as ISO 9660, which is not looked at here.
static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let scene = tempfile::tempdir().unwrap();
    let top = scene.path().join("top");
    std::fs::create_dir_all(top.join("images/grün")).unwrap();
    std::fs::write(top.join("images/vmlinuz"), vec![7; 5000]).unwrap();
    std::fs::write(top.join("images/grün/x"), "").unwrap();
    let out = scene.path().join("a.iso");
    let mut command = Command::new("genisoimage");
    let output = command.args(["-quiet", "-input-charset", "utf-8", "-udf", "-o"]).arg(&out).arg(&top).output();
    assert!(output.expect("genisoimage is installed: see lab/packages.sh").status.success());
    std::fs::read(out).unwrap()
});

fn list(bytes: &[u8]) -> Result<Listing, String> {
    udf::list(&bytes).map_err(|error| error.to_string())
}

#[test]
fn files_are_listed_with_their_places() {
    assert!(udf::is_udf(&IMAGE.as_slice()));
    let listing = list(&IMAGE).unwrap();
    let names: Vec<&String> = listing.files.keys().collect();
    assert_eq!(names, ["images/grün/x", "images/vmlinuz"]);
    let span = listing.files["images/vmlinuz"].spans[0];
    assert_eq!(IMAGE[span.at as usize..][..5000], [7; 5000]);
}

/// The block of the first descriptor of this kind behind the anchor.
fn descriptors(kind: u16) -> Vec<usize> {
    let starts = (257 * 2048..IMAGE.len()).step_by(2048);
    starts.filter(|at| IMAGE[*at..].starts_with(&kind.to_le_bytes()) && IMAGE[*at + 2..*at + 4] != [0, 0]).collect()
}

#[test]
fn an_image_that_is_cut_off_or_leads_in_a_circle_is_refused() {
    for blocks in 0..IMAGE.len() / 2048 {
        if let Ok(listing) = list(&IMAGE[..blocks * 2048]) {
            // What pads the end may be missing.
            assert_eq!(listing, list(&IMAGE).unwrap(), "{blocks} blocks");
        }
    }
    // The entries of the folders all lead to the first of them.
    let mut bytes = IMAGE.clone();
    for at in descriptors(257) {
        let first = descriptors(261)[0];
        let start = (0..IMAGE.len() / 2048).find(|block| *block * 2048 == first).unwrap();
        let mut offset = at;
        while bytes[offset..].starts_with(&257_u16.to_le_bytes()) {
            let partition = u32::try_from(start).unwrap() - 257;
            bytes[offset + 24..offset + 28].copy_from_slice(&partition.to_le_bytes());
            let length = 38 + usize::from(bytes[offset + 19]);
            offset += length.next_multiple_of(4);
        }
    }
    assert!(list(&bytes).unwrap_err().contains("inside of itself"), "{:?}", list(&bytes));
}

proptest! {
    #[test]
    fn no_image_panics_and_what_is_listed_lies_inside(changes in prop::collection::vec((any::<usize>(), 0..512_usize, any::<u8>()), 1..20)) {
        let mut bytes = IMAGE.clone();
        let blocks: Vec<usize> = [5, 6, 256, 257, 261].into_iter().flat_map(descriptors).collect();
        for (block, at, byte) in changes {
            bytes[blocks[block % blocks.len()] + at] = byte;
        }
        if let Ok(listing) = list(&bytes) {
            for entry in listing.files.values() {
                prop_assert!(entry.spans.iter().all(|span| span.length == 0 || span.at + span.length <= bytes.len() as u64));
            }
        }
    }
}
