//! The desk of a lane in simulated time: its sockets are real, its clock is not.

use super::{content, encoded, read};
use crate::tftp::desk::{Desk, Ended, Job, Outside};
use crate::tftp::packet::Packet;
use crate::tftp::{Content, Ending, Limits, Request};
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const TICK: Duration = Duration::from_millis(50);

struct Table {
    desk: Desk,
    socket: UdpSocket,
    client: UdpSocket,
    now: Instant,
    ended: mpsc::UnboundedReceiver<Ended>,
}

impl Table {
    fn new() -> Table {
        let (tell, ended) = mpsc::unbounded_channel();
        let desk = Desk::new(Outside { ended: tell, is_ours: Arc::new(|_| true) });
        let bind = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let (socket, client) = (bind(), bind());
        client.set_nonblocking(true).unwrap();
        let mut table = Table { desk, socket, client, now: Instant::now(), ended };
        let (client, read) = (table.client.local_addr().unwrap(), read("x", &[]));
        let request = Request { name: "x".into(), client, local: client.ip() };
        let (content, limits) = (Content::Memory(content(5000)), Limits::default());
        let job = Job { key: (client, 0), id: 1, request, read, content, limits, started_at: table.now };
        table.desk.start(&table.socket, job, table.now);
        table
    }

    fn hear(&mut self, packet: &Packet) {
        let client = self.client.local_addr().unwrap();
        self.desk.on_datagram(&self.socket, client, &encoded(packet), self.now);
    }

    /// What the client got, on loopback as soon as it was sent.
    fn got(&self) -> Option<Packet> {
        let mut buffer = [0; 2048];
        let length = self.client.recv(&mut buffer).ok()?;
        Some(Packet::parse(&buffer[..length]).unwrap())
    }

    /// How long until the next packet comes, and which block it has.
    fn wait(&mut self) -> (Duration, u16) {
        let since = self.now;
        for _ in 0..1000 {
            self.now += TICK;
            self.desk.on_tick(&self.socket, self.now);
            match self.got() {
                Some(Packet::Data { block, .. }) => return (self.now - since, block),
                Some(other) => panic!("{other:?}"),
                None => {}
            }
        }
        panic!("nothing comes any more");
    }
}

/// A network that was down for a while: the wait for the next packet is short again as soon as the client is heard.
#[test]
fn who_is_heard_again_waits_no_longer_than_others() {
    let mut table = Table::new();
    assert!(matches!(table.got(), Some(Packet::Data { block: 1, .. })));
    table.hear(&Packet::Ack(1));
    assert!(matches!(table.got(), Some(Packet::Data { block: 2, .. })));
    while table.wait().0 < Duration::from_secs(9) {}
    table.hear(&Packet::Ack(2));
    assert!(matches!(table.got(), Some(Packet::Data { block: 3, .. })));
    let (waited, block) = table.wait();
    assert_eq!(block, 3);
    assert!(waited <= Limits::default().min_wait + TICK, "{waited:?}");
}

/// However it ended: what is still on the way is not answered.
#[test]
fn late_packets_of_a_transfer_that_was_aborted_are_passed_over() {
    let mut table = Table::new();
    table.got().unwrap();
    table.hear(&Packet::error(0, "only the size"));
    assert!(matches!(table.ended.try_recv().unwrap().outcome.ending, Ending::AbortedByClient { .. }));
    table.hear(&Packet::Ack(1));
    assert_eq!(table.got(), None);
}
