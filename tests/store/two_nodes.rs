//! Two nodes on one PostgreSQL.

use super::*;

fn centile(took: &[Duration], share: usize) -> Duration {
    let mut sorted = took.to_vec();
    sorted.sort();
    sorted[(sorted.len() - 1) * share / 100]
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_know_the_same() {
    let fresh = postgres::Fresh::make().await;
    let (a, b) = (with_lan(&fresh.url()).await, Store::open(&fresh.url()).await.unwrap());
    assert_eq!(a.server_secret().await.unwrap(), b.server_secret().await.unwrap());
    let mut heard = b.changes();
    let (mut after_commit, mut after_start) = (Vec::new(), Vec::new());
    for n in 0..200_u32 {
        let address = Ipv4Addr::from(0x0a00_0100 + n).to_string();
        let new = machine(&format!("m-{n}"), n, Some(&address));
        let start = Instant::now();
        edit(&a, Edit::AddMachines(vec![new.clone()])).await.unwrap();
        let committed = Instant::now();
        let change = tokio::time::timeout(Duration::from_secs(2), heard.recv()).await.unwrap().unwrap();
        after_commit.push(committed.elapsed());
        after_start.push(start.elapsed());
        assert_eq!(change, Change::Machine(new.id));
        assert_eq!(b.world().machine(new.id), Some(&new));
        assert_eq!(heard.recv().await.unwrap(), Change::Revision(i64::from(n) + 2));
        assert_eq!((b.world().revision(), a.world().revision()), (i64::from(n) + 2, i64::from(n) + 2));
    }
    let both = |took: &[Duration]| format!("p50 {:?}, p99 {:?}", centile(took, 50), centile(took, 99));
    println!("the other node knew: {} after the commit", both(&after_commit));
    println!("the other node knew: {} after the change began", both(&after_start));

    everything_else_arrives_too(&a, &b).await;
    of_two_nodes_one_wins(&a, &b).await;
    until(Duration::from_secs(2), || b.world().revision() == a.world().revision()).await;
    let newest = a.world().revision();
    edit(&a, Edit::AddMachines(vec![machine("late", 990, None)])).await.unwrap();
    edit(&a, Edit::SetKey(ActivationKey { enabled: false, ..key("web", None) })).await.unwrap();
    until(Duration::from_secs(2), || b.world().revision() >= newest + 2).await;
    // Of what one node wrote, the other takes back.
    revisions::back(&b, newest).await.unwrap();
    until(Duration::from_secs(2), || a.world().machine_named(&name("late")).is_none()).await;
    assert!(a.world().keys[&name("web")].enabled);
    until(Duration::from_secs(2), || everything(&a) == everything(&b)).await;
    a.close().await;
    b.close().await;
    fresh.drop().await;
}

async fn everything_else_arrives_too(a: &Store, b: &Store) {
    let soon = Duration::from_secs(5);
    edit(b, Edit::AddKey(key("web", None))).await.unwrap();
    edit(a, Edit::AddDistro(distro("debian"))).await.unwrap();
    edit(a, Edit::AddProfile(profile("base", None))).await.unwrap();
    edit(b, Edit::AddRange(range("racks", "lan", "10.0.0.10-10.0.0.60", "base"))).await.unwrap();
    edit(a, Edit::AddToken { name: name("ci"), hash: hash("token"), at: NOW }).await.unwrap();
    b.record(vec![bound(lease(1, "10.0.1.1", 0, 600))]).await.unwrap();
    until(soon, || a.world().lease(&name("lan"), &mac(1).into()).is_some()).await;
    let old = find(b, "m-1");
    edit(a, replacement(&old, old.revision, 1, 900)).await.unwrap();
    until(soon, || matches!(b.world().standing(mac(1)), Standing::Retired(_))).await;
    a.record(vec![bound(lease(3, "10.0.1.3", 0, 600))]).await.unwrap();
    edit(b, Edit::RemoveMachine(name("m-3"))).await.unwrap();
    b.record(vec![bound(lease(2, "10.0.1.2", 0, 600))]).await.unwrap();
    until(soon, || a.world().lease(&name("lan"), &mac(2).into()).is_some()).await;
    edit(a, Edit::ReleaseLease { network: name("lan"), ip: ip("10.0.1.2") }).await.unwrap();
    edit(b, Edit::RemoveMachine(name("m-2"))).await.unwrap();
    until(soon, || everything(a) == everything(b)).await;
    assert_eq!(b.world().lease(&name("lan"), &mac(2).into()).unwrap().ends_at, NOW);
    // Many leases at once, and another node that reads them together.
    let many = (0..3000).map(|n| {
        let address = Ipv4Addr::from(0x0a00_2000 + n);
        vec![bound(Lease { ip: address, ..lease(5000 + n, "10.0.0.0", 0, 600) })]
    });
    assert!(a.record_all(many.collect()).settled().await.iter().all(Result::is_ok));
    until(soon, || everything(a) == everything(b)).await;
    assert!(a.world().machine_named(&name("m-2")).is_none());
    assert!(b.world().lease(&name("lan"), &mac(1).into()).is_none());
    let told = b.events(&EventFilter { machine: Some(old.id), ..EventFilter::default() }).await.unwrap();
    assert!(told.iter().any(|event| event.text.contains("replaced card")), "{told:?}");
}

async fn of_two_nodes_one_wins(a: &Store, b: &Store) {
    for n in 10..40_u32 {
        let old = find(a, &format!("m-{n}"));
        let arm = |store: &Store, token: &str| {
            store.record(vec![Effect::Step(step(&old, State::Armed, Some(install(token))))])
        };
        let (one, two) = tokio::join!(arm(a, &format!("a{n}")), arm(b, &format!("b{n}")));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        let address = format!("10.0.9.{n}");
        let bind = |store: &Store, card| store.record(vec![bound(lease(card, &address, 0, 600))]);
        let (one, two) = tokio::join!(bind(a, 1000 + n), bind(b, 2000 + n));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        let left = range(&format!("left-{n}"), "lan", &format!("10.9.{n}.1-10.9.{n}.50"), "base");
        let right = range(&format!("right-{n}"), "lan", &format!("10.9.{n}.5-10.9.{n}.99"), "base");
        let (one, two) = tokio::join!(edit(a, Edit::AddRange(left)), edit(b, Edit::AddRange(right)));
        assert!(one.is_ok() != two.is_ok(), "overlapping ranges: {one:?} {two:?}");
    }
}
