//! A router advertisement that says "no router and no DHCPv6 here": iPXE waits up to 16 seconds for one before it boots.
//!
//! It makes nobody a router: its lifetime is zero and it carries no prefix, no name server and no MTU. It comes from a
//! link-local address that no host has, so that it never takes back what a real router on this host said. It is sent
//! while machines boot, never by the clock, and only where an operator asked for it.

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

use super::link::{Card, LinkSender};
use super::rogue::probe_mac;
use crate::model::Mac;
use pnet::packet::icmpv6::ndp::{MutableNdpOptionPacket, MutableRouterAdvertPacket, NdpOptionTypes};
use pnet::packet::icmpv6::{self, Icmpv6Packet, Icmpv6Types};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv6::MutableIpv6Packet;
use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

const IPV6_BYTES: usize = 40;
const ADVERT_BYTES: usize = 16;
const OPTION_BYTES: usize = 8;
pub const BYTES: usize = IPV6_BYTES + ADVERT_BYTES + OPTION_BYTES;

/// What an advertisement must have, so that no router can have forwarded it (RFC 4861 §6.1.2).
const HOP_LIMIT: u8 = 255;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Where Ethernet carries what is for [`ALL_NODES`] (RFC 2464 §7).
pub const ALL_NODES_MAC: Mac = Mac([0x33, 0x33, 0, 0, 0, 1]);

/// The packet from its IPv6 header on.
pub fn advertisement(card: Mac) -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    let from = link_local(probe_mac(card));
    let (ip, body) = bytes.split_at_mut_checked(IPV6_BYTES)?;
    let (_, option) = body.split_at_mut_checked(ADVERT_BYTES)?;
    let mut option = MutableNdpOptionPacket::new(option)?;
    option.set_option_type(NdpOptionTypes::SourceLLAddr);
    option.set_length(1);
    option.set_data(&card.0);
    // No managed addresses, no other configuration, lifetime 0: all of that is zero.
    MutableRouterAdvertPacket::new(body)?.set_icmpv6_type(Icmpv6Types::RouterAdvert);
    let sum = icmpv6::checksum(&Icmpv6Packet::new(body)?, &from, &ALL_NODES);
    MutableRouterAdvertPacket::new(body)?.set_checksum(sum);
    let mut header = MutableIpv6Packet::new(ip)?;
    header.set_version(6);
    header.set_payload_length(u16::try_from(body.len()).ok()?);
    header.set_next_header(IpNextHeaderProtocols::Icmpv6);
    header.set_hop_limit(HOP_LIMIT);
    header.set_source(from);
    header.set_destination(ALL_NODES);
    Some(bytes)
}

/// RFC 4291 appendix A.
fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// One goes out with the answer, and two more for a card that is still learning whom it belongs to.
const AFTER: [u64; 3] = [0, 3, 10];
/// All of a rack hear the same one: never two in this time.
const SLOT: Duration = Duration::from_millis(100);

/// When advertisements are due on one interface.
#[derive(Debug, Default)]
pub struct Timetable {
    /// Where slots are counted from: the first boot after a pause.
    anchor: Option<Instant>,
    due: BTreeSet<u64>,
    /// The slot in which the last one was sent.
    last: Option<u64>,
}

impl Timetable {
    /// Somebody boots now.
    pub fn ask(&mut self, now: Instant) {
        let rested = self.last.is_none_or(|last| self.slot(now) > last.checked_add(1));
        if self.due.is_empty() && rested {
            *self = Timetable { anchor: Some(now), ..Timetable::default() };
        }
        // What went out in this slot may have been too early for this client: the next one is not.
        let slot = self.slot(now).unwrap_or_default();
        let first = slot.saturating_add(u64::from(self.last.is_some()));
        self.due.extend(AFTER.map(|slots| first.saturating_add(slots)));
    }

    pub fn next(&self) -> Option<Instant> {
        let slot = u32::try_from(*self.due.first()?).ok()?;
        self.anchor?.checked_add(SLOT.checked_mul(slot)?)
    }

    /// Whether one is to be sent now. What is late is sent once.
    pub fn take(&mut self, now: Instant) -> bool {
        let Some(slot) = self.slot(now) else { return false };
        let waiting = self.due.split_off(&slot.saturating_add(1));
        let is_due = !std::mem::replace(&mut self.due, waiting).is_empty();
        self.last = if is_due { Some(slot) } else { self.last };
        is_due
    }

    fn slot(&self, now: Instant) -> Option<u64> {
        let millis = now.saturating_duration_since(self.anchor?).as_millis();
        u64::try_from(millis.checked_div(SLOT.as_millis())?).ok()
    }
}

/// Whoever answers says here that somebody boots.
#[derive(Debug, Clone)]
pub struct Bell(mpsc::Sender<()>);

impl Bell {
    /// Never waits: when it rings already, the same advertisements serve both.
    pub fn ring(&self) {
        let _ = self.0.try_send(());
    }
}

/// Sends on one interface until its bell is gone.
pub fn start(sender: Arc<LinkSender>, card: Card) -> Option<Bell> {
    let packet = advertisement(card.mac)?;
    let (bell, mut rings) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut times = Timetable::default();
        loop {
            let next = times.next();
            tokio::select! {
                ring = rings.recv() => match ring {
                    Some(()) => times.ask(Instant::now()),
                    None => return,
                },
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
            if times.take(Instant::now()) {
                let sent = sender.try_send_ipv6(card.index, ALL_NODES_MAC, &packet);
                let _ = sent.inspect_err(|error| tracing::debug!(%error, "an advertisement could not be sent"));
            }
        }
    });
    Some(Bell(bell))
}
