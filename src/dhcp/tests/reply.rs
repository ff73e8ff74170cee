//! Whole replies to real firmware, and the rules that each of them keeps.

use super::*;
use crate::boot::loader::First;
use crate::boot::names::NOT_HERE;
use crate::boot::offer::{Grant, OfferReply};
use crate::dhcp::reply::{Destination, Outgoing, reply};

fn grant(first: First) -> Grant {
    granted(first)
}

fn tftp(file: &str) -> Grant {
    grant(First::Tftp(file.into()))
}

fn url(path: &str) -> Grant {
    grant(First::Url(format!("http://10.9.0.2/{path}")))
}

fn answer(request: &Packet, decided: OfferReply) -> Outgoing {
    reply(request, &decided, &[&network()], HERE).unwrap()
}

fn option(out: &Outgoing, code: u8) -> Option<Vec<u8>> {
    tail(&out.bytes).into_iter().find(|(c, _)| *c == code).map(|(_, value)| value)
}

fn file(out: &Outgoing) -> &str {
    std::str::from_utf8(&out.bytes[108..236]).unwrap().trim_end_matches('\0')
}

#[test]
fn golden_offer_of_a_loader_to_uefi() {
    let out = answer(&captured("ovmf-pxe-discover"), OfferReply::Offer(tftp("snponly.efi")));
    assert_eq!(out.to, Destination::Broadcast);
    insta::assert_snapshot!(dump(&out.bytes));
}

#[test]
fn golden_offer_of_a_url_to_uefi_http() {
    let out = answer(&captured("ovmf-http-discover"), OfferReply::Offer(url("loader/snponly.efi")));
    insta::assert_snapshot!(dump(&out.bytes));
}

#[test]
fn golden_ack_of_a_script_to_ipxe_behind_a_relay() {
    let request = captured("ipxe-rom-request").through(RELAY).with(OptionCode::RelayAgentInformation, b"\x01\x04eth1");
    let out = answer(&request, OfferReply::Ack(url("boot/52-54-00-12-34-57/script.ipxe")));
    assert_eq!(out.to, Destination::Relay { ip: RELAY, own_port: false });
    insta::assert_snapshot!(dump(&out.bytes));
}

#[test]
fn golden_ack_to_a_bios_rom_that_goes_to_its_disk() {
    let request = captured("ovmf-pxe-request")
        .with(OptionCode::ClassIdentifier, b"PXEClient:Arch:00000:UNDI:002001")
        .with(OptionCode::ClientSystemArchitecture, [0, 0]);
    let out = answer(&request, OfferReply::Ack(grant(First::Nothing)));
    insta::assert_snapshot!(dump(&out.bytes));
}

#[test]
fn golden_ack_to_a_system_that_renews() {
    let out = answer(&system(MessageType::Request).using(IP), OfferReply::Ack(grant(First::Nothing)));
    assert_eq!(out.to, Destination::Unicast(IP));
    insta::assert_snapshot!(dump(&out.bytes));
}

#[test]
fn golden_nak_through_a_relay() {
    let request =
        captured("ipxe-rom-request").using(IP).through(RELAY).with(OptionCode::RelayAgentInformation, b"\x01\x04eth1");
    let out = answer(&request, OfferReply::Nak("10.9.0.15 is not this client's".into()));
    assert_eq!(out.to, Destination::Relay { ip: RELAY, own_port: false });
    insta::assert_snapshot!(dump(&out.bytes));
}

#[test]
fn golden_answer_to_inform() {
    let out = answer(&system(MessageType::Inform).using(IP), OfferReply::Informed(grant(First::Nothing)));
    assert_eq!(out.to, Destination::Unicast(IP));
    insta::assert_snapshot!(dump(&out.bytes));
}

#[test]
fn silence_is_no_packet() {
    assert_eq!(reply(&captured("ovmf-pxe-discover"), &OfferReply::Silence, &[&network()], HERE), None);
}

#[test]
fn offer_and_ack_say_the_same_but_for_the_message_type() {
    let request = captured("ovmf-pxe-request");
    let without_type = |decided| {
        let mut all = tail(&answer(&request, decided).bytes);
        assert_eq!(all.remove(0).0, 53);
        all
    };
    let ack = without_type(OfferReply::Ack(tftp("snponly.efi")));
    assert_eq!(without_type(OfferReply::Offer(tftp("snponly.efi"))), ack);
}

#[test]
fn only_a_rom_with_a_file_is_told_to_use_it() {
    let told = |name: &str, grant| option(&answer(&captured(name), OfferReply::Offer(grant)), 43);
    assert_eq!(told("ovmf-pxe-discover", tftp("snponly.efi")), Some(vec![6, 1, 8, 255]));
    assert_eq!(told("ovmf-pxe-discover", tftp(NOT_HERE)), Some(vec![6, 1, 8, 255]));
    assert_eq!(told("ovmf-pxe-discover", grant(First::Nothing)), None);
    assert_eq!(told("ovmf-http-discover", url("loader/snponly.efi")), None);
    assert_eq!(told("ovmf-http-discover", url(NOT_HERE)), None);
    assert_eq!(told("ipxe-rom-discover", url("script.ipxe")), None);
}

#[test]
fn only_ipxe_is_told_not_to_wait_for_a_proxy() {
    let told = |name: &str| option(&answer(&captured(name), OfferReply::Offer(url("x"))), 175);
    assert_eq!(told("ipxe-rom-discover"), Some(vec![0xb0, 1, 1]));
    assert_eq!(told("ovmf-pxe-discover"), None);
    assert_eq!(told("ovmf-http-discover"), None);
}

#[test]
fn a_url_too_long_for_the_header_is_in_the_option_alone() {
    let request = captured("ovmf-http-discover");
    for (length, in_header) in [(127, true), (128, false), (255, false), (400, false)] {
        let url = format!("{:u<length$}", "http://10.9.0.2/");
        let out = answer(&request, OfferReply::Offer(grant(First::Url(url.clone()))));
        assert_eq!(file(&out), if in_header { url.as_str() } else { "" }, "{length}");
        let whole: Vec<u8> = tail(&out.bytes).into_iter().filter(|(c, _)| *c == 67).flat_map(|(_, v)| v).collect();
        assert_eq!(whole, format!("{url}\0").into_bytes());
    }
}

#[test]
fn clients_get_back_what_they_sent_and_nothing_that_they_did_not() {
    let out = answer(&captured("ipxe-rom-discover"), OfferReply::Offer(url("x")));
    assert_eq!(option(&out, 61).unwrap(), hex::decode("01525400123457").unwrap());
    assert_eq!(option(&out, 97).unwrap(), hex::decode("0033221100554477668899aabbccddeeff").unwrap());
    let out = answer(&system(MessageType::Discover), OfferReply::Offer(grant(First::Nothing)));
    assert_eq!([61, 97, 82].map(|code| option(&out, code)), [None, None, None]);
}

#[test]
fn a_reply_goes_where_its_reader_is() {
    let to = |request: Packet, decided: OfferReply| answer(&request, decided).to;
    let ack = || OfferReply::Ack(grant(First::Nothing));
    let nak = || OfferReply::Nak("no".into());
    let request = || system(MessageType::Request);
    let elsewhere = Ipv4Addr::new(192, 0, 2, 1);
    let mut wants_broadcast = request();
    wants_broadcast.flags = 0x8000;
    assert_eq!(to(wants_broadcast, ack()), Destination::Broadcast);
    let card = "52:54:00:12:34:56".parse().unwrap();
    assert_eq!(to(request(), ack()), Destination::Card { mac: card, ip: IP });
    let mut infiniband = request();
    infiniband.hlen = 0;
    assert_eq!(to(infiniband, ack()), Destination::Broadcast);
    let own_port = request().through(RELAY).with(OptionCode::RelayAgentInformation, [19, 0]);
    assert_eq!(to(own_port, ack()), Destination::Relay { ip: RELAY, own_port: true });
    assert_eq!(to(request().using(IP), ack()), Destination::Unicast(IP));
    assert_eq!(to(request().using(elsewhere), ack()), Destination::Card { mac: card, ip: IP });
    assert_eq!(to(request().using(IP).through(RELAY), ack()), Destination::Relay { ip: RELAY, own_port: false });
    assert_eq!(to(request().using(IP), nak()), Destination::Broadcast);
    assert_eq!(to(request().using(IP).through(RELAY), nak()), Destination::Relay { ip: RELAY, own_port: false });
}

#[test]
fn the_header_is_the_clients_own() {
    let mut request = captured("ovmf-pxe-request").through(RELAY);
    (request.hops, request.secs) = (4, 9);
    let out = answer(&request, OfferReply::Ack(tftp("snponly.efi")));
    let mut header = request.encode(1472).unwrap()[..12].to_vec();
    (header[0], header[3]) = (2, 0);
    header[8..10].fill(0);
    assert_eq!(out.bytes[..12], header);
    assert_eq!(out.bytes[24..28], RELAY.octets());
    assert_eq!(out.bytes[28..44], request.chaddr);
}

#[test]
fn a_network_without_extras_sends_none() {
    let bare = Network { gateway: None, dns: vec![], domain: None, ..network() };
    let offer = OfferReply::Offer(grant(First::Nothing));
    let out = reply(&system(MessageType::Discover), &offer, &[&bare], HERE).unwrap();
    let codes: Vec<_> = tail(&out.bytes).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [53, 54, 51, 58, 59, 1, 28]);
    let pair = Network { cidr: "10.9.0.14/31".parse().unwrap(), ..bare };
    let out = reply(&system(MessageType::Discover), &offer, &[&pair], HERE).unwrap();
    assert_eq!(option(&out, 28), None);
}

/// 548 bytes are a datagram of 576 without its headers.
#[test]
fn a_small_client_gets_no_more_than_it_takes() {
    let long = OfferReply::Offer(grant(First::Url(format!("{:u<128}", "http://10.9.0.2/"))));
    let sent = |max: u16, id_bytes: usize| {
        let request = captured("ovmf-http-discover")
            .with(OptionCode::MaxMessageSize, max.to_be_bytes())
            .with(OptionCode::ClientIdentifier, vec![7; id_bytes]);
        answer(&request, long.clone())
    };
    let whole = |id_bytes| sent(1500, id_bytes).bytes.len();
    let most = (0..200).rfind(|n| whole(*n) <= 548).unwrap();
    assert_eq!((whole(most), whole(most + 1)), (548, 549));
    for max in [0, 300, 576] {
        assert_eq!(sent(max, most).bytes.len(), 548);
        let less = sent(max, most + 1);
        assert!(less.bytes.len() < 548);
        assert!(option(&less, 67).is_some() && option(&less, 60).is_some(), "what boots stays");
    }
    assert_eq!(sent(577, most + 1).bytes.len(), 549);
    assert_eq!(sent(0xff00, 200).bytes.len(), whole(200));
}

#[test]
fn a_known_machine_is_told_its_name() {
    let named = Grant { hostname: Some("web-1".parse().unwrap()), ..grant(First::Nothing) };
    let out = answer(&captured("ovmf-pxe-discover"), OfferReply::Offer(named));
    assert_eq!(option(&out, 12).as_deref(), Some(&b"web-1"[..]));
}

#[test]
fn what_boots_on_our_own_wire_is_told_of_no_router_where_an_operator_wants_it() {
    let told = |request: &Packet, advertise| {
        let network = Network { dhcp: Dhcp { advertise, ..Dhcp::default() }, ..network() };
        reply(request, &OfferReply::Offer(grant(First::Nothing)), &[&network], HERE).unwrap().advertise
    };
    for request in ["ipxe-rom-discover", "ovmf-pxe-discover", "ovmf-http-discover"].map(captured) {
        assert_eq!([told(&request, true), told(&request, false)], [true, false]);
        assert!(!told(&request.through(RELAY), true), "no relay forwards it");
    }
    assert!(!told(&system(MessageType::Discover), true), "a running system asks routers itself");
}
