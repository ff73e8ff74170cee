//! Other people's relays: clients on a network that the server has no card on.

use crate::house::{Client, House, Kind, ask};
use crate::packet::Said;
use crate::rig::{Space, until};
use kickstand::dhcp::frame::Datagram;
use kickstand::model::Mac;
use serde_json::json;
use std::net::Ipv4Addr;
use std::time::Duration;

const SERVER: &str = "10.20.0.1";
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 2);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 30, 0, 1);
const CARD: Mac = Mac([0x52, 0x54, 0, 0xc2, 0, 1]);
const STRANGER: Mac = Mac([0x52, 0x54, 0, 0xc2, 0, 2]);

/// The server, the router and the client; the router's `eth0` is on the server's side.
fn routed() -> (Space, Space, Space) {
    let (server, router, client) = (Space::new(), Space::new(), Space::new());
    server.join("eth0", &router, "eth0");
    router.join("eth1", &client, "eth0");
    server.ip(&format!("address add {SERVER}/24 dev eth0"));
    server.ip(&format!("route add 10.30.0.0/24 via {ROUTER}"));
    router.ip(&format!("address add {ROUTER}/24 dev eth0"));
    router.ip(&format!("address add {RELAY}/24 dev eth1"));
    router.run("sh -c", &["echo 1 >/proc/sys/net/ipv4/ip_forward"]);
    client.ip(&format!("link set eth0 address {CARD}"));
    (server, router, client)
}

/// Networks on both sides; the far one knows its relay only when it is told.
fn house(server: &Space, dhcp: &str) -> House {
    let house = House::open(server, dhcp);
    house.add_network("near", "10.20.0", json!({}));
    let far = json!({
        "name": "far", "cidr": "10.30.0.0/24", "gateway": RELAY, "pools": ["10.30.0.100-10.30.0.199"], "unknown": "show",
    });
    house.server.add("networks", far);
    house
}

fn trust(house: &House) {
    house.server.api("PATCH", "networks/far", json!({"dhcp": {"relays": [RELAY]}}));
}

/// An address of the far network, which is renewed without the relay and given back.
fn lives_behind(house: &House, client: &Space, relay: crate::rig::Running) {
    let mut dhclient = Client::start(Kind::Udhcpc, client);
    let ip = dhclient.address().unwrap();
    assert_eq!(ip.octets()[..3], [10, 30, 0], "of its own network, not of ours");
    drop(relay);
    let before = house.ends(CARD);
    dhclient.tell("renew");
    until("it renews past the relay, which is dead", || house.ends(CARD) > before);
    dhclient.tell("release");
    until("it gives its address back", || house.ends(CARD) < before);
}

/// What the relay says of the circuit in option 82, in the answers that come back to it.
fn circuits(frames: &[crate::rig::Frame]) -> Vec<Vec<u8>> {
    let answers = frames.iter().filter_map(|frame| Datagram::read(&frame.packet));
    let answers =
        answers.filter(|datagram| datagram.to.port() == 67).filter_map(|datagram| Said::read(datagram.payload));
    let options = answers.flat_map(|said| said.options);
    options.filter(|(code, _)| *code == 82).map(|(_, value)| value).collect()
}

#[test]
#[ignore = "network namespaces: make wire"]
fn a_client_behind_dhcrelay_gets_its_network_and_the_relay_its_option_82() {
    let (server, router, client) = routed();
    let house = house(&server, "interfaces = [\"eth0\"]");
    let relay = router.spawn("dhcrelay -4 -d -a -id eth1 -iu eth0", &[SERVER]);
    let strange = ask(&client, "eth0", STRANGER, Duration::from_secs(2));
    assert!(strange.is_none(), "anybody can write a giaddr: {strange:?}");
    trust(&house);
    let witness = router.witness();
    assert!(ask(&client, "eth0", STRANGER, Duration::from_secs(5)).is_some());
    let echoed = circuits(&witness.frames());
    assert!(!echoed.is_empty() && echoed.iter().all(|value| value.starts_with(b"\x01\x04eth1")), "{echoed:?}");
    lives_behind(&house, &client, relay);
}

#[test]
#[ignore = "network namespaces: make wire"]
fn a_server_for_relays_alone_serves_what_dnsmasq_forwards() {
    let (server, router, client) = routed();
    let house = house(&server, &format!("relay_addresses = [\"{SERVER}\"]"));
    trust(&house);
    let forward = format!("--dhcp-relay={RELAY},{SERVER}");
    let relay = router.spawn("dnsmasq --no-daemon --conf-file=/dev/null --port=0 --interface=eth1", &[&forward]);
    assert!(ask(&client, "eth0", STRANGER, Duration::from_secs(5)).is_some());
    let near = ask(&router, "eth0", STRANGER, Duration::from_secs(1));
    assert!(near.is_none(), "no broadcast is heard there: {near:?}");
    lives_behind(&house, &client, relay);
}
