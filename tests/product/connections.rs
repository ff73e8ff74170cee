//! What goes on on one connection: requests one behind the other, in pieces, and of different kinds.

use crate::rig::{Appliance, Conversation, get, pattern};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn requests_that_come_together_are_answered_in_their_order() {
    let appliance = Appliance::start().await;
    let mut talk = Conversation::open(appliance.ip(66), &appliance.url("/"), None).await;
    talk.say(
        "GET /files/d/vmlinuz HTTP/1.1\r\n\r\nHEAD /files/d/initrd.img HTTP/1.1\r\n\r\n\
              GET /files/none HTTP/1.1\r\n\r\nGET /loader//snponly.efi HTTP/1.1\r\nRange: bytes=5-9\r\n\r\n\
              GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET /files/d/live.squashfs HTTP/1.1\r\nHost: x\r\n\r\n",
    )
    .await;
    assert_eq!(talk.hear(false).await.body, pattern(70_000));
    assert!(talk.hear(true).await.head.contains("Content-Length: 90000\r\n"));
    assert_eq!(talk.hear(false).await.status, 404);
    assert_eq!(talk.hear(false).await.body, &pattern(131_072)[5..10]);
    assert_eq!(talk.hear(false).await.status, 404, "from here on hyper answers");
    assert_eq!(talk.hear(false).await.body, pattern(10));
}

#[tokio::test]
async fn a_report_after_a_file_goes_through_on_the_same_connection() {
    let appliance = Appliance::start().await;
    let mut talk = Conversation::open(appliance.ip(66), &appliance.url("/"), None).await;
    talk.say("GET /files/d/live.squashfs HTTP/1.1\r\n\r\n").await;
    assert_eq!(talk.hear(false).await.body, pattern(10));
    let body = r#"{"stage":"done"}"#;
    let length = body.len();
    talk.say(&format!(
        "POST /report/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ))
    .await;
    talk.say(body).await;
    assert_eq!(talk.hear(false).await.status, 404, "a report that nobody waits for");
    talk.say("GET /loader/undionly.kpxe HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(talk.hear(false).await.body, pattern(66_000));
}

#[tokio::test]
async fn a_head_may_come_byte_by_byte() {
    let appliance = Appliance::start().await;
    let mut talk = Conversation::open(appliance.ip(66), &appliance.url("/"), None).await;
    talk.stream.set_nodelay(true).unwrap();
    for text in ["GET /files/d/live.squashfs HTTP/1.1\r\nHost: x\r\n\r\n", "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"] {
        for at in 0..text.len() {
            talk.say(&text[at..=at]).await;
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(talk.hear(false).await.body, pattern(10));
    assert_eq!(talk.hear(false).await.status, 404);
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_with_a_word() {
    let appliance = Appliance::start().await;
    for line in [format!("X: {}\r\n", "x".repeat(20_000)), "X: y\r\n".repeat(80)] {
        let answer = get(appliance.ip(66), &appliance.url("/files/d/vmlinuz"), &line).await;
        assert_eq!((answer.status, answer.text().as_str()), (431, "the head is too long\n"));
    }
}

#[tokio::test]
async fn an_old_client_gets_its_answer_and_the_end() {
    let appliance = Appliance::start().await;
    for ask in [
        "GET /files/d/live.squashfs HTTP/1.0\r\n\r\n",
        "GET /files/d/live.squashfs HTTP/1.1\r\nConnection: close\r\n\r\n",
    ] {
        let mut talk = Conversation::open(appliance.ip(66), &appliance.url("/"), None).await;
        talk.say(ask).await;
        let answer = talk.hear(false).await;
        assert_eq!(answer.body, pattern(10));
        assert!(answer.head.contains("Connection: close\r\n"), "{}", answer.head);
        assert_eq!(talk.stream.read(&mut [0]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_file_that_becomes_shorter_while_it_is_sent_ends_the_connection() {
    let appliance = Appliance::start().await;
    let path = appliance.config.files.join("shrinking");
    std::fs::write(&path, vec![7; 64 << 20]).unwrap();
    let mut talk = Conversation::open(appliance.ip(66), &appliance.url("/"), Some(64 * 1024)).await;
    talk.say("GET /files/shrinking HTTP/1.1\r\n\r\n").await;
    talk.stream.read_exact(&mut [0; 1000]).await.unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 20).unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(30), talk.stream.read_to_end(&mut rest)).await;
    let _ = ended.expect("it ends, in whatever way");
    assert!(rest.len() < 60 << 20, "{}", rest.len());
    let shorter = get(appliance.ip(66), &appliance.url("/files/shrinking"), "").await;
    assert_eq!((shorter.status, shorter.body.len()), (200, 1 << 20));
}

#[tokio::test]
async fn who_goes_in_the_middle_hurts_nobody() {
    let appliance = Appliance::start().await;
    std::fs::write(appliance.config.files.join("large"), vec![7; 16 << 20]).unwrap();
    for _ in 0..20 {
        let mut talk = Conversation::open(appliance.ip(66), &appliance.url("/"), None).await;
        talk.stream.write_all(b"GET /files/large HTTP/1.1\r\n\r\n").await.unwrap();
        talk.stream.read_exact(&mut [0; 100]).await.unwrap();
    }
    assert_eq!(get(appliance.ip(66), &appliance.url("/files/large"), "").await.body.len(), 16 << 20);
}
