//! Secret variables at rest: sealed whatever brings them, with a key that is not in the database.

use super::*;
use kickstand::vault::{Error as Shut, Place};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

const CANARY: &str = "canary-at-rest-8d1f";

fn variables(value: serde_json::Value) -> Variables {
    value.as_object().unwrap().clone().into_iter().collect()
}

/// Everything that lies in the folder of a database, but the key.
fn on_disk(folder: &Path) -> String {
    let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.is_file() && !path.ends_with("secret.key"));
    files.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
}

fn opened(store: &Store, record: &impl Varied, secrets: &Secrets, name: &str) -> Result<String, Shut> {
    let sealed = secrets.sealed().get(name).expect("it is sealed");
    store.vault().open(&record.owner(), name, sealed).map(|secret| secret.expose().to_owned())
}

fn web(store: &Store) -> Profile {
    store.world().profiles.get(&name("web")).unwrap().clone()
}

/// A profile with a secret by its name, and one that was given as such.
async fn with_secrets(store: &Store) {
    let variables = variables(json!({"root_password_hash": CANARY, "disk": "/dev/vda"}));
    let mut new = Profile { variables, ..profile("web", None) };
    new.secrets.put("wifi", json!([CANARY, 2]));
    edit(store, Edit::AddProfile(new)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_sealed_whatever_brings_it_and_opens_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(&folder.path().join("k.db"));
    let store = Store::open(&url).await.unwrap();
    with_secrets(&store).await;
    let hidden = || variables(json!({"db_password": CANARY}));
    edit(&store, Edit::AddDistro(Distro { variables: hidden(), ..distro("debian") })).await.unwrap();
    edit(&store, Edit::AddNetwork(Network { variables: hidden(), ..network("lan", "10.0.0.0/8") })).await.unwrap();
    let rack = Range { variables: hidden(), ..range("rack", "lan", "10.0.0.1-10.0.0.9", "web") };
    edit(&store, Edit::AddRange(rack)).await.unwrap();
    let both = [1, 2].map(|n| Machine { variables: hidden(), ..machine(&format!("m-{n}"), n, None) });
    edit(&store, Edit::AddMachines(both.to_vec())).await.unwrap();
    edit(&store, Edit::AddMachines(vec![Machine { variables: hidden(), ..machine("m-3", 3, None) }])).await.unwrap();
    edit(&store, Edit::AddMachines(vec![machine("m-4", 4, None)])).await.unwrap();
    let four = Machine { variables: hidden(), ..find(&store, "m-4") };
    edit(&store, Edit::SetMachine(four)).await.unwrap();
    assert!(!on_disk(folder.path()).contains(CANARY), "while it runs");
    store.close().await;
    assert!(!on_disk(folder.path()).contains(CANARY), "and after");

    let store = Store::open(&url).await.unwrap();
    let profile = web(&store);
    assert_eq!(profile.variables, variables(json!({"disk": "/dev/vda"})));
    assert_eq!(opened(&store, &profile, &profile.secrets, "root_password_hash").unwrap(), json!(CANARY).to_string());
    assert_eq!(opened(&store, &profile, &profile.secrets, "wifi").unwrap(), json!([CANARY, 2]).to_string());
    let renamed = Machine { name: name("m-5"), ..find(&store, "m-4") };
    edit(&store, Edit::SetMachine(renamed)).await.unwrap();
    for called in ["m-1", "m-2", "m-3", "m-5"] {
        let machine = find(&store, called);
        assert!(machine.variables.is_empty(), "{called}");
        assert_eq!(opened(&store, &machine, &machine.secrets, "db_password").unwrap(), json!(CANARY).to_string());
    }
    let (network, range) = (store.world().networks[&name("lan")].clone(), store.world().ranges[0].clone());
    assert!(opened(&store, &network, &network.secrets, "db_password").is_ok());
    assert!(opened(&store, &range, &range.secrets, "db_password").is_ok());
    store.close().await;
}

/// As an earlier version left it: in clear, and in places that were given back.
async fn written_in_clear(url: &str) {
    let store = Store::open(url).await.unwrap();
    edit(&store, Edit::AddProfile(profile("web", None))).await.unwrap();
    edit(&store, Edit::AddMachines(vec![machine("web-1", 1, None)])).await.unwrap();
    store.close().await;
    let long = format!("{CANARY}{}", "x".repeat(9000));
    let texts = [
        format!(r#"UPDATE machines SET variables = '{{"ipmi_password": "{long}"}}'"#),
        format!(r#"UPDATE profiles SET variables = '{{"root_password_hash": "{CANARY}-old"}}'"#),
        format!(r#"UPDATE profiles SET variables = '{{"root_password_hash": "{CANARY}", "disk": "a"}}'"#),
        format!(r#"UPDATE machines SET variables = '{{"ipmi_password": "{CANARY}"}}'"#),
        "DELETE FROM settings WHERE name = 'secret_key'".to_owned(),
    ];
    match url.starts_with("sqlite") {
        true => {
            let mut db = SqliteConnection::connect(url).await.unwrap();
            for text in texts {
                sqlx::query(AssertSqlSafe(text)).execute(&mut db).await.unwrap();
            }
            db.close().await.unwrap();
        }
        false => {
            let mut db = PgConnection::connect(url).await.unwrap();
            for text in texts {
                sqlx::query(AssertSqlSafe(text)).execute(&mut db).await.unwrap();
            }
        }
    }
}

async fn is_sealed(store: &Store) {
    let (profile, machine) = (web(store), find(store, "web-1"));
    assert_eq!(profile.variables, variables(json!({"disk": "a"})));
    assert_eq!(opened(store, &profile, &profile.secrets, "root_password_hash").unwrap(), json!(CANARY).to_string());
    assert_eq!(opened(store, &machine, &machine.secrets, "ipmi_password").unwrap(), json!(CANARY).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_kept_in_clear_is_sealed_and_gone_from_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(&folder.path().join("k.db"));
    written_in_clear(&url).await;
    assert!(on_disk(folder.path()).contains(CANARY), "the test can see it");
    let store = Store::open(&url).await.unwrap();
    is_sealed(&store).await;
    assert!(!on_disk(folder.path()).contains(CANARY), "nothing is left while it runs");
    store.close().await;
    assert!(!on_disk(folder.path()).contains(CANARY), "nor after");
    is_sealed(&Store::open(&url).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_on_postgres_where_all_servers_need_the_same_key() {
    let fresh = postgres::Fresh::make().await;
    let folder = tempfile::tempdir().unwrap();
    let place = |file: &str| Place { file: Some(folder.path().join(file)), credentials: None };
    written_in_clear(&fresh.url()).await;
    let a = Store::open_with(&fresh.url(), &place("a.key")).await.unwrap();
    is_sealed(&a).await;
    let mut db = PgConnection::connect(&fresh.url()).await.unwrap();
    let select = "SELECT variables || secrets FROM profiles UNION ALL SELECT variables || secrets FROM machines";
    let rows: Vec<String> = sqlx::query_scalar(select).fetch_all(&mut db).await.unwrap();
    assert!(rows.len() == 2 && !rows.concat().contains(CANARY), "{rows:?}");

    let b = Store::open_with(&fresh.url(), &place("b.key")).await.unwrap();
    let why = b.vault().why_locked().unwrap().to_owned();
    assert!(why.contains("b.key is not there: copy it from another server"), "{why}");
    assert!(!folder.path().join("b.key").exists(), "and none is made");
    b.close().await;
    std::fs::copy(folder.path().join("a.key"), folder.path().join("b.key")).unwrap();
    let b = Store::open_with(&fresh.url(), &place("b.key")).await.unwrap();
    let mut changed = web(&a);
    changed.secrets.put("later", json!("x"));
    let mut heard = b.changes();
    edit(&a, Edit::SetProfile(changed)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(2), heard.recv()).await.unwrap().unwrap();
    assert_eq!(opened(&b, &web(&b), &web(&b).secrets, "later").unwrap(), json!("x").to_string());
    a.close().await;
    b.close().await;
    fresh.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_wrong_key_locks_and_no_other_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (url, key) = (sqlite_url(&folder.path().join("k.db")), folder.path().join("secret.key"));
    let store = Store::open(&url).await.unwrap();
    with_secrets(&store).await;
    store.close().await;
    let right = std::fs::read(&key).unwrap();
    let wrong = "11".repeat(32);
    for (other, words) in [(None, "is not there"), (Some(wrong.as_str()), "is not the one"), (Some("x"), "not 64")] {
        std::fs::remove_file(&key).unwrap();
        other.iter().for_each(|text| std::fs::write(&key, text).unwrap());
        let store = Store::open(&url).await.unwrap();
        let why = store.vault().why_locked().unwrap_or_default().to_owned();
        assert!(why.contains(words) && why.contains("secret.key"), "{why}");
        assert_eq!(std::fs::read_to_string(&key).ok().as_deref(), other, "the file is as it was");
        edit(&store, Edit::SetProfile(Profile { arguments: words.into(), ..web(&store) })).await.unwrap();
        let mut more = web(&store);
        more.secrets.put("more", json!("x"));
        let refused = edit(&store, Edit::SetProfile(more)).await.unwrap_err();
        assert!(refused.to_string().contains("secret variables are locked"), "{refused}");
        store.close().await;
        std::fs::write(&key, &right).unwrap();
    }
    let store = Store::open(&url).await.unwrap();
    assert!(opened(&store, &web(&store), &web(&store).secrets, "wifi").is_ok(), "the right key opens again");
    edit(&store, Edit::SetProfile(Profile { secrets: Secrets::default(), ..web(&store) })).await.unwrap();
    store.close().await;
    std::fs::remove_file(&key).unwrap();
    let store = Store::open(&url).await.unwrap();
    assert!(store.vault().why_locked().is_none() && key.exists(), "where nothing is sealed, a new key is made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_copied_to_another_record_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(&folder.path().join("k.db"));
    let store = Store::open(&url).await.unwrap();
    with_secrets(&store).await;
    edit(&store, Edit::AddProfile(profile("thief", None))).await.unwrap();
    store.close().await;
    let mut db = SqliteConnection::connect(&url).await.unwrap();
    let copy = "UPDATE profiles SET secrets = (SELECT secrets FROM profiles WHERE name = 'web') WHERE name = 'thief'";
    sqlx::query(copy).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let store = Store::open(&url).await.unwrap();
    let thief = store.world().profiles[&name("thief")].clone();
    let error = opened(&store, &thief, &thief.secrets, "wifi").unwrap_err();
    assert!(matches!(error, Shut::Foreign { .. }), "{error}");
    assert!(error.to_string().contains("the secret wifi of profile thief does not open"), "{error}");
}
