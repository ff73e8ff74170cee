//! A database that is lost, full or lies: nothing is promised that is not written, and it is found again.

use super::*;

/// What a line does with what is said on it.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Carry,
    /// Every connection ends, and no new one is carried.
    Cut,
    /// Nothing arrives any more, and nobody is told.
    Hush,
    /// The connection that commits is cut instead of the answer, and that one only.
    CutAtCommit,
}

/// A line to PostgreSQL that can be cut.
struct Line {
    port: u16,
    does: tokio::sync::watch::Sender<Does>,
}

impl Line {
    async fn lay(server: &str) -> Line {
        let socket = server.split_once("host=").map(|(_, folder)| format!("{folder}/.s.PGSQL.5432"));
        let socket = socket.expect("lab/postgres.sh gives a URL with host=FOLDER");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let does = tokio::sync::watch::channel(Does::Carry).0;
        let line = does.clone();
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(near, socket.clone(), line.clone()));
            }
        });
        Line { port, does }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://kickstand@127.0.0.1:{}/{database}", self.port)
    }
}

async fn carry(mut near: tokio::net::TcpStream, socket: String, line: tokio::sync::watch::Sender<Does>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut watch, mut mended) = (line.subscribe(), line.subscribe());
    let mut far = tokio::net::UnixStream::connect(socket).await.unwrap();
    let (mut out, mut back) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            () = async { drop(watch.wait_for(|does| *does == Does::Cut).await) } => return,
            count = near.read(&mut out) => match count {
                Ok(count @ 1..) => {
                    far.write_all(&out[..count]).await.unwrap();
                }
                _ => return,
            },
            count = far.read(&mut back) => match count {
                Ok(count @ 1..) => {
                    // The tag of a statement that is done.
                    let committed = back[..count].windows(7).any(|word| word == b"COMMIT\0");
                    let cuts = *line.borrow() == Does::CutAtCommit;
                    if cuts && committed {
                        line.send_replace(Does::Carry);
                        return;
                    }
                    let waited = mended.wait_for(|does| *does != Does::Hush).await.map(drop);
                    if waited.is_err() || near.write_all(&back[..count]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_is_found_again() {
    let fresh = postgres::Fresh::make().await;
    let line = Line::lay(&fresh.server).await;
    let (near, far) = (with_lan(&fresh.url()).await, Store::open(&line.url(&fresh.called)).await.unwrap());
    assert_eq!(far.lost_since(), None);
    line.does.send_replace(Does::Cut);
    let lost = until(Duration::from_secs(5), || far.lost_since().is_some()).await;
    println!("an idle node knew {lost:?} after the line was cut");
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
    assert!(far.lost_since().is_some());
    line.does.send_replace(Does::Carry);
    let found = until(Duration::from_secs(5), || far.lost_since().is_none()).await;
    println!("up to date {found:?} after the line was mended");
    assert!(
        far.world().lease(&name("lan"), &mac(100).into()).is_some(),
        "what others wrote is read before it counts as found"
    );
    bind(&far, 101).await.unwrap();
    until(Duration::from_secs(2), || everything(&near) == everything(&far)).await;
    near.close().await;
    far.close().await;
    fresh.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_database_is_noticed_by_an_idle_node() {
    let fresh = postgres::Fresh::make().await;
    let line = Line::lay(&fresh.server).await;
    let (near, far) = (with_lan(&fresh.url()).await, Store::open(&line.url(&fresh.called)).await.unwrap());
    let told = Effect::Know(lease(7, "10.0.0.7", 0, 600));
    far.record(vec![told, Effect::See(sighting(8, 0))]).await.unwrap();
    for round in 0..2_u32 {
        line.does.send_replace(Does::Hush);
        let lost = until(Duration::from_secs(5), || far.lost_since().is_some()).await;
        println!("an idle node knew {lost:?} after the server fell silent");
        let address = Ipv4Addr::from(0x0a00_0100 + round);
        near.record(vec![bound(Lease { ip: address, ..lease(100 + round, "10.0.0.9", 0, 60) })]).await.unwrap();
        line.does.send_replace(Does::Carry);
        until(Duration::from_secs(8), || far.lost_since().is_none()).await;
        let world = far.world();
        assert!(world.lease(&name("lan"), &mac(100 + round).into()).is_some(), "what others wrote is read first");
        assert!(world.lease(&name("lan"), &mac(7).into()).is_some(), "what only memory knew it still knows");
        assert!(world.sighting(mac(8)).is_some());
    }
    near.close().await;
    far.close().await;
    fresh.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_is_no_promise_and_is_looked_at_again() {
    let fresh = postgres::Fresh::make().await;
    let line = Line::lay(&fresh.server).await;
    let (near, far) = (with_lan(&fresh.url()).await, Store::open(&line.url(&fresh.called)).await.unwrap());
    let knows = |store: &Store| store.world().lease(&name("lan"), &mac(1).into()).is_some();
    line.does.send_replace(Does::CutAtCommit);
    let error = far.record(vec![bound(lease(1, "10.0.0.9", 0, 60))]).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(!knows(&far), "the client was not told");
    // The line to the other nodes was never cut, and says nothing of one's own commits.
    until(Duration::from_secs(5), || far.lost_since().is_none()).await;
    assert!(knows(&near) && knows(&far), "but it was written, which is read before anything else is answered");
    near.close().await;
    far.close().await;
    fresh.drop().await;
}
