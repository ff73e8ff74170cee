//! What is remembered and what is forgotten, and a file that tcpdump opens.

use super::*;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);
const EVERYBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, 67);

fn mac(number: u32) -> Mac {
    let [a, b, c, d] = number.to_be_bytes();
    Mac([2, 0, a, b, c, d])
}

fn hear(captures: &Captures, number: u32, payload: &[u8], known: bool) {
    let at = std::time::SystemTime::now().into();
    captures.note(mac(number), Note::new(at, Direction::In, CLIENT, EVERYBODY, payload), known);
}

fn count(captures: &Captures, number: u32) -> usize {
    captures.of(mac(number)).len()
}

#[test]
fn each_mac_keeps_its_last_packets_in_their_order() {
    let captures = Captures::default();
    (0..200u8).for_each(|n| hear(&captures, 1, &[n], true));
    hear(&captures, 2, &[7], true);
    let notes = captures.of(mac(1));
    assert_eq!(notes.iter().map(|note| note.payload[0]).collect::<Vec<_>>(), (136..200).collect::<Vec<u8>>());
    assert_eq!((count(&captures, 2), count(&captures, 3)), (1, 0));
    assert!(notes.is_sorted_by_key(|note| note.at));
}

#[test]
fn a_flood_of_strangers_stays_within_its_bytes_and_takes_nothing_of_machines() {
    let captures = Captures::default();
    (0..64).for_each(|_| hear(&captures, 1, &[1; 300], true));
    (10..60_000).for_each(|n| hear(&captures, n, &[0; 300], false));
    let [known, strangers] = captures.bytes();
    assert!(strangers <= STRANGERS_BYTES && strangers > STRANGERS_BYTES - 2000, "{strangers}");
    assert_eq!((count(&captures, 1), known), (64, SHELF_BYTES + 64 * captures.of(mac(1))[0].bytes()));
    assert_eq!((count(&captures, 59_999), count(&captures, 10)), (1, 0), "the last ones are there, the first are not");
}

#[test]
fn who_was_not_heard_for_the_longest_is_forgotten_first() {
    let each = SHELF_BYTES + Note::new(Time(0), Direction::In, CLIENT, EVERYBODY, &[0; 10]).bytes();
    let captures = Captures::limited(3 * each, 0);
    [1, 2, 3].iter().for_each(|n| hear(&captures, *n, &[0; 10], true));
    // 1 is heard again: now 2 is the oldest. Its second packet takes the room of one machine.
    hear(&captures, 1, &[0; 10], true);
    assert_eq!([1, 2, 3].map(|n| count(&captures, n)), [2, 0, 1]);
    hear(&captures, 4, &[0; 10], true);
    assert_eq!([1, 2, 3, 4].map(|n| count(&captures, n)), [2, 0, 0, 1]);
    hear(&captures, 9, &[0; 10], false);
    assert_eq!(captures.bytes()[1], 0, "what has no room at all keeps nothing");
}

#[test]
fn the_list_stays_whole_whatever_comes() {
    let each = SHELF_BYTES + Note::new(Time(0), Direction::In, CLIENT, EVERYBODY, &[0; 10]).bytes();
    let captures = Captures::limited(20 * each, 0);
    let mut seed = 1u32;
    for _ in 0..20_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        hear(&captures, (seed >> 16) % 40, &[0; 10], true);
    }
    let rooms = captures.rooms();
    let (mut forward, mut at) = (Vec::new(), rooms[0].oldest);
    while let Some(place) = at {
        forward.push(place);
        at = rooms[0].shelves[place].newer;
    }
    let (mut back, mut at) = (Vec::new(), rooms[0].newest);
    while let Some(place) = at {
        back.push(place);
        at = rooms[0].shelves[place].older;
    }
    back.reverse();
    assert_eq!((forward.len(), &forward), (rooms[0].places.len(), &back));
    let in_use = rooms[0].places.iter().map(|(mac, place)| (mac, &rooms[0].shelves[*place]));
    assert_eq!(rooms[0].bytes, in_use.clone().map(|(_, shelf)| shelf.bytes).sum::<usize>());
    assert!(in_use.clone().all(|(mac, shelf)| shelf.mac == *mac && !shelf.notes.is_empty()));
    assert_eq!(rooms[0].shelves.len(), in_use.count() + rooms[0].vacant.len());
    assert!(rooms[0].bytes <= rooms[0].limit && forward.len() > 3);
}

#[test]
fn a_stranger_that_got_a_record_keeps_its_past() {
    let captures = Captures::default();
    hear(&captures, 1, &[1], false);
    hear(&captures, 1, &[2], true);
    assert_eq!(captures.of(mac(1)).iter().map(|note| note.payload[0]).collect::<Vec<_>>(), [1, 2]);
}

/// A DISCOVER as firmware sends it, and the OFFER's header with a hostname.
fn dialogue() -> [Note; 2] {
    let text = include_str!("../../../tests/packets/ovmf-pxe-discover.hex");
    let digits: String = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect();
    let discover = hex::decode(digits).unwrap();
    let mut offer = discover.clone();
    offer[0] = 2;
    offer[16..20].copy_from_slice(&[10, 0, 0, 9]);
    offer.truncate(240);
    // An odd number of bytes: the last one belongs to the checksum, too.
    offer.extend([53, 1, 2, 54, 4, 10, 0, 0, 1, 12, 3, b'w', b'e', b'b', 255]);
    let at = Time(1_700_000_000_123_456);
    let (ours, client) = (SocketAddrV4::new([10, 0, 0, 1].into(), 67), SocketAddrV4::new([10, 0, 0, 9].into(), 68));
    [
        Note::new(at, Direction::In, CLIENT, EVERYBODY, &discover),
        Note::new(Time(at.0 + 1500), Direction::Out, ours, client, &offer),
    ]
}

#[test]
fn a_file_reads_as_it_is_written() {
    let notes = dialogue();
    let records = pcap::records(&pcap::write(mac(1), &notes)).unwrap();
    assert_eq!(records.iter().filter_map(pcap::read).collect::<Vec<_>>(), notes);
    assert_eq!(pcap::records(&pcap::file(records.clone())).unwrap(), records);
    let whole = pcap::file(records);
    for cut in [0, 23, 30, 60, whole.len() - 1] {
        assert_eq!(pcap::records(&whole[..cut]), None, "{cut}");
    }
    assert_eq!(pcap::records(b"PK and more bytes than a header has"), None);
}

/// What tcpdump prints of a file, with the checksums that it checked.
fn tcpdump(file: &[u8]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pcap");
    std::fs::write(&path, file).unwrap();
    let mut command = Command::new("tcpdump");
    let output = match command.args(["-vv", "-tttt", "-e", "-n", "-r"]).arg(&path).stdin(Stdio::null()).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        output => output.unwrap(),
    };
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaints.lines().count() == 1, "{complaints}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn tcpdump_reads_it_without_complaint() {
    let Some(text) = tcpdump(&pcap::write(mac(1), &dialogue())) else {
        return eprintln!("tcpdump is not installed: lab/packages.sh installs it");
    };
    for words in [
        "2023-11-14 22:13:20.123456",
        "2023-11-14 22:13:20.124956",
        "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff",
        "02:6b:69:63:6b:00 > 02:00:00:00:00:01",
        "0.0.0.0.68 > 255.255.255.255.67",
        "10.0.0.1.67 > 10.0.0.9.68",
        "DHCP-Message (53), length 1: Discover",
        "DHCP-Message (53), length 1: Offer",
        "Your-IP 10.0.0.9",
        "Hostname (12), length 3: \"web\"",
    ] {
        assert!(text.contains(words), "{words} is missing:\n{text}");
    }
    assert_eq!(text.matches("[udp sum ok]").count(), 2, "{text}");
    assert!(!text.contains("bad") && !text.contains("truncated"), "{text}");
}

#[test]
fn what_is_too_long_is_cut_and_says_so() {
    let captures = Captures::default();
    hear(&captures, 1, &[1; 60_000], true);
    let notes = captures.of(mac(1));
    assert_eq!((notes[0].payload.len(), notes[0].length), (PACKET_BYTES, 60_000));
    let records = pcap::records(&captures.pcap(mac(1)).unwrap()).unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].length - records[0].frame.len(), 60_000 - PACKET_BYTES);
    if let Some(text) = tcpdump(&captures.pcap(mac(1)).unwrap()) {
        assert!(!text.contains("bad"), "{text}");
    }
}
