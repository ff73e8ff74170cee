//! Answers to clients that have no address yet: to their card, not to everybody.

use crate::program::program;
use crate::rig::{Frame, Space, cable};
use dhcproto::v4::{MessageType, OptionCode};
use kickstand::dhcp::frame::Datagram;
use kickstand::dhcp::link::{Card, Error, LinkReceiver, LinkSender};
use kickstand::dhcp::packet::{BROADCAST, Packet, REPLY};
use kickstand::model::Mac;
use pnet::packet::ethernet::EtherTypes;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::time::timeout;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const GIVEN: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 50);
const PATIENCE: Duration = Duration::from_secs(20);

fn from_us() -> SocketAddrV4 {
    SocketAddrV4::new(SERVER, 67)
}

fn to_client() -> SocketAddrV4 {
    SocketAddrV4::new(GIVEN, 68)
}

fn listen() -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.set_broadcast(true).unwrap();
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 67).into()).unwrap();
    UdpSocket::from_std(socket.into()).unwrap()
}

/// The least that a client takes for an answer.
fn answer_to(mut packet: Packet) -> Packet {
    let asked = packet.options.first(OptionCode::MessageType).unwrap();
    let kind = if asked == [1] { MessageType::Offer } else { MessageType::Ack };
    (packet.op, packet.yiaddr) = (REPLY, GIVEN);
    packet.options = Default::default();
    packet.options.set(OptionCode::MessageType, [u8::from(kind)]);
    packet.options.set(OptionCode::ServerIdentifier, SERVER.octets());
    packet.options.set(OptionCode::AddressLeaseTime, 600u32.to_be_bytes());
    packet.options.set(OptionCode::SubnetMask, [255, 255, 255, 0]);
    packet
}

/// Answers until it has acknowledged; gives the flags of what it was asked.
async fn respond() -> Vec<u16> {
    let (socket, sender) = (listen(), LinkSender::open().unwrap());
    let index = Card::find("eth0").unwrap().index;
    let (mut buffer, mut flags) = ([0; 2048], Vec::new());
    loop {
        let (size, _) = timeout(PATIENCE, socket.recv_from(&mut buffer)).await.unwrap().unwrap();
        let question = Packet::parse(&buffer[..size]).unwrap();
        flags.push(question.flags);
        let (mac, answer) = (Mac(*question.chaddr.first_chunk().unwrap()), answer_to(question));
        let payload = answer.encode(1472).unwrap();
        sender.send_udp(index, mac, &Datagram { from: from_us(), to: to_client(), payload: &payload }).await.unwrap();
        if answer.options.first(OptionCode::MessageType) == Some([5]) {
            return flags;
        }
    }
}

/// udhcpc, which tells its script what it got.
fn ask(space: &Space) -> String {
    let folder = tempfile::tempdir().unwrap();
    let [script, told] = ["script", "told"].map(|name| folder.path().join(name));
    program(&script, &format!("#!/bin/sh\necho \"$1 $ip $subnet\" >>{}\n", told.display()));
    let script = script.display().to_string();
    space.run("busybox udhcpc", &["-i", "eth0", "-f", "-n", "-q", "-t", "5", "-T", "2", "-s", &script]);
    std::fs::read_to_string(told).unwrap()
}

#[test]
#[ignore = "network namespaces: make wire"]
fn a_client_without_an_address_is_answered_at_its_card() {
    let (server, client) = cable();
    server.ip(&format!("address add {SERVER}/24 dev eth0"));
    let (witness, responder) = (client.witness(), server.start(respond));
    let told = ask(&client);
    assert!(told.contains(&format!("bound {GIVEN} 255.255.255.0")), "{told}");
    let flags = responder.join().unwrap();
    assert!(flags.iter().all(|flags| flags & BROADCAST == 0), "udhcpc asks for unicast: {flags:?}");

    let frames = witness.frames();
    let is_answer = |frame: &&Frame| Datagram::read(&frame.packet).is_some_and(|datagram| datagram.to.port() == 68);
    let answers: Vec<_> = frames.iter().filter(is_answer).collect();
    assert!(answers.len() >= 2, "an OFFER and an ACK");
    for frame in answers {
        assert_eq!((frame.to, frame.from), (client.mac("eth0"), server.mac("eth0")));
        assert_eq!((frame.kind, Datagram::read(&frame.packet).unwrap().to), (EtherTypes::Ipv4, to_client()));
    }
    assert!(frames.iter().all(|frame| frame.kind != EtherTypes::Arp), "nobody had to be asked for its address");
}

/// A kernel drops what has a wrong checksum or length; odd lengths are where sums go wrong.
#[test]
#[ignore = "network namespaces: make wire"]
fn another_kernel_takes_every_length_of_datagram() {
    let (server, client) = cable();
    client.ip(&format!("address add {GIVEN}/24 dev eth0"));
    let mac = client.mac("eth0");
    let (ready, is_ready) = std::sync::mpsc::channel();
    let taken = client.start(move || async move {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 68)).await.unwrap();
        ready.send(()).unwrap();
        let (mut buffer, mut sizes) = ([0; 2048], Vec::new());
        while let Ok(received) = timeout(Duration::from_millis(500), socket.recv_from(&mut buffer)).await {
            let (size, from) = received.unwrap();
            assert_eq!(from, from_us().into());
            assert!(buffer[..size].iter().enumerate().all(|(at, byte)| *byte == at as u8));
            sizes.push(size);
        }
        sizes
    });
    is_ready.recv().unwrap();
    server.inside(move || async move {
        let (sender, index) = (LinkSender::open().unwrap(), Card::find("eth0").unwrap().index);
        for size in [0, 1, 2, 3, 299, 300, 548, 1471, 1472] {
            let payload: Vec<_> = (0..size).map(|at| at as u8).collect();
            let datagram = Datagram { from: from_us(), to: to_client(), payload: &payload };
            sender.send_udp(index, mac, &datagram).await.unwrap();
        }
    });
    assert_eq!(taken.join().unwrap(), [0, 1, 2, 3, 299, 300, 548, 1471, 1472]);
}

/// A reboot storm: 15,000 answers, and not one is lost on the way out.
#[test]
#[ignore = "network namespaces: make wire"]
fn a_storm_of_answers_leaves_whole() {
    const ANSWERS: usize = 15_000;
    let (server, client) = cable();
    let mac = client.mac("eth0");
    let packets = || -> usize {
        let shown: serde_json::Value = serde_json::from_str(&client.ip("-j -s link show eth0")).unwrap();
        shown[0]["stats64"]["rx"]["packets"].as_u64().unwrap().try_into().unwrap()
    };
    let before = packets();
    let took = server.inside(move || async move {
        let (sender, index) = (LinkSender::open().unwrap(), Card::find("eth0").unwrap().index);
        let datagram = Datagram { from: from_us(), to: to_client(), payload: &[7; 300] };
        let start = Instant::now();
        for _ in 0..ANSWERS {
            sender.send_udp(index, mac, &datagram).await.unwrap();
        }
        start.elapsed()
    });
    println!("{ANSWERS} answers sent in {took:?}");
    assert_eq!(packets() - before, ANSWERS);
}

#[test]
#[ignore = "network namespaces: make wire"]
fn a_socket_hears_the_others_and_neither_itself_nor_other_ports() {
    let (server, client) = cable();
    let send = |space: &Space, to: u16, payload: &'static [u8]| {
        space.inside(move || async move {
            let index = Card::find("eth0").unwrap().index;
            let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, to);
            let datagram = Datagram { from: from_us(), to, payload };
            LinkSender::open().unwrap().send_udp(index, Mac([0xff; 6]), &datagram).await.unwrap();
        });
    };
    let (ready, is_ready) = std::sync::mpsc::channel();
    let heard = server.start(move || async move {
        let ear = LinkReceiver::udp_to(&Card::find("eth0").unwrap(), 68).unwrap();
        ready.send(()).unwrap();
        let mut buffer = [0; 2048];
        let heard = timeout(PATIENCE, ear.receive(&mut buffer)).await.unwrap().unwrap();
        let payload = Datagram::read(heard.packet).unwrap().payload.to_vec();
        (heard.from, payload)
    });
    is_ready.recv().unwrap();
    send(&server, 68, b"our own");
    send(&client, 67, b"to another port");
    send(&client, 68, b"theirs");
    assert_eq!(heard.join().unwrap(), (client.mac("eth0"), b"theirs".to_vec()));
}

#[test]
#[ignore = "network namespaces: make wire"]
fn without_the_capability_it_is_said_and_not_tried() {
    let refused = Space::new().inside(|| async {
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::NET_RAW);
        set_capabilities(None, sets).unwrap();
        LinkSender::open().err().unwrap()
    });
    assert!(matches!(refused, Error::NotAllowed), "{refused}");
}

#[test]
#[ignore = "network namespaces: make wire"]
fn a_link_that_is_down_takes_nothing() {
    let (server, client) = cable();
    server.ip("link set eth0 down");
    let mac = client.mac("eth0");
    let refused = server.inside(move || async move {
        let (sender, index) = (LinkSender::open().unwrap(), Card::find("eth0").unwrap().index);
        let datagram = Datagram { from: from_us(), to: to_client(), payload: b"" };
        let down = sender.send_udp(index, mac, &datagram).await.unwrap_err();
        let gone = sender.send_udp(4711, mac, &datagram).await.unwrap_err();
        [down, gone].map(|error| error.to_string())
    });
    assert!(refused[0].contains("Network is down") && refused[1].contains("No such device"), "{refused:?}");
}
