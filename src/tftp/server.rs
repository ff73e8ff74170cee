//! The listening sockets: who asks, whether there is a place for him, and which lane serves him.

use super::desk::{Ended, Job, Key, Outside};
use super::lane::{self, Lane};
use super::packet::{Packet, Read};
use super::request::{self, Judged};
use super::turns::{Lanes, Turns};
use super::{Content, Ending, Library, Limits, Outcome, Refusal, Request, mtu};
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use std::{io, iter, thread};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::{debug, error, warn};

/// Requests end at 512 bytes (RFC 2347); the rest of a longer one is cut off.
const MAX_DATAGRAM: usize = 2048;
/// After a socket's error, so that one that stays broken does not take a whole core.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);
/// Between two warnings that the server is full.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// Of each address: the transfers of one client in two lanes have ports of their own.
const LANES: usize = 2;
/// A lane that is busy takes a processor, and the kernel and the rest of the server take another.
fn spread() -> Lanes {
    let busy = thread::available_parallelism().map_or(1, |cores| cores.get() / 2).clamp(1, LANES);
    Lanes { all: LANES, busy }
}

/// Block sizes up to this one go through every network (RFC 1350).
const SMALL_BLKSIZE: u16 = 512;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("TFTP cannot listen on {at}: name each address, since an answer from another one is dropped by firmware")]
    NoAddress { at: SocketAddr },
    #[error(
        "TFTP has no port for its transfers at {at}: {source}; look at [tftp] ports, and at the limit of open files"
    )]
    NoPort { at: SocketAddr, source: io::Error },
    #[error("a TFTP socket does not know its address")]
    Socket(#[from] io::Error),
}

pub struct Server<L> {
    listeners: Vec<Listener>,
    library: Arc<L>,
    limits: Limits,
    places: Places,
    /// What the library is asked for; each becomes a transfer, or a refusal.
    openings: JoinSet<Opened>,
    asked: HashMap<Id, (Key, u64, Request, Instant)>,
    ended: mpsc::UnboundedReceiver<Ended>,
    ids: u64,
    warned_at: Option<Instant>,
}

struct Listener {
    socket: UdpSocket,
    local: SocketAddr,
    lanes: Vec<Open>,
    turns: Turns,
    outside: Outside,
    limits: Limits,
}

/// A lane, and since when its port can be learnt.
struct Open {
    lane: Arc<Lane>,
    at: Instant,
    /// The last lane that this one took the place of: it hears late packets for a while.
    retired: Option<Arc<Lane>>,
}

impl Open {
    fn new(lane: Lane) -> Open {
        Open { lane: Arc::new(lane), at: Instant::now(), retired: None }
    }

    /// A new port, which is not known to who learnt the old one. What runs in the old lane goes on there.
    fn renew(&mut self, local: SocketAddr, outside: Outside) {
        self.at = Instant::now();
        match Lane::open(local, &mut iter::once(0), outside) {
            Ok(new) => self.retired = Some(std::mem::replace(&mut self.lane, Arc::new(new))),
            Err(error) => warn!(%error, "TFTP keeps its ports: there is no new one"),
        }
    }
}

/// A client that has a place.
struct Active {
    id: u64,
    read: Read,
    stage: Stage,
}

enum Stage {
    Opening(AbortHandle),
    /// In this lane, which lives as long as its transfers do.
    Running(Arc<Lane>),
}

/// What the library answered, and what the way to the client allows.
struct Opened {
    content: Result<Content, Ending>,
    limits: Limits,
    read: Read,
}

impl<L: Library> Server<L> {
    /// Until `shutdown` turns true or is dropped; then every transfer is stopped and told. Each socket is bound to an
    /// address of its own, not to the wildcard: a transfer answers from the address that was asked.
    pub async fn run(
        sockets: Vec<UdpSocket>,
        library: Arc<L>,
        limits: Limits,
        mut shutdown: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let (tell_end, ended) = mpsc::unbounded_channel();
        let library_of_lanes = library.clone();
        let outside = Outside { ended: tell_end, is_ours: Arc::new(move |client| library_of_lanes.is_ours(client)) };
        let listeners = sockets.into_iter().map(|socket| Listener::new(socket, limits, outside.clone()));
        let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
        drop(outside);
        let (places, openings, asked) = (Places::default(), JoinSet::new(), HashMap::new());
        let mut server = Server { listeners, library, limits, places, openings, asked, ended, ids: 0, warned_at: None };
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
                Some(opened) = self.openings.join_next_with_id() => self.on_opened(opened),
                Some(ended) = self.ended.recv() => self.on_ended(ended),
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

    /// The lanes' ends are told when their threads are done, and no sooner is this.
    async fn stop(&mut self) {
        self.openings.abort_all();
        while let Some(opened) = self.openings.join_next_with_id().await {
            self.on_opened(opened);
        }
        self.listeners.clear();
        self.places = Places::default();
        while let Some(ended) = self.ended.recv().await {
            self.on_ended(ended);
        }
    }

    fn on_datagram(&mut self, heard: Heard, buffer: &[u8]) {
        let Some(listener) = self.listeners.get(heard.listener) else { return };
        match request::judge(heard.from, buffer.get(..heard.length).unwrap_or_default()) {
            Judged::Read(read) => self.on_read(read, (heard.from, heard.listener)),
            Judged::Answer(packet) if self.library.is_ours(heard.from) => listener.answer(heard.from, &packet),
            Judged::Answer(_) => {
                debug!(client = %heard.from, "a TFTP client of no network that is served is not answered")
            }
            Judged::Silence(why) => debug!(client = %heard.from, why, "a TFTP datagram is left unanswered"),
        }
    }

    /// One that runs already is told to answer again; another file for the same port takes the old one's place.
    fn on_read(&mut self, read: Read, key: Key) {
        let Some(listener) = self.listeners.get(key.1) else { return };
        if let Some(active) = self.places.of(key).filter(|active| active.read == read) {
            // What is being opened will be answered anyway.
            if let Stage::Running(lane) = &active.stage {
                lane.repeat(key.0);
            }
            return;
        }
        match request::request(&read, key.0, listener.local) {
            Ok(_) if self.places.is_full(key, &self.limits) => self.warn_full(key.0),
            Ok(request) => self.open(request, read, key),
            Err(refusal) => {
                debug!(client = %key.0, ?refusal, "a TFTP file name is refused");
                if self.library.is_ours(key.0) {
                    listener.refuse(key.0, &refusal);
                }
            }
        }
    }

    fn open(&mut self, request: Request, read: Read, key: Key) {
        let Some(local) = self.listeners.get(key.1).map(|listener| listener.local) else { return };
        self.make_room(key);
        self.ids = self.ids.wrapping_add(1);
        let (id, library, limits) = (self.ids, self.library.clone(), self.limits);
        let opening = open(library, request.clone(), read.clone(), limits, local);
        let task = self.openings.spawn(opening);
        self.asked.insert(task.id(), (key, id, request, Instant::now()));
        self.places.insert(key, Active { id, read, stage: Stage::Opening(task) });
    }

    /// What the client asked for before is no longer wanted.
    fn make_room(&mut self, key: Key) {
        match self.places.remove(key).map(|active| active.stage) {
            Some(Stage::Opening(task)) => task.abort(),
            Some(Stage::Running(lane)) => lane.stop(key.0),
            None => {}
        }
    }

    fn on_opened(&mut self, opened: Result<(Id, Opened), JoinError>) {
        let task = opened.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some((key, id, request, started_at)) = self.asked.remove(&task) else { return };
        let is_wanted = self.places.of(key).is_some_and(|active| active.id == id);
        let ending = match opened {
            Ok((_, Opened { content: Ok(content), limits, read })) if is_wanted => {
                return self.start(Job { key, id, request, read, content, limits, started_at });
            }
            Ok((_, Opened { content: Err(ending), .. })) => ending,
            Ok(_) => Ending::Stopped,
            Err(failed) if failed.is_cancelled() => Ending::Stopped,
            Err(failed) => {
                error!(error = %failed, "a TFTP file could not be opened: this is a bug, please report it");
                return self.places.forget(key, id);
            }
        };
        if let (Ending::Refused(refusal), true, Some(listener)) = (&ending, is_wanted, self.listeners.get(key.1)) {
            listener.refuse(key.0, refusal);
        }
        let duration = started_at.elapsed();
        self.on_ended(Ended { key, id, outcome: Outcome { request, bytes: 0, duration, ending } });
    }

    fn start(&mut self, job: Job) {
        let (key, id) = (job.key, job.id);
        let Some(listener) = self.listeners.get_mut(key.1) else { return };
        let Some(lane) = listener.lane_for(key.0, id) else { return self.places.forget(key, id) };
        if let Some(active) = self.places.of_mut(key) {
            active.stage = Stage::Running(lane.clone());
        }
        if let Err(job) = lane.start(job) {
            debug!(client = %key.0, "a TFTP lane is held up and takes no transfer");
            let outcome =
                Outcome { request: job.request, bytes: 0, duration: job.started_at.elapsed(), ending: Ending::Stopped };
            self.on_ended(Ended { key, id, outcome });
        }
    }

    fn on_ended(&mut self, ended: Ended) {
        let Ended { key, id, outcome } = ended;
        if let Some(listener) = self.listeners.get_mut(key.1) {
            listener.turns.ended(key.0, id, Instant::now());
        }
        self.places.forget(key, id);
        self.library.ended(outcome);
    }

    /// Silence, not an error: the client asks again in a second, but an error sends it on to its disk.
    fn warn_full(&mut self, client: SocketAddr) {
        if self.warned_at.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            self.warned_at = Some(Instant::now());
            let transfers = self.places.active.len();
            warn!(%client, transfers, "too many TFTP transfers: new ones wait; look for clients that ask in a loop");
        }
    }
}

/// What the client repeats meanwhile is answered by what comes out.
async fn open<L: Library>(
    library: Arc<L>,
    request: Request,
    mut read: Read,
    limits: Limits,
    local: SocketAddr,
) -> Opened {
    let mut content = match timeout(limits.max_idle, library.open(request.clone())).await {
        Ok(opened) => opened.map_err(Ending::Refused),
        Err(_) => Err(Ending::TimedOut),
    };
    if read.is_netascii
        && let Ok(Some(text)) = content.as_ref().map(|content| content.as_netascii(&request.name))
    {
        content = Ok(text);
        // Its lines are longer on the way than in the client's file, which is what it asks the size for.
        read.options.retain(|(name, _)| !name.eq_ignore_ascii_case("tsize"));
    }
    let asks_size = read.options.iter().any(|(name, _)| name.eq_ignore_ascii_case("blksize"));
    let fitting = if asks_size && content.is_ok() { mtu::max_blksize(local, request.client) } else { SMALL_BLKSIZE };
    Opened { content, limits: limits.within(library.caps(&request), fitting), read }
}

/// Who has a place, and how many each address has.
#[derive(Default)]
struct Places {
    active: HashMap<Key, Active>,
    of_address: HashMap<IpAddr, usize>,
}

impl Places {
    fn of(&self, key: Key) -> Option<&Active> {
        self.active.get(&key)
    }

    fn of_mut(&mut self, key: Key) -> Option<&mut Active> {
        self.active.get_mut(&key)
    }

    /// The client whose transfer is about to be replaced does not count against itself.
    fn is_full(&self, key: Key, limits: &Limits) -> bool {
        let own = usize::from(self.active.contains_key(&key));
        let of_client = self.of_address.get(&key.0.ip()).copied().unwrap_or(0);
        of_client.saturating_sub(own) >= limits.max_transfers_per_client
            || self.active.len().saturating_sub(own) >= limits.max_transfers
    }

    fn insert(&mut self, key: Key, active: Active) {
        self.active.insert(key, active);
        let count = self.of_address.entry(key.0.ip()).or_default();
        *count = count.saturating_add(1);
    }

    fn remove(&mut self, key: Key) -> Option<Active> {
        let active = self.active.remove(&key)?;
        if let Some(count) = self.of_address.get_mut(&key.0.ip()) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_address.remove(&key.0.ip());
            }
        }
        Some(active)
    }

    /// Unless another transfer has taken its place.
    fn forget(&mut self, key: Key, id: u64) {
        if self.of(key).is_some_and(|active| active.id == id) {
            self.remove(key);
        }
    }
}

impl Listener {
    fn new(socket: UdpSocket, limits: Limits, outside: Outside) -> Result<Listener, Error> {
        let local = socket.local_addr()?;
        if local.ip().is_unspecified() {
            return Err(Error::NoAddress { at: local });
        }
        lane::enlarge(&socket);
        let mut ports: Box<dyn Iterator<Item = u16>> = match limits.ports {
            Some((first, last)) => Box::new(first..=last),
            None => Box::new(iter::repeat_n(0, LANES)),
        };
        let open = |_| Lane::open(local, &mut *ports, outside.clone()).map(Open::new);
        let lanes = (0..LANES).map(open).collect::<io::Result<_>>();
        let lanes = lanes.map_err(|source| Error::NoPort { at: local, source })?;
        Ok(Listener { socket, local, lanes, turns: Turns::new(spread()), outside, limits })
    }

    fn lane_for(&mut self, client: SocketAddr, id: u64) -> Option<Arc<Lane>> {
        let lane = self.turns.start(client, id, Instant::now());
        let open = self.lanes.get_mut(lane)?;
        if self.limits.ports.is_none() && open.at.elapsed() >= self.limits.ports_for {
            open.renew(self.local, self.outside.clone());
        }
        Some(open.lane.clone())
    }

    /// From the port of a transfer, as RFC 1350 §4 has it.
    fn refuse(&self, client: SocketAddr, refusal: &Refusal) {
        if let Some((packet, open)) = refusal.packet().zip(self.lanes.first()) {
            open.lane.answer(client, packet);
        }
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
