//! Uses of activation keys: as many as allowed, whatever comes at once, and free again when a system is gone.

use super::revisions::{on_sqlite, open};
use super::*;
use kickstand::boot::Registration;
use kickstand::boot::lifecycle;

/// A system that joins, new, with these keys: all of what the server records of it.
fn joins(store: &Store, card: u32, keys: &Names) -> Vec<Effect> {
    let mac = mac(card);
    let mut machine = lifecycle::joined(mac, [Uuid::now_v7(), Uuid::now_v7()], NOW);
    machine.name = name(&format!("joined-{card}"));
    let grant = keys::grant(keys, &store.world().keys, Comer::default(), NOW).unwrap();
    let register = grant.registration(&machine, None, hash(&format!("system {card}")), NOW);
    vec![Effect::Enlist(Box::new(machine)), Effect::Register(Box::new(register))]
}

fn used(store: &Store, key: &str) -> u32 {
    store.world().keys[&name(key)].used
}

/// What is true of limits on any database.
async fn a_limit_holds(nodes: &[Store]) {
    let store = &nodes[0];
    edit(store, Edit::AddKey(key("ten", Some(10)))).await.unwrap();
    edit(store, Edit::AddKey(key("any", None))).await.unwrap();
    for node in nodes {
        node.look(vec![Change::Keys]).await.unwrap();
    }
    let both: Names = "any,ten".parse().unwrap();
    // All of them were decided while none had joined: only the database can tell who came first.
    let all: Vec<_> = (0..100).map(|card| (card, joins(store, 1000 + card, &both))).collect();
    let tasks: Vec<_> = all
        .into_iter()
        .map(|(card, effects)| {
            let node = nodes[card as usize % nodes.len()].clone();
            tokio::spawn(async move { node.record(effects).await })
        })
        .collect();
    let mut inside = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => inside += 1,
            Err(error) => assert!(matches!(error, Error::Conflict), "{error}"),
        }
    }
    assert_eq!(inside, 10, "exactly as many as the key allows");
    for node in nodes {
        let joined: Vec<Change> = vec![Change::Everything];
        node.look(joined).await.unwrap();
        assert_eq!((used(node, "ten"), used(node, "any")), (10, 10), "who is refused has used neither");
        let ten = name("ten");
        assert_eq!(node.world().machines().filter(|machine| machine.joined.contains(&ten)).count(), 10);
    }
}

async fn a_system_counts_once(store: &Store) {
    edit(store, Edit::AddKey(key("two", Some(2)))).await.unwrap();
    let two: Names = name("two").into();
    for card in [2001, 2002] {
        store.record(joins(store, card, &two)).await.unwrap();
    }
    let third = store.record(joins_beyond(store, 2003, &two)).await;
    assert!(matches!(third, Err(Error::Conflict)) && used(store, "two") == 2);

    // Installed again with the same key, it has its use already.
    let one = find(store, "joined-2001");
    let comer = Comer { machine: Some(&one), from: None };
    let grant = keys::grant(&two, &store.world().keys, comer, NOW).unwrap();
    assert!(grant.counted.is_empty());
    let again = grant.registration(&one, None, hash("again"), NOW);
    store.record(vec![Effect::Register(Box::new(again))]).await.unwrap();
    assert_eq!(used(store, "two"), 2);

    edit(store, Edit::RemoveMachine(name("joined-2002"))).await.unwrap();
    assert_eq!(used(store, "two"), 1);
    store.record(joins(store, 2003, &two)).await.unwrap();
    let left = find(store, "joined-2003");
    let leave = Effect::Leave { machine: left.id, credential: hash("system 2003"), joined: left.joined.clone() };
    store.record(vec![leave.clone()]).await.unwrap();
    assert_eq!((used(store, "two"), find(store, "joined-2003").credential), (1, None));
    assert!(matches!(store.record(vec![leave]).await, Err(Error::Conflict)), "it left already");
    assert_eq!(used(store, "two"), 1);

    // The rows say the same as memory.
    store.look(vec![Change::Everything]).await.unwrap();
    assert_eq!(used(store, "two"), 1);
    // And a key that is made again counts who used it.
    edit(store, Edit::RemoveKey(name("two"))).await.unwrap();
    edit(store, Edit::AddKey(key("two", None))).await.unwrap();
    assert_eq!(used(store, "two"), 1);
    store.look(vec![Change::Everything]).await.unwrap();
    assert_eq!(used(store, "two"), 1);
}

/// As if nobody had joined yet.
fn joins_beyond(store: &Store, card: u32, keys: &Names) -> Vec<Effect> {
    let mut effects = joins_unasked(card, keys);
    let Some(Effect::Register(register)) = effects.last_mut() else { panic!("it registers") };
    assert_eq!(register.counted, *keys);
    let _ = store;
    effects
}

fn joins_unasked(card: u32, keys: &Names) -> Vec<Effect> {
    let mut machine = lifecycle::joined(mac(card), [Uuid::now_v7(), Uuid::now_v7()], NOW);
    machine.name = name(&format!("joined-{card}"));
    let register = Registration {
        machine: machine.id,
        credential: hash(&format!("system {card}")),
        at: NOW,
        spends: None,
        counted: keys.clone(),
        freed: Names::default(),
        joined: keys.clone(),
        groups: Names::default(),
        profile: None,
    };
    vec![Effect::Enlist(Box::new(machine)), Effect::Register(Box::new(register))]
}

/// Twenty systems of one key are installed with another that takes five: all of them decided at the same time.
async fn who_moves_to_another_key_frees_the_first(store: &Store) {
    edit(store, Edit::AddKey(key("from", Some(20)))).await.unwrap();
    edit(store, Edit::AddKey(key("to", Some(5)))).await.unwrap();
    let (from, to): (Names, Names) = (name("from").into(), "any,to".parse().unwrap());
    let any = used(store, "any");
    for card in 2200..2220 {
        store.record(joins(store, card, &from)).await.unwrap();
    }
    let moves = |card: u32| {
        let machine = find(store, &format!("joined-{card}"));
        let comer = Comer { machine: Some(&machine), from: None };
        let grant = keys::grant(&to, &store.world().keys, comer, NOW).unwrap();
        let own = grant.registration(&machine, None, hash(&format!("moved {card}")), NOW);
        assert_eq!((&own.counted, &own.freed, &own.joined), (&to, &from, &to));
        Effect::Register(Box::new(own))
    };
    let all: Vec<Effect> = (2200..2220).map(moves).collect();
    let tickets: Vec<_> = all.into_iter().map(|effect| store.record(vec![effect])).collect();
    let mut moved = 0;
    for ticket in tickets {
        moved += u32::from(ticket.await.is_ok());
    }
    assert_eq!(moved, 5);
    for read_again in [false, true] {
        if read_again {
            store.look(vec![Change::Everything]).await.unwrap();
        }
        assert_eq!((used(store, "to"), used(store, "from"), used(store, "any")), (5, 15, any + 5));
        let count = |joined: &Names| store.world().machines().filter(|machine| machine.joined == *joined).count();
        assert_eq!((count(&to), count(&from)), (5, 15), "who was refused is where it was");
    }
    // What was freed is free: five more may come, and no sixth.
    for card in 2220..2225 {
        store.record(joins(store, card, &from)).await.unwrap();
    }
    assert!(matches!(store.record(joins_beyond(store, 2225, &from)).await, Err(Error::Conflict)));
}

async fn a_way_back_is_used_once(store: &Store) {
    edit(store, Edit::AddMachines(vec![machine("lost", 2100, None)])).await.unwrap();
    let lost = find(store, "lost");
    let way = |text: &str| Reactivation { hash: hash(text), machine: lost.id, expires_at: later(100), spent_at: None };
    for text in ["first", "second"] {
        store.record(vec![Effect::Lead(way(text))]).await.unwrap();
    }
    assert_eq!(store.reactivation(hash("first")).await.unwrap(), None, "the newest alone opens");
    assert_eq!(store.reactivation(hash("second")).await.unwrap(), Some(way("second")));
    let grant = keys::Grant::default();
    let joined = Machine { joined: name("any").into(), ..find(store, "lost") };
    let returns = grant.registration(&joined, Some(Spent::Reactivation(hash("second"))), hash("a"), NOW);
    assert_eq!((returns.joined.to_string(), returns.freed), ("any".into(), Names::default()), "its keys stay its own");
    let back = |credential: &str, at| {
        let spent = Some(Spent::Reactivation(hash("second")));
        vec![Effect::Register(Box::new(grant.registration(&lost, spent, hash(credential), at)))]
    };
    assert!(matches!(store.record(back("late", later(100))).await, Err(Error::Conflict)), "it has expired");
    store.record(back("a", later(1))).await.unwrap();
    assert!(matches!(store.record(back("b", later(2))).await, Err(Error::Conflict)), "it is spent");
    assert_eq!(find(store, "lost").credential, Some(hash("a")));
    assert_eq!(store.reactivation(hash("second")).await.unwrap().unwrap().spent_at, Some(later(1)));
}

async fn there_is_one_default(store: &Store) {
    let default = |called: &str| ActivationKey { is_default: true, ..key(called, None) };
    edit(store, Edit::AddKey(default("usual"))).await.unwrap();
    let text = edit(store, Edit::AddKey(default("other"))).await.unwrap_err().to_string();
    assert!(text.contains("key usual is the default one already"), "{text}");
    let limited = ActivationKey { usage_limit: Some(3), ..default("usual") };
    let text = edit(store, Edit::SetKey(limited)).await.unwrap_err().to_string();
    assert!(text.contains("can not be the default one with a limit"), "{text}");
    let lost = ActivationKey { profile: Some(name("nowhere")), ..key("lost", None) };
    assert!(edit(store, Edit::AddKey(lost)).await.unwrap_err().to_string().contains("nowhere"));
    let join = |secret| Edit::JoinBy { name: name("usual"), secret };
    edit(store, join(Some(hash("join")))).await.unwrap();
    // What an edit says of a key, it does not say of its secret.
    edit(store, Edit::SetKey(ActivationKey { description: "new".into(), ..default("usual") })).await.unwrap();
    for read_again in [false, true] {
        if read_again {
            store.look(vec![Change::Keys]).await.unwrap();
        }
        assert_eq!(store.world().keys[&name("usual")].join, Some(hash("join")));
    }
    edit(store, join(None)).await.unwrap();
    assert_eq!(store.world().keys[&name("usual")].join, None);
}

async fn the_story(store: &Store) {
    a_limit_holds(std::slice::from_ref(store)).await;
    a_system_counts_once(store).await;
    who_moves_to_another_key_frees_the_first(store).await;
    a_way_back_is_used_once(store).await;
    there_is_one_default(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_parallel_uses_of_a_key_with_limit_10_are_exactly_10_on_sqlite() {
    let (store, _folder) = on_sqlite().await;
    the_story(&store).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_parallel_uses_of_a_key_with_limit_10_are_exactly_10_on_postgres() {
    let fresh = postgres::Fresh::make().await;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&fresh.url(), folder.path()).await;
    the_story(&store).await;
    store.close().await;
    fresh.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_for_two_servers_of_one_database() {
    let fresh = postgres::Fresh::make().await;
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (open(&fresh.url(), folder.path()).await, open(&fresh.url(), folder.path()).await);
    a_limit_holds(&[a.clone(), b.clone()]).await;
    a.close().await;
    b.close().await;
    fresh.drop().await;
}
