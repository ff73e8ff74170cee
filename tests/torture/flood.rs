//! A flood of invented cards: registered machines are served all the same, and neither the disk nor memory fills.

use crate::crowd::{Crowd, Habits};
use crate::estate::{Estate, ip};
use crate::oracle::Oracle;
use crate::packet::{DISCOVER, Sent};
use crate::server::{Folder, Server};
use kickstand::model::Mac;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

const ESTATE: Estate = Estate { reserved: 200, pooled: 200, strangers: 0, machines_pool: 400, strangers_pool: 8000 };
const CALM: Habits = Habits { release: 0, decline: 0, discover: 250, think_ms: (200, 4000), ..Habits::LIVELY };
const PER_SECOND: u64 = 5000;
const P99_LIMIT: Duration = Duration::from_secs(2);
/// Of invented cards the last few thousand are remembered, however many come.
const GROWTH_LIMIT: u64 = 48 << 20;
const RSS_LIMIT: u64 = 96 << 20;

#[derive(Default)]
struct Tally {
    sent: AtomicU64,
    offered: AtomicU64,
    stop: AtomicBool,
}

/// DISCOVERs at an even pace, each from a card that was never seen.
fn flood(to: SocketAddr, tally: Arc<Tally>) -> JoinHandle<()> {
    let socket = UdpSocket::bind((ip(0, 5), 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    spawn(move || {
        let (begun, mut buffer) = (Instant::now(), [0; 1500]);
        while !tally.stop.load(Ordering::Relaxed) {
            let due = u64::try_from(begun.elapsed().as_micros()).unwrap() * PER_SECOND / 1_000_000;
            for n in tally.sent.load(Ordering::Relaxed)..due {
                let random = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
                let mac = Mac([2, random[0], random[1], random[2], random[3], random[4]]);
                let _ = socket.send_to(&Sent::new(DISCOVER, n as u32, mac).bytes(), to);
            }
            tally.sent.fetch_max(due, Ordering::Relaxed);
            while socket.recv(&mut buffer).is_ok() {
                tally.offered.fetch_add(1, Ordering::Relaxed);
            }
            sleep(Duration::from_millis(2));
        }
    })
}

fn database_bytes(folder: &Path) -> u64 {
    let size = |name: &str| std::fs::metadata(folder.join(name)).map_or(0, |file| file.len());
    ["kickstand.db", "kickstand.db-wal"].into_iter().map(size).sum()
}

fn flooded(count: u64) {
    let folder = Folder::new();
    let mut server = Server::on_loopback(folder.path(), ip(0, 1), None);
    server.start();
    server.ready();
    ESTATE.furnish(&server);
    let oracle = Oracle::start(&folder.path().join("promises.log"), ESTATE.records(), 1);
    let mut crowd = Crowd::new(ip(0, 2), vec![server.dhcp], oracle);
    ESTATE.move_in(&mut crowd, CALM, CALM);
    crowd.live(Duration::from_secs(2));
    let (disk, memory) = (database_bytes(folder.path()), server.memory_bytes());
    (crowd.counts.took, crowd.counts.acks) = (Vec::new(), 0);
    let tally = Arc::new(Tally::default());
    let flood = flood(server.dhcp, tally.clone());
    crowd.live(Duration::from_secs(count / PER_SECOND));
    tally.stop.store(true, Ordering::Relaxed);
    flood.join().unwrap();
    let (grown, rss) = (database_bytes(folder.path()).saturating_sub(disk), server.memory_bytes());
    let (sent, offered) = (tally.sent.load(Ordering::Relaxed), tally.offered.load(Ordering::Relaxed));
    let counts = crowd.counts.clone();
    println!(
        "{sent} invented cards, {offered} offers to them; meanwhile {} leases of machines acknowledged, {} asked again, \
         {} given up, {} refused, p50 {:?}, p99 {:?}; the database grew by {} KiB, memory from {} to {} KiB",
        counts.acks,
        counts.again,
        counts.given_up,
        counts.naks,
        counts.centile(50),
        counts.centile(99),
        grown >> 10,
        memory >> 10,
        rss >> 10
    );
    crowd.oracle().settle().assert_clean();
    assert!(sent >= count * 9 / 10, "the flood was none: {sent}");
    assert!(offered > 0, "no stranger was heard");
    assert!(counts.acks > sent / 1000, "the load was no load");
    assert_eq!((counts.given_up, counts.naks), (0, 0), "a registered machine went without");
    assert!(counts.centile(99) < P99_LIMIT, "{:?}", counts.centile(99));
    assert!(grown < GROWTH_LIMIT, "the database grew by {grown} bytes");
    assert!(rss.saturating_sub(memory) < RSS_LIMIT, "memory grew from {memory} to {rss} bytes");
}

#[test]
#[ignore = "torture: make test, make torture"]
fn a_flood_of_invented_cards_hurts_no_machine() {
    flooded(if std::env::var("TORTURE").is_ok() { 1_000_000 } else { 100_000 });
}
