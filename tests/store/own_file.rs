//! The SQLite file: who may read it, what can not be opened, what survives a kill.

use super::*;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

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
    let expected = ["kickstand.db", "kickstand.db-shm", "kickstand.db-wal", "kickstand.db.lock", "secret.key"];
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
            .args(["--exact", "own_file::child_writes_leases_until_it_is_killed", "--ignored", "--nocapture"])
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
