//! Packet sockets: what UDP sockets can not do, to hardware addresses and from them. The only module with unsafe code.
//!
//! AF_PACKET with SOCK_DGRAM: the kernel writes and reads the Ethernet header, so a packet of ours begins with its
//! network header. Rust's standard library and socket2 know no address of that family: [`address`] and [`receive`]
//! convert it to and from socket2's storage. [`register`] hands a socket to tokio. Nothing else here is unsafe.

#![allow(unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks)]
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
use super::frame::{ARP_BYTES, Datagram, PACKET_BYTES};
use crate::model::Mac;
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, SockFilter, Socket, Type};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub const EVERYBODY: Mac = Mac([0xff; 6]);

/// A burst of answers waits here until the card has sent them; the system may allow less.
const SEND_BUFFER: usize = 4 << 20;
const RECEIVE_BUFFER: usize = 1 << 20;

const IPV4: u16 = libc::ETH_P_IP as u16;
const IPV6: u16 = libc::ETH_P_IPV6 as u16;
const ARP: u16 = libc::ETH_P_ARP as u16;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "raw sockets are not allowed here; give the server CAP_NET_RAW and, under systemd, AF_PACKET among \
         RestrictAddressFamilies (packaging/kickstand.service does)"
    )]
    NotAllowed,
    #[error("there is no interface {0}, or it has no hardware address; see `ip link`")]
    NoInterface(String),
    #[error("the interface {0} is down or without a cable; see `ip link`")]
    Down(String),
    #[error("the link takes no more packets for now; try again later")]
    Busy,
    #[error("{0} bytes are more than a frame carries")]
    TooLong(usize),
    #[error("the link does not take or give packets: {0}")]
    Io(io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        match error.raw_os_error() {
            Some(libc::ENOBUFS) => Error::Busy,
            _ => Error::Io(error),
        }
    }
}

/// An interface of ours, as it was when it was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub name: String,
    /// The kernel's number for it, which changes when it is made again.
    pub index: u32,
    pub mac: Mac,
    pub addresses: Vec<Ipv4Addr>,
    /// Up, and something is on the other end.
    pub running: bool,
}

impl Card {
    pub fn find(name: &str) -> Result<Card, Error> {
        let all = pnet::datalink::interfaces();
        let found = all.iter().find(|i| i.name == name).and_then(|i| Some((i, i.mac?)));
        let (interface, mac) = found.ok_or_else(|| Error::NoInterface(name.to_owned()))?;
        let v4 = |ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None };
        Ok(Card {
            name: name.to_owned(),
            index: interface.index,
            mac: Mac(mac.octets()),
            addresses: interface.ips.iter().filter_map(|net| v4(net.ip())).collect(),
            // A cable that is pulled is seen at once, what else keeps packets from passing up to a second later.
            running: interface.is_up() && interface.is_lower_up() && interface.is_running(),
        })
    }
}

/// Sends to hardware addresses, on any interface. It hears nothing.
pub struct LinkSender(AsyncFd<Socket>);

impl LinkSender {
    /// Within a tokio runtime. [`Error::NotAllowed`]: answers must go by broadcast (RFC 2131 §4.1 allows it).
    pub fn open() -> Result<LinkSender, Error> {
        let socket = open()?;
        let _ = socket.set_send_buffer_size(SEND_BUFFER);
        Ok(LinkSender(register(socket, Interest::WRITABLE)?))
    }

    /// To a client that has no address yet (RFC 2131 §4.1): no neighbour table and no route is asked.
    ///
    /// Allocates nothing, and waits only while the send buffer is full.
    pub async fn send_udp(&self, index: u32, mac: Mac, datagram: &Datagram<'_>) -> Result<(), Error> {
        let mut buffer = [0; PACKET_BYTES];
        let packet = datagram.write(&mut buffer).ok_or(Error::TooLong(datagram.payload.len()))?;
        self.send(&address(index, IPV4, mac), packet).await
    }

    /// The same at once or not at all: [`Error::Busy`] where the send buffer is full.
    pub fn try_send_udp(&self, index: u32, mac: Mac, datagram: &Datagram<'_>) -> Result<(), Error> {
        let mut buffer = [0; PACKET_BYTES];
        let packet = datagram.write(&mut buffer).ok_or(Error::TooLong(datagram.payload.len()))?;
        self.try_send(&address(index, IPV4, mac), packet)
    }

    /// The whole of an IPv6 packet, at once or not at all. The host itself may have IPv6 switched off.
    pub fn try_send_ipv6(&self, index: u32, mac: Mac, packet: &[u8]) -> Result<(), Error> {
        self.try_send(&address(index, IPV6, mac), packet)
    }

    fn try_send(&self, to: &SockAddr, packet: &[u8]) -> Result<(), Error> {
        match self.0.get_ref().send_to(packet, to) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(Error::Busy),
            Err(error) => Err(error.into()),
        }
    }

    /// To everybody on the link.
    pub async fn send_arp(&self, index: u32, packet: &[u8; ARP_BYTES]) -> Result<(), Error> {
        self.send(&address(index, ARP, EVERYBODY), packet).await
    }

    async fn send(&self, to: &SockAddr, packet: &[u8]) -> Result<(), Error> {
        self.0.async_io(Interest::WRITABLE, |socket| socket.send_to(packet, to)).await?;
        Ok(())
    }
}

/// A packet from its network header on, and the card that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard<'a> {
    pub from: Mac,
    pub packet: &'a [u8],
}

/// Hears what comes in on one interface, until that goes down.
pub struct LinkReceiver(AsyncFd<Socket>);

impl LinkReceiver {
    pub fn arp(card: &Card) -> Result<LinkReceiver, Error> {
        LinkReceiver::open(card, ARP, &[])
    }

    /// UDP in IPv4 to this port, to whomever it is addressed; no port is taken by that.
    pub fn udp_to(card: &Card, port: u16) -> Result<LinkReceiver, Error> {
        LinkReceiver::open(card, IPV4, &filter::udp_to(port))
    }

    /// The filter is there before the first packet: a socket without a protocol hears nothing. One that has a protocol
    /// hears what comes in; only with ETH_P_ALL it would also hear what this host sends.
    fn open(card: &Card, protocol: u16, filter: &[SockFilter]) -> Result<LinkReceiver, Error> {
        let socket = open()?;
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        if !filter.is_empty() {
            socket.attach_filter(filter)?;
        }
        socket.bind(&address(card.index, protocol, EVERYBODY))?;
        Ok(LinkReceiver(register(socket, Interest::READABLE)?))
    }

    /// The next packet, cut off where the buffer ends. Loses none when it is dropped while it waits.
    pub async fn receive<'b>(&self, buffer: &'b mut [u8]) -> Result<Heard<'b>, Error> {
        let (size, from) = self.0.async_io(Interest::READABLE, |socket| receive(socket, buffer)).await?;
        Ok(heard(buffer, size, from))
    }

    /// A packet that has come already, if any has.
    pub fn try_receive<'b>(&self, buffer: &'b mut [u8]) -> Result<Option<Heard<'b>>, Error> {
        match receive(self.0.get_ref(), buffer) {
            Ok((size, from)) => Ok(Some(heard(buffer, size, from))),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn heard(buffer: &[u8], size: usize, from: Mac) -> Heard<'_> {
    Heard { from, packet: buffer.get(..size).unwrap_or(buffer) }
}

/// A socket that hears nothing. Without CAP_NET_RAW it is refused; systemd's filter refuses the family itself.
fn open() -> Result<Socket, Error> {
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(0))).map_err(refused)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What a raw socket is refused with, for want of a right.
pub(super) fn refused(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES | libc::EAFNOSUPPORT) => Error::NotAllowed,
        _ => error.into(),
    }
}

/// For tokio to wait on. Within its runtime.
pub(super) fn register(socket: Socket, interest: Interest) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a Socket owns its descriptor, which is open and the same until it is dropped; nobody else closes it, and
    // no Socket is put in its place.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}

/// Where to send, or what to hear: a protocol of Ethernet, an interface, a hardware address.
fn address(index: u32, protocol: u16, mac: Mac) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is an address type of this system, as view_as demands; socket2 checks that it fits.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = libc::AF_PACKET as u16;
    link.sll_protocol = protocol.to_be();
    link.sll_ifindex = index.cast_signed();
    link.sll_halen = 6;
    let [a, b, c, d, e, f] = mac.0;
    link.sll_addr = [a, b, c, d, e, f, 0, 0];
    // SAFETY: the family is AF_PACKET, the length is that of its address type, and all of it was written or zeroed.
    unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) }
}

/// One packet and the hardware address of its sender; zeros where that is no Ethernet address.
fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<(usize, Mac)> {
    let uninit = std::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>];
    // SAFETY: both types have one layout, the borrow goes on, and recv_from only ever writes initialised bytes.
    let (size, from) = socket.recv_from(unsafe { &mut *uninit })?;
    let mut storage = from.as_storage();
    // SAFETY: sockaddr_ll is an address type of this system and holds plain integers, for which any bytes do;
    // what the kernel has not written is zero.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    let known = i32::from(link.sll_family) == libc::AF_PACKET && link.sll_halen == 6;
    let mac = link.sll_addr.first_chunk().copied().filter(|_| known).unwrap_or_default();
    Ok((size, Mac(mac)))
}
