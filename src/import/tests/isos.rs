//! Images with all kinds of names come out as what was put in.

use super::disc::{BLOCK, Kind, Node, file, folder, image, tree};
use super::everything;
use crate::import::blocks::{Blocks, Image};
use crate::import::iso;
use crate::import::marks::recognise;
use crate::import::tree::Tree;
use std::io::Read;

struct Memory(Vec<u8>);

impl Blocks for Memory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        self.0.as_slice().read_at(at, buffer)
    }
}

fn opened(bytes: Vec<u8>) -> Image {
    let listing = iso::list(&bytes.as_slice()).unwrap();
    Image { origin: "a.iso".into(), blocks: Box::new(Memory(bytes)), listing, whole: Some("a.iso".into()) }
}

const FILES: &[(&str, &[u8])] = &[
    (".treeinfo", b"[general]\nfamily = Fedora\nversion = 40\narch = x86_64\n"),
    ("images/pxeboot/vmlinuz", &[7; 5000]),
    ("images/pxeboot/initrd.img", b""),
    ("Packages/a-package-with-a-long-name-1.2.3-4.fc40.x86_64.rpm", b"rpm"),
    ("Packages/grün.rpm", b"utf-8"),
];

#[test]
fn rock_ridge_and_joliet_keep_long_names() {
    for kind in [Kind::Rock, Kind::Joliet] {
        let image = opened(image(kind, tree(FILES)));
        let found: Vec<(String, Vec<u8>)> = everything(&image).into_iter().collect();
        let mut expected: Vec<(String, Vec<u8>)> =
            FILES.iter().map(|(path, bytes)| (path.to_string(), bytes.to_vec())).collect();
        expected.sort();
        assert_eq!(found, expected, "{kind:?}");
        assert_eq!(recognise(&image).unwrap().unwrap().name(), "fedora-40-x86_64");
    }
}

#[test]
fn plain_names_are_lower_case_and_without_version() {
    let files: &[(&str, &[u8])] =
        &[("BOOT.CFG", b"build=8.0.2-1\nmodules=/a.b00\n"), ("EFI/BOOT/BOOTX64.EFI", b"MZ"), ("S", b"")];
    let image = opened(image(Kind::Plain, tree(files)));
    let names: Vec<_> = everything(&image).into_keys().collect();
    assert_eq!(names, ["boot.cfg", "efi/boot/bootx64.efi", "s"]);
    assert_eq!(recognise(&image).unwrap().unwrap().name(), "esxi-8.0.2-x86_64");
}

#[test]
fn a_file_in_several_extents_is_one_file() {
    for kind in [Kind::Rock, Kind::Joliet, Kind::Plain] {
        let bytes: Vec<u8> = (0..20_000_u32).map(|i| (i % 251) as u8).collect();
        let nodes = vec![("big".to_owned(), Node::File(bytes.clone(), 4)), ("small".to_owned(), file(b"x"))];
        let image = opened(image(kind, nodes));
        let found = everything(&image);
        assert_eq!(found["big"], bytes, "{kind:?}");
        assert_eq!(image.listing.files["big"].spans.len(), 4);
        assert_eq!(found["small"], b"x");
    }
}

/// More than 4 GiB, which one record can not say: nothing of it is stored.
struct Sparse {
    head: Vec<u8>,
    size: u64,
}

impl Blocks for Sparse {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        buffer.fill(0);
        for (index, byte) in buffer.iter_mut().enumerate() {
            *byte = self.head.get(at as usize + index).copied().unwrap_or(0);
        }
        Ok(())
    }
}

#[test]
fn a_file_may_be_larger_than_four_gigabytes() {
    let first = u32::MAX - u32::MAX % BLOCK as u32;
    let mut nodes =
        vec![("big".to_owned(), Node::FileAt(100, first)), ("big".to_owned(), Node::FileAt(100 + first / 2048, 4096))];
    nodes.push(("d".into(), folder(vec![("f", file(b"x"))])));
    let mut head = image(Kind::Rock, nodes);
    // The first of the two goes on.
    let at = (0..head.len()).rev().find(|at| head[*at..].starts_with(b"F0.;1")).unwrap();
    let second = (0..head.len()).rev().find(|at| head[*at..].starts_with(b"F1.;1")).unwrap();
    head[at - 33 + 25] |= 0x80;
    head[second + 1] = b'0';
    let blocks = Sparse { head, size: 5 << 30 };
    let listing = iso::list(&blocks).unwrap();
    assert_eq!(listing.files["big"].size, u64::from(first) + 4096);
    let image = Image { origin: "a.iso".into(), blocks: Box::new(blocks), listing, whole: None };
    let mut reader = image.open("big").unwrap();
    let mut buffer = vec![1; 1 << 16];
    assert_eq!(reader.read(&mut buffer).unwrap(), buffer.len());
}

#[test]
fn links_and_devices_are_counted_and_nothing_else() {
    let nodes = vec![
        ("link".to_owned(), Node::Link),
        ("null".to_owned(), Node::Device),
        ("d".to_owned(), folder(vec![("up", Node::Link), ("f", file(b"x"))])),
    ];
    let listing = iso::list(&image(Kind::Rock, nodes).as_slice()).unwrap();
    assert_eq!(listing.files.keys().collect::<Vec<_>>(), ["d/f"]);
    assert_eq!((listing.links, listing.devices), (2, 1));
}

#[test]
fn the_whole_image_is_a_file_of_its_tree_by_its_own_name() {
    let bytes = image(Kind::Rock, tree(FILES));
    let image = opened(bytes.clone());
    assert_eq!(crate::import::tree::bytes(&image, "a.iso").unwrap().unwrap(), bytes);
    assert!(!image.listing.files.contains_key("a.iso"));
}
