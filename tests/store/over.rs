//! A record that was read, changed and given whole is written over what was read, or not at all.

use super::*;

/// The records that one of them reads, and how each is changed by word `n`.
async fn records(store: &Store) {
    edit(store, Edit::AddKey(key("web", None))).await.unwrap();
    edit(store, Edit::AddDistro(distro("debian"))).await.unwrap();
    edit(store, Edit::AddProfile(profile("base", None))).await.unwrap();
    edit(store, Edit::AddRange(range("racks", "lan", "10.0.0.10-10.0.0.60", "base"))).await.unwrap();
    edit(store, Edit::AddMachines(vec![machine("m-1", 1, Some("10.0.0.11"))])).await.unwrap();
    let kept =
        Reservation { ip: ip("10.0.0.70"), network: name("lan"), by: Mark::Mac(mac(70)), description: "".into() };
    edit(store, Edit::AddReservation(kept)).await.unwrap();
    let class = Class { name: name("roms"), network: None, matches: Match::default(), options: OptionSet::default() };
    edit(store, Edit::AddClass(class)).await.unwrap();
}

/// Each noun's record as this store knows it, and the edit that changes it.
fn changes(store: &Store, word: &str) -> Vec<(Record, Edit)> {
    let world = store.world();
    let (said, option) =
        (serde_json::json!(word), |set: &mut OptionSet| set.put("domain-search", "a.example").unwrap());
    let network = world.networks[&name("lan")].clone();
    let distro = world.distros[&name("debian")].clone();
    let profile = world.profiles[&name("base")].clone();
    let key = world.keys[&name("web")].clone();
    let range = world.ranges.iter().find(|range| range.name == name("racks")).unwrap().clone();
    let machine = world.machine_named(&name("m-1")).unwrap().clone();
    let kept = world.reservation_at(ip("10.0.0.70")).unwrap().clone();
    let class = world.classes[&name("roms")].clone();
    let with = |variables: &Variables| {
        let mut variables = variables.clone();
        variables.insert(word.to_owned(), said.clone());
        variables
    };
    let mut options = class.options.clone();
    option(&mut options);
    let described = |text: &str| format!("{text} {word}");
    vec![
        (
            Record::Network(network.clone()),
            Edit::SetNetwork(Network { variables: with(&network.variables), ..network }),
        ),
        (Record::Distro(distro.clone()), Edit::SetDistro(Distro { variables: with(&distro.variables), ..distro })),
        (
            Record::Profile(profile.clone()),
            Edit::SetProfile(Profile { variables: with(&profile.variables), ..profile }),
        ),
        (Record::Key(key.clone()), Edit::SetKey(ActivationKey { description: described(&key.description), ..key })),
        (Record::Range(range.clone()), Edit::SetRange(Range { variables: with(&range.variables), ..range })),
        (
            Record::Machine(Wish::of(&machine)),
            Edit::SetMachine(Machine { variables: with(&machine.variables), ..machine }),
        ),
        (
            Record::Reservation(kept.clone()),
            Edit::SetReservation {
                was: kept.ip,
                reservation: Reservation { description: described(&kept.description), ..kept },
            },
        ),
        (
            Record::Class(class.clone()),
            Edit::SetClass(Class {
                matches: Match { vendor: Some(word.into()), ..class.matches.clone() },
                options,
                ..class
            }),
        ),
    ]
}

/// What was read before another wrote is refused and changes nothing; read again, it is taken.
async fn first_come_first_kept(one: &Store, two: &Store) {
    records(one).await;
    let soon = Duration::from_secs(2);
    until(soon, || two.world().revision() == one.world().revision()).await;
    let (mine, stale) = (changes(one, "mine"), changes(two, "stale"));
    for ((read, change), (old, late)) in mine.into_iter().zip(stale) {
        one.edit_over(&read, change, "ann", NOW).await.unwrap();
        let revision = one.world().revision();
        let refused = two.edit_over(&old, late, "bob", NOW).await;
        assert!(matches!(refused, Err(Error::Conflict)), "{old:?}: {refused:?}");
        assert_eq!(one.revisions(1).await.unwrap()[0].number, revision, "nothing was written");
        two.look(vec![Change::of(&old)]).await.unwrap();
    }
    for (read, change) in changes(two, "again") {
        two.edit_over(&read, change, "bob", NOW).await.unwrap();
    }
    until(soon, || two.world().revision() == one.world().revision()).await;
    until(soon, || everything(one) == everything(two)).await;
    let both = ["mine", "again"].map(|word| one.world().profiles[&name("base")].variables.contains_key(word));
    assert_eq!(both, [true; 2]);

    // Registrations go on meanwhile, and are no change of a key.
    let (read, change) = changes(one, "third").remove(3);
    let Record::Key(mut counted) = read else { panic!("it is the key") };
    counted.used += 1;
    one.edit_over(&Record::Key(counted), change, "ann", NOW).await.unwrap();

    let (read, change) = changes(one, "gone").remove(1);
    let Edit::SetDistro(gone) = &change else { panic!("it is the distro") };
    edit(one, Edit::RemoveDistro(gone.name.clone())).await.unwrap();
    assert!(matches!(one.edit_over(&read, change, "ann", NOW).await, Err(Error::Conflict)), "not made again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_what_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_lan(&format!("sqlite://{}/k.db", folder.path().display())).await;
    let stale = changes_of_a_moment_ago(&store).await;
    assert!(stale.iter().all(|refused| matches!(refused, Err(Error::Conflict))), "{stale:?}");
    store.close().await;
}

/// On a database of one server what two of its clients read is the same, and so may be old.
async fn changes_of_a_moment_ago(store: &Store) -> Vec<Result<(), Error>> {
    records(store).await;
    let mut refused = Vec::new();
    for place in 0..changes(store, "one").len() {
        let (read, late) = changes(store, "late").remove(place);
        let (_, change) = changes(store, "one").remove(place);
        store.edit_over(&read, change, "ann", NOW).await.unwrap();
        refused.push(store.edit_over(&read, late, "bob", NOW).await);
    }
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_too() {
    let fresh = postgres::Fresh::make().await;
    let (one, two) = (with_lan(&fresh.url()).await, Store::open(&fresh.url()).await.unwrap());
    first_come_first_kept(&one, &two).await;
    one.close().await;
    two.close().await;
    fresh.drop().await;
}
