//! DHCP's sockets: one for each configured interface, so that packets from others are never seen.

use super::advert::{self, Bell};
use super::desk::{Heard, Unheard};
use super::frame::Datagram;
use super::leases::{Owner, QUEUE, Question, Queues};
use super::link::{Card, LinkSender};
use super::place::{Arrival, Nowhere};
use super::reply::{Destination, Outgoing};
use super::seen;
use crate::boot::Tale;
use crate::engine::{Engine, stopped};
use crate::metrics::{Dropped, Metrics};
use crate::model::{Kind, Mac, Name};
use dhcproto::v4::{MessageType, OptionCode};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// A reboot storm arrives at once.
const RECEIVE_BUFFER: usize = 8 << 20;

/// How often an interface is asked for its addresses.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// Where one socket listens, and how it answers.
#[derive(Debug, Clone)]
pub enum Door {
    /// An interface: answers go where RFC 2131 §4.1 sends them.
    Interface { name: String, port: u16, shared: bool },
    /// An address where relays reach us: what they forward, and what their clients send to us alone.
    Relays { ip: Ipv4Addr, port: u16 },
    /// An address: answers go back to the sender. For tests, without root.
    Address(SocketAddr),
}

impl std::fmt::Display for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Door::Interface { name, port, .. } => write!(f, "interface {name}, port {port}"),
            Door::Relays { ip, port } => write!(f, "relays at {ip}:{port}"),
            Door::Address(address) => write!(f, "{address}"),
        }
    }
}

impl Door {
    pub fn bind(&self) -> io::Result<std::net::UdpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        match self {
            Door::Interface { name, port, shared } => {
                socket.set_broadcast(true)?;
                socket.set_reuse_address(*shared)?;
                socket.bind_device(Some(name.as_bytes()))?;
                self.make_room(&socket);
                socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port)).into())?;
            }
            Door::Relays { ip, port } => {
                self.make_room(&socket);
                socket.bind(&SocketAddr::from((*ip, *port)).into())?;
            }
            Door::Address(address) => {
                self.make_room(&socket);
                socket.bind(&(*address).into())?;
            }
        }
        Ok(socket.into())
    }

    /// As much as the kernel gives.
    fn make_room(&self, socket: &Socket) {
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        let bytes = socket.recv_buffer_size().unwrap_or_default();
        if bytes < RECEIVE_BUFFER {
            tracing::info!(door = %self, bytes, "a rack that starts at once may overflow this socket: `sysctl net.core.rmem_max={RECEIVE_BUFFER}`");
        }
    }

    /// What the kernel calls the interface now; none where there is none.
    fn index(&self) -> Option<u32> {
        match self {
            Door::Interface { name, .. } => {
                pnet::datalink::interfaces().into_iter().find(|i| i.name == *name).map(|i| i.index)
            }
            Door::Relays { .. } | Door::Address(_) => None,
        }
    }

    /// The way out for what came in by this socket.
    fn outlet(&self, socket: &UdpSocket) -> io::Result<Arc<Outlet>> {
        let socket = std::net::UdpSocket::from(std::os::fd::AsFd::as_fd(socket).try_clone_to_owned()?);
        let frames = self.index().and_then(|index| match LinkSender::open() {
            Ok(sender) => Some((Arc::new(sender), index)),
            Err(error) => {
                tracing::warn!(%error, door = %self, "clients without an address are answered by broadcast");
                None
            }
        });
        let bell = frames.as_ref().and_then(|(sender, _)| advert::start(sender.clone(), self.card()?));
        Ok(Arc::new(Outlet { socket, door: self.clone(), frames, bell }))
    }

    fn card(&self) -> Option<Card> {
        match self {
            Door::Interface { name, .. } => Card::find(name).ok(),
            Door::Relays { .. } | Door::Address(_) => None,
        }
    }

    /// Our addresses on this door, as they are now; none when the system could not be asked.
    pub fn addresses(&self) -> Option<Vec<Ipv4Addr>> {
        match self {
            Door::Interface { name, .. } => interface_addresses(name),
            Door::Relays { ip, .. } => Some(vec![*ip]),
            Door::Address(address) => match address.ip() {
                IpAddr::V4(ip) => Some(vec![ip]),
                IpAddr::V6(_) => Some(Vec::new()),
            },
        }
    }
}

/// The IPv4 addresses that an interface has now; none when the system could not be asked, as when it has
/// no file descriptor left: even a host without a network has its loopback.
pub fn interface_addresses(name: &str) -> Option<Vec<Ipv4Addr>> {
    let all = pnet::datalink::interfaces();
    let ips = all.iter().filter(|i| i.name == name).flat_map(|i| &i.ips);
    let v4 = ips.filter_map(|net| match net.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    });
    (!all.is_empty()).then(|| v4.collect())
}

/// How answers leave by one door. Sending never waits: what the kernel has no room for is lost, and clients
/// ask again.
pub struct Outlet {
    socket: std::net::UdpSocket,
    door: Door,
    /// For clients without an address: how frames are sent, and by which interface.
    frames: Option<(Arc<LinkSender>, u32)>,
    /// Where a router can be played.
    bell: Option<Bell>,
}

impl Outlet {
    /// Where it went.
    pub fn send(&self, outgoing: &Outgoing, from: SocketAddr) -> Option<SocketAddr> {
        if let Some(to) = self.send_frame(outgoing) {
            return Some(to);
        }
        let to = self.target(outgoing, from);
        let sent = self.socket.send_to(&outgoing.bytes, to);
        sent.inspect_err(|error| tracing::warn!(%error, %to, "a DHCP answer could not be sent")).ok().map(|_| to)
    }

    /// Where it can not be sent as a frame, everybody hears it (RFC 2131 §4.1 allows that).
    fn send_frame(&self, outgoing: &Outgoing) -> Option<SocketAddr> {
        let (Destination::Card { mac, ip }, Door::Interface { port, .. }) = (outgoing.to, &self.door) else {
            return None;
        };
        let (sender, index) = self.frames.as_ref()?;
        let from = SocketAddrV4::new(outgoing.from, *port);
        let to = SocketAddrV4::new(ip, port.saturating_add(1));
        let sent = sender.try_send_udp(*index, mac, &Datagram { from, to, payload: &outgoing.bytes });
        let sent =
            sent.inspect_err(|error| tracing::debug!(%error, %mac, "a frame could not be sent, so it is broadcast"));
        sent.ok().map(|_| to.into())
    }

    /// After an answer to a machine that boots, on a network whose operator wants it.
    pub fn advertise(&self) {
        self.bell.iter().for_each(Bell::ring);
    }

    fn target(&self, outgoing: &Outgoing, from: SocketAddr) -> SocketAddr {
        let port = match &self.door {
            Door::Address(_) => return from,
            Door::Interface { port, .. } | Door::Relays { port, .. } => *port,
        };
        match outgoing.to {
            Destination::Broadcast | Destination::Card { .. } => (Ipv4Addr::BROADCAST, port.saturating_add(1)).into(),
            Destination::Unicast(ip) => (ip, port.saturating_add(1)).into(),
            Destination::Relay { ip, own_port: true } => (ip, from.port()).into(),
            Destination::Relay { ip, own_port: false } => (ip, port).into(),
            Destination::Sender => from,
        }
    }
}

/// The owners of all wires, started when their first packet comes.
#[derive(Clone)]
pub struct Owners {
    engine: Arc<Engine>,
    stop: watch::Receiver<bool>,
    /// Where addresses can be probed.
    interfaces: Arc<[String]>,
    running: Arc<Mutex<HashMap<Name, Inbox>>>,
    tasks: Arc<Mutex<JoinSet<()>>>,
    /// Held by whoever still has an answer to send.
    answering: mpsc::Sender<()>,
}

/// Where an owner's questions go in.
#[derive(Clone)]
struct Inbox {
    requests: mpsc::Sender<Question>,
    discovers: mpsc::Sender<Question>,
}

impl Inbox {
    fn watch(&self, link: &Name, metrics: &Metrics) {
        for (name, queue) in [("requests", &self.requests), ("discovers", &self.discovers)] {
            let queue = queue.downgrade();
            metrics.watch_queue(link.to_string(), name, move || {
                queue.upgrade().filter(|q| !q.is_closed()).map(|q| q.max_capacity().saturating_sub(q.capacity()))
            });
        }
    }
}

impl Owners {
    /// And what ends when the last answer was sent, once the owners are gone.
    pub fn new(
        engine: Arc<Engine>,
        interfaces: Vec<String>,
        stop: watch::Receiver<bool>,
    ) -> (Owners, mpsc::Receiver<()>) {
        let (answering, answered) = mpsc::channel(1);
        let (interfaces, running, tasks) = (interfaces.into(), Default::default(), Default::default());
        (Owners { engine, stop, interfaces, running, tasks, answering }, answered)
    }

    fn of(&self, link: &Name) -> Inbox {
        let mut running = self.running.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(inbox) = running.get(link).filter(|inbox| !inbox.requests.is_closed()) {
            return inbox.clone();
        }
        let ((requests, r), (discovers, d)) = (mpsc::channel(QUEUE), mpsc::channel(QUEUE));
        let owner = Owner::new(link.clone(), self.engine.clone(), self.interfaces.clone(), self.answering.clone());
        let mut tasks = self.tasks.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        tasks.spawn(owner.run(Queues { requests: r, discovers: d }, self.stop.clone()));
        let inbox = Inbox { requests, discovers };
        inbox.watch(link, &self.engine.metrics);
        running.insert(link.clone(), inbox.clone());
        inbox
    }

    fn take(&self, question: Question) {
        let inbox = self.of(&question.heard.place.link);
        let begins =
            question.heard.packet.options.first(OptionCode::MessageType) == Some([u8::from(MessageType::Discover)]);
        // Nor does a machine that we know wait behind a flood of strangers.
        let mac = question.heard.packet.chaddr.first_chunk().map(|mac| Mac(*mac));
        let known = |mac| self.engine.store.world().machine_with_mac(mac).is_some();
        let queue = if begins && !mac.is_some_and(known) { inbox.discovers } else { inbox.requests };
        if queue.try_send(question).is_err() {
            self.engine.metrics.dropped(Dropped::Overload);
            tracing::debug!("too many DHCP packets at once: one is dropped, its client asks again");
        }
    }
}

/// One door, and what is known of it now.
struct Doorway {
    door: Door,
    boot_port: bool,
    owners: Owners,
    outlet: Arc<Outlet>,
    addresses: Vec<Ipv4Addr>,
}

/// Answers on one door until told to stop. Errors of one packet end nothing.
pub async fn run(door: Door, socket: std::net::UdpSocket, owners: Owners, mut stop: watch::Receiver<bool>) {
    let mut socket = match UdpSocket::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return tracing::error!(%error, %door, "DHCP can not listen here"),
    };
    let mut index = door.index();
    let boot_port = matches!(door, Door::Interface { port, .. } if port == BOOT_PORT);
    let outlet = match door.outlet(&socket) {
        Ok(outlet) => outlet,
        Err(error) => return tracing::error!(%error, %door, "DHCP can not answer here"),
    };
    let addresses = door.addresses().unwrap_or_default();
    let mut doorway = Doorway { door, boot_port, owners, outlet, addresses };
    let mut buffer = vec![0u8; 65_536];
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return,
            _ = look.tick() => {
                doorway.addresses = doorway.door.addresses().unwrap_or(doorway.addresses);
                let now = doorway.door.index();
                // An interface that went and came again is another one: its packets reach a new socket only.
                if now.is_some() && now != index && let Some(fresh) = doorway.reopen() {
                    (socket, index) = (fresh, now);
                }
            }
            ready = socket.readable() => match ready.and_then(|()| doorway.drain(&socket, &mut buffer)) {
                // However fast they come: those that came are answered before more are taken.
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "a DHCP packet could not be received");
                    // An interface that is down answers at once, and again: wait for it.
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// Where PXE's boot servers listen.
pub const BOOT_PORT: u16 = 4011;
/// How many packets are taken before others get their turn.
const DRAIN: usize = 64;

impl Doorway {
    fn reopen(&mut self) -> Option<UdpSocket> {
        let opened = self.door.bind().and_then(UdpSocket::from_std);
        let opened = opened.and_then(|socket| Ok((self.door.outlet(&socket)?, socket)));
        match opened {
            Ok((outlet, socket)) => {
                tracing::info!(door = %self.door, "the interface is there again");
                self.outlet = outlet;
                Some(socket)
            }
            Err(error) => {
                tracing::warn!(%error, door = %self.door, "the interface can not be listened on");
                None
            }
        }
    }

    /// Whether there may be more.
    fn drain(&self, socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<bool> {
        for _ in 0..DRAIN {
            match socket.try_recv_from(buffer) {
                Ok((size, from)) => self.receive(buffer.get(..size).unwrap_or_default(), from),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn receive(&self, bytes: &[u8], from: SocketAddr) {
        let IpAddr::V4(sender) = from.ip() else { return };
        let received_at = std::time::Instant::now();
        let relays_only = matches!(self.door, Door::Relays { .. });
        let arrival = Arrival { ours: &self.addresses, from: sender, relays_only };
        let heard = Heard::read(bytes, arrival, self.boot_port, &self.owners.engine.store.world());
        seen::heard(&self.owners.engine, bytes, from, arrival.ours, self.boot_port, heard.as_ref().err());
        let heard = match heard {
            Ok(heard) => heard,
            Err(why) => return self.unheard(why, from),
        };
        self.owners.take(Question { heard, from, outlet: self.outlet.clone(), received_at, again: false });
    }

    /// A relay that nobody wrote down is worth a line of history: its operator looks for one.
    fn unheard(&self, why: Unheard, from: SocketAddr) {
        tracing::debug!(%why, %from, "a DHCP packet is left unanswered");
        if let Unheard::Nowhere(Nowhere::StrangeRelay { relay, .. }) = why {
            let engine = &self.owners.engine;
            engine.tell(Tale::new(engine.now(), Kind::Silence, why.to_string()).from(relay));
        }
    }
}
