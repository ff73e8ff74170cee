//! One packet: read, asked, and answered with every reply that a decision could give.

#![no_main]

use dhcproto::v4::OptionCode;
use kickstand::boot::Here;
use kickstand::boot::loader::First;
use kickstand::boot::offer::{Grant, OfferReply};
use kickstand::dhcp::ask::{Received, ask};
use kickstand::dhcp::packet::{Packet, WIRE_BYTES};
use kickstand::dhcp::reply::reply;
use kickstand::model::*;
use libfuzzer_sys::fuzz_target;
use std::net::Ipv4Addr;

const HERE: Here = Here { ip: Ipv4Addr::new(10, 9, 0, 2), http_port: 80, https_port: None, pinned: None };

fuzz_target!(|bytes: &[u8]| {
    let Ok(packet) = Packet::parse(bytes) else { return };
    for (unicast, believed, boot_port) in [(false, false, false), (true, true, false), (false, true, true)] {
        let received = Received { here: HERE.ip, also: &[], unicast, believed, boot_port, relayed: unicast };
        let _ = ask(&packet, &received).map_err(|why| why.to_string());
    }
    let network = network();
    for decided in replies() {
        match reply(&packet, &decided, &[&network], HERE) {
            Some(out) => check(&packet, &out.bytes),
            None => assert!(packet.options.get(82u8).is_some_and(|relay| relay.len() > 1000)),
        }
    }
});

fn network() -> Network {
    let mut dhcp = Dhcp::default();
    dhcp.options.put("ntp-servers", "10.9.0.5").unwrap();
    dhcp.options.put("classless-static-route", "10.1.0.0/16 10.9.0.9").unwrap();
    Network {
        name: "lab".parse().unwrap(),
        cidr: "10.9.0.0/24".parse().unwrap(),
        gateway: Some("10.9.0.1".parse().unwrap()),
        dns: vec![HERE.ip],
        domain: Some("lab.example".parse().unwrap()),
        pools: vec![],
        lease_secs: 3600,
        profile: None,
        unknown: Unknown::Ignore,
        variables: Default::default(),
        secrets: Default::default(),
        dhcp,
    }
}

fn replies() -> [OfferReply; 7] {
    let options = network().dhcp.options;
    let grant = |first| Grant {
        place: 0,
        ip: Ipv4Addr::new(10, 9, 0, 15),
        lease_secs: u32::MAX,
        first,
        hostname: Some("web".parse().unwrap()),
        options: options.clone(),
    };
    let url = || First::Url(format!("http://10.9.0.2/{:x<300}", ""));
    [
        OfferReply::Nak("no".into()),
        OfferReply::Offer(grant(First::Tftp("snponly.efi".into()))),
        OfferReply::Ack(grant(url())),
        OfferReply::Ack(grant(First::Nothing)),
        OfferReply::Informed(grant(First::Nothing)),
        OfferReply::Proxy(grant(First::Tftp("snponly.efi".into()))),
        OfferReply::ProxyAck(grant(url())),
    ]
}

/// No longer than the client and a frame take, option 82 whole and last.
fn check(request: &Packet, bytes: &[u8]) {
    let relay = request.options.get(82u8);
    let added = relay.map_or(0, |relay| relay.len() + 2 * relay.len().div_ceil(255).max(1));
    let most = request.options.first(OptionCode::MaxMessageSize).map_or(576, u16::from_be_bytes).max(576);
    assert!((300..=WIRE_BYTES.min(usize::from(most) - 28 + added)).contains(&bytes.len()), "{} bytes", bytes.len());
    let (mut rest, mut echoed) = (&bytes[240..], None::<Vec<u8>>);
    while rest[0] != 255 {
        let (code, value) = (rest[0], &rest[2..2 + usize::from(rest[1])]);
        assert!(echoed.is_none() || code == 82, "82 is last");
        if code == 82 {
            echoed.get_or_insert_default().extend(value);
        }
        rest = &rest[2 + value.len()..];
    }
    assert_eq!(echoed.as_deref(), relay, "82 comes back as it was");
}
