//! Whoever knocks without a record: they fill neither memory, the disk, the writer's queue nor history.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn strangers_fill_neither_memory_nor_disk() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(&folder.path().join("kickstand.db"));
    let store = with_lan(&url).await;
    for n in 0..5000 {
        store.record(vec![Effect::See(sighting(n, n))]).await.unwrap();
    }
    let bounded = |store: &Store| {
        let world = store.world();
        (world.sightings().count(), world.sighting(mac(0)).is_some(), world.sighting(mac(4999)).is_some())
    };
    assert_eq!(bounded(&store), (4096, false, true));
    store.close().await;
    assert_eq!(rows(&url).await, 4096);
    assert_eq!(bounded(&Store::open(&url).await.unwrap()), (4096, false, true));
}

async fn rows(url: &str) -> i64 {
    let mut db = sqlx::SqliteConnection::connect(url).await.unwrap();
    let rows = sqlx::query_scalar("SELECT count(*) FROM sightings").fetch_one(&mut db).await.unwrap();
    db.close().await.unwrap();
    rows
}

/// 5,000 random MACs in a second, each offered something, while leases are written.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_costs_a_few_rows_and_nobody_a_lease() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(&folder.path().join("kickstand.db"));
    let store = with_lan(&url).await;
    edit(&store, Edit::AddMachines(vec![machine("web-1", 1, None)])).await.unwrap();
    let web = find(&store, "web-1").id;
    let asked = Tale::new(NOW, Kind::Offer, "10.0.0.9 offered").of(web).by(mac(1));
    store.record(vec![Effect::Tell(asked)]).await.unwrap();
    let before = store.counters().commits.load(std::sync::atomic::Ordering::Relaxed);
    let start = Instant::now();
    for n in 0..20_000_u32 {
        let silence = Tale::new(later(n), Kind::Silence, "ignored").by(mac(1000 + n));
        // What is memory's alone is done before it returns.
        drop(store.record(vec![Effect::See(sighting(1000 + n, n)), Effect::Tell(silence)]));
        // One of them keeps coming: it is worth more than those that come once.
        if n % 4000 == 0 {
            drop(store.record(vec![Effect::See(sighting(999, n))]));
        }
        if n % 250 == 0 {
            let written = store.record(vec![bound(lease(n, &Ipv4Addr::from(0x0a01_0000 + n).to_string(), 0, 60))]);
            written.await.unwrap();
        }
        let due = Duration::from_micros(200 * u64::from(n));
        tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
    }
    let commits = store.counters().commits.load(std::sync::atomic::Ordering::Relaxed) - before;
    let took = start.elapsed();
    assert!(commits <= 80 + 2 + took.as_secs() / 3, "{commits} commits for 80 leases in {took:?}");
    let written = rows(&url).await;
    assert!((200..=256 * (2 + took.as_secs() as i64 / 3)).contains(&written), "{written} rows in {took:?}");
    let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let select = sqlx::query_scalar("SELECT count(*) FROM sightings WHERE mac = $1").bind(mac(999).to_string());
    assert_eq!(select.fetch_one(&mut db).await.unwrap_or(0_i64), 1, "who keeps coming is written down");
    db.close().await.unwrap();
    let of =
        |machine| EventFilter { machine, kinds: vec![Kind::Offer, Kind::Silence], limit: 20_000, ..Default::default() };
    assert_eq!(store.events(&of(Some(web))).await.unwrap().len(), 1, "a machine's lines stay");
    let all = store.events(&of(None)).await.unwrap();
    assert!((1000..5000).contains(&all.len()), "{} lines of strangers", all.len());
    store.close().await;
}
