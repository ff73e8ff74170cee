//! Systems that join, leave and come back, against a server with a script.

use super::*;
use crate::client::tests::{ScriptedServer, answer};
use crate::retry::tests::BRISK;
use std::time::{Duration, SystemTime};

const IDENTITY: &str = r#"{"system_id":"s-1","name":"node1"}"#;

fn places(folder: &Path) -> Places {
    let (settings, identity) = (folder.join("agent.json"), folder.join("lib/identity.json"));
    Places { settings, identity, timer: folder.join("timer"), programs: vec![folder.join("bin")] }
}

fn wish(server: &str) -> Wish {
    Wish { server: server.into(), keys: "web.00,db.11".into(), is_insecure: true, ..Wish::default() }
}

fn join(folder: &Path, wish: &Wish) -> Result<String, Error> {
    run(BRISK, &places(folder), wish, Inventory::default())
}

#[test]
fn a_system_joins_once_and_a_repeat_only_tells_its_inventory() {
    let folder = tempfile::tempdir().unwrap();
    let server = ScriptedServer::start(vec![answer("200 OK", IDENTITY), answer("204 No Content", "")]);
    let named = Wish { name: Some("db1".into()), ..wish(&server.url) };
    assert_eq!(join(folder.path(), &named).unwrap(), "registered as node1 (s-1)");
    let again = join(folder.path(), &named).unwrap();
    assert!(again.contains("node1 (s-1) is registered") && again.contains("the key was not used"), "{again}");
    let asked = server.asked();
    assert!(asked[0].contains(r#""key":"web.00,db.11""#) && asked[0].contains(r#""name":"db1""#), "{}", asked[0]);
    assert!(asked[1].starts_with("POST /agent/inventory "));
    let kept = fs::read_to_string(places(folder.path()).settings).unwrap();
    assert!(!kept.contains("web.00") && !kept.contains("db1"), "{kept}");
    let other = join(folder.path(), &wish("http://127.0.0.1:1")).unwrap_err().to_string();
    assert!(other.contains("registered with") && other.contains("unregister"), "{other}");
}

#[test]
fn a_refusal_leaves_everything_as_it_was_and_a_lost_answer_keeps_the_credential() {
    let folder = tempfile::tempdir().unwrap();
    let server = ScriptedServer::start(vec![
        answer("403 Forbidden", "web1 is registered already"),
        answer("200 OK", "cut off"),
        answer("200 OK", IDENTITY),
    ]);
    let refused = join(folder.path(), &wish(&server.url)).unwrap_err();
    assert!(refused.to_string().contains("registered already"), "{refused}");
    assert!(!places(folder.path()).settings.exists());
    fs::write(places(folder.path()).settings, r#"{"server":"http://old"}"#).unwrap();
    let brief = Patience { total: Duration::from_millis(10), ..BRISK };
    let away = run(brief, &places(folder.path()), &wish("http://127.0.0.1:1"), Inventory::default()).unwrap_err();
    assert!(away.is_temporary(), "{away}");
    assert!(join(folder.path(), &wish(&server.url)).is_err(), "no identity");
    join(folder.path(), &wish(&server.url)).unwrap();
    let credential = |asked: &str| asked.split_once("\"credential\":\"").map(|(_, rest)| rest[..64].to_owned());
    let asked = server.asked();
    assert!(credential(&asked[1]).is_some() && credential(&asked[1]) == credential(&asked[2]), "it may be in already");
}

#[test]
fn an_identity_that_opens_nothing_gives_way_to_the_key_and_comes_back_if_that_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let other = r#"{"system_id":"s-2","name":"node2"}"#;
    let server = ScriptedServer::start(vec![
        answer("200 OK", IDENTITY),
        answer("401 Unauthorized", "this credential opens nothing"),
        answer("403 Forbidden", "this key opens nothing"),
        answer("401 Unauthorized", "this credential opens nothing"),
        answer("200 OK", "cut off"),
        answer("401 Unauthorized", "this credential opens nothing"),
        answer("200 OK", other),
    ]);
    join(folder.path(), &wish(&server.url)).unwrap();
    let identity = places(folder.path()).identity;
    let before = fs::read_to_string(&identity).unwrap();
    let refused = join(folder.path(), &wish(&server.url)).unwrap_err().to_string();
    assert!(refused.contains("this key opens nothing"), "{refused}");
    assert_eq!(fs::read_to_string(&identity).unwrap(), before, "what was refused changes nothing");
    join(folder.path(), &wish(&server.url)).unwrap_err();
    // The server may have let it in: at the next boot it brings the same.
    let at_boot = register::run(BRISK, &places(folder.path()), Inventory::default());
    assert_eq!(at_boot.unwrap(), "registered as node2 (s-2)");
    let asked = server.asked();
    let credential = |asked: &str| asked.split_once("\"credential\":\"").map(|(_, rest)| rest[..64].to_owned());
    assert!(credential(&asked[4]).is_some() && credential(&asked[4]) == credential(&asked[6]), "{asked:?}");
    assert_eq!(fs::read_dir(identity.parent().unwrap()).unwrap().count(), 2, "identity and contact alone");
}

#[test]
fn damaged_files_are_no_dead_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = ScriptedServer::start(vec![answer("200 OK", IDENTITY), answer("200 OK", IDENTITY)]);
    let places = places(folder.path());
    for damaged in [&places.settings, &places.identity] {
        fs::create_dir_all(damaged.parent().unwrap()).unwrap();
        fs::write(damaged, "").unwrap();
        let told = unregister(BRISK, &places, false).unwrap_err().to_string();
        assert!(told.contains("unregister --force"), "{told}");
        unregister(BRISK, &places, true).unwrap();
        assert!(!damaged.exists());
        fs::write(damaged, "").unwrap();
        join(folder.path(), &wish(&server.url)).unwrap();
        unregister(BRISK, &places, true).unwrap();
    }
}

#[test]
fn what_was_begun_can_be_called_off_and_its_key_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    assert!(matches!(unregister(BRISK, &places, false), Err(Error::NotRegistered)));
    let brief = Patience { total: Duration::from_millis(10), ..BRISK };
    let away = run(brief, &places, &wish("http://127.0.0.1:1"), Inventory::default()).unwrap_err();
    assert!(away.is_temporary() && fs::read_to_string(&places.settings).unwrap().contains("web.00"), "{away}");
    // The server may have it: what it was asked with is taken back there, too.
    let server = ScriptedServer::start(vec![answer("204 No Content", "")]);
    let text = fs::read_to_string(&places.settings).unwrap().replace("http://127.0.0.1:1", &server.url);
    assert!(matches!(unregister(brief, &places, false), Err(Error::StillKnown(_))), "nobody answers");
    fs::write(&places.settings, &text).unwrap();
    let told = unregister(BRISK, &places, false).unwrap();
    assert!(told.contains("its record stays on the server") && !places.settings.exists(), "{told}");
    let credential = text.split_once("\"credential\": \"").unwrap().1[..64].to_owned();
    assert!(server.asked()[0].contains(&credential));
}

#[test]
fn a_file_that_is_no_ca_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passwd");
    fs::write(&file, "root:x:0:0").unwrap();
    let wish = Wish { ca: Some(file), is_insecure: false, ..wish("https://127.0.0.1:1") };
    let told = join(folder.path(), &wish).unwrap_err().to_string();
    assert!(told.contains("passwd") && told.contains("kickstand ca show"), "{told}");
    assert!(!places(folder.path()).settings.exists());
}

#[test]
fn no_key_goes_to_who_can_not_be_known() {
    let folder = tempfile::tempdir().unwrap();
    let server = ScriptedServer::start(vec![answer("200 OK", IDENTITY)]);
    let plain = Wish { is_insecure: false, ..wish(&server.url) };
    assert!(matches!(join(folder.path(), &plain), Err(Error::InTheClear { .. })));
    let secure = |fingerprint: Option<&str>| Wish {
        server: "https://127.0.0.1:1".into(),
        fingerprint: fingerprint.map(str::to_owned),
        ..plain.clone()
    };
    assert!(matches!(join(folder.path(), &secure(None)), Err(Error::NoCa { .. })));
    assert!(matches!(join(folder.path(), &secure(Some("00"))), Err(Error::BadFingerprint(_))));
    for bad in ["", "10.0.0.1", "ftp://x", "https://", "https://a/b", "https://u@h"] {
        let wish = Wish { server: bad.into(), ..plain.clone() };
        assert!(matches!(join(folder.path(), &wish), Err(Error::Address { .. })), "{bad}");
    }
    assert!(server.asked().is_empty() && !places(folder.path()).settings.exists());
}

#[test]
fn who_is_registered_says_so_and_can_leave() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    let status = |places: &Places| super::status(places, SystemTime::now()).unwrap();
    assert!(!status(&places).registered);
    assert!(matches!(unregister(BRISK, &places, false), Err(Error::NotRegistered)));
    let server = ScriptedServer::start(vec![
        answer("200 OK", IDENTITY),
        answer("409 Conflict", "it is armed"),
        answer("204 No Content", ""),
    ]);
    join(folder.path(), &wish(&server.url)).unwrap();
    let now = status(&places);
    assert_eq!((now.registered, now.name.as_deref(), now.timer), (true, Some("node1"), false));
    assert!(now.last_contact_secs.is_some_and(|secs| secs < 60));
    assert!(now.lines().contains("registered as  node1"), "{}", now.lines());
    assert!(unregister(BRISK, &places, false).unwrap_err().to_string().contains("it is armed"));
    assert!(status(&places).registered);
    unregister(BRISK, &places, false).unwrap();
    assert!(server.asked()[2].starts_with("POST /agent/unregister "));
    assert!(!places.settings.exists() && !status(&places).registered);
}

#[test]
fn where_the_server_is_away_only_force_forgets() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    let server = ScriptedServer::start(vec![answer("200 OK", IDENTITY)]);
    join(folder.path(), &wish(&server.url)).unwrap();
    drop(server);
    let brief = Patience { total: Duration::from_millis(10), ..BRISK };
    let away = unregister(brief, &places, false).unwrap_err().to_string();
    assert!(away.contains("still knows") && away.contains("--force"), "{away}");
    assert!(places.identity.exists());
    unregister(brief, &places, true).unwrap();
    assert!(!places.identity.exists());
}
