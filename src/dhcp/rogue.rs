//! Foreign DHCP servers on our links: heard when they answer others, and asked from time to time.
//!
//! Nothing is done about one but to say so: it gives machines addresses and boot files that nobody here decided.
//! Deliberately absent: asking as a PXE ROM does. Another installer might take our question for a new machine; a
//! proxy that answers only ROMs is heard when one asks.

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

use super::frame::Datagram;
use super::link::{Card, EVERYBODY, Error, Heard, LinkReceiver, LinkSender};
use super::packet::{BROADCAST, Packet, WIRE_BYTES};
use super::tlv::Options;
use crate::engine::stopped;
use crate::model::Mac;
use dhcproto::v4::{MessageType, OptionCode};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

const SERVER: u16 = 67;
const CLIENT: u16 = 68;
/// How often a DISCOVER asks who is there, unless told otherwise.
pub const EVERY: Duration = Duration::from_secs(60);
/// And the first time, when our own start is done.
const FIRST: Duration = Duration::from_secs(5);
/// An interface that is away is looked for again.
const AWAY: Duration = Duration::from_secs(5);
/// One server is reported once in that time, and so many servers at most: whoever forges answers forges many.
const QUIET: Duration = Duration::from_secs(600);
const SERVERS: usize = 64;

/// Locally administered, and the rest from the card: the same at every start, and known to every server of ours.
const PROBE: [u8; 3] = [0x02, b'K', b'S'];

/// A server that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rogue {
    pub interface: String,
    pub server_mac: Mac,
    /// As it names itself (option 54), or where the packet came from.
    pub server_ip: Ipv4Addr,
    /// None in a refusal, and from a proxy that gives boot files only.
    pub offered: Option<Ipv4Addr>,
}

/// What a watch must know of the rest of us, asked anew for each packet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Neighbours {
    /// Every address by which a server of ours is known, on this node and others.
    pub ours: Vec<Ipv4Addr>,
    /// Another server has its place here, as beside a proxy: nobody is asked, and nothing reported.
    pub expected: bool,
}

/// The card of a question that only looks for servers: ours must leave it unanswered.
pub fn is_our_probe(mac: Mac) -> bool {
    mac.0.starts_with(&PROBE)
}

pub(super) fn probe_mac(card: Mac) -> Mac {
    let ([a, b, c], [.., d, e, f]) = (PROBE, card.0);
    Mac([a, b, c, d, e, f])
}

/// Watches one interface.
pub struct Watch<N, R> {
    pub interface: String,
    pub every: Duration,
    pub neighbours: N,
    /// Called once for each server in ten minutes. Must not block.
    pub report: R,
}

impl<N, R> Watch<N, R>
where
    N: Fn() -> Neighbours + Send,
    R: FnMut(Rogue) + Send,
{
    /// Until told to stop; where raw sockets are not allowed, it only waits for that.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = stopped(&mut stop) => return,
            () = self.watch() => {}
        }
        stopped(&mut stop).await;
    }

    async fn watch(&mut self) {
        let (mut told, mut last) = (Told::default(), String::new());
        loop {
            let Err(error) = self.listen(&mut told).await;
            let (interface, text) = (&self.interface, error.to_string());
            match error {
                Error::NotAllowed => return tracing::warn!(%error, interface, "foreign DHCP servers go unnoticed"),
                _ if text != last => tracing::warn!(%error, interface, "foreign DHCP servers go unnoticed for now"),
                _ => {}
            }
            last = text;
            sleep(AWAY).await;
        }
    }

    async fn listen(&mut self, told: &mut Told) -> Result<Infallible, Error> {
        let card = Card::find(&self.interface)?;
        let ear = LinkReceiver::udp_to(&card, CLIENT)?;
        let sender = LinkSender::open()?;
        let mut buffer = vec![0; 65_536];
        let first = Instant::now().checked_add(FIRST).unwrap_or_else(Instant::now);
        let mut ticks = interval_at(first, self.every.max(Duration::from_secs(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    if !(self.neighbours)().expected {
                        ask(&card, &sender).await?;
                    }
                }
                heard = ear.receive(&mut buffer) => self.hear(&card, heard?, told),
            }
        }
    }

    fn hear(&mut self, card: &Card, heard: Heard<'_>, told: &mut Told) {
        let Some(rogue) = foreign(card, heard, &self.neighbours) else { return };
        if told.is_news(&rogue, Instant::now()) {
            (self.report)(rogue);
        }
    }
}

async fn ask(card: &Card, sender: &LinkSender) -> Result<(), Error> {
    let mut xid = [0; 4];
    getrandom::fill(&mut xid).map_err(std::io::Error::from)?;
    let Some(payload) = discover(probe_mac(card.mac), u32::from_ne_bytes(xid)) else { return Ok(()) };
    let from = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, CLIENT);
    let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, SERVER);
    sender.send_udp(card.index, EVERYBODY, &Datagram { from, to, payload: &payload }).await
}

/// Asks for a broadcast: nobody here has the address that would be answered otherwise.
pub(super) fn discover(mac: Mac, xid: u32) -> Option<Vec<u8>> {
    let mut options = Options::default();
    options.set(OptionCode::MessageType, [u8::from(MessageType::Discover)]);
    options.set(OptionCode::ParameterRequestList, [1, 3, 6, 51, 54]);
    // For those who find us in their logs.
    options.set(OptionCode::ClassIdentifier, *b"kickstand-looks-for-dhcp-servers");
    let packet = Packet { xid, flags: BROADCAST, ..Packet::question(mac, options) };
    packet.encode(WIRE_BYTES)
}

/// Whether this is another server's answer, and whose.
///
/// Option 54 says who speaks: what comes through a relay comes from the relay's address. Who forges ours can not be
/// told from us.
pub fn foreign(card: &Card, heard: Heard<'_>, neighbours: impl Fn() -> Neighbours) -> Option<Rogue> {
    // A bond or a loop of switches gives us back what we sent.
    if heard.from == card.mac {
        return None;
    }
    let datagram = Datagram::read(heard.packet)?;
    let packet = Packet::parse_reply(datagram.payload).ok()?;
    let [kind] = packet.options.first(OptionCode::MessageType)?;
    let answers = [MessageType::Offer, MessageType::Ack, MessageType::Nak];
    let server_ip = packet.options.ip(OptionCode::ServerIdentifier).unwrap_or(*datagram.from.ip());
    let Neighbours { ours, expected } = neighbours();
    if expected || ours.contains(&server_ip) || !answers.contains(&MessageType::from(kind)) {
        return None;
    }
    let offered = Some(packet.yiaddr).filter(|ip| !ip.is_unspecified());
    Some(Rogue { interface: card.name.clone(), server_mac: heard.from, server_ip, offered })
}

/// Who was reported, and when.
#[derive(Default)]
pub(super) struct Told(Vec<((Mac, Ipv4Addr), Instant)>);

impl Told {
    pub(super) fn is_news(&mut self, rogue: &Rogue, now: Instant) -> bool {
        let who = (rogue.server_mac, rogue.server_ip);
        self.0.retain(|(_, at)| now.duration_since(*at) < QUIET);
        let news = self.0.len() < SERVERS && self.0.iter().all(|(told, _)| *told != who);
        if news {
            self.0.push((who, now));
        }
        news
    }
}
