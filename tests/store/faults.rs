//! A disk that is full, and a disk that lies.

use super::*;
use std::process::{Command, Stdio};

const CHILD: &str = "KICKSTAND_TEST_FULL_DISK";

/// Runs in a mount namespace of its own, where a small disk can be mounted and goes away by itself.
#[test]
fn a_full_disk_promises_nothing_and_work_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=16m kickstand-test \"$0\" && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "faults::child_fills_its_disk", "--ignored", "--nocapture"])
        .env(CHILD, folder.path())
        .output()
        .expect("unshare (util-linux)");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

/// Not a test of its own: what the one above starts.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child of another test"]
async fn child_fills_its_disk() {
    let Some(folder) = std::env::var_os(CHILD).map(std::path::PathBuf::from) else { return };
    let url = sqlite_url(&folder.join("k.db"));
    let store = with_lan(&url).await;
    let bind = |n: u32| {
        let address = Ipv4Addr::from(0x0a00_0100 + n);
        store.record(vec![bound(Lease { ip: address, ..lease(n, "10.0.0.9", 0, 60) })])
    };
    let has = |n: u32| store.world().lease(&name("lan"), &mac(n).into()).is_some();
    bind(0).await.unwrap();
    for round in 1..4 {
        let filler = folder.join("filler");
        // To the last byte, or nearly.
        let mut room = vec![7; 1 << 20];
        let mut file = std::fs::File::create(&filler).unwrap();
        while !room.is_empty() {
            match std::io::Write::write(&mut file, &room) {
                Ok(_) => {}
                Err(_) => room.truncate(room.len() / 2),
            }
        }
        drop(file);
        // SQLite's log is written again from its beginning while that helps; then there is no room at all.
        let (start, mut full, mut n) = (Instant::now(), None, 10_000 * round);
        while full.is_none_or(|(since, _): (Instant, _)| since.elapsed() < Duration::from_secs(3)) {
            assert!(start.elapsed() < Duration::from_secs(30), "the disk is full at last");
            match bind(n).await {
                Ok(()) => {
                    assert!(has(n));
                    (full, n) = (None, n + 1);
                }
                Err(error) => {
                    assert!(matches!(error, Error::Full { .. }), "{error:?}");
                    assert!(!has(n) && has(0), "what is not written is not known, what was is");
                    let lost = store.lost_since().expect("the database is lost");
                    let (_, since) = full.get_or_insert((Instant::now(), lost));
                    assert_eq!(*since, lost, "that the file can be opened is no room");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        let refused = edit(&store, Edit::AddNetwork(network("spare", "11.0.0.0/24"))).await.unwrap_err();
        assert!(matches!(refused, Error::Full { .. }) && !store.world().networks.contains_key(&name("spare")));
        store.record(vec![Effect::Tell(Tale::new(NOW, Kind::Offer, "memory has room"))]).await.unwrap();
        std::fs::remove_file(&filler).unwrap();
        // Those who ask again and again must not be what keeps it from looking.
        let start = Instant::now();
        while store.lost_since().is_some() {
            assert!(start.elapsed() < Duration::from_secs(5), "there is room");
            let _ = bind(n).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bind(n).await.unwrap();
    }
    let known = everything(&store);
    store.close().await;
    assert_eq!(everything(&Store::open(&url).await.unwrap()), known);
}

fn kickstand(folder: &Path, args: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kickstand"));
    command.arg("--socket").arg(folder.join("socket")).args(args).env_remove("KICKSTAND_SERVER").output().unwrap()
}

/// What a disk loses after it failed to sync nobody can know: the server promises nothing any more and ends,
/// and everything that it had promised is there at the next start.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_to_sync_ends_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (at, file) = (folder.path().display(), folder.path().join("kickstand.toml"));
    let settings = format!(
        "[database]\nurl = \"sqlite://{at}/k.db\"\n[server]\nfiles = \"{at}/files\"\nsocket = \"{at}/socket\"\n\
         [dhcp]\nport = 0\naddress = \"127.79.7.1\"\n[tftp]\nport = 0\n[http]\nport = 0\n[https]\nport = 0\n"
    );
    std::fs::write(&file, settings).unwrap();
    // Each commit syncs once; starting takes less than 40 of them.
    let mut server = Command::new("strace")
        .args([
            "-D",
            "-f",
            "-qq",
            "-e",
            "trace=fsync,fdatasync",
            "-e",
            "inject=fsync,fdatasync:error=EIO:when=40+",
            "-o",
        ])
        .arg(folder.path().join("trace"))
        .arg(env!("CARGO_BIN_EXE_kickstand"))
        .args(["serve", "--config"])
        .arg(&file)
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace: lab/packages.sh installs it");
    until(Duration::from_secs(20), || folder.path().join("socket").exists()).await;
    let add = |n: u32| {
        let (called, cidr) = (format!("net-{n}"), format!("10.{n}.0.0/24"));
        kickstand(folder.path(), &["network", "add", &called, "--cidr", &cidr])
    };
    let ended: Vec<bool> = (0..60).map(|n| add(n).status.success()).collect();
    let promised = ended.iter().take_while(|ok| **ok).count();
    let end = Instant::now() + Duration::from_secs(20);
    let status = loop {
        match server.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > end => {
                // With -D strace is its child, and the child here is the server itself.
                server.kill().unwrap();
                panic!("it still runs");
            }
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let mut said = String::new();
    std::io::Read::read_to_string(&mut server.stderr.take().unwrap(), &mut said).unwrap();
    assert!((1..60).contains(&promised) && ended[promised..].iter().all(|ok| !ok), "{ended:?} {said}");
    assert!(!status.success() && said.contains("the disk failed to sync"), "{status} {said}");
    let store = Store::open(&sqlite_url(&folder.path().join("k.db"))).await.unwrap();
    let lost: Vec<_> =
        (0..promised).filter(|n| !store.world().networks.contains_key(&name(&format!("net-{n}")))).collect();
    assert!(lost.is_empty(), "of {promised} were lost: {lost:?}");
    store.close().await;
}
