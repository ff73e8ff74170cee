//! Addresses that others have: found by ARP on the link and by ping behind a router, within the deadline.

use crate::rig::{Space, cable, until};
use kickstand::dhcp::frame::arp_probe;
use kickstand::dhcp::link::{Card, Error, LinkSender};
use kickstand::dhcp::probe::{Prober, Used};
use kickstand::model::Mac;
use pnet::packet::arp::ArpPacket;
use pnet::packet::ethernet::EtherTypes;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);

const fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, 0, last)
}

fn by(mac: Mac) -> impl Fn(Ipv4Addr) -> Used {
    move |ip| Used { ip, mac: Some(mac) }
}

/// What is found, sorted, and how long it took.
async fn timed(prober: &Prober, ips: &[Ipv4Addr]) -> (Vec<Used>, Duration) {
    let start = Instant::now();
    let mut used = prober.probe(ips).await.unwrap();
    used.sort_by_key(|used| used.ip);
    (used, start.elapsed())
}

fn on_link(space: &Space, ips: Vec<Ipv4Addr>) -> (Vec<Used>, Duration) {
    space.inside(move || async move { timed(&Prober::on_link("eth0").unwrap(), &ips).await })
}

fn assert_about(took: Duration, deadline_ms: u64) {
    let deadline = Duration::from_millis(deadline_ms);
    assert!(took >= deadline && took < deadline + Duration::from_millis(250), "{took:?} for {deadline:?}");
}

#[test]
#[ignore = "network namespaces: make wire"]
fn arp_finds_who_has_an_address_and_calls_the_others_free() {
    let (server, peer) = cable();
    server.ip(&format!("address add {OURS}/24 dev eth0"));
    peer.ip("address add 10.99.0.5/24 dev eth0");
    let theirs = by(peer.mac("eth0"));
    let (used, took) = on_link(&server, vec![ip(4), ip(5), ip(6)]);
    assert_eq!(used, [theirs(ip(5))]);
    assert_about(took, 300);

    let (used, took) = on_link(&server, vec![ip(5)]);
    assert_eq!(used, [theirs(ip(5))]);
    assert!(took < Duration::from_millis(150), "all have answered: {took:?}");
    let (used, _) = on_link(&server, vec![OURS]);
    assert_eq!(used, [by(server.mac("eth0"))(OURS)], "our own is in use, though nobody answers for it");
}

/// RFC 5227: from nobody's address, so that no cache learns a wrong one; asked twice, as one may get lost.
#[test]
#[ignore = "network namespaces: make wire"]
fn probes_disturb_nobody() {
    let (server, peer) = cable();
    server.ip(&format!("address add {OURS}/24 dev eth0"));
    peer.ip("address add 10.99.0.5/24 dev eth0");
    let witness = peer.witness();
    on_link(&server, vec![ip(5), ip(6)]);
    let frames = witness.frames();
    let asked = |target: Ipv4Addr| {
        let arp = frames.iter().filter(|frame| frame.kind == EtherTypes::Arp);
        let probes = arp.filter(|frame| {
            let arp = ArpPacket::new(&frame.packet).unwrap();
            assert_eq!((frame.to, arp.get_sender_proto_addr()), (Mac([0xff; 6]), Ipv4Addr::UNSPECIFIED));
            arp.get_target_proto_addr() == target
        });
        probes.count()
    };
    assert_eq!((asked(ip(5)), asked(ip(6))), (1, 2));
    assert_eq!((server.ip("neigh show"), peer.ip("neigh show")), (String::new(), String::new()));
}

#[test]
#[ignore = "network namespaces: make wire"]
fn hundreds_of_addresses_are_probed_at_once() {
    let (server, peer) = cable();
    let all: Vec<_> = (0..600u16).map(|n| Ipv4Addr::from(0x0a63_0100 + u32::from(n))).collect();
    let taken: Vec<_> = all.iter().copied().filter(|ip| ip.octets()[3] % 3 == 1).collect();
    let lines: Vec<_> = taken.iter().map(|ip| format!("address add {ip}/16 dev eth0")).collect();
    let batch = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(batch.path(), lines.join("\n") + "\n").unwrap();
    peer.ip(&format!("-batch {}", batch.path().display()));
    let (used, took) = on_link(&server, all);
    assert_eq!(used, taken.into_iter().map(by(peer.mac("eth0"))).collect::<Vec<_>>());
    println!("600 addresses took {took:?}");
    assert_about(took, 900);
}

#[test]
#[ignore = "network namespaces: make wire"]
fn two_who_ask_at_once_get_their_own_answers() {
    let (server, peer) = cable();
    peer.ip("address add 10.99.0.5/24 dev eth0");
    let theirs = by(peer.mac("eth0"));
    let found = server.inside(|| async {
        let prober = Prober::on_link("eth0").unwrap();
        let (a, b) = ([ip(5), ip(6)], [ip(4), ip(5)]);
        tokio::join!(prober.probe(&a), prober.probe(&b))
    });
    assert_eq!((found.0.unwrap(), found.1.unwrap()), (vec![theirs(ip(5))], vec![theirs(ip(5))]));
}

/// Only the answer to the question counts: not what was said before it, nor about other addresses.
#[test]
#[ignore = "network namespaces: make wire"]
fn what_others_say_meanwhile_is_no_answer() {
    let (server, peer) = cable();
    let theirs = by(peer.mac("eth0"));
    let (go, going) = std::sync::mpsc::channel::<()>();
    let (say, said) = std::sync::mpsc::channel();
    let probes = server.start(move || async move {
        let prober = Prober::on_link("eth0").unwrap();
        say.send(Vec::new()).unwrap();
        going.recv().unwrap();
        say.send(prober.probe(&[ip(6)]).await.unwrap()).unwrap();
        say.send(prober.probe(&[ip(6), ip(7)]).await.unwrap()).unwrap();
    });
    said.recv().unwrap();
    announce(&peer, [ip(6), ip(6)]);
    go.send(()).unwrap();
    announce(&peer, [ip(7), ip(8)]);
    assert_eq!(said.recv().unwrap(), []);
    let mut found = None;
    until("the second probe is over", || {
        announce(&peer, [ip(8), ip(7)]);
        found = said.try_recv().ok();
        found.is_some()
    });
    assert_eq!(found.unwrap(), [theirs(ip(7))]);
    probes.join().unwrap();
}

/// That these addresses are one's own (RFC 5227 §2.3), without having them.
fn announce<const N: usize>(space: &Space, ips: [Ipv4Addr; N]) {
    space.inside(move || async move {
        let (card, sender) = (Card::find("eth0").unwrap(), LinkSender::open().unwrap());
        for ip in ips {
            let mut bytes = arp_probe(card.mac, ip).unwrap();
            bytes[14..18].copy_from_slice(&ip.octets());
            sender.send_arp(card.index, &bytes).await.unwrap();
        }
    });
}

/// Where nobody can be heard, nothing is free. And an interface may come back as another.
#[test]
#[ignore = "network namespaces: make wire"]
fn on_a_dead_link_nothing_is_known() {
    let (server, peer) = cable();
    let (say, said) = std::sync::mpsc::channel();
    let (go, going) = std::sync::mpsc::channel::<()>();
    let probes = server.start(move || async move {
        let prober = Prober::on_link("eth0").unwrap();
        for () in going {
            say.send(prober.probe(&[ip(5), ip(6)]).await).unwrap();
        }
    });
    let probe = || {
        go.send(()).unwrap();
        said.recv().unwrap()
    };
    assert_eq!(probe().unwrap(), []);
    peer.ip("link set eth0 down");
    assert!(matches!(probe(), Err(Error::Down(name)) if name == "eth0"));
    server.ip("link delete eth0");
    assert!(matches!(probe(), Err(Error::NoInterface(name)) if name == "eth0"));
    server.join("eth0", &peer, "eth0");
    peer.ip("address add 10.99.0.5/24 dev eth0");
    // The kernel takes its time to call a link that came up running.
    let when_up = || {
        let mut found = Ok(Vec::new());
        until("the link is up", || {
            found = probe();
            !matches!(found, Err(Error::Down(_)))
        });
        found.unwrap()
    };
    assert_eq!(when_up(), [by(peer.mac("eth0"))(ip(5))]);
    server.ip("link set eth0 down");
    assert!(matches!(probe(), Err(Error::Down(_))));
    server.ip("link set eth0 up");
    assert_eq!(when_up(), [by(peer.mac("eth0"))(ip(5))]);
    drop(go);
    probes.join().unwrap();
}

#[test]
#[ignore = "network namespaces: make wire"]
fn ping_finds_a_host_behind_a_router() {
    let ((server, router), host) = (cable(), Space::new());
    router.join("eth1", &host, "eth0");
    router.run("sysctl -q -w", &["net.ipv4.ip_forward=1"]);
    server.ip("address add 10.99.0.1/24 dev eth0");
    router.ip("address add 10.99.0.254/24 dev eth0");
    router.ip("address add 10.98.0.254/24 dev eth1");
    host.ip("address add 10.98.0.7/24 dev eth0");
    host.ip("route add default via 10.98.0.254");
    let there = |last: u8| Ipv4Addr::new(10, 98, 0, last);
    let probe = move || async move { Prober::routed().unwrap().probe(&[there(7), there(8)]).await };
    assert!(server.inside(probe).is_err(), "without a route nothing is known");
    server.ip("route add default via 10.99.0.254");
    let probe = |ips: &'static [u8]| {
        server.inside(move || async move {
            let ips: Vec<_> = ips.iter().copied().map(there).collect();
            timed(&Prober::routed().unwrap(), &ips).await
        })
    };
    let (used, took) = probe(&[7, 8]);
    assert_eq!(used, [Used { ip: there(7), mac: None }]);
    assert_about(took, 500);
    let (_, took) = probe(&[7]);
    assert!(took < Duration::from_millis(250), "it has answered: {took:?}");
}
