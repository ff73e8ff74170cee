//! Images that mean harm: each is refused in a sentence, and none costs more than its own size.

use super::disc::{BLOCK, Kind, Node, file, folder, image, nm, record, tree};
use crate::import::{checks, iso};
use proptest::prelude::*;

fn refusal(bytes: &[u8]) -> String {
    iso::list(&bytes).unwrap_err().to_string()
}

fn rock(nodes: Vec<(&str, Node)>) -> Vec<u8> {
    image(Kind::Rock, nodes.into_iter().map(|(name, node)| (name.to_owned(), node)).collect())
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for name in ["..", ".", "../../etc/cron.d/x", "/etc/passwd", "a/b", "a\0b", "a\nb", "a\x1b[2J"] {
        for kind in [Kind::Rock, Kind::Joliet] {
            let text = refusal(&image(kind, vec![(name.to_owned(), file(b"x"))]));
            assert!(text.contains("out of its folder") || text.contains("control characters"), "{name:?}: {text}");
        }
    }
}

#[test]
fn a_name_twice_is_refused_and_one_of_256_bytes_too() {
    assert!(refusal(&rock(vec![("a", file(b"x")), ("a", file(b"y"))])).contains("is there twice"));
    assert!(refusal(&rock(vec![("a", file(b"x")), ("a", folder(vec![]))])).contains("is there twice"));
    // In pieces, as Rock Ridge allows: the second lies in another block.
    let long = [&nm(&"x".repeat(150))[..], b"CE\x1c\x01"].concat();
    let mut bytes = rock(vec![("a", file(b"x"))]);
    let place = bytes.len() as u32 / BLOCK as u32;
    bytes.extend(nm(&"x".repeat(106)));
    bytes.resize(bytes.len().div_ceil(BLOCK) * BLOCK, 0);
    let mut tail = Vec::new();
    for number in [place, 0, 111] {
        tail.extend(number.to_le_bytes());
        tail.extend(number.to_be_bytes());
    }
    let long = record(b"F0.;1", (0, 0), 0, &[long, tail].concat());
    let at = (0..bytes.len()).find(|at| bytes[*at..].starts_with(b"F0.;1")).unwrap() - 33;
    bytes[at..at + long.len()].copy_from_slice(&long);
    let text = refusal(&bytes);
    assert!(text.contains("longer than 255 bytes"), "{text}");
}

#[test]
fn a_folder_inside_of_itself_is_refused() {
    // The root folder is the last thing that is written, so its block is known.
    let empty = rock(vec![("loop", Node::FolderAt(0, 0))]);
    let root = empty.len() as u32 / BLOCK as u32 - 1;
    let text = refusal(&rock(vec![("loop", Node::FolderAt(root, 2048))]));
    assert!(text.contains("inside of itself"), "{text}");
}

#[test]
fn folders_that_lie_too_deep_are_refused() {
    let mut node = file(b"x");
    for _ in 0..300 {
        node = folder(vec![("d", node)]);
    }
    let text = refusal(&rock(vec![("d", node)]));
    assert!(text.contains("64 folders"), "{text}");
}

#[test]
fn declared_sizes_are_not_believed() {
    let text = refusal(&rock(vec![("big", Node::FileAt(20, u32::MAX))]));
    assert!(text.contains("did not arrive whole"), "{text}");
    let text = refusal(&rock(vec![("d", Node::FolderAt(99, u32::MAX))]));
    assert!(text.contains("bytes of names"), "{text}");
    let text = refusal(&rock(vec![("d", Node::FolderAt(u32::MAX, 2048))]));
    assert!(text.contains("did not arrive whole"), "{text}");
    // The same bytes under many names.
    let nodes: Vec<(String, Node)> = (0..100).map(|at| (format!("f{at}"), Node::FileAt(20, 100_000))).collect();
    let bytes = image(Kind::Rock, [vec![("a".to_owned(), file(&[1; 100_000]))], nodes].concat());
    assert!(refusal(&bytes).contains("larger than itself"));
}

#[test]
fn an_image_that_is_cut_off_anywhere_is_refused() {
    let whole = image(Kind::Rock, tree(&[("a/b", &[1; 9000]), ("c", b"x"), ("z", &[2; 3000])]));
    for blocks in 0..whole.len() / BLOCK {
        assert!(iso::list(&&whole[..blocks * BLOCK]).is_err(), "{blocks} blocks");
    }
    assert!(iso::list(&whole.as_slice()).is_ok());
}

#[test]
fn a_name_that_goes_on_for_ever_is_refused() {
    let mut bytes = rock(vec![("a", file(b"x"))]);
    let place = bytes.len() as u32 / BLOCK as u32;
    let mut circle = b"CE\x1c\x01".to_vec();
    for number in [place, 0, 28] {
        circle.extend(number.to_le_bytes());
        circle.extend(number.to_be_bytes());
    }
    bytes.extend(&circle);
    bytes.resize(bytes.len().div_ceil(BLOCK) * BLOCK, 0);
    let entry = record(b"F0.;1", (0, 0), 0, &circle);
    let at = (0..bytes.len()).find(|at| bytes[*at..].starts_with(b"F0.;1")).unwrap() - 33;
    bytes[at..at + entry.len()].copy_from_slice(&entry);
    assert!(refusal(&bytes).contains("in a circle"), "{}", refusal(&bytes));
}

fn shaped() -> Vec<u8> {
    let nodes = vec![
        ("a".to_owned(), Node::File(vec![1; 5000], 2)),
        ("link".to_owned(), Node::Link),
        ("d".to_owned(), folder(vec![("e", folder(vec![("f", file(b"x"))]))])),
    ];
    image(Kind::Rock, nodes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_image_panics_and_what_is_listed_lies_inside(changes in prop::collection::vec((30_000_usize..60_000, any::<u8>()), 1..40), kind in 0..3) {
        let mut bytes = match kind { 0 => shaped(), 1 => image(Kind::Joliet, tree(&[("a/b", b"x"), ("c", b"y")])), _ => image(Kind::Plain, tree(&[("a/b", b"x")])) };
        let length = bytes.len();
        for (at, byte) in changes {
            bytes[at % length] = byte;
        }
        if let Ok(listing) = iso::list(&bytes.as_slice()) {
            for entry in listing.files.values() {
                for span in &entry.spans {
                    prop_assert!(span.length == 0 || span.at + span.length <= length as u64);
                }
            }
        }
    }

    #[test]
    fn no_checksum_file_panics(text in "(?s).{0,400}|([0-9a-f]{64}|SHA256 \\(a\\) = [0-9a-f]{64}|SHA256:|\\[checksums\\]|HASH SHA256| [0-9a-f]{64} 1)([ \\n=:*a/.]{0,9}){0,9}") {
        for read in [checks::sums, checks::treeinfo, checks::content, checks::release] {
            for line in read(&text) {
                prop_assert!(line.digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
            }
        }
    }
}

#[test]
fn a_title_says_nothing_to_a_terminal() {
    let scene = tempfile::tempdir().unwrap();
    let images = scene.path().join("images/pxeboot");
    std::fs::create_dir_all(&images).unwrap();
    for name in ["vmlinuz", "initrd.img"] {
        std::fs::write(images.join(name), "").unwrap();
    }
    let info = "[general]\nfamily = AlmaLinux\nversion = 9.4\u{1b}[2J\u{9b}1m\narch = x86\u{7}_64\n";
    std::fs::write(scene.path().join(".treeinfo"), info).unwrap();
    let tree = Box::new(crate::import::folder::Folder::read(scene.path()).unwrap());
    let source = crate::import::source::Source { tree, folder: String::new(), image: None, address: None, seal: None };
    let plan = crate::import::plan::plan(&source, &Default::default()).unwrap();
    assert_eq!(plan.title, "almalinux 9.4[2J1m x86_64");
}
