//! Who counts as a foreign server, and how often it is told.

use super::*;
use crate::dhcp::frame::{Datagram, PACKET_BYTES};
use crate::dhcp::link::{Card, Heard};
use crate::dhcp::packet::{BROADCAST, REPLY};
use crate::dhcp::rogue::*;
use crate::model::Mac;
use proptest::prelude::*;
use std::net::SocketAddrV4;
use std::time::Duration;
use tokio::time::Instant;

const THEIRS: Mac = Mac([0x52, 0x54, 0, 9, 9, 9]);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

fn card() -> Card {
    let mac = Mac([0x52, 0x54, 0, 1, 2, 3]);
    Card { name: "br0".into(), index: 2, mac, addresses: vec![HERE.ip], running: true }
}

fn neighbours() -> Neighbours {
    Neighbours { ours: vec![HERE.ip, OTHER], expected: false }
}

/// A server's packet on the link.
fn on_the_link(payload: &[u8], from: Ipv4Addr) -> Vec<u8> {
    let [from, to] = [SocketAddrV4::new(from, 67), SocketAddrV4::new(Ipv4Addr::BROADCAST, 68)];
    Datagram { from, to, payload }.write(&mut [0; PACKET_BYTES]).unwrap().to_vec()
}

fn answer(kind: MessageType, server: Option<Ipv4Addr>) -> Packet {
    let mut packet = system(kind);
    (packet.op, packet.yiaddr) = (REPLY, IP);
    if let Some(server) = server {
        packet.options.set(OptionCode::ServerIdentifier, server.octets());
    }
    packet
}

fn judged(packet: &Packet, source: Ipv4Addr, from: Mac, neighbours: Neighbours) -> Option<Rogue> {
    foreign(&card(), Heard { from, packet: &on_the_link(&packet.encode(1472).unwrap(), source) }, || neighbours.clone())
}

#[test]
fn a_foreign_answer_names_its_server_and_its_offer() {
    let rogue = |offered| Some(Rogue { interface: "br0".into(), server_mac: THEIRS, server_ip: ROUTER, offered });
    for kind in [MessageType::Offer, MessageType::Ack] {
        assert_eq!(judged(&answer(kind, Some(ROUTER)), ROUTER, THEIRS, neighbours()), rogue(Some(IP)));
    }
    let nak = Packet { yiaddr: Ipv4Addr::UNSPECIFIED, ..answer(MessageType::Nak, Some(ROUTER)) };
    assert_eq!(judged(&nak, ROUTER, THEIRS, neighbours()), rogue(None));
    assert_eq!(
        judged(&answer(MessageType::Offer, None), ROUTER, THEIRS, neighbours()),
        rogue(Some(IP)),
        "no option 54"
    );
}

#[test]
fn our_own_answers_are_none_of_a_rogue() {
    let offer = |server| answer(MessageType::Offer, server);
    assert_eq!(judged(&offer(Some(HERE.ip)), HERE.ip, THEIRS, neighbours()), None, "by another card of ours");
    assert_eq!(judged(&offer(Some(OTHER)), OTHER, THEIRS, neighbours()), None, "another node");
    assert_eq!(judged(&offer(Some(HERE.ip)), RELAY, THEIRS, neighbours()), None, "through a relay");
    assert_eq!(judged(&offer(None), HERE.ip, THEIRS, neighbours()), None, "no option 54");
    assert_eq!(judged(&offer(Some(ROUTER)), ROUTER, card().mac, neighbours()), None, "what a loop gives back");
}

#[test]
fn questions_noise_and_expected_servers_are_left_alone() {
    let mut ask = answer(MessageType::Offer, Some(ROUTER));
    ask.op = REQUEST;
    assert_eq!(judged(&ask, ROUTER, THEIRS, neighbours()), None);
    assert_eq!(judged(&answer(MessageType::Discover, Some(ROUTER)), ROUTER, THEIRS, neighbours()), None);
    let expected = Neighbours { expected: true, ..neighbours() };
    assert_eq!(judged(&answer(MessageType::Offer, Some(ROUTER)), ROUTER, THEIRS, expected), None);
}

#[test]
fn a_server_is_told_once_in_ten_minutes_and_forgers_do_not_fill_the_log() {
    let rogue = |n: u8| Rogue {
        interface: "br0".into(),
        server_mac: THEIRS,
        server_ip: Ipv4Addr::new(192, 168, 1, n),
        offered: None,
    };
    let (mut told, start) = (Told::default(), Instant::now());
    assert!(told.is_news(&rogue(1), start));
    assert!(!told.is_news(&Rogue { offered: Some(IP), ..rogue(1) }, start + Duration::from_secs(599)));
    assert!(told.is_news(&Rogue { server_mac: card().mac, ..rogue(1) }, start), "another card is another server");
    assert!(told.is_news(&rogue(1), start + Duration::from_secs(600)));
    let later = start + Duration::from_secs(2000);
    assert_eq!((0..=255).filter(|n| told.is_news(&rogue(*n), later)).count(), 64);
}

/// A task of its own, whatever its closures hold.
#[test]
fn a_watch_can_be_spawned() {
    let (cell, mut told) = (std::cell::Cell::new(0), Vec::new());
    let neighbours = move || Neighbours { expected: cell.get() == 0, ..Neighbours::default() };
    let report = move |rogue| told.push(rogue);
    let watch = Watch { interface: "br0".into(), every: EVERY, neighbours, report };
    fn is_send<T: Send>(_: T) {}
    is_send(watch.run(tokio::sync::watch::channel(false).1));
}

#[test]
fn our_question_is_one_that_we_know_again() {
    let mac = probe_mac(card().mac);
    assert!(mac.is_usable() && mac.0[0] & 2 != 0, "locally administered: no card is made with it");
    assert!(is_our_probe(mac) && !is_our_probe(card().mac));
    let packet = Packet::parse(&discover(mac, 7).unwrap()).unwrap();
    assert_eq!((packet.xid, packet.flags, packet.hlen, &packet.chaddr[..6]), (7, BROADCAST, 6, mac.0.as_slice()));
    assert_eq!(packet.options.first(OptionCode::MessageType), Some([1]));
}

proptest! {
    #[test]
    fn any_payload_of_a_foreign_server_is_survived(payload in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = foreign(&card(), Heard { from: THEIRS, packet: &on_the_link(&payload, ROUTER) }, neighbours);
    }

    #[test]
    fn any_options_of_a_foreign_server_are_survived(field in prop::collection::vec(any::<u8>(), 0..600)) {
        let offer = answer(MessageType::Offer, None).encode(1472).unwrap();
        let packet = on_the_link(&[&offer[..240], &field].concat(), ROUTER);
        let _ = foreign(&card(), Heard { from: THEIRS, packet: &packet }, neighbours);
    }
}
