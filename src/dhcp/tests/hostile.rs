//! Whatever comes in: no panic, and every reply keeps its promises.

use super::*;
use crate::boot::loader::First;
use crate::boot::offer::{Grant, OfferReply};

use crate::dhcp::ask::ask;
use crate::dhcp::packet::WIRE_BYTES;
use crate::dhcp::reply::reply;
use proptest::prelude::*;

/// Into a question, if it is one.
fn read(bytes: &[u8]) -> Option<Packet> {
    let packet = Packet::parse(bytes).ok()?;
    for received in [to_all(), to_us()] {
        let _ = ask(&packet, &received).map_err(|why| why.to_string());
    }
    Some(packet)
}

/// The whole road of a packet, with every answer that a decision could give.
fn survive(bytes: &[u8]) {
    let Some(packet) = read(bytes) else { return };
    for decided in answers("http://10.9.0.2/boot/x") {
        check(&packet, &decided);
    }
}

fn answers(name: &str) -> Vec<OfferReply> {
    let grant = |first| Grant { lease_secs: u32::MAX, ..granted(first) };
    vec![
        OfferReply::Nak(name.into()),
        OfferReply::Offer(grant(First::Tftp(name.into()))),
        OfferReply::Ack(grant(First::Url(name.into()))),
        OfferReply::Ack(grant(First::Nothing)),
        OfferReply::Informed(grant(First::Nothing)),
        OfferReply::Proxy(grant(First::Tftp(name.into()))),
        OfferReply::ProxyAck(grant(First::Tftp(name.into()))),
    ]
}

/// At least 300 bytes, at most the cap (and what the relay added), option 82 whole and last.
fn check(request: &Packet, decided: &OfferReply) {
    let relay = request.options.get(82u8);
    let Some(out) = reply(request, decided, &[&network()], HERE) else {
        return assert!(relay.is_some_and(|bytes| bytes.len() > 1000), "no reply to {request:?}");
    };
    let wanted = request.options.get(57u8).and_then(|b| b.first_chunk()).map_or(576, |b| u16::from_be_bytes(*b));
    let added = relay.map_or(0, |bytes| bytes.len() + 2 * bytes.len().div_ceil(255).max(1));
    assert!(out.bytes.len() >= 300);
    assert!(out.bytes.len() <= WIRE_BYTES.min(usize::from(wanted.max(576)) - 28 + added));
    let all = tail(&out.bytes);
    let first_82 = all.iter().position(|(code, _)| *code == 82).unwrap_or(all.len());
    let echoed = &all[first_82..];
    assert!(echoed.iter().all(|(code, _)| *code == 82), "82 is last");
    let bytes: Vec<u8> = echoed.iter().flat_map(|(_, value)| value.clone()).collect();
    assert_eq!((!echoed.is_empty()).then_some(bytes.as_slice()), relay);
}

#[test]
fn every_prefix_of_every_captured_packet_is_survived() {
    for bytes in all_captured() {
        (0..=bytes.len()).for_each(|end| survive(&bytes[..end]));
    }
}

#[test]
fn every_single_byte_mutation_of_every_captured_packet_is_survived() {
    for mut bytes in all_captured() {
        for at in (0..bytes.len()).filter(|at| !(44..236).contains(at)) {
            let good = bytes[at];
            for bad in 0..=255 {
                bytes[at] = bad;
                read(&bytes);
            }
            // Replies are dear to build: the values that lengths and codes go wrong with.
            for bad in [0, 1, good.wrapping_add(1), good.wrapping_sub(1), 52, 82, 254, 255] {
                bytes[at] = bad;
                survive(&bytes);
            }
            bytes[at] = good;
        }
    }
}

/// The shapes that killed others (CVE-2025-40779: unicast, options, no relay): all of them, crossed.
#[test]
fn every_mix_of_message_sender_and_options_is_survived() {
    let strange: [(OptionCode, Vec<u8>); 8] = [
        (OptionCode::RelayAgentInformation, vec![]),
        (OptionCode::RelayAgentInformation, vec![1; 300]),
        (OptionCode::RelayAgentInformation, vec![1; 2000]),
        (OptionCode::ClientIdentifier, vec![0xff; 2000]),
        (OptionCode::ClientMachineIdentifier, vec![0; 500]),
        (OptionCode::OptionOverload, vec![3]),
        (OptionCode::ServerIdentifier, vec![]),
        (OptionCode::MaxMessageSize, vec![1]),
    ];
    for kind in 0..=20 {
        for ciaddr in [Ipv4Addr::UNSPECIFIED, IP, Ipv4Addr::BROADCAST] {
            for giaddr in [Ipv4Addr::UNSPECIFIED, RELAY] {
                for (code, value) in &strange {
                    let packet = system(MessageType::from(kind)).using(ciaddr).through(giaddr);
                    survive(&raw(&packet.with(*code, value.clone())));
                }
            }
        }
    }
}

/// The bytes of a packet that no encoder would send.
fn raw(packet: &Packet) -> Vec<u8> {
    let bare = Packet { options: Options::default(), ..packet.clone() };
    let mut bytes = bare.encode(WIRE_BYTES).unwrap();
    bytes.truncate(240);
    for (code, value) in packet.options.iter() {
        value.chunks(255).for_each(|part| {
            bytes.extend([code, part.len() as u8]);
            bytes.extend_from_slice(part);
        });
    }
    bytes
}

fn options() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    prop::collection::vec((1..255u8, prop::collection::vec(any::<u8>(), 0..300)), 0..12)
}

fn collected(all: &[(u8, Vec<u8>)]) -> Options {
    let mut options = Options::default();
    all.iter().for_each(|(code, value)| options.set(*code, value.clone()));
    options
}

fn sorted(options: &Options) -> Vec<(u8, Vec<u8>)> {
    let mut all: Vec<_> = options.iter().map(|(code, value)| (code, value.to_vec())).collect();
    all.sort();
    all
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        survive(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_good_header_are_survived(field in prop::collection::vec(any::<u8>(), 0..1500)) {
        let bytes = [&raw(&system(MessageType::Request)), field.as_slice()].concat();
        survive(&bytes);
    }

    #[test]
    fn what_is_written_is_read_again(all in options()) {
        let options = collected(&all);
        let mut bytes = vec![];
        options.write(&mut bytes);
        prop_assert_eq!(sorted(&Options::scan(&bytes)), sorted(&options));
    }

    #[test]
    fn options_of_operators_never_push_out_what_a_client_needs(
        all in prop::collection::vec((1..255u8, prop::collection::vec(any::<u8>(), 0..700)), 0..20),
        max in any::<u16>(),
        wanted in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
    ) {
        let mut set = OptionSet::default();
        for (code, value) in &all {
            // What is not an operator's to set, or not of its kind, is refused.
            let _ = set.put(&code.to_string(), &format!("0x{}", hex::encode(value)));
        }
        let mut packet = captured("ovmf-pxe-request").with(OptionCode::MaxMessageSize, max.to_be_bytes());
        if let Some(wanted) = wanted {
            packet.options.set(OptionCode::ParameterRequestList, wanted);
        }
        for decided in [OfferReply::Offer, OfferReply::Ack] {
            let decided = decided(Grant { options: set.clone(), ..granted(First::Tftp("x".into())) });
            check(&packet, &decided);
            let codes: Vec<u8> = tail(&reply(&packet, &decided, &[&network()], HERE).unwrap().bytes).iter().map(|(code, _)| *code).collect();
            prop_assert!([53, 54, 51, 1].iter().all(|code| codes.contains(code)), "{codes:?}");
        }
    }

    #[test]
    fn every_reply_keeps_its_promises(
        all in options(),
        max in any::<u16>(),
        relay in prop::option::of(prop::collection::vec(any::<u8>(), 0..600)),
        name in "[a-z]{0,400}",
    ) {
        let mut packet = captured("ipxe-rom-request");
        all.iter().for_each(|(code, value)| packet.options.set(*code, value.clone()));
        packet.options.set(57u8, max.to_be_bytes());
        match relay {
            Some(bytes) => packet.options.set(82u8, bytes),
            None => packet.options = collected(
                &packet.options.iter().filter(|(c, _)| *c != 82).map(|(c, v)| (c, v.to_vec())).collect::<Vec<_>>()
            ),
        }
        for decided in answers(&name) {
            check(&packet, &decided);
        }
    }
}
