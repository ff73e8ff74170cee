//! Clients that say little, take little, or never end: they get their places, and everybody else is served.

use crate::rig::{Appliance, Conversation, get, pattern};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

/// What a busy machine may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where nobody is cut off but for another.
async fn full_house(connections: usize) -> Appliance {
    Appliance::with(|config| {
        config.http.connections = connections;
        config.http.stalled_secs = 600;
    })
    .await
}

fn add_large(appliance: &Appliance) {
    std::fs::File::create(appliance.config.files.join("large")).unwrap().set_len(1 << 30).unwrap();
}

/// Clients that ask for a gibibyte and take nothing of it.
async fn stalled(appliance: &Appliance, count: usize, last: u8) -> Vec<Conversation> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut talk = Conversation::open(appliance.ip(last), &appliance.url("/"), Some(4096)).await;
        // In a full house it may be gone already.
        let _ = talk.stream.write_all(b"GET /files/large HTTP/1.1\r\n\r\n").await;
        all.push(talk);
    }
    all
}

async fn half_heads(appliance: &Appliance, count: usize, last: u8) -> Vec<Conversation> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut talk = Conversation::open(appliance.ip(last), &appliance.url("/"), None).await;
        let _ = talk.stream.write_all(b"GET /files/d/vmli").await;
        all.push(talk);
    }
    all
}

async fn is_served(appliance: &Appliance, last: u8) {
    let url = appliance.url("/files/d/vmlinuz");
    let answer = tokio::time::timeout(PATIENCE, get(appliance.ip(last), &url, "")).await;
    let answer = answer.expect("a good client is served");
    assert_eq!((answer.status, answer.body), (200, pattern(70_000)));
}

/// How the server ends it, now or soon, before all of a large file is there.
async fn ended(talk: &mut Conversation) -> io::Result<()> {
    let mut taken = vec![0; 65536];
    let all = async {
        let mut left: u64 = 1 << 30;
        while left > 0 {
            match talk.stream.read(&mut taken).await? {
                0 => return Ok(()),
                read => left = left.saturating_sub(read as u64),
            }
        }
        panic!("it was sent all of it");
    };
    timeout(PATIENCE, all).await.expect("it is ended")
}

/// Until those who stand still count as stalled, the newest are sent away, or only told so.
async fn until_served(appliance: &Appliance, last: u8) -> Conversation {
    let patience = Instant::now() + PATIENCE;
    loop {
        let mut talk = Conversation::open(appliance.ip(last), &appliance.url("/"), None).await;
        let _ = talk.stream.write_all(b"GET /files/d/live.squashfs HTTP/1.1\r\n\r\n").await;
        let mut byte = [0; 16];
        if matches!(talk.stream.read(&mut byte).await, Ok(read) if byte[..read].starts_with(b"HTTP/1.1 200")) {
            return talk;
        }
        assert!(Instant::now() < patience, "nobody goes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn three_hundred_half_heads_and_as_many_stalled_readers_stop_nobody() {
    let appliance = full_house(450).await;
    add_large(&appliance);
    let mut crowd = Vec::new();
    for last in [70, 71] {
        crowd.extend(half_heads(&appliance, 150, last).await);
    }
    for last in [72, 73] {
        crowd.extend(stalled(&appliance, 150, last).await);
    }
    until_served(&appliance, 66).await;
    for _ in 0..20 {
        is_served(&appliance, 66).await;
    }
    drop(crowd);
}

#[tokio::test]
async fn in_a_full_house_a_stalled_one_goes_for_a_good_one() {
    let appliance = Appliance::with(|config| {
        config.http.connections = 60;
        config.http.connections_each = 40;
    })
    .await;
    add_large(&appliance);
    let mut crowd = stalled(&appliance, 30, 70).await;
    crowd.extend(half_heads(&appliance, 30, 71).await);
    until_served(&appliance, 66).await;
    for _ in 0..10 {
        is_served(&appliance, 66).await;
    }
    let first = ended(&mut crowd[0]).await.map_err(|error| error.kind());
    assert_eq!(first, Err(io::ErrorKind::ConnectionReset), "the first to stall is the first to go");
}

#[tokio::test]
async fn who_takes_nothing_for_long_is_cut_off() {
    let appliance = Appliance::with(|config| config.http.stalled_secs = 1).await;
    add_large(&appliance);
    let mut crowd = stalled(&appliance, 3, 70).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    for talk in &mut crowd {
        let end = ended(talk).await.map_err(|error| error.kind());
        assert_eq!(end, Err(io::ErrorKind::ConnectionReset), "the kernel holds nothing for it any more");
    }
    is_served(&appliance, 66).await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off_and_so_is_who_trickles_it() {
    let appliance = Appliance::empty().await;
    let mut crowd = half_heads(&appliance, 3, 70).await;
    let mut trickling = Conversation::open(appliance.ip(71), &appliance.url("/"), None).await;
    let mut sent = 0;
    let cut = async {
        loop {
            tokio::select! {
                _ = trickling.stream.read_u8() => break,
                () = tokio::time::sleep(Duration::from_secs(1)) => {
                    let _ = trickling.stream.write_all(b"G").await;
                    sent += 1;
                }
            }
        }
    };
    timeout(PATIENCE, cut).await.expect("who never stops is cut off all the same");
    assert!((5..40).contains(&sent), "{sent}");
    for talk in &mut crowd {
        let _ = ended(talk).await;
    }
}

#[tokio::test]
async fn who_asks_on_and_reads_nothing_keeps_no_place_in_a_full_house() {
    let appliance = full_house(8).await;
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let mut talk = Conversation::open(appliance.ip(70), &appliance.url("/"), Some(4096)).await;
        crowd.spawn(async move {
            let asks = "GET /files/none HTTP/1.1\r\n\r\n".repeat(100);
            while talk.stream.write_all(asks.as_bytes()).await.is_ok() {}
        });
    }
    // Those who are served stay, so the house is full until all of the crowd had to go.
    let mut served = Vec::new();
    let patience = Instant::now() + PATIENCE;
    while !crowd.is_empty() {
        assert!(Instant::now() < patience, "{} of the crowd are never sent away", crowd.len());
        served.push(until_served(&appliance, 66).await);
        while crowd.try_join_next().is_some() {}
    }
}

#[tokio::test]
async fn who_goes_for_another_keeps_the_answer_that_it_had() {
    let appliance = Appliance::with(|config| config.http.connections = 1).await;
    let mut talk = Conversation::open(appliance.ip(70), &appliance.url("/"), None).await;
    talk.say("GET /files/d/live.squashfs HTTP/1.1\r\n\r\n").await;
    assert!(talk.stream.peek(&mut [0]).await.unwrap() > 0);
    until_served(&appliance, 66).await;
    assert_eq!(talk.hear(false).await.body, pattern(10));
    assert!(ended(&mut talk).await.is_ok(), "closed, and not broken off");
}

#[tokio::test]
async fn an_install_gets_in_with_doubled_slashes_too() {
    let appliance = Appliance::with(|config| config.http.connections = 1).await;
    let _holder = Conversation::open(appliance.ip(70), &appliance.url("/"), None).await;
    for path in ["/answer/x", "//answer/x"] {
        assert_eq!(get(appliance.ip(66), &appliance.url(path), "").await.status, 404, "{path}");
    }
}
