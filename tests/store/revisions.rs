//! Revisions: each change is one, and the way back is whole, whatever happened in between.

use super::*;
use kickstand::vault::Place;
use std::collections::HashMap;

pub(super) async fn open(url: &str, folder: &Path) -> Store {
    Store::open_with(url, &Place { file: Some(folder.join("secret.key")), credentials: None }).await.unwrap()
}

/// All that operators said, and nothing that machines lived through.
#[derive(Debug, Clone, PartialEq)]
struct Configuration {
    networks: BTreeMap<Name, Network>,
    ranges: Vec<Range>,
    classes: BTreeMap<Name, Class>,
    reservations: Vec<Reservation>,
    options: OptionSet,
    distros: BTreeMap<Name, Distro>,
    profiles: BTreeMap<Name, Profile>,
    keys: BTreeMap<Name, ActivationKey>,
    machines: Vec<Wish>,
    templates: Vec<(String, Option<String>)>,
}

fn configuration(store: &Store) -> Configuration {
    let world = store.world();
    let unused = |key: &ActivationKey| ActivationKey { used: 0, ..key.clone() };
    Configuration {
        networks: world.networks.clone(),
        ranges: world.ranges.clone(),
        classes: world.classes.clone(),
        reservations: world.reservations().cloned().collect(),
        options: world.options.clone(),
        distros: world.distros.clone(),
        profiles: world.profiles.clone(),
        keys: world.keys.values().map(|key| (key.name.clone(), unused(key))).collect(),
        machines: world.machines().map(Wish::of).collect(),
        templates: world.templates().map(|version| (version.name.clone(), version.text.clone())).collect(),
    }
}

async fn revision(store: &Store) -> i64 {
    let newest = store.revisions(1).await.unwrap().first().map_or(0, |line| line.number);
    assert_eq!(store.world().revision(), newest, "memory knows it");
    newest
}

pub(super) async fn back(store: &Store, to: i64) -> Result<(), Error> {
    back_from(store, to, None).await
}

async fn back_from(store: &Store, to: i64, from: Option<i64>) -> Result<(), Error> {
    let plan = store.plan(to, from).await?;
    edit(store, Edit::RollBack(plan.into())).await
}

fn template(called: &str, text: Option<&str>) -> Edit {
    Edit::SetTemplate { name: called.into(), text: text.map(str::to_owned), whence: Whence::Api }
}

async fn furnish(store: &Store) {
    edit(store, Edit::AddKey(key("web", Some(5)))).await.unwrap();
    edit(store, Edit::AddDistro(distro("debian"))).await.unwrap();
    let base = Profile { distro: Some(name("debian")), keys: name("web").into(), ..profile("base", None) };
    edit(store, Edit::AddProfile(base)).await.unwrap();
    edit(store, Edit::AddProfile(profile("web", Some("base")))).await.unwrap();
    let lan = Network { profile: Some(name("base")), ..network("lan", "10.0.0.0/16") };
    edit(store, Edit::AddNetwork(lan)).await.unwrap();
    edit(store, Edit::AddRange(range("rack", "lan", "10.0.0.10-10.0.0.60", "web"))).await.unwrap();
    let web = Machine { profile: Some(name("web")), ..machine("web-1", 1, Some("10.0.0.21")) };
    edit(store, Edit::AddMachines(vec![web])).await.unwrap();
}

async fn with_secret(store: &Store, text: &str) {
    let mut web = store.world().profiles[&name("web")].clone();
    web.secrets.put("wifi", text.into());
    edit(store, Edit::SetProfile(web)).await.unwrap();
}

fn opened(store: &Store) -> String {
    let web = store.world().profiles[&name("web")].clone();
    let sealed = &web.secrets.sealed()["wifi"];
    store.vault().open(&web.owner(), "wifi", sealed).unwrap().expose().to_owned()
}

/// Every kind of change and what it is told as; then all of it is taken back, and that is taken back.
async fn the_way_back(url: &str, folder: &Path) {
    let store = open(url, folder).await;
    let nothing = configuration(&store);
    furnish(&store).await;
    with_secret(&store, "first").await;
    edit(&store, template("image/own.sh", Some("one"))).await.unwrap();
    let (then, at) = (configuration(&store), revision(&store).await);
    let lines = store.revisions(100).await.unwrap();
    assert_eq!(at, 9);
    assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), (1..=9).rev().collect::<Vec<_>>());
    assert_eq!((lines[8].what.as_str(), lines[8].by.as_str(), lines[8].at), ("added key web", "root", NOW));
    assert_eq!(lines[8].records, [RecordKey(Noun::Key, "web".into())]);

    // A batch is one; what changes nothing is none; what is refused is none.
    let list: Vec<_> = (0..20).map(|n| machine(&format!("b-{n}"), 100 + n, None)).collect();
    edit(&store, Edit::AddMachines(list)).await.unwrap();
    edit(&store, Edit::SetRange(store_range(&store, "rack"))).await.unwrap();
    refusal(&store, Edit::RemoveProfile(name("base"))).await;
    assert_eq!(revision(&store).await, 10);
    assert_eq!(store.revision(10).await.unwrap().what, "added 20 machines");
    assert_eq!(store.world().last_changed(Noun::Range, "rack"), Some(Since::Revision(6)));

    everything_changes(&store).await;
    let (later, last) = (configuration(&store), revision(&store).await);
    let plan = store.plan(at, None).await.unwrap();
    assert_eq!((plan.left, configuration(&store) == later), (vec![], true), "a plan changes nothing");
    back(&store, at).await.unwrap();
    assert!(configuration(&store) == then);
    assert_eq!(opened(&store), "\"first\"");
    let before = everything(&store);
    store.close().await;
    let store = open(url, folder).await;
    assert_eq!((configuration(&store), everything(&store)), (then, before), "and it is written");
    assert_eq!(revision(&store).await, last + 1);
    back(&store, last).await.unwrap();
    assert_eq!(configuration(&store), later);
    assert_eq!(opened(&store), "\"second\"");
    back(&store, 0).await.unwrap();
    assert_eq!(configuration(&store), nothing);
    let text = back(&store, 0).await.unwrap_err().to_string();
    assert!(text.contains("as in revision 0: there is nothing to restore"), "{text}");
    for wrong in [-1, 1000] {
        let text = back(&store, wrong).await.unwrap_err().to_string();
        assert!(text.contains(&format!("there is no revision {wrong}: `kickstand revision list`")), "{text}");
    }
    back(&store, last).await.unwrap();
    let (before, numbers) = (everything(&store), store.revisions(100).await.unwrap());
    store.close().await;
    let store = open(url, folder).await;
    assert_eq!(everything(&store), before, "what memory was told is what is written");
    assert_eq!((configuration(&store), store.revisions(100).await.unwrap()), (later, numbers));
    assert_eq!(revision(&store).await, last + 4);
    assert_eq!(store.world().last_changed(Noun::Network, "far"), Some(Since::Revision(last + 4)));
    assert_eq!(store.world().last_changed(Noun::Range, "rack"), None, "it is not there");
    store.close().await;
}

fn store_range(store: &Store, called: &str) -> Range {
    store.world().ranges.iter().find(|range| range.name == name(called)).unwrap().clone()
}

async fn everything_changes(store: &Store) {
    with_secret(store, "second").await;
    edit(store, template("image/own.sh", None)).await.unwrap();
    edit(store, template("image/other.sh", Some("new"))).await.unwrap();
    let mut options = OptionPatch::default();
    options.put("ntp-servers", Some("10.0.0.1")).unwrap();
    edit(store, Edit::SetOptions(options)).await.unwrap();
    let matches = Match { arch: Some(7), ..Match::default() };
    let class = Class { name: name("uefi"), network: Some(name("lan")), matches, options: OptionSet::default() };
    edit(store, Edit::AddClass(class)).await.unwrap();
    let kept = |address: &str, mark: &str| Reservation {
        ip: ip(address),
        network: name("lan"),
        by: mark.parse().unwrap(),
        description: "printer".into(),
    };
    edit(store, Edit::AddReservation(kept("10.0.0.9", "mac:52:54:00:00:03:01"))).await.unwrap();
    let moved = Edit::SetReservation { was: ip("10.0.0.9"), reservation: kept("10.0.0.8", "id:01ff") };
    edit(store, moved).await.unwrap();
    // Two machines change places by way of a third one.
    let mut one = find(store, "b-1");
    one.interfaces[0].ip = Some(ip("10.0.0.21"));
    let mut web = find(store, "web-1");
    (web.interfaces[0].ip, web.profile) = (Some(ip("10.0.0.30")), None);
    edit(store, Edit::SetMachine(web)).await.unwrap();
    edit(store, Edit::SetMachine(one)).await.unwrap();
    edit(store, Edit::RemoveMachine(name("b-2"))).await.unwrap();
    edit(store, Edit::AddMachines(vec![machine("b-2", 300, None)])).await.unwrap();
    // And what all of it hangs on gives way to another.
    edit(store, Edit::AddDistro(distro("fedora"))).await.unwrap();
    edit(store, Edit::AddKey(key("db", None))).await.unwrap();
    let other = Profile { distro: Some(name("fedora")), keys: name("db").into(), ..profile("other", None) };
    edit(store, Edit::AddProfile(other)).await.unwrap();
    let web = store.world().profiles[&name("web")].clone();
    edit(store, Edit::SetProfile(Profile { parent: Some(name("other")), ..web })).await.unwrap();
    let lan = store.world().networks[&name("lan")].clone();
    edit(store, Edit::SetNetwork(Network { profile: Some(name("other")), ..lan })).await.unwrap();
    edit(store, Edit::RemoveProfile(name("base"))).await.unwrap();
    edit(store, Edit::RemoveDistro(name("debian"))).await.unwrap();
    edit(store, Edit::RemoveKey(name("web"))).await.unwrap();
    edit(store, Edit::SetKey(ActivationKey { enabled: false, ..key("db", None) })).await.unwrap();
    edit(store, Edit::RemoveRange(name("rack"))).await.unwrap();
    edit(store, Edit::AddNetwork(network("far", "10.9.0.0/24"))).await.unwrap();
    edit(store, Edit::AddMachines(vec![machine("far-1", 400, Some("10.9.0.5"))])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_is_whole_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    the_way_back(&sqlite_url(&folder.path().join("k.db")), folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_is_whole_on_postgres() {
    let fresh = postgres::Fresh::make().await;
    let folder = tempfile::tempdir().unwrap();
    the_way_back(&fresh.url(), folder.path()).await;
    fresh.drop().await;
}

/// Something that an operator may say now; often it is refused, as in life.
fn something(store: &Store, dice: &mut Dice) -> Edit {
    let world = store.world();
    let pick = |dice: &mut Dice, what: &str| name(&format!("{what}-{}", dice.below(4)));
    let (profile_name, parent) = (pick(dice, "p"), pick(dice, "p"));
    let maybe = |dice: &mut Dice, name: Name| (dice.below(3) > 0).then_some(name);
    let address = |dice: &mut Dice| format!("10.{}.0.{}", dice.below(3), 10 + dice.below(6));
    let number = dice.below(1000);
    let variables = Variables::from([("n".into(), number.into()), ("db_password".into(), format!("s{number}").into())]);
    match dice.below(22) {
        0 => Edit::AddDistro(Distro { variables, ..distro(pick(dice, "d").as_str()) }),
        1 => Edit::SetDistro(Distro { variables, ..distro(pick(dice, "d").as_str()) }),
        2 => Edit::RemoveDistro(pick(dice, "d")),
        3 | 4 => {
            let own = profile(profile_name.as_str(), None);
            let (distro, keys) = (maybe(dice, name("d-1")), Names::from_iter(maybe(dice, name("k-1"))));
            Edit::AddProfile(Profile { parent: maybe(dice, parent), distro, keys, variables, ..own })
        }
        5 => {
            Edit::SetProfile(Profile { parent: maybe(dice, parent), variables, ..profile(profile_name.as_str(), None) })
        }
        6 => Edit::RemoveProfile(profile_name),
        7 => Edit::AddKey(key(pick(dice, "k").as_str(), Some(number))),
        8 => Edit::RemoveKey(pick(dice, "k")),
        9 | 10 => {
            let n = dice.below(3);
            Edit::AddNetwork(Network {
                variables,
                profile: maybe(dice, parent),
                ..network(&format!("n-{n}"), &format!("10.{n}.0.0/24"))
            })
        }
        11 => {
            let n = dice.below(3);
            Edit::SetNetwork(Network {
                profile: maybe(dice, parent),
                ..network(&format!("n-{n}"), &format!("10.{n}.0.0/24"))
            })
        }
        12 => Edit::RemoveNetwork(pick(dice, "n")),
        13 => Edit::AddRange(range(
            pick(dice, "r").as_str(),
            "n-1",
            &format!("10.1.0.{}-10.1.0.200", 1 + dice.below(9)),
            "p-1",
        )),
        14 => Edit::RemoveRange(pick(dice, "r")),
        15 | 16 => {
            let cards = 1 + dice.below(2);
            let machine = |dice: &mut Dice| {
                let (called, own) = (pick(dice, "m"), machine("m", dice.below(9), None));
                let ip = (dice.below(2) > 0).then(|| ip(&address(dice)));
                let interfaces = vec![Interface { ip, ..own.interfaces[0].clone() }];
                Machine { name: called, interfaces, profile: maybe(dice, profile_name.clone()), ..own }
            };
            Edit::AddMachines((0..cards).map(|_| machine(dice)).collect())
        }
        17 | 18 => match world.machine_named(&pick(dice, "m")).cloned() {
            Some(known) => {
                let (mac, ip) = (mac(dice.below(9)), (dice.below(2) > 0).then(|| ip(&address(dice))));
                let profile = maybe(dice, profile_name);
                Edit::SetMachine(Machine { interfaces: vec![Interface { mac, ip }], profile, variables, ..known })
            }
            None => Edit::RemoveMachine(name("m-0")),
        },
        19 => Edit::RemoveMachine(pick(dice, "m")),
        20 => {
            let by = format!("mac:52:54:00:00:00:{:02x}", dice.below(9)).parse().unwrap();
            let (address, network) = (address(dice), format!("n-{}", dice.below(3)));
            match dice.below(2) {
                0 => Edit::RemoveReservation(ip(&address)),
                _ => Edit::AddReservation(Reservation {
                    ip: ip(&address),
                    network: name(&network),
                    by,
                    description: String::new(),
                }),
            }
        }
        _ => template(
            &format!("image/{}.sh", dice.below(3)),
            (dice.below(3) > 0).then(|| format!("text {number}")).as_deref(),
        ),
    }
}

/// Random edits, and now and then back to a random revision: then all is as it was when that was the newest.
async fn a_random_life(url: &str, folder: &Path, seed: u64) -> usize {
    let store = open(url, folder).await;
    let mut dice = Dice(seed);
    let mut was = HashMap::from([(0, configuration(&store))]);
    let mut backs = 0;
    for _ in 0..150 {
        let before = revision(&store).await;
        if dice.below(10) == 0 && before > 0 {
            let to = i64::from(dice.below(u32::try_from(before).unwrap() + 1));
            let same = was[&to] == was[&before];
            match back(&store, to).await {
                Ok(()) => backs += 1,
                Err(error) => assert!(same && error.to_string().contains("nothing to restore"), "{seed}: {error}"),
            }
            assert_eq!(configuration(&store), was[&to], "seed {seed}, from {before} back to {to}");
        } else {
            let _ = edit(&store, something(&store, &mut dice)).await;
        }
        let after = revision(&store).await;
        assert!(after == before || after == before + 1);
        let now = configuration(&store);
        if after == before {
            assert_eq!(now, was[&before], "seed {seed}: what changes something has a number");
        }
        was.insert(after, now);
    }
    let (memory, written) = (everything(&store), configuration(&store));
    store.close().await;
    let store = open(url, folder).await;
    assert_eq!((configuration(&store), everything(&store)), (written, memory), "seed {seed}");
    store.close().await;
    backs
}

#[tokio::test(flavor = "multi_thread")]
async fn any_revision_of_a_random_life_comes_back_on_sqlite() {
    let mut backs = 0;
    for seed in 1..=12 {
        let folder = tempfile::tempdir().unwrap();
        backs += a_random_life(&sqlite_url(&folder.path().join("k.db")), folder.path(), seed).await;
    }
    assert!(backs > 60, "{backs} is too seldom to say anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_revision_of_a_random_life_comes_back_on_postgres() {
    for seed in 100..=102 {
        let fresh = postgres::Fresh::make().await;
        let folder = tempfile::tempdir().unwrap();
        a_random_life(&fresh.url(), folder.path(), seed).await;
        fresh.drop().await;
    }
}

pub(super) async fn on_sqlite() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (open(&sqlite_url(&folder.path().join("k.db")), folder.path()).await, folder)
}

#[tokio::test]
async fn what_machines_lived_through_is_not_taken_back() {
    let (store, _folder) = on_sqlite().await;
    furnish(&store).await;
    let before_web_2 = revision(&store).await;
    let list = vec![machine("web-2", 2, Some("10.0.0.22")), machine("idle", 4, None)];
    edit(&store, Edit::AddMachines(list)).await.unwrap();
    let was = Machine { arguments: "quiet".into(), ..find(&store, "web-1") };
    edit(&store, Edit::SetMachine(was)).await.unwrap();
    // Of the two that were added since, one is armed; the first one fails, and gets a new card.
    let armed = Effect::Step(step(&find(&store, "web-2"), State::Armed, Some(install("t"))));
    store.record(vec![armed, bound(lease(2, "10.0.0.22", 0, 600))]).await.unwrap();
    let lived = find(&store, "web-1");
    store.record(vec![Effect::Step(step(&lived, State::Failed, None))]).await.unwrap();
    edit(&store, replacement(&lived, lived.revision + 1, 1, 3)).await.unwrap();
    let plan = store.plan(before_web_2, None).await.unwrap();
    assert_eq!(plan.left.len(), 1, "{:?}", plan.left);
    assert!(plan.left[0].starts_with("machine web-2 was added since, and stays"), "{:?}", plan.left);
    back(&store, before_web_2).await.unwrap();
    let (one, two) = (find(&store, "web-1"), find(&store, "web-2"));
    assert_eq!((one.arguments.as_str(), one.interfaces[0].mac), ("", mac(3)), "retired metal stays retired");
    assert!(store.world().tombstone(mac(1)).is_some());
    assert_eq!((one.state, two.state), (State::Ready, State::Armed));
    assert_eq!(two.install, Some(two.install.clone().unwrap()));
    assert!(store.world().machine_with_token(hash("t")).is_some(), "its installer goes on");
    assert!(store.world().machine_named(&name("idle")).is_none());
    assert!(store.world().lease(&name("lan"), &mac(2).into()).is_some());
}

#[tokio::test]
async fn what_a_kept_machine_needs_is_named_and_nothing_is_half_done() {
    let (store, _folder) = on_sqlite().await;
    furnish(&store).await;
    let at = revision(&store).await;
    edit(&store, Edit::AddProfile(profile("late", Some("base")))).await.unwrap();
    let late = Machine { profile: Some(name("late")), ..machine("late-1", 5, None) };
    edit(&store, Edit::AddMachines(vec![late])).await.unwrap();
    edit(&store, Edit::RemoveRange(name("rack"))).await.unwrap();
    store.record(vec![Effect::Step(step(&find(&store, "late-1"), State::Installed, None))]).await.unwrap();
    let (before, number) = (everything(&store), revision(&store).await);
    let text = back(&store, at).await.unwrap_err().to_string();
    assert_eq!(text, "profile late is used by machine late-1: change or remove that first");
    assert_eq!((everything(&store), revision(&store).await), (before, number));
    let free = Machine { profile: None, ..find(&store, "late-1") };
    edit(&store, Edit::SetMachine(free)).await.unwrap();
    back(&store, at).await.unwrap();
    assert!(!store.world().profiles.contains_key(&name("late")));
    assert_eq!(store_range(&store, "rack").profile, name("web"));
}

#[tokio::test]
async fn a_key_that_comes_back_was_used_as_often_and_an_address_that_goes_waits_for_its_lease() {
    let (store, _folder) = on_sqlite().await;
    furnish(&store).await;
    let user = |n| Machine { joined: name("spent").into(), ..machine(&format!("user-{n}"), n, None) };
    edit(&store, Edit::AddMachines((11..15).map(user).collect())).await.unwrap();
    let at = revision(&store).await;
    edit(&store, Edit::AddKey(key("spent", Some(5)))).await.unwrap();
    let with = revision(&store).await;
    edit(&store, Edit::RemoveKey(name("spent"))).await.unwrap();
    back(&store, with).await.unwrap();
    assert_eq!(store.world().keys[&name("spent")].used, 4);
    edit(&store, Edit::AddMachines(vec![machine("new", 6, Some("10.0.0.77"))])).await.unwrap();
    store.record(vec![bound(lease(6, "10.0.0.77", 0, 600))]).await.unwrap();
    back(&store, at).await.unwrap();
    let hold = store.world().hold(ip("10.0.0.77")).cloned().expect("who was told of it may still use it");
    assert_eq!((hold.why, hold.holder), (HoldWhy::Moved, Some(mac(6).into())));
}

#[tokio::test]
async fn a_secret_of_a_lost_key_comes_back_as_little_as_it_was_there() {
    let (store, folder) = on_sqlite().await;
    furnish(&store).await;
    with_secret(&store, "first").await;
    let at = revision(&store).await;
    let mut web = store.world().profiles[&name("web")].clone();
    web.secrets.remove("wifi");
    edit(&store, Edit::SetProfile(web)).await.unwrap();
    store.close().await;
    std::fs::remove_file(folder.path().join("secret.key")).unwrap();
    let store = open(&sqlite_url(&folder.path().join("k.db")), folder.path()).await;
    assert_eq!(
        store.plan(at, None).await.unwrap().left,
        ["secret wifi of profile web was sealed with a key that is gone: set it anew"]
    );
}

#[tokio::test]
async fn a_file_of_a_template_is_nobodys_to_roll_back_and_every_event_says_by_which_configuration() {
    let (store, _folder) = on_sqlite().await;
    furnish(&store).await;
    let whence = Whence::File(kickstand::model::Place { host: "srv".into(), folder: "/etc/kickstand".into() });
    let file =
        |text: &str| Edit::SetTemplate { name: "image/own.sh".into(), text: Some(text.into()), whence: whence.clone() };
    edit(&store, file("one")).await.unwrap();
    let at = revision(&store).await;
    edit(&store, file("two")).await.unwrap();
    store.record(vec![Effect::Tell(Tale::new(NOW, Kind::Offer, "by now"))]).await.unwrap();
    let earlier = Tale { revision: Some(2), ..Tale::new(NOW, Kind::State, "decided before") };
    store.record(vec![Effect::Tell(earlier)]).await.unwrap();
    let events = store.events(&EventFilter::default()).await.unwrap();
    let said: Vec<_> = events.iter().rev().take(3).map(|event| (event.text.as_str(), event.revision)).collect();
    let changed = "root changed template image/own.sh by its file: version 2";
    assert_eq!(said, [("decided before", Some(2)), ("by now", Some(at + 1)), (changed, Some(at + 1))]);
    let text = back(&store, at).await.unwrap_err().to_string();
    assert!(
        text.contains(
            "nothing to restore; template image/own.sh is a file in /etc/kickstand of srv, and stays: it was version 1"
        ),
        "{text}"
    );
}

#[tokio::test]
async fn ten_thousand_machines_are_one_revision_and_go_as_they_came() {
    let (store, _folder) = on_sqlite().await;
    furnish(&store).await;
    let at = revision(&store).await;
    let list = |n: u32| machine(&format!("n-{n}"), 1000 + n, Some(&Ipv4Addr::from(0x0a00_0100 + n).to_string()));
    let began = Instant::now();
    edit(&store, Edit::AddMachines((0..10_000).map(list).collect())).await.unwrap();
    println!("added in {:?}", began.elapsed());
    assert_eq!(revision(&store).await, at + 1);
    let began = Instant::now();
    back(&store, at).await.unwrap();
    println!("taken back in {:?}", began.elapsed());
    assert_eq!(store.world().machines().count(), 1);
}

/// The row counts uses; revisions do not know of them.
#[tokio::test]
async fn a_key_is_used_no_more_often_by_rolling_back_and_forth() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&sqlite_url(&folder.path().join("k.db")), folder.path()).await;
    edit(&store, Edit::AddKey(key("other", None))).await.unwrap();
    let before = revision(&store).await;
    edit(&store, Edit::AddKey(key("web", Some(5)))).await.unwrap();
    let with = revision(&store).await;
    for n in 1..4 {
        edit(&store, Edit::AddMachines(vec![machine(&format!("m-{n}"), n, None)])).await.unwrap();
        let web = find(&store, &format!("m-{n}"));
        let hash = hash(&format!("key {n}"));
        let (install, expires_at) = (Uuid::now_v7(), later(100));
        let minted =
            InstallKey { hash, keys: name("web").into(), machine: web.id, install, expires_at, spent_at: None };
        store.record(vec![Effect::Mint(minted)]).await.unwrap();
        store.record(vec![registered(&web, Spent::Install(hash), hash, later(9))]).await.unwrap();
    }
    assert_eq!(store.world().keys[&name("web")].used, 3);
    back(&store, before).await.unwrap();
    assert!(!store.world().keys.contains_key(&name("web")));
    back(&store, with).await.unwrap();
    assert_eq!(store.world().keys[&name("web")].used, 3, "by the same systems");
    edit(&store, Edit::RemoveKey(name("web"))).await.unwrap();
    edit(&store, Edit::AddKey(key("web", Some(9)))).await.unwrap();
    back(&store, with).await.unwrap();
    assert_eq!(store.world().keys[&name("web")].used, 3, "nor by another of the same name in between");
    store.close().await;
    let store = open(&sqlite_url(&folder.path().join("k.db")), folder.path()).await;
    assert_eq!(store.world().keys[&name("web")].used, 3, "the row says so too");
    store.close().await;
}

#[tokio::test]
async fn what_was_changed_since_somebody_looked_is_not_taken_back_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&sqlite_url(&folder.path().join("k.db")), folder.path()).await;
    furnish(&store).await;
    let seen = revision(&store).await;
    edit(&store, Edit::AddKey(key("meanwhile", None))).await.unwrap();
    let text = back_from(&store, 1, Some(seen)).await.unwrap_err().to_string();
    assert!(text.contains(&format!("changed meanwhile, to revision {}", seen + 1)), "{text}");
    assert!(store.world().keys.contains_key(&name("meanwhile")));
    back_from(&store, 1, Some(seen + 1)).await.unwrap();
    assert!(!store.world().keys.contains_key(&name("meanwhile")));
    store.close().await;
}

/// What lies between the plan and its writing: a change, an install, somebody who took a name.
#[tokio::test]
async fn what_happens_after_the_plan_is_seen_when_it_is_written() {
    let (store, _folder) = on_sqlite().await;
    furnish(&store).await;
    let at = revision(&store).await;
    edit(&store, Edit::AddMachines(vec![machine("late-1", 5, Some("10.0.0.40")), machine("late-2", 6, None)]))
        .await
        .unwrap();
    let late = store.plan(at, None).await.unwrap();
    edit(&store, Edit::AddKey(key("meanwhile", None))).await.unwrap();
    let text = refusal(&store, Edit::RollBack(late.into())).await;
    assert!(text.contains("the configuration was changed meanwhile, to revision 9"), "{text}");
    let late = store.plan(at, None).await.unwrap();
    store.record(vec![Effect::Step(step(&find(&store, "late-2"), State::Armed, Some(install("t"))))]).await.unwrap();
    let before = everything(&store);
    let text = refusal(&store, Edit::RollBack(late.into())).await;
    assert!(text.starts_with("machine late-2 was armed or installed meanwhile, and would stay"), "{text}");
    assert_eq!(everything(&store), before);
    back(&store, at).await.unwrap();
    assert!(store.world().machine_named(&name("late-1")).is_none());
    assert_eq!(find(&store, "late-2").state, State::Armed);
}

/// Who announces itself is in no revision: what it took is not to be had again, and who has it is named.
#[tokio::test]
async fn what_a_newcomer_took_since_is_named() {
    let (store, _folder) = on_sqlite().await;
    furnish(&store).await;
    let at = revision(&store).await;
    edit(&store, Edit::RemoveMachine(name("web-1"))).await.unwrap();
    let newcomer = Machine { state: State::Discovered, ..machine("52-54-00-00-00-01", 1, None) };
    store.record(vec![Effect::Enlist(Box::new(newcomer.clone()))]).await.unwrap();
    let text = back(&store, at).await.unwrap_err().to_string();
    assert!(text.contains("MAC 52:54:00:00:00:01 is held by machine 52-54-00-00-00-01"), "{text}");
    edit(&store, Edit::RemoveMachine(newcomer.name)).await.unwrap();
    let namesake = Machine { state: State::Discovered, ..machine("web-1", 8, None) };
    store.record(vec![Effect::Enlist(Box::new(namesake))]).await.unwrap();
    let text = back(&store, at).await.unwrap_err().to_string();
    assert!(text.contains("name web-1 is held by machine web-1"), "{text}");
    assert_eq!(find(&store, "web-1").interfaces[0].mac, mac(8));
}
