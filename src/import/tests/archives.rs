//! Tar archives, right ones and wrong ones.

use crate::import::blocks::{Blocks, Image};
use crate::import::marks::recognise;
use crate::import::tar;
use crate::import::tree::bytes;
use proptest::prelude::*;

/// One entry of an archive: a head of 512 bytes, and the content.
fn entry(kind: u8, name: &str, content: &[u8]) -> Vec<u8> {
    let mut head = vec![0; 512];
    head[..name.len().min(100)].copy_from_slice(&name.as_bytes()[..name.len().min(100)]);
    head[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    head[156] = kind;
    head[257..263].copy_from_slice(b"ustar\0");
    head.extend_from_slice(content);
    head.resize(head.len().div_ceil(512) * 512, 0);
    head
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

fn names(archive: &[u8]) -> Vec<String> {
    tar::list(&archive).unwrap().files.into_keys().collect()
}

struct Memory(Vec<u8>);

impl Blocks for Memory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        self.0.as_slice().read_at(at, buffer)
    }
}

#[test]
fn netboot_as_debian_ships_it() {
    let whole = archive(&[
        entry(b'5', "./debian-installer/", b""),
        entry(b'2', "./pxelinux.0", b""),
        entry(b'0', "./debian-installer/amd64/linux", b"kernel"),
        entry(b'0', "./debian-installer/amd64/initrd.gz", &[1; 700]),
        entry(b'0', "./version.info", b"Debian version:  12"),
    ]);
    assert!(tar::is_tar(&whole.as_slice()));
    let listing = tar::list(&whole.as_slice()).unwrap();
    assert_eq!(listing.links, 1);
    let image = Image { origin: "netboot.tar".into(), blocks: Box::new(Memory(whole)), listing, whole: None };
    let found = recognise(&image).unwrap().unwrap();
    assert_eq!((found.family.as_str(), found.kernel.as_str()), ("debian", "debian-installer/amd64/linux"));
    assert_eq!(bytes(&image, &found.initrd).unwrap().unwrap(), [1; 700]);
}

#[test]
fn long_names_come_in_records_of_their_own() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let pax = format!("{} path={long}\n", long.len() + 10);
    for extra in [entry(b'L', "././@LongLink", format!("{long}\0").as_bytes()), entry(b'x', "pax", pax.as_bytes())] {
        assert_eq!(names(&archive(&[extra, entry(b'0', "short", b"x")])), [long.as_str()]);
    }
}

#[test]
fn what_leads_elsewhere_lies_or_is_cut_off_is_refused() {
    let refusal = |archive: &[u8]| tar::list(&archive).unwrap_err().to_string();
    for name in ["../x", "/etc/passwd", "a/../../x", "a\nb"] {
        assert!(refusal(&archive(&[entry(b'0', name, b"x")])).contains("leads out of its folder"), "{name}");
    }
    assert!(refusal(&archive(&[entry(b'0', "a", b"x"), entry(b'0', "a", b"y")])).contains("is there twice"));
    assert!(refusal(&archive(&[entry(b'0', "a", b"x"), entry(b'0', "a/b", b"y")])).contains("is there twice"));
    let whole = archive(&[entry(b'0', "a", &[1; 3000])]);
    assert!(refusal(&whole[..1024]).contains("did not arrive whole"));
    let mut large = whole;
    large[124..136].copy_from_slice(&[0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert!(refusal(&large).contains("is damaged"));
}

proptest! {
    #[test]
    fn no_archive_panics(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 0..30), cut in 0_usize..6000) {
        let mut bytes = archive(&[entry(b'x', "p", b"20 path=some/where\n\n"), entry(b'0', "a/b", &[1; 900]), entry(b'L', "l", b"long\0"), entry(b'0', "c", b"x")]);
        let length = bytes.len();
        changes.iter().for_each(|(at, byte)| bytes[at % length] = *byte);
        bytes.truncate(cut);
        if let Ok(listing) = tar::list(&bytes.as_slice()) {
            for entry in listing.files.values() {
                prop_assert!(entry.spans.iter().all(|span| span.at + span.length <= bytes.len() as u64));
            }
        }
    }
}
