//! Many transfers through the same sockets: apart from each other, whole, and in as few calls as may be.

use super::rig::{Client, LOADER_SIZE, MENU, NOT_OURS, Rig, within};
use super::{content, read};
use crate::tftp::packet::{Packet, code};
use crate::tftp::{Ending, Limits, Refusal};
use std::collections::HashSet;
use std::time::Duration;
use tokio::task::JoinSet;

fn ask(name: &str, options: &[(&str, &str)]) -> Packet {
    Packet::Read(read(name, options))
}

async fn fetch(rig: &Rig, packet: &Packet) -> Vec<u8> {
    let client = Client::new().await;
    client.send(packet, rig.address).await;
    client.read_on(client.receive().await).await
}

/// Whether the kernel cuts them or each block is a message of its own, from memory or from a file. 222,208 bytes are
/// 434 blocks of 512 and an empty one.
#[tokio::test]
async fn a_window_has_the_same_bytes_however_it_leaves() {
    for max_segments in [64, 2, 1] {
        let rig = Rig::start(Limits { max_segments, ..Limits::default() }).await;
        for (blksize, window) in [("512", "64"), ("1468", "16"), ("1000", "3"), ("512", "1")] {
            for name in ["loader", "file"] {
                let got = fetch(&rig, &ask(name, &[("blksize", blksize), ("windowsize", window)])).await;
                assert!(got == content(LOADER_SIZE), "{name}: {max_segments} at once, {window} blocks of {blksize}");
            }
        }
    }
}

/// One call takes 64 KiB: a window of large blocks is cut into several.
#[tokio::test]
async fn windows_of_large_blocks_take_several_calls() {
    let rig = Rig::start(Limits { max_blksize: 9000, ..Limits::default() }).await;
    let got = fetch(&rig, &ask("loader", &[("blksize", "8928"), ("windowsize", "10")])).await;
    assert!(got == content(LOADER_SIZE));
}

#[tokio::test]
async fn two_hundred_clients_read_at_once_through_two_ports_at_most() {
    let rig = Rig::start(Limits::default()).await;
    let (address, mut clients) = (rig.address, JoinSet::new());
    for number in 0..200_u32 {
        clients.spawn(async move {
            let ip = std::net::Ipv4Addr::from(0x7f01_0000 + number);
            let client = Client::at((ip, 0).into()).await;
            let window = ["1", "4", "8"][number as usize % 3];
            client.send(&ask("loader", &[("blksize", "1468"), ("windowsize", window)]), address).await;
            let first = client.receive().await;
            (first.1, client.read_on(first).await == content(LOADER_SIZE))
        });
    }
    let mut ports = HashSet::new();
    while let Some(done) = clients.join_next().await {
        let (from, is_whole) = done.unwrap();
        assert!(is_whole);
        ports.insert(from);
    }
    assert!(ports.len() <= 2, "{ports:?}");
    let outcomes = rig.stop().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.ending == Ending::Complete).count(), 200);
}

/// A ROM that always uses the same port would take an ERROR for its next transfer's.
#[tokio::test]
async fn a_doubled_last_acknowledgement_is_left_unanswered() {
    let mut rig = Rig::start(Limits::default()).await;
    let client = Client::new().await;
    client.send(&ask("loader", &[("blksize", "1468")]), rig.address).await;
    let first = client.receive().await;
    let old = first.1;
    assert!(client.read_on(first).await == content(LOADER_SIZE));
    assert_eq!(rig.outcome().await.ending, Ending::Complete);
    client.send(&Packet::Ack(152), old).await;
    client.send(&ask("menu.bin", &[]), rig.address).await;
    let (answer, new) = client.receive().await;
    assert!(matches!(answer, Packet::Data { block: 1, .. }), "{answer:?}");
    assert_ne!(new, old, "and late packets can not be taken for new ones");
    client.send(&Packet::Ack(1), old).await;
    client.send(&Packet::Ack(1), new).await;
    assert_eq!(rig.outcome().await.bytes, MENU.len() as u64);
    // Whoever comes after is answered after.
    let stranger = Client::new().await;
    stranger.send(&Packet::Ack(1), old).await;
    assert_eq!(stranger.receive_error().await, code::UNKNOWN_TRANSFER);
    assert!(client.socket.try_recv(&mut [0; 9]).is_err(), "an error came for the copy");
}

#[tokio::test]
async fn a_port_where_nothing_runs_says_so() {
    let mut rig = Rig::start(Limits::default()).await;
    let (client, stranger) = (Client::new().await, Client::new().await);
    client.send(&ask("menu.bin", &[]), rig.address).await;
    let first = client.receive().await;
    let port = first.1;
    client.read_on(first).await;
    rig.outcome().await;
    stranger.send(&Packet::Ack(1), port).await;
    assert_eq!(stranger.receive_error().await, code::UNKNOWN_TRANSFER);
}

/// An address that may be forged hears nothing, whatever is asked in its name, and wherever.
#[tokio::test]
async fn who_is_not_ours_is_never_answered() {
    let rig = Rig::start(Limits::default()).await;
    let (client, other) = (Client::new().await, Client::at((NOT_OURS, 0).into()).await);
    client.send(&ask("menu.bin", &[]), rig.address).await;
    let lane = client.receive().await.1;
    let reads = ["..", "\u{1}", "missing"].map(|name| ask(name, &[]));
    for packet in reads[..2].iter().chain([&Packet::Write, &Packet::Ack(1)]) {
        other.send(packet, rig.address).await;
        other.send(&Packet::Ack(7), lane).await;
    }
    // Whoever comes after is answered after.
    let stranger = Client::new().await;
    for (packet, to, wanted) in [
        (&reads[0], rig.address, code::DENIED),
        (&reads[2], rig.address, code::NOT_FOUND),
        (&Packet::Write, rig.address, code::DENIED),
        (&Packet::Ack(1), rig.address, code::UNKNOWN_TRANSFER),
        (&Packet::Ack(1), lane, code::UNKNOWN_TRANSFER),
    ] {
        stranger.send(packet, to).await;
        assert_eq!(stranger.receive_error().await, wanted, "{packet:?}");
    }
    assert!(other.socket.try_recv(&mut [0; 9]).is_err(), "something went to who is not ours");
}

/// A new port does not touch what runs at an old one.
#[tokio::test]
async fn ports_are_renewed_and_transfers_keep_theirs() {
    let mut rig = Rig::start(Limits { ports_for: Duration::ZERO, ..Limits::default() }).await;
    let slow = Client::new().await;
    slow.send(&ask("loader", &[("blksize", "1468")]), rig.address).await;
    let first = slow.receive().await;
    let mut ports = HashSet::from([first.1]);
    for _ in 0..6 {
        let client = Client::new().await;
        client.send(&ask("menu.bin", &[]), rig.address).await;
        let answer = client.receive().await;
        ports.insert(answer.1);
        assert_eq!(client.read_on(answer).await, MENU);
        assert_eq!(rig.outcome().await.ending, Ending::Complete);
    }
    assert!(ports.len() > 4, "{ports:?}");
    assert!(slow.read_on(first).await == content(LOADER_SIZE));
    assert_eq!(rig.outcome().await.bytes, LOADER_SIZE as u64);
    assert_eq!(rig.stop().await, vec![]);
}

/// Of every lane, however seldom it is used: who learnt a port must not know it weeks later.
#[tokio::test]
async fn after_a_while_nothing_begins_at_an_old_port() {
    let ports_for = Duration::from_millis(100);
    let mut rig = Rig::start(Limits { ports_for, ..Limits::default() }).await;
    let mut ports = [HashSet::new(), HashSet::new()];
    for round in &mut ports {
        for client in [Client::new().await, Client::new().await, Client::new().await] {
            // Who comes back gets the other lane.
            for _ in 0..2 {
                client.send(&ask("menu.bin", &[]), rig.address).await;
                let answer = client.receive().await;
                round.insert(answer.1);
                assert_eq!(client.read_on(answer).await, MENU);
                assert_eq!(rig.outcome().await.ending, Ending::Complete);
            }
        }
        tokio::time::sleep(ports_for).await;
    }
    assert!(ports[0].len() >= 2 && ports[0].is_disjoint(&ports[1]), "{ports:?}");
}

/// The size is not told, for the client's file will be another one than what is on the way.
#[tokio::test]
async fn only_texts_are_sent_as_netascii() {
    let rig = Rig::start(Limits::default()).await;
    let converted = b"one\r\ntwo\r\nthree\r\0".as_slice();
    for (name, wanted, options) in [("menu.cfg", converted, 1), ("menu.bin", MENU, 2)] {
        let mut asked = read(name, &[("tsize", "0"), ("blksize", "600")]);
        asked.is_netascii = true;
        let client = Client::new().await;
        client.send(&Packet::Read(asked), rig.address).await;
        let first = client.receive().await;
        assert!(matches!(&first.0, Packet::OptionAck(told) if told.len() == options), "{name}: {first:?}");
        assert_eq!(client.read_on(first).await, wanted, "{name}");
    }
    assert_eq!(fetch(&rig, &ask("menu.cfg", &[])).await, MENU, "octet is left as it is");
}

#[tokio::test]
async fn a_file_that_shrinks_meanwhile_ends_with_an_error() {
    let mut rig = Rig::start(Limits::default()).await;
    let client = Client::new().await;
    client.send(&ask("cut", &[("blksize", "1024"), ("windowsize", "4")]), rig.address).await;
    let (_, from) = client.receive().await;
    client.send(&Packet::Ack(0), from).await;
    let told = loop {
        match client.receive().await.0 {
            Packet::Data { block, .. } if block % 4 == 0 => client.send(&Packet::Ack(block), from).await,
            Packet::Data { .. } => {}
            Packet::Error { code, .. } => break code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told, code::OTHER);
    let outcome = rig.outcome().await;
    assert!(matches!(outcome.ending, Ending::Refused(Refusal::NotFound(_))), "{outcome:?}");
    assert_eq!(outcome.bytes, 96 * 1024);
}

#[tokio::test]
async fn who_bears_less_is_agreed_less() {
    let rig = Rig::start(Limits::default()).await;
    let client = Client::new().await;
    client.send(&ask("capped", &[("blksize", "1468"), ("windowsize", "16")]), rig.address).await;
    let wanted = vec![("blksize".to_owned(), "600".to_owned()), ("windowsize".to_owned(), "2".to_owned())];
    assert_eq!(client.receive().await.0, Packet::OptionAck(wanted));
}

#[tokio::test]
async fn transfers_come_from_the_ports_that_were_named() {
    // Whether two neighbours are free nobody knows before; below 32768 the kernel gives none to who names none.
    for first in (20_000..32_000_u16).step_by(97) {
        let ports = Some((first, first + 1));
        let Ok(mut rig) = start_at_ports(ports).await else { continue };
        // Someone was faster.
        if rig.has_failed().await {
            continue;
        }
        let client = Client::new().await;
        client.send(&ask("menu.bin", &[]), rig.address).await;
        let port = client.receive().await.1.port();
        return assert!(port == first || port == first + 1, "{port}");
    }
    panic!("no free ports");
}

/// Fails when another program has one of them.
async fn start_at_ports(ports: Option<(u16, u16)>) -> std::io::Result<Rig> {
    for port in ports.map(|(first, last)| [first, last]).unwrap_or_default() {
        tokio::net::UdpSocket::bind(("127.0.0.1", port)).await?;
    }
    Ok(Rig::start(Limits { ports, ..Limits::default() }).await)
}

/// A lane without transfers waits for a packet for long; its first transfer is given its tries all the same.
#[tokio::test]
async fn a_lane_that_slept_sends_again() {
    let limits = Limits { wait: Duration::from_millis(1), max_tries_unproven: 3, ..Limits::default() };
    let mut rig = Rig::start(limits).await;
    let client = Client::new().await;
    client.send(&ask("menu.bin", &[]), rig.address).await;
    assert_eq!(rig.outcome().await.ending, Ending::TimedOut);
    for _ in 0..3 {
        within(client.receive()).await;
    }
}
