//! Killed in the middle of its work, again and again, the server keeps every promise that a client was given.

use crate::crowd::{Client, Crowd, Habits, centile};
use crate::oracle::{Oracle, Seen, Verdict};
use crate::packet::{DISCOVER, OFFER, Said, Sent};
use crate::server::{Folder, Server, block};
use kickstand::model::Mac;
use serde_json::json;
use std::collections::HashMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

/// Machines with an address of their own, machines that have theirs from the pool, strangers, with leases of a
/// few seconds, and half as many of the last two behind a relay.
const RESERVED: u16 = 1200;
const POOLED: u16 = 1200;
const STRANGERS: u16 = 300;
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

const AGAIN_LIMIT: Duration = Duration::from_secs(1);

fn ip(third: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, block(), third, last)
}

fn mac(kind: u8, n: u16) -> Mac {
    let [high, low] = n.to_be_bytes();
    Mac([0x52, 0x54, 0, kind, high, low])
}

fn reserved_ip(n: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(ip(8, 1)) + u32::from(n))
}

const OWN: u8 = 1;
const POOL: u8 = 2;
const STRANGE: u8 = 3;
const FAR: u8 = 4;
const FAR_STRANGE: u8 = 5;
/// Asks whether the server serves, and does nothing else.
const PROBE: Mac = Mac([0x52, 0x54, 0, 9, 9, 9]);

struct Torture {
    server: Server,
    crowd: Crowd,
    prober: UdpSocket,
    xid: u32,
    /// From exec to the first OFFER.
    again: Vec<Duration>,
}

impl Torture {
    fn begin(folder: &Path) -> Torture {
        let mut server = Server::on_loopback(folder, ip(0, 1), None);
        server.start();
        server.ready();
        furnish(&server);
        server.kill();
        server.shorten_leases(600, 3);
        server.start();
        server.ready();
        let mut reserved: HashMap<_, _> = (0..RESERVED).map(|n| (reserved_ip(n), mac(OWN, n))).collect();
        reserved.insert(ip(0, 9), PROBE);
        let oracle = Oracle::start(&folder.join("promises.log"), reserved);
        let mut crowd = Crowd::new(ip(0, 2), vec![server.dhcp], oracle);
        let mut join = |kind, count, giaddr, habits| {
            (0..count).for_each(|n| crowd.join(Client::new(mac(kind, n), giaddr, habits)));
        };
        let here = Ipv4Addr::UNSPECIFIED;
        join(OWN, RESERVED, here, Habits::LIVELY);
        join(POOL, POOLED, here, Habits::LIVELY);
        join(FAR, POOLED / 2, RELAY, Habits::LIVELY);
        // Some go away without a word, and their address goes to somebody else.
        let fickle = Habits { renew: 150, think_ms: (20, 8000), ..Habits::LIVELY };
        join(STRANGE, STRANGERS, here, fickle);
        join(FAR_STRANGE, STRANGERS / 2, RELAY, fickle);
        let prober = UdpSocket::bind((ip(0, 3), 0)).unwrap();
        prober.set_read_timeout(Some(Duration::from_millis(3))).unwrap();
        Torture { server, crowd, prober, xid: 1, again: Vec::new() }
    }

    /// Until the first OFFER; those of an earlier life do not count.
    fn serving(&mut self) {
        let (mut buffer, before) = ([0; 1500], self.xid);
        loop {
            assert!(!self.server.has_ended(), "it ended by itself: {}", self.server.log());
            assert!(
                self.server.started.elapsed() < Duration::from_secs(20),
                "it does not serve: {}",
                self.server.log()
            );
            self.xid += 1;
            let _ = self.prober.send_to(&Sent::new(DISCOVER, self.xid, PROBE).bytes(), self.server.dhcp);
            let Ok(size) = self.prober.recv(&mut buffer) else { continue };
            if Said::read(&buffer[..size]).is_some_and(|said| said.kind == OFFER && said.xid > before) {
                return;
            }
        }
    }

    /// Started again, asked what it knows, and put to work for so long.
    fn cycle(&mut self, work: Duration) {
        self.server.start();
        self.serving();
        self.again.push(self.server.started.elapsed());
        self.crowd.oracle().saw(Seen::Note(format!("serves again, kill {}", self.again.len())));
        self.crowd.oracle().saw(Seen::Known { leases: self.server.leases() });
        self.crowd.live(work);
        self.kill();
    }

    fn kill(&mut self) {
        self.server.kill();
        self.crowd.hear_the_rest();
    }

    fn verdict(&self) -> Verdict {
        self.crowd.oracle().settle()
    }

    fn report(&self, what: &str) {
        let counts = &self.crowd.counts;
        println!(
            "{what}: {} kills, {} leases acknowledged ({} offers, {} refused, {} released, {} declined), \
             serving again p50 {:?}, p99 {:?}, max {:?}; a dialogue p50 {:?}, p99 {:?}",
            self.again.len(),
            counts.acks,
            counts.offers,
            counts.naks,
            counts.released,
            counts.declined,
            centile(&self.again, 50),
            centile(&self.again, 99),
            centile(&self.again, 100),
            counts.centile(50),
            counts.centile(99),
        );
    }
}

fn furnish(server: &Server) {
    let span = |from: Ipv4Addr, to: Ipv4Addr, whom: &str| format!("{from}-{to}={whom}");
    let lan = json!({
        "name": "lan", "cidr": format!("{}/16", ip(0, 0)), "unknown": "show", "lease_secs": 600,
        "pools": [span(ip(32, 0), ip(39, 255), "machines"), span(ip(64, 1), ip(64, 200), "unknown")],
        "dhcp": {"authoritative": true, "probe": false},
    });
    server.add("networks", lan);
    let far = |third, last| Ipv4Addr::new(10, 99, third, last);
    let far = json!({
        "name": "far", "cidr": "10.99.0.0/16", "unknown": "show", "lease_secs": 600,
        "pools": [span(far(32, 0), far(35, 255), "machines"), span(far(64, 1), far(64, 100), "unknown")],
        "dhcp": {"authoritative": true, "probe": false, "relays": [format!("{RELAY}/32")]},
    });
    server.add("networks", far);
    let name = |kind: &str, n: u16| format!("{kind}-{n}");
    let own = (0..RESERVED).map(|n| (name("own", n), mac(OWN, n), Some(reserved_ip(n))));
    let pooled = (0..POOLED).map(|n| (name("pooled", n), mac(POOL, n), None));
    let far = (0..POOLED / 2).map(|n| (name("far", n), mac(FAR, n), None));
    let probe = ("probe".to_owned(), PROBE, Some(ip(0, 9)));
    server.add_machines(own.chain(pooled).chain(far).chain([probe]));
}

fn kills(usual: usize) -> usize {
    std::env::var("KILLS").map_or(usual, |text| text.parse().expect("KILLS is a number"))
}

/// Kills, until the number is reached or, in `make torture`, the time is over.
fn kill_loop(kills: usize) {
    let folder = Folder::new();
    let mut torture = Torture::begin(folder.path());
    torture.crowd.live(Duration::from_millis(1000));
    torture.kill();
    let begun = Instant::now();
    for kill in 1..=kills {
        if torture.crowd.below(8) == 0 {
            // Before it is ready, in the middle of finding out where it was.
            torture.server.start();
            std::thread::sleep(Duration::from_millis(torture.crowd.below(150)));
            torture.server.kill();
        }
        let work = Duration::from_millis(30 + torture.crowd.below(500));
        torture.cycle(work);
        if kill % 100 == 0 || !torture.verdict().is_clean() {
            torture.report(&format!("{:?}", begun.elapsed()));
            torture.verdict().assert_clean();
        }
    }
    torture.report("the kill loop");
    let verdict = torture.verdict();
    verdict.assert_clean();
    let enough = kills as u64 * 20;
    assert!(verdict.acks > enough, "the load was no load: {} ACKs in {kills} kills", verdict.acks);
    let slowest = centile(&torture.again, 100);
    assert!(slowest <= AGAIN_LIMIT, "it took {slowest:?} to serve again");
}

#[test]
#[ignore = "torture: make test, or KILLS=10000 make torture"]
fn no_promise_is_lost_by_a_kill() {
    kill_loop(kills(200));
}

/// What a server is that answers before it has written: the file of an earlier moment.
#[test]
#[ignore = "torture: make test"]
fn the_witness_sees_a_promise_that_was_not_kept() {
    let folder = Folder::new();
    let mut torture = Torture::begin(folder.path());
    torture.crowd.live(Duration::from_millis(500));
    torture.kill();
    torture.cycle(Duration::from_millis(300));
    torture.verdict().assert_clean();
    let files = || ["kickstand.db", "kickstand.db-wal"].map(|name| folder.path().join(name));
    let before = files().map(|file| std::fs::read(file).unwrap_or_default());
    torture.cycle(Duration::from_millis(300));
    torture.verdict().assert_clean();
    files().iter().zip(before).for_each(|(file, bytes)| std::fs::write(file, bytes).unwrap());
    torture.cycle(Duration::from_millis(2000));
    let Verdict { acks, lost, duplicate } = torture.verdict();
    println!("of {acks} promises {} are seen to be lost, {} to be given twice", lost.len(), duplicate.len());
    assert!(!lost.is_empty(), "the witness is blind");
}
