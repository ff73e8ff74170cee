//! Hundreds of clients at once behind one socket: each has its state, its habits and its patience, and the witness
//! hears of every promise that one of them takes.

use crate::oracle::{Oracle, Seen, now};
use crate::packet::{ACK, DECLINE, DISCOVER, NAK, OFFER, RELEASE, REQUEST, Said, Sent};
use kickstand::model::Mac;
use socket2::{Domain, Socket, Type};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// What clients like to do with an address, in shares of a thousand; what is left of it is to do nothing.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    pub renew: u32,
    pub rebind: u32,
    /// Starts again, and remembers its address.
    pub reboot: u32,
    /// Starts again, and remembers nothing.
    pub discover: u32,
    pub release: u32,
    pub decline: u32,
    /// How long they think about it.
    pub think_ms: (u64, u64),
}

impl Habits {
    pub const LIVELY: Habits =
        Habits { renew: 450, rebind: 100, reboot: 150, discover: 150, release: 60, decline: 5, think_ms: (20, 2000) };
    /// Some go away without a word, and their address goes to somebody else.
    pub const FICKLE: Habits = Habits { renew: 150, think_ms: (20, 8000), ..Habits::LIVELY };
}

#[derive(Debug, Clone)]
pub struct Client {
    pub mac: Mac,
    /// The relay that it sits behind.
    pub giaddr: Ipv4Addr,
    pub habits: Habits,
    state: State,
    lease: Option<Lease>,
    xid: u32,
    tries: u32,
    /// When its dialogue began.
    since: (Instant, i64),
    /// The last packet, to be sent again.
    last: Option<(Sent, To)>,
    /// Which of its timers counts.
    timer: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Idle,
    Selecting,
    Requesting { ip: Ipv4Addr, server: Ipv4Addr, from_offer: bool },
    Bound,
}

#[derive(Debug, Clone, Copy)]
pub struct Lease {
    pub ip: Ipv4Addr,
    pub server: Ipv4Addr,
    pub until: i64,
}

#[derive(Debug, Clone, Copy)]
enum To {
    All,
    One(Ipv4Addr),
}

impl Client {
    pub fn new(mac: Mac, giaddr: Ipv4Addr, habits: Habits) -> Client {
        let since = (Instant::now(), 0);
        let (state, xid, tries, timer) = (State::Idle, 0, 0, 0);
        Client { mac, giaddr, habits, state, lease: None, xid, tries, since, last: None, timer }
    }
}

/// A wire that is worse than any: packets come late, in another order, and more than once.
#[derive(Debug, Clone, Copy)]
pub struct Noise {
    pub twice_in: u32,
    pub late_ms: u64,
}

#[derive(Debug, Default, Clone)]
pub struct Counts {
    pub offers: u64,
    pub acks: u64,
    pub naks: u64,
    pub again: u64,
    /// Dialogues that no answer came to, however often it was asked.
    pub given_up: u64,
    pub released: u64,
    pub declined: u64,
    /// From the first packet of a dialogue to its ACK.
    pub took: Vec<Duration>,
}

impl Counts {
    pub fn centile(&self, share: usize) -> Duration {
        centile(&self.took, share)
    }
}

pub fn centile(took: &[Duration], share: usize) -> Duration {
    let mut sorted = took.to_vec();
    sorted.sort();
    sorted.get(sorted.len().saturating_sub(1) * share / 100).copied().unwrap_or_default()
}

/// When a packet leaves, so that the earliest is the greatest.
type Later = Reverse<(Instant, u64)>;

pub struct Crowd {
    pub clients: Vec<Client>,
    socket: UdpSocket,
    servers: Vec<SocketAddr>,
    pub noise: Option<Noise>,
    oracle: Oracle,
    by_xid: HashMap<u32, usize>,
    timers: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    later: BinaryHeap<Later>,
    parcels: HashMap<u64, (Vec<u8>, SocketAddr)>,
    pub counts: Counts,
    chance: u64,
    serial: u64,
}

/// How long a client waits for an answer, at first; each time twice as long, up to the last.
const PATIENCE: Duration = Duration::from_millis(250);
const PATIENCE_LAST: Duration = Duration::from_millis(1000);
const TRIES: u32 = 6;

impl Crowd {
    /// They ask from this address, all servers at once as a broadcast does.
    pub fn new(from: Ipv4Addr, servers: Vec<SocketAddr>, oracle: Oracle) -> Crowd {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        socket.set_recv_buffer_size(32 << 20).unwrap();
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let seed = std::env::var("TORTURE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(now() as u64);
        println!("TORTURE_SEED={seed}");
        Crowd {
            clients: Vec::new(),
            socket: socket.into(),
            servers,
            noise: None,
            oracle,
            by_xid: HashMap::new(),
            timers: BinaryHeap::new(),
            later: BinaryHeap::new(),
            parcels: HashMap::new(),
            counts: Counts::default(),
            chance: seed | 1,
            serial: 0,
        }
    }

    pub fn join(&mut self, client: Client) {
        self.clients.push(client);
        let wait = self.below(500);
        self.wake(self.clients.len() - 1, Duration::from_millis(wait));
    }

    pub fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    /// A number below this, by chance (xorshift).
    pub fn below(&mut self, end: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % end.max(1)
    }

    /// Lets them live for so long.
    pub fn live(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let heard = self.listen();
            let acted = self.act();
            if !heard && !acted {
                std::thread::sleep(Duration::from_micros(300));
            }
        }
    }

    /// What was sent before the server's end still counts.
    pub fn hear_the_rest(&mut self) {
        while self.listen() {}
    }

    fn listen(&mut self) -> bool {
        let mut buffer = [0; 1500];
        for count in 0..512 {
            // An answer to something sent to a dead server may be an error: no packet.
            let Ok(size) = self.socket.recv(&mut buffer) else { return count > 0 };
            if let Some(said) = Said::read(&buffer[..size]) {
                self.hear(&said);
            }
        }
        true
    }

    fn act(&mut self) -> bool {
        let now = Instant::now();
        let mut acted = false;
        while let Some(Reverse((_, serial))) = self.later.peek().filter(|Reverse((at, _))| *at <= now).copied() {
            self.later.pop();
            let (bytes, to) = self.parcels.remove(&serial).expect("each is sent once");
            let _ = self.socket.send_to(&bytes, to);
        }
        for _ in 0..256 {
            let Some(Reverse((_, timer, index))) = self.timers.peek().filter(|Reverse((at, ..))| *at <= now).copied()
            else {
                break;
            };
            self.timers.pop();
            if self.clients[index].timer == timer {
                self.due(index);
                acted = true;
            }
        }
        acted
    }

    fn wake(&mut self, index: usize, wait: Duration) {
        self.serial += 1;
        self.clients[index].timer = self.serial;
        self.timers.push(Reverse((Instant::now() + wait, self.serial, index)));
    }

    fn think(&mut self, index: usize) {
        let (least, most) = self.clients[index].habits.think_ms;
        let wait = least + self.below(most - least);
        self.wake(index, Duration::from_millis(wait));
    }

    fn due(&mut self, index: usize) {
        match self.clients[index].state {
            State::Idle => self.discover(index),
            State::Bound => self.choose(index),
            State::Selecting | State::Requesting { .. } => self.again(index),
        }
    }

    fn again(&mut self, index: usize) {
        let Client { tries, last, state, .. } = self.clients[index].clone();
        if tries >= TRIES {
            self.counts.given_up += 1;
            self.rest(
                index,
                if matches!(state, State::Requesting { from_offer: false, .. }) { State::Bound } else { State::Idle },
            );
            return;
        }
        self.counts.again += 1;
        self.clients[index].tries += 1;
        let (sent, to) = last.expect("it waits for an answer");
        self.send(&sent, to);
        self.wake(index, (PATIENCE * (1 << tries)).min(PATIENCE_LAST));
    }

    fn rest(&mut self, index: usize, state: State) {
        let client = &mut self.clients[index];
        self.by_xid.remove(&client.xid);
        client.state = state;
        if state == State::Idle {
            client.lease = None;
        }
        self.think(index);
    }

    fn begin(&mut self, index: usize, state: State, shape: impl Fn(Sent) -> Sent, to: To) {
        let xid = self.below(u64::from(u32::MAX)) as u32;
        let client = &mut self.clients[index];
        self.by_xid.remove(&client.xid);
        self.by_xid.insert(xid, index);
        let kind = if state == State::Selecting { DISCOVER } else { REQUEST };
        let sent = shape(Sent { giaddr: client.giaddr, ..Sent::new(kind, xid, client.mac) });
        (client.state, client.xid, client.tries) = (state, xid, 0);
        (client.since, client.last) = ((Instant::now(), now()), Some((sent, to)));
        self.send(&sent, to);
        self.wake(index, PATIENCE);
    }

    fn discover(&mut self, index: usize) {
        let wanted = self.clients[index].lease.map(|lease| lease.ip);
        self.begin(index, State::Selecting, |sent| Sent { wanted, ..sent }, To::All);
    }

    fn choose(&mut self, index: usize) {
        let Some(lease) = self.clients[index].lease.filter(|lease| lease.until > now()) else {
            return self.discover(index);
        };
        let Habits { renew, rebind, reboot, discover, release, decline, .. } = self.clients[index].habits;
        let Lease { ip, server, .. } = lease;
        let state = State::Requesting { ip, server, from_offer: false };
        let mut chance = self.below(1000) as u32;
        let mut is = |share: u32| {
            let hit = chance < share;
            chance = chance.wrapping_sub(share);
            hit
        };
        if is(renew) {
            self.begin(index, state, |sent| Sent { ciaddr: ip, ..sent }, To::One(server));
        } else if is(rebind) {
            self.begin(index, state, |sent| Sent { ciaddr: ip, ..sent }, To::All);
        } else if is(reboot) {
            self.begin(index, state, |sent| Sent { wanted: Some(ip), ..sent }, To::All);
        } else if is(discover) {
            self.discover(index);
        } else if is(release) {
            self.let_go(index, lease, RELEASE);
        } else if is(decline) {
            self.let_go(index, lease, DECLINE);
        } else {
            self.think(index);
        }
    }

    fn let_go(&mut self, index: usize, lease: Lease, kind: u8) {
        let Lease { ip, server, .. } = lease;
        let Client { mac, giaddr, .. } = self.clients[index];
        self.oracle.saw(Seen::LetGo { mac, ip });
        let sent = Sent { giaddr, server: Some(server), ..Sent::new(kind, 0, mac) };
        if kind == RELEASE {
            self.counts.released += 1;
            self.send(&Sent { ciaddr: ip, ..sent }, To::One(server));
        } else {
            self.counts.declined += 1;
            self.send(&Sent { wanted: Some(ip), ..sent }, To::All);
        }
        self.rest(index, State::Idle);
    }

    fn hear(&mut self, said: &Said) {
        let Some(index) = self.by_xid.get(&said.xid).copied().filter(|i| self.clients[*i].mac == said.mac) else {
            return;
        };
        match (said.kind, self.clients[index].state) {
            (OFFER, State::Selecting) => self.take_offer(index, said),
            (ACK, State::Requesting { ip, .. }) => {
                assert_eq!(said.ip, ip, "an ACK is for the address that was asked for");
                self.take_ack(index, said);
            }
            (NAK, State::Requesting { ip, .. }) => {
                self.counts.naks += 1;
                self.oracle.saw(Seen::Nakked { mac: said.mac, ip });
                self.rest(index, State::Idle);
            }
            _ => {}
        }
    }

    fn take_offer(&mut self, index: usize, said: &Said) {
        self.counts.offers += 1;
        let (ip, server, mac) = (said.ip, said.server, said.mac);
        self.oracle.saw(Seen::Offered { mac, ip });
        let Client { xid, giaddr, .. } = self.clients[index];
        let sent = Sent { giaddr, wanted: Some(ip), server: Some(server), ..Sent::new(REQUEST, xid, mac) };
        let client = &mut self.clients[index];
        (client.state, client.tries) = (State::Requesting { ip, server, from_offer: true }, 0);
        (client.last, client.since.1) = (Some((sent, To::All)), now());
        self.send(&sent, To::All);
        self.wake(index, PATIENCE);
    }

    /// RFC 2131 §4.4.1: a lease runs from when the REQUEST was sent, the first one of it here.
    fn take_ack(&mut self, index: usize, said: &Said) {
        let client = &mut self.clients[index];
        let until = client.since.1 + i64::from(said.lease_secs) * 1_000_000;
        client.lease = Some(Lease { ip: said.ip, server: said.server, until });
        self.counts.acks += 1;
        self.counts.took.push(client.since.0.elapsed());
        self.oracle.saw(Seen::Acked { mac: said.mac, ip: said.ip, until });
        self.rest(index, State::Bound);
    }

    fn send(&mut self, sent: &Sent, to: To) {
        let bytes = sent.bytes();
        let one = |ip: Ipv4Addr| move |server: &&SocketAddr| server.ip() == ip;
        let targets: Vec<_> = match to {
            To::All => self.servers.clone(),
            To::One(ip) => self.servers.iter().filter(one(ip)).copied().collect(),
        };
        for target in targets {
            let Some(Noise { twice_in, late_ms }) = self.noise else {
                let _ = self.socket.send_to(&bytes, target);
                continue;
            };
            let copies = 1 + u32::from(self.below(u64::from(twice_in)) == 0);
            for _ in 0..copies {
                let late = Duration::from_micros(self.below(late_ms * 1000));
                self.serial += 1;
                self.parcels.insert(self.serial, (bytes.clone(), target));
                self.later.push(Reverse((Instant::now() + late, self.serial)));
            }
        }
    }
}
