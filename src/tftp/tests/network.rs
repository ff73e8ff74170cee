//! A transfer over a network that loses, doubles, delays and reorders, in simulated time.

use super::talk::Talk;
use super::{content, read};
use crate::tftp::packet::{Packet, Read};
use crate::tftp::transfer::Action;
use crate::tftp::{Ending, Limits};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const CLIENT_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
struct Weather {
    loss_percent: u64,
    double_percent: u64,
    min_delay: Duration,
    max_delay: Duration,
    seed: u64,
    /// The client's acknowledgement of this block comes a second time, so much later.
    copied: Option<(u16, Duration)>,
}

const FAIR: Weather = Weather {
    loss_percent: 0,
    double_percent: 0,
    min_delay: Duration::ZERO,
    max_delay: Duration::ZERO,
    seed: 1,
    copied: None,
};

#[derive(Debug, Clone)]
enum Event {
    AtServer(Packet),
    AtClient(Packet),
    /// The client's patience ends, unless something came since it sent its n-th packet.
    Patience(u64),
}

/// A reader as RFC 1350 has it: acknowledges a doubled block again, repeats itself when nothing comes. With a window it
/// acknowledges the last block of each, and at once what it has when a block is missing (RFC 7440 §4).
struct Reader {
    received: Vec<u8>,
    blksize: usize,
    window: u16,
    /// Blocks since the last acknowledgement.
    unacknowledged: u16,
    next: u16,
    last_sent: Packet,
    is_done: bool,
    sent: u64,
}

struct World {
    weather: Weather,
    now: Instant,
    /// By moment, then in the order in which they were made.
    events: BTreeMap<(Instant, u64), Event>,
    made: u64,
    reader: Reader,
    request: Read,
    content: Bytes,
    server: Option<Talk>,
    /// How often the server sent each block.
    blocks_sent: BTreeMap<u16, u32>,
}

impl World {
    fn new(size: usize, options: &[(&str, &str)], weather: Weather) -> World {
        let request = read("x", options);
        let last_sent = Packet::Read(request.clone());
        let (window, unacknowledged) = (1, 0);
        let reader = Reader {
            received: vec![],
            blksize: 512,
            window,
            unacknowledged,
            next: 1,
            last_sent,
            is_done: false,
            sent: 0,
        };
        let (events, blocks_sent) = (BTreeMap::new(), BTreeMap::new());
        let (now, content) = (Instant::now(), content(size));
        World { weather, now, events, made: 0, reader, request, content, server: None, blocks_sent }
    }

    /// Until the server's transfer ended, with what the client then has.
    fn run(&mut self) -> Ending {
        self.client_sends();
        for _ in 0..1_000_000 {
            let next = self.events.keys().next().map(|(at, _)| *at);
            let deadline = self.server.as_ref().map(Talk::deadline);
            let actions = match (next, deadline) {
                (Some(next), Some(deadline)) if deadline < next => self.server_waited(deadline),
                (None, Some(deadline)) => self.server_waited(deadline),
                (Some(_), _) => self.happen(),
                (None, None) => panic!("nothing happens any more"),
            };
            for action in actions {
                match action {
                    Action::Send(packet) => self.server_sends(packet),
                    Action::End(ending) => return ending,
                    Action::Blocks { .. } => panic!("a talk is packets"),
                }
            }
        }
        panic!("a transfer without an end");
    }

    fn server_waited(&mut self, until: Instant) -> Vec<Action> {
        self.now = until;
        self.server.as_mut().unwrap().on_timeout(until)
    }

    fn happen(&mut self) -> Vec<Action> {
        let ((at, _), event) = self.events.pop_first().unwrap();
        self.now = at;
        match event {
            Event::AtServer(packet) => return self.at_server(&packet),
            Event::AtClient(packet) => self.at_client(&packet),
            Event::Patience(sent) if sent == self.reader.sent && !self.reader.is_done => self.client_sends(),
            Event::Patience(_) => {}
        }
        vec![]
    }

    fn at_server(&mut self, packet: &Packet) -> Vec<Action> {
        match (packet, &mut self.server) {
            (Packet::Read(_), Some(transfer)) => transfer.on_repeat(self.now),
            (_, Some(transfer)) => transfer.on_packet(packet, self.now),
            _ => {
                let (content, limits) = (self.content.clone(), Limits::default());
                let (transfer, actions) = Talk::start(&self.request, content, limits, self.now);
                self.server = Some(transfer);
                actions
            }
        }
    }

    fn at_client(&mut self, packet: &Packet) {
        let reader = &mut self.reader;
        match packet {
            Packet::OptionAck(options) if reader.next == 1 => {
                let agreed = |wanted| options.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
                reader.blksize = agreed("blksize").map_or(512, |value| value.parse().unwrap());
                reader.window = agreed("windowsize").map_or(1, |value| value.parse().unwrap());
                reader.last_sent = Packet::Ack(0);
            }
            Packet::Data { block, payload } if *block == reader.next && !reader.is_done => {
                reader.received.extend_from_slice(payload);
                reader.is_done = payload.len() < reader.blksize;
                reader.next = reader.next.wrapping_add(1);
                reader.last_sent = Packet::Ack(*block);
                reader.unacknowledged += 1;
                if reader.unacknowledged < reader.window && !reader.is_done {
                    return;
                }
            }
            Packet::Data { block, .. } if *block == reader.next.wrapping_sub(1) => {}
            Packet::Data { .. } if reader.window > 1 => {}
            _ => return,
        }
        self.client_sends();
    }

    fn client_sends(&mut self) {
        self.reader.sent += 1;
        self.reader.unacknowledged = 0;
        self.deliver(Event::AtServer(self.reader.last_sent.clone()));
        if let (Some((block, behind)), Packet::Ack(sent)) = (self.weather.copied, &self.reader.last_sent)
            && block == *sent
        {
            self.weather.copied = None;
            self.at(self.now + self.weather.max_delay + behind, Event::AtServer(Packet::Ack(block)));
        }
        self.at(self.now + CLIENT_WAIT, Event::Patience(self.reader.sent));
    }

    fn server_sends(&mut self, packet: Packet) {
        if let Packet::Data { block, .. } = packet {
            *self.blocks_sent.entry(block).or_default() += 1;
        }
        self.deliver(Event::AtClient(packet));
    }

    fn deliver(&mut self, event: Event) {
        let copies = if self.chance(self.weather.double_percent) { 2 } else { 1 };
        for _ in 0..copies {
            let spread = self.weather.max_delay.saturating_sub(self.weather.min_delay);
            let delay = self.random() % (spread.as_micros() as u64 + 1);
            if !self.chance(self.weather.loss_percent) {
                self.at(self.now + self.weather.min_delay + Duration::from_micros(delay), event.clone());
            }
        }
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.made += 1;
        self.events.insert((at, self.made), event);
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random() % 100 < percent
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.weather.seed = self.weather.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.weather.seed ^ (self.weather.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn bad_weather(seed: u64) -> Weather {
    Weather { loss_percent: 20, double_percent: 20, max_delay: Duration::from_millis(500), seed, ..FAIR }
}

/// Only the very last acknowledgement may get lost with nobody left to repeat it.
fn assert_intact(world: &World, ending: &Ending) {
    assert!(world.reader.is_done, "{ending:?} after {} bytes, {:?}", world.reader.received.len(), world.weather);
    assert!(world.reader.received == world.content, "{:?}", world.weather);
}

/// F18, without a clock: 20 % loss, 20 % doubled, each packet up to half a second late and so out of order.
#[test]
fn files_arrive_intact_through_bad_weather() {
    for seed in 0..50 {
        let windows = &[("windowsize", "16"), ("blksize", "1468")];
        for options in [&[][..], &[("tsize", "0"), ("blksize", "1468")], windows] {
            let mut world = World::new(100_000, options, bad_weather(seed));
            let ending = world.run();
            assert_intact(&world, &ending);
        }
    }
}

/// The Sorcerer's Apprentice: with every packet doubled, but none lost, each block is still sent once: a way
/// there and back is shorter than the shortest wait.
#[test]
fn doubled_packets_do_not_double_the_blocks() {
    let weather = Weather { double_percent: 100, max_delay: Duration::from_millis(140), ..FAIR };
    let mut world = World::new(100_000, &[("tsize", "0")], weather);
    assert_eq!(world.run(), Ending::Complete);
    assert_intact(&world, &Ending::Complete);
    assert_eq!(world.blocks_sent.len(), 196);
    assert!(world.blocks_sent.values().all(|times| *times == 1), "{:?}", world.blocks_sent);
}

/// And with windows at most twice: a copy of an acknowledgement may look like a loss.
#[test]
fn doubled_packets_do_not_double_windows_again_and_again() {
    for window in ["2", "16", "64"] {
        let weather = Weather { double_percent: 100, ..FAIR };
        let mut world = World::new(300_000, &[("windowsize", window)], weather);
        assert_eq!(world.run(), Ending::Complete);
        assert_intact(&world, &Ending::Complete);
        assert!(world.blocks_sent.values().all(|times| *times <= 2), "{window}: {:?}", world.blocks_sent);
    }
}

/// On a long way too: one copy, whenever it comes, costs one window, which the copies of its answers do not repeat.
#[test]
fn one_doubled_acknowledgement_costs_at_most_one_window() {
    for (window, block) in [("2", 20), ("16", 32), ("64", 64)] {
        for way_ms in [5, 10, 20, 50] {
            for behind_ms in (0..=2 * way_ms).step_by(3) {
                let way = Duration::from_millis(way_ms);
                let copied = Some((block, Duration::from_millis(behind_ms)));
                let weather = Weather { min_delay: way, max_delay: way, copied, ..FAIR };
                let mut world = World::new(300_000, &[("windowsize", window)], weather);
                assert_eq!(world.run(), Ending::Complete);
                assert_intact(&world, &Ending::Complete);
                let twice = world.blocks_sent.values().filter(|times| **times == 2).count();
                let most = world.blocks_sent.values().max();
                assert!(most <= Some(&2), "{window}, {way_ms} ms, {behind_ms} ms later: {:?}", world.blocks_sent);
                assert!(twice <= window.parse().unwrap(), "{window}, {way_ms} ms, {behind_ms} ms later: {twice}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_weather_that_lets_something_through_is_survived(
        size in 0..20_000_usize,
        loss_percent in 0..=20_u64,
        double_percent in 0..=100_u64,
        delay_ms in 0..900_u64,
        window in 1..=64_u16,
        seed: u64,
    ) {
        let max_delay = Duration::from_millis(delay_ms);
        let window = window.to_string();
        let weather = Weather { loss_percent, double_percent, max_delay, seed, ..FAIR };
        let mut world = World::new(size, &[("blksize", "700"), ("windowsize", &window)], weather);
        let ending = world.run();
        assert_intact(&world, &ending);
    }
}
