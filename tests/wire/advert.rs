//! Router advertisements as another kernel takes them: read, and nobody becomes a router.

use crate::house::{House, broadcaster};
use crate::packet::{BIOS, DISCOVER, OFFER, Said, Sent};
use crate::rig::{Space, until};
use kickstand::dhcp::advert::{ALL_NODES_MAC, advertisement};
use kickstand::model::Mac;
use pnet::packet::ethernet::EtherTypes;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};

/// Asks until it is offered something.
fn offered(client: &Space, rom: Option<u16>, mac: Mac) {
    client.inside(move || async move {
        let socket = broadcaster("eth0").unwrap();
        let all: SocketAddr = (Ipv4Addr::BROADCAST, 67).into();
        let mut buffer = [0; 1500];
        let mut xid = 0;
        until("an offer", || {
            // Once in a second: a server that only takes its time is asked once.
            if xid % 20 == 0 {
                socket.send_to(&Sent { rom, ..Sent::new(DISCOVER, xid / 20, mac) }.bytes(), all).unwrap();
            }
            xid += 1;
            let said = socket.recv(&mut buffer).ok().and_then(|size| Said::read(&buffer[..size]));
            said.is_some_and(|said| said.kind == OFFER && said.mac == mac)
        });
    });
}

/// What the kernel counts of ICMPv6.
fn counted(client: &Space, name: &str) -> u32 {
    let text = String::from_utf8(client.run("cat /proc/net/snmp6", &[]).stdout).unwrap();
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name));
    line.and_then(|line| line.split_whitespace().nth(1)).unwrap().parse().unwrap()
}

#[test]
#[ignore = "network namespaces: make wire"]
fn another_kernel_hears_an_advertisement_and_gets_no_router_by_it() {
    let (us, client) = (Space::new(), Space::new());
    client.run("sh -c", &["echo 0 | tee /proc/sys/net/ipv6/conf/*/disable_ipv6"]);
    us.join("eth0", &client, "eth0");
    client.run("sh -c", &["echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra"]);
    us.ip("address add 10.9.0.1/24 dev eth0");
    let house = House::open(&us, "interfaces = [\"eth0\"]");
    house.add_network("lan", "10.9.0", json!({"probe": false}));
    let card = |last| Mac([0x52, 0x54, 0, 0xad, 0, last]);
    let own = || client.ip("-6 address show dev eth0 scope link");
    until("the client's IPv6 is up", || own().contains("fe80:") && !own().contains("tentative"));
    let witness = client.witness();

    offered(&client, Some(BIOS), card(1));
    house.server.api("PATCH", "networks/lan", json!({"dhcp": {"advertise": true}}));
    offered(&client, None, card(2));
    assert_eq!(counted(&client, "Icmp6InRouterAdvertisements"), 0, "not asked for, or not by what boots");
    offered(&client, Some(BIOS), card(3));
    until("three were heard", || counted(&client, "Icmp6InRouterAdvertisements") >= 3);

    let frames = witness.frames();
    let heard: Vec<_> = frames.iter().filter(|f| f.kind == EtherTypes::Ipv6 && f.packet[40] == 134).collect();
    assert!((3..=6).contains(&heard.len()), "{} for one machine", heard.len());
    let wanted = advertisement(us.mac("eth0")).unwrap();
    for frame in heard {
        assert_eq!((frame.to, frame.from, frame.packet.as_slice()), (ALL_NODES_MAC, us.mac("eth0"), &wanted[..]));
    }
    assert_eq!(counted(&client, "Icmp6InErrors"), 0, "and its checksum is right");
    assert!(client.ip("-6 neigh show dev eth0").contains("fe80::4b:53ff:"), "it was taken for what it is");
    assert_eq!(client.ip("-6 route show default"), "");
    assert_eq!(client.ip("-6 address show dev eth0 scope global"), "");
}
