//! Other people's DHCP clients, one after the other on one card as a boot has them, and each by itself for long.

use crate::house::{Client, House, Kind};
use crate::rig::{Space, cable, until};
use kickstand::model::Mac;
use serde_json::json;

const CARD: &str = "52:54:00:c1:00:01";

fn served(space: &Space, client: &Space) -> House {
    client.ip(&format!("link set eth0 address {CARD}"));
    space.ip("address add 10.9.0.1/24 dev eth0");
    let house = House::open(space, "interfaces = [\"eth0\"]");
    house.add_network("lan", "10.9.0", json!({}));
    house
}

/// Their client identifiers differ: none, a MAC, a DUID. The address must not.
#[test]
#[ignore = "network namespaces: make wire"]
fn every_client_on_one_card_gets_one_address() {
    let (server, space) = cable();
    let house = served(&server, &space);
    let card: Mac = CARD.parse().unwrap();
    let strange = Mac([0x52, 0x54, 0, 0xc1, 0, 2]);
    house.server.add_machines([("one".to_owned(), card, None)].into_iter());
    // The first free address is somebody else's, so that ours is no matter of course.
    assert!(crate::house::ask(&space, "eth0", strange, std::time::Duration::from_secs(5)).is_some());
    let mut given = Vec::new();
    for (kind, releases) in Kind::ALL.map(|kind| (kind, false)).into_iter().chain(Kind::ALL.map(|kind| (kind, true))) {
        let mut client = Client::start(kind, &space);
        given.push((kind, releases, client.address().unwrap()));
        let before = house.ends(card);
        if kind.renews_when_told() {
            client.tell("renew");
            until(&format!("{kind:?} renews"), || house.ends(card) > before);
            assert_eq!(client.address(), Some(given[0].2));
        }
        if releases {
            client.tell("release");
            until(&format!("{kind:?} gives it back"), || house.ends(card) < before);
        }
    }
    println!("{given:?}");
    assert!(given.iter().all(|(_, _, ip)| *ip == given[0].2), "{given:?}");
}

/// Half of a short lease, three times, without being told.
#[test]
#[ignore = "network namespaces: make wire"]
fn every_client_renews_by_itself_and_keeps_its_address() {
    let (server, switch) = (Space::new(), Space::new());
    switch.ip("link add br0 type bridge stp_state 0 forward_delay 0");
    switch.ip("link set br0 up");
    switch.plug("server", &server);
    server.ip("address add 10.9.0.1/24 dev eth0");
    let mut house = House::open(&server, "interfaces = [\"eth0\"]");
    house.add_network("lan", "10.9.0", json!({}));
    house.server.kill();
    house.server.shorten_leases(20, 20);
    house.server.start();
    house.server.ready();
    let spaces = Kind::ALL.map(|kind| (kind, Space::new()));
    spaces.iter().enumerate().for_each(|(at, (_, space))| switch.plug(&format!("client{at}"), space));
    let clients: Vec<_> = spaces.iter().map(|(kind, space)| (*kind, space, Client::start(*kind, space))).collect();
    let mut first: Vec<_> = clients.iter().map(|(_, _, client)| client.address()).collect();
    for (at, (kind, space, client)) in clients.iter().enumerate() {
        let mac = space.mac("eth0");
        for _ in 0..2 {
            let before = house.ends(mac);
            until(&format!("{kind:?} renews by itself"), || house.ends(mac) > before);
        }
        assert_eq!(client.address(), first[at], "{kind:?}");
    }
    first.sort();
    first.dedup();
    assert_eq!(first.len(), Kind::ALL.len(), "each has its own");
}
