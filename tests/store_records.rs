//! What is written of DHCP beside networks (classes, reservations, options for everybody): it lasts on both databases,
//! and another node knows it.

#[path = "postgres/mod.rs"]
mod postgres;

use kickstand::boot::Effect;
use kickstand::model::*;
use kickstand::store::{Change, Edit, Error, Store};
use serde_json::json;
use std::net::Ipv4Addr;
use std::time::Duration;

const NOW: Time = Time::from_secs(1_800_000_000);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn network() -> Network {
    Network {
        name: name("lan"),
        cidr: "10.0.0.0/24".parse().unwrap(),
        gateway: None,
        dns: vec![],
        domain: None,
        pools: vec![],
        lease_secs: 3600,
        profile: None,
        unknown: Unknown::Ignore,
        variables: Default::default(),
        secrets: Default::default(),
        dhcp: Dhcp::default(),
    }
}

fn class(vendor: &str) -> Class {
    let matches = Match { vendor: Some(vendor.into()), program: Some(Program::System), ..Match::default() };
    let options = serde_json::from_value(json!({"tftp-server-name": "10.0.0.9", "224": "0x01"})).unwrap();
    Class { name: name("phones"), network: Some(name("lan")), matches, options }
}

fn kept(address: &str, mark: &str) -> Reservation {
    Reservation { ip: ip(address), network: name("lan"), by: mark.parse().unwrap(), description: "printer".into() }
}

fn options(value: serde_json::Value) -> OptionPatch {
    serde_json::from_value(value).unwrap()
}

async fn edit(store: &Store, edit: Edit) -> Result<(), Error> {
    store.edit(edit, "test", NOW).await
}

/// Every word that is told of it.
fn told(store: &Store) -> String {
    let world = store.world();
    let reservations: Vec<_> = world.reservations().collect();
    format!("{:?} {reservations:?} {:?}", world.classes, world.options)
}

async fn the_story(url: &str) {
    let store = Store::open(url).await.unwrap();
    edit(&store, Edit::AddNetwork(network())).await.unwrap();
    edit(&store, Edit::AddClass(class("Cisco"))).await.unwrap();
    edit(&store, Edit::SetClass(class("Polycom"))).await.unwrap();
    edit(&store, Edit::AddReservation(kept("10.0.0.60", "id:01"))).await.unwrap();
    edit(&store, Edit::AddReservation(kept("10.0.0.61", "circuit:\"eth0\""))).await.unwrap();
    let moved = Edit::SetReservation { was: ip("10.0.0.60"), reservation: kept("10.0.0.70", "id:01") };
    edit(&store, moved.clone()).await.unwrap();
    edit(&store, Edit::SetOptions(options(json!({"ntp-servers": "10.0.0.1", "26": "9000"})))).await.unwrap();
    edit(&store, Edit::SetOptions(options(json!({"26": null, "log-servers": "10.0.0.2"})))).await.unwrap();
    assert!(matches!(edit(&store, moved).await, Err(Error::Missing { .. })), "it is not there any more");
    let refused = edit(&store, Edit::AddReservation(kept("10.0.0.62", "id:01"))).await;
    assert!(matches!(refused, Err(Error::Duplicate { .. })), "{refused:?}");
    {
        let world = store.world();
        assert_eq!(world.classes[&name("phones")], class("Polycom"));
        assert_eq!(world.reservation_at(ip("10.0.0.60")), None);
        assert_eq!(world.reservation(&name("lan"), &"id:01".parse().unwrap()), Some(&kept("10.0.0.70", "id:01")));
        let all = json!({"ntp-servers": "10.0.0.1", "log-servers": "10.0.0.2"});
        assert_eq!(serde_json::to_value(&world.options).unwrap(), all);
    }
    edit(&store, Edit::AddReservation(kept("10.0.0.60", "id:02"))).await.unwrap();
    let found = store.world().reservation(&name("lan"), &"id:01".parse().unwrap()).map(|kept| kept.ip);
    assert_eq!(found, Some(ip("10.0.0.70")), "not the one that has its old address now");
    let before = told(&store);
    store.close().await;
    let store = Store::open(url).await.unwrap();
    assert_eq!(told(&store), before, "memory and database say the same");
    edit(&store, Edit::RemoveClass(name("phones"))).await.unwrap();
    for address in ["10.0.0.60", "10.0.0.61", "10.0.0.70"] {
        edit(&store, Edit::RemoveReservation(ip(address))).await.unwrap();
    }
    edit(&store, Edit::RemoveNetwork(name("lan"))).await.unwrap();
    {
        let world = store.world();
        let mark = "circuit:\"eth0\"".parse().unwrap();
        assert!(world.classes.is_empty() && world.reservations().next().is_none());
        assert_eq!(world.reservation(&name("lan"), &mark), None);
    }
    store.close().await;
}

/// What a client was told runs on after its reservation is gone, though no row says so: nobody else gets the address.
async fn given_up_addresses_rest(url: &str) {
    let store = Store::open(url).await.unwrap();
    edit(&store, Edit::AddNetwork(network())).await.unwrap();
    let mac = Mac([0x52, 0x54, 0, 0, 0, 1]);
    let told = async |address: &str| {
        let ends_at = NOW.plus_secs(1);
        let ip = ip(address);
        let lease = Lease { network: name("lan"), holder: mac.into(), ip, starts_at: NOW, ends_at, hostname: None };
        store.record(vec![Effect::Bind { lease, was: None }]).await.unwrap();
    };
    let rests =
        |address: &str| store.world().hold(ip(address)).map(|hold| (hold.why, hold.until > NOW.plus_secs(3600)));
    edit(&store, Edit::AddReservation(kept("10.0.0.60", &format!("mac:{mac}")))).await.unwrap();
    told("10.0.0.60").await;
    let described = Reservation { description: "scanner".into(), ..kept("10.0.0.60", &format!("mac:{mac}")) };
    edit(&store, Edit::SetReservation { was: ip("10.0.0.60"), reservation: described }).await.unwrap();
    assert_eq!(rests("10.0.0.60"), None, "it has changed nothing for anybody");
    let moved = Edit::SetReservation { was: ip("10.0.0.60"), reservation: kept("10.0.0.61", "circuit:01") };
    edit(&store, moved).await.unwrap();
    assert_eq!(rests("10.0.0.60"), Some((HoldWhy::Moved, true)));
    edit(&store, Edit::RemoveReservation(ip("10.0.0.61"))).await.unwrap();
    assert_eq!(rests("10.0.0.61"), None, "nobody was ever told that he has it");
    edit(&store, Edit::AddReservation(kept("10.0.0.62", "circuit:01"))).await.unwrap();
    store.record(vec![Effect::Unbind { network: name("lan"), holder: mac.into(), at: NOW }]).await.unwrap();
    told("10.0.0.62").await;
    edit(&store, Edit::RemoveReservation(ip("10.0.0.62"))).await.unwrap();
    assert_eq!(rests("10.0.0.62"), Some((HoldWhy::Moved, true)), "whoever sat at that port");
    store.close().await;
}

#[tokio::test]
async fn the_story_holds_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    the_story(&format!("sqlite://{}/kickstand.db", folder.path().display())).await;
    given_up_addresses_rest(&format!("sqlite://{}/other.db", folder.path().display())).await;
}

#[tokio::test]
async fn the_story_holds_on_postgres() {
    let fresh = postgres::Fresh::make().await;
    the_story(&fresh.url()).await;
    given_up_addresses_rest(&fresh.url()).await;
    fresh.drop().await;
}

#[tokio::test]
async fn another_node_knows_it() {
    let fresh = postgres::Fresh::make().await;
    let (a, b) = (Store::open(&fresh.url()).await.unwrap(), Store::open(&fresh.url()).await.unwrap());
    let mut heard = b.changes();
    for (revision, (made, change)) in (1..).zip([
        (Edit::AddNetwork(network()), Change::Networks),
        (Edit::AddClass(class("Cisco")), Change::Classes),
        (Edit::AddReservation(kept("10.0.0.60", "id:01")), Change::Reservations),
        (Edit::SetOptions(options(json!({"ntp-servers": "10.0.0.1"}))), Change::Options),
    ]) {
        edit(&a, made).await.unwrap();
        for told in [change, Change::Revision(revision)] {
            let news = tokio::time::timeout(Duration::from_secs(5), heard.recv()).await.unwrap().unwrap();
            assert_eq!(news, told);
        }
        assert_eq!(told(&a), told(&b));
    }
    // Neither loses what the other set.
    let (one, two) = (options(json!({"26": "9000"})), options(json!({"ntp-servers": null, "log-servers": "10.0.0.2"})));
    let (one, two) = tokio::join!(edit(&a, Edit::SetOptions(one)), edit(&b, Edit::SetOptions(two)));
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    let fresh_eyes = Store::open(&fresh.url()).await.unwrap();
    let all = json!({"interface-mtu": "9000", "log-servers": "10.0.0.2"});
    assert_eq!(serde_json::to_value(&fresh_eyes.world().options).unwrap(), all);
    for store in [a, b, fresh_eyes] {
        store.close().await;
    }
    fresh.drop().await;
}
