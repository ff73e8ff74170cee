//! What goes onto the link reads as the RFCs say, what comes from it never panics, and the kernel's filters agree.

use crate::dhcp::filter;
use crate::dhcp::frame::*;
use crate::dhcp::packet::WIRE_BYTES;
use crate::model::Mac;
use proptest::prelude::*;
use socket2::{SockFilter, SockRef};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::net::UnixDatagram;

const MAC: Mac = Mac([0x52, 0x54, 0, 1, 2, 3]);
const US: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 9, 0, 2), 67);
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 9, 0, 15), 68);

fn packet(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    Datagram { from, to, payload }.write(&mut [0xff; PACKET_BYTES]).unwrap().to_vec()
}

/// RFC 1071: with its checksum in place, what it covers sums up to all ones.
fn sum(parts: &[&[u8]]) -> u32 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u32 = words.map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded & 0xffff) + (folded >> 16)
}

fn assert_checksums(packet: &[u8]) {
    let (ip, udp) = packet.split_at(20);
    assert_eq!(sum(&[ip]), 0xffff);
    let length = u16::try_from(udp.len()).unwrap().to_be_bytes();
    assert_eq!(sum(&[&ip[12..20], &[0, 17], &length, udp]), 0xffff);
    assert_ne!(udp[6..8], [0, 0], "zero says that there is no checksum");
}

#[test]
fn a_datagram_is_as_the_rfcs_write_it() {
    let bytes = packet(US, CLIENT, b"hello");
    let text = concat!(
        "4500 0021 0000 4000 4011",
        "26aa",
        "0a090002 0a09000f", // RFC 791
        "0043 0044 000d",
        "a758", // RFC 768
        "68656c6c6f"
    );
    assert_eq!(hex::encode(&bytes), text.replace(' ', ""));
    assert_checksums(&bytes);
    assert_eq!(Datagram::read(&bytes).unwrap(), Datagram { from: US, to: CLIENT, payload: b"hello" });
}

#[test]
fn a_checksum_that_comes_to_zero_is_written_as_all_ones() {
    let with = |word: u16| packet(US, CLIENT, &word.to_be_bytes());
    let checksum = |bytes: &[u8]| u16::from_be_bytes([bytes[26], bytes[27]]);
    let bytes = with(checksum(&with(0)));
    assert_eq!(checksum(&bytes), 0xffff);
    assert_checksums(&bytes);
}

#[test]
fn what_is_too_long_for_a_frame_is_not_written() {
    let fits =
        |size| Datagram { from: US, to: CLIENT, payload: &vec![1; size] }.write(&mut [0; PACKET_BYTES]).is_some();
    assert!(fits(WIRE_BYTES) && !fits(WIRE_BYTES + 1) && !fits(1 << 20));
}

#[test]
fn padding_fragments_and_other_protocols_are_told_apart() {
    let good = packet(US, CLIENT, b"hello");
    let read = |bytes: &[u8]| Datagram::read(bytes).map(|datagram| datagram.payload.to_vec());
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        read(&bytes)
    };
    assert_eq!(read(&[good.as_slice(), &[0; 13]].concat()).unwrap(), b"hello", "a short frame is padded");
    assert_eq!(read(&good[..good.len() - 1]), None, "cut off");
    assert_eq!(changed(0, 0x65), None, "IPv6");
    assert_eq!(changed(0, 0x44), None, "a header of 16 bytes");
    assert_eq!(changed(6, 0x20), None, "the first fragment");
    assert_eq!(changed(7, 1), None, "a later fragment");
    assert_eq!(changed(9, 6), None, "TCP");
    assert_eq!(changed(25, 7), None, "UDP shorter than its header");
    assert_eq!(changed(25, 200), None, "UDP longer than its packet");
}

#[test]
fn an_arp_probe_asks_from_nobodys_address() {
    let probe = arp_probe(MAC, *CLIENT.ip()).unwrap();
    let text = "0001 0800 06 04 0001 525400010203 00000000 000000000000 0a09000f";
    assert_eq!(hex::encode(probe), text.replace(' ', ""));
    assert_eq!(arp_claim(&probe), None, "a probe claims nothing");
}

#[test]
fn requests_and_answers_claim_their_senders_address() {
    let arp = |kind: &str, operation: u8| {
        let text = format!("{kind} 000{operation} 525400010203 0a09000f ffffffffffff 0a090002");
        hex::decode(text.replace(' ', "")).unwrap()
    };
    for operation in [1, 2] {
        assert_eq!(arp_claim(&arp("0001 0800 06 04", operation)), Some((*CLIENT.ip(), MAC)));
    }
    for kind in ["0006 0800 06 04", "0001 86dd 06 04", "0001 0800 08 04", "0001 0800 06 10"] {
        assert_eq!(arp_claim(&arp(kind, 2)), None, "{kind}");
    }
}

/// As the kernel of the other side would: the question's bytes, another type, and a mended checksum.
fn pong(identifier: u16) -> Vec<u8> {
    let ping = echo(identifier).unwrap();
    assert_eq!((ping[0], sum(&[&ping])), (8, 0xffff));
    let ip = hex::decode("4500003c0000400040010000 0a09000f 0a090002".replace(' ', "")).unwrap();
    let mut bytes = [ip.as_slice(), &ping].concat();
    bytes[20] = 0;
    bytes
}

#[test]
fn an_answer_to_our_own_ping_names_its_sender() {
    assert_eq!(echo_reply(&pong(7), 7), Some(*CLIENT.ip()));
    assert_eq!(echo_reply(&pong(7), 8), None, "another program's ping");
    let mut question = pong(7);
    question[20] = 8;
    assert_eq!(echo_reply(&question, 7), None, "somebody pings us");
}

/// A socket's filter on bytes that look like packets: the kernel runs it, and no root is needed.
struct Kernel(UnixDatagram, UnixDatagram);

impl Kernel {
    fn with(program: &[SockFilter]) -> Kernel {
        let (a, b) = UnixDatagram::pair().unwrap();
        SockRef::from(&b).attach_filter(program).unwrap();
        b.set_nonblocking(true).unwrap();
        Kernel(a, b)
    }

    fn passes(&self, packet: &[u8]) -> bool {
        self.0.send(packet).unwrap();
        let mut buffer = [0; 2048];
        let size = self.1.recv(&mut buffer).ok();
        assert!(size.is_none_or(|size| buffer[..size] == *packet), "the filter cuts nothing off");
        size.is_some()
    }
}

#[test]
fn the_filter_for_answers_lets_only_port_68_through() {
    let kernel = Kernel::with(&filter::udp_to(68));
    let good = packet(US, CLIENT, &[1; 300]);
    assert!(kernel.passes(&good));
    assert!(!kernel.passes(&packet(CLIENT, US, &[1; 300])));
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        kernel.passes(&bytes)
    };
    assert!(!changed(9, 6), "TCP");
    assert!(!changed(6, 0x20) && !changed(7, 1), "fragments");
    assert!(changed(6, 0) && changed(8, 1), "whether it may be fragmented, and how far it came, is no matter");
    assert!(!kernel.passes(&good[..22]), "cut off before the port");
    let with_options = [&[0x46], &good[1..20], &[1, 1, 1, 0], &good[20..]].concat();
    assert!(kernel.passes(&with_options), "the port stands behind IP's options");
}

#[test]
fn the_filter_for_pings_lets_only_our_answers_through() {
    let kernel = Kernel::with(&filter::echo_replies(0xabcd));
    assert!(kernel.passes(&pong(0xabcd)));
    assert!(!kernel.passes(&pong(0xabce)));
    let mut question = pong(0xabcd);
    question[20] = 8;
    assert!(!kernel.passes(&question));
    assert!(!kernel.passes(&pong(0xabcd)[..21]));
}

proptest! {
    #[test]
    fn any_bytes_of_a_link_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = (Datagram::read(&bytes), arp_claim(&bytes), echo_reply(&bytes, 7));
    }

    /// A good packet with a few bytes changed: the shapes that random bytes never have.
    #[test]
    fn damaged_packets_are_survived_and_the_kernel_drops_none_that_we_would_read(
        damage in prop::collection::vec((0..48usize, any::<u8>()), 0..4),
        end in 0..60usize,
    ) {
        let kernel = Kernel::with(&filter::udp_to(68));
        let mut bytes = packet(US, CLIENT, &[1; 20]);
        damage.iter().for_each(|(at, byte)| bytes[*at] = *byte);
        bytes.truncate(end.max(1));
        let ours = Datagram::read(&bytes).is_some_and(|datagram| datagram.to.port() == 68);
        prop_assert!(!ours || kernel.passes(&bytes));
        let mut pong = pong(7);
        damage.iter().for_each(|(at, byte)| pong[*at] = *byte);
        let _ = (echo_reply(&pong, 7), arp_claim(&pong));
    }

    #[test]
    fn every_datagram_reads_as_it_was_written(payload in prop::collection::vec(any::<u8>(), 0..700), port: u16) {
        let to = SocketAddrV4::new(*CLIENT.ip(), port);
        let bytes = packet(US, to, &payload);
        assert_checksums(&bytes);
        prop_assert_eq!(Datagram::read(&bytes).unwrap(), Datagram { from: US, to, payload: &payload });
    }
}
