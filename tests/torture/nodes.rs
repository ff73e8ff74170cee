//! Two servers on one PostgreSQL, which hear the same wire: together they are as good as one, and the one that
//! loses the database is careful.

use crate::crowd::{Crowd, Habits, Noise};
use crate::estate::{Estate, PROBE, ip};
use crate::line::{Line, State};
use crate::oracle::{Oracle, Seen, now};
use crate::packet::{ACK, BIOS, DISCOVER, OFFER, REQUEST, Said, Sent, UEFI};
use crate::postgres::Fresh;
use crate::server::{Folder, Server};
use kickstand::model::Mac;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// As many as fit, and more strangers than addresses: whoever is slower must not get what the other node gave away.
const ESTATE: Estate = Estate { reserved: 250, pooled: 350, strangers: 150, machines_pool: 380, strangers_pool: 100 };
/// Machines with an address from the pool, who ask one node alone beside the crowd: one from the beginning, and
/// those who come while it is lost and after.
const LONER: Mac = Mac([0x52, 0x54, 0, 9, 0, 1]);
const LATE: Mac = Mac([0x52, 0x54, 0, 9, 0, 2]);
const STRANGER: Mac = Mac([0x52, 0x54, 0, 9, 1, 1]);
const HEALED: Duration = Duration::from_secs(5);

struct Pair {
    database: Fresh,
    lines: [Line; 2],
    nodes: [Server; 2],
    crowd: Crowd,
    _folders: [Folder; 2],
}

impl Pair {
    fn begin() -> Pair {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let database = runtime.block_on(Fresh::make());
        let lines = [(); 2].map(|()| Line::lay(&database.server));
        let folders = [(); 2].map(|()| Folder::new());
        let url = |at: usize| format!("postgres://kickstand@127.0.0.1:{}/{}", lines[at].port, database.called);
        let node = |at: usize| Server::on_loopback(folders[at].path(), ip(0, 1 + at as u8), Some(&url(at)));
        let mut nodes = [node(0), node(1)];
        nodes[0].start();
        nodes[0].ready();
        ESTATE.furnish(&nodes[0]);
        arm(&nodes[0]);
        let short = "UPDATE networks SET dhcp = jsonb_set(dhcp::jsonb, '{unknown_lease_secs}', '4')::text";
        nodes[0].kill();
        runtime.block_on(Fresh { server: database.url(), called: String::new() }.say(short.into()));
        nodes.iter_mut().for_each(Server::start);
        nodes.iter_mut().for_each(Server::ready);
        let oracle = Oracle::start(&folders[0].path().join("promises.log"), ESTATE.records(), 2);
        let mut crowd = Crowd::new(ip(0, 3), nodes.iter().map(|node| node.dhcp).collect(), oracle);
        // Two nodes, and nearly every packet reaches each of them more than once.
        let calm = Habits { think_ms: (50, 15_000), ..Habits::LIVELY };
        ESTATE.move_in(&mut crowd, calm, Habits { think_ms: (50, 15_000), ..Habits::FICKLE });
        Pair { database, lines, nodes, crowd, _folders: folders }
    }

    /// Both know the same in the end, and it is what clients were promised.
    fn agree(&mut self) {
        let (start, end) = (Instant::now(), Instant::now() + Duration::from_secs(60));
        // What is renewed by a record alone is each node's own memory.
        let records = ESTATE.records();
        let sorted = |node: &Server| {
            let mut all: Vec<_> = node.leases().into_iter().filter(|l| !records.contains_key(&l.ip)).collect();
            all.sort_by_key(|lease| (lease.ip, lease.mac));
            all
        };
        let mut known = self.nodes.each_ref().map(sorted);
        while known[0] != known[1] {
            let [one, two] = &known;
            let other: Vec<_> = one.iter().filter(|lease| !two.contains(lease)).collect();
            let its = other.first().and_then(|lease| two.iter().find(|its| its.ip == lease.ip));
            assert!(Instant::now() < end, "{} of {} differ: {:?} {its:?}", other.len(), one.len(), other.first());
            known = self.nodes.each_ref().map(sorted);
        }
        println!("both know the same after {:?}", start.elapsed());
        let [leases, _] = known;
        assert!(leases.len() > 300, "{} leases", leases.len());
        self.crowd.oracle().saw(Seen::Known { leases });
        self.crowd.oracle().settle().assert_clean();
    }

    fn end(mut self) {
        self.nodes.iter_mut().for_each(Server::kill);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.database.drop());
    }
}

/// The machine with the address of its own waits for its installation, and two more live beside the crowd.
fn arm(node: &Server) {
    node.add("keys", json!({"name": "web"}));
    let files = json!({"mirror_host": "mirror.example"});
    let distro =
        json!({"name": "debian", "family": "debian", "kernel": "kernel", "initrd": "kernel", "variables": files});
    node.add("distros", distro);
    node.add("profiles", json!({"name": "web", "distro": "debian", "key": "web"}));
    node.add("ranges", json!({"name": "rack", "span": format!("{0}-{0}", ip(0, 9)), "profile": "web"}));
    node.add_machines([("loner".into(), LONER, None), ("late".into(), LATE, None)].into_iter());
    node.api("POST", "machines/probe/arm", Value::Null);
}

/// Who asks one node.
struct Loner {
    socket: UdpSocket,
    node: SocketAddr,
    xid: u32,
}

impl Loner {
    fn new(node: SocketAddr) -> Loner {
        let socket = UdpSocket::bind((ip(0, 4), 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
        Loner { socket, node, xid: 0 }
    }

    /// The answer, or silence.
    fn ask(&mut self, sent: Sent) -> Option<Said> {
        self.xid += 1;
        self.socket.send_to(&Sent { xid: self.xid, ..sent }.bytes(), self.node).unwrap();
        let mut buffer = [0; 1500];
        while let Ok(size) = self.socket.recv(&mut buffer) {
            let said = Said::read(&buffer[..size]).filter(|said| said.xid == self.xid);
            if said.is_some() {
                return said;
            }
        }
        None
    }

    /// As a client does: it asks again when nothing comes. The node has much to take back at the moment of a loss.
    fn insist(&mut self, sent: Sent) -> Option<Said> {
        (0..5).find_map(|_| self.ask(sent))
    }

    fn discover(&mut self, mac: Mac, rom: Option<u16>) -> Option<Said> {
        self.ask(Sent { rom, ..Sent::new(DISCOVER, 0, mac) }).inspect(|said| assert_eq!(said.kind, OFFER))
    }

    /// A whole dialogue, and until when its address is the client's.
    fn lease(&mut self, mac: Mac) -> Option<(Ipv4Addr, i64)> {
        let offer = self.discover(mac, None)?;
        let asked_at = now();
        let wanted = Sent { wanted: Some(offer.ip), server: Some(offer.server), ..Sent::new(REQUEST, 0, mac) };
        let ack = self.ask(wanted).filter(|said| said.kind == ACK)?;
        Some((ack.ip, asked_at + i64::from(ack.lease_secs) * 1_000_000))
    }

    /// What iPXE reads, from the address of the machine that waits for its installation.
    fn script(&self) -> String {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((ip(0, 9), 0)).into()).unwrap();
        socket.connect(&SocketAddr::from((self.node.ip(), 8080)).into()).unwrap();
        let mut stream = std::net::TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        let name = PROBE.to_string().replace(':', "-");
        write!(stream, "GET /boot/{name}/script.ipxe HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }
}

fn report(what: &str, crowd: &Crowd) {
    let counts = &crowd.counts;
    println!(
        "{what}: {} leases acknowledged ({} offers, {} refused, {} released, {} asked again); p50 {:?}, p99 {:?}",
        counts.acks,
        counts.offers,
        counts.naks,
        counts.released,
        counts.again,
        counts.centile(50),
        counts.centile(99)
    );
}

fn seconds(usual: u64, long: u64) -> Duration {
    Duration::from_secs(if std::env::var("TORTURE").is_ok() { long } else { usual })
}

#[test]
#[ignore = "torture: make test, make torture"]
fn two_nodes_on_one_wire_give_nothing_twice() {
    let mut pair = Pair::begin();
    pair.crowd.noise = Some(Noise { twice_in: 3, late_ms: 8 });
    pair.crowd.live(seconds(20, 600));
    report("two nodes, every packet to both, late and twice", &pair.crowd);
    pair.crowd.noise = None;
    pair.crowd.live(Duration::from_millis(200));
    pair.crowd.hear_the_rest();
    pair.agree();
    assert!(pair.crowd.counts.acks > 500, "the load was no load");
    pair.end();
}

/// It knows that it lost the database: from then on it promises nothing new.
fn knows(loner: &mut Loner, crowd: &mut Crowd) -> Duration {
    let since = Instant::now();
    while loner.discover(STRANGER, None).is_some() {
        assert!(since.elapsed() < Duration::from_secs(15), "it goes on as if nothing had happened");
        crowd.live(Duration::from_millis(100));
    }
    since.elapsed()
}

/// What is known to be written may be used to its end, and not a second longer; known machines go to their own
/// disk, and the rest hears nothing.
fn is_careful(loner: &mut Loner, (leased, until): (Ipv4Addr, i64)) {
    let renew = Sent { ciaddr: leased, ..Sent::new(REQUEST, 0, LONER) };
    let ack = loner.insist(renew).expect("what is written is renewed");
    assert_eq!((ack.kind, ack.ip), (ACK, leased));
    let left = until - now() + 1_000_000;
    assert!(ack.lease_secs > 0 && i64::from(ack.lease_secs) * 1_000_000 <= left, "{} s of {left}", ack.lease_secs);
    let asks = |rom| Sent { rom: Some(rom), ..Sent::new(DISCOVER, 0, PROBE) };
    let bios = loner.insist(asks(BIOS)).expect("its address is its own");
    assert_eq!((bios.kind, bios.ip, bios.file.as_str()), (OFFER, ip(0, 9), ""));
    assert!(bios.options.iter().all(|(code, _)| *code != 67), "a file is named: {bios:?}");
    let uefi = loner.insist(asks(UEFI)).expect("its address is its own");
    assert_eq!((uefi.kind, uefi.ip, uefi.file.as_str()), (OFFER, ip(0, 9), "own-disk"));
    let script = loner.script();
    assert!(!script.contains("\nkernel") && !script.contains("\ninitrd"), "an installer: {script}");
    assert_eq!(loner.discover(LATE, None), None, "a machine that it gave nothing yet");
    assert_eq!(loner.discover(STRANGER, None), None);
    let remembers = Sent { wanted: Some(leased), ..Sent::new(REQUEST, 0, LATE) };
    assert_ne!(loner.ask(remembers).map(|said| said.kind), Some(ACK), "it is another's");
}

/// A client asks again when another node gave away what it was offered.
fn soon(loner: &mut Loner, crowd: &mut Crowd) -> (Ipv4Addr, i64) {
    let leased = (0..10).find_map(|_| {
        crowd.live(Duration::from_millis(200));
        loner.lease(LONER)
    });
    leased.expect("an address")
}

/// The database falls out of one node's sight, and comes back.
fn lose_the_database(how: State) {
    let mut pair = Pair::begin();
    let mut loner = Loner::new(pair.nodes[0].dhcp);
    pair.crowd.live(Duration::from_secs(4));
    let leased = soon(&mut loner, &mut pair.crowd);
    let file = |said: Option<Said>| said.expect("an offer").file;
    assert_eq!(file(loner.discover(PROBE, Some(BIOS))), "undionly.kpxe", "an installer waits for it");
    assert_eq!(file(loner.discover(PROBE, Some(UEFI))), "snponly.efi");
    loner.lease(PROBE).expect("its own address");
    pair.lines[0].set(how);
    let before = pair.crowd.counts.acks;
    let known = knows(&mut loner, &mut pair.crowd);
    is_careful(&mut loner, leased);
    let middle = pair.crowd.counts.acks;
    pair.crowd.live(seconds(5, 60));
    is_careful(&mut loner, leased);
    let after = pair.crowd.counts.acks;
    pair.lines[0].set(State::Open);
    let healing = Instant::now();
    while loner.lease(LATE).is_none() {
        assert!(healing.elapsed() < HEALED, "it does not serve again");
        pair.crowd.live(Duration::from_millis(20));
    }
    let healed = healing.elapsed();
    println!(
        "{how:?}: known after {known:?} ({} acknowledged meanwhile), then {} acknowledged, healed after {healed:?}",
        middle - before,
        after - middle
    );
    assert!(healed < HEALED && after - middle > 100, "{} of the other node", after - middle);
    pair.crowd.live(Duration::from_secs(2));
    report("one node without a database for a while", &pair.crowd);
    pair.crowd.hear_the_rest();
    pair.agree();
    assert_eq!(file(loner.discover(PROBE, Some(BIOS))), "undionly.kpxe");
    let script = loner.script();
    assert!(script.contains("\nkernel"), "the installer that it waited for: {script}");
    pair.end();
}

#[test]
#[ignore = "torture: make test, make torture"]
fn a_node_that_hears_nothing_of_its_database_is_careful() {
    lose_the_database(State::Silent);
}

#[test]
#[ignore = "torture: make test, make torture"]
fn a_node_that_is_cut_off_its_database_is_careful() {
    lose_the_database(State::Cut);
}
