//! Generations, and the lists of hashes in firmware.

use super::digest;
use crate::loader::dbx;
use crate::loader::revoked::{LEVELS, components, refused};
use crate::model::Digest;

#[test]
fn history_goes_forward_and_asks_for_more_each_time() {
    for pair in LEVELS.windows(2) {
        assert!(pair[0].date < pair[1].date);
        for (name, needs) in pair[1].least {
            let before = pair[0].least.iter().find(|(known, _)| known == name);
            assert!(before.is_none_or(|(_, before)| before <= needs), "{name} of {}", pair[1].date);
        }
    }
}

#[test]
fn the_first_level_that_refuses_a_program_is_named() {
    let cases = [
        ("shim,4\nshim.debian,1", None),
        ("grub,5\ngrub.debian,5\ngrub.debian12,1", None),
        ("systemd,1\nsystemd.debian,1", None),
        ("shim,1", Some((2022052400, 2))),
        ("shim,3", Some((2024010900, 4))),
        ("grub,1", Some((2022052400, 2))),
        ("grub,2", Some((2022111500, 3))),
        ("grub,3\ngrub.debian,3", Some((2023012900, 4))),
        ("grub,3\ngrub.rh,2", Some((2024040900, 4))),
        ("grub,4\ngrub.peimage,1", Some((2024040900, 2))),
        ("grub,4\ngrub.peimage,2", Some((2025021800, 5))),
        ("grub,5\ngrub.proxmox,1", Some((2025051000, 2))),
    ];
    for (sbat, wanted) in cases {
        let found = refused(&components(sbat).unwrap());
        assert_eq!(found.map(|refused| (refused.date, refused.needs)), wanted, "{sbat}");
    }
}

#[test]
fn a_section_is_read_line_by_line() {
    let all = components("sbat,1,SBAT Version\r\n\ngrub , 5 ,Free Software Foundation\n").unwrap();
    assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), ["grub,5"]);
    for bad in ["grub", "grub,", ",5", "grub,-1", "grub,99999999999"] {
        assert!(components(bad).is_err(), "{bad}");
    }
}

const SHA256: &str = "2616c4c14c509240aca941f936934328";
const X509: &str = "a159c0a5e494a74a87b5ab155c2bf072";

/// EFI_SIGNATURE_LIST.
fn list(kind: &str, entries: &[&[u8]]) -> Vec<u8> {
    let size = entries.first().map_or(48, |entry| 16 + entry.len());
    let mut bytes = hex::decode(kind).unwrap();
    for number in [28 + size * entries.len(), 0, size] {
        bytes.extend((number as u32).to_le_bytes());
    }
    for entry in entries {
        bytes.extend([0xaa; 16]);
        bytes.extend(*entry);
    }
    bytes
}

#[test]
fn the_hashes_of_a_dbx_are_read_from_file_variable_and_update() {
    let hashes = list(SHA256, &[&[1; 32], &[2; 32]]);
    let bare = [list(X509, &[b"a certificate of some length"]), hashes.clone(), list(SHA256, &[&[3; 32]])].concat();
    let wanted: Vec<Digest> = [1, 2, 3].map(digest).to_vec();
    assert_eq!(dbx::hashes(&bare).unwrap(), wanted);
    assert_eq!(dbx::hashes(&[&[0x27, 0, 0, 0], bare.as_slice()].concat()).unwrap(), wanted);
    let mut update = vec![0; 16];
    update.extend(((24 + 5) as u32).to_le_bytes());
    update.extend([0, 2, 0xf1, 0x0e]);
    update.extend(hex::decode("9dd2af4adf68ee498aa9347d375665a7").unwrap());
    update.extend(b"pkcs7");
    update.extend(&bare);
    assert_eq!(dbx::hashes(&update).unwrap(), wanted);
}

#[test]
fn what_is_no_dbx_is_an_error_and_not_an_empty_list() {
    let good = list(SHA256, &[&[1; 32]]);
    for length in 0..good.len() {
        assert!(dbx::hashes(&good[..length]).is_err(), "{length}");
    }
    let behind = [good.as_slice(), b"and then some text that is no list at all"].concat();
    let error = dbx::hashes(&behind).unwrap_err().to_string();
    assert!(error.contains("at byte 76"), "{error}");
    let mut uneven = list(SHA256, &[&[1; 32], &[2; 32]]);
    uneven[24] = 47;
    assert!(dbx::hashes(&uneven).is_err());
}
