//! Beside dnsmasq, which gives the addresses: what to boot comes from us, by the offer and by port 4011.

use crate::house::{House, ask, broadcaster};
use crate::packet::{ACK, DISCOVER, OFFER, REQUEST, Said, Sent};
use crate::rig::{Running, Space};
use kickstand::model::Mac;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const CARD: Mac = Mac([0x52, 0x54, 0, 0xc4, 0, 1]);
const PXE: &[u8] = b"PXEClient:Arch:00000:UNDI:002001";
const DNSMASQ: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const US: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

/// A packet with what a BIOS ROM says of itself.
fn pxe(sent: &Sent) -> Vec<u8> {
    let mut bytes = sent.bytes();
    assert_eq!(bytes.pop(), Some(255));
    bytes.extend([60, PXE.len() as u8]);
    bytes.extend(PXE);
    bytes.extend([93, 2, 0, 0, 97, 17, 0]);
    bytes.extend([7; 16]);
    bytes.push(255);
    bytes
}

/// Everything that is answered within a moment.
fn answers(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> Vec<Said> {
    socket.send_to(bytes, to).unwrap();
    let (start, mut buffer, mut all) = (Instant::now(), [0; 1500], Vec::new());
    while start.elapsed() < Duration::from_millis(800) {
        all.extend(socket.recv(&mut buffer).ok().and_then(|size| Said::read(&buffer[..size])));
    }
    all
}

fn dnsmasq(space: &Space, ip: Ipv4Addr) -> Running {
    let words = "dnsmasq --no-daemon --conf-file=/dev/null --port=0 --dhcp-range=10.9.0.50,10.9.0.90,1h --no-ping \
                 --dhcp-leasefile=/dev/null --dhcp-sequential-ip --bind-dynamic --interface=eth0";
    let listen = format!("--listen-address={ip}");
    space.spawn(words, &[&listen])
}

/// A system that it knows how to answer: then it is there.
fn is_there(client: &Space) {
    let stranger = Mac([0x52, 0x54, 0, 0xc4, 0, 2]);
    assert!(ask(client, "eth0", stranger, Duration::from_secs(10)).is_some());
}

/// The whole of a ROM's dialogue; `boot_server` is where its program comes from.
fn boots(client: &Space, dhcp_server: Ipv4Addr) {
    client.inside(move || async move {
        let all: SocketAddr = (Ipv4Addr::BROADCAST, 67).into();
        let socket = broadcaster("eth0").unwrap();
        let offers = answers(&socket, &pxe(&Sent::new(DISCOVER, 1, CARD)), all);
        let (ours, theirs): (Vec<_>, Vec<_>) =
            offers.iter().filter(|o| o.kind == OFFER).partition(|o| o.ip.is_unspecified());
        assert!(!ours.is_empty() && !theirs.is_empty(), "{offers:#?}");
        let ip = theirs[0].ip;
        assert_eq!(
            (theirs[0].server, theirs[0].file.as_str(), ip.octets()[3] / 50),
            (dhcp_server, "", 1),
            "{theirs:?}"
        );
        for ours in &ours {
            let class = ours.options.iter().find(|(code, _)| *code == 60).map(|(_, value)| value.as_slice());
            assert_eq!((ours.server, ours.file.as_str(), class), (US, "undionly.kpxe", Some(&b"PXEClient"[..])));
        }
        let taken = Sent { wanted: Some(ip), server: Some(dhcp_server), ..Sent::new(REQUEST, 1, CARD) };
        let acks = answers(&socket, &pxe(&taken), all);
        assert!(acks.iter().all(|ack| (ack.kind, ack.ip, ack.server) == (ACK, ip, dhcp_server)), "{acks:#?}");
        assert_eq!(acks.len(), 1, "whose address it is, that server's word alone");

        // And then asks the boot server itself, from its new address.
        assert!(
            std::process::Command::new("ip")
                .args(["address", "replace", &format!("{ip}/24"), "dev", "eth0"])
                .status()
                .unwrap()
                .success()
        );
        let asks = Sent { ciaddr: ip, ..Sent::new(REQUEST, 2, CARD) };
        let boots = answers(&socket, &pxe(&asks), (US, 4011).into());
        assert_eq!(boots.len(), 1, "{boots:#?}");
        assert_eq!((boots[0].kind, boots[0].server, boots[0].file.as_str()), (ACK, US, "undionly.kpxe"));
        assert!(boots[0].ip.is_unspecified() && boots[0].lease_secs == 0);

        // A running system is the other server's client alone.
        let offers = answers(&socket, &Sent::new(DISCOVER, 3, CARD).bytes(), all);
        assert!(offers.iter().all(|offer| offer.server == dhcp_server) && !offers.is_empty(), "{offers:#?}");
    });
}

#[test]
#[ignore = "network namespaces: make wire"]
fn the_address_is_dnsmasq_s_and_the_program_ours() {
    let (switch, us, other, client) = (Space::new(), Space::new(), Space::new(), Space::new());
    switch.ip("link add br0 type bridge stp_state 0 forward_delay 0");
    switch.ip("link set br0 up");
    [("us", &us), ("other", &other), ("client", &client)].iter().for_each(|(port, space)| switch.plug(port, space));
    us.ip(&format!("address add {US}/24 dev eth0"));
    other.ip(&format!("address add {DNSMASQ}/24 dev eth0"));
    let house = House::open(&us, "interfaces = [\"eth0\"]");
    house.server.add(
        "networks",
        json!({"name": "lan", "cidr": "10.9.0.0/24", "unknown": "show", "dhcp": {"placement": "proxy"}}),
    );
    let _dnsmasq = dnsmasq(&other, DNSMASQ);
    is_there(&client);
    boots(&client, DNSMASQ);
}

/// With `share_port` both have port 67 of one host.
#[test]
#[ignore = "network namespaces: make wire"]
fn both_live_on_one_host() {
    let (us, client) = crate::rig::cable();
    us.ip(&format!("address add {US}/24 dev eth0"));
    let _dnsmasq = dnsmasq(&us, US);
    is_there(&client);
    let house = House::open(&us, "interfaces = [\"eth0\"]\nshare_port = true");
    house.server.add(
        "networks",
        json!({"name": "lan", "cidr": "10.9.0.0/24", "unknown": "show", "dhcp": {"placement": "proxy"}}),
    );
    boots(&client, US);
}
