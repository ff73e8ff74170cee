//! A server on loopback and high ports, a catalogue that tells what ended, and a client that sends what it likes.

use super::{content, encoded};
use crate::tftp::packet::Packet;
use crate::tftp::{Caps, Content, Library, Limits, Outcome, Refusal, Request, Server};
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub const LOADER_SIZE: usize = 222_208;
/// A client that is on no network of ours.
pub const NOT_OURS: [u8; 4] = [127, 99, 0, 1];
/// Only a broken test waits as long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has `loader`; the other names say how they are refused. Anything else is not found.
struct Shelf {
    loader: Bytes,
    ended: mpsc::UnboundedSender<Outcome>,
}

impl Library for Shelf {
    async fn open(&self, request: Request) -> Result<Content, Refusal> {
        match request.name.as_str() {
            "loader" | "boot/loader" | "other-loader" | "capped" => Ok(Content::Memory(self.loader.clone())),
            "menu.cfg" | "menu.bin" => Ok(Content::Memory(Bytes::from_static(MENU))),
            "file" | "cut" => Ok(file(request.name == "cut")),
            "denied" => Err(Refusal::Denied("not for you".into())),
            "unknown-client" => Err(Refusal::Silence("no lease".into())),
            "never" => std::future::pending().await,
            "broken" => panic!("a library that panics (this line in the output is wanted)"),
            name => Err(Refusal::NotFound(format!("no {name} here"))),
        }
    }

    fn caps(&self, request: &Request) -> Caps {
        match request.name.as_str() {
            "capped" => Caps { max_blksize: Some(600), max_windowsize: Some(2) },
            _ => Caps::default(),
        }
    }

    fn is_ours(&self, client: SocketAddr) -> bool {
        client.ip() != IpAddr::from(NOT_OURS)
    }

    fn ended(&self, outcome: Outcome) {
        let _ = self.ended.send(outcome);
    }
}

pub const MENU: &[u8] = b"one\ntwo\r\nthree\r";

/// The loader as a file; `is_cut`: it lost its end when it had been opened.
fn file(is_cut: bool) -> Content {
    use std::io::Write;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content(LOADER_SIZE)).unwrap();
    if is_cut {
        file.set_len(100_000).unwrap();
    }
    Content::File(Arc::new(file), LOADER_SIZE as u64)
}

pub struct Rig {
    pub address: SocketAddr,
    ended: mpsc::UnboundedReceiver<Outcome>,
    shutdown: watch::Sender<bool>,
    server: JoinHandle<Result<(), crate::tftp::server::Error>>,
}

impl Rig {
    pub async fn start(limits: Limits) -> Rig {
        Rig::start_on(vec![UdpSocket::bind("127.0.0.1:0").await.unwrap()], limits)
    }

    pub fn start_on(sockets: Vec<UdpSocket>, limits: Limits) -> Rig {
        let address = sockets[0].local_addr().unwrap();
        let (shutdown, stop) = watch::channel(false);
        let (ended, outcomes) = mpsc::unbounded_channel();
        let shelf = Arc::new(Shelf { loader: content(LOADER_SIZE), ended });
        let server = tokio::spawn(Server::run(sockets, shelf, limits, stop));
        Rig { address, ended: outcomes, shutdown, server }
    }

    pub async fn outcome(&mut self) -> Outcome {
        within(self.ended.recv()).await.unwrap()
    }

    /// It did not come up: a server that runs answers, one that failed drops its sockets.
    pub async fn has_failed(&mut self) -> bool {
        let probe = Client::new().await;
        probe.socket.connect(self.address).await.unwrap();
        tokio::select! {
            _ = &mut self.server => true,
            (answer, _) = async {
                probe.socket.send(b"\0\x02").await.unwrap();
                probe.receive().await
            } => !matches!(answer, Packet::Error { .. }),
        }
    }

    /// Joined, with what had not been told yet.
    pub async fn stop(mut self) -> Vec<Outcome> {
        self.shutdown.send(true).unwrap();
        within(self.server).await.unwrap().unwrap();
        std::iter::from_fn(|| self.ended.try_recv().ok()).collect()
    }
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("took too long")
}

pub struct Client {
    pub socket: UdpSocket,
}

impl Client {
    pub async fn new() -> Client {
        Client::at("127.0.0.1:0".parse().unwrap()).await
    }

    pub async fn at(address: SocketAddr) -> Client {
        Client { socket: UdpSocket::bind(address).await.unwrap() }
    }

    pub async fn send(&self, packet: &Packet, to: SocketAddr) {
        self.send_bytes(&encoded(packet), to).await;
    }

    pub async fn send_bytes(&self, bytes: &[u8], to: SocketAddr) {
        self.socket.send_to(bytes, to).await.unwrap();
    }

    pub async fn receive(&self) -> (Packet, SocketAddr) {
        let mut buffer = [0; 70_000];
        let (length, from) = within(self.socket.recv_from(&mut buffer)).await.unwrap();
        (Packet::parse(&buffer[..length]).unwrap(), from)
    }

    /// The code of the error that comes next.
    pub async fn receive_error(&self) -> u16 {
        match self.receive().await {
            (Packet::Error { code, .. }, _) => code,
            (other, _) => panic!("{other:?} instead of an error"),
        }
    }

    /// Whatever comes is taken in order; nothing may be lost, as on loopback with small windows nothing is. Reads on
    /// from a first block or option acknowledgement to the end.
    pub async fn read_on(&self, first: (Packet, SocketAddr)) -> Vec<u8> {
        let (mut packet, from) = first;
        let (mut file, mut blksize, mut window, mut next) = (Vec::new(), 512, 1, 1_u16);
        loop {
            match &packet {
                Packet::OptionAck(options) => {
                    let agreed = |wanted| options.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
                    blksize = agreed("blksize").map_or(512, |value| value.parse().unwrap());
                    window = agreed("windowsize").map_or(1, |value| value.parse().unwrap());
                    self.send(&Packet::Ack(0), from).await;
                }
                Packet::Data { block, payload } => {
                    if *block == next {
                        file.extend_from_slice(payload);
                        next = next.wrapping_add(1);
                    }
                    let is_last = payload.len() < blksize;
                    if is_last || next.wrapping_sub(1) % window == 0 {
                        self.send(&Packet::Ack(next.wrapping_sub(1)), from).await;
                    }
                    if is_last {
                        return file;
                    }
                }
                other => panic!("{other:?} instead of data"),
            }
            packet = self.receive().await.0;
        }
    }
}
