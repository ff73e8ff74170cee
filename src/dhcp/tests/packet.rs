//! Packets from bytes and to bytes.

use super::*;
use crate::dhcp::packet::{Malformed, REPLY, WIRE_BYTES};

fn head() -> Vec<u8> {
    let mut bytes = system(MessageType::Discover).encode(WIRE_BYTES).unwrap();
    bytes.truncate(240);
    bytes
}

fn parsed(options: &[u8]) -> Options {
    Packet::parse(&[&head(), options].concat()).unwrap().options
}

#[test]
fn an_option_in_thousands_of_parts_is_copied_once() {
    let parts: Vec<u8> = (0..1000u32).flat_map(|n| [61, 1, n as u8, 43, 2, n as u8, 0]).collect();
    let options = Options::scan(&parts);
    let id: Vec<u8> = (0..1000u32).map(|n| n as u8).collect();
    assert_eq!(options.get(61u8), Some(id.as_slice()));
    assert_eq!(options.get(43u8).unwrap().len(), 2000);
    assert!(options.stored_bytes() <= 2 * parts.len(), "{} for {}", options.stored_bytes(), parts.len());
}

#[test]
fn the_header_is_read_field_by_field() {
    let packet = captured("ipxe-rom-discover-again");
    assert_eq!((packet.op, packet.htype, packet.hlen, packet.hops), (1, 1, 6, 0));
    assert_eq!((packet.secs, packet.flags), (10, 0));
    assert_eq!(packet.chaddr[..6], [0x52, 0x54, 0, 0x12, 0x34, 0x57]);
    assert_eq!(captured("ovmf-pxe-request").flags, 0x8000);
}

#[test]
fn header_and_fields_survive_the_wire() {
    let mut packet = captured("ovmf-pxe-request").using(IP).through(RELAY);
    packet.sname[..5].copy_from_slice(b"sname");
    packet.file[127] = 7;
    (packet.hops, packet.secs, packet.yiaddr, packet.siaddr) = (3, 0x102, OTHER, HERE.ip);
    let again = Packet::parse(&packet.encode(WIRE_BYTES).unwrap()).unwrap();
    assert_eq!(Packet { options: Options::default(), ..again }, Packet { options: Options::default(), ..packet });
}

#[test]
fn what_is_no_packet_of_a_client_says_why() {
    let good = system(MessageType::Discover).encode(WIRE_BYTES).unwrap();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Packet::parse(&bytes).map(|p| p.hlen)
    };
    assert_eq!(Packet::parse(&good[..239]), Err(Malformed::Short(239)));
    assert_eq!(with(0, REPLY), Err(Malformed::NotARequest(2)));
    assert_eq!(with(2, 17), Err(Malformed::HardwareLength(17)));
    assert_eq!(with(2, 16), Ok(16));
    assert_eq!(with(239, 98), Err(Malformed::Cookie));
}

#[test]
fn pads_a_missing_end_and_a_cut_off_option_are_forgiven() {
    let options = parsed(&[0, 0, 53, 1, 3, 0, 12, 2, b'h', b'i', 61, 9, 1, 2]);
    assert_eq!(options.iter().collect::<Vec<_>>(), [(53, [3].as_slice()), (12, b"hi")]);
    assert_eq!(parsed(&[53, 1, 3, 12]).iter().count(), 1);
    assert_eq!(parsed(&[]).iter().count(), 0);
    assert_eq!(parsed(&[53, 1, 3, 255, 12, 1, b'x']).get(12u8), None);
}

#[test]
fn the_parts_of_an_option_are_joined_wherever_they_stand() {
    let options = parsed(&[77, 2, b'i', b'P', 53, 1, 1, 77, 2, b'X', b'E', 255]);
    assert_eq!(options.iter().collect::<Vec<_>>(), [(77, b"iPXE".as_slice()), (53, &[1])]);
}

#[test]
fn overloaded_fields_go_on_with_options_file_first() {
    for (overload, said) in [(0, ""), (1, "f"), (2, "s"), (3, "fs")] {
        let mut packet = system(MessageType::Discover).with(OptionCode::OptionOverload, [overload]);
        packet.file[..4].copy_from_slice(&[12, 1, b'f', 255]);
        packet.sname[..4].copy_from_slice(&[12, 1, b's', 255]);
        let packet = Packet::parse(&packet.encode(WIRE_BYTES).unwrap()).unwrap();
        assert_eq!(packet.options.get(12u8).unwrap_or_default(), said.as_bytes(), "overload {overload}");
    }
}

#[test]
fn a_packet_has_300_bytes_at_least() {
    assert_eq!(system(MessageType::Discover).encode(WIRE_BYTES).unwrap().len(), 300);
}

#[test]
fn options_stand_in_the_order_that_firmware_expects() {
    let mut packet = system(MessageType::Ack);
    for code in [82, 97, 61, 175, 67, 43, 60, 200, 28, 15, 6, 3, 1, 59, 58, 51, 54] {
        packet.options.set(code, [0]);
    }
    let codes: Vec<u8> = tail(&packet.encode(WIRE_BYTES).unwrap()).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [53, 54, 51, 58, 59, 1, 3, 6, 15, 28, 60, 43, 67, 175, 200, 61, 97, 82]);
}

#[test]
fn a_long_option_is_split_side_by_side_and_an_empty_one_stays() {
    let packet = system(MessageType::Ack).with(OptionCode::RootPath, [7; 600]).with(OptionCode::RapidCommit, []);
    let lengths: Vec<_> = tail(&packet.encode(WIRE_BYTES).unwrap()).iter().map(|(c, v)| (*c, v.len())).collect();
    assert_eq!(lengths, [(53, 1), (17, 255), (17, 255), (17, 90), (80, 0)]);
}

#[test]
fn what_is_needed_least_goes_first_and_the_relays_option_never() {
    let full = system(MessageType::Ack)
        .with(OptionCode::ServerIdentifier, HERE.ip.octets())
        .with(OptionCode::BootfileName, [b'u'; 200])
        .with(OptionCode::ClientIdentifier, [1; 100])
        .with(OptionCode::RootPath, [b'r'; 100])
        .with(OptionCode::RelayAgentInformation, [9; 300]);
    let codes = |cap: usize| {
        let bytes = full.encode(cap)?;
        assert!(bytes.len() <= cap + 304 && bytes.len() <= WIRE_BYTES);
        let mut codes: Vec<u8> = tail(&bytes).into_iter().map(|(code, _)| code).collect();
        codes.dedup();
        Some(codes)
    };
    assert_eq!(codes(1472).unwrap(), [53, 54, 67, 17, 61, 82]);
    assert_eq!(codes(560).unwrap(), [53, 54, 67, 61, 82]);
    assert_eq!(codes(548).unwrap(), [53, 54, 67, 82]);
    assert_eq!(codes(300).unwrap(), [53, 54, 82]);
    let impossible = full.with(OptionCode::RelayAgentInformation, [9; 1400]);
    assert_eq!(impossible.encode(1472), None);
}

#[test]
fn pad_and_end_are_no_options() {
    let mut options = Options::default();
    options.set(0u8, [1]);
    options.set(255u8, [1]);
    assert_eq!(options, Options::default());
}
