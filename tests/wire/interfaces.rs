//! Which interfaces are answered, and how soon after they went away, came back or changed their address.

use crate::house::{House, ask};
use crate::rig::{Space, cable, until};
use kickstand::model::Mac;
use serde_json::json;
use std::process::Command;
use std::time::{Duration, Instant};

const CARD: Mac = Mac([0x52, 0x54, 0, 0xc3, 0, 1]);
/// How soon a change is followed.
const SOON: Duration = Duration::from_secs(2);
/// How long it takes to believe that nobody answers.
const SILENCE: Duration = Duration::from_secs(1);

/// The VLAN of `eth0` with this number on both sides; a cable of the same name where the kernel knows no VLANs.
fn vlan(server: &Space, client: &Space, id: u16) {
    let name = format!("eth0.{id}");
    let is_made = |space: &Space| {
        let words = format!("link add link eth0 name {name} type vlan id {id}");
        let made = Command::new("ip").args(["-n", space.name()]).args(words.split(' ')).output().unwrap();
        made.status.success()
    };
    if is_made(server) {
        assert!(has(client, &name) || is_made(client));
        [server, client].iter().for_each(|space| drop(space.ip(&format!("link set {name} up"))));
    } else {
        println!("this kernel has no VLANs: {name} is a cable of its own");
        server.join(&name, client, &name);
    }
}

fn has(space: &Space, interface: &str) -> bool {
    space.ip("-brief link show").lines().any(|line| line.split(['@', ' ']).next() == Some(interface))
}

/// Who answered, or nobody.
fn answer(space: &Space, interface: &str, limit: Duration) -> Option<String> {
    ask(space, interface, CARD, limit).map(|(said, _)| said.server.to_string())
}

/// Answered by this address, and within two seconds; an answer by another one says that the change is not known yet.
fn soon(what: &str, space: &Space, interface: &str, server: &str) {
    let (start, mut stale) = (Instant::now(), 0);
    loop {
        let left = SOON.saturating_sub(start.elapsed());
        let Some((said, _)) = ask(space, interface, CARD, left) else {
            panic!("{what}: not answered by {server} within {SOON:?}, {stale} times by another address")
        };
        if said.server.to_string() == server {
            return println!("{what}: answered after {:?}, {stale} stale answers before", start.elapsed());
        }
        stale += 1;
    }
}

#[test]
#[ignore = "network namespaces: make wire"]
fn an_interface_that_is_not_configured_is_never_answered() {
    let (server, client) = cable();
    server.join("eth1", &client, "eth1");
    vlan(&server, &client, 10);
    vlan(&server, &client, 20);
    for (interface, ip) in [("eth0", 1), ("eth0.10", 2), ("eth0.20", 3), ("eth1", 4)] {
        server.ip(&format!("address add 10.{ip}.0.1/24 dev {interface}"));
    }
    let all = ["eth0", "eth0.10", "eth0.20", "eth1"];
    for (configured, networks) in [("eth0.10", "10.2.0.1"), ("eth0", "10.1.0.1"), ("eth1", "10.4.0.1")] {
        let house = House::open(&server, &format!("interfaces = [\"{configured}\"]"));
        (1..=4).for_each(|n| house.add_network(&format!("lan-{n}"), &format!("10.{n}.0"), json!({})));
        assert_eq!(answer(&client, configured, SOON).as_deref(), Some(networks), "{configured}");
        for other in all.iter().filter(|other| **other != configured) {
            assert_eq!(answer(&client, other, SILENCE), None, "{other} is answered where only {configured} is served");
        }
    }
}

#[test]
#[ignore = "network namespaces: make wire"]
fn whatever_happens_to_an_interface_is_followed_within_two_seconds() {
    let (server, client) = cable();
    vlan(&server, &client, 10);
    server.ip("address add 10.9.0.1/24 dev eth0");
    server.ip("address add 10.10.0.1/24 dev eth0.10");
    let house = House::open(&server, "interfaces = [\"eth0\", \"eth0.10\"]");
    ["8", "9", "10"].iter().for_each(|n| house.add_network(&format!("lan-{n}"), &format!("10.{n}.0"), json!({})));
    soon("at the start", &client, "eth0", "10.9.0.1");
    soon("the VLAN at the start", &client, "eth0.10", "10.10.0.1");

    server.ip("link set eth0 down");
    assert_eq!(answer(&client, "eth0", SILENCE), None);
    server.ip("link set eth0 up");
    soon("down and up", &client, "eth0", "10.9.0.1");
    soon("the VLAN of what was down", &client, "eth0.10", "10.10.0.1");

    server.ip("address delete 10.9.0.1/24 dev eth0");
    server.ip("address add 10.9.0.2/24 dev eth0");
    soon("another address", &client, "eth0", "10.9.0.2");
    server.ip("address delete 10.9.0.2/24 dev eth0");
    server.ip("address add 10.8.0.1/24 dev eth0");
    soon("another network", &client, "eth0", "10.8.0.1");
    client.ip("address add 10.8.0.9/24 dev eth0");
    let moved = Instant::now();
    let open = || client.inside(|| async { std::net::TcpStream::connect(("10.8.0.1", 80)).is_ok() });
    until("HTTP is served at the new address", open);
    assert!(moved.elapsed() < SOON, "HTTP followed after {:?}", moved.elapsed());

    server.ip("link delete eth0.10");
    if has(&client, "eth0.10") {
        assert_eq!(answer(&client, "eth0.10", SILENCE), None);
    }
    vlan(&server, &client, 10);
    server.ip("address add 10.10.0.1/24 dev eth0.10");
    soon("the VLAN deleted and made again", &client, "eth0.10", "10.10.0.1");
    soon("and its parent", &client, "eth0", "10.8.0.1");
}
