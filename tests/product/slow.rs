//! Clients that say little, take little, or never end: they get their places, and everybody else is served.

use crate::rig::{Appliance, Conversation, get, pattern};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// What a busy machine may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn add_large(appliance: &Appliance) {
    std::fs::File::create(appliance.config.files.join("large")).unwrap().set_len(1 << 30).unwrap();
}

/// Clients that ask for a gibibyte and take nothing of it.
async fn stalled(appliance: &Appliance, count: usize, last: u8) -> Vec<Conversation> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut talk = Conversation::open(appliance.ip(last), &appliance.url("/"), Some(4096)).await;
        talk.say("GET /files/large HTTP/1.1\r\n\r\n").await;
        all.push(talk);
    }
    all
}

async fn half_heads(appliance: &Appliance, count: usize, last: u8) -> Vec<Conversation> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut talk = Conversation::open(appliance.ip(last), &appliance.url("/"), None).await;
        talk.say("GET /files/d/vmli").await;
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

/// Whether the server has ended it, now or soon.
async fn ends(talk: &mut Conversation) -> bool {
    let mut taken = vec![0; 65536];
    let all = async {
        let mut left: u64 = 1 << 30;
        while let Ok(read) = talk.stream.read(&mut taken).await {
            left = left.saturating_sub(read as u64);
            if read == 0 {
                break;
            }
        }
        left > 0
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap_or(false)
}

#[tokio::test]
async fn three_hundred_half_heads_and_as_many_stalled_readers_stop_nobody() {
    let appliance = Appliance::empty().await;
    add_large(&appliance);
    let mut crowd = Vec::new();
    for last in [70, 71] {
        crowd.extend(half_heads(&appliance, 150, last).await);
    }
    for last in [72, 73] {
        crowd.extend(stalled(&appliance, 150, last).await);
    }
    for _ in 0..20 {
        is_served(&appliance, 66).await;
    }
    assert_eq!(crowd.len(), 600);
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
    // Until they count as stalled, the newest are sent away, or only told so.
    let patience = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut talk = Conversation::open(appliance.ip(66), &appliance.url("/"), None).await;
        talk.say("GET /files/d/live.squashfs HTTP/1.1\r\n\r\n").await;
        let mut byte = [0; 16];
        if matches!(talk.stream.read(&mut byte).await, Ok(read) if byte[..read].starts_with(b"HTTP/1.1 200")) {
            break;
        }
        assert!(tokio::time::Instant::now() < patience, "nobody goes");
    }
    for _ in 0..10 {
        is_served(&appliance, 66).await;
    }
    assert!(ends(&mut crowd[0]).await, "the first to stall is the first to go");
}

#[tokio::test]
async fn who_takes_nothing_for_long_is_cut_off() {
    let appliance = Appliance::with(|config| config.http.stalled_secs = 1).await;
    add_large(&appliance);
    let mut crowd = stalled(&appliance, 3, 70).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    for talk in &mut crowd {
        assert!(ends(talk).await);
    }
    is_served(&appliance, 66).await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off_and_so_is_who_trickles_it() {
    let appliance = Appliance::empty().await;
    let mut crowd = half_heads(&appliance, 3, 70).await;
    for talk in &mut crowd {
        assert!(ends(talk).await);
    }
}
