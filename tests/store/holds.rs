//! Addresses that were reserved, and leases that an operator ends.

use super::*;

fn hold_at(store: &Store, address: &str) -> Option<Hold> {
    store.world().hold(ip(address)).cloned()
}

/// Nobody else gets a reserved address before the last possible lease of it is over.
pub async fn a_moved_address_waits_for_its_last_lease(store: &Store) {
    let mut changes = store.changes();
    let boxes = ["10.0.0.61", "10.0.0.62", "10.0.0.63"];
    let list = (0..3).map(|n| machine(&format!("box-{n}"), 120 + n, Some(boxes[n as usize]))).collect();
    edit(store, Edit::AddMachines(list)).await.unwrap();
    // The first was told, long ago; the third has a lease that runs for longer than a lease of the network.
    store.record(vec![bound(lease(120, boxes[0], 0, 1))]).await.unwrap();
    store.record(vec![bound(lease(122, boxes[2], 0, 9000))]).await.unwrap();
    let mut told: Vec<Hold> = Vec::new();
    for (n, at) in [(0, 100), (1, 100)] {
        let old = find(store, &format!("box-{n}"));
        let interfaces = vec![Interface { mac: mac(120 + n), ip: Some(ip(&format!("10.0.0.7{n}"))) }];
        store.edit(Edit::SetMachine(Machine { interfaces, ..old }), "root", later(at)).await.unwrap();
        told.extend(hold_at(store, boxes[n as usize]));
    }
    let moved = Hold {
        network: name("lan"),
        ip: ip(boxes[0]),
        until: later(100 + 3600 + 60),
        why: HoldWhy::Moved,
        holder: Some(mac(120).into()),
        times: 0,
    };
    assert_eq!(told, std::slice::from_ref(&moved), "and nobody was ever told of the second");
    store.edit(Edit::RemoveMachine(name("box-2")), "root", later(100)).await.unwrap();
    assert_eq!(hold_at(store, boxes[2]).map(|hold| hold.until), Some(later(9000 + 60)));
    let told = std::iter::from_fn(|| changes.try_recv().ok()).filter(|change| matches!(change, Change::Hold { .. }));
    let of = |address: &str| Change::Hold { network: name("lan"), ip: ip(address) };
    assert_eq!(told.collect::<Vec<_>>(), [of(boxes[0]), of(boxes[2])]);

    // A record that says the same of its addresses, or exchanges the metal, moves nothing.
    store.record(vec![bound(lease(121, "10.0.0.71", 0, 600))]).await.unwrap();
    let same = Machine { arguments: "x".into(), ..find(store, "box-1") };
    store.edit(Edit::SetMachine(same), "root", later(200)).await.unwrap();
    let old = find(store, "box-1");
    edit(store, replacement(&old, old.revision, 121, 125)).await.unwrap();
    assert_eq!((hold_at(store, "10.0.0.70"), hold_at(store, "10.0.0.71")), (None, None));
    assert_eq!(hold_at(store, boxes[0]), Some(moved));
    edit(store, Edit::RemoveMachine(name("box-0"))).await.unwrap();
    edit(store, Edit::RemoveMachine(name("box-1"))).await.unwrap();
    edit(store, Edit::ForgetCard(mac(121))).await.unwrap();
}

pub async fn an_operator_ends_a_lease(store: &Store) {
    let release = |address: &str| {
        let edit = Edit::ReleaseLease { network: name("lan"), ip: ip(address) };
        store.edit(edit, "root", later(300))
    };
    let declined = Hold {
        network: name("lan"),
        ip: ip("10.0.0.131"),
        until: later(900),
        why: HoldWhy::Declined,
        holder: None,
        times: 1,
    };
    store.record(vec![bound(lease(130, "10.0.0.130", 0, 600))]).await.unwrap();
    store.record(vec![Effect::Avoid(declined)]).await.unwrap();
    store.record(vec![bound(lease(132, "10.0.0.132", 0, 1))]).await.unwrap();
    // A reserved address is renewed in memory alone.
    store.record(vec![Effect::Know(lease(132, "10.0.0.132", 250, 850))]).await.unwrap();
    for address in ["10.0.0.130", "10.0.0.131", "10.0.0.132"] {
        release(address).await.unwrap();
        assert_eq!(hold_at(store, address), None);
        let world = store.world();
        assert!(world.lease_at(&name("lan"), ip(address)).is_none_or(|lease| lease.ends_at == later(300)), "{address}");
    }
    for address in ["10.0.0.130", "10.0.0.131", "10.0.0.132", "10.0.0.133"] {
        let text = release(address).await.unwrap_err().to_string();
        assert!(text.contains(&format!("{address} on network lan has neither a lease that runs nor a hold")), "{text}");
    }
    let records = EventFilter { kinds: vec![Kind::Record], ..EventFilter::default() };
    let texts: Vec<_> = store.events(&records).await.unwrap().into_iter().map(|event| event.text).collect();
    let last = ["ended the lease of 52:54:00:00:00:82 on 10.0.0.130", "lifted the hold on 10.0.0.131"];
    assert!(last.iter().all(|text| texts.contains(&format!("root {text}"))), "{texts:?}");
    assert!(texts.contains(&"root ended the lease of 52:54:00:00:00:84 on 10.0.0.132".to_owned()), "{texts:?}");
    // In memory it ended at 300, in its row at 1: so it is after the next start.
    store.record(vec![bound(lease(132, "10.0.0.132", 301, 302))]).await.unwrap();
}
