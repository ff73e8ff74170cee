//! Who checked in: known at once, in memory, and after a restart; older words and removed machines leave nothing.

use crate::*;

fn heard(machine: MachineId, at: u32, last: &str) -> Effect {
    Effect::Hear(CheckIn { machine, at: later(at), booted_at: NOW, ip: ip(last) })
}

async fn story(url: &str) {
    let store = Store::open(url).await.unwrap();
    let (one, two) = (machine("heard-1", 901, None), machine("heard-2", 902, None));
    edit(&store, Edit::AddMachines(vec![one.clone(), two.clone()])).await.unwrap();
    let commits = store.counters().commits.load(std::sync::atomic::Ordering::Relaxed);
    for at in [10, 30, 20] {
        store.record(vec![heard(one.id, at, "10.0.0.21")]).await.unwrap();
    }
    store.record(vec![heard(two.id, 5, "10.0.0.22")]).await.unwrap();
    store.record(vec![heard(MachineId(Uuid::now_v7()), 5, "10.0.0.23")]).await.unwrap();
    let last = |store: &Store, of: &Machine| store.world().check_in(of.id).map(|check_in| check_in.at);
    assert_eq!((last(&store, &one), last(&store, &two)), (Some(later(30)), Some(later(5))));
    assert_eq!(
        store.counters().commits.load(std::sync::atomic::Ordering::Relaxed),
        commits,
        "none of them was a commit"
    );

    store.close().await;
    let store = Store::open(url).await.unwrap();
    assert_eq!((last(&store, &one), last(&store, &two)), (Some(later(30)), Some(later(5))), "written at the end");
    store.record(vec![heard(one.id, 25, "10.0.0.99")]).await.unwrap();
    edit(&store, Edit::RemoveMachine(name("heard-2"))).await.unwrap();
    store.record(vec![heard(two.id, 50, "10.0.0.22")]).await.unwrap();
    store.close().await;
    let store = Store::open(url).await.unwrap();
    assert_eq!(store.world().check_in(one.id).map(|c| (c.at, c.ip)), Some((later(30), ip("10.0.0.21"))));
    assert_eq!(last(&store, &two), None);
    store.close().await;
}

#[tokio::test]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    story(&format!("sqlite://{}/k.db", folder.path().display())).await;
}

#[tokio::test]
async fn on_postgresql() {
    let fresh = postgres::Fresh::make().await;
    story(&fresh.url()).await;
    fresh.drop().await;
}
