//! One story of the store, told to SQLite and to PostgreSQL; then what only one of them can go through.

#[path = "postgres/mod.rs"]
mod postgres;

use kickstand::boot::{Effect, Standing, Step, Tale};
use kickstand::model::*;
use kickstand::store::{Change, Edit, Error, EventFilter, Store};
use sqlx::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
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
    }
}

fn distro(called: &str) -> Distro {
    let [kernel, initrd, arguments] = ["linux", "initrd", "quiet"].map(String::from);
    Distro { name: name(called), family: Family::Image, kernel, initrd, arguments, variables: Variables::new() }
}

fn profile(called: &str, parent: Option<&str>) -> Profile {
    Profile {
        name: name(called),
        parent: parent.map(name),
        distro: None,
        template: None,
        arguments: String::new(),
        key: None,
        variables: Variables::new(),
        options: OptionSet::default(),
    }
}

fn key(called: &str, usage_limit: Option<u32>) -> ActivationKey {
    ActivationKey {
        name: name(called),
        description: "for tests".into(),
        groups: vec![name("web")],
        usage_limit,
        used: 0,
        expires_at: None,
        enabled: true,
    }
}

fn machine(called: &str, card: u32, address: Option<&str>) -> Machine {
    Machine {
        id: MachineId(Uuid::now_v7()),
        name: name(called),
        interfaces: vec![Interface { mac: mac(card), ip: address.map(ip) }],
        profile: None,
        key: None,
        arguments: String::new(),
        variables: Variables::new(),
        options: OptionSet::default(),
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
    };
    Install { id: Uuid::now_v7(), armed_at: NOW, before: State::Ready, boots: 1, boot: Some(boot) }
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
        ..network("lan", "10.0.0.0/24")
    };
    let variables = Variables::from([("disk".into(), serde_json::json!({"size": 1.5, "names": ["a", "ü"]}))]);
    edit(store, Edit::AddKey(key("web", None))).await.unwrap();
    edit(store, Edit::AddDistro(Distro { variables: variables.clone(), ..distro("debian") })).await.unwrap();
    let base = Profile {
        distro: Some(name("debian")),
        key: Some(name("web")),
        template: Some("image/install.sh".into()),
        variables: variables.clone(),
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

async fn a_key_is_spent_once(store: &Store) {
    let web = find(store, "web-1");
    let minted = InstallKey {
        hash: hash("key"),
        key: name("web"),
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
        Effect::Register { hash: hash(with), key: name("web"), machine: web.id, credential, at }
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
    let registered = store.world().machine_with_credential(hash("credential 0")).unwrap().clone();
    assert_eq!((registered.state, registered.revision), (State::Registered, web.revision + 1));
    assert_eq!(registered.inventory, Some(serde_json::json!({"cpus": 2})));

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

// ---- SQLite ----

fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

async fn with_lan(url: &str) -> Store {
    let store = Store::open(url).await.unwrap();
    edit(&store, Edit::AddNetwork(network("lan", "10.0.0.0/8"))).await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_holds_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    the_story(&sqlite_url(&folder.path().join("deep/er/kickstand.db"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_reads_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("state");
    let store = with_lan(&sqlite_url(&inner.join("kickstand.db"))).await;
    let files = inner.read_dir().unwrap().map(|entry| entry.unwrap());
    let mode = |entry: std::fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().permissions().mode() & 0o777)
    };
    let modes: BTreeMap<String, u32> = files.map(mode).collect();
    let expected = ["kickstand.db", "kickstand.db-shm", "kickstand.db-wal", "kickstand.db.lock"];
    assert_eq!(modes, expected.map(|file| (file.to_owned(), 0o600)).into());
    assert_eq!(inner.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = |file: &str| folder.path().join(file);
    let refused = async |url: String| Store::open(&url).await.err().unwrap();

    std::fs::write(path("garbage"), [7; 8192]).unwrap();
    let error = refused(sqlite_url(&path("garbage"))).await;
    assert!(matches!(error, Error::NotADatabase { .. }) && error.to_string().contains("garbage"), "{error:?}");

    let error = refused(sqlite_url(&path("garbage/kickstand.db"))).await;
    assert!(matches!(error, Error::CannotOpen { .. }) && error.to_string().contains("garbage"), "{error:?}");

    std::fs::create_dir(path("folder")).unwrap();
    let error = refused(sqlite_url(&path("folder"))).await;
    assert!(matches!(error, Error::CannotOpen { .. }), "{error:?}");

    let url = sqlite_url(&path("kickstand.db"));
    let store = with_lan(&url).await;
    let error = refused(url.clone()).await;
    assert!(matches!(error, Error::Busy { .. }) && error.to_string().contains("kickstand.db"), "{error:?}");
    store.close().await;

    let error = refused(format!("{url}?mode=ro")).await;
    assert!(matches!(error, Error::ReadOnly { .. }) && error.to_string().contains("kickstand.db"), "{error:?}");

    let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let insert = "INSERT INTO _sqlx_migrations VALUES (999, 'x', '', true, x'00', 0)";
    sqlx::query(insert).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let error = refused(url).await;
    assert!(matches!(error, Error::TooNew { version: 999, .. }), "{error:?}");

    let error = refused("mysql://nowhere".into()).await;
    assert!(error.to_string().contains("neither sqlite:///path/file.db nor postgres://"), "{error}");
}

const CHILD: &str = "KICKSTAND_TEST_CHILD";

/// Not a test of its own: what `every_lease_that_was_promised_survives_a_kill` starts and kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child of another test"]
async fn child_writes_leases_until_it_is_killed() {
    let Ok(url) = std::env::var(CHILD) else { return };
    let store = with_lan(&url).await;
    let write = async |worker: u32| {
        for n in (worker..).step_by(4) {
            let lease = Lease { ip: Ipv4Addr::from(0x0a00_0100 + n), ..lease(n, "10.0.0.0", 0, 60) };
            store.record(vec![bound(lease)]).await.unwrap();
            println!("promised {n}");
        }
    };
    tokio::join!(write(0), write(1), write(2), write(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lease_that_was_promised_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let url = sqlite_url(&folder.path().join(format!("{round}.db")));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_writes_leases_until_it_is_killed", "--ignored", "--nocapture"])
            .env(CHILD, &url)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut promised = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            promised.extend(line.split_once("promised ").and_then(|(_, n)| n.parse::<u32>().ok()));
            if promised.len() == 200 + 57 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let store = Store::open(&url).await.unwrap();
        let lost: Vec<_> =
            promised.iter().filter(|n| store.world().lease(&name("lan"), &mac(**n).into()).is_none()).collect();
        assert!(promised.len() >= 200 && lost.is_empty(), "{} promised, lost {lost:?}", promised.len());
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_fill_neither_memory_nor_disk() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(&folder.path().join("kickstand.db"));
    let store = with_lan(&url).await;
    let tickets: Vec<_> = (0..5000).map(|n| store.record(vec![Effect::See(sighting(n, n))])).collect();
    for ticket in tickets {
        ticket.await.unwrap();
    }
    let bounded = |store: &Store| {
        let world = store.world();
        (world.sightings().count(), world.sighting(mac(0)).is_some(), world.sighting(mac(4999)).is_some())
    };
    assert_eq!(bounded(&store), (4096, false, true));
    store.close().await;
    let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM sightings").fetch_one(&mut db).await.unwrap();
    assert_eq!(rows, 4096);
    db.close().await.unwrap();
    assert_eq!(bounded(&Store::open(&url).await.unwrap()), (4096, false, true));
}

// ---- PostgreSQL ----

#[tokio::test(flavor = "multi_thread")]
async fn the_story_holds_on_postgres() {
    let fresh = postgres::Fresh::make().await;
    the_story(&fresh.url()).await;
    fresh.drop().await;
}

async fn until(limit: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "it did not happen within {limit:?}");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    start.elapsed()
}

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
    }
    let both = |took: &[Duration]| format!("p50 {:?}, p99 {:?}", centile(took, 50), centile(took, 99));
    println!("the other node knew: {} after the commit", both(&after_commit));
    println!("the other node knew: {} after the change began", both(&after_start));

    everything_else_arrives_too(&a, &b).await;
    of_two_nodes_one_wins(&a, &b).await;
    until(Duration::from_secs(2), || everything(&a) == everything(&b)).await;
    a.close().await;
    b.close().await;
    fresh.drop().await;
}

async fn everything_else_arrives_too(a: &Store, b: &Store) {
    let soon = Duration::from_secs(2);
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
    edit(b, Edit::RemoveMachine(name("m-2"))).await.unwrap();
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

/// A line to PostgreSQL that can be cut.
struct Line {
    port: u16,
    cut: tokio::sync::watch::Sender<bool>,
}

impl Line {
    async fn lay(server: &str) -> Line {
        let socket = server.split_once("host=").map(|(_, folder)| format!("{folder}/.s.PGSQL.5432"));
        let socket = socket.expect("lab/postgres.sh gives a URL with host=FOLDER");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, watch) = tokio::sync::watch::channel(false);
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let (mut watch, socket) = (watch.clone(), socket.clone());
                tokio::spawn(async move {
                    let mut far = tokio::net::UnixStream::connect(socket).await.unwrap();
                    tokio::select! {
                        _ = watch.wait_for(|cut| *cut) => {}
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    }
                });
            }
        });
        Line { port, cut }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_is_found_again() {
    let fresh = postgres::Fresh::make().await;
    let line = Line::lay(&fresh.server).await;
    let url = format!("postgres://kickstand@127.0.0.1:{}/{}", line.port, fresh.called);
    let (near, far) = (with_lan(&fresh.url()).await, Store::open(&url).await.unwrap());
    line.cut.send(true).unwrap();
    let bind = |store: &Store, n: u32| {
        let address = Ipv4Addr::from(0x0a00_0100 + n);
        store.record(vec![bound(Lease { ip: address, ..lease(n, "10.0.0.9", 0, 60) })])
    };
    for n in 0..20 {
        let start = Instant::now();
        let error = bind(&far, n).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
    let told = Effect::Tell(Tale::new(NOW, Kind::Offer, "memory needs no database"));
    far.record(vec![told]).await.unwrap();
    assert!(far.world().networks.contains_key(&name("lan")), "packets are answered from memory");
    bind(&near, 100).await.unwrap();
    line.cut.send(false).unwrap();
    let found = until(Duration::from_secs(5), || far.world().lease(&name("lan"), &mac(100).into()).is_some()).await;
    println!("up to date {found:?} after the line was mended");
    bind(&far, 101).await.unwrap();
    until(Duration::from_secs(2), || everything(&near) == everything(&far)).await;
    near.close().await;
    far.close().await;
    fresh.drop().await;
}

// ---- How fast ----

async fn leases_per_second(store: &Store, waiting: u32) -> f64 {
    const LEASES: u32 = 20_000;
    let start = Instant::now();
    let workers = (0..waiting).map(|worker| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in (worker..LEASES).step_by(waiting as usize) {
                let lease = Lease { ip: Ipv4Addr::from(0x0a01_0000 + n), ..lease(n, "10.0.0.0", 0, 60) };
                store.record(vec![bound(lease)]).await.unwrap();
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    f64::from(LEASES) / start.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test --release --test store -- --ignored --exact --nocapture leases_a_second"]
async fn leases_a_second() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let fresh = postgres::Fresh::make().await;
    for waiting in [1, 16, 128, 1024] {
        let sqlite = with_lan(&sqlite_url(&folder.path().join(format!("{waiting}.db")))).await;
        println!("SQLite, {waiting} waiting: {:.0} leases/s", leases_per_second(&sqlite, waiting).await);
        sqlite.close().await;
    }
    let postgres = with_lan(&fresh.url()).await;
    for waiting in [16, 128, 1024] {
        println!("PostgreSQL, {waiting} waiting: {:.0} leases/s", leases_per_second(&postgres, waiting).await);
    }
    postgres.close().await;
    fresh.drop().await;
}
