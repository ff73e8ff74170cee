//! How long it takes to roll back thousands of machines, and how long others wait for it: measured by hand.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinHandle;

const MACHINES: u32 = 10_000;
const CHANGED: u32 = 5_000;

/// Somebody who gets a lease every few milliseconds, and how long the slowest of them took.
struct Witness {
    over: Arc<AtomicBool>,
    task: JoinHandle<Duration>,
}

impl Witness {
    fn watch(store: &Store) -> Self {
        let (over, store) = (Arc::new(AtomicBool::new(false)), store.clone());
        let ends = over.clone();
        let task = tokio::spawn(async move {
            let (mut slowest, mut n) = (Duration::ZERO, 0);
            while !ends.load(Ordering::Relaxed) {
                let began = Instant::now();
                let address = format!("10.9.0.{}", 1 + n % 50);
                let _ = store.record(vec![bound(lease(900_000 + n % 50, &address, n, n + 600))]).await;
                slowest = slowest.max(began.elapsed());
                n += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            slowest
        });
        Witness { over, task }
    }

    async fn slowest(self) -> Duration {
        self.over.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// Of this process, in MB, since it was last asked to begin anew.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak = line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024;
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak
}

async fn measured(store: &Store, what: &str, to: i64) {
    let (before, witness) = (peak_mb(), Witness::watch(store));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    let ended = revisions::back(store, to).await;
    let took = began.elapsed();
    let slowest = witness.slowest().await;
    let ended = ended.map_or_else(|error| error.to_string(), |()| "done".into());
    println!(
        "{what}: {ended} in {took:.2?}, others waited up to {slowest:.2?}, {before} MB before, {} MB at the most",
        peak_mb()
    );
}

async fn thousands_of_machines(database: &str, url: &str) {
    let store = with_lan(url).await;
    edit(&store, Edit::AddProfile(profile("web", None))).await.unwrap();
    let empty = store.world().revision();
    let address = |n: u32| Ipv4Addr::from(0x0a00_1000 + n).to_string();
    let own = |n| Machine { profile: Some(name("web")), ..machine(&format!("machine-{n}"), n, Some(&address(n))) };
    let began = Instant::now();
    edit(&store, Edit::AddMachines((0..MACHINES).map(own).collect())).await.unwrap();
    println!("{database}: {MACHINES} machines are added in {:.2?}", began.elapsed());
    // Every second one was told of its address.
    let told = |n: u32| vec![bound(lease(n, &address(n), 0, 600))];
    for ended in store.record_all((0..MACHINES).step_by(2).map(told).collect()).settled().await {
        ended.unwrap();
    }
    let full = store.world().revision();
    measured(&store, &format!("{database}: {MACHINES} machines go"), empty).await;
    measured(&store, &format!("{database}: {MACHINES} machines come back"), full).await;
    for n in 0..CHANGED {
        let was = find(&store, &format!("machine-{n}"));
        edit(&store, Edit::SetMachine(Machine { arguments: "console=ttyS1".into(), ..was })).await.unwrap();
    }
    measured(&store, &format!("{database}: {CHANGED} machines are as they were"), full).await;
    for n in 0..CHANGED {
        let mut was = find(&store, &format!("machine-{n}"));
        was.interfaces[0].ip = Some(ip(&Ipv4Addr::from(0x0a00_8000 + n).to_string()));
        edit(&store, Edit::SetMachine(was)).await.unwrap();
    }
    measured(&store, &format!("{database}: {CHANGED} machines have their addresses again"), full).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test --test store -- --ignored --exact --nocapture rollback::how_long_thousands_take_on_sqlite"]
async fn how_long_thousands_take_on_sqlite() {
    let folder = tempfile::tempdir_in(".").unwrap();
    thousands_of_machines("SQLite", &sqlite_url(&folder.path().join("large.db"))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test --test store -- --ignored --exact --nocapture rollback::how_long_thousands_take_on_postgres"]
async fn how_long_thousands_take_on_postgres() {
    let fresh = postgres::Fresh::make().await;
    thousands_of_machines("PostgreSQL", &fresh.url()).await;
    fresh.drop().await;
}
