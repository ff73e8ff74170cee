//! A lane: one thread with one socket, and the many transfers that run through it.
//!
//! The thread waits for a packet, answers it, and waits again, as a server for a single client would: a busy lane never
//! sleeps, since what it hears next is another client's acknowledgement. Transfers are told apart by their clients'
//! addresses. Whoever opens one ([`Lane::start`]) sends its first packet himself, under the lock that the thread takes
//! for each packet.

use super::Ending;
use super::desk::{Desk, Ended, Job};
use super::packet::Packet;
use rustix::net::sockopt;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};
use tokio::sync::mpsc::UnboundedSender;
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
const SEND_BUFFER: usize = 4 << 20;
const RECEIVE_BUFFER: usize = 4 << 20;

/// Dropping it ends the thread; its transfers are told to have been stopped.
pub struct Lane {
    shared: Arc<Shared>,
}

struct Shared {
    socket: UdpSocket,
    local: SocketAddr,
    desk: Mutex<Desk>,
    is_stopped: AtomicBool,
}

impl Lane {
    /// At a free port of the listener's address: firmware drops an answer from another address than it asked.
    pub fn open(
        mut local: SocketAddr,
        ports: &mut dyn Iterator<Item = u16>,
        ended: UnboundedSender<Ended>,
    ) -> io::Result<Lane> {
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
        let (local, desk) = (socket.local_addr()?, Mutex::new(Desk::new(ended)));
        let shared = Arc::new(Shared { socket, local, desk, is_stopped: AtomicBool::new(false) });
        let own = shared.clone();
        thread::Builder::new().name("tftp".into()).spawn(move || own.run_on())?;
        Ok(Lane { shared })
    }

    /// Sends the first packet.
    pub fn start(&self, job: Job) {
        let mut desk = self.shared.desk();
        let was_idle = desk.is_idle();
        desk.start(&self.shared.socket, job, Instant::now());
        drop(desk);
        if was_idle {
            self.shared.wake();
        }
    }

    /// The client asked once more for what it is being sent.
    pub fn repeat(&self, client: SocketAddr) {
        let mut desk = self.shared.desk();
        desk.on_repeat(&self.shared.socket, client, Instant::now());
    }

    /// The client asked for something else.
    pub fn stop(&self, client: SocketAddr) {
        self.shared.desk().end(client, Ending::Stopped, Instant::now());
    }

    /// To who gets no transfer.
    pub fn answer(&self, client: SocketAddr, packet: &Packet) {
        self.shared.desk().answer(&self.shared.socket, client, packet);
    }

    /// A transfer of this client runs here, or ended a moment ago: another lane keeps its packets apart from new ones.
    pub fn knows(&self, client: SocketAddr) -> bool {
        self.shared.desk().knows(client)
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
    /// After a panic the desk is cleared, so it may be touched.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty datagram to its own socket.
    fn wake(&self) {
        let _ = self.socket.send_to(&[], self.local);
    }

    /// A packet that breaks the desk costs the transfers on it, not the lane.
    fn run_on(&self) {
        while catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
            error!("TFTP transfers broke down: this is a bug, please report it");
            self.desk().end_all();
        }
    }

    fn run(&self) {
        let mut buffer = [0; MAX_DATAGRAM];
        let mut ticked_at = Instant::now();
        let mut is_idle = true;
        while !self.is_stopped.load(Ordering::Acquire) {
            let heard = self.receive(&mut buffer);
            let now = Instant::now();
            let mut desk = self.desk();
            if let Some((bytes, from)) = heard {
                desk.on_datagram(&self.socket, from, bytes, now);
            }
            if now.saturating_duration_since(ticked_at) >= TICK {
                ticked_at = now;
                desk.on_tick(&self.socket, now);
            }
            let is_empty = desk.is_idle();
            drop(desk);
            if is_empty != is_idle {
                is_idle = is_empty;
                self.set_patience(is_idle);
            }
        }
        self.desk().end_all();
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
