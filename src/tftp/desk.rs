//! What a lane has at any moment: transfers by client, their timers, and who was done a moment ago. No clock, no thread.

use super::content::Content;
use super::outgoing::{Outgoing, Window};
use super::packet::{Packet, Read, code};
use super::request;
use super::transfer::{Action, Transfer};
use super::{Ending, Limits, Outcome, Refusal, Request};
use foldhash::{HashMap, HashMapExt};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{debug, warn};

/// For how long what a client still sends to a transfer that ended is passed over: an ERROR for it would end what a ROM
/// asks for next, which always uses the same port.
pub const LINGER: Duration = Duration::from_secs(10);
/// The oldest goes where there are more.
pub const MAX_LINGERING: usize = 16_384;

/// Who asks, and at which listener.
pub type Key = (SocketAddr, usize);

/// A transfer that begins.
pub struct Job {
    pub key: Key,
    pub id: u64,
    pub request: Request,
    pub read: Read,
    pub content: Content,
    pub limits: Limits,
    pub started_at: Instant,
}

/// A transfer that ended.
#[derive(Debug)]
pub struct Ended {
    pub key: Key,
    pub id: u64,
    pub outcome: Outcome,
}

/// What a lane needs to know of the world.
#[derive(Clone)]
pub struct Outside {
    pub ended: UnboundedSender<Ended>,
    /// Whether an address may be told anything at all: others may have been forged.
    pub is_ours: Arc<dyn Fn(SocketAddr) -> bool + Send + Sync>,
}

/// What a lane has at any moment.
pub struct Desk {
    running: HashMap<SocketAddr, Running>,
    /// For each transfer one that counts, never later than its deadline. One that was overtaken by an earlier one, or
    /// whose transfer is gone, is dropped when its moment comes.
    timers: BinaryHeap<Reverse<(Instant, u64, SocketAddr)>>,
    lingering: Lingering,
    outgoing: Outgoing,
    outside: Outside,
}

struct Running {
    key: Key,
    id: u64,
    request: Request,
    transfer: Transfer,
    content: Content,
    segments: u16,
    started_at: Instant,
    /// Of the timer that counts.
    timer_at: Option<Instant>,
}

impl Desk {
    pub fn new(outside: Outside) -> Desk {
        Desk {
            running: HashMap::new(),
            timers: BinaryHeap::new(),
            lingering: Lingering::default(),
            outgoing: Outgoing::default(),
            outside,
        }
    }

    pub fn start(&mut self, socket: &UdpSocket, job: Job, now: Instant) {
        let Job { key, id, request, read, content, limits, started_at } = job;
        let client = key.0;
        let (transfer, actions) = Transfer::start(&read, content.size_bytes(), limits, now);
        self.end(client, Ending::Stopped, now);
        self.lingering.remove(client);
        let (segments, timer_at) = (limits.max_segments, None);
        self.running.insert(client, Running { key, id, request, transfer, content, segments, started_at, timer_at });
        self.perform(socket, client, actions, now);
    }

    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    pub fn answer(&mut self, socket: &UdpSocket, client: SocketAddr, packet: &Packet) {
        self.outgoing.packet(socket, packet, client);
    }

    pub fn on_repeat(&mut self, socket: &UdpSocket, client: SocketAddr, now: Instant) {
        let Some(running) = self.running.get_mut(&client) else { return };
        let actions = running.transfer.on_repeat(now);
        self.perform(socket, client, actions, now);
    }

    pub fn on_datagram(&mut self, socket: &UdpSocket, from: SocketAddr, bytes: &[u8], now: Instant) {
        if let Some(running) = self.running.get_mut(&from) {
            if let Ok(packet) = Packet::parse(bytes) {
                let actions = running.transfer.on_packet(&packet, now);
                self.perform(socket, from, actions, now);
            }
        } else if !self.lingering.has(from)
            && let Some(answer) = request::judge_stranger(from, bytes)
            && (self.outside.is_ours)(from)
        {
            self.outgoing.packet(socket, &answer, from);
        }
    }

    pub fn on_tick(&mut self, socket: &UdpSocket, now: Instant) {
        self.lingering.forget_until(now);
        while let Some(Reverse((at, id, client))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            let counts = |running: &&mut Running| running.id == id && running.timer_at == Some(at);
            let Some(running) = self.running.get_mut(&client).filter(counts) else { continue };
            running.timer_at = None;
            let is_due = running.transfer.deadline() <= now;
            let actions = if is_due { running.transfer.on_timeout(now) } else { Vec::new() };
            self.perform(socket, client, actions, now);
        }
    }

    fn perform(&mut self, socket: &UdpSocket, client: SocketAddr, actions: Vec<Action>, now: Instant) {
        for action in actions {
            let ending = match action {
                Action::Send(packet) => {
                    self.outgoing.packet(socket, &packet, client);
                    None
                }
                Action::Blocks { first, count } => self.send(socket, client, first, count),
                Action::End(ending) => Some(ending),
            };
            if let Some(ending) = ending {
                return self.end(client, ending, now);
            }
        }
        self.set_timer(client, now);
    }

    /// Whatever happens to a transfer may bring its deadline nearer: a client that was silent for long, and is heard again,
    /// waits for a part of a second, not of a minute.
    fn set_timer(&mut self, client: SocketAddr, now: Instant) {
        let Some(running) = self.running.get_mut(&client) else { return };
        // Never this moment again, or a tick would not end.
        let due = running.transfer.deadline().max(now.checked_add(Duration::from_millis(1)).unwrap_or(now));
        if running.timer_at.is_none_or(|at| due < at) {
            running.timer_at = Some(due);
            self.timers.push(Reverse((due, running.id, client)));
        }
    }

    fn send(&mut self, socket: &UdpSocket, client: SocketAddr, first: u64, count: u16) -> Option<Ending> {
        let Running { transfer, content, segments, request, .. } = self.running.get_mut(&client)?;
        let window = Window { transfer, content, first, count, segments };
        let error = self.outgoing.blocks(socket, window, client).err()?;
        warn!(%error, %client, name = request.name, "a file could not be read on while it was sent");
        let told = "the file was changed while it was sent";
        self.outgoing.packet(socket, &Packet::error(code::OTHER, told), client);
        Some(Ending::Refused(Refusal::NotFound(told.into())))
    }

    pub fn end(&mut self, client: SocketAddr, ending: Ending, now: Instant) {
        let Some(running) = self.running.remove(&client) else { return };
        self.lingering.add(client, now);
        self.tell(running, ending, now);
    }

    pub fn end_all(&mut self) {
        let now = Instant::now();
        for (_, running) in std::mem::take(&mut self.running) {
            self.tell(running, Ending::Stopped, now);
        }
    }

    fn tell(&self, running: Running, ending: Ending, now: Instant) {
        let Running { key, id, request, transfer, started_at, .. } = running;
        let (bytes, duration) = (transfer.bytes_acknowledged(), now.saturating_duration_since(started_at));
        debug!(client = %request.client, file = %request.name, bytes, ?ending, "a TFTP transfer ended");
        // Nobody listens: the server is gone.
        let _ = self.outside.ended.send(Ended { key, id, outcome: Outcome { request, bytes, duration, ending } });
    }
}

/// Clients whose transfer ended a moment ago.
#[derive(Default)]
struct Lingering {
    clients: HashMap<SocketAddr, Instant>,
    /// In the order in which they came; one that came again stands here twice.
    order: VecDeque<(Instant, SocketAddr)>,
}

impl Lingering {
    fn add(&mut self, client: SocketAddr, now: Instant) {
        let until = now.checked_add(LINGER).unwrap_or(now);
        self.clients.insert(client, until);
        self.order.push_back((until, client));
        if self.order.len() > MAX_LINGERING {
            self.forget_first();
        }
    }

    fn has(&self, client: SocketAddr) -> bool {
        self.clients.contains_key(&client)
    }

    fn remove(&mut self, client: SocketAddr) {
        self.clients.remove(&client);
    }

    fn forget_until(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((until, client)) = self.order.pop_front()
            && self.clients.get(&client) == Some(&until)
        {
            self.clients.remove(&client);
        }
    }
}
