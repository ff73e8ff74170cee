//! What a key gave a machine when it registered, and a rollback: operators' edits are taken back, registrations are not.

use super::revisions::{back, on_sqlite, open};
use super::*;

async fn registers(store: &Store, machine: &str, key: &str) {
    let machine = find(store, machine);
    let comer = Comer { machine: Some(&machine), from: None };
    let grant = keys::grant(&name(key).into(), &store.world().keys, comer, NOW).unwrap();
    let registration = grant.registration(&machine, None, hash(machine.name.as_str()), NOW);
    store.record(vec![Effect::Register(Box::new(registration))]).await.unwrap();
}

/// Its groups and its profile.
fn has(store: &Store, machine: &str) -> (String, String) {
    let machine = find(store, machine);
    (machine.groups.to_string(), machine.profile.map(|name| name.to_string()).unwrap_or_default())
}

/// In memory and in the rows.
async fn have(store: &Store, expected: &[(&str, &str, &str)]) {
    for read_again in [false, true] {
        if read_again {
            store.look(vec![Change::Everything]).await.unwrap();
        }
        for (machine, groups, profile) in expected {
            assert_eq!(has(store, machine), ((*groups).into(), (*profile).into()), "{machine}, {read_again}");
        }
    }
}

async fn set(store: &Store, machine: &str, change: impl FnOnce(Machine) -> Machine) {
    edit(store, Edit::SetMachine(change(find(store, machine)))).await.unwrap();
}

async fn the_story(store: &Store) {
    for called in ["given", "chosen"] {
        edit(store, Edit::AddProfile(profile(called, None))).await.unwrap();
    }
    let gives = ActivationKey { profile: Some(name("given")), ..key("ten", Some(10)) };
    edit(store, Edit::AddKey(gives.clone())).await.unwrap();
    let all = ["late", "between", "moved", "alone"];
    let machines = (7..).zip(all).map(|(card, called)| machine(called, card, None)).collect();
    edit(store, Edit::AddMachines(machines)).await.unwrap();
    let at = store.world().revision();
    for called in all {
        set(store, called, |m| Machine { groups: name("own").into(), ..m }).await;
    }
    edit(store, Edit::SetKey(ActivationKey { usage_limit: Some(5), ..gives })).await.unwrap();
    for called in ["late", "between", "moved"] {
        registers(store, called, "ten").await;
    }
    // The next edit finds what no edit before it has said.
    set(store, "between", |m| Machine { arguments: "quiet".into(), ..m }).await;
    set(store, "moved", |m| Machine { groups: name("own").into(), profile: Some(name("chosen")), ..m }).await;
    let both = ("own,web", "given");
    let then = store.world().revision();
    have(store, &[("late", both.0, both.1), ("between", both.0, both.1), ("moved", "own", "chosen")]).await;

    back(store, at).await.unwrap();
    let kept = [("late", "web", "given"), ("between", "web", "given"), ("moved", "web", "given"), ("alone", "", "")];
    have(store, &kept).await;
    assert_eq!(
        (find(store, "between").arguments.as_str(), find(store, "between").joined.to_string()),
        ("", "ten".into())
    );
    let ten = store.world().keys[&name("ten")].clone();
    assert_eq!((ten.used, ten.usage_limit), (3, Some(10)), "a rollback gives no use away");

    // And the way back from there.
    back(store, then).await.unwrap();
    let again =
        [("late", both.0, both.1), ("between", both.0, both.1), ("moved", "own", "chosen"), ("alone", "own", "")];
    have(store, &again).await;
    assert_eq!(find(store, "between").arguments, "quiet");
}

#[tokio::test]
async fn a_rollback_keeps_what_a_key_gave_and_takes_back_what_operators_said_on_sqlite() {
    let (store, _folder) = on_sqlite().await;
    the_story(&store).await;
    store.close().await;
}

#[tokio::test]
async fn a_rollback_keeps_what_a_key_gave_and_takes_back_what_operators_said_on_postgres() {
    let fresh = postgres::Fresh::make().await;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&fresh.url(), folder.path()).await;
    the_story(&store).await;
    store.close().await;
    fresh.drop().await;
}
