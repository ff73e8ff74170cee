//! The sockets, the clock and the tasks: one loop hears requests, one task with a port of its own serves each transfer.

use super::packet::{Packet, Read};
use super::request::{self, Judged};
use super::transfer::{Action, Transfer};
use super::{Ending, Library, Limits, Outcome, Refusal, Request};
use bytes::Bytes;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use std::{io, mem};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, error, warn};

/// Requests end at 512 bytes (RFC 2347), and so do acknowledgements and errors; the rest of a longer one is cut off.
const MAX_DATAGRAM: usize = 2048;
/// After a socket's error, so that one that stays broken does not take a whole core.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);
/// Between two warnings that the server is full.
const WARN_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("TFTP cannot listen on {at}: name each address, since an answer from another one is dropped by firmware")]
    NoAddress { at: SocketAddr },
    #[error("a TFTP socket does not know its address")]
    Socket(#[from] io::Error),
}

pub struct Server<L> {
    listeners: Vec<Listener>,
    library: Arc<L>,
    limits: Limits,
    active: HashMap<(SocketAddr, SocketAddr), Active>,
    tasks: JoinSet<()>,
    warned_at: Option<Instant>,
}

struct Listener {
    socket: UdpSocket,
    local: SocketAddr,
}

/// A transfer that runs; dropping it stops the transfer.
struct Active {
    task: Id,
    read: Read,
    repeats: mpsc::Sender<()>,
}

impl<L: Library> Server<L> {
    /// Until `shutdown` turns true or is dropped; then every transfer is stopped and joined. Each socket is bound to an
    /// address of its own, not to the wildcard: a transfer answers from the address that was asked.
    pub async fn run(
        sockets: Vec<UdpSocket>,
        library: Arc<L>,
        limits: Limits,
        mut shutdown: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let listeners = sockets.into_iter().map(Listener::new).collect::<Result<_, _>>()?;
        let (active, tasks) = (HashMap::new(), JoinSet::new());
        let mut server = Server { listeners, library, limits, active, tasks, warned_at: None };
        tokio::select! {
            () = server.listen() => {}
            _ = shutdown.wait_for(|stop| *stop) => {}
        }
        server.stop().await;
        Ok(())
    }

    async fn listen(&mut self) {
        let mut buffer = [0; MAX_DATAGRAM];
        let mut turn = 0;
        loop {
            tokio::select! {
                Some(done) = self.tasks.join_next_with_id() => self.forget(done),
                heard = receive(&self.listeners, &mut turn, &mut buffer) => match heard {
                    Ok(heard) => self.on_datagram(heard, &buffer),
                    Err(error) => {
                        debug!(%error, "a TFTP socket could not be read");
                        sleep(PAUSE_AFTER_ERROR).await;
                    }
                },
            }
        }
    }

    async fn stop(&mut self) {
        self.active.clear();
        while let Some(done) = self.tasks.join_next_with_id().await {
            self.forget(done);
        }
    }

    fn on_datagram(&mut self, heard: Heard, buffer: &[u8]) {
        let Some(listener) = self.listeners.get(heard.listener) else { return };
        let local = listener.local;
        match request::judge(heard.from, buffer.get(..heard.length).unwrap_or_default()) {
            Judged::Read(read) => self.on_read(read, heard.from, local),
            Judged::Answer(packet) => listener.answer(heard.from, &packet),
            Judged::Silence(why) => debug!(client = %heard.from, why, "a TFTP datagram is left unanswered"),
        }
    }

    /// One that runs already is told to answer again; another file for the same port takes the old one's place.
    fn on_read(&mut self, read: Read, client: SocketAddr, local: SocketAddr) {
        if let Some(active) = self.active.get(&(client, local))
            && active.read == read
            && !active.repeats.is_closed()
        {
            // Full: it will answer again anyway.
            let _ = active.repeats.try_send(());
            return;
        }
        match request::request(&read, client, local) {
            Ok(_) if self.is_full(client) => self.warn_full(client),
            Ok(request) => self.start(request, read, local),
            Err(refusal) => self.refuse(&refusal, client, local),
        }
    }

    fn start(&mut self, request: Request, read: Read, local: SocketAddr) {
        let (client, library, limits) = (request.client, self.library.clone(), self.limits);
        let (repeats, heard_repeats) = mpsc::channel(1);
        let job = Job { request, read: read.clone(), local, library, limits, repeats: heard_repeats };
        let task = self.tasks.spawn(job.run()).id();
        self.active.insert((client, local), Active { task, read, repeats });
    }

    fn refuse(&self, refusal: &Refusal, client: SocketAddr, local: SocketAddr) {
        debug!(%client, ?refusal, "a TFTP file name is refused");
        let listener = self.listeners.iter().find(|listener| listener.local == local);
        if let Some((listener, packet)) = listener.zip(refusal.packet()) {
            listener.answer(client, &packet);
        }
    }

    /// The client whose transfer is about to be replaced does not count against itself.
    fn is_full(&self, client: SocketAddr) -> bool {
        let others = || self.active.keys().filter(|(other, _)| *other != client);
        let of_client = others().filter(|(other, _)| other.ip() == client.ip()).count();
        of_client >= self.limits.max_transfers_per_client || self.tasks.len() >= self.limits.max_transfers
    }

    /// Silence, not an error: the client asks again in a second, but an error sends it on to its disk.
    fn warn_full(&mut self, client: SocketAddr) {
        if self.warned_at.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            self.warned_at = Some(Instant::now());
            let transfers = self.tasks.len();
            warn!(%client, transfers, "too many TFTP transfers: new ones wait; look for clients that ask in a loop");
        }
    }

    fn forget(&mut self, done: Result<(Id, ()), JoinError>) {
        let id = match done {
            Ok((id, ())) => id,
            Err(failed) => {
                error!(error = %failed, "a TFTP transfer failed: this is a bug, please report it");
                failed.id()
            }
        };
        self.active.retain(|_, active| active.task != id);
    }
}

impl Listener {
    fn new(socket: UdpSocket) -> Result<Listener, Error> {
        let local = socket.local_addr()?;
        if local.ip().is_unspecified() {
            return Err(Error::NoAddress { at: local });
        }
        Ok(Listener { socket, local })
    }

    /// Lost when the socket is busy: then it is as if the network had lost it.
    fn answer(&self, to: SocketAddr, packet: &Packet) {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        if let Err(error) = self.socket.try_send_to(&bytes, to) {
            debug!(client = %to, %error, "a TFTP answer was not sent");
        }
    }
}

struct Heard {
    listener: usize,
    from: SocketAddr,
    length: usize,
}

/// The next datagram of any listener; each begins in turn, so that a busy one does not silence the others.
async fn receive(listeners: &[Listener], turn: &mut usize, buffer: &mut [u8]) -> io::Result<Heard> {
    *turn = turn.wrapping_add(1).checked_rem(listeners.len()).unwrap_or(0);
    let order = || listeners.iter().enumerate().cycle().skip(*turn).take(listeners.len());
    poll_fn(|context| {
        for (listener, Listener { socket, .. }) in order() {
            let mut space = ReadBuf::new(buffer);
            if let Poll::Ready(heard) = socket.poll_recv_from(context, &mut space) {
                return Poll::Ready(heard.map(|from| Heard { listener, from, length: space.filled().len() }));
            }
        }
        Poll::Pending
    })
    .await
}

/// One transfer, from the request to its end.
struct Job<L> {
    request: Request,
    read: Read,
    local: SocketAddr,
    library: Arc<L>,
    limits: Limits,
    /// Something comes when the client asks again; closed when the transfer must stop.
    repeats: mpsc::Receiver<()>,
}

impl<L: Library> Job<L> {
    async fn run(mut self) {
        let started = Instant::now();
        // Not connected, or the kernel would keep strangers' packets from us, and they want an ERROR 5 (RFC 1350 §4).
        // Bound to the address that was asked: firmware drops an answer from another one.
        let mut own_port = self.local;
        own_port.set_port(0);
        let socket = match UdpSocket::bind(own_port).await {
            Ok(socket) => socket,
            Err(error) => {
                let (local, client) = (self.local.ip(), self.request.client);
                return warn!(%local, %client, %error, "no port for a TFTP transfer: is the limit of open files too low?");
            }
        };
        let (bytes, ending) = self.serve(&socket).await;
        let (request, duration) = (self.request, started.elapsed());
        debug!(client = %request.client, file = %request.name, bytes, ?ending, "a TFTP transfer ended");
        self.library.ended(Outcome { request, bytes, duration, ending });
    }

    async fn serve(&mut self, socket: &UdpSocket) -> (u64, Ending) {
        let mut wire = Wire { socket, client: self.request.client, out: Vec::new() };
        let content = match self.open().await {
            Ok(content) => content,
            Err(ending) => {
                wire.refuse(&ending).await;
                return (0, ending);
            }
        };
        let (mut transfer, mut actions) = Transfer::start(&self.read, content, self.limits, now());
        loop {
            if let Some(ending) = wire.perform(actions).await {
                return (transfer.bytes_acknowledged(), ending);
            }
            actions = tokio::select! {
                packet = wire.receive() => transfer.on_packet(&packet, now()),
                repeat = self.repeats.recv() => match repeat {
                    Some(()) => transfer.on_repeat(now()),
                    None => vec![Action::End(Ending::Stopped)],
                },
                () = sleep_until(transfer.deadline().into()) => transfer.on_timeout(now()),
            };
        }
    }

    /// What the client repeats meanwhile is answered by what comes out.
    async fn open(&mut self) -> Result<Bytes, Ending> {
        let asked = timeout(self.limits.max_idle, self.library.open(self.request.clone()));
        let stopped = async { while self.repeats.recv().await.is_some() {} };
        tokio::select! {
            opened = asked => match opened {
                Ok(opened) => opened.map_err(Ending::Refused),
                Err(_) => Err(Ending::TimedOut),
            },
            () = stopped => Err(Ending::Stopped),
        }
    }
}

/// A transfer's socket and its client.
struct Wire<'a> {
    socket: &'a UdpSocket,
    client: SocketAddr,
    out: Vec<u8>,
}

impl Wire<'_> {
    async fn perform(&mut self, actions: Vec<Action>) -> Option<Ending> {
        for action in actions {
            match action {
                Action::Send(packet) => self.send(&packet, self.client).await,
                Action::End(ending) => return Some(ending),
            }
        }
        None
    }

    async fn refuse(&mut self, ending: &Ending) {
        if let Ending::Refused(refusal) = ending
            && let Some(packet) = refusal.packet()
        {
            self.send(&packet, self.client).await;
        }
    }

    /// The next packet of our client. Strangers are told that they are wrong here; what is not TFTP is passed over.
    async fn receive(&mut self) -> Packet {
        let mut buffer = [0; MAX_DATAGRAM];
        loop {
            let Ok((length, from)) = self.socket.recv_from(&mut buffer).await else {
                sleep(PAUSE_AFTER_ERROR).await;
                continue;
            };
            let bytes = buffer.get(..length).unwrap_or_default();
            if from != self.client {
                if let Some(answer) = request::judge_stranger(from, bytes) {
                    self.send(&answer, from).await;
                }
            } else if let Ok(packet) = Packet::parse(bytes) {
                return packet;
            }
        }
    }

    async fn send(&mut self, packet: &Packet, to: SocketAddr) {
        let mut out = mem::take(&mut self.out);
        packet.encode(&mut out);
        if let Err(error) = self.socket.send_to(&out, to).await {
            debug!(client = %to, %error, "a TFTP packet was not sent");
        }
        self.out = out;
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
