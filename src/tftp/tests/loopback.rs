//! The server with real sockets on loopback.

use super::rig::{Client, LOADER_SIZE, Rig, within};
use super::{content, read};
use crate::tftp::packet::{Packet, code};
use crate::tftp::server::Error;
use crate::tftp::{Ending, Limits, Refusal};
use std::time::Duration;
use tokio::net::UdpSocket;

fn ask(name: &str) -> Packet {
    Packet::Read(read(name, &[]))
}

fn probe(name: &str) -> Packet {
    Packet::Read(read(name, &[("tsize", "0")]))
}

/// Sends that follow each other at once, for tests of what happens when nobody answers.
fn impatient() -> Limits {
    Limits { wait: Duration::from_millis(2), ..Limits::default() }
}

#[tokio::test]
async fn uefi_probes_the_size_aborts_and_reads_from_its_next_port() {
    let mut rig = Rig::start(Limits::default()).await;
    let (first, second) = (Client::new().await, Client::new().await);
    first.send(&probe("loader"), rig.address).await;
    let (answer, transfer) = first.receive().await;
    assert_eq!(answer, Packet::OptionAck(vec![("tsize".into(), LOADER_SIZE.to_string())]));
    first.send(&Packet::error(8, "User aborted the transfer"), transfer).await;
    let outcome = rig.outcome().await;
    let aborted = Ending::AbortedByClient { code: 8, message: "User aborted the transfer".into() };
    assert_eq!((outcome.bytes, outcome.ending), (0, aborted));

    second.send(&Packet::Read(read("loader", &[("blksize", "1468"), ("windowsize", "4")])), rig.address).await;
    assert!(second.read_on(second.receive().await).await == content(LOADER_SIZE));
    let outcome = rig.outcome().await;
    assert_eq!((outcome.bytes, outcome.ending), (LOADER_SIZE as u64, Ending::Complete));
    assert_eq!(outcome.request.client, second.socket.local_addr().unwrap());
    assert_eq!(rig.stop().await, vec![]);
}

/// Some firmware keeps its port: what it asks for next takes the place of what it no longer wants.
#[tokio::test]
async fn another_request_from_the_same_port_replaces_the_first() {
    let mut rig = Rig::start(Limits::default()).await;
    let client = Client::new().await;
    client.send(&probe("loader"), rig.address).await;
    client.receive().await;
    client.send(&ask("other-loader"), rig.address).await;
    assert_eq!(rig.outcome().await.ending, Ending::Stopped);
    assert!(client.read_on(client.receive().await).await == content(LOADER_SIZE));
    assert_eq!(rig.outcome().await.ending, Ending::Complete);
}

#[tokio::test]
async fn a_repeated_request_is_answered_by_the_same_transfer() {
    let mut rig = Rig::start(Limits { wait: Duration::from_secs(3600), ..Limits::default() }).await;
    let client = Client::new().await;
    client.send(&ask("loader"), rig.address).await;
    let first = client.receive().await;
    client.send(&ask("loader"), rig.address).await;
    assert_eq!(client.receive().await, first, "the same block from the same port");
    assert!(client.read_on(first).await == content(LOADER_SIZE));
    assert_eq!(rig.outcome().await.ending, Ending::Complete);
    assert_eq!(rig.stop().await, vec![], "there was no second one");
}

#[tokio::test]
async fn a_stranger_at_a_transfers_port_is_told_so_and_disturbs_nothing() {
    let rig = Rig::start(Limits::default()).await;
    let (client, stranger) = (Client::new().await, Client::new().await);
    client.send(&ask("loader"), rig.address).await;
    let first = client.receive().await;
    stranger.send(&Packet::error(0, "stop"), first.1).await;
    stranger.send(&Packet::Ack(1), first.1).await;
    assert_eq!(stranger.receive_error().await, code::UNKNOWN_TRANSFER);
    assert!(client.read_on(first).await == content(LOADER_SIZE));
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let mut rig = Rig::start(Limits::default()).await;
    let client = Client::new().await;
    let table = [("missing", code::NOT_FOUND), ("denied", code::DENIED), ("../loader", code::DENIED), ("", 1)];
    for (name, wanted) in table {
        client.send(&ask(name), rig.address).await;
        assert_eq!(client.receive_error().await, wanted, "{name}");
    }
    assert_eq!(rig.outcome().await.ending, Ending::Refused(Refusal::NotFound("no missing here".into())));
    assert_eq!(rig.outcome().await.ending, Ending::Refused(Refusal::Denied("not for you".into())));
}

#[tokio::test]
async fn writing_and_strays_at_the_listening_port_are_refused() {
    let rig = Rig::start(Limits::default()).await;
    let client = Client::new().await;
    client.send_bytes(b"\0\x02loader\0octet\0", rig.address).await;
    assert_eq!(client.receive_error().await, code::DENIED);
    client.send(&Packet::Ack(1), rig.address).await;
    assert_eq!(client.receive_error().await, code::UNKNOWN_TRANSFER);
}

/// Each silent one is followed by one that is answered: its answer is the first to come.
#[tokio::test]
async fn errors_noise_and_unknown_clients_get_not_a_byte() {
    let mut rig = Rig::start(Limits::default()).await;
    let client = Client::new().await;
    for silent in [b"\0\x05\0\x01no\0".as_slice(), b"", b"\0", b"noise", b"\0\x01unknown-client\0octet\0"] {
        client.send_bytes(silent, rig.address).await;
        if silent.ends_with(b"octet\0") {
            assert_eq!(rig.outcome().await.ending, Ending::Refused(Refusal::Silence("no lease".into())));
        }
        client.send_bytes(b"\0\x02", rig.address).await;
        assert_eq!(client.receive_error().await, code::DENIED, "{}", silent.escape_ascii());
    }
}

/// Firmware drops an answer from another address than the one it asked.
#[tokio::test]
async fn the_answer_comes_from_the_address_that_was_asked() {
    let sockets = vec![UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.2:0").await.unwrap()];
    let second = sockets[1].local_addr().unwrap();
    let mut rig = Rig::start_on(sockets, Limits::default());
    for asked in [second, rig.address] {
        let client = Client::new().await;
        client.send(&ask("loader"), asked).await;
        let first = client.receive().await;
        assert_eq!(first.1.ip(), asked.ip());
        assert_ne!(first.1.port(), asked.port());
        assert!(client.read_on(first).await == content(LOADER_SIZE));
        assert_eq!(rig.outcome().await.request.local, asked.ip());
    }
}

#[tokio::test]
async fn ipv6_is_served_as_well() {
    let Ok(socket) = UdpSocket::bind("[::1]:0").await else { return println!("skipped: no IPv6 here") };
    let rig = Rig::start_on(vec![socket], Limits::default());
    let client = Client::at("[::1]:0".parse().unwrap()).await;
    client.send(&ask("loader"), rig.address).await;
    assert!(client.read_on(client.receive().await).await == content(LOADER_SIZE));
}

#[tokio::test]
async fn the_wildcard_address_is_refused_at_start() {
    let wildcard = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    let (_keep, stop) = tokio::sync::watch::channel(false);
    struct Empty;
    impl crate::tftp::Library for Empty {
        async fn open(&self, _: crate::tftp::Request) -> Result<crate::tftp::Content, Refusal> {
            Err(Refusal::NotFound("nothing".into()))
        }
        fn is_ours(&self, _: std::net::SocketAddr) -> bool {
            true
        }

        fn ended(&self, _: crate::tftp::Outcome) {}
    }
    let run = crate::tftp::Server::run(vec![wildcard], Empty.into(), Limits::default(), stop);
    assert!(matches!(within(run).await, Err(Error::NoAddress { .. })));
}

#[tokio::test]
async fn who_never_answers_is_given_up() {
    let mut rig = Rig::start(impatient()).await;
    let client = Client::new().await;
    client.send(&ask("loader"), rig.address).await;
    assert_eq!(rig.outcome().await.ending, Ending::TimedOut);
    let first = client.receive().await;
    for _ in 1..4 {
        assert_eq!(client.receive().await, first);
    }
    client.send_bytes(b"\0\x02", rig.address).await;
    assert_eq!(client.receive_error().await, code::DENIED, "four times, and no more");
}

/// Asks for the loader and waits until the server has seen it, with no care for the answer to it.
async fn ask_in_vain(client: &Client, rig: &Rig) {
    client.send(&ask("loader"), rig.address).await;
    client.send_bytes(b"\0\x02", rig.address).await;
    assert_eq!(client.receive_error().await, code::DENIED, "the write request is the one that is answered");
}

/// The surplus hears nothing, so that it asks again: an error would send the machine on to its disk.
#[tokio::test]
async fn a_client_has_so_many_places_and_no_more() {
    let rig = Rig::start(Limits { max_transfers_per_client: 3, ..Limits::default() }).await;
    let greedy = [Client::new().await, Client::new().await, Client::new().await];
    for client in &greedy {
        client.send(&ask("loader"), rig.address).await;
        client.receive().await;
    }
    ask_in_vain(&Client::new().await, &rig).await;
    assert_eq!(rig.stop().await.len(), 3);
}

#[tokio::test]
async fn the_server_as_a_whole_has_a_limit() {
    let rig = Rig::start(Limits { max_transfers: 1, ..Limits::default() }).await;
    let (first, second) = (Client::new().await, Client::at("127.0.0.3:0".parse().unwrap()).await);
    first.send(&ask("loader"), rig.address).await;
    first.receive().await;
    ask_in_vain(&second, &rig).await;
    assert_eq!(rig.stop().await.len(), 1);
}

/// F17: silent readers hold their own places and nothing else.
#[tokio::test]
async fn silent_readers_do_not_hinder_others_and_free_places_are_used_again() {
    let mut rig = Rig::start(Limits { max_transfers_per_client: 1, ..Limits::default() }).await;
    let (silent, next) = (Client::new().await, Client::new().await);
    let neighbour = Client::at("127.0.0.3:0".parse().unwrap()).await;
    silent.send(&ask("loader"), rig.address).await;
    let first = silent.receive().await;
    neighbour.send(&ask("loader"), rig.address).await;
    assert!(neighbour.read_on(neighbour.receive().await).await == content(LOADER_SIZE));
    assert_eq!(rig.outcome().await.ending, Ending::Complete);

    silent.send(&Packet::error(0, "enough"), first.1).await;
    rig.outcome().await;
    // The loop may see the next request before it sees that the task is done: ask again, as clients do.
    let ask_again = async {
        loop {
            next.send(&ask("loader"), rig.address).await;
            if let Ok(first) = tokio::time::timeout(Duration::from_millis(20), next.receive()).await {
                return first;
            }
        }
    };
    assert!(next.read_on(within(ask_again).await).await == content(LOADER_SIZE));
}

#[tokio::test]
async fn a_library_that_panics_costs_one_transfer() {
    let rig = Rig::start(Limits { max_transfers_per_client: 1, ..Limits::default() }).await;
    let client = Client::new().await;
    for _ in 0..3 {
        client.send(&ask("broken"), rig.address).await;
    }
    client.send(&ask("loader"), rig.address).await;
    assert!(client.read_on(client.receive().await).await == content(LOADER_SIZE));
}

#[tokio::test]
async fn a_library_that_never_answers_is_given_up() {
    let mut rig = Rig::start(Limits { max_idle: Duration::from_millis(5), ..Limits::default() }).await;
    Client::new().await.send(&ask("never"), rig.address).await;
    assert_eq!(rig.outcome().await.ending, Ending::TimedOut);
}

#[tokio::test]
async fn stopping_ends_and_tells_every_transfer() {
    let rig = Rig::start(Limits::default()).await;
    let (reader, waiter) = (Client::new().await, Client::new().await);
    waiter.send(&ask("never"), rig.address).await;
    reader.send(&ask("loader"), rig.address).await;
    reader.receive().await;
    let outcomes = rig.stop().await;
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.iter().all(|outcome| outcome.ending == Ending::Stopped), "{outcomes:?}");
}

/// A socket that is connected to a port where nobody listens reads ECONNREFUSED before anything else.
#[tokio::test]
async fn an_error_on_a_socket_does_not_end_the_server() {
    let client = Client::new().await;
    let at = client.socket.local_addr().unwrap();
    drop(client);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(at).await.unwrap();
    socket.send(b"nobody is there").await.unwrap();
    let client = Client::at(at).await;
    let rig = Rig::start_on(vec![socket], Limits::default());
    client.send(&ask("loader"), rig.address).await;
    assert!(client.read_on(client.receive().await).await == content(LOADER_SIZE));
}
