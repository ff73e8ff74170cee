//! Killed in the middle of its work, again and again, the server keeps every promise that a client was given.

use crate::crowd::{Crowd, Habits, centile};
use crate::estate::{Estate, PROBE, ip};
use crate::oracle::{Oracle, Seen, Verdict};
use crate::packet::{DISCOVER, OFFER, Said, Sent};
use crate::server::{Folder, Server};
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

const ESTATE: Estate =
    Estate { reserved: 1200, pooled: 1200, strangers: 300, machines_pool: 2048, strangers_pool: 200 };

const AGAIN_LIMIT: Duration = Duration::from_secs(1);

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
        ESTATE.furnish(&server);
        server.kill();
        server.shorten_leases(600, 3);
        server.start();
        server.ready();
        let oracle = Oracle::start(&folder.join("promises.log"), ESTATE.records(), 1);
        let mut crowd = Crowd::new(ip(0, 2), vec![server.dhcp], oracle);
        ESTATE.move_in(&mut crowd, Habits::LIVELY, Habits::FICKLE);
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
        if kill % 50 == 0 {
            torture.server.lift_holds();
        }
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
