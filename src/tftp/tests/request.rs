//! Who is answered what at the listening port, and which name a file name stands for.

use super::{encoded, read};
use crate::tftp::Refusal;
use crate::tftp::packet::{Packet, code};
use crate::tftp::request::{Judged, judge, judge_stranger, normalise};
use proptest::prelude::*;
use std::net::SocketAddr;

fn from(port: u16) -> SocketAddr {
    ([192, 0, 2, 7], port).into()
}

fn answered_with(judged: Judged) -> Option<u16> {
    match judged {
        Judged::Answer(Packet::Error { code, .. }) => Some(code),
        _ => None,
    }
}

#[test]
fn the_listening_port_answers_by_this_table() {
    let ask = read("x", &[]);
    let table: &[(&[u8], Option<u16>)] = &[
        (b"\0\x02x\0octet\0", Some(code::DENIED)),
        (b"\0\x02", Some(code::DENIED)),
        (b"\0\x01x", Some(code::ILLEGAL)),
        (b"\0\x03\0\x01data", Some(code::UNKNOWN_TRANSFER)),
        (b"\0\x04\0\x01", Some(code::UNKNOWN_TRANSFER)),
        (b"\0\x06tsize\x001\0", Some(code::UNKNOWN_TRANSFER)),
        (b"\0\x05\0\x01no\0", None),
        (b"\0\x05", None),
        (b"\0\x07", None),
        (b"\0", None),
        (b"", None),
    ];
    for (bytes, wanted) in table {
        assert_eq!(answered_with(judge(from(2070), bytes)), *wanted, "{}", bytes.escape_ascii());
    }
    assert_eq!(judge(from(2070), &encoded(&Packet::Read(ask.clone()))), Judged::Read(ask));
}

#[test]
fn services_that_answer_back_get_silence() {
    let ask = encoded(&Packet::Read(read("x", &[])));
    for port in [0, 7, 13, 17, 19, 53, 67, 69, 123] {
        assert!(matches!(judge(from(port), &ask), Judged::Silence(_)), "port {port}");
        assert_eq!(judge_stranger(from(port), &ask), None, "port {port}");
    }
    for port in [1, 68, 70, 1024, 2070, 65535] {
        assert!(matches!(judge(from(port), &ask), Judged::Read(_)), "port {port}");
    }
}

#[test]
fn an_error_is_never_answered_not_even_a_strangers() {
    assert_eq!(judge_stranger(from(2070), b"\0\x05\0\x05unknown\0"), None);
    assert_eq!(judge_stranger(from(2070), b"\0\x05"), None);
    for short in [b"".as_slice(), b"\0", b"\0\x04", b"\0\x04\0"] {
        assert_eq!(judge_stranger(from(2070), short), None, "{}", short.escape_ascii());
    }
    let answer = judge_stranger(from(2070), b"\0\x04\0\x01").unwrap();
    assert!(matches!(answer, Packet::Error { code: code::UNKNOWN_TRANSFER, .. }));
}

#[test]
fn names_are_normalised_by_this_table() {
    let table: &[(&[u8], &str)] = &[
        (b"snponly.efi", "snponly.efi"),
        (b"/snponly.efi", "snponly.efi"),
        (b"//boot///x", "boot/x"),
        (b"\\boot\\x64\\wdsnbp.com", "boot/x64/wdsnbp.com"),
        (b"C:\\boot\\x", "boot/x"),
        (b"/c:/boot/x", "boot/x"),
        (b"./boot/./x/", "boot/x"),
        (b"undionly.kpxe\xff", "undionly.kpxe"),
        (b"undionly.kpxe\0\xff\xff\0", "undionly.kpxe"),
        (b"pxelinux.cfg/01-aa-bb", "pxelinux.cfg/01-aa-bb"),
        (b"a..b/...", "a..b/..."),
        (b"%2e%2e/x", "%2e%2e/x"),
        (b"l:x", "l:x"),
        ("größe".as_bytes(), "größe"),
    ];
    for (raw, wanted) in table {
        assert_eq!(normalise(raw), Ok((*wanted).to_owned()), "{}", raw.escape_ascii());
    }
}

#[test]
fn what_is_no_name_is_refused() {
    for raw in [b"..".as_slice(), b"../x", b"x/../../y", b"..\\..\\x", b"/boot/..", b"C:\\..\\x", b"..\0\xff"] {
        assert!(matches!(normalise(raw), Err(Refusal::Denied(_))), "{}", raw.escape_ascii());
    }
    for raw in [b"".as_slice(), b"/", b"\xff\xff", b"a\xfeb", b"a\x1b[2Jb", b"a\0b", &[b'x'; 256]] {
        assert!(matches!(normalise(raw), Err(Refusal::NotFound(_))), "{}", raw.escape_ascii());
    }
}

/// Pieces that people climb with.
const PIECES: &[&[u8]] = &[b"..", b".", b"/", b"\\", b"etc", b"C:", b"\0", b"\xff", b"%2e", b"\xc0\xae", b" ", b"~"];

proptest! {
    #[test]
    fn no_name_climbs(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..12)) {
        if let Ok(name) = normalise(&pieces.concat()) {
            prop_assert!(!name.is_empty() && !name.starts_with('/'));
            prop_assert!(!name.contains(['\\', '\0']));
            prop_assert!(name.split('/').all(|part| !["", ".", ".."].contains(&part)));
            prop_assert_eq!(normalise(name.as_bytes()), Ok(name.clone()), "twice is once");
        }
    }

    #[test]
    fn no_datagram_breaks_the_judge(port: u16, bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        let _ = judge(from(port), &bytes);
        let _ = normalise(&bytes);
    }
}
