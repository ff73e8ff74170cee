//! A disk that fails to sync: what was not certainly written was promised to nobody, and the server ends by itself.

use crate::crowd::{Crowd, Habits};
use crate::estate::{Estate, ip};
use crate::oracle::{Oracle, Seen};
use crate::server::{Folder, Server};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

const ESTATE: Estate = Estate { reserved: 100, pooled: 400, strangers: 100, machines_pool: 500, strangers_pool: 200 };
const END_LIMIT: Duration = Duration::from_secs(5);

/// What a trace says of the write-ahead log.
#[derive(Debug, Default)]
struct Trace {
    /// Written after the last sync that went well: where, and how much.
    unsynced: Vec<(u64, usize)>,
    syncs: usize,
    failed: bool,
}

impl Trace {
    fn read(path: &Path) -> Trace {
        let mut trace = Trace::default();
        for line in std::fs::read_to_string(path).unwrap().lines() {
            if line.contains("(INJECTED)") {
                // What its closing syncs afterwards is another matter: nothing of this write is in it.
                trace.failed = true;
                break;
            } else if line.contains("sync(") && line.ends_with("= 0") {
                trace.syncs += 1;
                trace.unsynced.clear();
            } else if let Some(written) = written(line) {
                trace.unsynced.push(written);
            }
        }
        trace
    }

    /// What a power cut leaves of a write that was never synced.
    fn lose(&self, log: &Path) {
        let Ok(file) = OpenOptions::new().write(true).open(log) else { return };
        self.unsynced.iter().for_each(|(at, size)| file.write_all_at(&vec![0; *size], *at).unwrap());
    }
}

/// `7 pwrite64(12</…/kickstand.db-wal>, ""..., 4096, 32) = 4096`
fn written(line: &str) -> Option<(u64, usize)> {
    let (call, size) = line.split_once("pwrite64(")?.1.rsplit_once(") = ")?;
    Some((call.rsplit_once(", ")?.1.parse().ok()?, size.parse().ok()?))
}

/// The sync of this number fails, in whichever thread writes.
fn sync_fails(nth: usize) {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name);
    let (log, traced) = (path("kickstand.db-wal"), path("trace"));
    let mut server = Server::on_loopback(folder.path(), ip(0, 1), None);
    server.start();
    server.ready();
    ESTATE.furnish(&server);
    server.kill();
    let words = format!(
        "strace -f -y -s 0 --seccomp-bpf -P {} -o {} -e trace=pwrite64,fdatasync,fsync -e inject=fdatasync,fsync:error=EIO:when={nth}",
        log.display(),
        traced.display()
    );
    server.before = words.split(' ').map(str::to_owned).collect();
    server.start();
    server.ready();
    let oracle = Oracle::start(&path("promises.log"), ESTATE.records(), 1);
    let mut crowd = Crowd::new(ip(0, 2), vec![server.dhcp], oracle);
    ESTATE.move_in(&mut crowd, Habits::LIVELY, Habits::LIVELY);
    let begun = Instant::now();
    while !has_failed(&traced) {
        assert!(begun.elapsed() < Duration::from_secs(60) && !server.has_ended(), "no sync failed: {}", server.log());
        crowd.live(Duration::from_millis(5));
    }
    let failed_at = Instant::now();
    while !server.has_ended() {
        assert!(failed_at.elapsed() < END_LIMIT, "it goes on after a failed sync: {}", server.log());
        crowd.live(Duration::from_millis(5));
    }
    crowd.hear_the_rest();
    let ended = failed_at.elapsed();
    let trace = Trace::read(&traced);
    trace.lose(&log);
    let before = crowd.counts.acks;
    server.before.clear();
    server.start();
    server.ready();
    crowd.oracle().saw(Seen::Known { leases: server.leases() });
    crowd.live(Duration::from_millis(1500));
    println!(
        "sync {nth} failed after {} that went well and {before} ACKs: ended by itself within {ended:?}; {} writes \
         were lost with it; {} ACKs after the restart",
        trace.syncs,
        trace.unsynced.len(),
        crowd.counts.acks - before
    );
    crowd.oracle().settle().assert_clean();
    assert!(trace.failed && !trace.unsynced.is_empty(), "{trace:?}");
    assert!(before > 0 && crowd.counts.acks > before + 100, "the load was no load: {before}");
}

fn has_failed(traced: &Path) -> bool {
    std::fs::read_to_string(traced).unwrap_or_default().contains("(INJECTED)")
}

#[test]
#[ignore = "torture: make test, make torture"]
fn after_a_sync_that_failed_nothing_more_is_promised() {
    [20, 60, 150].into_iter().for_each(sync_fails);
}
