//! Decisions that are written together end as if each were written alone.

use super::*;
use kickstand::store::Counters;

/// Decisions share statements where they can. Nobody may notice, whatever they say of each other.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_ends_as_if_each_were_alone() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = postgres::Fresh::make().await;
    let file = |called: &str| sqlite_url(&folder.path().join(called));
    let (alone, group, shared) =
        (with_lan(&file("alone.db")).await, with_lan(&file("group.db")).await, with_lan(&fresh.url()).await);
    let (mut dice, mut refused) = (Dice(7), 0);
    for round in 0..40 {
        let decisions: Vec<Vec<Effect>> = (0..40).map(|_| random_decision(&mut dice, &alone, round * 5)).collect();
        let mut each = Vec::new();
        for decision in decisions.clone() {
            each.push(alone.record(decision).await.map_err(|error| error.to_string()));
        }
        for (database, store) in [("SQLite", &group), ("PostgreSQL", &shared)] {
            let together = store.record_all(decisions.clone()).settled().await;
            for ((one, other), decision) in together.into_iter().zip(&each).zip(&decisions) {
                assert_eq!(one.map_err(|error| error.to_string()), *other, "{database}, round {round}: {decision:?}");
            }
            assert_eq!(everything(store), everything(&alone), "{database}, round {round}");
        }
        refused += each.iter().filter(|ended| ended.is_err()).count();
    }
    assert!((160..1200).contains(&refused), "{refused} of 1600 were refused");
    let known = everything(&alone);
    for (store, url) in [(alone, file("alone.db")), (group, file("group.db")), (shared, fresh.url())] {
        let told = history(&store).await;
        store.close().await;
        let store = Store::open(&url).await.unwrap();
        assert_eq!(everything(&store), known, "memory is what is written: {url}");
        assert!(!told.is_empty());
        assert_eq!(told, history(&store).await, "{url}");
        store.close().await;
    }
    fresh.drop().await;
}

async fn history(store: &Store) -> Vec<String> {
    let filter = EventFilter { kinds: vec![Kind::Local], limit: 10_000, ..EventFilter::default() };
    store.events(&filter).await.unwrap().into_iter().map(|event| event.text).collect()
}

/// One refusal among many costs the others nothing, and what is memory's alone waits for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn tickets_tell_of_each_decision_and_counters_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_lan(&sqlite_url(&folder.path().join("k.db"))).await;
    store.record(vec![bound(lease(1, "10.0.0.1", 0, 600))]).await.unwrap();
    let count = |store: &Store| {
        let Counters { commits, jobs, leases, refused } = store.counters();
        [commits, jobs, leases, refused].map(|counter| counter.load(std::sync::atomic::Ordering::Relaxed))
    };
    let before = count(&store);
    let mut decisions: Vec<Vec<Effect>> =
        (2..200).map(|n| vec![bound(lease(n, &format!("10.0.0.{n}"), 0, 600))]).collect();
    decisions[77] = vec![bound(lease(500, "10.0.0.1", 5, 600))];
    decisions[100] = vec![Effect::Tell(Tale::new(NOW, Kind::Offer, "memory's alone"))];
    let ended = store.record_all(decisions).settled().await;
    let refused: Vec<usize> = ended.iter().enumerate().filter(|(_, e)| e.is_err()).map(|(n, _)| n).collect();
    assert_eq!((ended.len(), refused), (198, vec![77]));
    let after = count(&store);
    assert_eq!([0, 1, 2, 3].map(|n| after[n] - before[n]), [1, 197, 196, 1], "commits, jobs, leases, refused");
    store.close().await;
}

/// Many decisions come one behind the other: their syncs keep a distance, so that more share each. What is queued
/// meanwhile ends before the store does.
#[tokio::test(flavor = "multi_thread")]
async fn transactions_for_many_keep_a_distance() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(&folder.path().join("k.db"));
    let store = with_lan(&url).await;
    let eight =
        |round: u32| (0..8).map(move |n| vec![bound(lease(round * 8 + n, &format!("10.0.{round}.{}", n + 1), 0, 600))]);
    let start = std::time::Instant::now();
    for round in 0..20 {
        assert!(store.record_all(eight(round).collect()).settled().await.iter().all(Result::is_ok));
    }
    assert!(start.elapsed() >= std::time::Duration::from_millis(19 * 5), "{:?}", start.elapsed());
    let (many, one) = (store.record_all(eight(20).collect()), store.record(eight(21).next().unwrap()));
    store.close().await;
    assert!(many.settled().await.iter().all(Result::is_ok) && one.await.is_ok());
    let store = Store::open(&url).await.unwrap();
    assert_eq!(store.world().leases().count(), 21 * 8 + 1);
    store.close().await;
}

/// Strangers get addresses whose leases are over, and the rows of those go.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_takes_over_what_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_lan(&sqlite_url(&folder.path().join("k.db"))).await;
    let fifty = |first: u32, starts: u32| {
        (0..50).map(|n| vec![bound(lease(first + n, &format!("10.0.1.{}", n + 1), starts, starts + 60))]).collect()
    };
    assert!(store.record_all(fifty(100, 0)).settled().await.iter().all(Result::is_ok));
    assert!(store.record_all(fifty(200, 30)).settled().await.iter().all(Result::is_err), "they still run");
    assert!(store.record_all(fifty(200, 90)).settled().await.iter().all(Result::is_ok));
    assert!(store.world().leases().all(|lease| lease.holder.mac() >= Some(mac(200))));
    store.close().await;
}

/// Two nodes decide in one order and commit in another: what was promised last stays, whatever is written last.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_promised_last_stays() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = postgres::Fresh::make().await;
    for url in [sqlite_url(&folder.path().join("k.db")), fresh.url()] {
        let store = with_lan(&url).await;
        let renewed =
            |starts: u32| Effect::Bind { lease: lease(1, "10.0.0.1", starts, starts + 600), was: Some(ip("10.0.0.1")) };
        let other = |starts: u32| bound(lease(starts, &format!("10.0.2.{}", starts % 1000), starts, starts + 1));
        store.record(vec![bound(lease(1, "10.0.0.1", 0, 600))]).await.unwrap();
        for starts in [30, 10, 20] {
            store.record(vec![renewed(starts)]).await.unwrap();
        }
        for starts in [50, 40, 45] {
            let together = vec![vec![renewed(starts)], vec![other(starts + 1000)]];
            assert!(store.record_all(together).settled().await.iter().all(Result::is_ok));
        }
        let released = Effect::Unbind { network: name("lan"), holder: mac(1).into(), at: later(49) };
        store.record(vec![released]).await.unwrap();
        let until = |store: &Store| store.world().lease(&name("lan"), &mac(1).into()).unwrap().ends_at;
        assert_eq!(until(&store), later(650), "{url}: in memory");
        store.close().await;
        let store = Store::open(&url).await.unwrap();
        assert_eq!(until(&store), later(650), "{url}: in the row");
        let released = Effect::Unbind { network: name("lan"), holder: mac(1).into(), at: later(51) };
        store.record(vec![released]).await.unwrap();
        assert_eq!(until(&store), later(51));
        store.close().await;
    }
    fresh.drop().await;
}

/// Own leases are no news to who made them; an operator's word is.
#[tokio::test(flavor = "multi_thread")]
async fn only_others_leases_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_lan(&sqlite_url(&folder.path().join("k.db"))).await;
    let mut changes = store.changes();
    store.record(vec![bound(lease(1, "10.0.0.1", 0, 600))]).await.unwrap();
    store.edit(Edit::ReleaseLease { network: name("lan"), ip: ip("10.0.0.1") }, "root", later(5)).await.unwrap();
    assert_eq!(changes.try_recv(), Ok(Change::Hold { network: name("lan"), ip: ip("10.0.0.1") }));
    assert_eq!(changes.try_recv(), Ok(Change::Lease { network: name("lan"), holder: mac(1).into() }));
    assert!(changes.try_recv().is_err());
    store.close().await;
}

/// Of few holders and addresses, so that they meet; mostly of what is known, as decisions are.
fn random_decision(dice: &mut Dice, store: &Store, now: u32) -> Vec<Effect> {
    let (card, now) = (200 + dice.below(60), now + dice.below(4));
    let known = store.world().lease(&name("lan"), &mac(card).into()).map(|lease| lease.ip);
    let any = |dice: &mut Dice| Ipv4Addr::from(0x0a00_0700 + dice.below(90));
    let address = match known {
        Some(known) if dice.below(4) > 0 => known,
        _ => any(dice),
    };
    let was = if dice.below(10) > 0 { known } else { Some(any(dice)) };
    let lease = Lease { ip: address, ..lease(card, "10.0.7.0", now, now + dice.below(40)) };
    let mut effects = vec![Effect::Bind { lease, was }];
    match dice.below(12) {
        0 => effects.insert(0, Effect::Unbind { network: name("lan"), holder: mac(card).into(), at: later(now) }),
        1 => effects.push(Effect::Bind { lease: self::lease(card + 100, "10.0.7.200", now, now + 3), was: None }),
        2 => effects.push(Effect::Tell(Tale::new(later(now), Kind::Local, format!("of {card}")))),
        3 => effects.push(Effect::Tell(Tale::new(later(now), Kind::Lease, format!("of {card}")))),
        _ => {}
    }
    effects
}

/// Storms of boots: many machines take a step, and their answer files carry keys.
#[tokio::test(flavor = "multi_thread")]
async fn steps_in_a_group_end_as_if_each_were_alone() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = postgres::Fresh::make().await;
    let file = |called: &str| sqlite_url(&folder.path().join(called));
    let (alone, group, shared) =
        (with_lan(&file("alone.db")).await, with_lan(&file("group.db")).await, with_lan(&fresh.url()).await);
    let machines: Vec<Machine> = (1..=12).map(|n| machine(&format!("m-{n}"), n, None)).collect();
    for store in [&alone, &group, &shared] {
        edit(store, Edit::AddMachines(machines.clone())).await.unwrap();
        edit(store, Edit::AddKey(key("web", None))).await.unwrap();
    }
    let (mut dice, mut refused, mut hashes) = (Dice(11), 0, Vec::new());
    for round in 0..40 {
        let decisions: Vec<_> = (0..16).map(|_| random_step(&mut dice, &alone, &machines, &mut hashes)).collect();
        let mut each = Vec::new();
        for decision in decisions.clone() {
            each.push(alone.record(decision).await.map_err(|error| error.to_string()));
        }
        for (database, store) in [("SQLite", &group), ("PostgreSQL", &shared)] {
            let together = store.record_all(decisions.clone()).settled().await;
            for ((one, other), decision) in together.into_iter().zip(&each).zip(&decisions) {
                assert_eq!(one.map_err(|error| error.to_string()), *other, "{database}, round {round}: {decision:?}");
            }
            assert_eq!(everything(store), everything(&alone), "{database}, round {round}");
        }
        refused += each.iter().filter(|ended| ended.is_err()).count();
    }
    assert!((100..500).contains(&refused), "{refused} of 640 were refused");
    for store in [&group, &shared] {
        for hash in &hashes {
            assert_eq!(store.install_key(*hash).await.unwrap(), alone.install_key(*hash).await.unwrap());
        }
    }
    assert!(hashes.len() > 100);
    for store in [alone, group, shared] {
        store.close().await;
    }
    fresh.drop().await;
}

/// A step from the revision that the machine has, or from one that it had; with a key, or without.
fn random_step(dice: &mut Dice, store: &Store, machines: &[Machine], hashes: &mut Vec<Hash>) -> Vec<Effect> {
    let known = &machines[dice.below(machines.len() as u32) as usize];
    let machine = store.world().machine(known.id).cloned().unwrap();
    let stale = i64::from(dice.below(4) == 0);
    let text = format!("it's \"{}\" \\ {}", machine.name, dice.below(1000));
    // An install goes on over several boots, each with a key of its own.
    let again = machine.install.clone().filter(|_| dice.below(2) == 0);
    let install = again.unwrap_or_else(|| install(&text));
    let from = machine.revision - stale;
    let mut effects = vec![Effect::Step(Step { from, ..step(&machine, State::Armed, Some(install.clone())) })];
    if dice.below(3) > 0 {
        let hash = hash(&format!("key {}", dice.below(100_000)));
        hashes.push(hash);
        let spent_at = (dice.below(9) == 0).then(|| later(5));
        let (keys, machine, expires_at) = (name("web").into(), machine.id, later(100));
        effects.push(Effect::Mint(InstallKey { hash, keys, machine, install: install.id, expires_at, spent_at }));
    }
    effects.push(Effect::Tell(Tale::new(NOW, Kind::Answer, "given")));
    effects
}
