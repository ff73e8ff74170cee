//! What people see of DHCP: every packet and every answer is counted, timed and kept for `kickstand capture`.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

use super::ask::Ignored;
use super::desk::Unheard;
use super::leases::Question;
use super::packet::REQUEST;
use super::place::Nowhere;
use super::reply::Outgoing;
use super::server::BOOT_PORT;
use crate::boot::Decision;
use crate::boot::offer::{Message as Said, OfferAsk, OfferReply};
use crate::boot::pool::Pool;
use crate::boot::role::Standing;
use crate::capture::{Direction, Note};
use crate::engine::Engine;
use crate::metrics::{Dropped, Message, Metrics, Reply, Silence};
use crate::model::{Mac, Name};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

const PORT: u16 = 67;

/// A packet came, and belongs somewhere unless there is a reason why not. It is read no further than it must be.
pub fn heard(
    engine: &Engine,
    bytes: &[u8],
    from: SocketAddr,
    ours: &[Ipv4Addr],
    boot_port: bool,
    why_not: Option<&Unheard>,
) {
    match why_not {
        Some(Unheard::OurProbe) => return,
        Some(Unheard::Malformed(_)) => engine.metrics.dropped(Dropped::Malformed),
        Some(Unheard::Nowhere(why)) => engine.metrics.dropped(nowhere(why)),
        None => {}
    }
    let Some(head) = Head::of(bytes) else { return };
    engine.metrics.packet(head.message);
    if let (Some(mac), SocketAddr::V4(from)) = (head.mac, from) {
        let to = match (from.ip().is_unspecified(), ours.first()) {
            (false, Some(ip)) => *ip,
            _ => Ipv4Addr::BROADCAST,
        };
        let to = SocketAddrV4::new(to, port(boot_port));
        note(engine, mac, Note::new(engine.now(), Direction::In, from, to, bytes));
    }
}

fn nowhere(why: &Nowhere) -> Dropped {
    match why {
        Nowhere::NoNetwork | Nowhere::NoRelayedNetwork(_) | Nowhere::NotOnThisWire(_) => Dropped::NoNetwork,
        Nowhere::StrangeRelay { .. } => Dropped::StrangeRelay,
        Nowhere::NotRelayed => Dropped::NotRelayed,
        Nowhere::Ring => Dropped::Ring,
    }
}

/// It is no question to us.
pub fn ignored(metrics: &Metrics, why: &Ignored) {
    metrics.silent(match why {
        Ignored::OtherServer(_) => Silence::Server,
        _ => Silence::Question,
    });
}

/// Where nothing is said, which rule wanted it so.
pub fn decided(metrics: &Metrics, ask: &OfferAsk, decision: &Decision<OfferReply>, outgoing: Option<&Outgoing>) {
    let rule = decision.why.last().map(|why| why.rule).unwrap_or_default();
    match (&decision.reply, ask.message) {
        (OfferReply::Silence, Said::Decline { .. } | Said::Release { .. }) => metrics.silent(Silence::NotDue),
        (OfferReply::Silence, _) => metrics.silent(Silence::of(rule)),
        _ if outgoing.is_none() => metrics.silent(Silence::TooLong),
        _ => {}
    }
}

/// How many proven addresses each network of a wire has.
pub fn stock(metrics: &Metrics, pool: &Pool) {
    let mut all = BTreeMap::<&Name, usize>::new();
    for (network, count) in pool.stock() {
        let sum = all.entry(network).or_default();
        *sum = sum.saturating_add(count);
    }
    all.iter().for_each(|(network, count)| metrics.set_stock(network.as_str(), *count));
}

impl From<&OfferReply> for Reply {
    /// Silence is none, and never sent.
    fn from(reply: &OfferReply) -> Reply {
        match reply {
            OfferReply::Offer(_) => Reply::Offer,
            OfferReply::Ack(_) => Reply::Ack,
            OfferReply::Informed(_) => Reply::Informed,
            OfferReply::Proxy(_) | OfferReply::ProxyAck(_) => Reply::Proxy,
            OfferReply::Nak(_) | OfferReply::Silence => Reply::Nak,
        }
    }
}

impl Question {
    /// Sends the answer, if there is one.
    pub fn answer(&self, outgoing: Option<Outgoing>, engine: &Engine) {
        let Some(outgoing) = outgoing else { return };
        // Before it is sent: its client may be quicker with the next packet than we are here.
        let at = engine.now();
        let Some(SocketAddr::V4(to)) = self.outlet.send(&outgoing, self.from) else { return };
        if outgoing.advertise {
            self.outlet.advertise();
        }
        engine.metrics.replied(outgoing.reply, self.received_at.elapsed());
        if let Some(head) = Head::of(&outgoing.bytes)
            && let Some(mac) = head.mac
        {
            let ours = SocketAddrV4::new(self.heard.place.here, port(self.heard.boot_port));
            note(engine, mac, Note::new(at, Direction::Out, ours, to, &outgoing.bytes));
        }
    }
}

fn port(boot_port: bool) -> u16 {
    if boot_port { BOOT_PORT } else { PORT }
}

fn note(engine: &Engine, mac: Mac, note: Note) {
    let known = { !matches!(engine.store.world().standing(mac), Standing::Unknown) };
    engine.captures.note(mac, note, known);
}

/// What the first bytes say, without a heap: of packets that are answered and of those that are not.
struct Head {
    message: Message,
    /// None where the client has no Ethernet address.
    mac: Option<Mac>,
}

const OPTIONS_AT: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const MAC_AT: usize = 28;
const MESSAGE_TYPE: u8 = 53;

impl Head {
    fn of(bytes: &[u8]) -> Option<Head> {
        let [op, _, hlen, ..] = bytes else { return None };
        let options = bytes.get(OPTIONS_AT..)?.strip_prefix(&COOKIE)?;
        let mac = bytes.get(MAC_AT..)?.first_chunk().map(|mac| Mac(*mac));
        let message = if *op == REQUEST { message(options) } else { Message::Other };
        Some(Head { message, mac: mac.filter(|mac| *hlen == 6 && mac.is_usable()) })
    }
}

fn message(mut options: &[u8]) -> Message {
    while let Some((&code, rest)) = options.split_first() {
        options = match (code, rest.split_first()) {
            (0, _) => rest,
            (MESSAGE_TYPE, Some((1.., [kind, ..]))) => return named(*kind),
            (1..=254, Some((len, rest))) => rest.get(usize::from(*len)..).unwrap_or_default(),
            _ => break,
        };
    }
    Message::Other
}

fn named(kind: u8) -> Message {
    match kind {
        1 => Message::Discover,
        3 => Message::Request,
        4 => Message::Decline,
        7 => Message::Release,
        8 => Message::Inform,
        _ => Message::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(options: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; OPTIONS_AT];
        bytes[..3].copy_from_slice(&[1, 1, 6]);
        bytes[MAC_AT..MAC_AT + 6].copy_from_slice(&[0x52, 0x54, 0, 0, 0, 1]);
        [&bytes, &COOKIE[..], options].concat()
    }

    #[test]
    fn a_message_is_named_wherever_its_type_stands_and_nonsense_is_other() {
        for (options, expected) in [
            (&[53, 1, 1, 255][..], Message::Discover),
            (&[0, 0, 61, 2, 53, 1, 53, 1, 3], Message::Request),
            (&[53, 2, 7, 9], Message::Release),
            (&[53, 1, 2], Message::Other),
            (&[255, 53, 1, 1], Message::Other),
            (&[12, 200, 53, 1, 1], Message::Other),
            (&[53, 1], Message::Other),
            (&[53, 0, 1], Message::Other),
            (&[53], Message::Other),
            (&[], Message::Other),
        ] {
            assert_eq!(Head::of(&packet(options)).unwrap().message, expected, "{options:?}");
        }
    }

    #[test]
    fn whatever_comes_is_read_without_a_panic() {
        let whole = packet(&[61, 3, 1, 2, 3, 53, 1, 1, 255]);
        let read = (0..=whole.len()).filter(|cut| Head::of(&whole[..*cut]).is_some()).count();
        assert_eq!(read, whole.len() - 239, "from the end of the cookie on");
        let mut infiniband = whole.clone();
        infiniband[2] = 0;
        assert_eq!(Head::of(&infiniband).unwrap().mac, None);
        infiniband[236] = 0;
        assert!(Head::of(&infiniband).is_none());
    }
}
