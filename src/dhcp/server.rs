//! DHCP's sockets: one for each configured interface, so that packets from others are never seen.

use super::leases::{Owner, QUEUE, Question};
use super::packet::Packet;
use super::reply::{Destination, Outgoing};
use crate::engine::{Engine, stopped};
use crate::model::Name;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
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
    Interface { name: String, port: u16 },
    /// An address: answers go back to the sender. For tests, without root.
    Address(SocketAddr),
}

impl std::fmt::Display for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Door::Interface { name, port } => write!(f, "interface {name}, port {port}"),
            Door::Address(address) => write!(f, "{address}"),
        }
    }
}

impl Door {
    pub fn bind(&self) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        match self {
            Door::Interface { name, port } => {
                socket.set_broadcast(true)?;
                socket.bind_device(Some(name.as_bytes()))?;
                let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
                socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port)).into())?;
            }
            Door::Address(address) => socket.bind(&(*address).into())?,
        }
        UdpSocket::from_std(socket.into())
    }

    /// Our addresses on this door, as they are now; none when the system could not be asked.
    pub fn addresses(&self) -> Option<Vec<Ipv4Addr>> {
        match self {
            Door::Interface { name, .. } => interface_addresses(name),
            Door::Address(address) => match address.ip() {
                IpAddr::V4(ip) => Some(vec![ip]),
                IpAddr::V6(_) => Some(Vec::new()),
            },
        }
    }

    fn target(&self, outgoing: &Outgoing, from: SocketAddr) -> SocketAddr {
        let port = match self {
            Door::Address(_) => return from,
            Door::Interface { port, .. } => *port,
        };
        match outgoing.to {
            Destination::Broadcast => (Ipv4Addr::BROADCAST, port.saturating_add(1)).into(),
            Destination::Unicast(ip) => (ip, port.saturating_add(1)).into(),
            Destination::Relay(ip) => (ip, port).into(),
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

/// The owners of all pools, started when their first packet comes.
#[derive(Clone)]
pub struct Owners {
    engine: Arc<Engine>,
    stop: watch::Receiver<bool>,
    running: Arc<Mutex<HashMap<Name, mpsc::Sender<Question>>>>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Owners {
    pub fn new(engine: Arc<Engine>, stop: watch::Receiver<bool>) -> Owners {
        Owners { engine, stop, running: Default::default(), tasks: Default::default() }
    }

    fn of(&self, network: &Name) -> mpsc::Sender<Question> {
        let mut running = self.running.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(questions) = running.get(network).filter(|questions| !questions.is_closed()) {
            return questions.clone();
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        let owner = Owner::new(network.clone(), self.engine.clone());
        let mut tasks = self.tasks.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        tasks.spawn(owner.run(receiver, self.stop.clone()));
        running.insert(network.clone(), sender.clone());
        sender
    }
}

/// Answers on one door until told to stop. Errors of one packet end nothing.
pub async fn run(door: Door, socket: UdpSocket, owners: Owners, mut stop: watch::Receiver<bool>) {
    let (answers, mut outgoing) = mpsc::channel::<(Outgoing, SocketAddr)>(QUEUE);
    let mut buffer = vec![0u8; 65_536];
    let mut addresses = door.addresses().unwrap_or_default();
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return,
            _ = look.tick() => addresses = door.addresses().unwrap_or(addresses),
            Some((answer, from)) = outgoing.recv() => {
                let to = door.target(&answer, from);
                if let Err(error) = socket.send_to(&answer.bytes, to).await {
                    tracing::warn!(%error, %to, "a DHCP answer could not be sent");
                }
            }
            received = socket.recv_from(&mut buffer) => match received {
                Ok((size, from)) => {
                    if let Some(bytes) = buffer.get(..size) {
                        receive(&addresses, &owners, bytes, from, &answers);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a DHCP packet could not be received");
                    // An interface that is down answers at once, and again: wait for it.
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }
}

fn receive(
    addresses: &[Ipv4Addr],
    owners: &Owners,
    bytes: &[u8],
    from: SocketAddr,
    answers: &mpsc::Sender<(Outgoing, SocketAddr)>,
) {
    let packet = match Packet::parse(bytes) {
        Ok(packet) => packet,
        Err(error) => return tracing::debug!(%error, %from, "a malformed DHCP packet is left unanswered"),
    };
    // Anybody can write a relay's address: until relays are written down, none is believed.
    if !packet.giaddr.is_unspecified() {
        return tracing::debug!(relay = %packet.giaddr, "a relay's packet is left unanswered: relays are not served yet");
    }
    let Some(network) = network(addresses, &owners.engine) else {
        return tracing::debug!(
            ?addresses,
            "no network's addresses hold those of this interface: the packet is left unanswered"
        );
    };
    let unicast = !from.ip().is_unspecified();
    let question = Question { packet, unicast, answer: answers.clone(), reply: from };
    if owners.of(&network).try_send(question).is_err() {
        tracing::debug!(network.name = %network, "too many DHCP packets at once: one is dropped, its client asks again");
    }
}

/// The network that a door opens to: the one that holds an address of ours there.
fn network(addresses: &[Ipv4Addr], engine: &Engine) -> Option<Name> {
    let world = engine.store.world();
    addresses.iter().find_map(|ip| world.network_of(*ip)).map(|network| network.name.clone())
}
