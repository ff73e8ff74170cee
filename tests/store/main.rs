//! One story of the store, told to SQLite and to PostgreSQL; then what only one of them can go through.

#[path = "../postgres/mod.rs"]
mod postgres;

mod check_ins;
mod faults;
mod given;
mod group;
mod holds;
mod lost;
mod over;
mod own_file;
mod revisions;
mod rollback;
mod secrets;
mod speed;
mod strangers;
mod trial;
mod two_nodes;
mod uses;

use kickstand::boot::keys::{self, Comer};
use kickstand::boot::{Effect, Spent, Standing, Step, Tale};
use kickstand::model::*;
use kickstand::store::{Change, Edit, Error, EventFilter, Store};
use sqlx::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};
use uuid::Uuid;

const NOW: Time = Time::from_secs(1_800_000_000);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn mac(n: u32) -> Mac {
    let [a, b, c, d] = n.to_be_bytes();
    Mac([0x52, 0x54, a, b, c, d])
}

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn hash(text: &str) -> Hash {
    Secret::new(text).hash()
}

fn later(secs: u32) -> Time {
    NOW.plus_secs(secs)
}

fn network(called: &str, cidr: &str) -> Network {
    Network {
        name: name(called),
        cidr: cidr.parse().unwrap(),
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

fn range(called: &str, on: &str, span: &str, profile: &str) -> Range {
    Range {
        name: name(called),
        network: name(on),
        span: span.parse().unwrap(),
        profile: name(profile),
        options: OptionSet::default(),
        variables: Default::default(),
        secrets: Default::default(),
    }
}

fn distro(called: &str) -> Distro {
    let [kernel, initrd, arguments] = ["linux", "initrd", "quiet"].map(String::from);
    Distro {
        name: name(called),
        family: Family::Image,
        kernel,
        initrd,
        arguments,
        variables: Variables::new(),
        secrets: Default::default(),
        loader: None,
    }
}

fn profile(called: &str, parent: Option<&str>) -> Profile {
    Profile {
        name: name(called),
        parent: parent.map(name),
        distro: None,
        template: None,
        arguments: String::new(),
        keys: Names::default(),
        variables: Variables::new(),
        secrets: Default::default(),
        options: OptionSet::default(),
        loader: None,
        disk_boot: None,
    }
}

fn key(called: &str, usage_limit: Option<u32>) -> ActivationKey {
    let description = "for tests".into();
    ActivationKey { description, groups: vec![name("web")], usage_limit, ..ActivationKey::new(name(called)) }
}

fn machine(called: &str, card: u32, address: Option<&str>) -> Machine {
    Machine {
        id: MachineId(Uuid::now_v7()),
        name: name(called),
        interfaces: vec![Interface { mac: mac(card), ip: address.map(ip) }],
        profile: None,
        keys: Names::default(),
        groups: Names::default(),
        joined: Names::default(),
        arguments: String::new(),
        variables: Variables::new(),
        secrets: Default::default(),
        options: OptionSet::default(),
        loader: None,
        disk_boot: None,
        state: State::Ready,
        state_at: NOW,
        install: None,
        inventory: None,
        credential: None,
        created_at: NOW,
        revision: 0,
    }
}

fn lease(card: u32, address: &str, starts: u32, ends: u32) -> Lease {
    Lease {
        network: name("lan"),
        holder: mac(card).into(),
        ip: ip(address),
        starts_at: later(starts),
        ends_at: later(ends),
        hostname: None,
    }
}

/// As a node decides that knows of no earlier address.
fn bound(lease: Lease) -> Effect {
    Effect::Bind { lease, was: None }
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % u64::from(limit)) as u32
    }
}

fn install(token: &str) -> Install {
    let boot = Boot {
        token: hash(token),
        report: hash(&format!("report of {token}")),
        ip: ip("10.0.0.21"),
        served_at: NOW,
        expires_at: later(3600),
        answered_at: None,
        reported_at: None,
        profile: None,
        repeats: 0,
        inside: None,
    };
    Install { boots: 1, boot: Some(boot), ..Install::new(Uuid::now_v7(), NOW, State::Ready) }
}

fn step(machine: &Machine, state: State, install: Option<Install>) -> Step {
    Step { machine: machine.id, from: machine.revision, state, state_at: later(1), install }
}

fn replacement(machine: &Machine, from: i64, old: u32, new: u32) -> Edit {
    let (machine, at, state) = (machine.id, later(20), State::Ready);
    Edit::Replace { machine, from, old: mac(old), new: mac(new), at, state, install: None }
}

fn sighting(card: u32, last: u32) -> Sighting {
    Sighting {
        mac: mac(card),
        network: name("lan"),
        arch: Some(Arch::X64_UEFI),
        vendor: "PXEClient\0".into(),
        uuid: None,
        first_at: later(last),
        last_at: later(last),
    }
}

async fn edit(store: &Store, edit: Edit) -> Result<(), Error> {
    store.edit(edit, "root", NOW).await
}

async fn refusal(store: &Store, refused: Edit) -> String {
    edit(store, refused).await.unwrap_err().to_string()
}

fn find(store: &Store, called: &str) -> Machine {
    store.world().machine_named(&name(called)).unwrap().clone()
}

/// Everything that a World knows, in an order that does not depend on its maps.
fn everything(store: &Store) -> BTreeSet<String> {
    let world = store.world();
    let mut all = BTreeSet::new();
    all.extend(world.networks.values().map(|x| format!("{x:?}")));
    all.extend(world.ranges.iter().map(|x| format!("{x:?}")));
    all.extend(world.distros.values().map(|x| format!("{x:?}")));
    all.extend(world.profiles.values().map(|x| format!("{x:?}")));
    all.extend(world.keys.values().map(|x| format!("{x:?}")));
    all.extend(world.tokens.iter().map(|(hash, who)| format!("{hash} {who:?}")));
    all.extend(world.machines().map(|x| format!("{x:?}")));
    all.extend(world.machines().map(|x| format!("{:?} {:?}", x.name, x.credential.map(|c| c.to_string()))));
    all.extend(world.leases().map(|x| format!("{x:?}")));
    all.extend(world.holds().map(|x| format!("{x:?}")));
    let named = |noun, name: &dyn std::fmt::Display| {
        let (name, since) = (name.to_string(), world.last_changed(noun, &name.to_string()));
        format!("{noun} {name} of {:?}", since.unwrap_or_else(|| panic!("{noun} {name} is there")))
    };
    all.extend(world.networks.keys().map(|name| named(Noun::Network, name)));
    all.extend(world.ranges.iter().map(|range| named(Noun::Range, &range.name)));
    all.extend(world.distros.keys().map(|name| named(Noun::Distro, name)));
    all.extend(world.profiles.keys().map(|name| named(Noun::Profile, name)));
    all.extend(world.keys.keys().map(|name| named(Noun::Key, name)));
    all.extend(world.reservations().map(|kept| named(Noun::Reservation, &kept.ip)));
    all.extend(world.machines().map(|machine| named(Noun::Machine, &machine.name)));
    all.insert(named(Noun::Options, &"everybody"));
    all.extend((0..200).filter_map(|n| world.tombstone(mac(n))).map(|x| format!("{x:?}")));
    all
}

async fn the_story(url: &str) {
    let store = Store::open(url).await.unwrap();
    nouns_are_kept_and_duplicates_are_named(&store).await;
    ranges_nest_and_never_overlap(&store).await;
    contradictions_are_refused(&store).await;
    what_others_speak_of_stays(&store).await;
    a_list_of_machines_is_taken_whole_or_not_at_all(&store).await;
    of_two_steps_one_wins(&store).await;
    set_machine_keeps_its_life(&store).await;
    addresses_change_hands_only_when_they_are_free(&store).await;
    holds::a_moved_address_waits_for_its_last_lease(&store).await;
    holds::an_operator_ends_a_lease(&store).await;
    a_key_is_spent_once(&store).await;
    new_metal_takes_the_old_one_s_place(&store).await;
    sightings_become_machines(&store).await;
    history_is_one(&store).await;

    let (before, secret) = (everything(&store), store.server_secret().await.unwrap());
    store.close().await;
    let store = Store::open(url).await.unwrap();
    let after = everything(&store);
    assert_eq!(before.difference(&after).collect::<Vec<_>>(), Vec::<&String>::new(), "lost");
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new(), "invented");
    assert_eq!(store.world().sightings().map(|seen| (seen.mac, seen.first_at)).collect::<Vec<_>>(), [(mac(61), NOW)]);
    assert_eq!(store.server_secret().await.unwrap(), secret);
    assert_ne!(secret, [0; 32]);
    let clone = store.clone();
    store.close().await;
    assert!(matches!(clone.record(vec![bound(lease(1, "10.0.0.50", 0, 10))]).await, Err(Error::Closed)));
}

async fn nouns_are_kept_and_duplicates_are_named(store: &Store) {
    let mut changes = store.changes();
    let lan = Network {
        gateway: Some(ip("10.0.0.1")),
        dns: vec![ip("10.0.0.1"), ip("9.9.9.9")],
        domain: Some(name("example.org")),
        pools: vec!["10.0.0.100-10.0.0.200".parse().unwrap()],
        unknown: Unknown::Discover,
        variables: Default::default(),
        secrets: Default::default(),
        ..network("lan", "10.0.0.0/24")
    };
    let variables = Variables::from([("disk".into(), serde_json::json!({"size": 1.5, "names": ["a", "ü"]}))]);
    edit(store, Edit::AddKey(key("web", None))).await.unwrap();
    edit(store, Edit::AddDistro(Distro { variables: variables.clone(), ..distro("debian") })).await.unwrap();
    let base = Profile {
        distro: Some(name("debian")),
        keys: name("web").into(),
        template: Some("image/install.sh".into()),
        variables: variables.clone(),
        secrets: Default::default(),
        ..profile("base", None)
    };
    edit(store, Edit::AddProfile(base.clone())).await.unwrap();
    edit(store, Edit::AddProfile(profile("web", Some("base")))).await.unwrap();
    edit(store, Edit::AddNetwork(lan.clone())).await.unwrap();
    edit(store, Edit::AddRange(range("racks", "lan", "10.0.0.10-10.0.0.60", "base"))).await.unwrap();
    edit(store, Edit::AddToken { name: name("ci"), hash: hash("token"), at: NOW }).await.unwrap();
    let web = Machine { variables, ..machine("web-1", 1, Some("10.0.0.21")) };
    edit(store, Edit::AddMachines(vec![web.clone()])).await.unwrap();

    assert_eq!(changes.recv().await.unwrap(), Change::Keys);
    {
        let world = store.world();
        assert_eq!(world.networks[&name("lan")], lan);
        assert_eq!(world.profiles[&name("base")], base);
        assert_eq!(world.tokens[&hash("token")], (name("ci"), NOW));
        assert_eq!(world.machine_with_mac(mac(1)), Some(&web));
        assert_eq!(world.reserved(ip("10.0.0.21")), Some(mac(1)));
        assert_eq!(world.network_of(ip("10.0.0.77")), Some(&lan));
        assert!(matches!(world.standing(mac(1)), Standing::Machine(m) if m.name == web.name));
    }
    let held = "is held by machine web-1";
    for (twin, what) in [
        (machine("web-2", 1, None), "MAC 52:54:00:00:00:01"),
        (machine("web-2", 2, Some("10.0.0.21")), "address 10.0.0.21"),
        (machine("web-1", 2, None), "name web-1"),
    ] {
        let text = refusal(store, Edit::AddMachines(vec![twin])).await;
        assert!(text.contains(what) && text.contains(held), "{text}");
    }
    let text = refusal(store, Edit::AddProfile(profile("base", None))).await;
    assert!(text.contains("name base is held by profile base"), "{text}");
}

async fn ranges_nest_and_never_overlap(store: &Store) {
    edit(store, Edit::AddRange(range("row", "lan", "10.0.0.20-10.0.0.30", "web"))).await.unwrap();
    let text = refusal(store, Edit::AddRange(range("bad", "lan", "10.0.0.25-10.0.0.70", "web"))).await;
    assert!(text.contains("range bad (10.0.0.25-10.0.0.70) overlaps range racks"), "{text}");
    let text = refusal(store, Edit::SetRange(range("row", "lan", "10.0.0.50-10.0.0.70", "web"))).await;
    assert!(text.contains("overlaps range racks"), "{text}");
    let text = refusal(store, Edit::AddRange(range("out", "lan", "10.0.0.250-10.0.1.3", "web"))).await;
    assert!(text.contains("outside network lan (10.0.0.0/24)"), "{text}");
    let text = refusal(store, Edit::AddRange(range("lost", "lan", "10.0.0.70-10.0.0.71", "nothing"))).await;
    assert!(text.contains("there is no profile nothing"), "{text}");
    edit(store, Edit::SetRange(range("row", "lan", "10.0.0.20-10.0.0.40", "web"))).await.unwrap();
    assert_eq!(store.world().ranges.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["racks", "row"]);
}

async fn contradictions_are_refused(store: &Store) {
    let text = refusal(store, Edit::AddNetwork(network("other", "10.0.0.128/25"))).await;
    assert!(text.contains("overlaps network lan (10.0.0.0/24)"), "{text}");
    let pools = vec!["10.9.0.10-10.9.1.10".parse().unwrap()];
    let text = refusal(store, Edit::AddNetwork(Network { pools, ..network("other", "10.9.0.0/24") })).await;
    assert!(text.contains("pool 10.9.0.10-10.9.1.10 of network other reaches outside"), "{text}");
    let text = refusal(store, Edit::SetProfile(profile("base", Some("web")))).await;
    assert!(text.contains("base → web → base"), "{text}");
    for (address, why) in [
        ("10.7.0.1", "lies in no network (lan 10.0.0.0/24)"),
        ("10.0.0.0", "broadcast address"),
        ("10.0.0.255", "broadcast address"),
        ("10.0.0.1", "is the gateway of network lan"),
    ] {
        let text = refusal(store, Edit::AddMachines(vec![machine("bad", 9, Some(address))])).await;
        assert!(text.contains(why), "{address}: {text}");
    }
    let text = refusal(store, Edit::SetNetwork(network("lan", "10.0.0.0/28"))).await;
    assert!(text.contains("range racks"), "{text}");
    let onto = Network { gateway: Some(ip("10.0.0.21")), ..network("lan", "10.0.0.0/24") };
    let text = refusal(store, Edit::SetNetwork(onto)).await;
    assert!(text.contains("machine web-1") && text.contains("the gateway"), "{text}");
    let text = refusal(store, Edit::RemoveRange(name("nothing"))).await;
    assert!(text.contains("`kickstand range list`"), "{text}");
}

async fn what_others_speak_of_stays(store: &Store) {
    for (edit, by) in [
        (Edit::RemoveNetwork(name("lan")), "by range racks"),
        (Edit::RemoveProfile(name("base")), "by profile web"),
        (Edit::RemoveProfile(name("web")), "by range row"),
        (Edit::RemoveDistro(name("debian")), "by profile base"),
        (Edit::RemoveKey(name("web")), "by profile base"),
    ] {
        let text = refusal(store, edit).await;
        assert!(text.contains(by), "{text}");
    }
    edit(store, Edit::AddNetwork(network("spare", "10.1.0.0/24"))).await.unwrap();
    edit(store, Edit::AddMachines(vec![machine("spare-1", 80, Some("10.1.0.5"))])).await.unwrap();
    let text = refusal(store, Edit::RemoveNetwork(name("spare"))).await;
    assert!(text.contains("by machine spare-1 (10.1.0.5)"), "{text}");
    let on_spare = Lease { network: name("spare"), ..lease(81, "10.1.0.9", 0, 60) };
    store.record(vec![bound(on_spare)]).await.unwrap();
    edit(store, Edit::RemoveMachine(name("spare-1"))).await.unwrap();
    edit(store, Edit::RemoveNetwork(name("spare"))).await.unwrap();
    let world = store.world();
    assert!(world.machine_with_mac(mac(80)).is_none() && world.reserved(ip("10.1.0.5")).is_none());
    assert!(world.network_of(ip("10.1.0.5")).is_none() && world.lease(&name("spare"), &mac(81).into()).is_none());
}

async fn a_list_of_machines_is_taken_whole_or_not_at_all(store: &Store) {
    let list = vec![machine("db-1", 11, Some("10.0.0.41")), machine("db-2", 12, None), machine("db-3", 11, None)];
    let error = edit(store, Edit::AddMachines(list.clone())).await.unwrap_err();
    assert!(matches!(error, Error::At { index: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("machine 3 of the list: MAC 52:54:00:00:00:0b is held by machine db-1"));
    assert!(store.world().machine_named(&name("db-1")).is_none());
    edit(store, Edit::AddMachines(list[..2].to_vec())).await.unwrap();
    let names: Vec<_> = store.world().machines().map(|m| m.name.to_string()).collect();
    assert_eq!(names, ["db-1", "db-2", "web-1"]);
}

async fn of_two_steps_one_wins(store: &Store) {
    let web = find(store, "web-1");
    let mut changes = store.changes();
    let one = store.record(vec![Effect::Step(step(&web, State::Armed, Some(install("one"))))]);
    let two = store.record(vec![
        bound(lease(77, "10.0.0.177", 0, 10)),
        Effect::Step(step(&web, State::Armed, Some(install("two")))),
    ]);
    one.await.unwrap();
    assert!(matches!(two.await, Err(Error::Conflict)));
    let world = store.world();
    assert_eq!(world.lease(&name("lan"), &mac(77).into()), None, "a refused job leaves nothing behind");
    assert_eq!(world.machine_with_token(hash("one")).unwrap().revision, web.revision + 1);
    assert!(world.machine_with_report(hash("report of one")).is_some());
    assert!(world.machine_with_token(hash("two")).is_none());
    assert_eq!(changes.try_recv().unwrap(), Change::Machine(web.id));
    assert!(changes.try_recv().is_err());
}

async fn set_machine_keeps_its_life(store: &Store) {
    let old = find(store, "web-1");
    let interfaces = vec![old.interfaces[0].clone(), Interface { mac: mac(3), ip: Some(ip("10.0.0.22")) }];
    let new = Machine { interfaces, arguments: "x".into(), state: State::Failed, install: None, ..old.clone() };
    edit(store, Edit::SetMachine(new.clone())).await.unwrap();
    let kept = find(store, "web-1");
    assert_eq!((kept.state, &kept.install, kept.revision), (State::Armed, &old.install, old.revision + 1));
    assert_eq!((kept.arguments.as_str(), kept.interfaces.len()), ("x", 2));
    assert!(matches!(edit(store, Edit::SetMachine(new)).await, Err(Error::Conflict)), "an older revision");
    let text = refusal(store, Edit::SetMachine(Machine { name: name("db-1"), ..kept })).await;
    assert!(text.contains("name db-1 is held by machine db-1"), "{text}");
}

async fn addresses_change_hands_only_when_they_are_free(store: &Store) {
    let bind = |lease: Lease| store.record(vec![bound(lease)]);
    bind(lease(100, "10.0.0.100", 0, 60)).await.unwrap();
    assert!(matches!(bind(lease(101, "10.0.0.100", 30, 90)).await, Err(Error::Conflict)), "it is still held");
    let moved = |was| store.record(vec![Effect::Bind { lease: lease(100, "10.0.0.101", 30, 90), was }]);
    assert!(matches!(moved(None).await, Err(Error::Conflict)), "another node gave it an address meanwhile");
    assert!(matches!(moved(Some(ip("10.0.0.103"))).await, Err(Error::Conflict)), "and not the one that is known here");
    moved(Some(ip("10.0.0.100"))).await.unwrap();
    assert_eq!(store.world().lease_at(&name("lan"), ip("10.0.0.100")), None, "a card has one lease on a network");
    store.record(vec![Effect::Unbind { network: name("lan"), holder: mac(100).into(), at: later(40) }]).await.unwrap();
    assert_eq!(store.world().lease(&name("lan"), &mac(100).into()).unwrap().ends_at, later(40));
    bind(lease(102, "10.0.0.101", 41, 99)).await.unwrap();
    {
        let world = store.world();
        assert_eq!(world.lease_at(&name("lan"), ip("10.0.0.101")).unwrap().holder, mac(102).into());
        assert_eq!(world.lease(&name("lan"), &mac(100).into()), None);
    }
    let gone = Lease { network: name("gone"), ..lease(103, "10.0.0.103", 0, 9) };
    assert!(matches!(bind(gone).await, Err(Error::Conflict)), "there is no such network");
}

/// A machine comes in with the key web.
fn registered(machine: &Machine, spends: Spent, credential: Hash, at: Time) -> Effect {
    let keys = BTreeMap::from([(name("web"), key("web", None))]);
    let grant = keys::grant(&name("web").into(), &keys, Comer { machine: Some(machine), from: None }, at).unwrap();
    Effect::Register(Box::new(grant.registration(machine, Some(spends), credential, at)))
}

async fn a_key_is_spent_once(store: &Store) {
    let web = find(store, "web-1");
    let minted = InstallKey {
        hash: hash("key"),
        keys: name("web").into(),
        machine: web.id,
        install: web.install.as_ref().unwrap().id,
        expires_at: later(100),
        spent_at: None,
    };
    let mint = |hash| store.record(vec![Effect::Mint(InstallKey { hash, ..minted.clone() })]);
    mint(hash("earlier boot")).await.unwrap();
    mint(hash("key")).await.unwrap();
    mint(hash("key")).await.unwrap();
    assert_eq!(store.install_key(hash("earlier boot")).await.unwrap(), None, "only the newest of an install opens");
    assert_eq!(store.install_key(hash("key")).await.unwrap(), Some(minted.clone()));
    assert_eq!(store.install_key(hash("other")).await.unwrap(), None);

    let register = |with: &str, n: usize, at| {
        let credential = hash(&format!("credential {n}"));
        registered(&web, Spent::Install(hash(with)), credential, at)
    };
    let late = store.record(vec![register("key", 0, later(100))]);
    assert!(matches!(late.await, Err(Error::Conflict)), "it has expired");
    let step = Effect::Step(step(&web, State::Registered, web.install.clone()));
    let inventory = Effect::Inventory { machine: web.id, inventory: serde_json::json!({"cpus": 2}) };
    let whole = |n| vec![step.clone(), register("key", n, later(9)), inventory.clone()];
    let alone = |n| vec![register("key", n, later(9))];
    let tasks: Vec<_> =
        (0..50).map(|n| tokio::spawn(store.record(if n % 2 == 0 { whole(n) } else { alone(n) }))).collect();
    let mut won = Vec::new();
    for (n, task) in tasks.into_iter().enumerate() {
        match task.await.unwrap() {
            Ok(()) => won.push(n),
            Err(error) => assert!(matches!(error, Error::Conflict), "{error}"),
        }
    }
    assert_eq!(won, [0], "spent by these");
    assert_eq!(store.install_key(hash("key")).await.unwrap().unwrap().spent_at, Some(later(9)));
    assert_eq!(store.world().keys[&name("web")].used, 1);
    let known = store.world().machine_with_credential(hash("credential 0")).unwrap().clone();
    assert_eq!((known.state, known.revision), (State::Registered, web.revision + 1));
    assert_eq!((&known.joined, &known.groups), (&name("web").into(), &name("web").into()));
    assert_eq!(known.inventory, Some(serde_json::json!({"cpus": 2})));

    edit(store, Edit::SetKey(ActivationKey { used: 0, ..key("web", Some(1)) })).await.unwrap();
    assert_eq!(store.world().keys[&name("web")].used, 1, "only registrations count");
    mint(hash("second")).await.unwrap();
    assert!(store.install_key(hash("key")).await.unwrap().is_some(), "a spent key is remembered as spent");
    let beyond = store.record(vec![register("second", 2, later(9))]);
    assert!(matches!(beyond.await, Err(Error::Conflict)), "the activation key is used up");
    assert_eq!(store.install_key(hash("second")).await.unwrap().unwrap().spent_at, None);
}

async fn new_metal_takes_the_old_one_s_place(store: &Store) {
    let old = find(store, "web-1");
    store.record(vec![bound(lease(1, "10.0.0.21", 0, 600))]).await.unwrap();
    store.record(vec![bound(lease(51, "10.0.0.151", 0, 600)), Effect::See(sighting(51, 0))]).await.unwrap();
    let text = refusal(store, replacement(&old, old.revision, 1, 11)).await;
    assert!(text.contains("MAC 52:54:00:00:00:0b is held by machine db-1"), "{text}");
    assert!(matches!(edit(store, replacement(&old, old.revision - 1, 1, 51)).await, Err(Error::Conflict)));
    let text = refusal(store, replacement(&old, old.revision, 99, 51)).await;
    assert!(text.contains("no card 52:54:00:00:00:63"), "{text}");
    assert_eq!(find(store, "web-1"), old, "a refused replacement leaves nothing behind");
    edit(store, replacement(&old, old.revision, 1, 51)).await.unwrap();

    let new = find(store, "web-1");
    assert_eq!((new.id, new.interfaces[0].clone()), (old.id, Interface { mac: mac(51), ip: Some(ip("10.0.0.21")) }));
    assert_eq!((new.state, new.install.as_ref(), new.credential), (State::Ready, None, None));
    assert_eq!(new.revision, old.revision + 1);
    {
        let world = store.world();
        assert!(matches!(world.standing(mac(1)), Standing::Retired(t) if t.replaced_by == mac(51)));
        assert!(world.machine_with_credential(old.credential.unwrap()).is_none());
        assert_eq!(
            (world.lease(&name("lan"), &mac(1).into()), world.lease(&name("lan"), &mac(51).into())),
            (None, None)
        );
        assert_eq!(world.sighting(mac(51)), None);
        assert_eq!(world.reserved(ip("10.0.0.21")), Some(mac(51)));
    }
    let again = machine("52-54-00-00-00-01", 1, None);
    let enlisted = store.record(vec![Effect::Enlist(Box::new(again.clone()))]).await;
    assert!(matches!(enlisted, Err(Error::Conflict)), "a retired card makes no record of itself");
    let text = refusal(store, Edit::AddMachines(vec![again])).await;
    assert!(text.contains("52:54:00:00:00:01 was replaced by") && text.contains("gets no role again"), "{text}");
    edit(store, replacement(&new, new.revision, 51, 1)).await.unwrap();
    assert_eq!(store.world().tombstone(mac(1)), None, "back to the machine that it was replaced in");
    assert!(matches!(store.world().standing(mac(51)), Standing::Retired(_)));
    let db_1 = find(store, "db-1");
    let other = Edit::Replace {
        machine: db_1.id,
        from: db_1.revision,
        old: db_1.interfaces[0].mac,
        new: mac(51),
        at: later(1),
        state: State::Ready,
        install: None,
    };
    assert!(refusal(store, other).await.contains("gets no role again"));
    assert!(refusal(store, Edit::ForgetCard(mac(77))).await.contains("is no replaced card"));
    edit(store, Edit::ForgetCard(mac(51))).await.unwrap();
    assert_eq!(store.world().tombstone(mac(51)), None, "an operator's word lifts it");
    edit(store, Edit::AddMachines(vec![machine("reborn", 51, None)])).await.unwrap();
    edit(store, replacement(&new, new.revision + 1, 1, 52)).await.unwrap();
}

async fn sightings_become_machines(store: &Store) {
    for last in [0, 10, 70] {
        store.record(vec![Effect::See(sighting(60, last))]).await.unwrap();
    }
    store.record(vec![Effect::See(sighting(61, 0))]).await.unwrap();
    let seen = store.world().sighting(mac(60)).unwrap().clone();
    assert_eq!((seen.first_at, seen.last_at), (NOW, later(70)));
    let newcomer = machine("52-54-00-00-00-3c", 60, None);
    store.record(vec![Effect::Enlist(Box::new(newcomer.clone()))]).await.unwrap();
    assert_eq!(store.world().sighting(mac(60)), None, "what has a record is not unknown");
    let twin = Machine { id: MachineId(Uuid::now_v7()), ..newcomer };
    assert!(matches!(store.record(vec![Effect::Enlist(Box::new(twin))]).await, Err(Error::Conflict)));
    edit(store, Edit::RemoveMachine(name("52-54-00-00-00-3c"))).await.unwrap();
}

async fn history_is_one(store: &Store) {
    let web = find(store, "web-1");
    let mut feed = store.feed();
    let tell =
        |kind, text: &str| store.record(vec![Effect::Tell(Tale::new(later(50), kind, text).of(web.id).by(mac(1)))]);
    let first = store.events(&EventFilter::default()).await.unwrap().last().unwrap().id;
    tell(Kind::Offer, "in memory").await.unwrap();
    tell(Kind::Alarm, "on disk, where \0 is no trouble").await.unwrap();
    tell(Kind::Progress, "in memory too").await.unwrap();
    let of = async |filter: EventFilter| {
        let events = store.events(&filter).await.unwrap();
        events.into_iter().map(|event| event.kind.word()).collect::<Vec<_>>()
    };
    let any = EventFilter::default;
    assert_eq!(of(EventFilter { after: Some(first), ..any() }).await, ["offer", "alarm", "progress"]);
    assert_eq!(feed.recv().await.unwrap().kind, Kind::Offer);
    assert_eq!(feed.recv().await.unwrap().text, "on disk, where \0 is no trouble");

    let mine = EventFilter { machine: Some(web.id), since: Some(later(50)), ..any() };
    assert_eq!(of(EventFilter { limit: 2, ..mine.clone() }).await, ["alarm", "progress"]);
    assert_eq!(of(EventFilter { kinds: vec![Kind::Alarm, Kind::Offer], ..mine.clone() }).await, ["offer", "alarm"]);
    assert_eq!(of(EventFilter { mac: Some(mac(2)), ..mine }).await, Vec::<&str>::new());
    assert_eq!(of(EventFilter { mac: Some(mac(1)), limit: 1, ..any() }).await, ["progress"]);
    let records = store.events(&EventFilter { kinds: vec![Kind::Record], ..any() }).await.unwrap();
    assert_eq!(records[0].text, "root added key web");
    assert!(records.iter().any(|event| event.text.contains("replaced card") && event.machine == Some(web.id)));
    assert!(!records.iter().any(|event| event.text.contains("db-3")), "what was refused is no history");
}

fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

async fn with_lan(url: &str) -> Store {
    let store = Store::open(url).await.unwrap();
    edit(&store, Edit::AddNetwork(network("lan", "10.0.0.0/8"))).await.unwrap();
    store
}

async fn until(limit: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "it did not happen within {limit:?}");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_holds_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    the_story(&sqlite_url(&folder.path().join("deep/er/kickstand.db"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_holds_on_postgres() {
    let fresh = postgres::Fresh::make().await;
    the_story(&fresh.url()).await;
    fresh.drop().await;
}
