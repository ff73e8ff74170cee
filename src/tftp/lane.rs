//! A lane: one thread with one socket, and the many transfers that run through it.
//!
//! The thread waits for a packet, answers it, and waits again, as a server for a single client would: a busy lane never
//! sleeps, since what it hears next is another client's acknowledgement. Transfers are told apart by their clients'
//! addresses. What others want of it ([`Lane::start`]) they put into its inbox: only the thread reads files and sends,
//! so that a slow disk or a full socket holds up nobody else.

use super::Ending;
use super::desk::{Desk, Job, Outside};
use super::packet::Packet;
use rustix::net::{SendFlags, sendto, sockopt};
use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};
use tracing::{debug, error};

/// Acknowledgements and errors are short; the rest of a longer one is cut off.
const MAX_DATAGRAM: usize = 2048;
/// How late a packet may be sent again.
const TICK: Duration = Duration::from_millis(50);
/// The same for a lane without transfers, which is woken by its first.
const IDLE_TICK: Duration = Duration::from_secs(1);
/// For how long a full socket holds up a lane before a packet is lost.
const SEND_PATIENCE: Duration = Duration::from_millis(100);
/// After a socket's error, so that one that stays broken does not take a whole core.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);
/// Of what waits in an inbox: a lane that is held up loses the rest, as a network would.
const MAX_INBOX: usize = 4096;
const SEND_BUFFER: usize = 4 << 20;
const RECEIVE_BUFFER: usize = 4 << 20;

/// Dropping it ends the thread; its transfers are told to have been stopped.
pub struct Lane {
    shared: Arc<Shared>,
}

struct Shared {
    socket: UdpSocket,
    local: SocketAddr,
    inbox: Mutex<VecDeque<Errand>>,
    is_stopped: AtomicBool,
}

/// What others want of a lane.
enum Errand {
    Start(Box<Job>),
    /// The client asked once more for what it is being sent.
    Repeat(SocketAddr),
    /// The client asked for something else.
    Stop(SocketAddr),
    /// To who gets no transfer.
    Answer(SocketAddr, Packet),
}

impl Lane {
    /// At a free port of the listener's address: firmware drops an answer from another address than it asked.
    pub fn open(mut local: SocketAddr, ports: &mut dyn Iterator<Item = u16>, outside: Outside) -> io::Result<Lane> {
        let mut bound = Err(io::ErrorKind::AddrInUse.into());
        for port in ports {
            local.set_port(port);
            bound = UdpSocket::bind(local);
            if bound.is_ok() {
                break;
            }
        }
        let socket = bound?;
        enlarge(&socket);
        socket.set_write_timeout(Some(SEND_PATIENCE))?;
        socket.set_read_timeout(Some(IDLE_TICK))?;
        let (local, inbox) = (socket.local_addr()?, Mutex::default());
        let shared = Arc::new(Shared { socket, local, inbox, is_stopped: AtomicBool::new(false) });
        let own = shared.clone();
        thread::Builder::new().name("tftp".into()).spawn(move || own.run_on(Desk::new(outside)))?;
        Ok(Lane { shared })
    }

    /// The job comes back where too much waits here already.
    pub fn start(&self, job: Job) -> Result<(), Box<Job>> {
        match self.shared.post(Errand::Start(Box::new(job))) {
            Some(Errand::Start(job)) => Err(job),
            _ => Ok(()),
        }
    }

    pub fn repeat(&self, client: SocketAddr) {
        self.shared.post(Errand::Repeat(client));
    }

    pub fn stop(&self, client: SocketAddr) {
        self.shared.post(Errand::Stop(client));
    }

    pub fn answer(&self, client: SocketAddr, packet: Packet) {
        self.shared.post(Errand::Answer(client, packet));
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Release);
        self.shared.wake();
    }
}

/// Past what the system gives to everybody, where this process may.
pub(super) fn enlarge(socket: &impl std::os::fd::AsFd) {
    if sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BUFFER).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(socket, RECEIVE_BUFFER);
    }
    if sockopt::set_socket_send_buffer_size_force(socket, SEND_BUFFER).is_err() {
        let _ = sockopt::set_socket_send_buffer_size(socket, SEND_BUFFER);
    }
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, VecDeque<Errand>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back what finds no room. There are never more stops than there were starts.
    fn post(&self, errand: Errand) -> Option<Errand> {
        let mut inbox = self.inbox();
        if inbox.len() >= MAX_INBOX && !matches!(errand, Errand::Stop(_)) {
            return Some(errand);
        }
        let was_empty = inbox.is_empty();
        inbox.push_back(errand);
        drop(inbox);
        if was_empty {
            self.wake();
        }
        None
    }

    /// An empty datagram to its own socket. A socket that has no room for it belongs to a lane that is awake.
    fn wake(&self) {
        let _ = sendto(&self.socket, &[], SendFlags::DONTWAIT, &self.local);
    }

    /// A packet that breaks the desk costs the transfers on it, not the lane.
    fn run_on(&self, mut desk: Desk) {
        while catch_unwind(AssertUnwindSafe(|| self.run(&mut desk))).is_err() {
            error!("TFTP transfers broke down: this is a bug, please report it");
            desk.end_all();
        }
    }

    fn run(&self, desk: &mut Desk) {
        let mut buffer = [0; MAX_DATAGRAM];
        let mut ticked_at = Instant::now();
        let mut is_idle = None;
        while !self.is_stopped.load(Ordering::Acquire) {
            let heard = self.receive(&mut buffer);
            let now = Instant::now();
            self.run_errands(desk, now);
            if let Some((bytes, from)) = heard {
                desk.on_datagram(&self.socket, from, bytes, now);
            }
            if now.saturating_duration_since(ticked_at) >= TICK {
                ticked_at = now;
                desk.on_tick(&self.socket, now);
            }
            if is_idle != Some(desk.is_idle()) {
                is_idle = Some(desk.is_idle());
                self.set_patience(desk.is_idle());
            }
        }
        self.run_errands(desk, Instant::now());
        desk.end_all();
    }

    /// In the order in which they came. The inbox is free while each is done, and one that breaks the desk takes no other
    /// with it.
    fn run_errands(&self, desk: &mut Desk, now: Instant) {
        while let Some(errand) = self.next_errand() {
            match errand {
                Errand::Start(job) => desk.start(&self.socket, *job, now),
                Errand::Repeat(client) => desk.on_repeat(&self.socket, client, now),
                Errand::Stop(client) => desk.end(client, Ending::Stopped, now),
                Errand::Answer(client, packet) => desk.answer(&self.socket, client, &packet),
            }
        }
    }

    fn next_errand(&self) -> Option<Errand> {
        self.inbox().pop_front()
    }

    fn receive<'a>(&self, buffer: &'a mut [u8]) -> Option<(&'a [u8], SocketAddr)> {
        match self.socket.recv_from(buffer) {
            Ok((_, from)) if from == self.local => None,
            Ok((length, from)) => Some((buffer.get(..length).unwrap_or_default(), from)),
            Err(error) => {
                let is_usual = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
                if !is_usual {
                    debug!(%error, "a TFTP socket could not be read");
                    thread::sleep(PAUSE_AFTER_ERROR);
                }
                None
            }
        }
    }

    fn set_patience(&self, is_idle: bool) {
        let patience = if is_idle { IDLE_TICK } else { TICK };
        if let Err(error) = self.socket.set_read_timeout(Some(patience)) {
            error!(%error, "a TFTP socket takes no time limit");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lane that is held up for long must not fill the memory; but what was begun can always be stopped.
    #[test]
    fn an_inbox_has_an_end() -> io::Result<()> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let (local, inbox) = (socket.local_addr()?, Mutex::default());
        let shared = Shared { socket, local, inbox, is_stopped: AtomicBool::new(false) };
        let taken = (0..MAX_INBOX).filter(|_| shared.post(Errand::Repeat(local)).is_none()).count();
        assert_eq!(taken, MAX_INBOX);
        assert!(matches!(shared.post(Errand::Repeat(local)), Some(Errand::Repeat(_))));
        assert!(shared.post(Errand::Stop(local)).is_none());
        Ok(())
    }
}
