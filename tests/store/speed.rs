//! How fast the store is, and how large: measured by hand.

use super::*;

/// What this process has used of its processors.
fn cpu_secs() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<f64> = stat.rsplit_once(") ").unwrap().1.split(' ').flat_map(str::parse).collect();
    // utime and stime, in the ticks of 1/100 s that Linux shows; the state before them is a letter.
    (fields[10] + fields[11]) / 100.0
}

fn measured(store: &Store) -> [u64; 2] {
    let counters = store.counters();
    [&counters.commits, &counters.leases].map(|counter| counter.load(std::sync::atomic::Ordering::Relaxed))
}

/// All clients once, in a random order: `size` share a call, `callers` wait at a time.
async fn bind_all(store: &Store, what: &str, round: u32, size: usize, callers: usize) {
    const CLIENTS: u32 = 50_000;
    let mut clients: Vec<u32> = (0..CLIENTS).collect();
    let mut dice = Dice(u64::from(round) + 1);
    (1..clients.len()).rev().for_each(|n| clients.swap(n, dice.below(n as u32 + 1) as usize));
    let decision = |n: &u32| {
        let address = Ipv4Addr::from(0x0a01_0000 + n);
        let lease = Lease {
            ip: address,
            hostname: Some(format!("host-{n}")),
            ..lease(*n, "10.0.0.0", round * 1800, round * 1800 + 3600)
        };
        let tale = Tale::new(lease.starts_at, Kind::Lease, format!("{address} for Linux")).from(address);
        vec![Effect::Bind { lease, was: (round > 0).then_some(address) }, Effect::Tell(tale.by(mac(*n)))]
    };
    let groups: Vec<Vec<Vec<Effect>>> =
        clients.chunks(size).map(|chunk| chunk.iter().map(decision).collect()).collect();
    let work = std::sync::Arc::new(std::sync::Mutex::new(groups));
    let (start, cpu, before) = (Instant::now(), cpu_secs(), measured(store));
    let workers = (0..callers).map(|_| {
        let (store, work) = (store.clone(), work.clone());
        tokio::spawn(async move {
            loop {
                let Some(group) = work.lock().unwrap().pop() else { return };
                for ended in store.record_all(group).settled().await {
                    ended.unwrap();
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let (took, cpu, after) = (start.elapsed().as_secs_f64(), cpu_secs() - cpu, measured(store));
    let [commits, leases] = [after[0] - before[0], after[1] - before[1]];
    println!(
        "{what}, {callers} x {size}: {:.0} leases/s, {:.1} us of CPU each, {commits} commits of {:.0}",
        leases as f64 / took,
        cpu * 1e6 / leases as f64,
        leases as f64 / commits as f64
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test --release --test store -- --ignored --exact --nocapture speed::leases_a_second"]
async fn leases_a_second() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let fresh = postgres::Fresh::make().await;
    let sqlite = with_lan(&sqlite_url(&folder.path().join("speed.db"))).await;
    let postgres = with_lan(&fresh.url()).await;
    for (database, store) in [("SQLite", sqlite), ("PostgreSQL", postgres)] {
        // Somebody listens, as the server's log does.
        let mut feed = store.feed();
        tokio::spawn(async move {
            while !matches!(feed.recv().await, Err(tokio::sync::broadcast::error::RecvError::Closed)) {}
        });
        for (round, (what, size, callers)) in [
            ("new", 256, 1),
            ("renewed", 256, 1),
            ("renewed", 256, 2),
            ("renewed", 256, 4),
            ("renewed", 64, 4),
            ("renewed", 1, 256),
            ("renewed", 1, 1024),
        ]
        .into_iter()
        .enumerate()
        {
            bind_all(&store, &format!("{database}, {what}"), round as u32, size, callers).await;
        }
        store.close().await;
    }
    fresh.drop().await;
}

const CHILD: &str = "KICKSTAND_TEST_OPEN";

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Not a test of its own: what the one below starts, so that nothing but the store is in its memory.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child of another test"]
async fn child_opens() {
    let Ok(url) = std::env::var(CHILD) else { return };
    let before = resident_mb();
    let start = Instant::now();
    let store = Store::open(&url).await.unwrap();
    let took = start.elapsed();
    let (machines, leases) = (store.world().machines().count(), store.world().leases().count());
    println!(
        "{machines} machines and {leases} leases are read in {took:?}; {before} MB before, {} MB after",
        resident_mb()
    );
    store.close().await;
}

async fn open_in_a_child(url: &str) {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "speed::child_opens", "--ignored", "--nocapture"]).env(CHILD, url);
    let output = child.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{}", text.lines().find(|line| line.contains("are read in")).unwrap_or(&text));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test --release --test store -- --ignored --exact --nocapture speed::how_soon_and_how_large"]
async fn how_soon_and_how_large() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let fresh = postgres::Fresh::make().await;
    for (database, url) in [("SQLite", sqlite_url(&folder.path().join("large.db"))), ("PostgreSQL", fresh.url())] {
        let mut store = with_lan(&url).await;
        for half in 0..2 {
            let start = Instant::now();
            for chunk in 0..10_u32 {
                let numbers = (half * 50_000 + chunk * 5000)..(half * 50_000 + chunk * 5000 + 5000);
                let one = |n| machine(&format!("machine-{n}"), n, Some(&Ipv4Addr::from(0x0a01_0000 + n).to_string()));
                edit(&store, Edit::AddMachines(numbers.map(one).collect())).await.unwrap();
            }
            println!("{database}: 50,000 machines are added, 5,000 at a time, in {:?}", start.elapsed());
            if half == 0 {
                bind_all(&store, database, 0, 256, 1).await;
            }
            store.close().await;
            open_in_a_child(&url).await;
            store = Store::open(&url).await.unwrap();
        }
        store.close().await;
    }
    fresh.drop().await;
}
