//! Whether addresses are in use: many at once, by ARP on our own link and by ping behind relays.
//!
//! For the stock of addresses that are known to be free, which is filled in the background: no OFFER ever waits
//! for a probe. PXE ROMs give up after four seconds, and a ping before each OFFER has cost others their clients
//! (zephyr#77109).

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

use super::filter;
use super::frame::{arp_claim, arp_probe, echo, echo_reply};
use super::link::{Card, Error, Heard, LinkReceiver, LinkSender, refused, register};
use crate::model::Mac;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashSet;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Two rounds, as a probe may get lost. Hosts on the link answer within a millisecond; a card asleep takes longer.
const ARP_WAITS: [Duration; 2] = [Duration::from_millis(150); 2];
/// The router over there has to ask for the host first.
const PING_WAITS: [Duration; 2] = [Duration::from_millis(250); 2];
/// So many addresses are probed at once; more have to wait, lest a switch takes the probes for a storm.
pub const BATCH: usize = 256;
/// What is read without a pause, so that a storm of others' packets keeps nobody.
const READS: usize = 64;
/// More than a socket's buffer holds from before a probe.
const STALE: usize = 8192;
/// The largest packet that is read: ARP has 28 bytes, a ping's answer 60 at most.
const READ_BYTES: usize = 128;

/// An address that somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    pub ip: Ipv4Addr,
    /// By ARP it is known whose it is.
    pub mac: Option<Mac>,
}

/// Probes one batch after the other; whoever comes second waits.
pub struct Prober {
    line: Mutex<Line>,
    waits: [Duration; 2],
}

impl Prober {
    /// By ARP on this interface: finds every host that is on, whatever its packet filter says.
    pub fn on_link(interface: &str) -> Result<Prober, Error> {
        Ok(Prober { line: Mutex::new(Line::Arp(Arp::open(interface)?)), waits: ARP_WAITS })
    }

    /// By ping, for networks behind a router. A host that answers no pings is taken for absent.
    pub fn routed() -> Result<Prober, Error> {
        Ok(Prober { line: Mutex::new(Line::Ping(Ping::open()?)), waits: PING_WAITS })
    }

    /// Which of these somebody has; the others are free, as far as can be heard.
    ///
    /// Takes 300 ms by ARP and 500 ms by ping for each [`BATCH`], less if all answer. An error says that nothing is
    /// known about any of them.
    pub async fn probe(&self, ips: &[Ipv4Addr]) -> Result<Vec<Used>, Error> {
        let mut line = self.line.lock().await;
        let mut used = Vec::new();
        for batch in ips.chunks(BATCH) {
            used.extend(probe_batch(&mut line, batch, &self.waits).await?);
        }
        Ok(used)
    }
}

async fn probe_batch(line: &mut Line, batch: &[Ipv4Addr], waits: &[Duration]) -> Result<Vec<Used>, Error> {
    line.refresh()?;
    let mut search = Search { open: batch.iter().copied().collect(), used: Vec::new(), asked: false };
    line.own().into_iter().for_each(|used| search.take(used));
    for wait in waits {
        match timeout(*wait, search.round(line)).await {
            Ok(done) => done?,
            Err(_) if !search.asked => return Err(Error::Busy),
            Err(_) => {}
        }
    }
    // If the link has gone down meanwhile, silence says nothing.
    line.check().map(|()| search.used)
}

struct Search {
    /// Nobody has claimed these yet.
    open: HashSet<Ipv4Addr>,
    used: Vec<Used>,
    /// All probes of this round are sent.
    asked: bool,
}

impl Search {
    /// Until all have answered; the caller ends it before.
    async fn round(&mut self, line: &mut Line) -> Result<(), Error> {
        self.asked = false;
        let asked: Vec<_> = self.open.iter().copied().collect();
        for ip in asked {
            line.ask(ip).await?;
            self.collect(line)?;
        }
        self.asked = true;
        while !self.open.is_empty() {
            let used = line.hear().await?;
            self.take(used);
        }
        Ok(())
    }

    /// Hundreds may answer at once: what has come is read before the buffer is full.
    fn collect(&mut self, line: &mut Line) -> Result<(), Error> {
        for _ in 0..READS {
            match line.try_hear()? {
                Some(heard) => heard.into_iter().for_each(|used| self.take(used)),
                None => break,
            }
        }
        Ok(())
    }

    fn take(&mut self, used: Used) {
        if self.open.remove(&used.ip) {
            self.used.push(used);
        }
    }
}

/// How to ask, and whom to hear.
enum Line {
    Arp(Arp),
    Ping(Ping),
}

impl Line {
    /// Forgets what came before, and follows an interface that was made again.
    fn refresh(&mut self) -> Result<(), Error> {
        if let Line::Arp(arp) = self {
            arp.refresh()?;
        }
        // What is waiting may also be the news that the link was down for a moment: that is past.
        (0..STALE).take_while(|_| !matches!(self.try_hear(), Ok(None))).for_each(drop);
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        match self {
            Line::Arp(arp) => arp.look().map(drop),
            Line::Ping(_) => Ok(()),
        }
    }

    /// Our own addresses: nobody answers on the link for those.
    fn own(&self) -> Vec<Used> {
        match self {
            Line::Arp(Arp { card, .. }) => {
                card.addresses.iter().map(|ip| Used { ip: *ip, mac: Some(card.mac) }).collect()
            }
            Line::Ping(_) => Vec::new(),
        }
    }

    async fn ask(&self, ip: Ipv4Addr) -> Result<(), Error> {
        match self {
            Line::Arp(arp) => arp.ask(ip).await,
            Line::Ping(ping) => ping.ask(ip).await,
        }
    }

    async fn hear(&self) -> Result<Used, Error> {
        let mut buffer = [0; READ_BYTES];
        loop {
            let heard = match self {
                Line::Arp(arp) => Arp::read(arp.ear.receive(&mut buffer).await?),
                Line::Ping(ping) => ping.hear(&mut buffer).await?,
            };
            if let Some(used) = heard {
                return Ok(used);
            }
        }
    }

    /// None: nothing has come. Some(None): something else.
    fn try_hear(&self) -> Result<Option<Option<Used>>, Error> {
        let mut buffer = [0; READ_BYTES];
        match self {
            Line::Arp(arp) => Ok(arp.ear.try_receive(&mut buffer)?.map(Arp::read)),
            Line::Ping(ping) => ping.try_hear(&mut buffer),
        }
    }
}

struct Arp {
    card: Card,
    sender: LinkSender,
    ear: LinkReceiver,
}

impl Arp {
    fn open(interface: &str) -> Result<Arp, Error> {
        let card = Card::find(interface)?;
        Ok(Arp { sender: LinkSender::open()?, ear: LinkReceiver::arp(&card)?, card })
    }

    /// On a link that is down everything would look free.
    fn look(&self) -> Result<Card, Error> {
        let card = Card::find(&self.card.name)?;
        if card.running { Ok(card) } else { Err(Error::Down(card.name)) }
    }

    fn refresh(&mut self) -> Result<(), Error> {
        let card = self.look()?;
        if card.index != self.card.index {
            self.ear = LinkReceiver::arp(&card)?;
        }
        self.card = card;
        Ok(())
    }

    async fn ask(&self, ip: Ipv4Addr) -> Result<(), Error> {
        match arp_probe(self.card.mac, ip) {
            Some(packet) => self.sender.send_arp(self.card.index, &packet).await,
            None => Ok(()),
        }
    }

    fn read(heard: Heard<'_>) -> Option<Used> {
        arp_claim(heard.packet).map(|(ip, mac)| Used { ip, mac: Some(mac) })
    }
}

struct Ping {
    socket: AsyncFd<Socket>,
    identifier: u16,
}

impl Ping {
    fn open() -> Result<Ping, Error> {
        let mut random = [0; 2];
        getrandom::fill(&mut random).map_err(std::io::Error::from)?;
        let identifier = u16::from_ne_bytes(random);
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).map_err(refused)?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(&filter::echo_replies(identifier))?;
        Ok(Ping { socket: register(socket, Interest::READABLE | Interest::WRITABLE)?, identifier })
    }

    async fn ask(&self, ip: Ipv4Addr) -> Result<(), Error> {
        let Some(packet) = echo(self.identifier) else { return Ok(()) };
        let to = SocketAddrV4::new(ip, 0).into();
        self.socket.async_io(Interest::WRITABLE, |socket| socket.send_to(&packet, &to)).await?;
        Ok(())
    }

    async fn hear(&self, buffer: &mut [u8]) -> Result<Option<Used>, Error> {
        let size = self.socket.async_io(Interest::READABLE, |mut socket| socket.read(buffer)).await?;
        Ok(self.read(buffer.get(..size).unwrap_or(buffer)))
    }

    fn try_hear(&self, buffer: &mut [u8]) -> Result<Option<Option<Used>>, Error> {
        match self.socket.get_ref().read(buffer) {
            Ok(size) => Ok(Some(self.read(buffer.get(..size).unwrap_or(buffer)))),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self, packet: &[u8]) -> Option<Used> {
        echo_reply(packet, self.identifier).map(|ip| Used { ip, mac: None })
    }
}
