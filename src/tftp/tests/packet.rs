//! Packets: what is written is read again, and no bytes break the reader.

use super::{encoded, read};
use crate::tftp::packet::{Malformed, Packet, Read, is_error};
use bytes::Bytes;
use proptest::prelude::*;

const EDK2_PROBE: &[u8] = b"\0\x01snponly.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0";

#[test]
fn a_uefi_request_is_read() {
    let wanted = read("snponly.efi", &[("tsize", "0"), ("blksize", "1468"), ("windowsize", "4")]);
    assert_eq!(Packet::parse(EDK2_PROBE), Ok(Packet::Read(wanted)));
}

#[test]
fn sloppy_requests_are_read_as_they_were_meant() {
    let plain = read("x", &[]);
    let sized = read("x", &[("tsize", "0")]);
    let text = Read { is_netascii: true, ..plain.clone() };
    let table: &[(&[u8], _)] = &[
        (b"\0\x01x\0octet\0", &plain),
        (b"\0\x01x\0OCTET\0", &plain),
        (b"\0\x01x\0netascii\0", &text),
        (b"\0\x01x\0\0NetAscii\0", &text),
        (b"\0\x01x\0mail\0", &plain),
        (b"\0\x01x\0", &plain),
        (b"\0\x01x\0octet", &plain),
        (b"\0\x01x\0octet\0tsize", &plain),
        (b"\0\x01x\0octet\0tsize\0", &plain),
        (b"\0\x01x\0octet\0tsize\x000", &plain),
        (b"\0\x01x\0octet\0tsize\x000\0\xff", &sized),
        (b"\0\x01x\0\0\0octet\0tsize\x000\0", &sized),
    ];
    for (bytes, wanted) in table {
        assert_eq!(Packet::parse(bytes), Ok(Packet::Read((*wanted).clone())), "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_is_no_packet_is_called_so() {
    let table: &[(&[u8], Malformed)] = &[
        (b"", Malformed::Short),
        (b"\0", Malformed::Short),
        (b"\0\x04\0", Malformed::Short),
        (b"\0\x05", Malformed::Short),
        (b"\0\x01", Malformed::Name),
        (b"\0\x01name without an end", Malformed::Name),
        (b"\0\x09", Malformed::Operation(9)),
        (b"GET / HTTP/1.1\r\n", Malformed::Operation(0x4745)),
    ];
    for (bytes, wanted) in table {
        assert_eq!(Packet::parse(bytes), Err(*wanted), "{}", bytes.escape_ascii());
    }
}

#[test]
fn an_error_text_is_one_short_line() {
    let long = [b"\0\x05\0\x08one\r\n\x1b[31mtwo\xff\0three".as_slice(), &[b'x'; 900]].concat();
    assert_eq!(Packet::parse(&long), Ok(Packet::Error { code: 8, message: "one[31mtwo\u{fffd}".into() }));
    let Packet::Error { message, .. } = Packet::error(0, &"x".repeat(900)) else { panic!() };
    assert_eq!(message.len(), 128);
}

#[test]
fn a_request_of_nothing_but_options_stays_small() {
    let many = vec![("a", "1"); 500];
    let Ok(Packet::Read(read)) = Packet::parse(&encoded(&Packet::Read(read("x", &many)))) else { panic!() };
    assert_eq!(read.options.len(), 16);
}

fn text() -> impl Strategy<Value = String> {
    "[ -~]{1,20}"
}

fn packet() -> impl Strategy<Value = Packet> {
    let options = || prop::collection::vec((text(), text()), 0..16);
    prop_oneof![
        (text(), options()).prop_map(|(name, options)| Packet::Read(crate::tftp::packet::Read {
            name: name.into_bytes(),
            is_netascii: false,
            options
        })),
        Just(Packet::Write),
        (any::<u16>(), prop::collection::vec(any::<u8>(), 0..600))
            .prop_map(|(block, payload)| Packet::Data { block, payload: Bytes::from(payload) }),
        any::<u16>().prop_map(Packet::Ack),
        (any::<u16>(), text()).prop_map(|(code, message)| Packet::Error { code, message }),
        options().prop_map(Packet::OptionAck),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(packet in packet()) {
        prop_assert_eq!(Packet::parse(&encoded(&packet)), Ok(packet));
    }

    #[test]
    fn no_bytes_break_the_reader(operation in 0..8u16, rest in prop::collection::vec(any::<u8>(), 0..700)) {
        let bytes = [operation.to_be_bytes().as_slice(), &rest].concat();
        let _ = Packet::parse(&bytes);
        let _ = Packet::parse(&rest);
        prop_assert_eq!(is_error(&bytes), operation == 5);
    }

    #[test]
    fn no_cut_and_no_changed_byte_breaks_the_reader(packet in packet(), at: prop::sample::Index, byte: u8) {
        let mut bytes = encoded(&packet);
        let at = at.index(bytes.len());
        let _ = Packet::parse(&bytes[..at]);
        bytes[at] = byte;
        let _ = Packet::parse(&bytes);
    }
}
