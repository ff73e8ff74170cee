//! The walk along the OPTIONS table.

use super::*;
use crate::dhcp::option::{Kind, OPTIONS, printable};
use std::collections::HashSet;

/// A value of each kind, and its bytes.
fn sample(kind: Kind) -> (Value, Vec<u8>) {
    let ip = Ipv4Addr::new(10, 9, 0, 2);
    let net = |text: &str| text.parse().unwrap();
    match kind {
        Kind::Flag => (Value::Flag(true), vec![1]),
        Kind::U8 => (Value::U8(200), vec![200]),
        Kind::U16 => (Value::U16(0x102), vec![1, 2]),
        Kind::U16s => (Value::U16s(vec![7, 0x1000]), vec![0, 7, 16, 0]),
        Kind::U32 => (Value::U32(0x0102_0304), vec![1, 2, 3, 4]),
        Kind::I32 => (Value::I32(-2), vec![255, 255, 255, 254]),
        Kind::Ip => (Value::Ip(ip), vec![10, 9, 0, 2]),
        Kind::Ips => (Value::Ips(vec![ip, OTHER]), vec![10, 9, 0, 2, 10, 9, 0, 3]),
        Kind::IpPairs => (Value::IpPairs(vec![(ip, OTHER)]), vec![10, 9, 0, 2, 10, 9, 0, 3]),
        Kind::Text => (Value::Text("hi".into()), b"hi".to_vec()),
        Kind::Names => {
            let names = vec!["a.example".parse().unwrap(), "b".parse().unwrap()];
            (Value::Names(names), b"\x01a\x07example\0\x01b\0".to_vec())
        }
        Kind::Routes => {
            let routes = vec![(net("0.0.0.0/0"), ip), (net("10.17.0.0/17"), OTHER)];
            (Value::Routes(routes), vec![0, 10, 9, 0, 2, 17, 10, 17, 0, 10, 9, 0, 3])
        }
        Kind::Bytes => (Value::Bytes(vec![1, 0]), vec![1, 0]),
    }
}

#[test]
fn every_row_has_its_own_code_and_name_and_a_type_that_reads_what_it_writes() {
    let (mut codes, mut names) = (HashSet::new(), HashSet::new());
    for row in OPTIONS {
        assert!(codes.insert(row.code), "{} stands twice", row.code);
        assert!(names.insert(row.name), "{} stands twice", row.name);
        assert!(!matches!(row.code, 0 | 255), "{} is no option", row.code);
        assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{}", row.name);
        let (value, bytes) = sample(row.kind);
        assert_eq!(Vec::from(value.clone()), bytes, "{}", row.name);
        assert_eq!(row.kind.read(&bytes), Some(value), "{}", row.name);
    }
}

#[test]
fn all_of_rfc_2132_is_in_the_table_in_order_of_codes() {
    assert!((1..=76).all(|code| named(code).is_some()));
    assert!(OPTIONS.is_sorted_by_key(|row| row.code));
    assert_eq!(named(66).unwrap().name, "tftp-server-name");
}

#[test]
fn bytes_of_another_shape_are_not_read() {
    for kind in [Kind::Flag, Kind::U8, Kind::U16, Kind::U32, Kind::I32, Kind::Ip, Kind::IpPairs, Kind::Ips] {
        assert_eq!(kind.read(&[]), None, "{kind:?}");
        assert_eq!(kind.read(&[1; 5]), None, "{kind:?}");
    }
    assert_eq!(Kind::Text.read(b"\xff"), None);
    assert_eq!(Kind::Names.read(b"\x05abc"), None);
    assert_eq!(Kind::Names.read(b"\x01a"), None);
    assert_eq!(Kind::Routes.read(&[33, 1, 1, 1, 1, 1, 10, 9, 0, 2]), None);
    assert_eq!(Kind::Routes.read(&[24, 10, 9]), None);
}

#[test]
fn a_strangers_text_is_made_fit_for_a_log() {
    assert_eq!(printable(b"web-01\0\0", 63), "web-01");
    assert_eq!(printable(b" \x1b[2J\r\nf\xc3\xbc ", 63), "?[2J??f??");
    assert_eq!(printable(&[b'x'; 300], 63).len(), 63);
}

#[test]
fn dhcprotos_codes_and_bytes_are_the_same_thing() {
    for code in 0..=255u8 {
        assert_eq!(u8::from(OptionCode::from(code)), code);
    }
}
